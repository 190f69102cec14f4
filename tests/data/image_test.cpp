#include "data/image.hpp"

#include <atomic>
#include <opencv2/imgcodecs.hpp>

#include "core/files.hpp"
#include "data/each_image.hpp"
#include "data/formats/reader.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/data/sample_data.hpp"

namespace fercli {
namespace {

using test::ScratchFolder;
using test::user_error;
using ::testing::HasSubstr;

torch::Tensor red_then_blue() {
  torch::Tensor image = torch::zeros({3, 8, 16}, torch::kUInt8);
  image[0].slice(1, 0, 8).fill_(255);
  image[2].slice(1, 8, 16).fill_(255);
  return image;
}

std::string as_jpeg(int side) {
  std::vector<uint8_t> bytes;
  cv::imencode(".jpg", cv::Mat(side, side, CV_8UC1, cv::Scalar(77)), bytes);
  return {bytes.begin(), bytes.end()};
}

TEST(Image, EachOneOfManyIsWorkedOnOnce) {
  std::vector<std::atomic<int>> calls(1000);
  for_each_image(
      "Trying", 1000, 16, [&](int64_t i) { ++calls[static_cast<size_t>(i)]; }, Observer::none());
  for (const auto& count : calls) EXPECT_EQ(count, 1);
}

TEST(Image, AnObserverSeesEachOneOfManyAndTheEnd) {
  struct Counting : Observer {
    void begin(const Work& work) override { begun = work.doing, left = work.total; }
    void advance(int64_t worked, int64_t) override { left -= worked; }
    void end() override { ended = true; }
    std::string begun;
    int64_t left = 0;
    bool ended = false;
  } observer;
  for_each_image(
      "Trying", 1000, 16, [](int64_t) {}, observer);
  EXPECT_EQ(observer.begun, "Trying");
  EXPECT_EQ(observer.left, 0);
  EXPECT_TRUE(observer.ended);
}

TEST(Image, PngKeepsGreyAndColourExactly) {
  const ScratchFolder folder;
  for (const int64_t channels : {1, 3}) {
    const torch::Tensor image = test::sample_dataset(1, channels).images[0];
    write_png(image, folder / "image.png");
    EXPECT_TRUE(torch::equal(read_image(folder / "image.png", channels), image));
  }
}

TEST(Image, JpegKeepsMoreAtMoreQuality) {
  const torch::Tensor image = read_dataset("synthetic:n=1,seed=2").images[0];
  const auto error = [&](int64_t quality) {
    const auto back = decode_image(encode_jpeg(image, quality), 1, "jpeg");
    return (back.to(torch::kFloat32) - image.to(torch::kFloat32)).abs().mean().item<double>();
  };
  EXPECT_GT(error(20), error(75));
  EXPECT_LT(error(75), 8);
  EXPECT_LT(encode_jpeg(image, 20).size(), encode_jpeg(image, 75).size());
}

TEST(Image, ChannelsAreRedGreenBlue) {
  const ScratchFolder folder;
  write_file(folder / "red.ppm", std::string("P6 1 1 255\n\xff\x10\x02", 14));
  const torch::Tensor image = read_image(folder / "red.ppm", 3);
  EXPECT_EQ(image[0].item<int>(), 255);
  EXPECT_EQ(image[1].item<int>(), 16);
  EXPECT_EQ(image[2].item<int>(), 2);
}

TEST(Image, GreyFollowsItuR601) {
  const torch::Tensor grey = convert_channels(red_then_blue(), 1);
  EXPECT_EQ(grey.size(0), 1);
  EXPECT_EQ(grey[0][0][0].item<int>(), 76);   // 0.299 of 255
  EXPECT_EQ(grey[0][0][15].item<int>(), 29);  // 0.114 of 255
}

TEST(Image, GreyIsRepeatedToRgb) {
  const torch::Tensor grey = test::sample_dataset(1).images[0];
  const torch::Tensor rgb = convert_channels(grey, 3);
  EXPECT_TRUE(torch::equal(rgb[0], grey[0]));
  EXPECT_TRUE(torch::equal(rgb[2], grey[0]));
}

TEST(Image, ShrinkingAveragesAreas) {
  torch::Tensor board = torch::zeros({1, 4, 4}, torch::kUInt8);
  board[0][0][0] = 200;
  board[0][1][1] = 100;
  const torch::Tensor half = resize_image(board, 2, 2);
  EXPECT_EQ(half[0][0][0].item<int>(), 75);
  EXPECT_EQ(half[0][1][1].item<int>(), 0);
}

TEST(Image, ResizingKeepsColoursApart) {
  const torch::Tensor large = resize_image(red_then_blue(), 32, 64);
  EXPECT_EQ(large.sizes(), (torch::IntArrayRef{3, 32, 64}));
  EXPECT_EQ(large[0][16][0].item<int>(), 255);
  EXPECT_EQ(large[2][16][0].item<int>(), 0);
  EXPECT_EQ(large[2][16][63].item<int>(), 255);
}

TEST(Image, EnlargingKeepsSquares) {
  const torch::Tensor large = enlarge_image(red_then_blue(), 3);
  EXPECT_EQ(large.size(1), 24);
  EXPECT_EQ(large[0][2][23].item<int>(), 255);
  EXPECT_EQ(large[0][2][24].item<int>(), 0);
}

TEST(Image, MissingFileIsNamed) {
  EXPECT_EQ(user_error([] { read_image("nowhere.png", 1); }), "nowhere.png: no such file");
}

TEST(Image, TextIsNoImage) {
  EXPECT_EQ(user_error([] { decode_image("hello", 1, "a.png"); }), "a.png: is not a readable image");
  EXPECT_EQ(user_error([] { decode_image("", 1, "a.png"); }), "a.png: is empty, not an image");
}

TEST(Image, JpegCutShortIsRefused) {
  const std::string bytes = as_jpeg(48);
  EXPECT_EQ(decode_image(bytes, 1, "a.jpg")[0][3][3].item<int>(), 77);
  EXPECT_EQ(user_error([&] { decode_image(bytes.substr(0, bytes.size() - 8), 1, "a.jpg"); }),
            "a.jpg: is a JPEG cut short");
}

TEST(Image, PngCutShortIsRefused) {
  const ScratchFolder folder;
  write_png(red_then_blue(), folder / "a.png");
  const std::string bytes = read_file(folder / "a.png");
  EXPECT_EQ(user_error([&] { decode_image(bytes.substr(0, bytes.size() - 10), 1, "a.png"); }),
            "a.png: is a PNG cut short");
}

TEST(Image, UnwritablePlaceIsNamed) {
  const ScratchFolder folder;
  write_file(folder / "file", "x");
  EXPECT_THAT(user_error([&] { write_png(red_then_blue(), folder / "file" / "a.png"); }), HasSubstr("file"));
}

/// A 16-bit PNG whose pixels run from 0 to `most`.
std::string deep_png(int most) {
  cv::Mat mat(4, 4, CV_16UC1);
  for (int i = 0; i < 16; ++i) mat.at<uint16_t>(i / 4, i % 4) = static_cast<uint16_t>(most * i / 15);
  std::vector<uint8_t> bytes;
  cv::imencode(".png", mat, bytes);
  return {bytes.begin(), bytes.end()};
}

TEST(Image, SixteenBitsThatHoldEightAreAWarning) {
  const auto warning_of = [](const std::string& bytes) {
    testing::internal::CaptureStderr();
    decode_image(bytes, 1, "face.png");
    return testing::internal::GetCapturedStderr();
  };
  EXPECT_EQ(warning_of(deep_png(65535)), "");
  EXPECT_EQ(warning_of(deep_png(256)), "");
  EXPECT_EQ(decode_image(deep_png(65535), 1, "face.png").max().item<uint8_t>(), 255);
  EXPECT_THAT(warning_of(deep_png(255)), HasSubstr("face.png: has 16-bit pixels, but none above 255 of 65535"));
  EXPECT_EQ(warning_of(deep_png(255)), "") << "once is enough";
}

}  // namespace
}  // namespace fercli
