// FER2013's CSV in its dialects: columns emotion, pixels and Usage in any order, only pixels required. The file is
// streamed: of its text no more than a block and a line are in memory at a time.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <optional>

#include "core/files.hpp"
#include "core/interrupt.hpp"
#include "data/formats/label_order.hpp"
#include "data/formats/reader.hpp"
#include "data/image.hpp"

namespace fercli::csv_reader {

namespace {

namespace fs = std::filesystem;

constexpr size_t kBlock = 1 << 20;          // bytes read at a time
constexpr size_t kLongestLine = 256 << 20;  // beyond this the file is no CSV of images
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

/// Lines of a file, without their ends (LF or CRLF), read block by block.
class LineReader {
 public:
  LineReader(const std::string& path, Observer& observer) : path_(path), file_(nullptr, &std::fclose) {
    require_file(path);
    file_.reset(std::fopen(path.c_str(), "rb"));
    if (!file_) throw UserError(fmt::format("{}: cannot be read", path));
    std::error_code error;
    const auto bytes = fs::file_size(path, error);
    progress_.emplace(observer, Work{error ? 0 : static_cast<int64_t>(bytes / kBlock), 0, "MiB", "Reading"});
  }

  /// False at the end of the file. The view is good until the next call.
  bool next(std::string_view& line) {
    size_t searched = 0;
    for (;;) {
      const char* begin = buffer_.data() + position_;
      const size_t available = buffer_.size() - position_;
      if (const void* end = std::memchr(begin + searched, '\n', available - searched)) {
        take(line, static_cast<size_t>(static_cast<const char*>(end) - begin), 1);
        return true;
      }
      searched = available;
      if (fill()) continue;
      if (buffer_.size() == position_) return false;
      take(line, buffer_.size() - position_, 0);
      return true;
    }
  }

  int64_t number() const { return number_; }  ///< of the line last given, from 1

 private:
  void take(std::string_view& line, size_t length, size_t ending) {
    line = std::string_view(buffer_).substr(position_, length);
    position_ += length + ending;
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (++number_ == 1 && line.compare(0, kByteOrderMark.size(), kByteOrderMark) == 0) {
      line.remove_prefix(kByteOrderMark.size());
    }
  }

  /// Drops what was given out and reads on; false at the end of the file.
  bool fill() {
    buffer_.erase(0, position_);
    position_ = 0;
    if (buffer_.size() > kLongestLine) {
      throw UserError(fmt::format("{}:{}: the line has no end; this is not a CSV of images", path_, number_ + 1));
    }
    const size_t kept = buffer_.size();
    buffer_.resize(kept + kBlock);
    const size_t got = std::fread(&buffer_[kept], 1, kBlock, file_.get());
    buffer_.resize(kept + got);
    if (got == kBlock) progress_->advance(1);
    if (got == 0 && std::ferror(file_.get())) throw UserError(fmt::format("{}: cannot be read to its end", path_));
    return got > 0;
  }

  std::string path_, buffer_;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
  std::optional<Followed> progress_;
  size_t position_ = 0;
  int64_t number_ = 0;
};

/// What is wrong with a row; the reader adds file and line.
struct BadRow : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A field without its quotes and outer blanks. Doubled quotes inside stay doubled: no field we know can hold any.
std::string_view bare(std::string_view field) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  const auto strip = [&] {
    while (!field.empty() && blank(field.front())) field.remove_prefix(1);
    while (!field.empty() && blank(field.back())) field.remove_suffix(1);
  };
  strip();
  if (field.size() >= 2 && field.front() == '"' && field.back() == '"') {
    field = field.substr(1, field.size() - 2);
    strip();
  }
  return field;
}

/// Cuts a line at its commas, those inside double quotes excepted.
void split_fields(std::string_view line, std::vector<std::string_view>& fields) {
  fields.clear();
  bool quoted = false;
  size_t begin = 0;
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"') {
      quoted = !quoted;
    } else if (line[i] == ',' && !quoted) {
      fields.push_back(bare(line.substr(begin, i - begin)));
      begin = i + 1;
    }
  }
  if (quoted) throw BadRow("a quote is not closed");
  fields.push_back(bare(line.substr(begin)));
}

/// Where the known columns stand; -1 where there is none.
struct Columns {
  int emotion = -1, pixels = -1, usage = -1;
  size_t count = 0;
};

/// What a column of this name holds.
const char* meaning_of(const std::string& name) {
  if (name == "pixels") return "the pixels";
  return name == "emotion" || name == "label" ? "the class" : "the part of the data set";
}

Columns read_header(const std::string& path, std::string_view line) {
  std::vector<std::string_view> fields;
  Columns columns;
  try {
    split_fields(line, fields);
  } catch (const BadRow&) {
    fields = {line};
  }
  for (size_t i = 0; i < fields.size(); ++i) {
    const std::string name = to_lower(fields[i]);
    int* column = nullptr;
    if (name == "emotion" || name == "label") column = &columns.emotion;
    if (name == "pixels") column = &columns.pixels;
    if (name == "usage" || name == "split") column = &columns.usage;
    if (column == nullptr) continue;
    if (*column >= 0) {
      throw UserError(fmt::format("{}:1: the columns {} and {} are both {} ('{}', '{}'); take one away", path,
                                  *column + 1, i + 1, meaning_of(name), fields[static_cast<size_t>(*column)],
                                  fields[i]));
    }
    *column = static_cast<int>(i);
  }
  columns.count = fields.size();
  if (columns.pixels < 0) {
    throw UserError(
        fmt::format("{}:1: the header must name a column pixels (and may name emotion and Usage), but reads '{}'", path,
                    line.substr(0, 60)));
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
      : options_(options),
        numbering_(options.numbering.value_or(LabelSet::fer2013())),
        lines_(path, *options.observer) {
    data_.name = path;
    data_.classes = LabelSet::fer2013();
  }

  Dataset run() {
    std::string_view line;
    if (!lines_.next(line)) throw UserError(fmt::format("{}: is empty", data_.name));
    columns_ = read_header(data_.name, line);
    for (int64_t row = 1; lines_.next(line); ++row) {
      if (row % 1024 == 0) throw_if_interrupted();
      if (line.find_first_not_of(" \t") != std::string_view::npos) read_row(line, row);
    }
    return finish();
  }

 private:
  void read_row(std::string_view line, int64_t row) {
    try {
      split_fields(line, fields_);
      if (fields_.size() != columns_.count) {
        throw BadRow(fmt::format("has {} fields, the header has {}", fields_.size(), columns_.count));
      }
      const int64_t label = columns_.emotion < 0 ? -1 : read_label(field(columns_.emotion));
      const Split split = columns_.usage < 0 ? Split::None : read_split(field(columns_.usage));
      add_image(field(columns_.pixels));
      labels_.push_back(label);
      data_.splits.push_back(split);
      data_.ids.push_back(fmt::format("row-{}", row));
    } catch (const BadRow& problem) {
      if (!options_.skip_bad) throw UserError(fmt::format("{}:{}: {}", data_.name, lines_.number(), problem.what()));
      ++data_.skipped;
    }
  }

  std::string_view field(int column) const { return fields_[static_cast<size_t>(column)]; }

  /// A number in the order of `numbering_`, a name, or nothing (no label).
  int64_t read_label(std::string_view word) {
    if (word.empty()) return -1;
    if (word.find_first_not_of("0123456789") == std::string_view::npos && word.size() <= 3) {
      has_numbers_ = true;
      const auto name = numbered_class(numbering_, parse_integer(word));
      if (name) {
        if (const auto index = data_.classes.find(*name)) return *index;
        throw BadRow(
            fmt::format("emotion {} is {}, which is none of {}", word, *name, join(data_.classes.names(), ", ")));
      }
      const int first = numbering_ == LabelSet::raf_db() ? 1 : 0;
      throw BadRow(
          fmt::format("emotion {} must be a number from {} to {}", word, first, first + numbering_.size() - 1));
    }
    if (const auto index = data_.classes.find(word)) return *index;
    throw BadRow(fmt::format("emotion '{}' is neither a number nor a known name{}", word.substr(0, 20),
                             did_you_mean(word, data_.classes.names())));
  }

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
    const auto n = static_cast<int64_t>(labels_.size());
    if (n == 0) throw UserError(fmt::format("{}: holds no images ({} bad rows)", data_.name, data_.skipped));
    if (options_.numbering && !has_numbers_) {
      throw UnusedLabelOrder(data_.name,
                             columns_.emotion < 0 ? "has no labels" : "the emotions are names, not numbers");
    }
    data_.labels = torch::tensor(labels_, torch::kInt64);
    const auto owner = pixels_;  // the tensor keeps the vector alive: no second copy of all pixels
    data_.images = torch::from_blob(
        owner->data(), {n, options_.channels, options_.size, options_.size}, [owner](void*) {}, torch::kUInt8);
    return std::move(data_);
  }

  ReadOptions options_;
  LabelSet numbering_;
  LineReader lines_;
  Columns columns_;
  Dataset data_;
  std::shared_ptr<std::vector<uint8_t>> pixels_ = std::make_shared<std::vector<uint8_t>>();
  std::vector<int64_t> labels_;
  std::vector<std::string_view> fields_;
  std::vector<uint8_t> row_;
  bool has_numbers_ = false;  ///< in place of emotions' names
  int64_t side_ = 0;          ///< of the images in the file; 0 before the first
};

/// By extension, or by a first line that names the pixels.
bool recognises(const std::string& source) {
  std::error_code error;
  if (!fs::is_regular_file(source, error)) return false;
  if (to_lower(fs::path(source).extension().string()) == ".csv") return true;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(source.c_str(), "rb"), &std::fclose);
  char start[64] = {};
  const size_t got = file ? std::fread(start, 1, sizeof start, file.get()) : 0;
  const std::string text = to_lower(std::string_view(start, got));
  return text.substr(0, text.find('\n')).find("pixels") != std::string::npos;
}

Dataset read(const std::string& source, const ReadOptions& options) {
  return CsvReading(source, options).run();
}

const Register<DatasetReader> registered{{"csv", "a CSV file with a column pixels", recognises, read}};

}  // namespace

}  // namespace fercli::csv_reader
