#include "commands/attack/attack_input.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/progress.hpp"
#include "data/formats/reader.hpp"
#include "data/image.hpp"

namespace fercli {

namespace {

/// Files this many times larger than the network's input, or not square, are probably no face crops.
constexpr int64_t kMuchLarger = 6;

torch::Tensor as_face_crop(const torch::Tensor& image, const std::string& path, int64_t size) {
  const int64_t height = image.size(1), width = image.size(2), side = std::min(height, width);
  if (side < 8) throw UserError(fmt::format("fercli attack: --image {}: is only {}x{} pixels", path, width, height));
  if (height != width || side > kMuchLarger * size) {
    inform(fmt::format("{}: {}x{} pixels, taken as a face crop: its centre square, resized to {}x{}", path, width,
                       height, size, size));
  }
  const auto square = image.narrow(1, (height - side) / 2, side).narrow(2, (width - side) / 2, side);
  return resize_image(square.contiguous(), size, size);
}

constexpr int64_t kLargestNative = 256;

/// As stored: the size and colours of the first file.
void take_native_shape(const std::string& path, ReadOptions& read) {
  const auto image = read_image(path, 3);
  read.size = std::min({image.size(1), image.size(2), kLargestNative});
  read.channels = image[0].equal(image[1]) && image[0].equal(image[2]) ? 1 : 3;
}

AttackImages read_files(const AttackSource& source, const EmotionGoal& goal, const Classifier& classifier,
                        ReadOptions read) {
  if (read.native) take_native_shape(source.images.front(), read);
  Dataset dataset;
  dataset.name = "files";
  dataset.classes = classifier.classes();
  std::vector<torch::Tensor> images;
  for (const auto& path : source.images) {
    images.push_back(as_face_crop(read_image(path, read.channels), path, read.size));
    dataset.ids.push_back(path);
    dataset.splits.push_back(Split::None);
  }
  dataset.images = torch::stack(images);
  dataset.labels = torch::full({static_cast<int64_t>(images.size())}, goal.source.value_or(-1), torch::kInt64);
  return {dataset, "all"};
}

AttackImages read_data(const AttackSource& source, const Classifier& classifier, const ReadOptions& read) {
  std::string place = source.data;
  if (place.empty()) {
    place = find_shipped("faces").string();
    if (place.empty()) throw UserError("fercli attack: the shipped faces were not found; give --data or --image");
  }
  ReadOptions options = read;
  options.skip_bad = source.skip_bad;
  Dataset dataset = read_dataset(place, options);
  if (source.data.empty()) dataset.name = "shipped faces";
  const auto split = dataset.resolve_split(source.split);
  if (split) dataset = dataset.only(*split);
  return {dataset.relabelled(classifier.classes()), split ? to_string(*split) : "all"};
}

void label_by_verdict(Dataset& dataset, const Classifier& classifier) {
  const auto unlabelled = dataset.labels.lt(0).nonzero().squeeze(1);
  if (unlabelled.size(0) == 0) return;
  inform(fmt::format("{} of {} images have no label: the network's own verdict stands in its place", unlabelled.size(0),
                     dataset.size()));
  const auto verdict =
      classifier.with_precision(Precision::Float32).logits(to_float(dataset.images.index_select(0, unlabelled)));
  dataset.labels.index_copy_(0, unlabelled, verdict.argmax(1));
}

}  // namespace

AttackImages load_attack_images(const AttackSource& source, const EmotionGoal& goal, const Classifier& classifier,
                                const ReadOptions& read) {
  if (!source.images.empty() && !source.data.empty()) {
    throw UserError("fercli attack: --data and --image: give one of them, not both");
  }
  AttackImages images =
      source.images.empty() ? read_data(source, classifier, read) : read_files(source, goal, classifier, read);
  label_by_verdict(images.dataset, classifier);
  return images;
}

}  // namespace fercli
