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
               fmt::format("the classes in the order of the data's label numbers: {}, or names separated by commas; "
                           "auto: fer2013 in a CSV and in folders from 0, raf-db in folders from 1",
                           kLabelOrders));
  options.choice("classes", &classes, {"emotions", "folder"},
                 "what names may be classes: those of emotions (and of --data-labels), or whatever the class folders, "
                 "or the words in a CSV, are called");
  options.text("map", &map, "NAME=CLASS,…",
               "rename or join classes of the data; drop leaves images out, * is every other class: "
               "happiness=Happy,contempt=drop");
  options.text(
      "votes", &votes, "FILE.csv",
      "join people's votes to the images, as in FER+'s fer2013new.csv: the class with most votes is the label, "
      "and their shares are kept");
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

void DataLabels::fill(ReadOptions& read) const {
  read.classes.numbering = numbering();
  read.classes.as_found = classes == "folder";
  read.classes.map = ClassRules::parse_map(map);
  read.votes = votes;
  if (read.classes.as_found && read.classes.numbering)
    throw UserError("--classes folder and --data-labels: give one of them, not both");
}

void say_what_is_left_out(const Dataset& data, const std::string& source) {
  if (data.skipped > 0) inform(fmt::format("{}: left out {} bad entries", source, data.skipped));
  if (data.dropped > 0) inform(fmt::format("{}: left out {} images by --map or --votes", source, data.dropped));
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
  labels.fill(read);
  Dataset dataset = read_dataset(source, read);
  if (data.empty()) dataset.name = "shipped faces";
  say_what_is_left_out(dataset, source);
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
