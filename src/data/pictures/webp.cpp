#include <webp/decode.h>

#include <algorithm>
#include <memory>

#include "core/interrupt.hpp"
#include "data/pictures/decoders.hpp"

namespace fercli {

namespace {

/// The bytes are handed over in this many parts, with a look at the clock between.
constexpr size_t kWebpParts = 16;

struct CloseWebp {
  void operator()(WebPIDecoder* decoder) const { WebPIDelete(decoder); }
};

}  // namespace

RawPicture decode_webp(std::string_view bytes, int64_t channels, const DecodeLimits& limits) {
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  const auto refuse = [](const std::string& words) { throw PictureRefused(PictureRefused::Why::Damaged, words); };
  WebPBitstreamFeatures features;
  const VP8StatusCode header = WebPGetFeatures(data, bytes.size(), &features);
  if (header == VP8_STATUS_NOT_ENOUGH_DATA) refuse("is a WEBP cut short");
  if (header != VP8_STATUS_OK) refuse("is a damaged WEBP");
  if (features.has_animation != 0) refuse("is a WEBP animation; only still pictures are read");
  RawPicture picture = sized_picture("WEBP", features.width, features.height, 3, limits);
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
  return channels == 1 ? grey_picture(picture) : picture;
}

}  // namespace fercli
