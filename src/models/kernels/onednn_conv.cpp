// Convolutions by oneDNN, called directly: LibTorch packs the weights at every call, and cannot fuse what follows.
#include "core/runtime.hpp"
#include "models/kernels/fast_conv.hpp"

#if FERCLI_USES_ONEDNN

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <omp.h>

#include <cstring>
#include <mutex>
#include <optional>

#include "core/instruction_set.hpp"
#include "core/onednn_version.hpp"
#include "models/kernels/element_type.hpp"
#include "models/kernels/nhwc_kernels.hpp"
#include "models/kernels/winograd.hpp"

namespace fercli {

namespace {

using dnnl::memory;
using Tag = memory::format_tag;

/// Convolutions with fewer weights per output channel are computed on unfolded windows (a 1x1 convolution): matrix
/// units stand idle on a single input channel.
constexpr int64_t kUnfoldedWeights = 128;
/// Channels of unfolded windows are a multiple of this.
constexpr int64_t kUnfoldedMultiple = 32;
/// Pixels of a line that the weight gradient works on at once: narrower images are laid side by side.
constexpr int64_t kJoinedWidth = 32;
/// Winograd's transforms cost as much as they save with fewer channels than this.
constexpr int64_t kWinogradChannels = 32;
/// Tiles multiplied at once, never fewer: oneDNN may add up the products of other counts in another order, and those of
/// a count's remainder by six.
constexpr int64_t kProductRows = 36;
/// Tiles between two transforms, at most: what they make stays in the second-level cache.
constexpr int64_t kWinogradTiles = 108;
/// Values between two planes: at a power of two they would fall on the same lines of the cache.
constexpr int64_t kPlaneGap = 16;
/// Prepared primitives kept; one more, and all are made anew.
constexpr size_t kPrimitives = 1024;

/// Channels of a block, in the layout that oneDNN's direct convolutions for AVX2 are a third quicker on.
constexpr int64_t kBlock = 8;

enum class Pass { Forward, Data, Weight };

/// All that a primitive depends on.
struct Problem {
  Pass pass;
  bool bfloat16;
  int64_t n, in, height, width, out, out_height, out_width, kernel, stride, padding;
  bool bias = false, shortcut = false, relu = false;
  bool blocked = false;  ///< images in blocks of kBlock channels instead of channels-last
  int threads = at::get_num_threads();

  auto key() const {
    return std::array<int64_t, 17>{static_cast<int64_t>(pass),
                                   bfloat16,
                                   n,
                                   in,
                                   height,
                                   width,
                                   out,
                                   out_height,
                                   out_width,
                                   kernel,
                                   stride,
                                   padding,
                                   bias,
                                   shortcut,
                                   relu,
                                   blocked,
                                   threads};
  }
  memory::data_type type() const { return bfloat16 ? memory::data_type::bf16 : memory::data_type::f32; }
  Tag layout() const { return blocked ? Tag::nChw8c : Tag::nhwc; }
  memory::desc x() const { return {{n, in, height, width}, type(), layout()}; }
  memory::desc y() const { return {{n, out, out_height, out_width}, type(), layout()}; }
  memory::desc weight(memory::data_type of_type) const { return {{out, in, kernel, kernel}, of_type, Tag::any}; }
  /// With weights, or their gradients, of this type.
  onednn::Convolution convolution(memory::data_type of_weight) const {
    return {x(), weight(of_weight), y(), {stride, stride}, {padding, padding}};
  }
};

struct Prepared {
  dnnl::primitive primitive;
  memory::desc weight, scratchpad;
};

dnnl::engine& engine() {
  static dnnl::engine the_engine(dnnl::engine::kind::cpu, 0);
  return the_engine;
}

void run(const dnnl::primitive& primitive, const std::unordered_map<int, memory>& arguments) {
  dnnl::stream stream(engine());
  primitive.execute(stream, arguments);
  stream.wait();
}

memory of(const memory::desc& desc, void* data) {
  return {desc, engine(), data};
}

memory of(const memory::desc& desc, const torch::Tensor& data) {
  return of(desc, data.data_ptr());
}

torch::Tensor bytes(size_t count) {
  return torch::empty({static_cast<int64_t>(count)}, torch::kUInt8);
}

dnnl::primitive_attr with_own_scratchpad() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

dnnl::convolution_forward::primitive_desc describe_convolution(const Problem& problem) {
  dnnl::primitive_attr attributes = with_own_scratchpad();
  dnnl::post_ops post;
  if (problem.shortcut) post.append_sum();  // with a binary addition oneDNN 2.6 takes a slower algorithm
  if (problem.relu) onednn::append_relu(post);
  attributes.set_post_ops(post);
  const memory::desc bias({problem.out}, memory::data_type::f32, Tag::x);
  return onednn::describe_forward(problem.convolution(problem.type()), problem.bias ? &bias : nullptr, attributes,
                                  engine());
}

/// While it lives, primitives of this thread are made for one thread: they run in one of many.
class ForOneThread {
 public:
  ForOneThread() { omp_set_num_threads(1); }
  ~ForOneThread() { omp_set_num_threads(before_); }
  ForOneThread(const ForOneThread&) = delete;
  ForOneThread& operator=(const ForOneThread&) = delete;

 private:
  const int before_ = omp_get_max_threads();
};

Prepared make_prepared(const Problem& problem) {
  std::optional<ForOneThread> alone;
  if (problem.threads == 1) alone.emplace();
  const auto forward = describe_convolution(problem);
  if (problem.pass == Pass::Forward) {
    return {dnnl::convolution_forward(forward), forward.weights_desc(), forward.scratchpad_desc()};
  }
  if (problem.pass == Pass::Data) {
    const auto backward =
        onednn::describe_backward_data(problem.convolution(problem.type()), forward, with_own_scratchpad(), engine());
    return {dnnl::convolution_backward_data(backward), backward.weights_desc(), backward.scratchpad_desc()};
  }
  const auto backward = onednn::describe_backward_weights(problem.convolution(memory::data_type::f32), forward,
                                                          with_own_scratchpad(), engine());
  return {dnnl::convolution_backward_weights(backward), backward.diff_weights_desc(), backward.scratchpad_desc()};
}

/// The products between Winograd's transforms: `planes` of (kProductRows,in) x (in,out), float32, on one thread; of
/// planes that hold `rows` rows.
struct Products {
  int64_t planes, rows, in, out;

  std::array<int64_t, 4> key() const { return {planes, rows, in, out}; }
  int64_t x_plane() const { return rows * in + kPlaneGap; }
  int64_t y_plane() const { return rows * out + kPlaneGap; }
  memory::desc x() const {
    return {{planes, kProductRows, in}, memory::data_type::f32, memory::dims{x_plane(), in, 1}};
  }
  memory::desc y() const {
    return {{planes, kProductRows, out}, memory::data_type::f32, memory::dims{y_plane(), out, 1}};
  }
};

Prepared make_prepared(const Products& products) {
  const memory::desc weight({products.planes, products.in, products.out}, memory::data_type::f32, Tag::any);
  const ForOneThread alone;
  const auto description =
      onednn::describe_product(products.x(), weight, products.y(), with_own_scratchpad(), engine());
  return {dnnl::matmul(description), description.weights_desc(), description.scratchpad_desc()};
}

int64_t whole_products(int64_t tiles) {
  return (tiles + kProductRows - 1) / kProductRows * kProductRows;
}

/// The number of images of so many tiles that leaves the smallest share of the products' rows empty.
int64_t images_between_transforms(int64_t tiles) {
  int64_t best = 1;
  for (int64_t images = 2; images * tiles <= kWinogradTiles; ++images) {
    if (images * whole_products(best * tiles) >= best * whole_products(images * tiles)) best = images;
  }
  return best;
}

/// Making a primitive takes about a millisecond; networks use the same few again and again.
template <class Work>
std::shared_ptr<const Prepared> prepared(const Work& work) {
  static std::mutex mutex;
  static std::map<decltype(work.key()), std::shared_ptr<const Prepared>> known;
  const std::lock_guard<std::mutex> lock(mutex);
  auto& entry = known[work.key()];
  if (entry) return entry;
  auto made = entry = std::make_shared<const Prepared>(make_prepared(work));
  if (known.size() > kPrimitives) known.clear();
  return made;
}

torch::Tensor channels_last(const torch::Tensor& x) {
  return x.contiguous(torch::MemoryFormat::ChannelsLast);
}

torch::Tensor empty_like_images(const torch::Tensor& x, torch::IntArrayRef shape) {
  return torch::empty(shape, x.options(), torch::MemoryFormat::ChannelsLast);
}

/// Images laid side by side, `gap` zero columns between them; a wider image is a longer run for oneDNN's weight
/// gradient, which works on 32 pixels of a line at once (three times as fast on 6x6 images). Wider still is slower.
torch::Tensor join(const torch::Tensor& x, int64_t images, int64_t gap) {
  const int64_t n = x.size(0), channels = x.size(1), height = x.size(2), width = x.size(3);
  const int64_t groups = (n + images - 1) / images, joined_width = images * (width + gap) - gap;
  auto joined = empty_like_images(x, {groups, channels, height, joined_width});
  const auto pixel = static_cast<int64_t>(channels * x.element_size());
  const auto* source = static_cast<const char*>(x.data_ptr());
  auto* target = static_cast<char*>(joined.data_ptr());
  at::parallel_for(0, groups * height, 1, [&](int64_t begin, int64_t end) {
    for (int64_t line = begin; line < end; ++line) {
      const int64_t group = line / height, y = line % height;
      char* place = target + line * joined_width * pixel;
      for (int64_t i = 0; i < images; ++i) {
        const int64_t image = group * images + i;
        if (image < n) {
          std::memcpy(place, source + (image * height + y) * width * pixel, width * pixel);
        } else {
          std::memset(place, 0, width * pixel);
        }
        place += width * pixel;
        if (i + 1 == images) break;
        std::memset(place, 0, gap * pixel);
        place += gap * pixel;
      }
    }
  });
  return joined;
}

class OneDnnConv : public FastConv {
 public:
  explicit OneDnnConv(const Shape& shape)
      : given_(shape),
        shape_(shape),
        unfolded_(shape.in * shape.kernel * shape.kernel <= kUnfoldedWeights && shape.kernel > 1),
        winograd_(shape.kernel == 3 && shape.stride == 1 && shape.padding == 1 &&
                  std::min(shape.in, shape.out) >= kWinogradChannels) {
    if (!unfolded_) return;
    const int64_t values = shape.in * shape.kernel * shape.kernel;
    shape_ = {(values + kUnfoldedMultiple - 1) / kUnfoldedMultiple * kUnfoldedMultiple, shape.out, 1, 1, 0};
  }

  void set_weight(const torch::Tensor& weight) override {
    const torch::NoGradGuard no_grad;
    const auto wanted = weight.detach().to(torch::kFloat32);
    if (set_.defined() && set_.view(torch::kInt32).equal(wanted.view(torch::kInt32))) return;
    set_ = wanted.clone();
    weight_ = channels_last(set_);  // stored as (O,k,k,I)
    if (unfolded_) {
      const auto rows = weight_.permute({0, 2, 3, 1}).reshape({given_.out, -1});
      weight_ = torch::zeros({shape_.out, shape_.in});
      weight_.narrow(1, 0, rows.size(1)).copy_(rows);
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    packed_.clear();
  }

  torch::Tensor forward(const torch::Tensor& given, const torch::Tensor& bias, const torch::Tensor& shortcut, bool relu,
                        Rounding rounding) override {
    if (winograd_ && rounding == Rounding::Quick && given.scalar_type() == torch::kFloat32) {
      return winograd(channels_last(given), false, bias, shortcut, relu);
    }
    const auto x = input(given);
    Problem problem = of_size(Pass::Forward, x, x.size(0), x.size(2), x.size(3));
    problem.bias = bias.defined();
    problem.shortcut = shortcut.defined();
    problem.relu = relu;
    auto y = empty_like_images(x, {problem.n, problem.out, problem.out_height, problem.out_width});
    const Problem plain = problem;
    problem.blocked = is_faster_in_blocks(problem);
    const auto source = laid_out(plain.x(), problem.x(), x);
    const auto result = problem.blocked ? bytes(problem.y().get_size()) : y;
    if (problem.shortcut && problem.blocked) {
      reorder(of(plain.y(), channels_last(shortcut)), of(problem.y(), result));
    } else if (problem.shortcut) {
      y.copy_(shortcut);
    }
    const auto ready = prepared(problem);
    const auto scratchpad = bytes(ready->scratchpad.get_size());
    std::unordered_map<int, memory> arguments{{DNNL_ARG_SRC, of(problem.x(), source)},
                                              {DNNL_ARG_WEIGHTS, of(ready->weight, packed(ready->weight, false))},
                                              {DNNL_ARG_DST, of(problem.y(), result)},
                                              {DNNL_ARG_SCRATCHPAD, of(ready->scratchpad, scratchpad)}};
    if (problem.bias) {
      arguments.emplace(DNNL_ARG_BIAS, of({{problem.out}, memory::data_type::f32, Tag::x}, bias));
    }
    run(ready->primitive, arguments);
    if (problem.blocked) reorder(of(problem.y(), result), of(plain.y(), y));
    return y;
  }

  torch::Tensor backward_data(const torch::Tensor& given, int64_t height, int64_t width) override {
    const auto dy = channels_last(given);
    const int64_t n = dy.size(0);
    if (winograd_ && dy.scalar_type() == torch::kFloat32) return winograd(dy, true, {}, {}, false);
    if (!unfolded_) return input_gradient(dy, n, height, width);
    const auto columns = input_gradient(dy, n, dy.size(2), dy.size(3));
    auto dx = empty_like_images(dy, {n, given_.in, height, width});
    const Windows windows = windows_of(height, width);
    with_type(dy, [&](auto type) {
      using T = decltype(type);
      at::parallel_for(0, n, 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          fold(static_cast<const T*>(columns.data_ptr()) + i * columns[0].numel(), windows, shape_.in,
               static_cast<T*>(dx.data_ptr()) + i * dx[0].numel());
        }
      });
    });
    return dx;
  }

  torch::Tensor backward_weight(const torch::Tensor& given_x, const torch::Tensor& given_dy) override {
    auto x = input(given_x), dy = channels_last(given_dy);
    Problem problem = of_size(Pass::Weight, x, x.size(0), x.size(2), x.size(3));
    if (is_faster_in_blocks(problem)) {
      const Problem plain = problem;
      problem.blocked = true;
      x = laid_out(plain.x(), problem.x(), x);
      dy = laid_out(plain.y(), problem.y(), dy);
    } else {
      join_narrow(x, dy);
      problem = of_size(Pass::Weight, x, x.size(0), x.size(2), x.size(3));
    }
    const auto ready = prepared(problem);
    const auto scratchpad = bytes(ready->scratchpad.get_size());
    const auto gradient = bytes(ready->weight.get_size());
    run(ready->primitive, {{DNNL_ARG_SRC, of(problem.x(), x)},
                           {DNNL_ARG_DIFF_DST, of(problem.y(), dy)},
                           {DNNL_ARG_DIFF_WEIGHTS, of(ready->weight, gradient)},
                           {DNNL_ARG_SCRATCHPAD, of(ready->scratchpad, scratchpad)}});
    const auto plain = torch::empty({shape_.out, shape_.kernel, shape_.kernel, shape_.in});
    reorder(of(ready->weight, gradient), of(plain_weight(), plain));
    if (!unfolded_) return plain.permute({0, 3, 1, 2});
    const int64_t k = given_.kernel;
    return plain.view({shape_.out, shape_.in})
        .narrow(1, 0, k * k * given_.in)
        .reshape({given_.out, k, k, given_.in})
        .permute({0, 3, 1, 2});
  }

 private:
  static void reorder(memory from, memory to) {
    run(dnnl::reorder(from, to), {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
  }

  /// The same images in another layout.
  static torch::Tensor laid_out(const memory::desc& from, const memory::desc& to, const torch::Tensor& images) {
    if (from == to) return images;
    const auto copy = bytes(to.get_size());
    reorder(of(from, images), of(to, copy));
    return copy;
  }

  static bool is_faster_in_blocks(const Problem& problem) {
    static const bool is_avx2 = instruction_set().compare(0, 4, "avx2") == 0;
    return is_avx2 && !problem.bfloat16 && problem.kernel > 1 && problem.in % kBlock == 0 && problem.out % kBlock == 0;
  }

  memory::desc plain_weight() const {
    return {{shape_.out, shape_.in, shape_.kernel, shape_.kernel}, memory::data_type::f32, Tag::acdb};
  }

  Problem of_size(Pass pass, const torch::Tensor& like, int64_t n, int64_t height, int64_t width) const {
    const auto steps = [&](int64_t side) { return (side + 2 * shape_.padding - shape_.kernel) / shape_.stride + 1; };
    return {pass,
            like.scalar_type() == torch::kBFloat16,
            n,
            shape_.in,
            height,
            width,
            shape_.out,
            steps(height),
            steps(width),
            shape_.kernel,
            shape_.stride,
            shape_.padding};
  }

  Windows windows_of(int64_t height, int64_t width) const {
    const auto steps = [&](int64_t side) { return (side + 2 * given_.padding - given_.kernel) / given_.stride + 1; };
    return {given_.in, height, width, given_.kernel, given_.stride, given_.padding, steps(height), steps(width)};
  }

  /// x as the primitives take it: channels-last, unfolded where that is the way.
  torch::Tensor input(const torch::Tensor& given) const {
    const auto x = channels_last(given);
    if (!unfolded_) return x;
    const Windows windows = windows_of(x.size(2), x.size(3));
    auto columns = empty_like_images(x, {x.size(0), shape_.in, windows.out_height, windows.out_width});
    with_type(x, [&](auto type) {
      using T = decltype(type);
      at::parallel_for(0, x.size(0), 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          unfold(static_cast<const T*>(x.data_ptr()) + i * x[0].numel(), windows, shape_.in,
                 static_cast<T*>(columns.data_ptr()) + i * columns[0].numel());
        }
      });
    });
    return columns;
  }

  torch::Tensor input_gradient(const torch::Tensor& dy, int64_t n, int64_t height, int64_t width) {
    // At stride 1 the way back is a forward convolution with the weights turned round, which oneDNN does faster.
    const bool forwards = shape_.stride == 1 && 2 * shape_.padding == shape_.kernel - 1;
    if (!forwards && onednn::kGradientHangsOnBatch) return gradient_of_each(dy, height, width);
    Problem problem = of_size(forwards ? Pass::Forward : Pass::Data, dy, n, height, width);
    if (forwards) std::swap(problem.in, problem.out);
    auto dx = empty_like_images(dy, {n, shape_.in, height, width});
    const auto ready = prepared(problem);
    const auto scratchpad = bytes(ready->scratchpad.get_size());
    run(ready->primitive, {{forwards ? DNNL_ARG_SRC : DNNL_ARG_DIFF_DST, of(forwards ? problem.x() : problem.y(), dy)},
                           {DNNL_ARG_WEIGHTS, of(ready->weight, packed(ready->weight, forwards))},
                           {forwards ? DNNL_ARG_DST : DNNL_ARG_DIFF_SRC, of(forwards ? problem.y() : problem.x(), dx)},
                           {DNNL_ARG_SCRATCHPAD, of(ready->scratchpad, scratchpad)}});
    return dx;
  }

  /// The input gradient, image by image.
  torch::Tensor gradient_of_each(const torch::Tensor& dy, int64_t height, int64_t width) {
    Problem problem = of_size(Pass::Data, dy, 1, height, width);
    problem.threads = 1;
    auto dx = empty_like_images(dy, {dy.size(0), shape_.in, height, width});
    const auto ready = prepared(problem);
    const auto weight = packed(ready->weight, false);
    auto *source = static_cast<char*>(dy.data_ptr()), *target = static_cast<char*>(dx.data_ptr());
    const auto source_bytes = static_cast<int64_t>(problem.y().get_size()),
               target_bytes = static_cast<int64_t>(problem.x().get_size());
    at::parallel_for(0, dy.size(0), 1, [&](int64_t begin, int64_t end) {
      const auto scratchpad = bytes(ready->scratchpad.get_size());
      for (int64_t image = begin; image < end; ++image) {
        run(ready->primitive, {{DNNL_ARG_DIFF_DST, of(problem.y(), source + image * source_bytes)},
                               {DNNL_ARG_WEIGHTS, of(ready->weight, weight)},
                               {DNNL_ARG_DIFF_SRC, of(problem.x(), target + image * target_bytes)},
                               {DNNL_ARG_SCRATCHPAD, of(ready->scratchpad, scratchpad)}});
      }
    });
    return dx;
  }

  /// A convolution with the weights as they are, or the way back, which is one with the weights turned round.
  torch::Tensor winograd(const torch::Tensor& x, bool turned, const torch::Tensor& bias, const torch::Tensor& shortcut,
                         bool relu) {
    const int64_t n = x.size(0), in = x.size(1), out = turned ? shape_.in : shape_.out;
    const auto tiles = WinogradTiles::of(x.size(2), x.size(3));
    auto y = empty_like_images(x, {n, out, x.size(2), x.size(3)});
    const auto shift = bias.defined() ? bias.contiguous() : torch::zeros({out});
    const auto* source = x.data_ptr<float>();
    const auto* added = shortcut.defined() ? shortcut.data_ptr<float>() : nullptr;
    auto* target = y.data_ptr<float>();
    const int64_t pixels = tiles.height * tiles.width, most = images_between_transforms(tiles.count());
    const int64_t share = (n + at::get_num_threads() - 1) / at::get_num_threads();
    const int64_t group = std::clamp<int64_t>(share, 1, most);
    const Products products{tiles.planes(), whole_products(most * tiles.count()), in, out};
    const auto ready = prepared(products);
    const auto weight = packed(ready->weight, turned, tiles.m);
    at::parallel_for(0, (n + group - 1) / group, 1, [&](int64_t begin, int64_t end) {
      const auto v = torch::zeros(products.planes * products.x_plane());
      const auto m = torch::empty(products.planes * products.y_plane());
      const auto scratchpad = bytes(ready->scratchpad.get_size());
      for (int64_t image = begin * group; image < std::min(n, end * group); image += group) {
        const int64_t images = std::min(group, n - image);
        for (int64_t i = 0; i < images; ++i) {
          winograd_input(source + (image + i) * pixels * in, tiles, in, v.data_ptr<float>() + i * tiles.count() * in,
                         products.x_plane());
        }
        for (int64_t row = 0; row < images * tiles.count(); row += kProductRows) {
          run(ready->primitive, {{DNNL_ARG_SRC, of(products.x(), v.data_ptr<float>() + row * in)},
                                 {DNNL_ARG_WEIGHTS, of(ready->weight, weight)},
                                 {DNNL_ARG_DST, of(products.y(), m.data_ptr<float>() + row * out)},
                                 {DNNL_ARG_SCRATCHPAD, of(ready->scratchpad, scratchpad)}});
        }
        for (int64_t i = 0; i < images; ++i) {
          const int64_t at = (image + i) * pixels * out;
          winograd_output(m.data_ptr<float>() + i * tiles.count() * out, products.y_plane(), tiles, out,
                          shift.data_ptr<float>(), added ? added + at : nullptr, relu, target + at);
        }
      }
    });
    return y;
  }

  /// Images of which several fit into one line of oneDNN's weight gradient are joined. Zeros between the outputs add
  /// nothing to the gradient.
  void join_narrow(torch::Tensor& x, torch::Tensor& dy) const {
    const int64_t width = x.size(3), out_width = dy.size(3), surplus = shape_.stride * out_width - width;
    if (surplus < 0 || out_width > kJoinedWidth / 2) return;
    const int64_t missing = std::max<int64_t>(0, shape_.padding - surplus);
    const int64_t gap = (missing + shape_.stride - 1) / shape_.stride;
    const int64_t images = std::min(x.size(0), (kJoinedWidth + gap) / (out_width + gap));
    if (images < 2 || shape_.kernel - shape_.padding - shape_.stride > shape_.stride * gap) return;
    const int64_t joined = (images - 1) * shape_.stride * (out_width + gap) + width;
    if ((joined + 2 * shape_.padding - shape_.kernel) / shape_.stride + 1 != images * (out_width + gap) - gap) return;
    x = join(x, images, surplus + shape_.stride * gap);
    dy = join(dy, images, gap);
  }

  /// The weights in the layout a primitive asks for; `turned` exchanges input and output channels and turns the kernel
  /// by 180 degrees. `m`: transformed for F(m x m, 3 x 3); 0: as they are.
  torch::Tensor packed(const memory::desc& desc, bool turned, int64_t m = 0) {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const auto& form : packed_) {
      if (form.turned == turned && form.desc == desc) return form.data;
    }
    packed_.push_back({desc, turned, bytes(desc.get_size())});
    const auto& result = packed_.back().data;
    if (m > 0) {
      pack_transformed(desc, turned, m, result);
    } else if (turned) {
      pack_turned(desc, result);
    } else {
      reorder(of(plain_weight(), weight_), of(desc, result));
    }
    return result;
  }

  void pack_transformed(const memory::desc& desc, bool turned, int64_t m, const torch::Tensor& result) const {
    const int64_t in = shape_.in, out = shape_.out, planes = (m + 2) * (m + 2);
    const auto transformed = torch::empty({planes, out, in});
    at::parallel_for(0, out, 1, [&](int64_t begin, int64_t end) {
      winograd_weights(weight_.data_ptr<float>(), turned, m, out, in, begin, end, transformed.data_ptr<float>());
    });
    const memory::dims as_they_are{out * in, 1, in}, turned_round{out * in, in, 1};
    const memory::desc plain({planes, turned ? out : in, turned ? in : out}, memory::data_type::f32,
                             turned ? turned_round : as_they_are);
    reorder(of(plain, transformed), of(desc, result));
  }

  void pack_turned(const memory::desc& desc, const torch::Tensor& result) const {
    const int64_t k = shape_.kernel, in = shape_.in;
    const auto source = torch::empty(weight_.numel());
    const auto* from = weight_.data_ptr<float>();
    auto* to = source.data_ptr<float>();
    for (int64_t tap = 0; tap < shape_.out * k * k; ++tap) {
      const int64_t out = tap / (k * k), turned_tap = out * k * k + k * k - 1 - tap % (k * k);
      std::memcpy(to + turned_tap * in, from + tap * in, in * sizeof(float));
    }
    const memory::desc plain({in, shape_.out, k, k}, memory::data_type::f32, memory::dims{1, k * k * in, k * in, in});
    reorder(of(plain, source), of(desc, result));
  }

  struct Form {
    memory::desc desc;
    bool turned;
    torch::Tensor data;
  };

  Shape given_, shape_;  ///< as asked for; as computed
  bool unfolded_, winograd_;
  torch::Tensor set_;     ///< what `set_weight` was given last
  torch::Tensor weight_;  ///< float32 (out,k,k,in) of the computed shape, in this order in memory
  std::mutex mutex_;
  std::vector<Form> packed_;
};

}  // namespace

c10::intrusive_ptr<FastConv> make_fast_conv(const FastConv::Shape& shape) {
  return c10::make_intrusive<OneDnnConv>(shape);
}

}  // namespace fercli

#else

namespace fercli {

c10::intrusive_ptr<FastConv> make_fast_conv(const FastConv::Shape&) {
  return {};
}

}  // namespace fercli

#endif

namespace fercli {

bool fits_fast_conv(const torch::Tensor& x) {
  static const bool has_bfloat16 = cpu_has_bfloat16();
  return x.device().is_cpu() &&
         (x.scalar_type() == torch::kFloat32 || (x.scalar_type() == torch::kBFloat16 && has_bfloat16));
}

}  // namespace fercli
