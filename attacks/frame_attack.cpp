#include "attacks/frame_attack.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "attacks/threat/ball.hpp"
#include "attacks/threat/losses.hpp"
#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "data/dataset.hpp"

namespace fercli {

namespace {

constexpr double kSameFace = 0.4;  ///< overlap from which on two boxes are of one face
constexpr double kReach = 2.5;
constexpr int64_t kSteadyBoxes = 20;
constexpr double kGreyShares[] = {0.299, 0.587, 0.114};  ///< ITU-R 601: red, green, blue

Picture picture_of(const torch::Tensor& x) {
  return picture_of_image(to_8bit(x.squeeze(0)));
}

Box shifted(const Box& box, double reach, Rng rng) {
  const double side = std::max(box.width, box.height), stretch = 1 + rng.uniform(-reach, reach);
  const double x = box.centre_x() + side * rng.uniform(-reach, reach);
  const double y = box.centre_y() + side * rng.uniform(-reach, reach);
  return {x - box.width * stretch / 2, y - box.height * stretch / 2, box.width * stretch, box.height * stretch};
}

std::vector<Box> squares_around(const Box& box, int64_t count, double reach, const Rng& rng) {
  std::vector<Box> squares;
  for (int64_t i = 0; i < count; ++i) {
    squares.push_back(face_square(shifted(box, reach, rng.split(static_cast<uint64_t>(i)))));
  }
  return squares;
}

void require_face(const std::vector<Box>& boxes, size_t face) {
  if (boxes.empty()) throw RunError("no face was found in the picture");
  if (boxes.size() > face) return;
  throw RunError(fmt::format("{} found in the picture, none with number {}",
                             boxes.size() == 1 ? "one face was" : fmt::format("{} faces were", boxes.size()),
                             face + 1));
}

Goal goal_of(const EmotionGoal& goal, int64_t label, int64_t n) {
  return goal.for_labels(torch::full({n}, label, torch::kInt64));
}

/// The gradient of the summed margins of the crops of these squares, in the frame (1,3,H,W).
torch::Tensor frame_gradient(const Classifier& classifier, const Picture& picture, const std::vector<Box>& squares,
                             const EmotionGoal& goal, int64_t label) {
  const auto crops = to_float(crop_faces(picture, squares, classifier.preprocessing()));
  const auto line = classifier.linearize(crops);
  const auto slopes = line.pullback(margin_loss(line.logits, goal_of(goal, label, crops.size(0))).gradient);
  auto gradient = torch::zeros({3, picture.height(), picture.width()});
  for (size_t i = 0; i < squares.size(); ++i) {
    gradient += pull_back_crop(slopes[static_cast<int64_t>(i)], squares[i], picture.height(), picture.width());
  }
  return gradient.unsqueeze(0);
}

/// A frame seen on the way, and how good it is.
struct Candidate {
  torch::Tensor x;
  FrameReading reading;
  double score = -std::numeric_limits<double>::infinity();  ///< see `score_of`
};

double goal_probability(const FaceReading& face, const EmotionGoal& goal, int64_t label) {
  return goal.target ? face.probabilities[static_cast<size_t>(*goal.target)]
                     : 1 - face.probabilities[static_cast<size_t>(label)];
}

/// How many of these squares' crops reach the goal.
int64_t count_reached(const Classifier& classifier, const Picture& picture, const std::vector<Box>& squares,
                      const EmotionGoal& goal, int64_t label) {
  const auto logits = classifier.logits(to_float(crop_faces(picture, squares, classifier.preprocessing())));
  return goal_of(goal, label, logits.size(0)).reached(logits).sum().item<int64_t>();
}

/// A frame whose goal is reached before any other, then one where more of the shifted boxes reach it too, then the
/// higher probability.
double score_of(const FrameReading& reading, double shifted_share, double probability) {
  return reading.reached ? 1 + shifted_share + probability : probability - 1;
}

int64_t steadiness(const Classifier& classifier, const Picture& picture, const FrameReading& reading,
                   const EmotionGoal& goal, int64_t label, double reach, const Rng& rng) {
  if (!reading.found) return 0;
  const auto squares = squares_around(reading.face.box, kSteadyBoxes, reach, rng);
  return count_reached(classifier, picture, squares, goal, label);
}

}  // namespace

torch::Tensor pull_back_crop(const torch::Tensor& gradient, const Box& square, int64_t height, int64_t width) {
  const int64_t side = gradient.size(1);
  const auto rows = resampling_matrix(square.y, square.height, height, side).t();
  const auto columns = resampling_matrix(square.x, square.width, width, side);
  std::vector<torch::Tensor> planes;
  for (int64_t c = 0; c < gradient.size(0); ++c) planes.push_back(rows.mm(gradient[c]).mm(columns));
  if (planes.size() == 3) return torch::stack(planes);
  return torch::stack({planes[0] * kGreyShares[0], planes[0] * kGreyShares[1], planes[0] * kGreyShares[2]});
}

std::vector<Box> find_by_size(FaceDetector& detector, const Picture& picture) {
  auto boxes = detector.find_all(picture);
  std::stable_sort(boxes.begin(), boxes.end(), [](const Box& a, const Box& b) { return a.area() > b.area(); });
  return boxes;
}

FrameReading read_frame(const Classifier& classifier, FaceDetector& detector, const Picture& picture, const Box& before,
                        const EmotionGoal& goal, int64_t label) {
  FrameReading reading;
  double best = kSameFace;
  for (const Box& box : find_by_size(detector, picture)) {
    const double overlap = intersection_over_union(box, before);
    if (overlap < best) continue;
    best = overlap;
    reading.found = true;
    reading.face.box = box;
  }
  if (!reading.found) return reading;
  reading.face = read_faces(classifier, picture, {reading.face.box}).front();
  reading.reached = goal.target ? reading.face.top() == *goal.target : reading.face.top() != label;
  return reading;
}

FrameAttackResult attack_frame(const Classifier& classifier, FaceDetector& detector, const Picture& picture,
                               size_t face, const EmotionGoal& goal, const FrameAttackSettings& settings,
                               const Rng& rng) {
  const auto boxes = find_by_size(detector, picture);
  require_face(boxes, face);
  const Classifier judge = classifier.with_precision(Precision::Float32);
  const FaceReading before = read_faces(judge, picture, {boxes[face]}).front();
  const int64_t label = goal.source.value_or(before.top());
  const auto x = to_float(image_of_bgr(picture.bgr).unsqueeze(0));
  const Ball ball(settings.threat.norm, x, settings.threat.eps_rows(1), true);
  const auto alpha = torch::full(
      {1}, settings.alpha > 0 ? settings.alpha : kReach * settings.threat.eps / static_cast<double>(settings.steps),
      torch::kFloat64);

  Candidate best;
  auto x_adv = x;
  Box box = before.box;
  int64_t steps = 0;
  for (;; ++steps) {
    throw_if_interrupted();
    const auto shown = ball.exportable(x_adv);
    const Picture now = picture_of(shown);
    const FrameReading reading = read_frame(judge, detector, now, before.box, goal, label);
    if (reading.found) box = reading.face.box;
    auto squares = squares_around(box, settings.shifted, settings.shift, rng.split(static_cast<uint64_t>(steps)));
    if (reading.found) {
      const int64_t also = reading.reached ? count_reached(classifier, now, squares, goal, label) : 0;
      const double share = settings.shifted > 0 ? static_cast<double>(also) / static_cast<double>(settings.shifted) : 1;
      const double probability = goal_probability(reading.face, goal, label);
      if (const double score = score_of(reading, share, probability); score > best.score)
        best = {shown, reading, score};
      if (reading.reached && share == 1 && probability >= settings.confidence) break;
    }
    if (steps == settings.steps) break;
    squares.push_back(face_square(box));
    x_adv = ball.step(x_adv, frame_gradient(classifier, now, squares, goal, label), alpha);
    if (settings.progress) settings.progress(steps);
  }
  if (!best.x.defined()) best = {ball.exportable(x_adv), {}, 0};
  const Picture kept = picture_of(best.x);
  return {kept,
          before,
          best.reading,
          steadiness(judge, kept, best.reading, goal, label, settings.shift, rng.split("steady")),
          kSteadyBoxes,
          steps,
          static_cast<int64_t>(boxes.size()),
          distances(best.x, x, Norm::Linf, true).item<double>(),
          distances(best.x, x, Norm::L2, true).item<double>()};
}

}  // namespace fercli
