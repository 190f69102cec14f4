#pragma once

#include <optional>
#include <string>

#include "commands/options/model_options.hpp"
#include "data/dataset.hpp"

namespace fercli {

/// What labels in the data mean, and which classes come of them: --data-labels, --classes, --map and --votes.
struct DataLabels {
  std::string order = "auto", older, classes = "emotions", map, votes;

  void declare(OptionSet& options);
  void declare_older_name(OptionSet& options);  ///< --labels, where it means nothing else

  /// Into the options of reading. Throws UserError.
  void fill(ReadOptions& read) const;

 private:
  std::optional<LabelSet> numbering() const;  ///< unset: what is usual for the format
};

/// What reading left out, on stderr: bad entries, and images left out for their class or their votes.
void say_what_is_left_out(const Dataset& data, const std::string& source);

/// The options that name the labelled images a command works on: --data, --data-format, --split, --limit,
/// --skip-bad and those of `DataLabels`.
struct DataOptions {
  std::string data, split = "auto", format = "auto";
  DataLabels labels;
  int64_t limit = 0;
  bool skip_bad = false;

  void declare(OptionSet& options);
  void declare_split(OptionSet& options);  ///< --split and --limit

  /// The whole data set with labels in the order of the network's classes, as `model` wants its images.
  Dataset read(const ModelOptions& model, const Checkpoint& checkpoint) const;

  /// The images of the split, or a subset of them (see `stratified_rows`). Throws UserError when labels are missing, or
  /// there are no images.
  Dataset part(const Dataset& all) const;

  std::string split_name(const Dataset& all) const;  ///< "PublicTest", …, or "all"
};

}  // namespace fercli
