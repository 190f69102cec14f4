#include "data/formats/reader.hpp"

#include "core/claim.hpp"
#include "core/files.hpp"
#include "data/image.hpp"

namespace fercli {

Dataset read_dataset(const std::string& source, const ReadOptions& options) {
  const auto* reader = claimant<DatasetReader>(source, source, options.format, "--data-format");
  if (reader != nullptr) return reader->read(source, options);
  std::error_code error;
  if (!std::filesystem::exists(source, error)) {
    throw UserError(fmt::format("{}: no such file or folder (for drawn faces write synthetic:)", source));
  }
  if (!std::filesystem::is_directory(source, error)) require_file(source);
  std::vector<std::string> known;
  for (const auto& reader : Registry<DatasetReader>::instance().all()) known.push_back(reader.summary);
  throw UserError(fmt::format("{}: is none of the known data formats ({})", source, join(known, "; ")));
}

std::optional<std::string> numbered_class(const LabelSet& numbering, int64_t number) {
  const int64_t index = numbering == LabelSet::raf_db() ? number - 1 : number;
  if (index < 0 || index >= numbering.size()) return {};
  return numbering.name(index);
}

void put_image(const torch::Tensor& image, torch::Tensor target) {
  target.copy_(resize_image(image, target.size(1), target.size(2)));
}

}  // namespace fercli
