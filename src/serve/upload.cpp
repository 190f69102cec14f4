#include "serve/upload.hpp"

#include <fmt/format.h>

#include <array>

#include "core/error.hpp"
#include "data/image.hpp"

namespace fercli {

namespace {

/// Smaller pictures cannot show a face, larger sides are beyond every camera.
constexpr int64_t kSmallestUpload = 8, kLargestUpload = 20000;

int64_t byte_at(std::string_view bytes, size_t place) {
  return place < bytes.size() ? static_cast<unsigned char>(bytes[place]) : 0;
}

int64_t big_endian(std::string_view bytes, size_t place, int count) {
  int64_t value = 0;
  for (int i = 0; i < count; ++i) value = value << 8 | byte_at(bytes, place + static_cast<size_t>(i));
  return value;
}

int64_t little_endian(std::string_view bytes, size_t place, int count) {
  int64_t value = 0;
  for (int i = count - 1; i >= 0; --i) value = value << 8 | byte_at(bytes, place + static_cast<size_t>(i));
  return value;
}

bool starts_with(std::string_view bytes, std::string_view start, size_t place = 0) {
  return bytes.size() >= place + start.size() && bytes.compare(place, start.size(), start) == 0;
}

/// The frame header is the first segment of kind C0 to CF, other than C4, C8 and CC.
ImageHeader jpeg_header(std::string_view bytes) {
  ImageHeader header{"JPEG", 0, 0};
  for (size_t place = 2; place + 9 < bytes.size();) {
    if (byte_at(bytes, place) != 0xff) return header;
    const int64_t kind = byte_at(bytes, place + 1);
    if (kind == 0xff) {  // filling
      ++place;
    } else if (kind >= 0xc0 && kind <= 0xcf && kind != 0xc4 && kind != 0xc8 && kind != 0xcc) {
      return {"JPEG", big_endian(bytes, place + 7, 2), big_endian(bytes, place + 5, 2)};
    } else {
      place += 2 + static_cast<size_t>(std::max<int64_t>(2, big_endian(bytes, place + 2, 2)));
    }
  }
  return header;
}

ImageHeader webp_header(std::string_view bytes) {
  if (starts_with(bytes, "VP8 ", 12)) {
    return {"WEBP", little_endian(bytes, 26, 2) & 0x3fff, little_endian(bytes, 28, 2) & 0x3fff};
  }
  if (starts_with(bytes, "VP8L", 12)) {
    const int64_t bits = little_endian(bytes, 21, 4);
    return {"WEBP", (bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1};
  }
  if (starts_with(bytes, "VP8X", 12)) {
    return {"WEBP", little_endian(bytes, 24, 3) + 1, little_endian(bytes, 27, 3) + 1};
  }
  return {"WEBP", 0, 0};
}

}  // namespace

ImageHeader read_image_header(std::string_view bytes) {
  if (starts_with(bytes, "\x89PNG\r\n\x1a\n")) {
    const bool whole = starts_with(bytes, "IHDR", 12);
    return {"PNG", whole ? big_endian(bytes, 16, 4) : 0, whole ? big_endian(bytes, 20, 4) : 0};
  }
  if (starts_with(bytes, "\xff\xd8\xff")) return jpeg_header(bytes);
  if (starts_with(bytes, "RIFF") && starts_with(bytes, "WEBP", 8)) return webp_header(bytes);
  return {};
}

Picture decode_upload(const std::string& bytes, int64_t most_pixels) {
  if (bytes.empty()) throw RequestError(400, "there is no image in the request");
  const ImageHeader header = read_image_header(bytes);
  if (header.format.empty()) throw RequestError(415, "the image must be PNG, JPEG or WEBP");
  if (header.width < kSmallestUpload || header.height < kSmallestUpload) {
    throw RequestError(400, fmt::format("the {} is damaged or smaller than {}x{} pixels", header.format,
                                        kSmallestUpload, kSmallestUpload));
  }
  const int64_t longer = std::max(header.width, header.height);
  if (longer > kLargestUpload || header.width * header.height > most_pixels) {
    throw RequestError(413, fmt::format("the image has {}x{} pixels, more than {} million", header.width, header.height,
                                        most_pixels / 1'000'000));
  }
  try {
    return picture_of_image(decode_image(bytes, 3, "the image"));
  } catch (const UserError& error) {
    throw RequestError(400, error.what());
  }
}

}  // namespace fercli
