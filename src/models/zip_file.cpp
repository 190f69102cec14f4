#include "models/zip_file.hpp"

#include <fmt/format.h>
#include <zip.h>

#include "core/error.hpp"

namespace fercli {

namespace {

constexpr uint64_t kFreeSize = 64 << 20;  // below this no ratio is suspicious
constexpr uint64_t kMostGrowth = 50;

zip_t* archive_of(const std::shared_ptr<void>& archive) {
  return static_cast<zip_t*>(archive.get());
}

}  // namespace

ZipFile::ZipFile(const std::filesystem::path& path) : path_(path) {
  zip_t* archive = zip_open(path.c_str(), ZIP_RDONLY, nullptr);
  if (archive == nullptr) throw UserError(fmt::format("{}: is a truncated or damaged zip file", path.string()));
  archive_ = std::shared_ptr<void>(archive, [](void* open) { zip_discard(static_cast<zip_t*>(open)); });
  uint64_t total = 0;
  for (zip_int64_t i = 0; i < zip_get_num_entries(archive, 0); ++i) {
    zip_stat_t entry;
    if (zip_stat_index(archive, static_cast<zip_uint64_t>(i), 0, &entry) != 0 || (entry.valid & ZIP_STAT_SIZE) == 0) {
      throw UserError(fmt::format("{}: is a damaged zip file", path.string()));
    }
    total += std::min<uint64_t>(entry.size, uint64_t{1} << 40);
  }
  const uint64_t size = std::filesystem::file_size(path);
  if (total > kFreeSize && total / kMostGrowth > size) {
    throw UserError(
        fmt::format("{}: would unpack to {} times its size; this is no model", path.string(), total / size));
  }
}

std::vector<std::string> ZipFile::names() const {
  std::vector<std::string> names;
  for (zip_int64_t i = 0; i < zip_get_num_entries(archive_of(archive_), 0); ++i) {
    if (const char* name = zip_get_name(archive_of(archive_), static_cast<zip_uint64_t>(i), 0)) names.push_back(name);
  }
  return names;
}

std::string ZipFile::read(const std::string& name) const {
  zip_stat_t entry;
  if (zip_stat(archive_of(archive_), name.c_str(), 0, &entry) != 0) {
    throw UserError(fmt::format("{}: has no entry '{}'", path_.string(), name));
  }
  const std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> file(zip_fopen(archive_of(archive_), name.c_str(), 0),
                                                               &zip_fclose);
  std::string content(entry.size, '\0');
  if (!file || zip_fread(file.get(), content.data(), content.size()) != static_cast<zip_int64_t>(content.size())) {
    throw UserError(fmt::format("{}: the entry '{}' is damaged", path_.string(), name));
  }
  return content;
}

std::string ZipFile::read_ending(const std::string& ending) const {
  for (const auto& name : names()) {
    if (name.size() >= ending.size() && name.compare(name.size() - ending.size(), ending.size(), ending) == 0) {
      return read(name);
    }
  }
  throw UserError(fmt::format("{}: has no entry '{}'", path_.string(), ending));
}

}  // namespace fercli
