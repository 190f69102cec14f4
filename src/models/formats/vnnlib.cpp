#include "models/formats/vnnlib.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

namespace fercli {

std::string vnnlib_specification(const torch::Tensor& image, double eps, int64_t label, int64_t classes,
                                 const std::string& comment) {
  const auto pixels = image.to(torch::kFloat64).flatten().contiguous();
  const auto lower = (pixels - eps).clamp(0, 1), upper = (pixels + eps).clamp(0, 1);
  std::string text = fmt::format("; {}\n", comment), box;
  for (int64_t i = 0; i < pixels.numel(); ++i) {
    text += fmt::format("(declare-const X_{} Real)\n", i);
    box += fmt::format("(assert (>= X_{0} {1:.12f}))\n(assert (<= X_{0} {2:.12f}))\n", i, lower.data_ptr<double>()[i],
                       upper.data_ptr<double>()[i]);
  }
  for (int64_t k = 0; k < classes; ++k) text += fmt::format("(declare-const Y_{} Real)\n", k);
  text += box + "(assert (or\n";
  for (int64_t k = 0; k < classes; ++k) {
    if (k != label) text += fmt::format("  (and (>= Y_{} Y_{}))\n", k, label);
  }
  return text + "))\n";
}

}  // namespace fercli
