#include "core/output_folder.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/json_text.hpp"
#include "core/notice.hpp"
#include "core/untrusted.hpp"

namespace fercli {

namespace {

namespace fs = std::filesystem;

constexpr const char* kListName = ".fercli.json";  ///< what of a folder is fercli's

/// The command that wrote a folder, and its files as paths below it.
struct Contents {
  std::string command;
  std::set<std::string> files;
};

/// The first folder on the way from `folder` to a file that is a link; empty where none is.
fs::path link_on_the_way(const fs::path& folder, const fs::path& file) {
  fs::path way = folder;
  for (const auto& part : file.parent_path()) {
    way /= part;
    std::error_code error;
    if (fs::is_symlink(way, error)) return way;
  }
  return {};
}

/// No path out of the folder, whatever the list says and whatever links lie there: what it names is removed.
bool is_below(const fs::path& path, const fs::path& folder) {
  for (const auto& part : path) {
    if (part == ".." || part == "/") return false;
  }
  return !path.empty() && path.is_relative() && link_on_the_way(folder, path).empty();
}

Contents read_contents(const fs::path& folder) {
  std::error_code error;
  if (!fs::exists(folder / kListName, error)) return {};
  const auto list = read_untrusted_json(folder / kListName);
  Contents contents;
  try {
    contents.command = list.at("command").get<std::string>();
    for (const auto& entry : list.at("files")) {
      const auto name = entry.get<std::string>();
      if (is_below(name, folder)) contents.files.insert(name);
    }
  } catch (const nlohmann::json::exception&) {
    warn(fmt::format("{}: is damaged; files of an earlier run may stay in this folder", (folder / kListName).string()));
    return {};
  }
  return contents;
}

void write_contents(const Contents& contents, const fs::path& folder) {
  write_file(folder / kListName, compact_json({{"command", contents.command}, {"files", contents.files}}) + "\n");
}

/// Without the parts that killed members of a team left there.
std::set<std::string> files_below(const fs::path& folder) {
  std::set<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const fs::path file = entry.path().lexically_relative(folder);
    if (!entry.is_directory() && final_name(file) == file) files.insert(file.generic_string());
  }
  return files;
}

/// Removes a file, and the folders that it leaves empty.
void remove_with_folders(const fs::path& folder, const std::string& file) {
  std::error_code error;
  fs::remove(folder / file, error);
  for (fs::path parent = fs::path(file).parent_path(); !parent.empty(); parent = parent.parent_path()) {
    if (!fs::remove(folder / parent, error)) return;
  }
}

/// Nothing else is in there than what this class put there.
bool is_bare(const fs::path& folder) {
  std::error_code error;
  return fs::is_empty(folder, error) && !error;
}

void put_in_place(const fs::path& work, const fs::path& folder, const std::string& command) {
  try {
    const Contents earlier = read_contents(folder);
    const Contents now{command, files_below(work)};
    for (const auto& file : now.files) {
      const fs::path link = link_on_the_way(folder, file);
      if (!link.empty()) throw UserError(fmt::format("{}: is a link, where a folder of results goes", link.string()));
    }
    Contents both = now;
    both.files.insert(earlier.files.begin(), earlier.files.end());
    write_contents(both, folder);  // a run killed from here on leaves files that the next one still knows
    for (const auto& file : earlier.files) {
      if (now.files.count(file) == 0) remove_with_folders(folder, file);
    }
    for (const auto& file : now.files) {
      make_folder((folder / file).parent_path());
      fs::rename(work / file, folder / file);
    }
    write_contents(now, folder);
  } catch (const fs::filesystem_error& error) {
    throw_write_error(folder, error.code().value());
  }
}

/// Gives what has not taken its place a name that nobody sweeps.
fs::path keep_unfinished(const fs::path& work, const fs::path& folder) {
  return keep_as(work, folder / kUnfinished);
}

/// The same, as the end of a sentence.
std::string kept_unfinished(const fs::path& work, const fs::path& folder) {
  const fs::path kept = keep_unfinished(work, folder);
  return kept.empty() ? "" : fmt::format("; what has not taken its place is kept in {}", kept.string());
}

}  // namespace

std::string command_of_results(const fs::path& folder) {
  return read_contents(folder).command;
}

OutputFolder::OutputFolder(fs::path folder, std::string command, Leftovers leftovers)
    : folder_(std::move(folder)), command_(std::move(command)) {
  std::error_code error;
  made_ = !fs::exists(folder_, error);
  lock_.emplace(OutputLock::of_folder(folder_));
  sweep_parts(folder_);
  const Contents earlier = read_contents(folder_);
  if (!earlier.command.empty() && earlier.command != command_) {
    throw UserError(fmt::format("fercli {}: {}: holds results of fercli {}; choose another folder", command_,
                                folder_.string(), earlier.command));
  }
  part_.emplace(folder_ / (leftovers == Leftovers::Kept ? kKeptResultsPart : kResultsPart));
  make_folder(work());
}

OutputFolder::~OutputFolder() {
  part_.reset();
  lock_.reset();
  std::error_code error;
  if (made_ && is_bare(folder_)) fs::remove(folder_, error);
}

const fs::path& OutputFolder::work() const {
  return part_->path();
}

void OutputFolder::complete() {
  try {
    put_in_place(work(), folder_, command_);
  } catch (const RunError& error) {
    throw RunError(error.what() + kept_unfinished(work(), folder_));
  } catch (const UserError& error) {
    throw UserError(error.what() + kept_unfinished(work(), folder_));
  }
  std::error_code ignored;
  fs::remove_all(work(), ignored);
}

OutputFolder::Kept OutputFolder::keep() {
  const auto files = static_cast<int64_t>(files_below(work()).size());
  if (files == 0) return {};
  if (!read_contents(folder_).files.empty()) return {files, keep_unfinished(work(), folder_)};
  complete();
  return {files, folder_};
}

}  // namespace fercli
