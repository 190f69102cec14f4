#include "faces/yunet_detector.hpp"

#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <opencv2/core/version.hpp>
#include <opencv2/dnn.hpp>
#include <opencv2/imgproc.hpp>
#include <opencv2/objdetect.hpp>

#include "core/error.hpp"
#include "core/files.hpp"
#include "faces/shrunk_region.hpp"
#include "models/files/onnx_proto.hpp"

namespace fercli {

namespace {

/// YuNet was trained for faces from 10 to 300 pixels.
constexpr double kYunetFace = 24;
constexpr float kYunetScore = 0.7F, kYunetOverlap = 0.3F;  ///< (experiments/detection.md)
/// Cells of the three grids, in pixels; sides of the input are multiples of the last.
constexpr std::array<int, 3> kStrides = {8, 16, 32};

struct YunetFace {
  cv::Rect2d box;
  float score;
  FacePoints points;

  /// `p`: the five points as YuNet orders them (x,y): the person's right eye, which is the picture's left one, the left
  /// eye, the nose, the corners of the mouth likewise; `at` brings a coordinate into pixels.
  template <class At>
  static FacePoints points_of(const float* p, const At& at) {
    const auto point = [&](int i) { return std::array<double, 2>{at(p[2 * i], 0), at(p[2 * i + 1], 1)}; };
    return {point(0), point(1), point(2), point(3), point(4)};
  }
};

class Yunet {
 public:
  virtual ~Yunet() = default;
  virtual std::vector<YunetFace> find(const cv::Mat& bgr) = 0;
};

/// The layout of 2022, which OpenCV itself decodes.
class OpenCvYunet : public Yunet {
 public:
  OpenCvYunet(const std::string& file, float least)
      : network_(cv::FaceDetectorYN::create(file, "", {320, 320}, least, kYunetOverlap)) {}

  std::vector<YunetFace> find(const cv::Mat& bgr) override {
    cv::Mat found;
    network_->setInputSize(bgr.size());
    network_->detect(bgr, found);
    std::vector<YunetFace> faces;
    for (int i = 0; i < found.rows; ++i) {
      const float* row = found.ptr<float>(i);
      const auto same = [](float value, int) { return static_cast<double>(value); };
      faces.push_back({{row[0], row[1], row[2], row[3]}, row[14], YunetFace::points_of(row + 4, same)});
    }
    return faces;
  }

 private:
  cv::Ptr<cv::FaceDetectorYN> network_;
};

/// The layout of 2023: for each grid and cell a class score, an objectness, a box and five points (right eye, left eye,
/// nose, corners of the mouth), relative to the cell and in its units, the box's size as a logarithm. OpenCV decodes it
/// from 4.8 on only.
class GridYunet : public Yunet {
 public:
  GridYunet(const cv::dnn::Net& network, float least) : network_(network), least_(least) {}

  static bool fits(const cv::dnn::Net& network) {
    const auto names = network.getUnconnectedOutLayersNames();
    return std::find(names.begin(), names.end(), "kps_32") != names.end();
  }

  std::vector<YunetFace> find(const cv::Mat& bgr) override {
    const auto padding = [](int side) { return (kStrides.back() - side % kStrides.back()) % kStrides.back(); };
    cv::copyMakeBorder(bgr, padded_, 0, padding(bgr.rows), 0, padding(bgr.cols), cv::BORDER_CONSTANT);
    network_.setInput(cv::dnn::blobFromImage(padded_));
    static const std::vector<std::string> names = {"cls_8",  "cls_16",  "cls_32",  "obj_8", "obj_16", "obj_32",
                                                   "bbox_8", "bbox_16", "bbox_32", "kps_8", "kps_16", "kps_32"};
    std::vector<cv::Mat> outputs;
    network_.forward(outputs, names);
    std::vector<YunetFace> faces;
    for (size_t i = 0; i < kStrides.size(); ++i) {
      const int columns = padded_.cols / kStrides[i], rows = padded_.rows / kStrides[i];
      const auto values = [&](size_t kind, size_t per_cell) {
        const cv::Mat& output = outputs[kind * kStrides.size() + i];
        if (output.total() != per_cell * rows * columns) {
          throw UserError(fmt::format("YuNet: {} has {} values, not {} for each of {} cells",
                                      names[kind * kStrides.size() + i], output.total(), per_cell, rows * columns));
        }
        return output.ptr<float>();
      };
      const float *classes = values(0, 1), *objects = values(1, 1), *boxes = values(2, 4), *points = values(3, 10);
      for (int cell = 0; cell < rows * columns; ++cell, boxes += 4, points += 10) {
        const float score = std::sqrt(std::clamp(classes[cell], 0.0F, 1.0F) * std::clamp(objects[cell], 0.0F, 1.0F));
        if (!(score >= least_)) continue;
        const int row = cell / columns;
        const double stride = kStrides[i], x = cell % columns, y = row;
        const double width = std::exp(boxes[2]) * stride, height = std::exp(boxes[3]) * stride;
        if (!std::isfinite(width * height)) continue;
        const auto in_pixels = [&](float value, int axis) { return ((axis == 0 ? x : y) + value) * stride; };
        faces.push_back({{(x + boxes[0]) * stride - width / 2, (y + boxes[1]) * stride - height / 2, width, height},
                         score,
                         YunetFace::points_of(points, in_pixels)});
      }
    }
    return strongest(faces);
  }

 private:
  /// Of those that overlap, the one with the highest score.
  std::vector<YunetFace> strongest(const std::vector<YunetFace>& faces) const {
    std::vector<cv::Rect2d> boxes;
    std::vector<float> scores;
    for (const auto& face : faces) {
      boxes.push_back(face.box);
      scores.push_back(face.score);
    }
    std::vector<int> kept;
    cv::dnn::NMSBoxes(boxes, scores, least_, kYunetOverlap, kept);
    std::vector<YunetFace> result;
    result.reserve(kept.size());
    for (const int i : kept) result.push_back(faces[i]);
    return result;
  }

  cv::dnn::Net network_;
  float least_;  ///< score of a face
  cv::Mat padded_;
};

/// The file's bytes, with a shape for every output: OpenCV refuses those without one, which are legal, and which it
/// does not need to know.
std::string with_shapes(const std::filesystem::path& file) {
  std::string bytes = read_file(file);
  onnx::ModelProto model;
  if (!model.ParseFromString(bytes)) return bytes;
  bool changed = false;
  const auto add_shapes = [&](auto& values) {
    for (auto& value : values) {
      if (value.type().has_tensor_type() && value.type().tensor_type().has_shape()) continue;
      auto& type = *value.mutable_type()->mutable_tensor_type();
      if (type.elem_type() == onnx::TensorProto_DataType_UNDEFINED)
        type.set_elem_type(onnx::TensorProto_DataType_FLOAT);
      type.mutable_shape();
      changed = true;
    }
  };
  add_shapes(*model.mutable_graph()->mutable_output());
  add_shapes(*model.mutable_graph()->mutable_value_info());
  return changed ? model.SerializeAsString() : bytes;
}

/// A file that is there as long as this.
class TemporaryFile {
 public:
  TemporaryFile(const std::string& bytes, const std::string& ending) {
    std::string name = (std::filesystem::temp_directory_path() / "fercli-XXXXXX").string() + ending;
    const int file = mkstemps(name.data(), static_cast<int>(ending.size()));
    if (file < 0) throw RunError(fmt::format("{}: no temporary file can be made", name));
    close(file);
    path_ = name;
    write_file(path_, bytes);
  }
  ~TemporaryFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

/// Tried once on an empty picture: OpenCV only finds out in use that a network is of another kind.
std::unique_ptr<Yunet> load_yunet(const std::filesystem::path& file, float least) {
  try {
    const std::string bytes = with_shapes(file);
    auto network = cv::dnn::readNetFromONNX(bytes.data(), bytes.size());
    std::unique_ptr<Yunet> yunet;
    if (GridYunet::fits(network)) {
      yunet = std::make_unique<GridYunet>(network, least);
    } else {
      yunet = std::make_unique<OpenCvYunet>(TemporaryFile(bytes, ".onnx").path(), least);
    }
    yunet->find(cv::Mat::zeros(96, 64, CV_8UC3));
    return yunet;
  } catch (const cv::Exception&) {
    throw UserError(
        fmt::format("{}: is not a YuNet face detector (ONNX) that OpenCV {} can run", file.string(), CV_VERSION));
  }
}

/// Into the picture's pixels.
FacePoints in_picture(FacePoints points, const ShrunkRegion& shrunk) {
  for (auto* point : {&points.left_eye, &points.right_eye, &points.nose, &points.left_mouth, &points.right_mouth}) {
    (*point)[0] = shrunk.region.x + (*point)[0] * shrunk.x_scale;
    (*point)[1] = shrunk.region.y + (*point)[1] * shrunk.y_scale;
  }
  return points;
}

std::array<double, 2> midway(const std::array<double, 2>& a, const std::array<double, 2>& b) {
  return {(a[0] + b[0]) / 2, (a[1] + b[1]) / 2};
}

class YunetDetector : public FaceDetector {
 public:
  YunetDetector(const std::filesystem::path& file, float least) : yunet_(load_yunet(file, least)) {}

  std::string name() const override { return "yunet"; }
  bool cheap_in_regions() const override { return false; }

  std::vector<Detection> detect(const Picture& picture, const FaceSearch& search) override {
    const ShrunkRegion shrunk(picture, search, kYunetFace);
    if (shrunk.size.width < kYunetFace || shrunk.size.height < kYunetFace) return {};
    cv::resize(as_mat(picture.bgr)(shrunk.region), small_, shrunk.size, 0, 0, cv::INTER_AREA);
    const Box searched{static_cast<double>(shrunk.region.x), static_cast<double>(shrunk.region.y),
                       static_cast<double>(shrunk.region.width), static_cast<double>(shrunk.region.height)};
    std::vector<Detection> faces;
    for (const auto& face : yunet_->find(small_)) {
      const FacePoints points = in_picture(face.points, shrunk);
      const Box box =
          face_between(midway(points.left_eye, points.right_eye), midway(points.left_mouth, points.right_mouth));
      const Box raw{shrunk.region.x + face.box.x * shrunk.x_scale, shrunk.region.y + face.box.y * shrunk.y_scale,
                    face.box.width * shrunk.x_scale, face.box.height * shrunk.y_scale};
      const bool fits = box.width >= search.smallest && box.width <= search.largest;
      if (fits && intersection_over_union(box, searched) > 0) faces.push_back({box, face.score, points, raw});
    }
    return from_left_to_right(faces);
  }

 private:
  std::unique_ptr<Yunet> yunet_;
  cv::Mat small_;
};

}  // namespace

std::unique_ptr<FaceDetector> make_yunet_detector(const std::filesystem::path& file, std::optional<double> threshold) {
  const double least = threshold.value_or(kYunetScore);
  if (!(least > 0 && least <= 1)) {
    throw UserError(fmt::format("--detector-threshold {:g}: of YuNet it is a score over 0, at most 1", least));
  }
  return std::make_unique<YunetDetector>(file, static_cast<float>(least));
}

}  // namespace fercli
