#include "commands/predict/annotated_files.hpp"

#include <fmt/format.h>

#include <set>

#include "data/image.hpp"
#include "live/video/video_source.hpp"

namespace fercli {

namespace fs = std::filesystem;

AnnotatedFiles::AnnotatedFiles(fs::path folder, const std::vector<std::string>& files, Overlay& overlay)
    : folder_(std::move(folder)), overlay_(overlay) {
  std::set<std::string> taken;
  for (const auto& file : files) {
    const std::string stem = fs::path(file).stem().string(), extension = has_video_extension(file) ? ".mp4" : ".png";
    std::string name = stem + extension;
    for (int64_t i = 2; !taken.insert(name).second; ++i) name = fmt::format("{}-{}{}", stem, i, extension);
    names_.push_back(name);
  }
}

void AnnotatedFiles::add(const Reading& reading, const Picture& picture, double fps) {
  const auto drawn = picture.bgr.clone();
  std::vector<FaceView> views;
  for (const auto& face : reading.faces) views.push_back({face.number, face.box, face.top(), face.probabilities});
  overlay_.draw_faces(drawn, views, true);
  const fs::path file = folder_ / names_.at(reading.place);
  if (!reading.frame) return write_png(image_of_bgr(drawn), file);
  if (!recorder_ || recorded_ != reading.place) {
    end_video();
    recorder_ = std::make_unique<VideoRecorder>(file, drawn.size(1), drawn.size(0), fps);
    recorded_ = reading.place;
  }
  recorder_->add(drawn, reading.time);
}

void AnnotatedFiles::end_video() {
  if (recorder_) recorder_->finish();
  recorder_.reset();
}

}  // namespace fercli
