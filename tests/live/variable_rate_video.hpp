#pragma once

#include <torch/types.h>

#include <cstring>
#include <filesystem>
#include <opencv2/imgcodecs.hpp>
#include <string>
#include <vector>

#include "core/files.hpp"
#include "faces/mat.hpp"

namespace fercli::test {

/// Matroska: an element's number, its length in eight bytes, its content.
inline std::string matroska_bytes(uint64_t value, int count) {
  std::string bytes;
  for (int i = count - 1; i >= 0; --i) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}

inline std::string matroska(uint32_t number, const std::string& content) {
  const int width = number > 0xffffff ? 4 : number > 0xffff ? 3 : number > 0xff ? 2 : 1;
  return matroska_bytes(number, width) + matroska_bytes(0x0100000000000000U | content.size(), 8) + content;
}

inline std::string matroska(uint32_t number, uint64_t value) {
  return matroska(number, matroska_bytes(value, 8));
}

/// A video whose frames (uint8 (H,W,3), blue first) have these time stamps: Motion-JPEG in Matroska, which knows no
/// frame rate. `lasts`: the milliseconds that it says it lasts; 0: it does not say.
inline void write_variable_rate_video(const std::filesystem::path& path, const std::vector<torch::Tensor>& frames,
                                      const std::vector<uint64_t>& milliseconds, double lasts = 0) {
  std::string clusters;
  for (size_t i = 0; i < frames.size(); ++i) {
    std::vector<uint8_t> jpeg;
    cv::imencode(".jpg", as_mat(frames[i]), jpeg, {cv::IMWRITE_JPEG_QUALITY, 95});
    const std::string head = "\x81" + matroska_bytes(0, 2) + "\x80";  // track 1, at the cluster's time, a key frame
    clusters += matroska(
        0x1F43B675, matroska(0xE7, milliseconds[i]) + matroska(0xA3, head + std::string(jpeg.begin(), jpeg.end())));
  }
  const std::string head = matroska(0x4286, 1) + matroska(0x42F7, 1) + matroska(0x42F2, 4) + matroska(0x42F3, 8) +
                           matroska(0x4282, "matroska") + matroska(0x4287, 2) + matroska(0x4285, 2);
  const std::string size = matroska(0xB0, static_cast<uint64_t>(frames[0].size(1))) +
                           matroska(0xBA, static_cast<uint64_t>(frames[0].size(0)));
  const std::string track =
      matroska(0xD7, 1) + matroska(0x73C5, 1) + matroska(0x83, 1) + matroska(0x86, "V_MJPEG") + matroska(0xE0, size);
  uint64_t duration = 0;
  std::memcpy(&duration, &lasts, sizeof(duration));
  const std::string info = matroska(0x2AD7B1, 1000000) + (lasts > 0 ? matroska(0x4489, duration) : "") +
                           matroska(0x4D80, "test") + matroska(0x5741, "test");
  write_file(path, matroska(0x1A45DFA3, head) +
                       matroska(0x18538067,
                                matroska(0x1549A966, info) + matroska(0x1654AE6B, matroska(0xAE, track)) + clusters));
}

}  // namespace fercli::test
