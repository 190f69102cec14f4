#include "commands/attack/attack_input.hpp"

#include <fmt/format.h>

#include "commands/options/data_options.hpp"
#include "core/error.hpp"
#include "core/files.hpp"
#include "core/notice.hpp"
#include "data/formats/reader.hpp"
#include "data/image.hpp"
#include "faces/face_reader.hpp"

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

/// One face of a file; in a face crop, all of it.
struct FileFace {
  std::string id;
  const torch::Tensor image;  ///< uint8 (3,H,W), the whole file
  Box square;                 ///< what is attacked of it; of a crop, its centre
  bool crop;
};

std::vector<FileFace> faces_of_files(const AttackSource& source, const Preprocessing& input) {
  const Detect detect = source.detect == "never"    ? Detect::Never
                        : source.detect == "always" ? Detect::Always
                                                    : Detect::Auto;
  std::unique_ptr<FaceDetector> detector;
  std::vector<FileFace> faces;
  size_t skipped = 0;
  for (const auto& path : source.images) {
    torch::Tensor image;
    try {
      image = read_image(path, 3);
    } catch (const UserError& error) {
      if (!source.skip_bad) throw;
      warn(fmt::format("{}; left out", error.what()));
      ++skipped;
      continue;
    }
    const bool crop =
        detect == Detect::Never || (detect == Detect::Auto && looks_like_crop(image.size(1), image.size(2), input));
    if (!crop && !detector) detector = make_face_detector(source.detector);
    const auto squares = find_faces(picture_of_image(image), detector.get(), input, detect).squares;
    if (squares.empty()) {
      throw RunError(fmt::format(
          "fercli attack: --image {}: no face was found in it; with --detect never its centre is taken as one", path));
    }
    for (size_t i = 0; i < squares.size(); ++i) {
      faces.push_back({squares.size() == 1 ? path : fmt::format("{} face {}", path, i + 1), image, squares[i], crop});
    }
  }
  if (faces.empty()) throw UserError(fmt::format("fercli attack: --image: none of {} files can be read", skipped));
  return faces;
}

/// As stored: the size and colours of the first face.
void take_native_shape(const FileFace& face, ReadOptions& read) {
  read.size = std::clamp<int64_t>(std::lround(face.square.width), 1, kLargestNative);
  read.channels = face.image[0].equal(face.image[1]) && face.image[0].equal(face.image[2]) ? 1 : 3;
}

AttackImages read_files(const AttackSource& source, const EmotionGoal& goal, const Classifier& classifier,
                        ReadOptions read) {
  const auto faces = faces_of_files(source, classifier.preprocessing());
  if (read.native) take_native_shape(faces.front(), read);
  Preprocessing shape;
  shape.channels = read.channels;
  shape.size = read.size;
  Dataset dataset;
  dataset.name = "files";
  dataset.classes = classifier.classes();
  std::vector<torch::Tensor> images;
  for (const auto& face : faces) {
    images.push_back(face.crop ? as_face_crop(read_image(face.id, read.channels), face.id, read.size)
                               : crop_faces(picture_of_image(face.image), {face.square}, shape)[0]);
    dataset.ids.push_back(face.id);
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
  say_what_is_left_out(dataset, place);
  const auto split = dataset.resolve_split(source.split);
  if (split) dataset = dataset.only(*split);
  return {dataset.relabelled(classifier.classes()), split ? to_string(*split) : "all"};
}

void label_by_verdict(Dataset& dataset, const Classifier& classifier) {
  const auto unlabelled = dataset.labels.lt(0).nonzero().squeeze(1);
  if (unlabelled.size(0) == 0) return;
  inform(fmt::format("{} of {} images have no label: the network's own prediction is used instead", unlabelled.size(0),
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
