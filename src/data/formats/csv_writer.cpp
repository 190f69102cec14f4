// FER2013's CSV: `emotion,pixels,Usage`, without the columns that would be empty.
#include <fmt/format.h>

#include <algorithm>

#include "core/files.hpp"
#include "core/interrupt.hpp"
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
  explicit CsvRows(const Dataset& data)
      : splits_(data.splits),
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
    if (has_labels_) text += (label < 0 ? "" : std::to_string(label)) + ",";
    const uint8_t* pixel = images_.data_ptr<uint8_t>() + index * pixels_;
    for (int64_t i = 0; i < pixels_; ++i) append_number(text, pixel[i]);
    text.pop_back();
    const Split split = splits_[static_cast<size_t>(index)];
    if (has_splits_) text += split == Split::None ? "," : fmt::format(",{}", to_string(split));
    return text + "\n";
  }

 private:
  const std::vector<Split>& splits_;
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
  const Dataset numbered = data.relabelled(LabelSet::fer2013());
  const CsvRows rows(numbered);
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
