#pragma once

#include <oneapi/dnnl/dnnl.hpp>

/// What oneDNN 2.6 and 3 call differently: version 3 makes primitive descriptors at once, version 2 from an operation's
/// descriptor, and version 2 scales what is added after a primitive.
namespace fercli::onednn {

struct Convolution {
  dnnl::memory::desc x, weight, y;
  dnnl::memory::dims strides, padding;
};

constexpr auto kDirect = dnnl::algorithm::convolution_direct;
constexpr auto kTraining = dnnl::prop_kind::forward_training;

#if DNNL_VERSION_MAJOR >= 3

/// Seen with 3.7: `brgconv_strided` adds up an image's gradient in an order that depends on how many images there are.
constexpr bool kGradientHangsOnBatch = true;

inline void append_relu(dnnl::post_ops& post) {
  post.append_eltwise(dnnl::algorithm::eltwise_relu, 0, 0);
}

/// `bias` may be null.
inline dnnl::convolution_forward::primitive_desc describe_forward(const Convolution& c, const dnnl::memory::desc* bias,
                                                                  const dnnl::primitive_attr& attributes,
                                                                  const dnnl::engine& engine) {
  if (bias == nullptr) {
    return {engine, kTraining, kDirect, c.x, c.weight, c.y, c.strides, c.padding, c.padding, attributes};
  }
  return {engine, kTraining, kDirect, c.x, c.weight, *bias, c.y, c.strides, c.padding, c.padding, attributes};
}

inline dnnl::convolution_backward_data::primitive_desc describe_backward_data(
    const Convolution& c, const dnnl::convolution_forward::primitive_desc& forward,
    const dnnl::primitive_attr& attributes, const dnnl::engine& engine) {
  return {engine, kDirect, c.x, c.weight, c.y, c.strides, c.padding, c.padding, forward, attributes};
}

inline dnnl::convolution_backward_weights::primitive_desc describe_backward_weights(
    const Convolution& c, const dnnl::convolution_forward::primitive_desc& forward,
    const dnnl::primitive_attr& attributes, const dnnl::engine& engine) {
  return {engine, kDirect, c.x, c.weight, c.y, c.strides, c.padding, c.padding, forward, attributes};
}

inline dnnl::matmul::primitive_desc describe_product(const dnnl::memory::desc& x, const dnnl::memory::desc& weight,
                                                     const dnnl::memory::desc& y,
                                                     const dnnl::primitive_attr& attributes,
                                                     const dnnl::engine& engine) {
  return {engine, x, weight, y, attributes};
}

#else

constexpr bool kGradientHangsOnBatch = false;

inline void append_relu(dnnl::post_ops& post) {
  post.append_eltwise(1, dnnl::algorithm::eltwise_relu, 0, 0);
}

inline dnnl::convolution_forward::primitive_desc describe_forward(const Convolution& c, const dnnl::memory::desc* bias,
                                                                  const dnnl::primitive_attr& attributes,
                                                                  const dnnl::engine& engine) {
  using Operation = dnnl::convolution_forward::desc;
  const auto operation =
      bias == nullptr ? Operation(kTraining, kDirect, c.x, c.weight, c.y, c.strides, c.padding, c.padding)
                      : Operation(kTraining, kDirect, c.x, c.weight, *bias, c.y, c.strides, c.padding, c.padding);
  return {operation, attributes, engine};
}

inline dnnl::convolution_backward_data::primitive_desc describe_backward_data(
    const Convolution& c, const dnnl::convolution_forward::primitive_desc& forward,
    const dnnl::primitive_attr& attributes, const dnnl::engine& engine) {
  return {{kDirect, c.x, c.weight, c.y, c.strides, c.padding, c.padding}, attributes, engine, forward};
}

inline dnnl::convolution_backward_weights::primitive_desc describe_backward_weights(
    const Convolution& c, const dnnl::convolution_forward::primitive_desc& forward,
    const dnnl::primitive_attr& attributes, const dnnl::engine& engine) {
  return {{kDirect, c.x, c.weight, c.y, c.strides, c.padding, c.padding}, attributes, engine, forward};
}

inline dnnl::matmul::primitive_desc describe_product(const dnnl::memory::desc& x, const dnnl::memory::desc& weight,
                                                     const dnnl::memory::desc& y,
                                                     const dnnl::primitive_attr& attributes,
                                                     const dnnl::engine& engine) {
  return {{x, weight, y}, attributes, engine};
}

#endif

}  // namespace fercli::onednn
