#include "live/video/recorder.hpp"

#include <fmt/format.h>

#include <cmath>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/videoio.hpp>
#include <optional>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/progress.hpp"
#include "core/text.hpp"
#include "faces/mat.hpp"

namespace fercli {

namespace {

/// A camera that stood still for so long makes no longer film than this.
constexpr int64_t kMostRepeats = 900;

}  // namespace

struct VideoRecorder::Writer {
  std::filesystem::path path, part;
  cv::VideoWriter file;
  cv::Size size;
  double fps;
  std::optional<double> start;
  int64_t written = 0;
};

VideoRecorder::VideoRecorder(const std::filesystem::path& path, int64_t width, int64_t height, double fps)
    : writer_(std::make_unique<Writer>()) {
  cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
  const std::string extension = to_lower(path.extension().string());
  if (extension != ".mp4" && extension != ".avi") {
    throw UserError(fmt::format("{}: a recording must be named .mp4 or .avi", path.string()));
  }
  if (path.has_parent_path()) make_folder(path.parent_path());
  writer_->path = path;
  writer_->part = part_name(path);
  writer_->size = {static_cast<int>(width), static_cast<int>(height)};
  writer_->fps = fps;
  const int code =
      extension == ".mp4" ? cv::VideoWriter::fourcc('m', 'p', '4', 'v') : cv::VideoWriter::fourcc('M', 'J', 'P', 'G');
  try {
    writer_->file.open(writer_->part.string(), code, fps, writer_->size);
  } catch (const cv::Exception&) {
  }
  if (!writer_->file.isOpened()) throw UserError(fmt::format("{}: cannot be written as a video", path.string()));
}

VideoRecorder::~VideoRecorder() {
  writer_->file.release();
  std::error_code error;
  std::filesystem::rename(writer_->part, writer_->path, error);
  if (error) warn(fmt::format("{}: cannot be written ({})", writer_->path.string(), error.message()));
}

void VideoRecorder::add(const torch::Tensor& bgr, double time) {
  const cv::Mat frame = as_mat(bgr);
  if (frame.size() != writer_->size) throw RunError("a recording cannot change its picture size");
  if (!writer_->start) writer_->start = time;
  // The frame stands from its own time to that of the next.
  const auto due = static_cast<int64_t>(std::floor((time - *writer_->start) * writer_->fps + 0.5)) + 1;
  const int64_t copies = std::min(due - writer_->written, kMostRepeats);
  for (int64_t i = 0; i < copies; ++i) writer_->file.write(frame);
  writer_->written += std::max<int64_t>(0, due - writer_->written);
}

int64_t VideoRecorder::frames() const {
  return writer_->written;
}

}  // namespace fercli
