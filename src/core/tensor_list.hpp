#pragma once

#include <ATen/ATen.h>

#include <vector>

namespace fercli {

/// The numbers of a tensor in order, whatever their type and its shape.
template <class Number = int64_t>
std::vector<Number> list_of(const at::Tensor& numbers) {
  const auto values = numbers.to(at::kCPU, c10::CppTypeToScalarType<Number>::value).contiguous();
  return {values.template data_ptr<Number>(), values.template data_ptr<Number>() + values.numel()};
}

/// Where a tensor (N) of truth values is true.
inline std::vector<int64_t> list_where(const at::Tensor& chosen) {
  return list_of(chosen.nonzero());
}

}  // namespace fercli
