#include "eval/campaign/verdict.hpp"

#include <functional>

#include "core/interrupt.hpp"
#include "core/tensor_list.hpp"
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

/// `prepared` makes of each part what the network is to see.
torch::Tensor read_parts(const Classifier& classifier, const torch::Tensor& images, Observer& observer,
                         const std::function<torch::Tensor(const torch::Tensor&)>& prepared) {
  Followed progress(observer, {images.size(0), 0, "images", "Checking"});
  std::vector<torch::Tensor> logits{torch::empty({0, classifier.classes().size()})};
  for (int64_t begin = 0; begin < images.size(0); begin += kReadTogether) {
    throw_if_interrupted();
    const auto part = images.slice(0, begin, std::min(begin + kReadTogether, images.size(0)));
    logits.push_back(classifier.logits(to_float(prepared(part))));
    progress.advance(part.size(0));
  }
  return torch::cat(logits);
}

}  // namespace

std::vector<double> StoredVerdict::of(int64_t row) const {
  return list_of<double>(probabilities[row]);
}

torch::Tensor logits_of_images(const Classifier& classifier, const torch::Tensor& images, Observer& observer) {
  return read_parts(classifier, images, observer, [](const torch::Tensor& part) { return part; });
}

StoredVerdict verdict_on_stored(const Classifier& classifier, const torch::Tensor& stored, const Goal& goal,
                                Observer& observer) {
  const auto logits = read_parts(classifier.with_precision(Precision::Float32), stored, observer, through_png);
  return {logits.to(torch::kFloat64).softmax(1), goal.reached(logits)};
}

}  // namespace fercli
