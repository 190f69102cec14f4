#include "live/video/synthetic_video.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <opencv2/imgproc.hpp>

#include "core/error.hpp"
#include "core/text.hpp"
#include "data/drawn/face.hpp"
#include "faces/mat.hpp"

namespace fercli {

namespace {

constexpr const char* kWord = "synthetic";
constexpr const char* kKeys = "faces, seed, size, fps, seconds, cross, cut";
constexpr int64_t kDrawn = 192;           ///< side of a drawn portrait
constexpr double kHold = 3, kFade = 0.4;  ///< seconds of an expression, and of the change to the next
constexpr double kTwoPi = 6.283185307179586;

/// Each person begins at another place of the round.
constexpr std::array<const char*, 5> kRound{"Happy", "Surprise", "Neutral", "Sad", "Angry"};

struct Options {
  int64_t faces = 2, seed = 1, width = 640, height = 480;
  double fps = 30, seconds = 0;
  double cross = 0, cut = 0;  ///< seconds between two; 0: none
};

int64_t whole_number(const std::string& value, int64_t low, int64_t high) {
  const int64_t number = parse_integer(value);
  if (number < low || number > high) throw std::invalid_argument(fmt::format("must be in [{}, {}]", low, high));
  return number;
}

double number(const std::string& value, double low, double high) {
  const double parsed = parse_number(value);
  if (!(parsed >= low && parsed <= high)) throw std::invalid_argument(fmt::format("must be in [{}, {}]", low, high));
  return parsed;
}

void assign(Options& out, const std::string& key, const std::string& value) {
  if (key == "faces") {
    out.faces = whole_number(value, 0, 6);
  } else if (key == "seed") {
    out.seed = whole_number(value, 0, std::numeric_limits<int64_t>::max());
  } else if (key == "size") {
    const auto sides = split(value, 'x');
    if (sides.size() != 2) throw std::invalid_argument("must be WIDTHxHEIGHT");
    out.width = whole_number(sides[0], 64, 4096);
    out.height = whole_number(sides[1], 64, 4096);
  } else if (key == "fps") {
    out.fps = number(value, 1, 240);
  } else if (key == "seconds") {
    out.seconds = number(value, 0, 1e6);
  } else if (key == "cross") {
    out.cross = number(value, 0, 1e6);
  } else if (key == "cut") {
    out.cut = number(value, 0, 1e6);
  } else {
    throw std::invalid_argument(fmt::format("unknown key '{}' (known: {})", key, kKeys));
  }
}

Options parse(const std::string& word) {
  Options out;
  if (word == kWord) return out;
  for (const auto& piece : split(word.substr(std::string(kWord).size() + 1), ',')) {
    const auto equals = piece.find('=');
    try {
      if (equals == std::string::npos) throw std::invalid_argument(fmt::format("expected key=value (keys: {})", kKeys));
      assign(out, trim(piece.substr(0, equals)), trim(piece.substr(equals + 1)));
    } catch (const std::invalid_argument& error) {
      throw UserError(fmt::format("--source {}: '{}': {}", word, piece, error.what()));
    }
  }
  return out;
}

/// One drawn person: a portrait for each expression, and where the person ends and the wall begins.
class Person {
 public:
  explicit Person(Rng rng) {
    FaceParameters face = random_face("Neutral", rng);
    face.framing = Framing::Portrait;
    face.pose = {face.pose.yaw, 2, 0, 1, 0, 0};
    face.camera = {0.55, 0.5, 1, 1, 0, 0};
    face.identity.glasses = 0;
    for (const char* emotion : kRound) portraits_.push_back(draw(with_expression(face, emotion)));
    FaceParameters before_black = with_expression(face, "Surprise");
    FaceParameters before_white = before_black;
    before_black.camera.background = 0;
    before_white.camera.background = 1;
    opacity_ = opacity(draw(before_black), draw(before_white));
  }

  /// Draws the person into BGR float pixels: the middle of its lower edge at (x, y), `side` high, tilted by `degrees`.
  void paint(cv::Mat& frame, int64_t index, double time, cv::Point2d foot, double side, double degrees) const {
    const double scale = side / kDrawn;
    cv::Mat turn = cv::getRotationMatrix2D({kDrawn / 2.0f, static_cast<float>(kDrawn)}, degrees, scale);
    turn.at<double>(0, 2) += foot.x - kDrawn / 2.0;
    turn.at<double>(1, 2) += foot.y - kDrawn;
    const double reach = side * 0.56;
    const cv::Rect area =
        cv::Rect(cvRound(foot.x - reach), cvRound(foot.y - side * 1.03), cvRound(2 * reach), cvRound(side * 1.03)) &
        cv::Rect({}, frame.size());
    if (area.empty()) return;
    turn.at<double>(0, 2) -= area.x;
    turn.at<double>(1, 2) -= area.y;
    cv::Mat seen, cover;
    cv::warpAffine(expression(index, time), seen, turn, area.size(), cv::INTER_LINEAR, cv::BORDER_REPLICATE);
    cv::warpAffine(opacity_, cover, turn, area.size(), cv::INTER_LINEAR, cv::BORDER_CONSTANT);
    blend(frame(area), seen, cover);
  }

 private:
  static cv::Mat draw(const FaceParameters& face) {
    const auto image = draw_face(face, kDrawn, 3);
    return as_mat(image.flip({0}).permute({1, 2, 0}).contiguous()).clone();
  }

  /// Where a pixel is as dark before a white wall as before a black one, there is the person.
  static cv::Mat opacity(const cv::Mat& on_black, const cv::Mat& on_white) {
    cv::Mat difference, grey, cover;
    cv::absdiff(on_white, on_black, difference);
    cv::cvtColor(difference, grey, cv::COLOR_BGR2GRAY);
    double largest = 1;
    cv::minMaxLoc(grey, nullptr, &largest);
    grey.convertTo(cover, CV_8U, -255 / std::max(1.0, largest), 255);
    return cover;
  }

  cv::Mat expression(int64_t index, double time) const {
    const auto count = static_cast<int64_t>(portraits_.size());
    const auto beat = static_cast<int64_t>(time / kHold);
    const auto& now = portraits_[static_cast<size_t>((beat + index) % count)];
    const auto& next = portraits_[static_cast<size_t>((beat + index + 1) % count)];
    const double left = static_cast<double>(beat + 1) * kHold - time;
    if (left >= kFade) return now;
    cv::Mat mixed;
    cv::addWeighted(now, left / kFade, next, 1 - left / kFade, 0, mixed);
    return mixed;
  }

  static void blend(cv::Mat target, const cv::Mat& source, const cv::Mat& cover) {
    for (int y = 0; y < target.rows; ++y) {
      auto* out = target.ptr<uint8_t>(y);
      const auto* in = source.ptr<uint8_t>(y);
      const auto* share = cover.ptr<uint8_t>(y);
      for (int x = 0; x < target.cols; ++x, out += 3, in += 3) {
        for (int c = 0; c < 3; ++c) out[c] = static_cast<uint8_t>(out[c] + (in[c] - out[c]) * share[x] / 255);
      }
    }
  }

  std::vector<cv::Mat> portraits_;
  cv::Mat opacity_;
};

/// A wall with a soft light from one side and a little structure. Each scene has its own.
cv::Mat draw_wall(int64_t width, int64_t height, int64_t scene) {
  const double lamp = scene % 2 == 0 ? 0.4 : 1.1, shade = scene % 2 == 0 ? 0.35 : 0.7;
  cv::Mat wall(static_cast<int>(height), static_cast<int>(width), CV_8UC3);
  for (int y = 0; y < wall.rows; ++y) {
    for (int x = 0; x < wall.cols; ++x) {
      const double light =
          1 - shade * std::hypot(x / static_cast<double>(width) - lamp, y / static_cast<double>(height));
      const double grain = 2 * std::sin(x * 0.9) * std::sin(y * 0.7);
      wall.at<cv::Vec3b>(y, x) = {cv::saturate_cast<uint8_t>(150 * light + grain),
                                  cv::saturate_cast<uint8_t>(156 * light + grain),
                                  cv::saturate_cast<uint8_t>(160 * light + grain)};
    }
  }
  return wall;
}

class SyntheticVideo : public VideoSource {
 public:
  SyntheticVideo(std::string word, const Options& options) : word_(std::move(word)), options_(options) { set_scene(0); }

  bool read(Frame& frame) override {
    const double time = static_cast<double>(next_) / options_.fps;
    if (next_ == length() && options_.seconds > 0) return false;
    if (options_.cut > 0 && time >= static_cast<double>(scene_ + 1) * options_.cut) set_scene(scene_ + 1);
    cv::Mat canvas = wall_.clone();
    for (size_t i = 0; i < people_.size(); ++i) paint(canvas, i, time);
    frame = {as_tensor(canvas), next_++, time};
    return true;
  }

  std::string name() const override { return word_; }
  double fps() const override { return options_.fps; }
  bool is_live() const override { return false; }
  int64_t length() const override { return static_cast<int64_t>(std::ceil(options_.seconds * options_.fps - 1e-9)); }

 private:
  void set_scene(int64_t scene) {
    scene_ = scene;
    wall_ = draw_wall(options_.width, options_.height, scene);
    people_.clear();
    const Rng rng = Rng(static_cast<uint64_t>(options_.seed)).split("synthetic video");
    for (int64_t i = 0; i < options_.faces; ++i) {
      people_.emplace_back(rng.split(static_cast<uint64_t>(scene * options_.faces + i)));
    }
  }

  /// In whose place a person stands: they walk for half of the time between two changes.
  double place_of(size_t i, double time) const {
    const auto own = static_cast<double>(i), other = static_cast<double>(people_.size() - 1 - i);
    if (options_.cross <= 0) return own;
    const double turns = std::floor(time / options_.cross), share = time / options_.cross - turns;
    const double walked = std::clamp(2 * share - 0.5, 0.0, 1.0);
    const bool away = static_cast<int64_t>(turns) % 2 == 1;
    return own + (other - own) * (away ? 1 - walked : walked);
  }

  void paint(cv::Mat& canvas, size_t i, double time) const {
    const auto width = static_cast<double>(options_.width), height = static_cast<double>(options_.height);
    const double room = width / static_cast<double>(people_.size()), phase = 1.7 * static_cast<double>(i);
    const double side = std::min(0.78 * height, 1.15 * room) * (1 + 0.04 * std::sin(kTwoPi * time / 7.3 + phase));
    const double x = room * (place_of(i, time) + 0.5) + 0.09 * room * std::sin(kTwoPi * time / 5.1 + phase);
    const double y = height + side * (0.03 + 0.025 * std::sin(kTwoPi * time / 3.7 + phase));
    people_[i].paint(canvas, static_cast<int64_t>(i), time, {x, y}, side, 3 * std::sin(kTwoPi * time / 4.3 + phase));
  }

  std::string word_;
  Options options_;
  cv::Mat wall_;
  std::vector<Person> people_;
  int64_t next_ = 0, scene_ = 0;
};

}  // namespace

bool is_synthetic_video(const std::string& word) {
  return word == kWord || word.compare(0, std::string(kWord).size() + 1, std::string(kWord) + ":") == 0;
}

std::unique_ptr<VideoSource> open_synthetic_video(const std::string& word) {
  return std::make_unique<SyntheticVideo>(word, parse(word));
}

std::string synthetic_emotion(int64_t person, double time) {
  const auto beat = static_cast<int64_t>(time / kHold);
  return kRound[static_cast<size_t>((beat + person) % static_cast<int64_t>(kRound.size()))];
}

}  // namespace fercli
