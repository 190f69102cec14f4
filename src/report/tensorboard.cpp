#include "report/tensorboard.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <boost/crc.hpp>
#include <chrono>

#include "report/proto/tensorboard_event.pb.h"

namespace fercli {

namespace {

constexpr uint32_t kMaskDelta = 0xA282EAD8;  // TFRecord's, so that a CRC of a CRC stays a good check

double wall_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// The number's bytes, lowest first.
template <class Number>
std::string little_endian(Number number) {
  std::string bytes;
  for (size_t i = 0; i < sizeof(Number); ++i) bytes += static_cast<char>(number >> (8 * i) & 0xFF);
  return bytes;
}

std::string masked_crc(std::string_view bytes) {
  const uint32_t crc = crc32c(bytes);
  return little_endian<uint32_t>(((crc >> 15) | (crc << 17)) + kMaskDelta);
}

/// TensorBoard reads the files of a folder in order of name and wants "tfevents" in it; the number at the end keeps two
/// writers of the same second and process apart.
std::filesystem::path new_event_file(const std::filesystem::path& folder) {
  const auto seconds = static_cast<int64_t>(wall_time());
  for (int number = 0;; ++number) {
    const auto path = folder / fmt::format("events.out.tfevents.{:010}.fercli.{}.{}", seconds, getpid(), number);
    if (!std::filesystem::exists(path)) return path;
  }
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  constexpr uint32_t kCastagnoli = 0x1EDC6F41;
  boost::crc_optimal<32, kCastagnoli, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return crc.checksum();
}

TensorBoardWriter::TensorBoardWriter(const std::filesystem::path& folder) {
  make_folder(folder);
  path_ = new_event_file(folder);
  file_.emplace(path_);
  tensorboard::Event header;
  header.set_wall_time(wall_time());
  header.set_file_version("brain.Event:2");
  write_record(header.SerializeAsString());
}

void TensorBoardWriter::scalar(const std::string& tag, int64_t step, double value) {
  tensorboard::Event event;
  event.set_wall_time(wall_time());
  event.set_step(step);
  auto* entry = event.mutable_summary()->add_value();
  entry->set_tag(tag);
  entry->set_simple_value(static_cast<float>(value));
  write_record(event.SerializeAsString());
}

void TensorBoardWriter::write_record(const std::string& data) {
  const std::string length = little_endian<uint64_t>(data.size());
  file_->write(length + masked_crc(length) + data + masked_crc(data));
  file_->flush();
}

}  // namespace fercli
