// FER2013's CSV in its dialects: columns emotion, pixels and Usage in any order, only pixels required; separated by
// commas, semicolons or tabs; with a header or without one. The file is streamed: of its text no more than a block and
// a line are in memory at a time.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/escape.hpp"
#include "core/files.hpp"
#include "core/interrupt.hpp"
#include "data/delimited.hpp"
#include "data/formats/label_order.hpp"
#include "data/formats/reader.hpp"
#include "data/image.hpp"

namespace fercli::csv_reader {

namespace {

namespace fs = std::filesystem;

/// The numbers of the known columns; -1 where there is none.
struct Columns {
  int emotion = -1, pixels = -1, usage = -1;
  size_t count = 0;
  bool header = true;  ///< the first line is one
};

/// What a column of this name holds.
const char* meaning_of(const std::string& name) {
  if (name == "pixels") return "the pixels";
  return name == "emotion" || name == "label" ? "the class" : "the part of the data set";
}

/// What separates fields; a blank separates pixels.
char field_delimiter(std::string_view line) {
  const char found = delimiter_of(line);
  return found == ' ' ? ',' : found;
}

/// Several numbers and nothing else.
bool is_pixel_list(std::string_view field) {
  return field.find_first_not_of("0123456789 \t") == std::string_view::npos &&
         field.find_first_of(" \t") != std::string_view::npos;
}

/// The fields of a first line; all of it where a quote is not closed.
std::vector<std::string> first_fields(std::string_view line) {
  std::vector<std::string> fields;
  try {
    split_fields(line, field_delimiter(line), fields);
  } catch (const BadRow&) {
    fields = {std::string(line)};
  }
  return fields;
}

void name_column(Columns& columns, const std::vector<std::string>& fields, size_t i, const std::string& path) {
  const std::string name = to_lower(fields[i]);
  int* column = nullptr;
  if (name == "emotion" || name == "label") column = &columns.emotion;
  if (name == "pixels") column = &columns.pixels;
  if (name == "usage" || name == "split") column = &columns.usage;
  if (column == nullptr) return;
  if (*column >= 0) {
    throw UserError(fmt::format("{}:1: the columns {} and {} are both {} ('{}', '{}'); take one away", path,
                                *column + 1, i + 1, meaning_of(name), fields[static_cast<size_t>(*column)], fields[i]));
  }
  *column = static_cast<int>(i);
}

/// By what the fields of a first row hold, where there is no header: pixels are numbers with blanks between them, a
/// part of the data set has its name, and what is left is the emotion.
Columns guess_columns(const std::vector<std::string>& fields) {
  Columns columns;
  for (size_t i = 0; i < fields.size(); ++i) {
    int& column = is_pixel_list(fields[i]) ? columns.pixels : find_split(fields[i]) ? columns.usage : columns.emotion;
    if (column < 0) column = static_cast<int>(i);
  }
  columns.count = fields.size();
  columns.header = false;
  return columns;
}

Columns read_header(const std::string& path, std::string_view line) {
  const auto fields = first_fields(line);
  if (std::any_of(fields.begin(), fields.end(), is_pixel_list)) return guess_columns(fields);
  Columns columns;
  for (size_t i = 0; i < fields.size(); ++i) name_column(columns, fields, i, path);
  columns.count = fields.size();
  if (columns.pixels < 0) {
    throw UserError(fmt::format(
        "{}:1: the header must name a column pixels (and may name emotion and Usage), or path where it lists "
        "image files, but reads '{}'",
        path, printable(line.substr(0, 60))));
  }
  return columns;
}

/// Blank-separated whole numbers 0-255, appended to `out`.
void read_pixels(std::string_view text, std::vector<uint8_t>& out) {
  const char* p = text.data();
  const char* const end = p + text.size();
  const size_t first = out.size();
  while (p < end) {
    while (p < end && (*p == ' ' || *p == '\t')) ++p;
    if (p == end) break;
    const char* const begin = p;
    unsigned value = 0;
    while (p < end && *p >= '0' && *p <= '9' && value <= 255) value = value * 10 + static_cast<unsigned>(*p++ - '0');
    const bool ends_here = p == end || *p == ' ' || *p == '\t';
    if (p == begin || !ends_here || value > 255) {
      const std::string word(begin, std::find_if(begin, end, [](char c) { return c == ' ' || c == '\t'; }));
      throw BadRow(fmt::format("pixel {} is '{}', must be a whole number from 0 to 255", out.size() - first + 1,
                               word.substr(0, 20)));
    }
    out.push_back(static_cast<uint8_t>(value));
  }
}

/// Collects the rows of one file.
class CsvReading {
 public:
  CsvReading(const std::string& path, const ReadOptions& options)
      : options_(options), labels_(options.classes, LabelSet::fer2013()), lines_(path, *options.observer) {
    data_.name = path;
  }

  Dataset run() {
    std::string_view line;
    if (!lines_.next(line)) throw UserError(fmt::format("{}: is empty", data_.name));
    delimiter_ = field_delimiter(line);
    columns_ = read_header(data_.name, line);
    bool more = !columns_.header || lines_.next(line);
    for (int64_t row = 0; more; more = lines_.next(line)) {
      if (lines_.number() % 1024 == 0) throw_if_interrupted();
      if (line.find_first_not_of(" \t") != std::string_view::npos) read_row(line, ++row);  // as tables count them
    }
    return finish();
  }

 private:
  void read_row(std::string_view line, int64_t row) {
    try {
      split_fields(line, delimiter_, fields_);
      if (fields_.size() != columns_.count) {
        throw BadRow(fmt::format("has {} fields, the {} has {}", fields_.size(),
                                 columns_.header ? "header" : "first line", columns_.count));
      }
      const int64_t label = columns_.emotion < 0 ? -1 : labels_.read(field(columns_.emotion));
      const Split split = columns_.usage < 0 ? Split::None : read_split(field(columns_.usage));
      add_image(field(columns_.pixels));
      numbers_.push_back(label);
      data_.splits.push_back(split);
      data_.ids.push_back(fmt::format("row-{}", row));
    } catch (const BadRow& problem) {
      leave_out(problem.what());
    } catch (const std::invalid_argument& problem) {  // of the label
      leave_out(problem.what());
    }
  }

  void leave_out(const char* problem) {
    if (!options_.skip_bad) throw UserError(fmt::format("{}:{}: {}", data_.name, lines_.number(), problem));
    ++data_.skipped;
  }

  std::string_view field(int column) const { return fields_[static_cast<size_t>(column)]; }

  static Split read_split(std::string_view word) {
    if (word.empty()) return Split::None;
    if (const auto split = find_split(word)) return *split;
    throw BadRow(fmt::format("Usage '{}' must be Training, PublicTest or PrivateTest", word.substr(0, 20)));
  }

  void add_image(std::string_view text) {
    row_.clear();
    read_pixels(text, row_);
    const auto count = static_cast<int64_t>(row_.size());
    const auto side = static_cast<int64_t>(std::lround(std::sqrt(static_cast<double>(count))));
    if (count == 0 || side * side != count) throw BadRow(fmt::format("has {} pixels, which is no square image", count));
    if (side_ != 0 && side != side_) {
      throw BadRow(fmt::format("has {} pixels, the rows before it {}", count, side_ * side_));
    }
    if (side_ == 0 && options_.native) options_.size = side, options_.channels = 1;
    side_ = side;
    if (side == options_.size && options_.channels == 1) {
      pixels_->insert(pixels_->end(), row_.begin(), row_.end());
      return;
    }
    const torch::Tensor image = torch::from_blob(row_.data(), {1, side, side}, torch::kUInt8);
    const torch::Tensor fitted = convert_channels(resize_image(image, options_.size, options_.size), options_.channels);
    pixels_->insert(pixels_->end(), fitted.data_ptr<uint8_t>(), fitted.data_ptr<uint8_t>() + fitted.numel());
  }

  Dataset finish() {
    const auto n = static_cast<int64_t>(numbers_.size());
    if (n == 0) throw UserError(fmt::format("{}: holds no images ({} bad rows)", data_.name, data_.skipped));
    if (options_.classes.numbering && !options_.classes.has_own_classes() && !labels_.has_numbers()) {
      throw UnusedLabelOrder(data_.name,
                             columns_.emotion < 0 ? "has no labels" : "the emotions are names, not numbers");
    }
    data_.classes = labels_.classes();
    data_.labels = torch::tensor(numbers_, torch::kInt64);
    const auto owner = pixels_;  // the tensor keeps the vector alive: no second copy of all pixels
    data_.images = torch::from_blob(
        owner->data(), {n, options_.channels, options_.size, options_.size}, [owner](void*) {}, torch::kUInt8);
    return std::move(data_);
  }

  ReadOptions options_;
  LabelReading labels_;
  LineReader lines_;
  char delimiter_ = ',';
  Columns columns_;
  Dataset data_;
  std::shared_ptr<std::vector<uint8_t>> pixels_ = std::make_shared<std::vector<uint8_t>>();
  std::vector<int64_t> numbers_;  ///< of the images' classes
  std::vector<std::string> fields_;
  std::vector<uint8_t> row_;
  int64_t side_ = 0;  ///< of the images in the file; 0 before the first
};

/// By extension, or by a first line that names the pixels or has them.
bool recognises(const std::string& source) {
  std::error_code error;
  if (!fs::is_regular_file(source, error)) return false;
  if (to_lower(fs::path(source).extension().string()) == ".csv") return true;
  const std::string line = opening_line(source);
  if (to_lower(line.substr(0, 64)).find("pixels") != std::string::npos) return true;
  const auto fields = first_fields(line);
  return fields.size() > 1 && std::any_of(fields.begin(), fields.end(), is_pixel_list);
}

Dataset read(const std::string& source, const ReadOptions& options) {
  return CsvReading(source, options).run();
}

const Register<DatasetReader> registered{{"csv", "a CSV file with a column pixels", recognises, read}};

}  // namespace

}  // namespace fercli::csv_reader
