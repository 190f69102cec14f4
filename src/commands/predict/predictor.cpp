#include "commands/predict/predictor.hpp"

#include <fmt/format.h>

#include <cmath>
#include <numeric>

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "data/image.hpp"
#include "live/face_follower.hpp"

namespace fercli {

Predictor::Predictor(const PredictorSettings& settings, const Classifier& classifier, Sink sink)
    : settings_(settings), classifier_(classifier), sink_(std::move(sink)) {
  if (settings_.detect != Detect::Never) detector_ = make_face_detector(settings_.detector, settings_.faces);
}

void Predictor::read(size_t place, const std::string& file, const std::function<void(const VideoSource&)>& begin,
                     const std::function<void()>& frame) {
  if (!has_video_extension(file)) return add_still({place, file}, picture_of_image(read_image(file, 3)));
  flush();  // whoever takes the readings has one video at a time
  const auto video = part_of(open_video(file), settings_.range);
  begin(*video);
  Sampler sampler(settings_.every);
  constexpr int64_t kAtOnce = 1, kNeverMissed = 0;  // every find is a row
  FaceFollower follower(detector_, {0, kAtOnce, kNeverMissed, true});
  bool any = false;
  for (Frame seen; video->read(seen); frame()) {
    throw_if_interrupted();
    any = true;
    const Picture picture = make_picture(seen.bgr);
    const bool is_crop = settings_.detect == Detect::Never ||
                         (settings_.detect == Detect::Auto &&
                          looks_like_crop(picture.height(), picture.width(), classifier_.preprocessing()));
    const bool is_due = sampler.takes(seen);
    Reading reading{place, file, seen.number, seen.time};
    if (!is_due) {
      if (!is_crop) follower.pass(picture);
    } else if (is_crop) {
      add_still(std::move(reading), picture);
    } else {
      std::vector<Detection> faces;
      std::vector<int64_t> numbers;
      for (const auto& track : follower.follow(picture, seen.time)) {
        faces.push_back(track.face);
        numbers.push_back(track.id);
      }
      add(std::move(reading), picture, faces, numbers, true);
    }
  }
  throw_if_interrupted();
  if (!any) throw UserError(fmt::format("{}: has no frame in the part that --from and --to choose", file));
}

void Predictor::add_still(Reading reading, const Picture& picture) {
  const FoundFaces found = find_faces(picture, detector_.get(), classifier_.preprocessing(), settings_.detect);
  std::vector<int64_t> numbers(found.faces.size());
  std::iota(numbers.begin(), numbers.end(), 1);
  add(std::move(reading), picture, found.faces, numbers, found.searched);
}

void Predictor::add(Reading reading, const Picture& picture, const std::vector<Detection>& faces,
                    const std::vector<int64_t>& numbers, bool searched) {
  std::vector<Box> squares;
  for (size_t i = 0; i < faces.size(); ++i) {
    SeenFace face{numbers[i], faces[i].box, {}};
    if (!std::isnan(faces[i].score)) face.score = faces[i].score;
    if (searched) face.pose = head_pose(faces[i], picture, eyes_);
    reading.faces.push_back(std::move(face));
    squares.push_back(searched ? face_square(faces[i].box) : faces[i].box);
  }
  auto crops = crop_faces(picture, squares, classifier_.preprocessing());
  waiting_faces_ += crops.size(0);
  waiting_pixels_ += picture.height() * picture.width();
  waiting_.push_back({std::move(reading), picture, std::move(crops)});
  if (waiting_faces_ >= settings_.batch_size || waiting_.size() >= kMostWaiting ||
      waiting_pixels_ >= kMostWaitingPixels) {
    flush();
  }
}

void Predictor::flush() {
  if (waiting_.empty()) return;
  std::vector<torch::Tensor> crops;
  for (const auto& item : waiting_) crops.push_back(item.crops);
  auto probabilities = read_crops(classifier_, torch::cat(crops));
  size_t next = 0;
  for (auto& item : waiting_) {
    for (auto& face : item.reading.faces) face.probabilities = std::move(probabilities[next++]);
    sink_(item.reading, item.picture);
  }
  waiting_.clear();
  waiting_faces_ = waiting_pixels_ = 0;
}

}  // namespace fercli
