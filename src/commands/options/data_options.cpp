#include "commands/options/data_options.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/observer.hpp"
#include "core/options.hpp"
#include "data/formats/reader.hpp"
#include "eval/measures/subset.hpp"

namespace fercli {

void DataLabels::declare(OptionSet& options) {
  options.text("data-labels", &order, "ORDER",
               "what label numbers in the data mean: fer2013, alphabetical, raf-db, affectnet, or names separated by "
               "commas; auto: fer2013 in a CSV and in folders from 0, raf-db in folders from 1");
}

void DataLabels::declare_older_name(OptionSet& options) {
  options.text("labels", &older, "ORDER", "older name of --data-labels");
}

std::optional<LabelSet> DataLabels::numbering() const {
  if (!older.empty() && order != "auto")
    throw UserError("--labels is the older name of --data-labels; give one of them");
  const std::string& given = older.empty() ? order : older;
  if (given == "auto") return {};
  return LabelSet::parse(given);
}

void DataOptions::declare(OptionSet& options) {
  options.text("data,d", &data, "SOURCE",
               "CSV file, folder, packed file or synthetic:…; default: the shipped drawn faces");
  auto formats = Registry<DatasetReader>::instance().names();
  formats.insert(formats.begin(), "auto");
  options.choice("data-format", &format, formats, "how the data is stored; auto: as its reader recognises it");
  labels.declare(options);
  options.flag("skip-bad", &skip_bad, "leave unreadable entries out and count them");
}

void DataOptions::declare_split(OptionSet& options) {
  options.text("split", &split, "SPLIT",
               "Training, PublicTest, PrivateTest or all; auto takes PublicTest, else PrivateTest, else all");
  options.integer("limit", &limit, at_least(0),
                  "take this many images, each class in proportion, chosen by their pixels alone; 0: all");
}

Dataset DataOptions::read(const ModelOptions& model, const Checkpoint& checkpoint) const {
  const std::string source = data.empty() ? find_shipped("faces").string() : data;
  if (source.empty()) throw UserError("--data SOURCE is needed: the shipped drawn faces are not found");
  ReadOptions read;
  model.fit(read, checkpoint);
  read.observer = &ProgressObserver::terminal();
  read.skip_bad = skip_bad;
  if (format != "auto") read.format = format;
  read.numbering = labels.numbering();
  Dataset dataset = read_dataset(source, read);
  if (data.empty()) dataset.name = "shipped faces";
  if (dataset.skipped > 0) inform(fmt::format("{}: left out {} bad entries", source, dataset.skipped));
  return dataset.relabelled(checkpoint.classes);
}

Dataset DataOptions::part(const Dataset& all) const {
  const auto chosen = all.resolve_split(split);
  const Dataset dataset = chosen ? all.only(*chosen) : all;
  if (dataset.size() == 0) throw UserError(fmt::format("--data {}: has no images", dataset.name));
  const auto missing = (dataset.labels < 0).sum().item<int64_t>();
  if (missing > 0) {
    throw UserError(fmt::format("--data {}: {} of {} images have no label, and evaluation needs the true classes",
                                dataset.name, missing, dataset.size()));
  }
  if (chosen == Split::PrivateTest)
    inform("PrivateTest is the final test set: report its figure once, and never choose by it");
  return subset(dataset, limit);
}

std::string DataOptions::split_name(const Dataset& all) const {
  const auto chosen = all.resolve_split(split);
  return chosen ? to_string(*chosen) : "all";
}

}  // namespace fercli
