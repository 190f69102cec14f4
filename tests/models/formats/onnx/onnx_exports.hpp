#pragma once

#include <gtest/gtest.h>

#include <cstdlib>

#include "core/files.hpp"
#include "core/random.hpp"
#include "models/checkpoint.hpp"
#include "models/formats/onnx/onnx_checker.hpp"

namespace fercli::test {

/// Images of noise in [0,1]; sides: (C,H,W).
inline torch::Tensor noise_images(int64_t n, const std::vector<int64_t>& sides, uint64_t seed) {
  std::vector<int64_t> index;
  for (int64_t i = 0; i < n; ++i) index.push_back(i);
  return (uniform_rows(Rng(seed), index, sides) + 1) / 2;
}

/// Expects ONNX's checker and shape inference to accept an exported file. Where FERCLI_EXPORTS names a folder
/// (tests/onnxruntime/run.sh), the file is also left there as NAME.onnx, with images and the logits of `original` for
/// batches of 1, 2 and 7, for ONNX Runtime to repeat.
inline void expect_valid_export(const std::string& name, const std::filesystem::path& onnx,
                                const Checkpoint& original) {
  const std::string bytes = read_file(onnx);
  EXPECT_EQ(onnx_fault(bytes, /*types=*/true), "") << name;
  const char* folder = std::getenv("FERCLI_EXPORTS");
  if (folder == nullptr) return;
  const auto classifier = make_classifier(original, {1, "fp32"});
  const std::filesystem::path target = std::filesystem::path(folder) / name;
  const auto& input = original.preprocessing;
  const auto save = [&](const std::string& ending, const torch::Tensor& values) {
    const auto plain = values.contiguous();
    write_file(target.string() + ending,
               std::string_view(static_cast<const char*>(plain.data_ptr()), static_cast<size_t>(plain.nbytes())));
  };
  write_file(target.string() + ".onnx", bytes);
  write_file(target.string() + ".json",
             nlohmann::json({{"shape", {input.channels, input.size, input.columns()}}, {"batches", {1, 2, 7}}}).dump());
  for (const int64_t n : {1, 2, 7}) {
    const auto x = noise_images(n, {input.channels, input.size, input.columns()}, 11);
    save("." + std::to_string(n) + ".in", x);
    save("." + std::to_string(n) + ".out", classifier.logits(x));
  }
}

}  // namespace fercli::test
