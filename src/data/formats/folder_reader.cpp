// Folders of images: class folders by name or number, split folders above or below them, FER2013's own file names, a
// flat folder without labels, or a single image.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include "core/interrupt.hpp"
#include "data/each_image.hpp"
#include "data/formats/label_order.hpp"
#include "data/formats/reader.hpp"
#include "data/image.hpp"

namespace fercli::folder_reader {

namespace {

namespace fs = std::filesystem;

constexpr int64_t kLargestNative = 256;

struct Entry {
  std::string id;  ///< path below the source, with slashes
  int64_t label = -1;
  Split split = Split::None;
};

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

std::optional<int64_t> folder_number(const std::string& name) {
  if (name.size() != 1 || name[0] < '0' || name[0] > '9') return {};
  return name[0] - '0';
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
  PathRules(const fs::path& root, const LabelSet& numbering)
      : root_name_(fs::absolute(root).lexically_normal().filename().string()), numbering_(numbering) {
    if (root_name_.empty()) root_name_ = fs::absolute(root).lexically_normal().parent_path().filename().string();
  }

  /// The class a folder of this name stands for.
  std::optional<int64_t> class_of(const std::string& folder) const {
    if (const auto index = classes_.find(folder)) return index;
    const auto number = folder_number(folder);
    if (!number) return {};
    const auto name = numbered_class(numbering_, *number);
    return name ? classes_.find(*name) : std::nullopt;
  }

  /// Throws UserError when the image lies in a folder that is neither a class nor a split.
  Entry entry(const std::string& id) const {
    const auto folders = folders_of(id);
    Entry entry{id};
    if (const auto label = label_of(folders)) entry.label = *label;
    entry.split = split_of(folders, fs::path(id).filename().string());
    if (entry.label < 0 && !folders.empty() && !find_split(folders.back())) {
      throw UserError(unknown_class(fs::path(id).parent_path().generic_string()));
    }
    return entry;
  }

 private:
  static std::vector<std::string> folders_of(const std::string& id) {
    std::vector<std::string> folders;
    for (const auto& part : fs::path(id).parent_path()) folders.push_back(part.string());
    return folders;
  }

  /// The innermost folder with an emotion's name, else the innermost with a number, else the source's own name.
  std::optional<int64_t> label_of(const std::vector<std::string>& folders) const {
    for (auto folder = folders.rbegin(); folder != folders.rend(); ++folder) {
      if (const auto index = classes_.find(*folder)) return index;
    }
    for (auto folder = folders.rbegin(); folder != folders.rend(); ++folder) {
      if (const auto index = class_of(*folder)) return index;
    }
    return classes_.find(root_name_);
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
    std::vector<std::string> words;
    for (const auto& emotion : emotions()) words.insert(words.end(), emotion.aliases.begin(), emotion.aliases.end());
    return fmt::format("folder {} is neither an emotion nor a split{} (emotions: {})", folder,
                       did_you_mean(name, words), join(classes_.names(), ", "));
  }

  std::string root_name_;
  LabelSet numbering_;
  LabelSet classes_ = LabelSet::fer2013();
};

/// The problems found on the way: the first ends the reading, unless they are to be skipped.
class Problems {
 public:
  explicit Problems(bool skip) : skip_(skip) {}
  void report(const std::string& message) {
    if (!skip_) throw UserError(message);
    ++count_;
  }
  int64_t count() const { return count_; }

 private:
  bool skip_;
  int64_t count_ = 0;
};

bool holds_image(const Listing& listing, const std::string& folder) {
  const std::string prefix = folder + "/";
  const auto next = std::lower_bound(listing.images.begin(), listing.images.end(), prefix);
  return next != listing.images.end() && next->compare(0, prefix.size(), prefix) == 0;
}

std::vector<Entry> plan(const fs::path& root, const ReadOptions& options, Problems& problems) {
  const Listing listing = TreeWalk(root).run();
  if (listing.images.empty()) {
    throw UserError(fmt::format("{}: the folder holds no images (looked for .jpg, .png, .bmp, .webp, .tif, .pgm, .ppm)",
                                root.string()));
  }
  const bool numbered = std::any_of(listing.folders.begin(), listing.folders.end(), [](const std::string& folder) {
    return folder_number(fs::path(folder).filename().string()).has_value();
  });
  if (options.numbering && !numbered) throw UnusedLabelOrder(root.string(), "no folder in it is a number");
  const PathRules rules(root, options.numbering ? *options.numbering : guess_numbering(listing));
  for (const auto& folder : listing.folders) {
    if (rules.class_of(fs::path(folder).filename().string()) && !holds_image(listing, folder)) {
      problems.report(fmt::format("{}: the class folder holds no images", (root / folder).string()));
    }
  }
  std::vector<Entry> entries;
  for (const auto& id : listing.images) {
    try {
      entries.push_back(rules.entry(id));
    } catch (const UserError& error) {
      problems.report(fmt::format("{}: {}", root.string(), error.what()));
    }
  }
  return entries;
}

/// Decodes all files in parallel; a failure leaves its message.
std::vector<std::string> decode_all(const fs::path& root, const std::vector<Entry>& entries, torch::Tensor images,
                                    Observer& observer) {
  std::vector<std::string> failures(entries.size());
  const int64_t channels = images.size(1);
  const auto decode = [&](int64_t i) {
    try {
      const auto& id = entries[static_cast<size_t>(i)].id;
      put_image(read_image(id.empty() ? root : root / id, channels), images[i]);
    } catch (const UserError& error) {
      failures[static_cast<size_t>(i)] = error.what();
    }
  };
  for_each_image("Reading", static_cast<int64_t>(entries.size()), 16, decode, observer);
  return failures;
}

/// Size and channels of the first readable image, cut down to what a face crop may have.
void take_native_shape(const fs::path& root, const std::vector<Entry>& entries, ReadOptions& options) {
  for (const auto& entry : entries) {
    try {
      const auto image = read_image(entry.id.empty() ? root : root / entry.id, 3);
      options.size = std::min({image.size(1), image.size(2), kLargestNative});
      options.channels = image[0].equal(image[1]) && image[0].equal(image[2]) ? 1 : 3;
      return;
    } catch (const UserError&) {  // reported when it is its turn
    }
  }
}

Dataset read_entries(const fs::path& root, const std::vector<Entry>& entries, ReadOptions options, Problems& problems) {
  if (options.native) take_native_shape(root, entries, options);
  Dataset data;
  data.name = root.string();
  data.classes = LabelSet::fer2013();
  const auto n = static_cast<int64_t>(entries.size());
  data.images = torch::empty({n, options.channels, options.size, options.size}, torch::kUInt8);
  data.labels = torch::empty({n}, torch::kInt64);
  const auto failures = decode_all(root, entries, data.images, *options.observer);
  std::vector<int64_t> good;
  for (int64_t i = 0; i < n; ++i) {
    const Entry& entry = entries[static_cast<size_t>(i)];
    data.labels.data_ptr<int64_t>()[i] = entry.label;
    data.splits.push_back(entry.split);
    data.ids.push_back(entry.id.empty() ? root.filename().string() : entry.id);
    const auto& failure = failures[static_cast<size_t>(i)];
    if (failure.empty()) {
      good.push_back(i);
    } else {
      problems.report(failure);
    }
  }
  if (good.empty())
    throw UserError(fmt::format("{}: not one entry is readable ({} bad)", root.string(), problems.count()));
  if (static_cast<int64_t>(good.size()) < n) data = data.select(good);
  data.skipped = problems.count();
  return data;
}

bool recognises(const std::string& source) {
  std::error_code error;
  if (fs::is_directory(source, error)) return true;
  return fs::is_regular_file(source, error) && has_image_extension(source);
}

Dataset read(const std::string& source, const ReadOptions& options) {
  Problems problems(options.skip_bad);
  if (fs::is_directory(source)) return read_entries(source, plan(source, options, problems), options, problems);
  return read_entries(source, {Entry{}}, options, problems);
}

const Register<DatasetReader> registered{{"folder", "a folder of images, or one image", recognises, read}};

}  // namespace

}  // namespace fercli::folder_reader
