#include "live/video/video_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/videoio.hpp>
#include <opencv2/videoio/registry.hpp>
#include <string_view>
#include <thread>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/files.hpp"
#include "core/interrupt.hpp"
#include "core/notice.hpp"
#include "core/reason.hpp"
#include "core/text.hpp"
#include "data/image.hpp"
#include "data/pictures/decoders.hpp"
#include "faces/mat.hpp"
#include "faces/picture.hpp"
#include "live/video/synthetic_video.hpp"

namespace fercli {

namespace {

namespace fs = std::filesystem;

constexpr double kUsualFps = 30;
constexpr const char* kDevicePrefix = "/dev/video";
constexpr int kReconnects = 5;
constexpr auto kReconnectPause = std::chrono::milliseconds(500);
/// A stream that is silent for so long is opened again.
constexpr int kOpenMilliseconds = 10000, kReadMilliseconds = 5000;

bool is_url(const std::string& word) {
  return word.find("://") != std::string::npos;
}

/// The number of a camera: "0", "/dev/video2"; -1 for any other word.
int camera_number(const std::string& word) {
  const std::string digits =
      word.compare(0, std::string(kDevicePrefix).size(), kDevicePrefix) == 0 ? word.substr(10) : word;
  const bool number = !digits.empty() && digits.size() < 4 && digits.find_first_not_of("0123456789") == digits.npos;
  return number ? std::stoi(digits) : -1;
}

/// OpenCV and FFmpeg say on stderr what we say better.
void silence_opencv() {
  cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
  constexpr int kKeepTheUsers = 0;
  setenv("OPENCV_FFMPEG_LOGLEVEL", "-8", kKeepTheUsers);
}

/// Without FFmpeg, which alone knows the limits of time, by whatever opens it. Others take a file's name for a pattern
/// of names.
bool open_named(cv::VideoCapture& capture, const std::string& name, const std::vector<int>& limits) {
  const auto backends = cv::videoio_registry::getStreamBackends();
  if (std::find(backends.begin(), backends.end(), cv::CAP_FFMPEG) == backends.end()) return capture.open(name);
  return capture.open(name, cv::CAP_FFMPEG, limits);
}

bool open(cv::VideoCapture& capture, const std::string& word) {
  silence_opencv();
  const int number = camera_number(word);
  try {
    if (number >= 0) return capture.open(number);
    // A file's whole path, since its name may begin with "concat:".
    if (!is_url(word)) return open_named(capture, fs::absolute(word).string(), {});
    return open_named(
        capture, word,
        {cv::CAP_PROP_OPEN_TIMEOUT_MSEC, kOpenMilliseconds, cv::CAP_PROP_READ_TIMEOUT_MSEC, kReadMilliseconds});
  } catch (const cv::Exception&) {
    return false;
  }
}

double fps_of(const cv::VideoCapture& capture) {
  const double fps = capture.get(cv::CAP_PROP_FPS);
  return fps > 0 && fps < 1000 ? fps : kUsualFps;
}

/// Some decoders deliver grey frames.
torch::Tensor to_bgr(const cv::Mat& mat) {
  const auto pixels = as_tensor(mat);
  return pixels.dim() == 3 ? pixels : pixels.unsqueeze(2).expand({-1, -1, 3}).contiguous();
}

/// A frame may have as many pixels as a picture.
void require_size(const std::string& name, double width, double height) {
  constexpr int64_t kMostPixels = DecodeLimits().most_pixels;
  if (width * height <= static_cast<double>(kMostPixels)) return;
  throw UserError(fmt::format("{}: has frames of {:.0f}x{:.0f} pixels, more than {} million", name, width, height,
                              kMostPixels / 1'000'000));
}

void require_declared_size(const std::string& name, const cv::VideoCapture& capture) {
  require_size(name, capture.get(cv::CAP_PROP_FRAME_WIDTH), capture.get(cv::CAP_PROP_FRAME_HEIGHT));
}

/// FFmpeg opens descriptions too, of which each leads it to other files and to the network: playlists, lists of parts,
/// sessions. They are text, and it looks for their words in front of the first zero byte. Of the containers that may
/// have none so soon, it takes the beginning for proof.
bool may_lead_elsewhere(const std::string& path) {
  constexpr size_t kLooked = 24;  // shorter than any description that is of use
  std::string start(kLooked, '\0');
  std::ifstream in(path, std::ios::binary);
  in.read(start.data(), static_cast<std::streamsize>(start.size()));
  start.resize(static_cast<size_t>(std::max<std::streamsize>(0, in.gcount())));
  const auto begins = [&](std::string_view word) { return start.compare(0, word.size(), word) == 0; };
  if (begins("#EXTM3U") || begins("ffconcat")) return true;
  for (const char* container : {"\x1a\x45\xdf\xa3", "GIF8", "YUV4MPEG2"}) {
    if (begins(container)) return false;
  }
  return !start.empty() && start.find('\0') == std::string::npos;
}

class FileSource : public VideoSource {
 public:
  explicit FileSource(const std::string& path) : path_(path) {
    require_file(path);
    if (may_lead_elsewhere(path)) {
      throw UserError(fmt::format(
          "{}: is not a readable video: it is text, as playlists are, which would have other files opened", path));
    }
    if (!open(capture_, path)) throw UserError(fmt::format("{}: is not a readable video", path));
    require_declared_size(path, capture_);
    fps_ = fps_of(capture_);
  }

  bool read(Frame& frame) override {
    cv::Mat mat;
    if (!capture_.read(mat) || mat.empty()) {
      if (next_ == 0) throw UserError(fmt::format("{}: is not a readable video", path_));
      warn_if_cut_off();
      return false;
    }
    require_size(path_, mat.cols, mat.rows);
    time_ = next_ == 0 ? std::max(0.0, stamp()) : stamp() > time_ ? stamp() : time_ + 1 / fps_;
    frame = {to_bgr(mat), next_++, time_};
    return true;
  }

  std::string name() const override { return path_; }
  double fps() const override { return fps_; }
  bool is_live() const override { return false; }
  int64_t length() const override {
    return std::max<int64_t>(0, static_cast<int64_t>(capture_.get(cv::CAP_PROP_FRAME_COUNT)));
  }

 private:
  /// The frame's own time stamp; what holds none gives 0 or the last one again.
  double stamp() const {
    const double seconds = capture_.get(cv::CAP_PROP_POS_MSEC) / 1000;
    return std::isfinite(seconds) ? seconds : 0;
  }

  /// What a file says of its length is often a guess.
  void warn_if_cut_off() const {
    constexpr double kShare = 0.9, kSeconds = 0.5;
    const double rate = capture_.get(cv::CAP_PROP_FPS);  // by which OpenCV has made frames of its seconds
    const double declared = static_cast<double>(length()) / (rate > 0 ? rate : fps_), end = time_ + 1 / fps_;
    if (end >= kShare * declared - kSeconds) return;
    warn(fmt::format("{}: ends at {:.1f} s, where it says that it lasts {:.1f} s; it may be cut off", path_, end,
                     declared));
  }

  std::string path_;
  cv::VideoCapture capture_;
  double fps_ = kUsualFps, time_ = 0;
  int64_t next_ = 0;
};

/// Camera or stream: when it stops delivering it is opened again, a few times.
class LiveSource : public VideoSource {
 public:
  explicit LiveSource(const std::string& word) : word_(word) {
    if (!open(capture_, word)) {
      throw RunError(fmt::format("{}: {}", word, is_url(word) ? "the stream cannot be opened" : "there is no camera"));
    }
    require_declared_size(word_, capture_);
    fps_ = fps_of(capture_);
    start_ = Clock::now();
  }

  bool read(Frame& frame) override {
    cv::Mat mat;
    for (int attempt = 0; !capture_.read(mat) || mat.empty(); ++attempt) {
      if (stopped_ || interrupted()) return false;
      if (attempt == kReconnects) {
        if (next_ > 0 && is_url(word_)) return false;  // a stream that ended
        throw RunError(fmt::format("{}: delivers no more frames", word_));
      }
      std::this_thread::sleep_for(kReconnectPause);
      capture_.release();
      open(capture_, word_);
      require_declared_size(word_, capture_);
    }
    require_size(word_, mat.cols, mat.rows);
    frame = {to_bgr(mat), next_++, seconds_since(start_)};
    return true;
  }

  void stop() override { stopped_ = true; }

  std::string name() const override { return word_; }
  double fps() const override { return fps_; }
  bool is_live() const override { return true; }
  int64_t length() const override { return 0; }

 private:
  std::string word_;
  cv::VideoCapture capture_;
  double fps_ = kUsualFps;
  Clock::time_point start_;
  int64_t next_ = 0;
  std::atomic<bool> stopped_{false};
};

/// In a picture of this size, as large as it fits; what is left over is black.
torch::Tensor letterboxed(const torch::Tensor& image, int64_t height, int64_t width) {
  if (image.size(1) == height && image.size(2) == width) return image;
  const double scale = std::min(static_cast<double>(height) / static_cast<double>(image.size(1)),
                                static_cast<double>(width) / static_cast<double>(image.size(2)));
  const auto side = [&](int64_t length, int64_t most) {
    return std::clamp<int64_t>(std::lround(scale * static_cast<double>(length)), 1, most);
  };
  const int64_t high = side(image.size(1), height), wide = side(image.size(2), width);
  auto canvas = torch::zeros({image.size(0), height, width}, torch::kUInt8);
  canvas.narrow(1, (height - high) / 2, high)
      .narrow(2, (width - wide) / 2, wide)
      .copy_(resize_image(image, high, wide));
  return canvas;
}

/// A picture, or the pictures of a folder, one a second; unreadable ones of a folder are passed over with a warning.
/// All frames have the size of the first.
class StillSource : public VideoSource {
 public:
  explicit StillSource(const std::string& place)
      : name_(place),
        is_folder_(fs::is_directory(place)),
        files_(is_folder_ ? files_in(place, has_image_extension) : std::vector<std::string>{place}) {
    if (!is_folder_) require_file(place);
    if (files_.empty()) throw UserError(fmt::format("{}: there are no images in this folder", place));
  }

  bool read(Frame& frame) override {
    while (place_ < files_.size()) {
      try {
        auto image = read_image(files_[place_++], 3);
        if (next_ == 0) {
          height_ = image.size(1);
          width_ = image.size(2);
        }
        const auto bgr = picture_of_image(letterboxed(image, height_, width_)).bgr;
        frame = {bgr, next_, static_cast<double>(next_)};
        ++next_;
        return true;
      } catch (const UserError& error) {
        if (!is_folder_) throw;
        warn(error.what());
      }
    }
    return false;
  }

  std::string name() const override { return name_; }
  double fps() const override { return 1; }
  bool is_live() const override { return false; }
  bool is_stills() const override { return true; }
  int64_t length() const override { return static_cast<int64_t>(files_.size()); }

 private:
  std::string name_;
  bool is_folder_;
  std::vector<std::string> files_;
  size_t place_ = 0;
  int64_t next_ = 0, height_ = 0, width_ = 0;
};

bool has_extension(const std::string& path, const std::vector<std::string>& extensions) {
  const std::string extension = to_lower(fs::path(path).extension().string());
  return std::find(extensions.begin(), extensions.end(), extension) != extensions.end();
}

std::string first_line(const fs::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

}  // namespace

bool has_video_extension(const std::string& path) {
  return has_extension(path, {".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v", ".mpg", ".mpeg", ".mjpeg", ".mjpg"});
}

std::vector<std::string> files_in(const std::string& folder, const std::function<bool(const std::string&)>& wanted) {
  std::vector<std::string> files;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (wanted(entry->path().string())) files.push_back(entry->path().string());
  }
  if (error) throw UserError(fmt::format("{}: the folder cannot be read ({})", folder, error.message()));
  std::sort(files.begin(), files.end());
  return files;
}

std::unique_ptr<VideoSource> open_video(const std::string& word) {
  if (is_synthetic_video(word)) return open_synthetic_video(word);
  if (camera_number(word) >= 0 || is_url(word)) return std::make_unique<LiveSource>(word);
  std::error_code error;
  const bool still = has_image_extension(word) && !has_extension(word, {".gif"});  // FFmpeg plays those
  if (fs::is_directory(word, error) || still) return std::make_unique<StillSource>(word);
  return std::make_unique<FileSource>(word);
}

std::unique_ptr<VideoSource> open_first_video(const std::vector<std::string>& words) {
  if (words.size() == 1 && camera_number(words[0]) < 0) return open_video(words[0]);
  std::vector<std::string> reasons;
  for (const auto& word : words) {
    try {
      return open_video(word);
    } catch (const std::runtime_error& error) {
      reasons.push_back(camera_number(word) >= 0 ? fmt::format("no camera {}", word) : reason_of(error));
      if (reasons.size() < words.size()) inform(fmt::format("{}; trying {}", reasons.back(), words[reasons.size()]));
    }
  }
  throw RunError(
      fmt::format("fercli live: no video: {}; give a video file (--source FILE), or try the drawn faces with "
                  "--source synthetic",
                  join(reasons, ", ")));
}

std::vector<Camera> list_cameras() {
  std::vector<Camera> cameras;
  for (int number = 0; number < 64; ++number) {
    Camera camera{fmt::format("{}{}", kDevicePrefix, number), "", false, 0, 0};
    if (!fs::exists(camera.device)) continue;
    camera.name = first_line(fmt::format("/sys/class/video4linux/video{}/name", number));
    cv::VideoCapture capture;
    camera.opens = open(capture, camera.device);
    if (camera.opens) {
      camera.width = static_cast<int64_t>(capture.get(cv::CAP_PROP_FRAME_WIDTH));
      camera.height = static_cast<int64_t>(capture.get(cv::CAP_PROP_FRAME_HEIGHT));
    }
    cameras.push_back(camera);
  }
  return cameras;
}

}  // namespace fercli
