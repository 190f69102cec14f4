// The zip format by PKWARE's APPNOTE 6.3: local headers with data, central directory, end record.
#include "core/zip_structure.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace fercli {

namespace {

constexpr uint64_t kEndRecord = 22, kLocator64 = 20, kEndRecord64 = 56, kLocalHeader = 30, kCentralHeader = 46;
constexpr uint16_t kFull16 = 0xffff, kEncrypted = 1, kHasDescriptor = 8, kStored = 0, kDeflated = 8;
constexpr uint32_t kFull32 = 0xffffffff;
constexpr uint16_t kExtra64 = 1;

using Bytes = std::function<std::string(uint64_t begin, uint64_t count)>;

[[noreturn]] void refuse_zip(const std::string& reason) {
  throw std::runtime_error(reason);
}

[[noreturn]] void refuse_incomplete() {
  refuse_zip("is truncated or damaged (no whole zip file)");
}

template <class Number>
Number number_at(const std::string& bytes, uint64_t place) {
  if (place > bytes.size() || bytes.size() - place < sizeof(Number)) refuse_incomplete();
  Number value;
  std::memcpy(&value, bytes.data() + place, sizeof value);
  return value;
}

bool has_signature(const std::string& bytes, const char* two) {
  return bytes.size() >= 4 && bytes[0] == 'P' && bytes[1] == 'K' && bytes[2] == two[0] && bytes[3] == two[1];
}

struct Directory {
  uint64_t entries = 0, size = 0, offset = 0;
};

/// The end record in its 64-bit form, which must agree with the short one where that is not full.
Directory directory_64(const Bytes& bytes, uint64_t file_size, const Directory& shorter) {
  const std::string locator = bytes(file_size - kEndRecord - kLocator64, kLocator64);
  const auto place = number_at<uint64_t>(locator, 8);
  if (place != file_size - kEndRecord - kLocator64 - kEndRecord64 || number_at<uint32_t>(locator, 4) != 0) {
    refuse_zip("has a misplaced end record");
  }
  const std::string record = bytes(place, kEndRecord64);
  if (!has_signature(record, "\x06\x06") || number_at<uint64_t>(record, 4) != kEndRecord64 - 12 ||
      number_at<uint32_t>(record, 16) != 0 || number_at<uint32_t>(record, 20) != 0 ||
      number_at<uint64_t>(record, 24) != number_at<uint64_t>(record, 32)) {
    refuse_zip("has a misplaced end record");
  }
  const Directory longer{number_at<uint64_t>(record, 32), number_at<uint64_t>(record, 40),
                         number_at<uint64_t>(record, 48)};
  const auto agree = [](uint64_t narrow, uint64_t full, uint64_t wide) { return narrow == full || narrow == wide; };
  if (!agree(shorter.entries, kFull16, longer.entries) || !agree(shorter.size, kFull32, longer.size) ||
      !agree(shorter.offset, kFull32, longer.offset) || longer.offset > place || longer.size != place - longer.offset) {
    refuse_zip("has two end records that do not agree");
  }
  return longer;
}

Directory find_directory(const Bytes& bytes, uint64_t file_size) {
  if (file_size < kEndRecord) refuse_incomplete();
  const std::string end = bytes(file_size - kEndRecord, kEndRecord);
  if (!has_signature(end, "\x05\x06") || number_at<uint16_t>(end, 20) != 0) refuse_incomplete();
  const Directory found{number_at<uint16_t>(end, 10), number_at<uint32_t>(end, 12), number_at<uint32_t>(end, 16)};
  if (number_at<uint16_t>(end, 4) != 0 || number_at<uint16_t>(end, 6) != 0 ||
      number_at<uint16_t>(end, 8) != found.entries) {
    refuse_zip("is a part of a divided zip file");
  }
  const bool has_64 = file_size >= kEndRecord + kLocator64 + kEndRecord64 &&
                      has_signature(bytes(file_size - kEndRecord - kLocator64, kLocator64), "\x06\x07");
  if (has_64) return directory_64(bytes, file_size, found);
  const uint64_t place = file_size - kEndRecord;
  if (found.offset > place || found.size != place - found.offset) {
    refuse_zip("has bytes outside its zip archive, or two archives in one");
  }
  return found;
}

/// Sizes and place that do not fit into 32 bits follow in an extra field.
void read_extra_64(const std::string& extra, ZipEntry& entry) {
  for (uint64_t place = 0; place + 4 <= extra.size();) {
    const auto id = number_at<uint16_t>(extra, place);
    const uint64_t length = number_at<uint16_t>(extra, place + 2);
    place += 4;
    if (length > extra.size() - place) refuse_incomplete();
    const std::string content = extra.substr(place, length);
    place += length;
    if (id != kExtra64) continue;
    uint64_t next = 0;
    for (uint64_t* value : {&entry.size, &entry.packed, &entry.offset}) {
      if (*value != kFull32) continue;
      *value = number_at<uint64_t>(content, next);
      next += sizeof(uint64_t);
    }
    return;
  }
}

struct Placed {
  ZipEntry entry;
  uint16_t flags = 0, method = 0;
};

std::vector<Placed> read_directory(const std::string& table, uint64_t count) {
  std::vector<Placed> entries;
  uint64_t place = 0;
  for (uint64_t i = 0; i < count; ++i) {
    if (place > table.size() || table.size() - place < kCentralHeader || table.compare(place, 4, "PK\x01\x02", 4) != 0)
      refuse_incomplete();
    Placed found;
    found.flags = number_at<uint16_t>(table, place + 8);
    found.method = number_at<uint16_t>(table, place + 10);
    const uint64_t name = number_at<uint16_t>(table, place + 28), extra = number_at<uint16_t>(table, place + 30),
                   comment = number_at<uint16_t>(table, place + 32);
    if (number_at<uint16_t>(table, place + 34) != 0) refuse_zip("is a part of a divided zip file");
    if (name + extra + comment > table.size() - place - kCentralHeader) refuse_incomplete();
    found.entry = {table.substr(place + kCentralHeader, name), number_at<uint32_t>(table, place + 20),
                   number_at<uint32_t>(table, place + 24), number_at<uint32_t>(table, place + 42)};
    read_extra_64(table.substr(place + kCentralHeader + name, extra), found.entry);
    entries.push_back(std::move(found));
    place += kCentralHeader + name + extra + comment;
  }
  if (place != table.size()) refuse_zip("has a list of entries with something behind it");
  return entries;
}

/// Where the entry's bytes end; its local header must say what the central directory says.
uint64_t end_of(const Placed& placed, const Bytes& bytes, uint64_t limit) {
  const ZipEntry& entry = placed.entry;
  if ((placed.flags & kEncrypted) != 0 || (placed.method != kStored && placed.method != kDeflated)) {
    refuse_zip(fmt::format("holds the entry '{}', which is encrypted or packed in an unusual way", entry.name));
  }
  if (limit < kLocalHeader || entry.offset > limit - kLocalHeader) refuse_incomplete();
  const std::string header = bytes(entry.offset, kLocalHeader);
  const uint64_t name = number_at<uint16_t>(header, 26), extra = number_at<uint16_t>(header, 28);
  const uint64_t begin = entry.offset + kLocalHeader + name + extra;
  if (!has_signature(header, "\x03\x04") || begin > limit || entry.packed > limit - begin) refuse_incomplete();
  if (bytes(entry.offset + kLocalHeader, name) != entry.name || number_at<uint16_t>(header, 6) != placed.flags ||
      number_at<uint16_t>(header, 8) != placed.method || (placed.method == kStored && entry.packed != entry.size)) {
    refuse_zip(fmt::format("describes the entry '{}' twice, in different ways", entry.name));
  }
  const auto packed = number_at<uint32_t>(header, 18), size = number_at<uint32_t>(header, 22);
  const bool later = (placed.flags & kHasDescriptor) != 0;
  const auto agree = [&](uint32_t local, uint64_t central) {
    return local == central || local == kFull32 || (later && local == 0);
  };
  if (!agree(packed, entry.packed) || !agree(size, entry.size)) {
    refuse_zip(fmt::format("describes the entry '{}' twice, in different ways", entry.name));
  }
  return begin + entry.packed;
}

}  // namespace

std::vector<ZipEntry> zip_entries(const Bytes& bytes, uint64_t size) {
  const Directory directory = find_directory(bytes, size);
  if (directory.entries > directory.size / kCentralHeader) refuse_incomplete();
  auto placed = read_directory(bytes(directory.offset, directory.size), directory.entries);
  std::vector<const Placed*> in_order;
  for (const auto& one : placed) in_order.push_back(&one);
  std::sort(in_order.begin(), in_order.end(),
            [](const Placed* a, const Placed* b) { return a->entry.offset < b->entry.offset; });
  uint64_t end = 0;
  bool described_behind = false;  // sizes may follow an entry: 12 to 24 bytes
  const auto check_gap = [&](uint64_t next) {
    const uint64_t gap = next - end;
    if (next < end) refuse_zip("has entries that overlap");
    if (gap != 0 && !(described_behind && gap >= 12 && gap <= 24 && gap % 4 == 0)) {
      refuse_zip("has bytes outside its zip archive, or two archives in one");
    }
  };
  for (const Placed* one : in_order) {
    check_gap(one->entry.offset);
    end = end_of(*one, bytes, directory.offset);
    described_behind = (one->flags & kHasDescriptor) != 0;
  }
  check_gap(directory.offset);
  std::vector<ZipEntry> entries;
  for (auto& one : placed) entries.push_back(std::move(one.entry));
  return entries;
}

}  // namespace fercli
