#include "data/formats/reader.hpp"

#include "core/claim.hpp"
#include "core/files.hpp"
#include "data/image.hpp"
#include "data/votes.hpp"

namespace fercli {

Dataset read_dataset(const std::string& source, const ReadOptions& options) {
  const auto* reader = claimant<DatasetReader>(source, source, options.format, "--data-format");
  if (reader != nullptr) {
    Dataset data = reader->read(source, options);
    if (!options.votes.empty()) data = with_votes(std::move(data), options.votes, *options.observer);
    return settled(std::move(data), options.classes);
  }
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

std::optional<int64_t> label_number(std::string_view word) {
  if (word.empty() || word.size() > 3 || word.find_first_not_of("0123456789") != std::string_view::npos) return {};
  return parse_integer(word);
}

LabelReading::LabelReading(const ClassRules& rules, const LabelSet& usual)
    : rules_(rules), numbering_(rules.numbering.value_or(usual)), classes_(rules.recognised()) {}

int64_t LabelReading::read(std::string_view word) {
  if (word.empty()) return -1;
  const auto number = rules_.as_found ? std::nullopt : label_number(word);
  const auto named = classes_.find(word);
  if (number && !named) {
    has_numbers_ = true;
    if (const auto name = numbered_class(numbering_, *number)) return add_class(classes_, *name);
    const int first = numbering_ == LabelSet::raf_db() ? 1 : 0;
    throw std::invalid_argument(fmt::format("emotion {} must be a number from {} to {}{}", word, first,
                                            first + numbering_.size() - 1,
                                            rules_.numbering ? "" : "; --data-labels says what numbers mean"));
  }
  if (named) return *named;
  if (rules_.any_name()) return add_class(classes_, std::string(word));
  throw std::invalid_argument(fmt::format("emotion '{}' is neither a number nor a known name{} ({})",
                                          word.substr(0, 20), did_you_mean(word, classes_.names()), rules_.allowed()));
}

void put_image(const torch::Tensor& image, torch::Tensor target) {
  target.copy_(resize_image(image, target.size(1), target.size(2)));
}

}  // namespace fercli
