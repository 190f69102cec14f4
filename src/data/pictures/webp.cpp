#include <webp/decode.h>

#include <algorithm>
#include <memory>

#include "core/interrupt.hpp"
#include "data/pictures/decoders.hpp"

namespace fercli {

namespace {

/// The bytes are handed over in this many parts, with a look at the clock between.
constexpr size_t kWebpParts = 16;

/// What the file says beside its pixels.
struct WebpParts {
  int orientation = 1;
  bool animated = false;
  std::string_view frame;  ///< the pixels' own chunk, of an animation the first frame's
};

constexpr size_t kWebpChunkHead = 8, kWebpFrameHead = 16;

/// Goes through the chunks from `place` to `end`; of an animation's frame through those in it.
void read_webp_chunks(std::string_view file, size_t place, size_t end, WebpParts& parts) {
  const FileBytes bytes(file);
  while (place + kWebpChunkHead <= std::min(end, file.size())) {
    const std::string_view kind = file.substr(place, 4);
    const size_t data = place + kWebpChunkHead, size = bytes.little(place + 4, 4);
    if (kind == "EXIF") parts.orientation = exif_orientation(file.substr(data, size));
    if (kind == "ANMF" && !parts.animated) {
      parts.animated = true;
      read_webp_chunks(file, data + kWebpFrameHead, data + size, parts);
    }
    if (parts.frame.empty() && (kind == "VP8 " || kind == "VP8L")) {
      parts.frame = file.substr(place, kWebpChunkHead + size);
    }
    place = data + size + size % 2;
  }
}

struct CloseWebp {
  void operator()(WebPIDecoder* decoder) const { WebPIDelete(decoder); }
};

}  // namespace

RawPicture decode_webp(std::string_view bytes, int64_t channels, const DecodeLimits& limits) {
  const auto refuse = [](const std::string& words) { throw PictureRefused(PictureRefused::Why::Damaged, words); };
  WebpParts parts;
  read_webp_chunks(bytes, 12, bytes.size(), parts);
  if (parts.animated) bytes = parts.frame;
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  WebPBitstreamFeatures features;
  const VP8StatusCode header = WebPGetFeatures(data, bytes.size(), &features);
  if (header == VP8_STATUS_NOT_ENOUGH_DATA) refuse("is a WEBP cut short");
  if (header != VP8_STATUS_OK) refuse("is a damaged WEBP");
  RawPicture picture =
      sized_picture("WEBP", {features.width, features.height, 3, pixels_held(Packing::Modelled, bytes.size())}, limits);
  const std::unique_ptr<WebPIDecoder, CloseWebp> decoder(
      WebPINewRGB(MODE_RGB, picture.values.data(), picture.values.size(), features.width * 3));
  if (!decoder) refuse("is a damaged WEBP");
  VP8StatusCode status = VP8_STATUS_SUSPENDED;
  for (size_t part = 1; part <= kWebpParts && status == VP8_STATUS_SUSPENDED; ++part) {
    throw_if_interrupted();
    status = WebPIUpdate(decoder.get(), data, bytes.size() * part / kWebpParts);
  }
  if (status == VP8_STATUS_SUSPENDED) refuse("is a WEBP cut short");
  if (status != VP8_STATUS_OK) refuse("is a damaged WEBP");
  picture.animated = parts.animated;
  return upright(channels == 1 ? grey_picture(picture) : std::move(picture), parts.orientation);
}

}  // namespace fercli
