#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "core/files.hpp"

namespace fercli {

/// CRC-32C (Castagnoli), as in RFC 3720; "123456789" gives 0xE3069283.
uint32_t crc32c(std::string_view bytes);

/// Writes scalars that `tensorboard --logdir FOLDER` shows. Each writer makes a new event file in the folder (a resumed
/// run continues the curves in a second file, which TensorBoard joins by step); records are flushed one by one, so a
/// killed run loses nothing. Format: TFRecord frames (length, masked CRC-32C, data, masked CRC-32C) around Event
/// messages.
class TensorBoardWriter {
 public:
  /// Makes the folder. Throws UserError when the file cannot be made.
  explicit TensorBoardWriter(const std::filesystem::path& folder);

  /// `tag` such as "loss/train". Throws RunError when the disk is full.
  void scalar(const std::string& tag, int64_t step, double value);

  const std::filesystem::path& path() const { return path_; }

 private:
  void write_record(const std::string& data);

  std::filesystem::path path_;
  std::optional<OutputFile> file_;
};

}  // namespace fercli
