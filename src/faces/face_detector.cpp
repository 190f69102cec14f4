#include "faces/face_detector.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <opencv2/imgproc.hpp>
#include <opencv2/objdetect.hpp>

#include "core/error.hpp"
#include "faces/mat.hpp"
#include "faces/shrunk_region.hpp"
#include "faces/yunet_detector.hpp"

namespace fercli {

namespace {

constexpr const char* kCascade = "haarcascade_frontalface_alt2.xml";
/// The search starts with faces of this many pixels; the picture is shrunk until the smallest face wanted has it.
constexpr double kCascadeFace = 24;
/// Factor between the sizes tried, and how many neighbouring hits make a face (experiments/detection.md).
constexpr double kSizeStep = 1.2;
constexpr int kNeighbours = 3;

class HaarDetector : public FaceDetector {
 public:
  HaarDetector(const std::filesystem::path& file, std::optional<double> threshold) {
    const double neighbours = threshold.value_or(kNeighbours);
    if (!(neighbours >= 1 && neighbours <= 1000 && neighbours == std::floor(neighbours))) {
      throw UserError(fmt::format(
          "--detector-threshold {:g}: of a cascade it is a number of neighbouring hits, whole, from 1 to 1000",
          neighbours));
    }
    neighbours_ = static_cast<int>(neighbours);
    try {
      cascade_.load(file.string());
    } catch (const cv::Exception&) {
    }
    if (cascade_.empty()) {
      throw UserError(fmt::format("{}: is not a cascade of OpenCV's face detector", file.string()));
    }
  }

  std::string name() const override { return "haar"; }
  bool cheap_in_regions() const override { return true; }

  std::vector<Detection> detect(const Picture& picture, const FaceSearch& search) override {
    const ShrunkRegion shrunk(picture, search, kCascadeFace);
    const cv::Size size = shrunk.size;
    const double x_scale = shrunk.x_scale, y_scale = shrunk.y_scale;
    if (size.width < kCascadeFace || size.height < kCascadeFace) return {};
    cv::resize(as_mat(picture.grey)(shrunk.region), small_, size, 0, 0, cv::INTER_AREA);
    const int smallest = cvFloor(search.smallest / x_scale), largest = cvCeil(search.largest / x_scale);
    std::vector<cv::Rect> found;
    cascade_.detectMultiScale(small_, found, kSizeStep, neighbours_, 0, {smallest, smallest}, {largest, largest});
    std::vector<Detection> faces;
    for (const auto& face : found) {
      const Box box{shrunk.region.x + face.x * x_scale, shrunk.region.y + face.y * y_scale, face.width * x_scale,
                    face.height * y_scale};
      faces.push_back({box});
      faces.back().raw = box;
    }
    return from_left_to_right(faces);
  }

 private:
  int neighbours_ = kNeighbours;
  cv::CascadeClassifier cascade_;
  cv::Mat small_;
};

std::filesystem::path find_face_cascade() {
  const char* chosen = std::getenv("OPENCV_HAAR_CASCADE");
  return chosen != nullptr ? std::filesystem::path(chosen) : find_cascade(kCascade);
}

}  // namespace

/// Where distributions and OpenCV's own installation put the cascades.
std::filesystem::path find_cascade(const std::string& name) {
  for (const std::filesystem::path folder :
       {"/usr/share/opencv4/haarcascades", "/usr/share/opencv/haarcascades", "/usr/local/share/opencv4/haarcascades",
        "/opt/homebrew/share/opencv4/haarcascades", "/usr/local/opt/opencv/share/opencv4/haarcascades"}) {
    if (std::filesystem::exists(folder / name)) return folder / name;
  }
  return {};
}

std::vector<Box> FaceDetector::boxes_of(const std::vector<Detection>& faces) {
  std::vector<Box> boxes;
  boxes.reserve(faces.size());
  for (const auto& face : faces) boxes.push_back(face.box);
  return boxes;
}

std::vector<Detection> FaceDetector::largest(std::vector<Detection> faces, int64_t most) {
  const auto count = static_cast<size_t>(most);
  if (most <= 0 || faces.size() <= count) return faces;
  std::vector<double> areas;
  areas.reserve(faces.size());
  for (const auto& face : faces) areas.push_back(face.box.area());
  std::nth_element(areas.begin(), areas.begin() + (most - 1), areas.end(), std::greater<>());
  const double least = areas[count - 1];
  std::vector<Detection> kept;
  for (const auto& face : faces) {
    if (face.box.area() >= least && kept.size() < count) kept.push_back(face);
  }
  return kept;
}

FaceSearch FaceSearch::everywhere(const Picture& picture, const SmallestFace& smallest) {
  const auto height = static_cast<double>(picture.height()), width = static_cast<double>(picture.width());
  const double shorter = std::min(height, width);
  const double side = smallest.pixels > 0 ? smallest.pixels : shorter * smallest.share;
  return {{0, 0, width, height}, std::max(kCascadeFace, side), shorter};
}

namespace {

std::unique_ptr<FaceDetector> open_detector(const std::string& word, std::optional<double> threshold) {
  const bool haar = word == "haar";
  const std::filesystem::path file = haar ? find_face_cascade() : std::filesystem::path(word);
  if (haar && file.empty()) {
    throw UserError(
        fmt::format("the face detector {} was not found; install Debian's opencv-data, set OPENCV_HAAR_CASCADE, or "
                    "give --detector FILE",
                    kCascade));
  }
  if (!haar && !std::filesystem::exists(file) && (file.has_extension() || file.has_parent_path())) {
    throw UserError(fmt::format("--detector {}: there is no such file", word));
  }
  if (!std::filesystem::is_regular_file(file)) {
    throw UserError(fmt::format("--detector {}: must be haar, a cascade file (.xml) or a YuNet network (.onnx)", word));
  }
  if (file.extension() == ".onnx") return make_yunet_detector(file, threshold);
  return std::make_unique<HaarDetector>(file, threshold);
}

}  // namespace

std::unique_ptr<FaceDetector> make_face_detector(const std::string& word, const DetectorSettings& settings) {
  auto detector = open_detector(word, settings.threshold);
  detector->settings_ = settings;
  return detector;
}

}  // namespace fercli
