#include "live/video/recorder.hpp"

#include <fmt/format.h>

#include <cmath>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/videoio.hpp>
#include <optional>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/notice.hpp"
#include "core/output_part.hpp"
#include "core/reason.hpp"
#include "core/text.hpp"
#include "faces/mat.hpp"

namespace fercli {

namespace {

/// A camera that stood still for so long makes no longer film than this.
constexpr int64_t kMostRepeats = 900;
/// What the index at the end of a long video, and the encoder's own buffers, may take.
constexpr uintmax_t kRoomToComplete = 4 << 20;

/// A rate that MPEG-4 can have: its clock ticks at most 65,535 times a second, in which OpenCV finds no room for
/// fractions of larger rates (119.74, as slow motion has).
double rate_of_mpeg4(double fps) {
  constexpr double kMostWithFraction = 65;
  return fps > kMostWithFraction ? std::round(fps) : fps;
}

std::filesystem::path final_folder(const std::filesystem::path& file) {
  return file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
}

/// How many frames a player finds in this file; 0 when it cannot be played.
int64_t readable_frames(const std::filesystem::path& file) {
  try {
    cv::VideoCapture video(file.string());
    cv::Mat frame;
    if (!video.isOpened() || !video.read(frame)) return 0;
    const auto declared = static_cast<int64_t>(video.get(cv::CAP_PROP_FRAME_COUNT));
    if (declared <= 1) return 1;
    video.set(cv::CAP_PROP_POS_FRAMES, static_cast<double>(declared - 1));  // an index may promise more than there is
    return video.read(frame) ? declared : 1;
  } catch (const cv::Exception&) {
    return 0;
  }
}

}  // namespace

bool is_recording_name(const std::filesystem::path& path) {
  const std::string extension = to_lower(path.extension().string());
  return extension == ".mp4" || extension == ".avi";
}

struct VideoRecorder::Writer {
  std::filesystem::path path;
  std::optional<OutputPart> part;
  cv::VideoWriter file;
  cv::Size size;
  double fps;
  std::optional<double> start;
  int64_t written = 0;  ///< frames that the time asks for
  int64_t encoded = 0;  ///< frames given to the encoder
  bool finished = false;
};

VideoRecorder::VideoRecorder(const std::filesystem::path& name, int64_t width, int64_t height, double fps)
    : writer_(std::make_unique<Writer>()) {
  const std::filesystem::path path = behind_links(name);
  cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
  if (!is_recording_name(path)) throw UserError(fmt::format("{}: {}", path.string(), kRecordingNames));
  if (path.has_parent_path()) make_folder(path.parent_path());
  writer_->path = path;
  writer_->part.emplace(path);
  writer_->size = {static_cast<int>(width), static_cast<int>(height)};
  const bool mpeg4 = to_lower(path.extension().string()) == ".mp4";
  writer_->fps = mpeg4 ? rate_of_mpeg4(fps) : fps;
  require_room();
  const int code = mpeg4 ? cv::VideoWriter::fourcc('m', 'p', '4', 'v') : cv::VideoWriter::fourcc('M', 'J', 'P', 'G');
  try {
    writer_->file.open(writer_->part->path().string(), code, writer_->fps, writer_->size);
  } catch (const cv::Exception&) {
  }
  if (!writer_->file.isOpened()) {
    throw UserError(fmt::format("{}: cannot be written as a video", final_name(path).string()));
  }
}

VideoRecorder::~VideoRecorder() {
  try {
    finish();
  } catch (const std::exception& error) {
    warn(reason_of(error));
  }
}

void VideoRecorder::finish() {
  if (writer_->finished) return;
  writer_->finished = true;
  writer_->file.release();
  const auto kept = readable_frames(writer_->part->path());
  if (kept == 0 && writer_->written > 0) {
    writer_->part.reset();
    throw RunError(fmt::format("{}: cannot be written; the recording of {} frames is lost (is the disk full?)",
                               final_name(writer_->path).string(), writer_->written));
  }
  writer_->part->put_in_place();
  writer_->part.reset();
  if (kept < writer_->encoded) {
    throw RunError(fmt::format("{}: holds {} of {} frames; the others are lost (is the disk full?)",
                               final_name(writer_->path).string(), kept, writer_->encoded));
  }
}

void VideoRecorder::add(const torch::Tensor& bgr, double time) {
  const cv::Mat frame = as_mat(bgr);
  if (frame.size() != writer_->size) {
    throw UserError(fmt::format("{}: the video's pictures change from {}x{} to {}x{} pixels; a recording has one size",
                                final_name(writer_->path).string(), writer_->size.width, writer_->size.height,
                                frame.cols, frame.rows));
  }
  require_room();
  if (!writer_->start) writer_->start = time;
  // The frame lasts from its own time to that of the next.
  const auto due = static_cast<int64_t>(std::floor((time - *writer_->start) * writer_->fps + 0.5)) + 1;
  const int64_t copies = std::min(due - writer_->written, kMostRepeats);
  for (int64_t i = 0; i < copies; ++i) writer_->file.write(frame);
  writer_->encoded += std::max<int64_t>(0, copies);
  writer_->written += std::max<int64_t>(0, due - writer_->written);
}

void VideoRecorder::require_room() const {
  std::error_code error;
  const auto space = std::filesystem::space(final_folder(writer_->path), error);
  if (error || space.available >= kRoomToComplete) return;
  throw RunError(fmt::format("{}: the disk is full; the recording ends after {} frames",
                             final_name(writer_->path).string(), writer_->encoded));
}

int64_t VideoRecorder::frames() const {
  return writer_->written;
}

}  // namespace fercli
