#include "live/face_detector.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <opencv2/imgproc.hpp>
#include <opencv2/objdetect.hpp>

#include "core/error.hpp"
#include "live/mat.hpp"

namespace fercli {

namespace {

constexpr const char* kCascade = "haarcascade_frontalface_alt2.xml";
/// The search starts with faces of this many pixels; the picture is shrunk until the smallest face wanted has it.
constexpr double kCascadeFace = 24;
/// Factor between the sizes tried, and how many neighbouring hits make a face.
constexpr double kSizeStep = 1.2;
constexpr int kNeighbours = 3;
constexpr float kYunetScore = 0.7f;

void sort_left_to_right(std::vector<Box>& boxes) {
  std::sort(boxes.begin(), boxes.end(), [](const Box& a, const Box& b) { return a.x < b.x; });
}

/// The part of the region that lies in the picture.
cv::Rect within(const Box& region, const Picture& picture) {
  return as_rect(region) & cv::Rect(0, 0, static_cast<int>(picture.width()), static_cast<int>(picture.height()));
}

class HaarDetector : public FaceDetector {
 public:
  explicit HaarDetector(const std::filesystem::path& file) {
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

  std::vector<Box> find(const Picture& picture, const FaceSearch& search) override {
    const cv::Rect region = within(search.region, picture);
    const double shrink = std::max(1.0, search.smallest / kCascadeFace);
    const cv::Size size(cvRound(region.width / shrink), cvRound(region.height / shrink));
    if (size.width < kCascadeFace || size.height < kCascadeFace) return {};
    cv::resize(as_mat(picture.grey)(region), small_, size, 0, 0, cv::INTER_AREA);
    const double x_scale = static_cast<double>(region.width) / size.width;
    const double y_scale = static_cast<double>(region.height) / size.height;
    const int smallest = cvFloor(search.smallest / x_scale), largest = cvCeil(search.largest / x_scale);
    std::vector<cv::Rect> found;
    cascade_.detectMultiScale(small_, found, kSizeStep, kNeighbours, 0, {smallest, smallest}, {largest, largest});
    std::vector<Box> boxes;
    for (const auto& face : found) {
      boxes.push_back(
          {region.x + face.x * x_scale, region.y + face.y * y_scale, face.width * x_scale, face.height * y_scale});
    }
    sort_left_to_right(boxes);
    return boxes;
  }

 private:
  cv::CascadeClassifier cascade_;
  cv::Mat small_;
};

class YunetDetector : public FaceDetector {
 public:
  explicit YunetDetector(const std::filesystem::path& file) {
    try {
      network_ = cv::FaceDetectorYN::create(file.string(), "", {320, 320}, kYunetScore);
    } catch (const cv::Exception&) {
    }
    if (!network_) throw UserError(fmt::format("{}: is not a YuNet face detector (ONNX)", file.string()));
  }

  std::string name() const override { return "yunet"; }
  bool cheap_in_regions() const override { return false; }

  std::vector<Box> find(const Picture& picture, const FaceSearch& search) override {
    const cv::Rect region = within(search.region, picture);
    if (region.empty()) return {};
    cv::Mat found;
    network_->setInputSize(region.size());
    network_->detect(as_mat(picture.bgr)(region).clone(), found);
    std::vector<Box> boxes;
    for (int i = 0; i < found.rows; ++i) {
      const float* row = found.ptr<float>(i);
      const Box box{region.x + row[0], region.y + row[1], row[2], row[3]};
      const double side = std::max(box.width, box.height);
      if (side >= search.smallest && side <= search.largest) boxes.push_back(box);
    }
    sort_left_to_right(boxes);
    return boxes;
  }

 private:
  cv::Ptr<cv::FaceDetectorYN> network_;
};

/// Where distributions and OpenCV's own installation put the cascades.
std::filesystem::path find_cascade() {
  const char* chosen = std::getenv("OPENCV_HAAR_CASCADE");
  if (chosen != nullptr) return chosen;
  for (const std::string folder :
       {"/usr/share/opencv4/haarcascades", "/usr/share/opencv/haarcascades", "/usr/local/share/opencv4/haarcascades",
        "/opt/homebrew/share/opencv4/haarcascades", "/usr/local/opt/opencv/share/opencv4/haarcascades"}) {
    if (std::filesystem::exists(folder + "/" + kCascade)) return folder + "/" + kCascade;
  }
  return {};
}

}  // namespace

FaceSearch FaceSearch::everywhere(const Picture& picture) {
  const auto height = static_cast<double>(picture.height()), width = static_cast<double>(picture.width());
  const double shorter = std::min(height, width);
  return {{0, 0, width, height}, std::max(kCascadeFace, shorter / 12), shorter};
}

std::unique_ptr<FaceDetector> make_face_detector(const std::string& word) {
  const bool haar = word == "haar";
  const std::filesystem::path file = haar ? find_cascade() : std::filesystem::path(word);
  if (haar && file.empty()) {
    throw UserError(
        fmt::format("the face detector {} was not found; install Debian's opencv-data, set OPENCV_HAAR_CASCADE, or "
                    "give --detector FILE",
                    kCascade));
  }
  if (!std::filesystem::is_regular_file(file)) {
    throw UserError(fmt::format("--detector {}: must be haar, a cascade file (.xml) or a YuNet network (.onnx)", word));
  }
  if (file.extension() == ".onnx") return std::make_unique<YunetDetector>(file);
  return std::make_unique<HaarDetector>(file);
}

}  // namespace fercli
