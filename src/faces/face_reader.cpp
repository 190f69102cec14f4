#include "faces/face_reader.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "data/dataset.hpp"

namespace fercli {

namespace {

constexpr int64_t kLargestCrop = 64;

}  // namespace

int64_t FaceReading::top() const {
  return top_of(probabilities);
}

torch::Tensor crop_faces(const Picture& picture, const std::vector<Box>& squares, const Preprocessing& input) {
  const int64_t side = input.shown_side();
  std::vector<torch::Tensor> crops{torch::empty({0, input.channels, side, side}, torch::kUInt8)};
  const auto planes = input.channels == 3 ? picture.bgr.permute({2, 0, 1}) : picture.grey.unsqueeze(0);
  for (const Box& square : squares) {
    const auto crop = crop_square(planes, square, side);
    crops.push_back((input.channels == 3 ? crop.flip({0}) : crop).unsqueeze(0));
  }
  return torch::cat(crops);
}

std::vector<std::vector<double>> to_probabilities(const torch::Tensor& logits) {
  const auto rows = logits.to(torch::kFloat64).softmax(1).contiguous();
  const double* value = rows.data_ptr<double>();
  std::vector<std::vector<double>> out;
  for (int64_t i = 0; i < rows.size(0); ++i, value += rows.size(1)) out.emplace_back(value, value + rows.size(1));
  return out;
}

std::vector<std::vector<double>> read_crops(const Classifier& classifier, const torch::Tensor& crops) {
  return to_probabilities(classifier.logits(to_float(crops)));
}

std::vector<FaceReading> read_faces(const Classifier& classifier, const Picture& picture,
                                    const std::vector<Box>& boxes) {
  std::vector<Box> squares;
  for (const Box& box : boxes) squares.push_back(face_square(box));
  const auto crops = crop_faces(picture, squares, classifier.preprocessing());
  const auto probabilities = read_crops(classifier, crops);
  std::vector<FaceReading> readings;
  for (size_t i = 0; i < boxes.size(); ++i) {
    readings.push_back({boxes[i], crops[static_cast<int64_t>(i)], probabilities[i]});
  }
  return readings;
}

bool looks_like_crop(int64_t height, int64_t width, const Preprocessing& input) {
  const int64_t longer = std::max(height, width);
  return longer <= kLargestCrop || (height == input.shown_side() && width == input.shown_side());
}

FoundFaces find_faces(const Picture& picture, FaceDetector* detector, const Preprocessing& input, Detect detect) {
  const int64_t height = picture.height(), width = picture.width();
  FoundFaces found;
  if (detect == Detect::Never || (detect == Detect::Auto && looks_like_crop(height, width, input))) {
    found.searched = false;
    found.squares = {centre_square(height, width)};
    found.faces.push_back({found.squares.front()});
    return found;
  }
  found.faces = detector->detect_all(picture);
  for (const auto& face : found.faces) found.squares.push_back(face_square(face.box));
  return found;
}

}  // namespace fercli
