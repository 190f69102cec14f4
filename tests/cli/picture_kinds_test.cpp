// Pictures as they come: what cameras, phones and editors write is read as the same face.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "core/files.hpp"
#include "core/text.hpp"
#include "data/formats/reader.hpp"
#include "data/image.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/data/pictures/picture_files.hpp"

namespace fercli::test {

namespace {

using nlohmann::json;
using testing::HasSubstr;

/// One file, and how far its probabilities may lie from those of the face as it was drawn.
struct PictureKind {
  std::string name, bytes;
  double apart = 0;
};

constexpr double kJpeg = 0.05;  ///< JPEG rounds

void add_turned(const torch::Tensor& face, std::vector<PictureKind>& kinds) {
  for (int turn = 1; turn <= 8; ++turn) {
    const torch::Tensor stored = lying(face, turn);
    kinds.push_back({fmt::format("turned-{}.jpg", turn), jpeg_file(stored, turn), kJpeg});
    kinds.push_back({fmt::format("turned-{}.png", turn), png_file(stored, {PNG_COLOR_TYPE_GRAY, 8, 0, turn})});
    kinds.push_back({fmt::format("turned-{}.tif", turn), tiff_file(stored, turn)});
    kinds.push_back({fmt::format("turned-{}.webp", turn), turned_webp_file(stored, turn)});
  }
}

void add_pixel_kinds(const torch::Tensor& face, std::vector<PictureKind>& kinds) {
  const torch::Tensor none = torch::zeros_like(face), ink = 255 - face;
  const torch::Tensor inks = torch::stack({ink, ink, ink, none}, 2), black = torch::stack({none, none, none, ink}, 2);
  kinds.push_back({"cmyk.jpg", cmyk_jpeg_file(inks, false), kJpeg});
  kinds.push_back({"cmyk-adobe.jpg", cmyk_jpeg_file(inks, true), kJpeg});
  kinds.push_back({"black-ink.jpg", cmyk_jpeg_file(black, false), kJpeg});
  kinds.push_back({"black-ink-adobe.jpg", cmyk_jpeg_file(black, true), kJpeg});
  kinds.push_back({"deep.png", png_file(face, {PNG_COLOR_TYPE_GRAY, 16})});
  kinds.push_back({"deep-colour.png", png_file(face, {PNG_COLOR_TYPE_RGB, 16})});
  kinds.push_back({"deep.tif", tiff_file(face, 1, 16)});
  kinds.push_back({"palette.png", png_file(face, {PNG_COLOR_TYPE_PALETTE})});
  kinds.push_back({"palette.gif", gif_file({face})});
  kinds.push_back({"interlaced.gif", gif_file({face}, true)});
  kinds.push_back({"interlaced.png", png_file(face, {PNG_COLOR_TYPE_GRAY, 8, PNG_INTERLACE_ADAM7})});
  kinds.push_back({"alpha.png", png_file(face, {PNG_COLOR_TYPE_GRAY_ALPHA})});
  kinds.push_back({"alpha-colour.png", png_file(face, {PNG_COLOR_TYPE_RGB_ALPHA})});
  kinds.push_back({"grey-as-colour.png", png_file(face, {PNG_COLOR_TYPE_RGB})});
}

/// A drawn face in every kind of file; the first is a plain PNG.
class PictureKinds : public testing::Test {
 protected:
  PictureKinds() {
    face_ = read_dataset("synthetic:n=1,seed=5,classes=happy").images[0][0];
    kinds_.push_back({"face.png", png_file(face_, {})});
    add_turned(face_, kinds_);
    add_pixel_kinds(face_, kinds_);
    const torch::Tensor other = 255 - face_;
    kinds_.push_back({"moving.png", animated_png_file(face_)});
    kinds_.push_back({"moving.gif", gif_file({face_, other})});
    kinds_.push_back({"moving.webp", animated_webp_file({face_, other})});
    for (const auto& kind : kinds_) write_file(folder_ / kind.name, kind.bytes);
  }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  /// `before`, then every kind, each with `option` before it unless that is "", then `after`.
  std::vector<std::string> words(std::vector<std::string> before, const std::string& option,
                                 const std::vector<std::string>& after) const {
    for (const auto& kind : kinds_) {
      if (!option.empty()) before.push_back(option);
      before.push_back(path(kind.name));
    }
    before.insert(before.end(), after.begin(), after.end());
    before.insert(before.end(), {"--threads", "1", "--precision", "fp32"});
    return before;
  }

  torch::Tensor face_;
  std::vector<PictureKind> kinds_;
  const ScratchFolder folder_;
};

TEST_F(PictureKinds, AreTheSameFaceToPredict) {
  const auto result = run_in_process(words({"predict"}, "", {"--json"}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json pictures = json::parse(result.out);
  ASSERT_EQ(pictures.size(), kinds_.size());
  const json& plain = pictures[0]["faces"][0];
  for (size_t i = 0; i < kinds_.size(); ++i) {
    const json& face = pictures[i]["faces"].at(0);
    EXPECT_EQ(face["emotion"], plain["emotion"]) << kinds_[i].name;
    for (const auto& [emotion, probability] : plain["probabilities"].items()) {
      EXPECT_NEAR(face["probabilities"][emotion].get<double>(), probability.get<double>(), kinds_[i].apart + 1e-6)
          << kinds_[i].name << ", " << emotion;
    }
  }
}

TEST_F(PictureKinds, AreTheSameFaceToAttack) {
  const auto result = run_in_process(words({"attack", "happy-to-any"}, "--image",
                                           {"--attack", "fgsm", "--min-confidence", "0", "--out", path("out")}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto lines = split(trim(read_file(folder_ / "out/per_image.csv")), '\n');
  ASSERT_EQ(lines.size(), kinds_.size() + 1);
  const auto plain = split(lines[1], ',');
  for (size_t i = 0; i < kinds_.size(); ++i) {
    const auto row = split(lines[i + 1], ',');
    EXPECT_THAT(row[0], HasSubstr(kinds_[i].name));
    EXPECT_EQ(row[2], plain[2]) << row[0];
    EXPECT_NEAR(parse_number(row[3]), parse_number(plain[3]), kinds_[i].apart + 1e-6) << row[0];
    if (kinds_[i].apart == 0) {
      EXPECT_EQ(row[6], plain[6]) << row[0];
    }
  }
}

TEST_F(PictureKinds, OfAnAnimationTheFirstFrameIsReadWithAWord) {
  for (const char* name : {"moving.png", "moving.gif", "moving.webp"}) {
    const auto result = run_fercli({"predict", path(name)});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.err, HasSubstr(std::string(name) + ": is an animation; its first frame is read")) << name;
  }
  EXPECT_EQ(run_fercli({"predict", path("palette.gif")}).err, "");
}

TEST_F(PictureKinds, OfAPhoneAreRefusedWithTheWayOut) {
  const std::string heic = std::string("\0\0\0\x18", 4) + "ftypheic" + std::string(4, '\0') + "mif1heic";
  write_file(path("photo.HEIC"), heic);
  std::filesystem::create_directory(path("phone"));
  write_file(path("phone/photo.HEIC"), heic);
  for (const auto& command :
       std::vector<std::vector<std::string>>{{"predict", path("photo.HEIC")},
                                             {"predict", path("phone")},
                                             {"attack", "any-to-sad", "--image", path("photo.HEIC")}}) {
    const auto result = run_in_process(command);
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_THAT(result.err, HasSubstr("photo.HEIC: is HEIF (HEIC), as phones write it, which is not read; convert it "
                                      "with `heif-convert FILE FILE.jpg`"));
  }
}

TEST_F(PictureKinds, OfOnePixelOrAVeryWideStripDoNoHarm) {
  write_file(path("dot.png"), png_file(torch::full({1, 1}, 90, torch::kUInt8), {}));
  const auto refused = run_in_process({"attack", "any-to-sad", "--image", path("dot.png")});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("dot.png: is only 1x1 pixels"));
  const auto dot = run_in_process({"predict", path("dot.png"), "--json"});
  EXPECT_EQ(dot.exit_code, 0) << dot.err;

  ReadOptions large;
  large.size = 240;
  const auto portrait =
      read_dataset("synthetic:n=1,seed=5,classes=happy,framing=portrait,size=240", large).images[0][0];
  torch::Tensor strip = torch::full({240, 20000}, 128, torch::kUInt8);
  strip.narrow(1, 19000, 240).copy_(portrait);
  write_file(path("strip.png"), by_opencv(".png", strip));
  const auto wide = run_in_process({"predict", path("strip.png"), "--json"});
  ASSERT_EQ(wide.exit_code, 0) << wide.err;
  const json faces = json::parse(wide.out)[0]["faces"];
  ASSERT_EQ(faces.size(), 1u);
  EXPECT_EQ(faces[0]["emotion"], "Happy");
  EXPECT_NEAR(faces[0]["box"]["x"].get<double>() + faces[0]["box"]["w"].get<double>() / 2, 19120, 25);
}

}  // namespace

}  // namespace fercli::test
