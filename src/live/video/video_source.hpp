#pragma once

#include <torch/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace fercli {

/// One picture of a video.
struct Frame {
  torch::Tensor bgr;  ///< uint8 (H,W,3), blue first
  int64_t number = 0;
  double time = 0;  ///< seconds since the video's start, by its own time stamps; of a camera, since it was opened
};

/// Where frames come from. Used by one thread, but for `stop`.
class VideoSource {
 public:
  virtual ~VideoSource() = default;

  /// Waits for the next frame; false at the end. Throws RunError when a camera or stream is lost for good.
  virtual bool read(Frame& frame) = 0;

  /// From any thread: a read that waits for a silent camera or stream gives up within seconds.
  virtual void stop() {}

  virtual std::string name() const = 0;
  virtual double fps() const = 0;      ///< as promised by the source; 30 where it says nothing
  virtual bool is_live() const = 0;    ///< frames come by its own clock (camera, stream), whoever waits
  virtual int64_t length() const = 0;  ///< frames, 0 where unknown

  /// Pictures that have nothing to do with each other: faces are not followed from one to the next.
  virtual bool is_stills() const { return false; }
};

/// `word`: a camera's number or /dev/videoN, a video file, a picture or a folder of them (in order of
/// their names), a URL of
/// OpenCV's (http, rtsp), or "synthetic", with options
/// "synthetic:faces=2,seed=1,size=640x480,fps=30,seconds=0,cross=0,cut=0": drawn faces that move and change expression,
/// without end when seconds is 0. cross: they change places by walking past each other, once in so many seconds. cut: a
/// hard cut to other people every so many seconds. Throws UserError on a missing or unreadable file, one that leads to
/// other files (a playlist), frames larger than a picture may be, or a wrong option, RunError when a camera or stream
/// cannot be opened.
std::unique_ptr<VideoSource> open_video(const std::string& word);

/// The first of these that opens. When none does: the error of the only one, or, if a camera is among them, a RunError
/// that names them all and `--source synthetic`.
std::unique_ptr<VideoSource> open_first_video(const std::vector<std::string>& words);

/// True for a file with a video's extension (.mp4, .avi, .mkv, …).
bool has_video_extension(const std::string& path);

/// The files in a folder (not in its subfolders) whose path is `wanted`, by name. Throws UserError when the folder
/// cannot be read.
std::vector<std::string> files_in(const std::string& folder, const std::function<bool(const std::string&)>& wanted);

struct Camera {
  std::string device;  ///< "/dev/video0"
  std::string name;    ///< as the driver says
  bool opens = false;
  int64_t width = 0, height = 0;
};
std::vector<Camera> list_cameras();

}  // namespace fercli
