#include "data/pictures/decoders.hpp"

#include <png.h>
#include <tiffio.h>

#include <map>
#include <opencv2/imgcodecs.hpp>

#include "core/clock.hpp"
#include "core/files.hpp"
#include "core/interrupt.hpp"
#include "core/random.hpp"
#include "data/formats/reader.hpp"
#include "data/image.hpp"
#include "serve/metrics.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/data/pictures/picture_files.hpp"
#include "tests/user_error.hpp"

namespace fercli {

namespace {

using Why = PictureRefused::Why;

/// A drawn face in false colours, not square, of odd sides.
cv::Mat scene() {
  const torch::Tensor grey = read_dataset("synthetic:n=1,seed=3").images[0][0];
  cv::Mat mat(37, 43, CV_8UC3);
  for (int y = 0; y < mat.rows; ++y) {
    for (int x = 0; x < mat.cols; ++x) {
      const auto value = grey[y][x].item<uint8_t>();
      mat.at<cv::Vec3b>(y, x) = {value, static_cast<uint8_t>(value / 2 + 5 * x), static_cast<uint8_t>(255 - value)};
    }
  }
  return mat;
}

std::string encoded(const char* extension, const cv::Mat& mat, const std::vector<int>& parameters = {}) {
  std::vector<uint8_t> bytes;
  EXPECT_TRUE(cv::imencode(extension, mat, bytes, parameters)) << extension;
  return {bytes.begin(), bytes.end()};
}

/// What OpenCV's own reader makes of it: (channels,H,W), red first.
torch::Tensor by_opencv(const std::string& bytes, int channels) {
  const cv::Mat view(1, static_cast<int>(bytes.size()), CV_8UC1, const_cast<char*>(bytes.data()));
  const cv::Mat mat = cv::imdecode(view, channels == 1 ? cv::IMREAD_GRAYSCALE : cv::IMREAD_COLOR);
  return torch::from_blob(mat.data, {mat.rows, mat.cols, channels}, torch::kUInt8).permute({2, 0, 1}).flip(0).clone();
}

/// `worst`: how far grey values may lie apart, where two roundings are right.
void expect_as_opencv(const std::string& bytes, const std::string& name, int64_t worst = 0) {
  for (const int channels : {1, 3}) {
    const auto ours = decode_image(bytes, channels, name), theirs = by_opencv(bytes, channels);
    ASSERT_EQ(ours.sizes(), theirs.sizes()) << name;
    const auto apart = (ours.to(torch::kInt32) - theirs.to(torch::kInt32)).abs().max().item<int64_t>();
    EXPECT_LE(apart, channels == 1 ? worst : 0) << name << ", " << channels << " channels";
  }
}

std::string refusal(const std::string& bytes, Why why, const DecodeLimits& limits = {}) {
  try {
    decode_image(bytes, 3, "a", limits);
  } catch (const PictureRefused& error) {
    EXPECT_EQ(error.why(), why) << error.what();
    return error.what();
  }
  return "";
}

TEST(Decoders, EveryFormatIsReadAsOpenCvReadsIt) {
  const cv::Mat colour = scene();
  cv::Mat grey, opaque, deep;
  cv::extractChannel(colour, grey, 0);
  std::vector<cv::Mat> planes{grey, grey, grey, grey / 2};
  cv::merge(planes, opaque);
  colour.convertTo(deep, CV_16U, 257);
  for (const char* extension : {".png", ".jpg", ".bmp", ".tif"}) {
    expect_as_opencv(encoded(extension, grey), extension);
  }
  expect_as_opencv(encoded(".png", colour), "colour.png");
  expect_as_opencv(encoded(".png", opaque), "opaque.png");
  expect_as_opencv(encoded(".png", deep), "deep.png");
  expect_as_opencv(encoded(".png", grey > 100, {cv::IMWRITE_PNG_BILEVEL, 1}), "bits.png");
  expect_as_opencv(encoded(".jpg", colour), "colour.jpg");
  expect_as_opencv(encoded(".jpg", colour, {cv::IMWRITE_JPEG_PROGRESSIVE, 1}), "progressive.jpg");
  expect_as_opencv(encoded(".webp", colour), "colour.webp", 1);
  expect_as_opencv(encoded(".webp", colour, {cv::IMWRITE_WEBP_QUALITY, 101}), "lossless.webp", 1);
  expect_as_opencv(encoded(".bmp", colour), "colour.bmp", 1);
  expect_as_opencv(encoded(".tif", colour), "colour.tif", 1);
  expect_as_opencv(encoded(".tif", deep), "deep.tif", 1);
  for (const int binary : {0, 1}) {
    expect_as_opencv(encoded(".pgm", grey, {cv::IMWRITE_PXM_BINARY, binary}), "grey.pgm");
    expect_as_opencv(encoded(".ppm", colour, {cv::IMWRITE_PXM_BINARY, binary}), "colour.ppm", 1);
  }
}

TEST(Decoders, TheGreatestOfSixteenBitValuesIsKnown) {
  cv::Mat deep(9, 8, CV_16UC1, cv::Scalar(7));
  deep.at<uint16_t>(3, 4) = 201;
  EXPECT_EQ(decode_png(encoded(".png", deep), 1, {}).greatest_deep, 201);
  EXPECT_EQ(decode_tiff(encoded(".tif", deep), 3, {}).greatest_deep, 201);
  EXPECT_EQ(decode_png(encoded(".png", deep * 257), 3, {}).greatest_deep, 201 * 257);
  EXPECT_EQ(decode_png(encoded(".png", scene()), 3, {}).greatest_deep, 0);
}

std::string exif_segment(int orientation) {
  const std::string exif = std::string("Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0", 25) +
                           static_cast<char>(orientation) + std::string("\0\0\0\0\0\0", 6);
  return std::string("\xff\xe1\0", 3) + static_cast<char>(exif.size() + 2) + exif;
}

TEST(Decoders, PhotographsAreTurnedUprightAsTheirCameraSays) {
  const std::string lying = encoded(".jpg", scene());
  for (int orientation = 1; orientation <= 8; ++orientation) {
    expect_as_opencv(lying.substr(0, 2) + exif_segment(orientation) + lying.substr(2), std::to_string(orientation));
  }
  expect_as_opencv(lying.substr(0, 2) + exif_segment(77) + lying.substr(2), "nonsense");
}

TEST(Decoders, AWindowsBitmapWithPaletteOrRunsIsRead) {
  std::string bmp("BM\0\0\0\0\0\0\0\0\x3e\0\0\0\x28\0\0\0\x04\0\0\0\x02\0\0\0\x01\0\x04\0\x02\0\0\0", 34);
  bmp += std::string("\0\0\0\0\0\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0", 20);
  bmp += std::string("\x0a\x14\x1e\0\x28\x32\x3c\0", 8);  // blue, green, red of two colours
  bmp +=
      std::string("\x04\x01\0\0\0\x04\x01\x01\0\x01", 10);  // a run of 1 and 0, a new line, four as they are, the end
  const auto image = decode_image(bmp, 3, "runs.bmp");
  EXPECT_TRUE(
      torch::equal(image[0], torch::tensor({{0x1e, 0x3c, 0x1e, 0x3c}, {0x1e, 0x3c, 0x1e, 0x3c}}, torch::kUInt8)) ||
      torch::equal(image[0][1], torch::tensor({0x1e, 0x3c, 0x1e, 0x3c}, torch::kUInt8)))
      << image[0];
  EXPECT_EQ(image[2][1][1].item<int>(), 0x28);
}

TEST(Decoders, ABitmapOfLettersIsBlackWhereItSaysOne) {
  const auto image = decode_image("P1 # two by two\n2 2\n10 01\n", 1, "a.pbm");
  EXPECT_TRUE(torch::equal(image[0], torch::tensor({{0, 255}, {255, 0}}, torch::kUInt8)));
  const auto packed = decode_image(std::string("P4 2 2\n\x80\x40", 9), 1, "a.pbm");
  EXPECT_TRUE(torch::equal(packed, image));
  EXPECT_EQ(decode_image("P2 1 1 15 3", 1, "a.pgm")[0][0][0].item<int>(), 51);
}

/// A JPEG that claims this size, behind markers that a search for its size stumbles over.
std::string hidden_size(int side) {
  std::string jpeg = encoded(".jpg", cv::Mat(16, 16, CV_8UC1, cv::Scalar(9)));
  const size_t frame = jpeg.find("\xff\xc0");
  for (const size_t place : {frame + 5, frame + 7}) {
    jpeg[place] = static_cast<char>(side >> 8);
    jpeg[place + 1] = static_cast<char>(side & 255);
  }
  const std::string decoy("\xff\xc0\0\x0b\x08\0\x10\0\x10\x01\x01\x11\0", 13);
  return std::string("\xff\xd8\xff\xd0\xff\xfe\0\x0f", 8) + decoy + jpeg.substr(2) + decoy;
}

TEST(Decoders, TheSizeThatCountsIsTheDecodersOwn) {
  EXPECT_EQ(refusal(hidden_size(12000), Why::TooLarge), "a: has 12000x12000 pixels, more than 128 million");
  DecodeLimits limits;
  limits.most_pixels = 500;
  EXPECT_EQ(decode_image(hidden_size(16), 3, "a", limits).size(1), 16);
}

TEST(Decoders, EveryFormatKeepsToTheLimitOfPixels) {
  DecodeLimits limits;
  limits.most_pixels = 37 * 43 - 1;
  for (const char* extension : {".png", ".jpg", ".webp", ".bmp", ".tif", ".ppm"}) {
    const std::string bytes = encoded(extension, scene());
    EXPECT_EQ(refusal(bytes, Why::TooLarge, limits), "a: has 43x37 pixels, more than 1590") << extension;
  }
  limits.most_pixels += 1;
  for (const char* extension : {".png", ".jpg", ".webp", ".bmp", ".tif", ".ppm"}) {
    EXPECT_EQ(decode_image(encoded(extension, scene()), 3, "a", limits).size(1), 37) << extension;
  }
}

TEST(Decoders, AJpegThatGoesOverItsPictureForeverIsRefused) {
  std::string jpeg = encoded(".jpg", scene(), {cv::IMWRITE_JPEG_PROGRESSIVE, 1});
  const size_t last = jpeg.rfind("\xff\xda"), end = jpeg.rfind("\xff\xd9");
  const std::string scan = jpeg.substr(last, end - last);
  for (int i = 0; i < 200; ++i) jpeg.insert(end, scan);
  EXPECT_EQ(refusal(jpeg, Why::TooLarge), "a: is a JPEG of more than 100 scans, the most for its size");
}

/// A small PNG whose texts unpack to `megabytes`.
std::string png_of_texts(int megabytes) {
  std::string out;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(
      png, &out,
      [](png_structp to, png_bytep data, size_t count) {
        static_cast<std::string*>(png_get_io_ptr(to))->append(reinterpret_cast<char*>(data), count);
      },
      nullptr);
  png_set_IHDR(png, info, 8, 8, 8, PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  png_set_text_compression_level(png, 1);  // which packs one letter two hundredfold, and quickly
  std::string zeros(7 << 20, 'x'), key = "Comment";
  png_text text{};
  text.compression = PNG_TEXT_COMPRESSION_zTXt;
  text.key = key.data();
  text.text = zeros.data();
  text.text_length = zeros.size();
  for (int i = 0; i < megabytes / 7; ++i) png_set_text(png, info, &text, 1);
  png_write_info(png, info);
  std::vector<uint8_t> row(8, 77);
  for (int y = 0; y < 8; ++y) png_write_row(png, row.data());
  png_write_end(png, nullptr);
  png_destroy_write_struct(&png, &info);
  return out;
}

TEST(Decoders, PackedTextsInAPngStayPacked) {
  const std::string png = png_of_texts(350);
  const double before = resident_bytes();
  const auto start = Clock::now();
  EXPECT_EQ(decode_image(png, 1, "a")[0][0][0].item<int>(), 77);
  EXPECT_LT(seconds_since(start), 0.5);
  EXPECT_LT(resident_bytes() - before, 50e6);
}

TEST(Decoders, FormatsWithoutADecoderAreRefusedByName) {
  const std::vector<std::pair<std::string, std::string>> known{
      {std::string("\0\0\0\x0cjP  \r\n", 10), "JPEG 2000"}, {"P7\nWIDTH 1", "PAM"}, {"%PDF-1.7", "PDF"}};
  for (const auto& [bytes, words] : known) {
    EXPECT_EQ(
        refusal(bytes, Why::OtherFormat),
        "a: is " + words + ", which is not read; save it as PNG or JPEG (WEBP, GIF, BMP, TIFF and PNM are read too)");
  }
  for (const std::string kind : {"avif", "heic", "heix", "hevc", "mif1", "msf1"}) {
    EXPECT_THAT(refusal(std::string(4, '\0') + "ftyp" + kind, Why::OtherFormat), testing::HasSubstr("heif-convert"));
  }
}

TEST(Decoders, PicturesCutShortAreRefusedInEveryFormat) {
  for (const char* extension : {".png", ".jpg", ".webp", ".bmp", ".ppm", ".tif"}) {
    const std::string bytes = encoded(extension, scene());
    for (const size_t share : {4, 2}) {
      EXPECT_THAT(refusal(bytes.substr(0, bytes.size() / share), Why::Damaged), testing::HasSubstr("a: is a"))
          << extension;
    }
  }
}

TEST(Decoders, InksArePaleInAdobesFilesAndFullInOthers) {
  const torch::Tensor inks = torch::tensor({51, 102, 0, 51}, torch::kUInt8).expand({16, 16, 4});
  for (const bool adobe : {false, true}) {
    const auto image = decode_image(test::cmyk_jpeg_file(inks, adobe), 3, "inks.jpg");
    const int wanted[] = {204 * 204 / 255, 153 * 204 / 255, 204};
    for (int c = 0; c < 3; ++c) EXPECT_NEAR(image[c][8][8].item<int>(), wanted[c], 2) << adobe << ", channel " << c;
  }
}

TEST(Decoders, AGifOfManyCodesIsReadToItsLastPixel) {
  Rng rng(5);
  torch::Tensor noise = torch::empty({61, 203}, torch::kUInt8);
  for (int64_t i = 0; i < noise.numel(); ++i) noise.data_ptr<uint8_t>()[i] = static_cast<uint8_t>(rng.below(256));
  const torch::Tensor flat = torch::full({300, 300}, 7, torch::kUInt8);
  for (const auto& pixels : {noise, flat}) {
    for (const bool interlaced : {false, true}) {
      const RawPicture picture = decode_gif(test::gif_file({pixels}, interlaced), 1, {});
      ASSERT_EQ(picture.height, pixels.size(0));
      ASSERT_EQ(picture.width, pixels.size(1));
      EXPECT_EQ(std::memcmp(picture.values.data(), pixels.data_ptr<uint8_t>(), picture.values.size()), 0);
      EXPECT_FALSE(picture.animated);
    }
  }
}

TEST(Decoders, AGifOrAnimationCutShortOrTooLargeIsRefused) {
  const torch::Tensor face = read_dataset("synthetic:n=1,seed=3").images[0][0];
  const std::string gif = test::gif_file({face}), webp = test::animated_webp_file({face, face});
  for (const size_t length : {size_t{8}, size_t{400}, size_t{790}, gif.size() - 200}) {
    EXPECT_EQ(refusal(gif.substr(0, length), Why::Damaged), "a: is a GIF cut short") << length;
  }
  EXPECT_EQ(refusal(webp.substr(0, 200), Why::Damaged), "a: is a WEBP cut short");
  DecodeLimits limits;
  limits.most_pixels = 48 * 48 - 1;
  for (const auto& file : {gif, webp}) {
    EXPECT_EQ(refusal(file, Why::TooLarge, limits), "a: has 48x48 pixels, more than 2303");
  }
  const Deadline passed(Clock::now() - std::chrono::seconds(1));
  EXPECT_THROW(decode_image(gif, 3, "a"), Late);
}

TEST(Decoders, AFileHoldsSoManyPixelsAtMost) {
  EXPECT_EQ(pixels_held(Packing::None, 100, 1), 800);
  EXPECT_EQ(pixels_held(Packing::None, 100, 16), 50);
  EXPECT_EQ(pixels_held(Packing::PackBits, 100), 6'400);
  EXPECT_EQ(pixels_held(Packing::BmpRuns, 100), 12'800);
  EXPECT_EQ(pixels_held(Packing::JpegHuffman, 100), 51'200);
  EXPECT_EQ(pixels_held(Packing::Deflate, 100), 103'200);
  EXPECT_EQ(pixels_held(Packing::Deflate, 100, 24), 34'400);
  EXPECT_EQ(pixels_held(Packing::Lzw, 100), 273'100);
  EXPECT_EQ(pixels_held(Packing::Modelled, 100), 52'428'800);
}

/// With another size in its head.
std::string resized_png(std::string png, uint64_t width, uint64_t height) {
  return png.replace(
      8, 25, test::png_chunk("IHDR" + test::big_bytes(width, 4) + test::big_bytes(height, 4) + png.substr(24, 5)));
}

/// Square, of square tiles; the only one has the bytes at the file's beginning. `packing`: 1 none, 8 Deflate.
std::string tiled_tiff(uint64_t side, uint64_t tile, uint64_t packing, uint64_t samples = 1) {
  const std::vector<std::pair<uint64_t, uint64_t>> entries{{256, side}, {257, side},    {258, 8},    {259, packing},
                                                           {262, 1},    {277, samples}, {322, tile}, {323, tile},
                                                           {324, 8},    {325, 100}};
  std::string file = std::string("II*\0", 4) + test::little_bytes(8, 4) + test::little_bytes(entries.size(), 2);
  for (const auto& [tag, value] : entries) {
    file +=
        test::little_bytes(tag, 2) + test::little_bytes(4, 2) + test::little_bytes(1, 4) + test::little_bytes(value, 4);
  }
  return file + test::little_bytes(0, 4);
}

TEST(Decoders, FilesTooSmallForTheirPixelsAreRefused) {
  const torch::Tensor face = read_dataset("synthetic:n=1,seed=3").images[0][0];
  std::string gif = test::gif_file({face});
  gif.replace(13 + 3 * 256 + 6 + 5, 4, std::string("\x10\x27\x10\x27", 4));
  std::string bmp("BM\0\0\0\0\0\0\0\0\x3e\0\0\0\x28\0\0\0\x10\x27\0\0\x10\x27\0\0\x01\0\x08\0", 30);
  const std::string plain_bmp = bmp + std::string(2000, '\0'), packed_bmp = bmp + '\1' + std::string(2000, '\0');
  const std::map<std::string, std::vector<std::string>> files{
      {"PNG", {resized_png(encoded(".png", scene()), 10000, 10000)}},
      {"JPEG", {hidden_size(11000)}},
      {"GIF", {gif}},
      {"BMP", {plain_bmp, packed_bmp}},
      {"PNM", {"P5 10000 10000 255\n1234", "P3 10000 10000 255\n1 2 3 4", "P1 10000 10000\n0101"}},
      {"TIFF", {tiled_tiff(10000, 16, 1), tiled_tiff(10000, 16, 8), tiled_tiff(4, 16, 1)}}};
  for (const auto& [format, members] : files) {
    for (const auto& bytes : members) EXPECT_EQ(refusal(bytes, Why::Damaged), "a: is a " + format + " cut short");
  }
}

TEST(Decoders, LargePicturesOfOneColourAreRead) {
  const torch::Tensor flat = torch::full({1, 1500, 1500}, 90, torch::kUInt8);
  const cv::Mat mat(1500, 1500, CV_8UC1, cv::Scalar(90));
  const std::vector<std::string> files{
      encode_png(flat),
      encode_jpeg(flat, 50),
      encoded(".jpg", mat, {cv::IMWRITE_JPEG_PROGRESSIVE, 1, cv::IMWRITE_JPEG_OPTIMIZE, 1}),
      encoded(".png", mat, {cv::IMWRITE_PNG_BILEVEL, 1}),
      encoded(".webp", mat, {cv::IMWRITE_WEBP_QUALITY, 101}),
      encoded(".tif", mat)};
  for (const auto& bytes : files) EXPECT_EQ(decode_image(bytes, 1, "a").size(2), 1500);
  const torch::Tensor smaller = torch::full({1000, 1000}, 90, torch::kUInt8);
  EXPECT_EQ(decode_image(test::gif_file({smaller}), 1, "a").size(2), 1000);
}

TEST(Decoders, APngThatGoesOnBehindItsLastRowIsRefused) {
  const cv::Mat mat(20'000, 1000, CV_8UC1, cv::Scalar(0));
  EXPECT_EQ(refusal(resized_png(encoded(".png", mat), 1000, 8), Why::Damaged), "a: is a damaged PNG");
}

TEST(Decoders, ATileFarLargerThanItsTiffIsRefused) {
  EXPECT_EQ(refusal(tiled_tiff(16, 16000, 8), Why::TooLarge), "a: is a TIFF in pieces too large for its size");
}

TEST(Decoders, ATiffOfManySamplesForAPixelIsRefused) {
  EXPECT_EQ(refusal(tiled_tiff(16, 16, 8, 17), Why::TooLarge), "a: is a TIFF with too many samples for each pixel");
}

TEST(Decoders, OfATiffInPlanesTheGreatestColourCounts) {
  const test::ScratchFolder folder;
  const auto path = folder / "planes.tif";
  TIFF* tiff = TIFFOpen(path.c_str(), "w");
  const std::pair<int, int> fields[] = {{TIFFTAG_IMAGEWIDTH, 8},
                                        {TIFFTAG_IMAGELENGTH, 8},
                                        {TIFFTAG_BITSPERSAMPLE, 16},
                                        {TIFFTAG_SAMPLESPERPIXEL, 4},
                                        {TIFFTAG_PLANARCONFIG, PLANARCONFIG_SEPARATE},
                                        {TIFFTAG_ROWSPERSTRIP, 4},
                                        {TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_RGB}};
  for (const auto& [tag, value] : fields) TIFFSetField(tiff, static_cast<uint32_t>(tag), value);
  const uint16_t alpha = EXTRASAMPLE_UNASSALPHA;
  TIFFSetField(tiff, TIFFTAG_EXTRASAMPLES, 1, &alpha);
  for (uint16_t plane = 0; plane < 4; ++plane) {
    std::vector<uint16_t> row(8, plane == 3 ? 65535 : static_cast<uint16_t>(100 + plane));
    for (uint32_t y = 0; y < 8; ++y) TIFFWriteScanline(tiff, row.data(), y, plane);
  }
  TIFFClose(tiff);
  EXPECT_EQ(decode_tiff(read_file(path), 3, {}).greatest_deep, 102);
}

TEST(Decoders, TiffsAreReadFromTilesAndStripsOfAnySize) {
  const cv::Mat colour = scene();
  const test::ScratchFolder folder;
  const std::string path = (folder / "a.tif").string();
  for (const int rows : {-32, -16, 7, 1}) {  // of tiles, of strips
    TIFF* tiff = TIFFOpen(path.c_str(), "w");
    const std::pair<int, int> fields[] = {{TIFFTAG_IMAGEWIDTH, colour.cols},
                                          {TIFFTAG_IMAGELENGTH, colour.rows},
                                          {TIFFTAG_BITSPERSAMPLE, 8},
                                          {TIFFTAG_SAMPLESPERPIXEL, 3},
                                          {TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG},
                                          {TIFFTAG_COMPRESSION, COMPRESSION_LZW},
                                          {TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_RGB}};
    for (const auto& [tag, value] : fields) TIFFSetField(tiff, static_cast<uint32_t>(tag), value);
    if (rows > 0) {
      TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, rows);
      for (int y = 0; y < colour.rows; ++y) {
        TIFFWriteScanline(tiff, const_cast<uint8_t*>(colour.ptr(y)), static_cast<uint32_t>(y), 0);
      }
    } else {
      TIFFSetField(tiff, TIFFTAG_TILEWIDTH, 16);
      TIFFSetField(tiff, TIFFTAG_TILELENGTH, -rows);
      for (int y = 0; y < colour.rows; y -= rows) {
        for (int x = 0; x < colour.cols; x += 16) {
          cv::Mat tile(-rows, 16, CV_8UC3, cv::Scalar(0));
          const cv::Rect part = cv::Rect(x, y, 16, -rows) & cv::Rect(0, 0, colour.cols, colour.rows);
          colour(part).copyTo(tile(cv::Rect(0, 0, part.width, part.height)));
          TIFFWriteTile(tiff, tile.data, static_cast<uint32_t>(x), static_cast<uint32_t>(y), 0, 0);
        }
      }
    }
    TIFFClose(tiff);
    const torch::Tensor read = decode_image(read_file(path), 3, "a.tif").permute({1, 2, 0}).contiguous();
    ASSERT_EQ(read.numel(), colour.rows * colour.cols * 3);
    EXPECT_EQ(std::memcmp(read.data_ptr<uint8_t>(), colour.data, static_cast<size_t>(read.numel())), 0) << rows;
  }
}

TEST(Decoders, ABitmapWhoseRunsEndBeforeItsRowsIsCutShort) {
  std::string bmp("BM\0\0\0\0\0\0\0\0\x3e\0\0\0\x28\0\0\0\x04\0\0\0\x02\0\0\0\x01\0\x04\0\x02\0\0\0", 34);
  bmp += std::string(28, '\0') + std::string("\x09\x01", 2);  // a run that is longer than its row
  EXPECT_EQ(refusal(bmp + std::string("\0\x01", 2), Why::Damaged), "a: is a BMP cut short");
  EXPECT_EQ(refusal(bmp + std::string("\0\0\0\x01", 4), Why::Damaged), "");
}

TEST(Decoders, APassedDeadlineEndsTheDecoding) {
  const Deadline passed(Clock::now() - std::chrono::seconds(1));
  for (const char* extension : {".png", ".jpg", ".webp", ".bmp", ".ppm", ".tif"}) {
    EXPECT_THROW(decode_image(encoded(extension, scene()), 3, "a"), Late) << extension;
  }
}

TEST(Decoders, ChangedBytesNeverDoHarm) {
  Rng rng(11);
  const torch::Tensor face = read_dataset("synthetic:n=1,seed=3").images[0][0];
  std::vector<std::string> files{test::gif_file({face, face}), test::animated_webp_file({face, face}),
                                 test::turned_webp_file(face, 6)};
  for (const char* extension : {".png", ".jpg", ".webp", ".bmp", ".ppm", ".tif"}) {
    files.push_back(encoded(extension, scene()));
  }
  for (const auto& whole : files) {
    for (int i = 0; i < 300; ++i) {
      std::string bytes = whole;
      for (int64_t k = rng.below(6); k >= 0; --k) {
        const int64_t among = rng.below(2) == 0 ? std::min<int64_t>(80, static_cast<int64_t>(bytes.size()))
                                                : static_cast<int64_t>(bytes.size());
        bytes[static_cast<size_t>(rng.below(among))] = static_cast<char>(rng.below(256));
      }
      DecodeLimits limits;
      limits.most_pixels = 1'000'000;
      try {
        const auto image = decode_image(bytes, 1, "a", limits);
        EXPECT_LE(image.numel(), limits.most_pixels);
      } catch (const PictureRefused&) {
      }
    }
  }
}

}  // namespace

}  // namespace fercli
