// FER2013's CSV: `emotion,pixels,Usage`, without the columns that would be empty; with the names of classes where not
// all are among FER2013's seven.
#include <fmt/format.h>

#include <algorithm>

#include "core/escape.hpp"
#include "core/files.hpp"
#include "core/interrupt.hpp"
#include "data/class_rules.hpp"
#include "data/formats/writer.hpp"

namespace fercli::csv_writer {

namespace {

/// Appends one number and a blank; faster than formatting for the 80 million of FER2013.
void append_number(std::string& text, uint8_t value) {
  if (value >= 100) text += static_cast<char>('0' + value / 100);
  if (value >= 10) text += static_cast<char>('0' + value / 10 % 10);
  text += static_cast<char>('0' + value % 10);
  text += ' ';
}

/// The rows of a data set as text.
class CsvRows {
 public:
  CsvRows(const Dataset& data, bool by_name)
      : splits_(data.splits),
        names_(by_name ? data.classes.names() : std::vector<std::string>()),
        images_(data.images.contiguous()),
        labels_(data.labels.contiguous()),
        pixels_(images_.numel() / std::max<int64_t>(data.size(), 1)) {
    has_labels_ = (labels_ >= 0).any().item<bool>();
    has_splits_ = std::any_of(splits_.begin(), splits_.end(), [](Split split) { return split != Split::None; });
  }

  std::string header() const {
    return fmt::format("{}pixels{}\n", has_labels_ ? "emotion," : "", has_splits_ ? ",Usage" : "");
  }

  std::string row(int64_t index) const {
    std::string text;
    const int64_t label = labels_.data_ptr<int64_t>()[index];
    if (has_labels_) text += class_of(label) + ",";
    const uint8_t* pixel = images_.data_ptr<uint8_t>() + index * pixels_;
    for (int64_t i = 0; i < pixels_; ++i) append_number(text, pixel[i]);
    text.pop_back();
    const Split split = splits_[static_cast<size_t>(index)];
    if (has_splits_) text += split == Split::None ? "," : fmt::format(",{}", to_string(split));
    return text + "\n";
  }

 private:
  std::string class_of(int64_t label) const {
    if (label < 0) return "";
    return names_.empty() ? std::to_string(label) : csv_field(names_[static_cast<size_t>(label)]);
  }

  const std::vector<Split>& splits_;
  std::vector<std::string> names_;  ///< of the classes; none: numbers stand for them
  torch::Tensor images_, labels_;
  int64_t pixels_;
  bool has_labels_, has_splits_;
};

void write(const Dataset& data, const std::filesystem::path& destination, Observer& /*observer*/) {
  if (data.channels() != 1) {
    throw UserError(
        fmt::format("{}: a CSV holds grey images only; convert with --channels 1, or to a folder or a packed file",
                    destination.string()));
  }
  const LabelSet numbered = LabelSet::fer2013();
  const auto occurring = numbered.mapping_from(occurring_classes(data));
  const bool by_name = std::find(occurring.begin(), occurring.end(), -1) != occurring.end();
  const Dataset written = by_name ? data : data.relabelled(numbered);
  const CsvRows rows(written, by_name);
  replace_file(destination, [&](const std::filesystem::path& temporary) {
    OutputFile file(temporary, destination);
    file.write(rows.header());
    for (int64_t i = 0; i < data.size(); ++i) {
      throw_if_interrupted();
      file.write(rows.row(i));
    }
    file.close();
  });
}

const Register<DatasetWriter> registered{{"csv", ".csv", write}};

}  // namespace

}  // namespace fercli::csv_writer
