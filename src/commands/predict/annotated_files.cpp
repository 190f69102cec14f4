#include "commands/predict/annotated_files.hpp"

#include <fmt/format.h>

#include <set>

#include "core/error.hpp"
#include "data/image.hpp"
#include "live/video/video_source.hpp"

namespace fercli {

namespace fs = std::filesystem;

AnnotatedFiles::AnnotatedFiles(fs::path folder, const std::vector<std::string>& files, Overlay& overlay,
                               Unwritten unwritten)
    : folder_(std::move(folder)), overlay_(overlay), unwritten_(std::move(unwritten)) {
  std::set<std::string> taken;
  for (const auto& file : files) {
    const std::string stem = fs::path(file).stem().string(), extension = has_video_extension(file) ? ".mp4" : ".png";
    std::string name = stem + extension;
    for (int64_t i = 2; !taken.insert(name).second; ++i) name = fmt::format("{}-{}{}", stem, i, extension);
    names_.push_back(name);
  }
}

void AnnotatedFiles::attempt(size_t place, const std::function<void()>& work) {
  if (given_up_ == place) return;
  try {
    work();
  } catch (const UserError& error) {
    given_up_ = place;
    recorder_.reset();
    unwritten_(error.what());
  }
}

void AnnotatedFiles::add(const Reading& reading, const Picture& picture, double fps) {
  if (recorded_ != reading.place) end_video();
  attempt(reading.place, [&] {
    const auto drawn = picture.bgr.clone();
    std::vector<FaceView> views;
    for (const auto& face : reading.faces) views.push_back({face.number, face.box, face.top(), face.probabilities});
    overlay_.draw_faces(drawn, views, true);
    write(reading, drawn, fps);
  });
}

void AnnotatedFiles::write(const Reading& reading, const torch::Tensor& drawn, double fps) {
  const fs::path file = folder_ / names_.at(reading.place);
  if (!reading.frame) return write_png(image_of_bgr(drawn), file);
  if (!recorder_) recorder_ = std::make_unique<VideoRecorder>(file, drawn.size(1), drawn.size(0), fps);
  recorded_ = reading.place;
  recorder_->add(drawn, reading.time);
}

void AnnotatedFiles::end_video() {
  if (recorder_) attempt(recorded_, [&] { recorder_->finish(); });
  recorder_.reset();
}

}  // namespace fercli
