#include "core/zip_file.hpp"

#include <fmt/format.h>
#include <zip.h>

#include <fstream>
#include <functional>
#include <set>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/reason.hpp"
#include "core/text.hpp"
#include "core/zip_structure.hpp"

namespace fercli {

namespace {

constexpr uint64_t kFreeSize = 64 << 20;  // below this no ratio is suspicious
constexpr uint64_t kMostGrowth = 50;
constexpr uint64_t kPieceOfEntry = 1 << 20;            // read at a time
constexpr uint64_t kLargestEntry = uint64_t{1} << 40;  // so that sums do not overflow

zip_t* archive_of(const std::shared_ptr<void>& archive) {
  return static_cast<zip_t*>(archive.get());
}

std::shared_ptr<void> own(zip_t* archive, const std::string& name) {
  if (archive == nullptr) throw UserError(fmt::format("{}: is truncated or damaged (no whole zip file)", name));
  return {archive, [](void* open) { zip_discard(static_cast<zip_t*>(open)); }};
}

/// The structure is checked before libzip sees the bytes.
std::vector<ZipEntry> entries_of(const std::string& name, uint64_t size,
                                 const std::function<std::string(uint64_t, uint64_t)>& bytes) {
  try {
    return zip_entries(bytes, size);
  } catch (const UserError&) {
    throw;
  } catch (const std::runtime_error& error) {
    throw UserError(fmt::format("{}: {}", name, reason_of(error)));
  }
}

}  // namespace

ZipFile::ZipFile(const std::filesystem::path& path) : name_(path.string()) {
  require_file(path);
  std::ifstream file(path, std::ios::binary);
  const uint64_t packed_size = std::filesystem::file_size(path);
  const auto entries = entries_of(name_, packed_size, [&](uint64_t begin, uint64_t size) {
    std::string part(size, '\0');
    file.seekg(static_cast<std::streamoff>(begin));
    if (!file.read(part.data(), static_cast<std::streamsize>(size))) {
      throw UserError(fmt::format("{}: cannot be read", name_));
    }
    return part;
  });
  archive_ = own(zip_open(path.c_str(), ZIP_RDONLY, nullptr), name_);
  check(entries, packed_size);
}

ZipFile::ZipFile(const std::string& bytes, const std::string& name) : name_(name) {
  const auto entries =
      entries_of(name_, bytes.size(), [&](uint64_t begin, uint64_t size) { return bytes.substr(begin, size); });
  zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), /*freep=*/0, nullptr);
  zip_t* archive = zip_open_from_source(source, ZIP_RDONLY, nullptr);
  if (archive == nullptr) zip_source_free(source);
  archive_ = own(archive, name_);
  check(entries, bytes.size());
}

/// libzip must see the archive that `entries` describe.
void ZipFile::check(const std::vector<ZipEntry>& entries, uint64_t packed_size) const {
  uint64_t total = 0;
  std::set<std::string> seen;
  const auto count = static_cast<uint64_t>(zip_get_num_entries(archive_of(archive_), 0));
  bool same = count == entries.size();
  for (uint64_t i = 0; same && i < count; ++i) {
    zip_stat_t entry;
    same = zip_stat_index(archive_of(archive_), i, 0, &entry) == 0 && (entry.valid & ZIP_STAT_SIZE) != 0 &&
           (entry.valid & ZIP_STAT_NAME) != 0 && entry.size == entries[i].size && entry.name == entries[i].name;
    total += std::min<uint64_t>(entries[i].size, kLargestEntry);
    if (!seen.insert(to_lower(entries[i].name)).second) {
      throw UserError(fmt::format("{}: holds the entry '{}' twice", name_, entries[i].name));
    }
  }
  if (!same) throw UserError(fmt::format("{}: is a damaged zip file, or two archives in one", name_));
  if (total > kFreeSize && total / kMostGrowth > packed_size) {
    throw UserError(fmt::format("{}: would unpack to {} times its size; this is no model", name_, total / packed_size));
  }
}

std::vector<std::string> ZipFile::names() const {
  std::vector<std::string> names;
  for (zip_int64_t i = 0; i < zip_get_num_entries(archive_of(archive_), 0); ++i) {
    if (const char* name = zip_get_name(archive_of(archive_), static_cast<zip_uint64_t>(i), 0)) names.push_back(name);
  }
  return names;
}

bool ZipFile::has(const std::string& name) const {
  return zip_name_locate(archive_of(archive_), name.c_str(), 0) >= 0;
}

uint64_t ZipFile::size(const std::string& name) const {
  zip_stat_t entry;
  if (zip_stat(archive_of(archive_), name.c_str(), 0, &entry) != 0) {
    throw UserError(fmt::format("{}: has no entry '{}'", name_, name));
  }
  return entry.size;
}

std::string ZipFile::read(const std::string& name) const {
  std::string content(size(name), '\0');
  read_into(name, content.data());
  return content;
}

void ZipFile::read_into(const std::string& name, void* place) const {
  const std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> file(zip_fopen(archive_of(archive_), name.c_str(), 0),
                                                               &zip_fclose);
  const uint64_t all = size(name);
  uint64_t done = 0;
  while (file && done < all) {
    const auto got = zip_fread(file.get(), static_cast<char*>(place) + done, std::min(all - done, kPieceOfEntry));
    if (got <= 0) break;
    done += static_cast<uint64_t>(got);
  }
  if (!file || done < all) throw UserError(fmt::format("{}: the entry '{}' is damaged", name_, name));
}

std::string ZipFile::read_ending(const std::string& ending) const {
  for (const auto& name : names()) {
    if (name.size() >= ending.size() && name.compare(name.size() - ending.size(), ending.size(), ending) == 0) {
      return read(name);
    }
  }
  throw UserError(fmt::format("{}: has no entry '{}'", name_, ending));
}

std::string make_zip(const std::vector<std::pair<std::string, std::string>>& entries) {
  const auto require = [](bool done) {
    if (!done) throw RunError("an archive cannot be made in memory");
  };
  zip_source_t* memory = zip_source_buffer_create(nullptr, 0, /*freep=*/0, nullptr);
  zip_t* archive = memory == nullptr ? nullptr : zip_open_from_source(memory, ZIP_TRUNCATE, nullptr);
  require(archive != nullptr);
  zip_source_keep(memory);
  const std::unique_ptr<zip_source_t, void (*)(zip_source_t*)> kept(memory, &zip_source_free);
  for (const auto& [name, content] : entries) {
    zip_source_t* source = zip_source_buffer(archive, content.data(), content.size(), /*freep=*/0);
    const auto place = zip_file_add(archive, name.c_str(), source, ZIP_FL_ENC_UTF_8);
    require(place >= 0 && zip_set_file_compression(archive, static_cast<zip_uint64_t>(place), ZIP_CM_STORE, 0) == 0);
  }
  require(zip_close(archive) == 0);
  zip_stat_t stat;
  require(zip_source_stat(memory, &stat) == 0 && zip_source_open(memory) == 0);
  std::string bytes(stat.size, '\0');
  const auto count = zip_source_read(memory, bytes.data(), bytes.size());
  zip_source_close(memory);
  require(count == static_cast<zip_int64_t>(bytes.size()));
  return bytes;
}

}  // namespace fercli
