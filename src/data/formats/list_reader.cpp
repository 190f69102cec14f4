// Lists of image files with their labels: `path,label` with a header or without one, RAF-DB's list of partitions
// (`train_00001.jpg 5`), and AffectNet's with face boxes (`subDirectory_filePath,face_x,…,expression,…`).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "core/files.hpp"
#include "core/interrupt.hpp"
#include "data/delimited.hpp"
#include "data/formats/image_files.hpp"
#include "data/formats/label_order.hpp"
#include "data/image.hpp"

namespace fercli::list_reader {

namespace {

namespace fs = std::filesystem;

constexpr int64_t kMostRows = 10'000'000;

/// Where images lie, seen from the list or from the folder above it.
const std::vector<std::string>& usual_folders() {
  static const std::vector<std::string> folders{
      "", "images", "Image/aligned", "Image/original", "Manually_Annotated_Images", "Automatically_Annotated_Images"};
  return folders;
}

/// The numbers of the known columns; -1 where there is none.
struct Columns {
  int path = -1, label = -1, usage = -1;
  std::array<int, 4> box{-1, -1, -1, -1};  ///< x, y, width, height
  bool header = false;
  bool affectnet = false;  ///< by its own name for the paths

  bool has_box() const { return *std::min_element(box.begin(), box.end()) >= 0; }
  bool has_part_of_box() const { return !has_box() && *std::max_element(box.begin(), box.end()) >= 0; }
};

Columns columns_of_header(const std::vector<std::string>& fields) {
  static const std::set<std::string> paths{"path", "file",     "filename",  "image", "image_path",
                                           "img",  "filepath", "file_path", "pth",   "subdirectory_filepath"};
  static const std::set<std::string> labels{"label", "emotion", "expression", "class"};
  static const std::array<std::array<const char*, 4>, 3> boxes{
      {{"face_x", "face_y", "face_width", "face_height"}, {"x", "y", "width", "height"}, {"x", "y", "w", "h"}}};
  Columns columns;
  columns.header = true;
  const auto places_of = [&](const std::array<const char*, 4>& sides) {
    std::array<int, 4> places;
    std::transform(sides.begin(), sides.end(), places.begin(), [&](const char* side) {
      const auto found =
          std::find_if(fields.begin(), fields.end(), [&](const auto& name) { return to_lower(name) == side; });
      return found == fields.end() ? -1 : static_cast<int>(found - fields.begin());
    });
    return places;
  };
  for (size_t i = 0; i < fields.size(); ++i) {
    const std::string name = to_lower(fields[i]);
    const auto place = static_cast<int>(i);
    if (columns.path < 0 && paths.count(name) > 0) columns.path = place;
    if (columns.label < 0 && labels.count(name) > 0) columns.label = place;
    if (name == "usage" || name == "split") columns.usage = place;
    if (name == "subdirectory_filepath") columns.affectnet = true;
  }
  columns.box = places_of(boxes[0]);
  if (columns.has_part_of_box()) return columns;
  for (const auto& sides : boxes) {  // an image has a width and a height too, without x and y
    if (!columns.has_box()) columns.box = places_of(sides);
  }
  if (!columns.has_box()) columns.box = {-1, -1, -1, -1};
  return columns;
}

/// Without a header: the image, a part of the data set by its name, and what is left is the label.
Columns columns_of_row(const std::vector<std::string>& fields) {
  Columns columns;
  for (size_t i = 0; i < fields.size(); ++i) {
    int& column = has_image_extension(fs::path(fields[i])) ? columns.path
                  : find_split(fields[i])                  ? columns.usage
                                                           : columns.label;
    if (column < 0) column = static_cast<int>(i);
  }
  return columns;
}

/// What the first line says; without a path where it is no list.
Columns columns_of(std::string_view line) {
  std::vector<std::string> fields;
  try {
    split_fields(line, delimiter_of(line), fields);
  } catch (const BadRow&) {
    return {};
  }
  for (const auto& field : fields)
    if (to_lower(field) == "pixels") return {};
  const bool is_row = std::any_of(fields.begin(), fields.end(),
                                  [](const std::string& field) { return has_image_extension(fs::path(field)); });
  return is_row ? columns_of_row(fields) : columns_of_header(fields);
}

struct Row {
  int64_t line;
  std::string path, label;
  Split split;
  std::optional<PixelBox> box;
};

/// Where the images of a list lie: found for the first of them that is there, and the same for all.
class Place {
 public:
  Place(const fs::path& list, const std::vector<Row>& rows) {
    constexpr size_t kMostTried = 100;
    for (size_t i = 0; i < std::min(rows.size(), kMostTried); ++i)
      if (is_found(list, rows[i].path)) return;
    throw UserError(fmt::format("{}: image {} is not found beside the list, nor in {} there or one folder above",
                                list.string(), rows.front().path,
                                join({usual_folders().begin() + 1, usual_folders().end()}, ", ")));
  }

  fs::path of(const std::string& name) const {
    fs::path path = root_ / name;
    if (ending_.empty()) return path;
    return path.parent_path() / (path.stem().string() + ending_ + path.extension().string());
  }

 private:
  bool is_found(const fs::path& list, const std::string& name) {
    const fs::path beside = fs::absolute(list).parent_path();
    for (const auto& above : {beside, beside.parent_path()}) {
      for (const auto& folder : usual_folders()) {
        for (const char* ending : {"", "_aligned"}) {
          root_ = above / folder;
          ending_ = ending;
          std::error_code error;
          if (fs::exists(of(name), error)) return true;
        }
      }
    }
    return false;
  }

  fs::path root_;
  std::string ending_;  ///< of the file's name, which the list leaves out
};

/// "train_00001.jpg" is of train.
Split split_of_name(const std::string& path) {
  const std::string name = fs::path(path).filename().string();
  return find_split(name.substr(0, name.find('_'))).value_or(Split::None);
}

class ListReading {
 public:
  ListReading(const std::string& path, const ReadOptions& options)
      : path_(path), options_(options), problems_(options.skip_bad) {}

  Dataset run() {
    read_rows();
    if (rows_.empty()) throw UserError(fmt::format("{}: names no images ({} bad rows)", path_, problems_.count()));
    LabelReading labels(options_.classes, usual_numbering());
    const Place place(path_, rows_);
    std::vector<ImageFile> files;
    std::map<std::string, int64_t> taken;
    for (const auto& row : rows_) {
      try {
        const int64_t count = ++taken[row.path];
        files.push_back({place.of(row.path), count == 1 ? row.path : fmt::format("{}#{}", row.path, count),
                         label_of(row, labels), row.split, row.box});
      } catch (const std::invalid_argument& problem) {
        problems_.report(fmt::format("{}:{}: {}", path_, row.line, problem.what()));
      }
    }
    const ClassRules& classes = options_.classes;
    if (classes.numbering && !classes.has_own_classes() && !labels.has_numbers())
      throw UnusedLabelOrder(path_, columns_.label < 0 ? "has no labels" : "the labels are names, not numbers");
    return read_image_files(path_, files, labels.classes(), options_, problems_);
  }

 private:
  void read_rows() {
    LineReader lines(path_, *options_.observer);
    std::vector<std::string> fields;
    std::string_view line;
    while (lines.next(line)) {
      if (lines.number() % 1024 == 0) throw_if_interrupted();
      if (lines.number() == 1) {
        delimiter_ = delimiter_of(line);
        columns_ = columns_of(line);
        split_of_list_ = find_split(fs::path(path_).stem().string()).value_or(Split::None);
        if (columns_.path < 0) {
          throw UserError(fmt::format("{}:1: no column names image files, as `path` or `file` would", path_));
        }
        if (columns_.has_part_of_box()) {
          throw UserError(fmt::format(
              "{}:1: a face's box has the columns face_x, face_y, face_width and face_height, and not all are here",
              path_));
        }
        if (columns_.header) continue;
      }
      if (line.find_first_not_of(" \t") == std::string_view::npos) continue;
      if (static_cast<int64_t>(rows_.size()) == kMostRows)
        throw UserError(fmt::format("{}: names more than {} images", path_, kMostRows));
      try {
        split_fields(line, delimiter_, fields);
        rows_.push_back(row_of(fields, lines.number()));
      } catch (const BadRow& problem) {
        problems_.report(fmt::format("{}:{}: {}", path_, lines.number(), problem.what()));
      }
    }
  }

  static std::string field_of(const std::vector<std::string>& fields, int column) {
    if (column < 0) return "";
    if (static_cast<size_t>(column) >= fields.size())
      throw BadRow(fmt::format("has {} fields, where the first line has more", fields.size()));
    return fields[static_cast<size_t>(column)];
  }

  Row row_of(const std::vector<std::string>& fields, int64_t line) const {
    Row row{line, field_of(fields, columns_.path), field_of(fields, columns_.label), Split::None, {}};
    std::replace(row.path.begin(), row.path.end(), '\\', '/');
    if (row.path.empty()) throw BadRow("names no image");
    const std::string usage = field_of(fields, columns_.usage);
    if (!usage.empty() && !find_split(usage))
      throw BadRow(fmt::format("'{}' is no part of a data set: train, validation or test", usage.substr(0, 20)));
    row.split = usage.empty() ? split_of_name(row.path) : *find_split(usage);
    if (row.split == Split::None) row.split = split_of_list_;
    if (columns_.has_box()) row.box = box_of(fields);
    return row;
  }

  /// AffectNet numbers what shows no emotion behind its eight.
  int64_t label_of(const Row& row, LabelReading& labels) const {
    static const std::map<std::string, const char*> others{{"8", "None"}, {"9", "Uncertain"}, {"10", "No-Face"}};
    const auto other = others.find(row.label);
    const ClassRules& classes = options_.classes;
    if (columns_.affectnet && !classes.as_found && !classes.has_own_classes() && other != others.end()) {
      throw std::invalid_argument(
          fmt::format("emotion {} must be a number from 0 to 7 (AffectNet's {} is {}; --skip-bad leaves such rows out)",
                      row.label, row.label, other->second));
    }
    return labels.read(row.label);
  }

  PixelBox box_of(const std::vector<std::string>& fields) const {
    std::array<double, 4> side{};
    for (size_t k = 0; k < side.size(); ++k) {
      const std::string field = field_of(fields, columns_.box[k]);
      try {
        side[k] = parse_number(field);
      } catch (const std::invalid_argument&) {
        throw BadRow(fmt::format("the face's box has '{}' in place of a number of pixels", field.substr(0, 20)));
      }
    }
    if (!(std::abs(side[0]) < 1e6 && std::abs(side[1]) < 1e6 && side[2] > 0 && side[3] > 0 && side[2] < 1e6 &&
          side[3] < 1e6)) {
      throw BadRow("the face's box is empty");
    }
    return {side[0], side[1], side[2], side[3]};
  }

  /// AffectNet's numbers under its own header; RAF-DB's where there is a 7 and no 0; else FER2013's.
  LabelSet usual_numbering() const {
    if (columns_.affectnet) return LabelSet::affectnet8();
    const auto occurs = [&](const char* number) {
      return std::any_of(rows_.begin(), rows_.end(), [&](const Row& row) { return row.label == number; });
    };
    return occurs("7") && !occurs("0") ? LabelSet::raf_db() : LabelSet::fer2013();
  }

  std::string path_;
  const ReadOptions& options_;
  Problems problems_;
  char delimiter_ = ',';
  Columns columns_;
  Split split_of_list_ = Split::None;
  std::vector<Row> rows_;
};

bool recognises(const std::string& source) {
  std::error_code error;
  if (!fs::is_regular_file(source, error) || has_image_extension(source)) return false;
  static const std::set<std::string> endings{".csv", ".tsv", ".txt", ".lst", ".list"};
  return endings.count(to_lower(fs::path(source).extension().string())) > 0 &&
         columns_of(opening_line(source)).path >= 0;
}

Dataset read(const std::string& source, const ReadOptions& options) {
  return ListReading(source, options).run();
}

/// Fourteen images of one grey each, two of each emotion.
std::string sample(const fs::path& folder) {
  std::string lines = "path,label\n";
  for (int64_t i = 0; i < 14; ++i) {
    const std::string name = fmt::format("{}.png", i);
    write_png(torch::full({1, 40, 40}, 10 * i, torch::kUInt8), folder / name);
    lines += fmt::format("{},{}\n", name, i % 7);
  }
  const fs::path list = folder / "list.csv";
  write_file(list, lines);
  return list.string();
}

const Register<DatasetReader> registered{
    {"list", "a list of image files with their labels", recognises, read, 1, sample}};

}  // namespace

}  // namespace fercli::list_reader
