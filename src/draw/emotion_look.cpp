#include "draw/emotion_look.hpp"

#include <map>
#include <opencv2/imgproc.hpp>

#include "data/label_set.hpp"
#include "faces/mat.hpp"

namespace fercli {

namespace {

constexpr int kSketch = 256;  ///< side of the drawing before it is shrunk

/// What makes an avatar's expression; lengths in hundredths of the face's radius.
struct Features {
  int brow_inner, brow_outer;  ///< height of the brows' ends, up is positive
  int eye_height;              ///< half the opening
  int mouth_curve;             ///< corners up (smile) or down
  int mouth_open;              ///< half the opening; 0: a line
  bool teeth;
};

Features features_of(const std::string& emotion) {
  static const std::map<std::string, Features> table{
      {"Angry", {-14, 12, 10, -18, 0, false}}, {"Disgust", {-8, 4, 7, -12, 6, true}},
      {"Fear", {16, 2, 19, -14, 12, true}},    {"Happy", {4, 4, 12, 34, 18, true}},
      {"Sad", {14, -8, 10, -26, 0, false}},    {"Surprise", {18, 18, 21, 0, 26, false}},
      {"Neutral", {0, 0, 13, 0, 0, false}},    {"Contempt", {0, 12, 8, 8, 0, false}},
  };
  const Emotion* known = find_emotion(emotion);
  const auto found = table.find(known != nullptr ? known->name : "Neutral");
  return found == table.end() ? table.at("Neutral") : found->second;
}

/// A drawing in units of a hundredth of the face's radius around the picture's middle, y downward.
class Sketch {
 public:
  Sketch() : canvas_(kSketch, kSketch, CV_8UC4, cv::Scalar(0, 0, 0, 0)) {}

  void disc(double x, double y, double wide, double high, const cv::Scalar& colour) {
    cv::ellipse(canvas_, place(x, y), {length(wide), length(high)}, 0, 0, 360, colour, cv::FILLED, cv::LINE_AA);
  }

  void line(double x0, double y0, double x1, double y1, double thickness, const cv::Scalar& colour) {
    cv::line(canvas_, place(x0, y0), place(x1, y1), colour, length(thickness), cv::LINE_AA);
  }

  /// A filled lens between two parabolas, or a bent line where they are one.
  void mouth(double y, double half_width, double curve, double open, const cv::Scalar& colour) {
    std::vector<cv::Point> edge;
    for (int i = -10; i <= 10; ++i) edge.push_back(bow(i / 10.0, y, half_width, curve, -open));
    for (int i = 10; i >= -10; --i) edge.push_back(bow(i / 10.0, y, half_width, curve, open));
    cv::fillPoly(canvas_, std::vector<std::vector<cv::Point>>{edge}, colour, cv::LINE_AA);
    cv::polylines(canvas_, std::vector<std::vector<cv::Point>>{edge}, true, colour, length(7), cv::LINE_AA);
  }

  torch::Tensor shrunk(int side) const {
    cv::Mat small;
    cv::resize(canvas_, small, {side, side}, 0, 0, cv::INTER_AREA);
    return as_tensor(small);
  }

 private:
  static int length(double hundredths) { return std::max(1, cvRound(hundredths * kRadius / 100)); }
  static cv::Point place(double x, double y) {
    return {cvRound(kSketch / 2.0 + x * kRadius / 100), cvRound(kSketch / 2.0 + y * kRadius / 100)};
  }
  static cv::Point bow(double s, double y, double half_width, double curve, double open) {
    return place(s * half_width, y + curve * (0.5 - s * s) + open * (1 - s * s));
  }

  static constexpr double kRadius = kSketch * 0.47;
  cv::Mat canvas_;
};

}  // namespace

Ink colour_of(const std::string& emotion) {
  static const std::map<std::string, Ink> table{
      {"Angry", {0, 94, 213}}, {"Disgust", {115, 158, 0}},   {"Fear", {167, 121, 204}},    {"Happy", {0, 190, 240}},
      {"Sad", {178, 114, 0}},  {"Surprise", {233, 180, 86}}, {"Neutral", {185, 185, 185}}, {"Contempt", {75, 86, 140}},
  };
  const Emotion* known = find_emotion(emotion);
  const auto found = table.find(known != nullptr ? known->name : emotion);
  return found == table.end() ? kUncertainInk : found->second;
}

torch::Tensor draw_avatar(const std::string& emotion, int side) {
  const Features face = features_of(emotion);
  const cv::Scalar dark(40, 45, 60, 255), white(255, 255, 255, 255);
  const bool sick = emotion == "Disgust", red = emotion == "Angry";
  const cv::Scalar skin = sick  ? cv::Scalar(110, 200, 150, 255)
                          : red ? cv::Scalar(95, 140, 245, 255)
                                : cv::Scalar(80, 205, 250, 255);
  Sketch sketch;
  sketch.disc(0, 0, 100, 100, dark);
  sketch.disc(0, 0, 94, 94, skin);
  for (const int side_of_face : {-1, 1}) {
    sketch.disc(side_of_face * 34, -18, 12, face.eye_height, dark);
    sketch.line(side_of_face * 20, -46 - face.brow_inner, side_of_face * 52, -46 - face.brow_outer, 8, dark);
  }
  sketch.mouth(42, face.mouth_open > 22 ? 24 : 42, face.mouth_curve, face.mouth_open, dark);
  if (face.teeth) sketch.mouth(40, 36, face.mouth_curve, face.mouth_open * 0.35, white);
  return sketch.shrunk(side);
}

void lay_over(const torch::Tensor& bgr, const torch::Tensor& bgra, int left, int top) {
  cv::Mat canvas = as_mat(bgr);
  const cv::Mat sprite = as_mat(bgra);
  const cv::Point corner(left, top);
  const cv::Rect seen = cv::Rect(corner, sprite.size()) & cv::Rect({}, canvas.size());
  for (int y = 0; y < seen.height; ++y) {
    auto* target = canvas.ptr<uint8_t>(seen.y + y) + 3 * seen.x;
    const auto* source = sprite.ptr<uint8_t>(seen.y + y - top) + 4 * (seen.x - left);
    for (int x = 0; x < seen.width; ++x, target += 3, source += 4) {
      // The sprite was shrunk from a transparent ground of zeros: its colours are premultiplied by the opacity.
      for (int c = 0; c < 3; ++c) {
        target[c] = static_cast<uint8_t>(std::min(255, source[c] + target[c] * (255 - source[3]) / 255));
      }
    }
  }
}

}  // namespace fercli
