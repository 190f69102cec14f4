#include <cmath>

#include "data/label_set.hpp"
#include "draw/attack_picture.hpp"
#include "draw/emotion_look.hpp"
#include "draw/overlay.hpp"
#include "live/screen/timeline.hpp"
#include "live/statistics.hpp"
#include "live/video/recorder.hpp"
#include "live/video/video_source.hpp"
#include "serve/metrics.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/user_error.hpp"

namespace fercli::test {
namespace {

torch::Tensor black(int64_t height, int64_t width) {
  return torch::zeros({height, width, 3}, torch::kUInt8);
}

/// Pixels that a text covers, row by row.
torch::Tensor ink_of(const std::string& text) {
  const auto picture = black(60, 120);
  Lettering().write(picture, text, 10, 40, 20, {255, 255, 255});
  return picture.select(2, 0).gt(128).sum(1);
}

TEST(LetteringOnFrames, AnAccentIsInkAboveTheSameLetter) {
  const auto plain = ink_of("e"), accented = ink_of("é");
  EXPECT_TRUE(torch::equal(plain.slice(0, 25), accented.slice(0, 25)));
  EXPECT_EQ(plain.slice(0, 0, 24).sum().item<int64_t>(), 0);
  EXPECT_GT(accented.slice(0, 0, 24).sum().item<int64_t>(), 5);
  EXPECT_GT(ink_of("ç").slice(0, 41).sum().item<int64_t>(), ink_of("c").slice(0, 41).sum().item<int64_t>());
}

TEST(LetteringOnFrames, AnAccentedLetterIsAsWideAsThePlainOne) {
  Lettering letters;
  EXPECT_EQ(letters.width("Dégoûté", 12), letters.width("Degoute", 12));
}

TEST(LetteringOnFrames, EveryLetterOfFrenchAndEverySignOfFiguresHasAGlyph) {
  const auto none = ink_of("\xef\xbf\xbf");  // no letter, in any font
  for (const std::string letter : {"é", "è", "ê", "ë", "à", "â", "î", "ï", "ô", "ù", "û", "ü", "ÿ", "ç", "œ",
                                   "æ", "É", "È", "À", "Ç", "Œ", "«", "»", "’", "–", "×", "→", "…", "≤", "·"}) {
    EXPECT_FALSE(torch::equal(ink_of(letter), none)) << letter;
    EXPECT_FALSE(torch::equal(ink_of(letter), ink_of("?"))) << letter;
  }
}

TEST(LetteringOnFrames, WhatIsNoUtf8IsDrawnAsTheSignForIt) {
  const auto sign = ink_of("\xef\xbf\xbd");
  for (const std::string bytes : {"\xff", "\xc3", "\xe2\x82"})
    EXPECT_GE(ink_of(bytes).sum().item<int64_t>(), sign.sum().item<int64_t>());
  EXPECT_TRUE(torch::equal(ink_of("\xff"), sign));
}

TEST(LetteringOnFrames, TextBeyondTheEdgeIsCutOff) {
  Lettering letters;
  const auto whole = black(60, 400);
  letters.write(whole, "Surprise", 100, 20, 20, {255, 255, 255});
  for (const int left : {-500, -10, 10, 500}) {
    const auto part = black(20, 20);
    letters.write(part, "Surprise", left, 5, 20, {255, 255, 255});
    const auto expected =
        std::abs(left) == 500 ? black(20, 20) : whole.slice(0, 15, 35).slice(1, 100 - left, 120 - left);
    EXPECT_TRUE(torch::equal(part, expected)) << left;
  }
}

/// A Happy face that became Sad.
AttackedImage turned_face() {
  AttackedImage image{};
  image.original = torch::full({1, 48, 48}, 90, torch::kUInt8);
  image.adversarial = torch::full({1, 48, 48}, 93, torch::kUInt8);
  image.clean = {0.02, 0.01, 0.01, 0.9, 0.02, 0.02, 0.02};
  image.after = {0.1, 0.05, 0.1, 0.1, 0.6, 0.02, 0.03};
  image.linf = 3 / 255.0;
  image.success = true;
  return image;
}

/// How many pixels of a picture have this colour.
int64_t area_of(const torch::Tensor& rgb, Ink ink) {
  return (rgb[0].eq(ink.red) & rgb[1].eq(ink.green) & rgb[2].eq(ink.blue)).sum().item<int64_t>();
}

TEST(TheAttackFigure, ShowsEachFaceOnTheColourOfItsEmotion) {
  const auto figure = draw_attack(turned_face(), {LabelSet::fer2013().names(), "pgd, Linf eps 8/255", "en"});
  const int64_t half = figure.size(2) / 2;
  const auto before = figure.slice(2, 0, half), after = figure.slice(2, half);
  EXPECT_GT(area_of(before, colour_of("Happy")), 3000);
  EXPECT_GT(area_of(after, colour_of("Sad")), 3000);
  EXPECT_LT(area_of(before, colour_of("Sad")), 500);  // its bar of 2 %
  EXPECT_GT(area_of(before, {90, 90, 90}), 384 * 384 * 9 / 10);
  EXPECT_GT(area_of(after, {93, 93, 93}), 384 * 384 * 9 / 10);
}

TEST(TheAttackFigure, KeepsTheAccentsOfFrenchNames) {
  auto names = LabelSet::fer2013().names();
  names[1] = "Dégoûté";
  auto plain = names;
  plain[1] = "Degoute";
  const auto figure = [](const std::vector<std::string>& classes) {
    return draw_attack(turned_face(), {classes, "pgd", "en"});
  };
  EXPECT_FALSE(torch::equal(figure(names), figure(plain)));
}

TEST(TheAttackFigure, SaysWhetherTheVerdictChangedWhereTheNetworkWasNotSure) {
  AttackedImage image = turned_face(), held = turned_face();
  image.success = held.success = false;
  held.after = held.clean;
  const PictureTexts texts{LabelSet::fer2013().names(), "pgd", "en"};
  const auto middle = [&](const AttackedImage& each) {
    return draw_attack(each, texts).slice(1, 60, 100).slice(2, 460, 760);
  };
  EXPECT_FALSE(torch::equal(middle(image), middle(held)));
  EXPECT_FALSE(torch::equal(middle(image), middle(turned_face())));
}

TEST(TheOverlay, SpeaksFrench) {
  const Overlay overlay(LabelSet::fer2013().names(), "fr");
  EXPECT_EQ(overlay.verdict(0, {0.9, 0.1, 0, 0, 0, 0, 0}), "En colère 90 %");
  EXPECT_EQ(overlay.verdict({}, {0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1}), "incertain 30 %");
}

TEST(TheOverlay, DrawsFacesThatStickOutOfThePicture) {
  Overlay overlay(LabelSet::fer2013().names(), "en");
  const auto picture = black(100, 100);
  const FaceView face{7, {-30, -20, 90, 90}, 3, {0, 0, 0, 1, 0, 0, 0}};
  overlay.draw_faces(picture, {face}, true);
  overlay.draw_bars(picture, face.probabilities, 60, 60, 120);
  const auto inked = [&](int top, int bottom, int left, int right) {
    return picture.slice(0, top, bottom).slice(1, left, right).gt(0).sum().item<int64_t>();
  };
  EXPECT_GT(inked(0, 60, 0, 60), 100) << "the part of the box inside the picture";
  EXPECT_GT(inked(60, 100, 60, 100), 100) << "the bars";
}

TEST(TheOverlay, PlatesOfFacesThatTouchDoNotOverlap) {
  Overlay overlay(LabelSet::fer2013().names(), "en");
  const FaceView happy{1, {20, 60, 60, 60}, 3, {0, 0, 0, 1, 0, 0, 0}},
      sad{2, {40, 62, 60, 60}, 4, {0, 0, 0, 0, 1, 0, 0}};
  const auto one = black(200, 200), both = black(200, 200);
  overlay.draw_faces(one, {happy}, false);
  overlay.draw_faces(both, {happy, sad}, false);
  EXPECT_TRUE(torch::equal(one.slice(0, 38, 58), both.slice(0, 38, 58))) << "the first plate is as it was";
  const auto ink = colour_of("Sad");
  const auto plate = both.select(2, 0).eq(ink.blue).logical_and(both.select(2, 2).eq(ink.red));
  EXPECT_GT(plate.slice(0, 62, 200).sum().item<int64_t>(), 500) << "the second lies elsewhere";
}

/// Faces of all classes in a row, closer together than their plates are wide.
std::vector<FaceView> crowd() {
  std::vector<FaceView> faces;
  for (int64_t k = 0; k < 7; ++k) {
    FaceView face{k + 1, {10 + 60.0 * static_cast<double>(k), 100, 50, 50}, k, std::vector<double>(7, 0)};
    face.probabilities[static_cast<size_t>(k)] = 1;
    faces.push_back(face);
  }
  return faces;
}

int64_t ink_of_class(const torch::Tensor& bgr, const std::string& name) {
  return area_of(bgr.permute({2, 0, 1}).flip({0}), colour_of(name));
}

TEST(TheOverlay, InACrowdNoPlateCoversAPlateOrAFace) {
  Overlay overlay(LabelSet::fer2013().names(), "en");
  constexpr int64_t kBoxLine = 450;  // pixels of a box's line, which a neighbour may cover
  const auto faces = crowd();
  const auto all = black(250, 440);
  overlay.draw_faces(all, faces, false);
  for (const auto& face : faces) {
    const std::string name = overlay.class_name(*face.label);
    const auto alone = black(250, 440);
    overlay.draw_faces(alone, {face}, false);
    EXPECT_GE(ink_of_class(all, name), ink_of_class(alone, name) - kBoxLine) << name;
    const auto left = static_cast<int64_t>(face.box.x);
    EXPECT_EQ(all.slice(0, 106, 144).slice(1, left + 6, left + 44).max().item<int>(), 0) << name;
  }
}

TEST(TheOverlay, InACrowdNoAvatarCoversAPlateOrAnotherFace) {
  Overlay overlay(LabelSet::fer2013().names(), "en");
  const auto faces = crowd();
  const auto without = black(250, 440), with = black(250, 440);
  overlay.draw_faces(without, faces, false);
  overlay.draw_faces(with, faces, true);
  EXPECT_FALSE(torch::equal(with, without));
  for (const auto& face : faces) {
    const std::string name = overlay.class_name(*face.label);
    EXPECT_GE(ink_of_class(with, name), ink_of_class(without, name)) << name;
  }
}

TEST(TheOverlay, KeepsNoLargeAvatars) {
  Overlay overlay(LabelSet::fer2013().names(), "en");
  const auto picture = black(300, 3000);
  const auto draw = [&](double side) {
    overlay.draw_faces(picture, {{1, {0, 0, side, 200}, 3, {0, 0, 0, 1, 0, 0, 0}}}, true);
  };
  draw(1200);
  EXPECT_GT(picture.slice(1, 1250).gt(0).sum().item<int64_t>(), 5000) << "an avatar beside the face";
  [[maybe_unused]] const double before = resident_bytes();
  for (int side = 1224; side <= 2184; side += 24) draw(side);
#ifndef __SANITIZE_ADDRESS__  // which keeps what is freed for a while
  EXPECT_LT(resident_bytes() - before, 20e6);
#endif
}

TEST(Avatars, DifferBetweenTheEmotions) {
  const auto& all = emotions();
  for (size_t i = 1; i < all.size(); ++i) {
    EXPECT_FALSE(torch::equal(draw_avatar(all[i - 1].name, 48), draw_avatar(all[i].name, 48))) << all[i].name;
  }
}

TEST(ARecording, KeepsTimeWhenFramesComeLate) {
  const ScratchFolder folder;
  const std::string file = (folder / "clip.avi").string();
  {
    VideoRecorder recorder(file, 64, 48, 10);
    for (const double time : {5.0, 5.1, 5.5, 5.52, 6.0}) recorder.add(black(48, 64), time);
    EXPECT_EQ(recorder.frames(), 11);
  }
  const auto video = open_video(file);
  Frame frame;
  int64_t frames = 0;
  while (video->read(frame)) ++frames;
  EXPECT_EQ(frames, 11);
  EXPECT_DOUBLE_EQ(video->fps(), 10);
}

TEST(ARecording, NeedsAKnownExtension) {
  EXPECT_EQ(message_of([] { VideoRecorder("clip.gif", 64, 48, 10); }),
            "clip.gif: a recording must be named .mp4 or .avi");
}

TEST(Latencies, QuantilesAreThoseOfTheEvents) {
  LatencyHistogram latencies;
  for (int i = 1; i <= 100; ++i) latencies.add(i - 0.05);
  EXPECT_NEAR(latencies.quantile(0.5), 50, 0.11);
  EXPECT_NEAR(latencies.quantile(0.95), 95, 0.11);
  EXPECT_TRUE(std::isnan(LatencyHistogram().quantile(0.5)));
  for (int i = 0; i < 10; ++i) latencies.add(3500);
  EXPECT_DOUBLE_EQ(latencies.quantile(0.95), 3500);
}

TEST(ATimeline, JoinsEqualLabelsAndCountsSeconds) {
  Timeline timeline;
  for (int i = 0; i <= 30; ++i) timeline.add(1, i < 20 ? 3 : 4, i * 0.1);
  ASSERT_EQ(timeline.stretches().size(), 2u);
  const auto seconds = timeline.seconds_per_class(7);
  EXPECT_NEAR(seconds[3], 2.0, 1e-9);
  EXPECT_NEAR(seconds[4], 1.0, 1e-9);
}

TEST(ATimeline, ForgetsTheOldestBeyondItsLimit) {
  Timeline timeline;
  for (size_t i = 0; i < Timeline::kMostStretches + 50; ++i) timeline.add(1, static_cast<int64_t>(i % 2), 0.1 * i);
  EXPECT_EQ(timeline.stretches().size(), Timeline::kMostStretches);
  const auto seconds = timeline.seconds_per_class(7);
  EXPECT_NEAR(seconds[0] + seconds[1], timeline.end(), 1e-6) << "those of the forgotten count";
  Overlay overlay(LabelSet::fer2013().names(), "fr");
  EXPECT_EQ(timeline.draw_session(overlay, "Émotions").size(2), 3);
}

}  // namespace
}  // namespace fercli::test
