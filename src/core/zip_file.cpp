#include "core/zip_file.hpp"

#include <fmt/format.h>
#include <zip.h>

#include <set>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/text.hpp"

namespace fercli {

namespace {

constexpr uint64_t kFreeSize = 64 << 20;  // below this no ratio is suspicious
constexpr uint64_t kMostGrowth = 50;
constexpr uint64_t kLargestEntry = uint64_t{1} << 40;  // so that sums do not overflow

zip_t* archive_of(const std::shared_ptr<void>& archive) {
  return static_cast<zip_t*>(archive.get());
}

std::shared_ptr<void> own(zip_t* archive, const std::string& name) {
  if (archive == nullptr) throw UserError(fmt::format("{}: is truncated or damaged (no whole zip file)", name));
  return {archive, [](void* open) { zip_discard(static_cast<zip_t*>(open)); }};
}

}  // namespace

ZipFile::ZipFile(const std::filesystem::path& path) : name_(path.string()) {
  require_file(path);
  archive_ = own(zip_open(path.c_str(), ZIP_RDONLY, nullptr), name_);
  check(std::filesystem::file_size(path));
}

ZipFile::ZipFile(const std::string& bytes, const std::string& name) : name_(name) {
  zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), /*freep=*/0, nullptr);
  zip_t* archive = zip_open_from_source(source, ZIP_RDONLY, nullptr);
  if (archive == nullptr) zip_source_free(source);
  archive_ = own(archive, name_);
  check(bytes.size());
}

void ZipFile::check(uint64_t packed_size) const {
  uint64_t total = 0;
  std::set<std::string> seen;
  for (zip_int64_t i = 0; i < zip_get_num_entries(archive_of(archive_), 0); ++i) {
    zip_stat_t entry;
    if (zip_stat_index(archive_of(archive_), static_cast<zip_uint64_t>(i), 0, &entry) != 0 ||
        (entry.valid & ZIP_STAT_SIZE) == 0 || (entry.valid & ZIP_STAT_NAME) == 0) {
      throw UserError(fmt::format("{}: is a damaged zip file", name_));
    }
    total += std::min<uint64_t>(entry.size, kLargestEntry);
    if (!seen.insert(to_lower(entry.name)).second) {
      throw UserError(fmt::format("{}: holds the entry '{}' twice", name_, entry.name));
    }
  }
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
  const std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> file(zip_fopen(archive_of(archive_), name.c_str(), 0),
                                                               &zip_fclose);
  if (!file || zip_fread(file.get(), content.data(), content.size()) != static_cast<zip_int64_t>(content.size())) {
    throw UserError(fmt::format("{}: the entry '{}' is damaged", name_, name));
  }
  return content;
}

std::string ZipFile::read_ending(const std::string& ending) const {
  for (const auto& name : names()) {
    if (name.size() >= ending.size() && name.compare(name.size() - ending.size(), ending.size(), ending) == 0) {
      return read(name);
    }
  }
  throw UserError(fmt::format("{}: has no entry '{}'", name_, ending));
}

}  // namespace fercli
