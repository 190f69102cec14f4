#include <tiffio.h>

#include <algorithm>
#include <memory>

#include "core/interrupt.hpp"
#include "data/pictures/decoders.hpp"

namespace fercli {

namespace {

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

/// The strips or tiles of a small picture can be as large as they like.
void check_pieces(TIFF* tiff, const DecodeLimits& limits) {
  const uint64_t piece = TIFFIsTiled(tiff) != 0 ? TIFFTileSize64(tiff) : TIFFStripSize64(tiff);
  if (piece > static_cast<uint64_t>(limits.most_pixels) * 8) {
    throw PictureRefused(PictureRefused::Why::TooLarge, "is a TIFF in pieces larger than any picture that is read");
  }
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
  RawPicture picture = sized_picture("TIFF", width, height, 3, limits);
  check_pieces(tiff.get(), limits);
  char message[1024] = "";
  TIFFRGBAImage image;
  if (TIFFRGBAImageBegin(&image, tiff.get(), /*stop=*/1, message) == 0) {
    refuse_tiff("is a TIFF of a kind that is not read");
  }
  const std::unique_ptr<TIFFRGBAImage, EndTiffImage> end(&image);
  image.orientation = image.req_orientation = ORIENTATION_TOPLEFT;  // rows as they are stored
  std::vector<uint32_t> pixels(static_cast<size_t>(width) * height);
  if (TIFFRGBAImageGet(&image, pixels.data(), width, height) == 0) refuse_tiff("is a damaged TIFF, or one cut short");
  throw_if_interrupted();
  uint8_t* to = picture.values.data();
  for (const uint32_t pixel : pixels) {
    *to++ = static_cast<uint8_t>(TIFFGetR(pixel));
    *to++ = static_cast<uint8_t>(TIFFGetG(pixel));
    *to++ = static_cast<uint8_t>(TIFFGetB(pixel));
  }
  return upright(channels == 1 ? grey_picture(picture) : std::move(picture), orientation);
}

}  // namespace fercli
