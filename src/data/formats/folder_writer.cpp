// A tree split/class/id.png that the folder reader gives back without loss, and groups.csv where there are groups.
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <set>

#include "core/file_name.hpp"
#include "core/files.hpp"
#include "core/output_part.hpp"
#include "data/class_rules.hpp"
#include "data/each_image.hpp"
#include "data/formats/writer.hpp"
#include "data/groups.hpp"
#include "data/image.hpp"

namespace fercli::folder_writer {

namespace {

namespace fs = std::filesystem;

/// The last part of an id without its extension, and without blanks, over which the reader would trip.
std::string stem_of(const std::string& id) {
  std::string stem = fs::path(id).filename().string();
  const size_t dot = stem.rfind('.');
  if (dot != std::string::npos && dot > 0 && stem.size() - dot <= 5) stem.resize(dot);
  std::replace(stem.begin(), stem.end(), ' ', '_');
  return file_name_of(stem, "image");
}

/// Files that begin with FER2013's name of a split are of it, whatever their folder is called; not so those of others.
std::string kept_in(Split split, const std::string& stem) {
  for (const Split other : {Split::Training, Split::PublicTest, Split::PrivateTest}) {
    if (other != split && stem.rfind(fmt::format("{}_", to_string(other)), 0) == 0) return "image-" + stem;
  }
  return stem;
}

/// A folder of such a name is a part of the data set.
void require_no_split(const Dataset& data, const fs::path& destination) {
  const LabelSet classes = occurring_classes(data);
  for (const auto& name : classes.names()) {
    if (!find_split(name)) continue;
    throw UserError(
        fmt::format("{}: a folder for class {} would be read as a part of the data set; --map {}=NAME renames the "
                    "class, and a CSV or a packed file keeps it",
                    destination.string(), name, name));
  }
}

/// Where each image goes, below the destination. Names that would collide get their row number.
std::vector<std::string> plan_names(const Dataset& data) {
  std::vector<std::string> names, folders;
  for (const auto& name : data.classes.names()) folders.push_back(to_lower(name));
  folders = file_names_of(folders, "class");
  std::set<std::string> taken;
  const auto* label = data.labels.data_ptr<int64_t>();
  for (int64_t i = 0; i < data.size(); ++i) {
    const Split split = data.splits[static_cast<size_t>(i)];
    std::string folder = split == Split::None ? "" : fmt::format("{}/", to_string(split));
    if (label[i] >= 0) folder += folders[static_cast<size_t>(label[i])] + "/";
    const std::string wanted = folder + kept_in(split, stem_of(data.ids[static_cast<size_t>(i)]));
    std::string name = wanted;
    for (int64_t number = i; !taken.insert(to_lower(name)).second; ++number) {
      name = fmt::format("{}-{}", wanted, number);
    }
    names.push_back(name + ".png");
  }
  return names;
}

/// A folder is only replaced when nothing but images (and folders) would be lost, and nobody is in it.
void require_replaceable(const fs::path& folder) {
  if (lies_in(fs::current_path(), folder)) {
    throw UserError(fmt::format("{}: is not replaced, because the program runs in it", folder.string()));
  }
  if (!fs::is_directory(folder)) throw UserError(fmt::format("{}: is a file, not a folder", folder.string()));
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path() == folder / kGroupsFile) continue;
    if (!entry.is_directory() && to_lower(entry.path().extension().string()) != ".png") {
      throw UserError(fmt::format("{}: is not replaced, because it holds other files than PNG images ({})",
                                  folder.string(), entry.path().string()));
    }
  }
}

void write_images(const Dataset& data, const fs::path& root, Observer& observer) {
  const auto names = plan_names(data);
  std::set<fs::path> folders;
  for (const auto& name : names) folders.insert((root / name).parent_path());
  for (const auto& folder : folders) make_folder(folder);
  for_each_image(
      "Writing", data.size(), 64, [&](int64_t i) { write_png(data.images[i], root / names[static_cast<size_t>(i)]); },
      observer);
  if (!data.groups.empty()) write_groups(root / kGroupsFile, names, data.groups);
}

/// Exchanges two folders in one step, so that a run killed at any moment leaves one of them whole; false where the file
/// system cannot.
bool exchanged(const fs::path& one, const fs::path& other) {
  return ::renameat2(AT_FDCWD, one.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE) == 0;
}

void write(const Dataset& data, const fs::path& destination, Observer& observer) {
  require_no_split(data, destination);
  const fs::path place = (fs::absolute(destination).lexically_normal() / "").parent_path();  // no slash at the end
  std::error_code error;
  const bool replaces = fs::exists(place, error);
  if (replaces) require_replaceable(place);
  const OutputPart part(place);
  fs::path old = part.path();
  old += ".old";
  try {
    write_images(data, part.path(), observer);
    if (replaces && exchanged(part.path(), place)) return;
    if (replaces) fs::rename(place, old);
    fs::rename(part.path(), place);
    fs::remove_all(old, error);
  } catch (const fs::filesystem_error& problem) {
    if (replaces && !fs::exists(place, error)) fs::rename(old, place, error);
    throw_write_error(destination, problem.code().value());
  }
}

const Register<DatasetWriter> registered{{"folder", "", write, false, true}};

}  // namespace

}  // namespace fercli::folder_writer
