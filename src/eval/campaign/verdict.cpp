#include "eval/campaign/verdict.hpp"

#include "core/interrupt.hpp"
#include "data/dataset.hpp"
#include "data/image.hpp"

namespace fercli {

namespace {

constexpr int64_t kReadTogether = 256;

torch::Tensor through_png(const torch::Tensor& images) {
  std::vector<torch::Tensor> read;
  for (int64_t i = 0; i < images.size(0); ++i) {
    read.push_back(decode_image(encode_png(images[i]), images.size(1), "the stored image"));
  }
  return torch::stack(read);
}

}  // namespace

std::vector<double> StoredVerdict::of(int64_t row) const {
  const auto values = probabilities[row].contiguous();
  return {values.data_ptr<double>(), values.data_ptr<double>() + values.numel()};
}

StoredVerdict judge_stored(const Classifier& classifier, const torch::Tensor& stored, const Goal& goal) {
  const Classifier judge = classifier.with_precision(Precision::Float32);
  std::vector<torch::Tensor> logits{torch::empty({0, classifier.classes().size()})};
  for (int64_t begin = 0; begin < stored.size(0); begin += kReadTogether) {
    throw_if_interrupted();
    const auto part = stored.slice(0, begin, std::min(begin + kReadTogether, stored.size(0)));
    logits.push_back(judge.logits(to_float(through_png(part))));
  }
  const auto all = torch::cat(logits);
  return {all.to(torch::kFloat64).softmax(1), goal.reached(all)};
}

}  // namespace fercli
