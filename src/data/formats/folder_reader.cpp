// Folders of images: class folders by name or number, split folders above or below them, FER2013's own file names, a
// flat folder without labels, or a single image. A groups.csv in it says what groups the images are of.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include "core/interrupt.hpp"
#include "data/formats/image_files.hpp"
#include "data/formats/label_order.hpp"
#include "data/groups.hpp"
#include "data/image.hpp"

namespace fercli::folder_reader {

namespace {

namespace fs = std::filesystem;

bool is_hidden(const fs::path& path) {
  return path.filename().string().compare(0, 1, ".") == 0;
}

/// Everything below `root` that is not hidden: images, and folders.
struct Listing {
  std::vector<std::string> images, folders;  ///< sorted paths below the root
};

/// Lists a tree; links to folders are followed, but no folder is entered twice, whatever leads to it. Folders come
/// before links to them, so that an image has its real name.
class TreeWalk {
 public:
  explicit TreeWalk(const fs::path& root) : root_(root) {}

  Listing run() {
    visit("");
    for (size_t i = 0; i < links_.size(); ++i) {  // links found behind links join the row
      if (is_new(links_[i])) listing_.folders.push_back(links_[i]);
      visit(links_[i]);
    }
    std::sort(listing_.images.begin(), listing_.images.end());
    std::sort(listing_.folders.begin(), listing_.folders.end());
    return std::move(listing_);
  }

 private:
  bool is_new(const std::string& folder) const {
    struct stat status {};
    return ::stat((root_ / folder).c_str(), &status) == 0 && visited_.count({status.st_dev, status.st_ino}) == 0;
  }

  /// Everything in this folder and below. A folder that cannot be read is an error.
  void visit(const std::string& folder) {
    throw_if_interrupted();
    struct stat status {};
    if (::stat((root_ / folder).c_str(), &status) != 0) fail(folder, std::strerror(errno));
    if (!visited_.insert({status.st_dev, status.st_ino}).second) return;
    std::vector<std::string> folders, links;
    std::error_code error;
    for (fs::directory_iterator entry(root_ / folder, error), end; !error && entry != end; entry.increment(error)) {
      if (is_hidden(entry->path())) continue;
      const std::string name = entry->path().filename().string(), id = folder.empty() ? name : folder + "/" + name;
      std::error_code ignored;
      if (!entry->is_directory(ignored)) {
        if (has_image_extension(entry->path())) listing_.images.push_back(id);
      } else {
        (entry->is_symlink(ignored) ? links : folders).push_back(id);
      }
    }
    if (error) fail(folder, error.message());
    std::sort(folders.begin(), folders.end());
    std::sort(links.begin(), links.end());
    links_.insert(links_.end(), links.begin(), links.end());
    for (const auto& below : folders) {
      listing_.folders.push_back(below);
      visit(below);
    }
  }

  [[noreturn]] void fail(const std::string& folder, const std::string& reason) const {
    throw UserError(fmt::format("{}: the folder cannot be read ({})", (root_ / folder).string(), reason));
  }

  fs::path root_;
  Listing listing_;
  std::vector<std::string> links_;  ///< to folders, to be followed when the real tree is listed
  std::set<std::pair<dev_t, ino_t>> visited_;
};

/// The number of a class folder: one digit, or as many as the highest class number has.
std::optional<int64_t> folder_number(const std::string& name, const LabelSet& numbering) {
  const auto number = label_number(name);
  const size_t digits = std::to_string(std::max<int64_t>(numbering.size(), 1)).size();
  return number && name.size() <= digits ? number : std::nullopt;
}

/// Numbered class folders are RAF-DB's 1-7 unless there is a folder 0, which only FER2013's 0-6 has.
LabelSet guess_numbering(const Listing& listing) {
  for (const auto& folder : listing.folders) {
    if (fs::path(folder).filename() == "0") return LabelSet::fer2013();
  }
  return LabelSet::raf_db();
}

/// Labels and splits from paths.
class PathRules {
 public:
  PathRules(const fs::path& root, const ClassRules& rules, const LabelSet& numbering)
      : root_(root),
        root_name_(fs::absolute(root).lexically_normal().filename().string()),
        rules_(rules),
        numbering_(numbering),
        classes_(rules.as_found ? LabelSet() : rules.recognised()) {
    if (root_name_.empty()) root_name_ = fs::absolute(root).lexically_normal().parent_path().filename().string();
  }

  /// The class a folder of this name stands for.
  std::optional<int64_t> class_of(const std::string& folder) const {
    if (const auto index = classes_.find(folder)) return index;
    const auto number = rules_.as_found ? std::nullopt : folder_number(folder, numbering_);
    if (!number) return {};
    const auto name = numbered_class(numbering_, *number);
    return name ? classes_.find(*name) : std::nullopt;
  }

  /// Throws UserError when the image lies in a folder that is neither a class nor a split.
  ImageFile file(const std::string& id) {
    const auto folders = folders_of(id);
    ImageFile file{root_ / id, id};
    if (const auto label = label_of(folders)) file.label = *label;
    file.split = split_of(folders, fs::path(id).filename().string());
    if (file.label < 0 && !folders.empty() && !find_split(folders.back())) {
      throw UserError(unknown_class(fs::path(id).parent_path().generic_string()));
    }
    return file;
  }

  const LabelSet& classes() const { return classes_; }

 private:
  static std::vector<std::string> folders_of(const std::string& id) {
    std::vector<std::string> folders;
    for (const auto& part : fs::path(id).parent_path()) folders.push_back(part.string());
    return folders;
  }

  /// The innermost folder with a class's name, else the innermost with a number, else the source's own name; where any
  /// name is a class, the outermost that is no split.
  std::optional<int64_t> label_of(const std::vector<std::string>& folders) {
    for (auto folder = folders.rbegin(); folder != folders.rend() && !rules_.as_found; ++folder) {
      if (const auto index = classes_.find(*folder)) return index;
    }
    for (auto folder = folders.rbegin(); folder != folders.rend() && !rules_.as_found; ++folder) {
      if (const auto index = class_of(*folder)) return index;
    }
    if (rules_.any_name()) {
      for (const auto& folder : folders)
        if (!find_split(folder)) return add_class(classes_, spelt(folder));
    }
    return classes_.find(root_name_);
  }

  /// Emotions as the program spells them.
  static std::string spelt(const std::string& folder) {
    const Emotion* emotion = find_emotion(folder);
    return emotion != nullptr ? emotion->name : folder;
  }

  /// FER2013's file names know the official split; the usual folder copies mix both test sets in `test`.
  Split split_of(const std::vector<std::string>& folders, const std::string& file) const {
    for (const Split split : {Split::Training, Split::PublicTest, Split::PrivateTest}) {
      const std::string prefix = std::string(to_string(split)) + "_";
      if (file.compare(0, prefix.size(), prefix) == 0) return split;
    }
    for (auto folder = folders.rbegin(); folder != folders.rend(); ++folder) {
      if (const auto split = find_split(*folder)) return *split;
    }
    return find_split(root_name_).value_or(Split::None);
  }

  std::string unknown_class(const std::string& folder) const {
    const std::string name = fs::path(folder).filename().string();
    if (folder_number(name, numbering_)) {
      return fmt::format("folder {} is no class number from {} to {}; --data-labels says what numbers mean", folder,
                         numbering_ == LabelSet::raf_db() ? 1 : 0,
                         numbering_.size() - (numbering_ == LabelSet::raf_db() ? 0 : 1));
    }
    std::vector<std::string> words = classes_.names();
    for (const auto& emotion : emotions())
      if (!rules_.has_own_classes()) words.insert(words.end(), emotion.aliases.begin(), emotion.aliases.end());
    return fmt::format("folder {} is neither {} nor a split{} ({})", folder,
                       rules_.has_own_classes() ? "a class" : "an emotion", did_you_mean(name, words),
                       rules_.allowed());
  }

  fs::path root_;
  std::string root_name_;
  ClassRules rules_;
  LabelSet numbering_, classes_;
};

bool holds_image(const Listing& listing, const std::string& folder) {
  const std::string prefix = folder + "/";
  const auto next = std::lower_bound(listing.images.begin(), listing.images.end(), prefix);
  return next != listing.images.end() && next->compare(0, prefix.size(), prefix) == 0;
}

bool has_numbered_folder(const Listing& listing, const LabelSet& numbering) {
  return std::any_of(listing.folders.begin(), listing.folders.end(), [&](const std::string& folder) {
    return folder_number(fs::path(folder).filename().string(), numbering).has_value();
  });
}

Dataset read_tree(const fs::path& root, const ReadOptions& options) {
  Problems problems(options.skip_bad);
  const Listing listing = TreeWalk(root).run();
  if (listing.images.empty()) {
    throw UserError(fmt::format("{}: the folder holds no images (looked for .jpg, .png, .bmp, .webp, .tif, .pgm, .ppm)",
                                root.string()));
  }
  const ClassRules& classes = options.classes;
  const LabelSet numbering = classes.numbering ? *classes.numbering : guess_numbering(listing);
  if (classes.numbering && !classes.has_own_classes() && !has_numbered_folder(listing, numbering))
    throw UnusedLabelOrder(root.string(), "no folder in it is a number");
  PathRules rules(root, classes, numbering);
  for (const auto& folder : listing.folders) {
    if (rules.class_of(fs::path(folder).filename().string()) && !holds_image(listing, folder)) {
      problems.report(fmt::format("{}: the class folder holds no images", (root / folder).string()));
    }
  }
  std::vector<ImageFile> files;
  for (const auto& id : listing.images) {
    try {
      files.push_back(rules.file(id));
    } catch (const UserError& error) {
      problems.report(fmt::format("{}: {}", root.string(), error.what()));
    }
  }
  Dataset data = read_image_files(root.string(), files, rules.classes(), options, problems);
  if (std::error_code error; fs::is_regular_file(root / kGroupsFile, error))
    data.groups = read_groups((root / kGroupsFile).string(), data.ids);
  return data;
}

bool recognises(const std::string& source) {
  std::error_code error;
  if (fs::is_directory(source, error)) return true;
  return fs::is_regular_file(source, error) && has_image_extension(source);
}

Dataset read(const std::string& source, const ReadOptions& options) {
  const fs::path place = source;
  if (fs::is_directory(place)) return read_tree(place, options);
  Problems problems(options.skip_bad);
  return read_image_files(source, {{place, place.filename().string()}}, options.classes.recognised(), options,
                          problems);
}

const Register<DatasetReader> registered{{"folder", "a folder of images, or one image", recognises, read}};

}  // namespace

}  // namespace fercli::folder_reader
