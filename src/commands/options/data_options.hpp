#pragma once

#include <optional>
#include <string>

#include "commands/options/model_options.hpp"
#include "data/dataset.hpp"

namespace fercli {

/// --data-labels: what label numbers in the data mean.
struct DataLabels {
  std::string order = "auto", older;

  void declare(OptionSet& options);
  void declare_older_name(OptionSet& options);  ///< --labels, where it means nothing else

  /// Unset: what is usual for the format. Throws UserError.
  std::optional<LabelSet> numbering() const;
};

/// The options by which a command is told the labelled images it works on: --data, --data-format, --split,
/// --data-labels, --limit and --skip-bad.
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
