#include "core/files.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <vector>

#include "core/build_info.hpp"
#include "core/error.hpp"

namespace fercli {

namespace fs = std::filesystem;

std::string read_file(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(path, error)) throw UserError(fmt::format("{}: no such file", path.string()));
  if (fs::is_directory(path, error)) throw UserError(fmt::format("{}: is a folder, not a file", path.string()));
  std::ifstream file(path, std::ios::binary);
  if (!file) throw UserError(fmt::format("{}: cannot be read", path.string()));
  const auto size = fs::file_size(path, error);
  std::string content(error ? 0 : size, '\0');
  file.read(content.data(), static_cast<std::streamsize>(content.size()));
  content.resize(static_cast<size_t>(file.gcount()));
  if (file) content.append(std::istreambuf_iterator<char>(file), {});  // pipes and /proc tell no size
  if (file.bad()) throw UserError(fmt::format("{}: cannot be read", path.string()));
  return content;
}

void make_folder(const fs::path& path) {
  std::error_code error;
  if (path.empty() || fs::is_directory(path, error)) return;
  fs::create_directories(path, error);
  if (error) throw UserError(fmt::format("{}: the folder cannot be made ({})", path.string(), error.message()));
}

fs::path part_name(const fs::path& path) {
  fs::path part = path;
  return part.replace_filename(fmt::format(".{}.{}.part{}", path.stem().string(), getpid(), path.extension().string()));
}

namespace {

/// What a link leads to; the path itself where it is none, or leads nowhere.
fs::path behind_links(const fs::path& path) {
  std::error_code error;
  const fs::path real = fs::is_symlink(path, error) ? fs::canonical(path, error) : path;
  return error || real.empty() ? path : real;
}

/// A device or a pipe: it takes the bytes, and renaming another file to it would do away with it.
bool is_channel(const fs::path& path) {
  std::error_code error;
  const auto status = fs::status(path, error);
  return fs::is_character_file(status) || fs::is_block_file(status) || fs::is_fifo(status) || fs::is_socket(status);
}

}  // namespace

void replace_file(const fs::path& name, const std::function<void(const fs::path&)>& write) {
  if (is_channel(name)) return write(name);
  const fs::path path = behind_links(name);
  make_folder(path.parent_path());
  const fs::path temporary = part_name(path);
  std::error_code error;
  try {
    write(temporary);
  } catch (...) {
    fs::remove(temporary, error);
    throw;
  }
  fs::rename(temporary, path, error);
  if (error) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    throw UserError(fmt::format("{}: cannot be written ({})", path.string(), error.message()));
  }
}

void write_file(const fs::path& path, std::string_view content) {
  replace_file(path, [&](const fs::path& temporary) {
    std::ofstream file(temporary, std::ios::binary);
    file.write(content.data(), static_cast<std::streamsize>(content.size()));
    file.close();
    if (!file)
      throw UserError(fmt::format("{}: cannot be written (is the disk full, or the folder read-only?)", path.string()));
  });
}

void require_other_file(const std::string& option, const fs::path& output, const fs::path& input) {
  std::error_code error;
  if (fs::equivalent(output, input, error)) {
    throw UserError(fmt::format("{} {}: would overwrite the input {}", option, output.string(), input.string()));
  }
}

fs::path find_shipped(const fs::path& relative) {
  std::vector<fs::path> roots;
  if (const char* folder = std::getenv("FERCLI_DATA")) roots.emplace_back(folder);
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (!error) roots.push_back(program.parent_path().parent_path() / "share" / "fercli");
  const fs::path sources = source_folder();
  if (!sources.empty()) roots.push_back(sources / "results");
  for (const auto& root : roots) {
    if (fs::exists(root / relative, error)) return root / relative;
  }
  return {};
}

}  // namespace fercli
