#include <tiffio.h>

#include <algorithm>
#include <memory>

#include "core/interrupt.hpp"
#include "data/pictures/decoders.hpp"

namespace fercli {

namespace {

/// A piece of so many bytes is read in a picture of any size: twice a tile of 2048x2048 pixels of 64 bits.
constexpr uint64_t kPieceOfAnyTiff = 64 << 20;
/// Colours and what is stored beside them.
constexpr uint16_t kMostSamples = 16;
constexpr uint32_t kColours = 3;

/// A TIFF in memory, as libtiff asks for it.
struct TiffBytes {
  std::string_view bytes;
  uint64_t place = 0;

  static TiffBytes& of(thandle_t handle) { return *static_cast<TiffBytes*>(handle); }
  static tmsize_t read(thandle_t handle, void* out, tmsize_t count);
  static tmsize_t write(thandle_t, void*, tmsize_t) { return 0; }
  static toff_t seek(thandle_t handle, toff_t offset, int whence);
  static int close(thandle_t) { return 0; }
  static toff_t size(thandle_t handle) { return of(handle).bytes.size(); }
};

tmsize_t TiffBytes::read(thandle_t handle, void* out, tmsize_t count) {
  TiffBytes& file = of(handle);
  if (count <= 0 || file.place >= file.bytes.size()) return 0;
  const auto length = std::min<uint64_t>(static_cast<uint64_t>(count), file.bytes.size() - file.place);
  std::copy_n(file.bytes.data() + file.place, length, static_cast<char*>(out));
  file.place += length;
  return static_cast<tmsize_t>(length);
}

toff_t TiffBytes::seek(thandle_t handle, toff_t offset, int whence) {
  TiffBytes& file = of(handle);
  file.place = offset + (whence == SEEK_CUR ? file.place : whence == SEEK_END ? file.bytes.size() : 0);
  return file.place;
}

struct CloseTiff {
  void operator()(TIFF* tiff) const { TIFFClose(tiff); }
};

struct EndTiffImage {
  void operator()(TIFFRGBAImage* image) const { TIFFRGBAImageEnd(image); }
};

/// libtiff writes to stderr otherwise.
void silence_tiff() {
  static const bool done = (TIFFSetErrorHandler(nullptr), TIFFSetWarningHandler(nullptr), true);
  static_cast<void>(done);
}

[[noreturn]] void refuse_tiff(const std::string& words) {
  throw PictureRefused(PictureRefused::Why::Damaged, words);
}

Packing tiff_packing(TIFF* tiff) {
  uint16_t packing = COMPRESSION_NONE;
  TIFFGetFieldDefaulted(tiff, TIFFTAG_COMPRESSION, &packing);
  switch (packing) {
    case COMPRESSION_NONE:
      return Packing::None;
    case COMPRESSION_PACKBITS:
      return Packing::PackBits;
    case COMPRESSION_DEFLATE:
    case COMPRESSION_ADOBE_DEFLATE:
      return Packing::Deflate;
    case COMPRESSION_LZW:
      return Packing::Lzw;
    default:
      return Packing::Modelled;
  }
}

/// The most pixels that the file holds. One sample of each is counted: of colours there may be fewer than pixels.
int64_t pixels_of_tiff(TIFF* tiff, size_t bytes) {
  uint16_t bits = 1;
  TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &bits);
  return pixels_held(tiff_packing(tiff), bytes, std::max<int64_t>(bits, 1));
}

uint16_t samples_of(TIFF* tiff) {
  uint16_t samples = 1;
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &samples);
  return samples;
}

/// All of them are decoded, and the same bytes may stand for each.
void check_samples(TIFF* tiff) {
  if (samples_of(tiff) > kMostSamples) {
    throw PictureRefused(PictureRefused::Why::TooLarge, "is a TIFF with too many samples for each pixel");
  }
}

/// The strips or tiles of a small picture can be as large as they like: tiles are padded.
void check_pieces(TIFF* tiff, size_t bytes, int64_t height, const DecodeLimits& limits) {
  const uint64_t piece = TIFFIsTiled(tiff) != 0 ? TIFFTileSize64(tiff) : TIFFStripSize64(tiff);
  if (piece == 0) refuse_tiff("is a damaged TIFF");
  const uint64_t padded = std::max(kPieceOfAnyTiff, 2 * TIFFScanlineSize64(tiff) * static_cast<uint64_t>(height));
  if (piece > std::min(padded, static_cast<uint64_t>(limits.most_pixels) * 8)) {
    throw PictureRefused(PictureRefused::Why::TooLarge, "is a TIFF in pieces too large for its size");
  }
  if (tiff_packing(tiff) == Packing::None && piece > bytes) refuse_tiff("is a TIFF cut short");
}

/// Into `picture`, one row of pieces at a time, as libtiff decodes them.
void read_tiff_rows(TIFF* tiff, RawPicture& picture) {
  char message[1024] = "";
  TIFFRGBAImage image;
  if (TIFFRGBAImageBegin(&image, tiff, /*stop=*/1, message) == 0) refuse_tiff("is a TIFF of a kind that is not read");
  const std::unique_ptr<TIFFRGBAImage, EndTiffImage> end(&image);
  image.orientation = image.req_orientation = ORIENTATION_TOPLEFT;  // rows as they are stored
  const auto width = static_cast<uint32_t>(picture.width), height = static_cast<uint32_t>(picture.height);
  uint32_t band = height;
  TIFFGetFieldDefaulted(tiff, TIFFIsTiled(tiff) != 0 ? TIFFTAG_TILELENGTH : TIFFTAG_ROWSPERSTRIP, &band);
  band = std::clamp(band, 1U, height);
  std::vector<uint32_t> pixels(static_cast<size_t>(width) * band);
  uint8_t* to = picture.values.data();
  for (uint32_t y = 0; y < height; y += band) {
    throw_if_interrupted();
    const uint32_t rows = std::min(band, height - y);
    image.row_offset = static_cast<int>(y);
    if (TIFFRGBAImageGet(&image, pixels.data(), width, rows) == 0) refuse_tiff("is a damaged TIFF, or one cut short");
    for (size_t i = 0; i < static_cast<size_t>(width) * rows; ++i) {
      *to++ = static_cast<uint8_t>(TIFFGetR(pixels[i]));
      *to++ = static_cast<uint8_t>(TIFFGetG(pixels[i]));
      *to++ = static_cast<uint8_t>(TIFFGetB(pixels[i]));
    }
  }
}

/// How many of the pieces hold colours: in planes, those of the first ones.
uint32_t pieces_with_colours(TIFF* tiff) {
  const uint32_t pieces = TIFFIsTiled(tiff) != 0 ? TIFFNumberOfTiles(tiff) : TIFFNumberOfStrips(tiff);
  uint16_t planes = PLANARCONFIG_CONTIG;
  TIFFGetFieldDefaulted(tiff, TIFFTAG_PLANARCONFIG, &planes);
  const uint32_t samples = samples_of(tiff);
  return planes == PLANARCONFIG_SEPARATE && samples > kColours ? pieces / samples * kColours : pieces;
}

/// The greatest value of a picture of 16-bit whole numbers, 0 of any other. Reads the pieces again, one at a time.
int greatest_deep_value(TIFF* tiff) {
  uint16_t bits = 8, kind = SAMPLEFORMAT_UINT;
  TIFFGetField(tiff, TIFFTAG_BITSPERSAMPLE, &bits);
  TIFFGetField(tiff, TIFFTAG_SAMPLEFORMAT, &kind);
  if (bits != 16 || kind != SAMPLEFORMAT_UINT) return 0;
  const bool tiled = TIFFIsTiled(tiff) != 0;
  const uint32_t pieces = pieces_with_colours(tiff);
  std::vector<uint16_t> values(static_cast<size_t>(tiled ? TIFFTileSize64(tiff) : TIFFStripSize64(tiff)) / 2);
  const auto bytes = static_cast<tmsize_t>(2 * values.size());
  int greatest = 0;
  for (uint32_t piece = 0; piece < pieces; ++piece) {
    throw_if_interrupted();
    const tmsize_t read = tiled ? TIFFReadEncodedTile(tiff, piece, values.data(), bytes)
                                : TIFFReadEncodedStrip(tiff, piece, values.data(), bytes);
    for (tmsize_t i = 0; i < read / 2; ++i) greatest = std::max<int>(greatest, values[static_cast<size_t>(i)]);
  }
  return greatest;
}

}  // namespace

RawPicture decode_tiff(std::string_view bytes, int64_t channels, const DecodeLimits& limits) {
  silence_tiff();
  TiffBytes file{bytes};
  const std::unique_ptr<TIFF, CloseTiff> tiff(TIFFClientOpen("picture", "rm", &file, TiffBytes::read, TiffBytes::write,
                                                             TiffBytes::seek, TiffBytes::close, TiffBytes::size,
                                                             nullptr, nullptr));
  if (!tiff) refuse_tiff("is a damaged TIFF");
  uint32_t width = 0, height = 0;
  uint16_t orientation = 1;
  TIFFGetField(tiff.get(), TIFFTAG_IMAGEWIDTH, &width);
  TIFFGetField(tiff.get(), TIFFTAG_IMAGELENGTH, &height);
  TIFFGetField(tiff.get(), TIFFTAG_ORIENTATION, &orientation);
  const int64_t held = pixels_of_tiff(tiff.get(), bytes.size());
  RawPicture picture = sized_picture("TIFF", {width, height, 3, held}, limits);
  check_samples(tiff.get());
  check_pieces(tiff.get(), bytes.size(), height, limits);
  read_tiff_rows(tiff.get(), picture);
  picture.greatest_deep = greatest_deep_value(tiff.get());
  return upright(channels == 1 ? grey_picture(picture) : std::move(picture), orientation);
}

}  // namespace fercli
