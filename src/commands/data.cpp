// fercli data stats|audit|convert: what is in a data set, what is wrong with it, and the same data in another form.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <numeric>

#include "commands/near_report.hpp"
#include "commands/options/data_options.hpp"
#include "commands/options/output_file.hpp"
#include "commands/options/show_options.hpp"
#include "core/command.hpp"
#include "core/escape.hpp"
#include "core/files.hpp"
#include "core/observer.hpp"
#include "core/options.hpp"
#include "data/audit.hpp"
#include "data/formats/reader.hpp"
#include "data/formats/writer.hpp"
#include "data/image.hpp"
#include "eval/result_shapes.hpp"
#include "record/document_kind.hpp"
#include "report/plots.hpp"

namespace fercli::data_command {

namespace {

namespace fs = std::filesystem;

/// The options that every subcommand has.
struct SourceOptions {
  ReadOptions read;
  Runtime runtime;
  DataLabels labels;
  std::string split = "all", channels = "1";
  bool as_stored = false;
  ShowOptions show;

  void declare(OptionSet& options, bool prints_tables = true) {
    options.section("Source");
    options.text("split", &split, "SPLIT", "only this part: Training, PublicTest, PrivateTest, none, or all");
    options.integer("size", &read.size, between(8, 4096), "images are resized to N x N");
    options.choice("channels", &channels, {"1", "3"}, "1: grey, 3: RGB");
    options.flag("as-stored", &as_stored, "size and colours as the first image has them, up to 256 x 256");
    labels.declare(options);
    labels.declare_older_name(options);
    options.flag("skip-bad", &read.skip_bad, "leave bad entries out and count them");
    options.section("Output");
    if (prints_tables) show.declare_tables(options, "print JSON instead of tables");
    if (!prints_tables) options.flag("json", &show.json, "print JSON");
    show.declare_quiet(options);
    options.integer("threads", &runtime.threads, at_least(0), "0: all cores");
  }

  Dataset load(const OptionSet& options, const std::string& source) {
    show.begin(options);
    for (const char* name : {"size", "channels"})
      if (as_stored && options.given(name)) options.fail(name, "does not go with --as-stored");
    read.native = as_stored;
    read.drawn_size = !options.given("size");
    prepare_machine(runtime);
    read.channels = channels == "3" ? 3 : 1;
    labels.fill(read);
    std::optional<Split> wanted;
    if (split != "all") wanted = parse_split(split);
    read.observer = &ProgressObserver::terminal();
    Dataset data = read_dataset(source, read);
    say_what_is_left_out(data, source);
    return wanted.has_value() ? data.only(*wanted) : data;
  }
};

std::string describe_shape(int64_t size, int64_t channels) {
  return fmt::format("{0}x{0} {1}", size, channels == 1 ? "grey" : "RGB");
}

/// On stdout. File names need not be UTF-8; what is not is replaced.
template <class Record>
void print_json(const Record& record) {
  print_text("{}\n", Shape<Record>::write(record).dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}

std::string emoji_of(const std::string& name) {
  const Emotion* emotion = find_emotion(name);
  return emotion != nullptr ? emotion->emoji : "  ";
}

// ---- stats ----------------------------------------------------------------------------------------------------------

struct ClassTally {
  std::string name, display, emoji;
  std::vector<std::pair<std::string, int64_t>> counts;  ///< of each split that has images
  int64_t total = 0;
  Metric share;
};

template <class Visitor>
void visit_fields(Visitor& field, ClassTally& tally) {
  field("name", tally.name);
  field("display", tally.display, "in the language asked for");
  field("emoji", tally.emoji);
  field("counts", tally.counts, "images of each split");
  field("total", tally.total);
  field("share", tally.share);
}

/// Images per split and class.
struct Distribution {
  std::string source, digest;
  int64_t n = 0, image_size = 0, channels = 0, skipped = 0;
  ClassTally unlabelled = {};
  std::vector<std::pair<std::string, int64_t>> splits = {};  ///< those with images
  std::vector<ClassTally> classes = {};
  std::optional<std::string> figure = {};
};

template <class Visitor>
void visit_fields(Visitor& field, Distribution& found) {
  field.constant("command", "data stats", "");
  field("source", found.source);
  field("n", found.n);
  field("image_size", found.image_size);
  field("channels", found.channels);
  field("digest", found.digest);
  field("skipped", found.skipped, "bad entries that were left out");
  field("unlabelled", found.unlabelled.total);
  field("splits", found.splits, "images of each split");
  field("classes", found.classes);
  field("figure", found.figure, "where it was drawn");
}

const Register<DocumentKind> stats_document{
    {"data-stats", "--json of data stats: images by class and split", schema_of_record<Distribution>}};

Distribution distribution_of(const Dataset& data, const std::string& language) {
  const auto classes = static_cast<size_t>(data.classes.size());
  const torch::Tensor labels = data.labels.contiguous();
  std::map<Split, std::vector<int64_t>> table;  // of each class, and last of images without a label
  for (int64_t row = 0; row < data.size(); ++row) {
    auto& counts = table[data.splits[static_cast<size_t>(row)]];
    counts.resize(classes + 1);
    const int64_t label = labels.data_ptr<int64_t>()[row];
    ++counts[label < 0 ? classes : static_cast<size_t>(label)];
  }
  const auto tally = [&](size_t k, const std::string& name, const std::string& display) {
    ClassTally found{name, display, trim(emoji_of(name)), {}, 0, {}};
    for (const auto& [split, counts] : table) {
      found.counts.emplace_back(to_string(split), counts[k]);
      found.total += counts[k];
    }
    found.share = proportion(found.total, data.size());
    return found;
  };
  Distribution found{data.name, data.digest(), data.size(), data.image_size(), data.channels(), data.skipped};
  found.unlabelled = tally(classes, "", "(no label)");
  for (const auto& [split, counts] : table)
    found.splits.emplace_back(to_string(split), std::accumulate(counts.begin(), counts.end(), int64_t{0}));
  for (const auto& name : data.classes.names())
    found.classes.push_back(tally(found.classes.size(), name, display_name(name, language)));
  return found;
}

std::string line_about(const Distribution& found) {
  return fmt::format("{}: {} images, {}, digest {}", found.source, found.n,
                     describe_shape(found.image_size, found.channels), found.digest.substr(0, 12));
}

PrintedTable distribution_table(const Distribution& found, bool emoji) {
  PrintedTable printed{"", {""}, {}};
  std::vector<PrintedCell> totals{"total"};
  for (const auto& [split, count] : found.splits) {
    printed.columns.push_back(split == to_string(Split::None) ? "no split" : split);
    totals.emplace_back(count);
  }
  printed.columns.push_back("total");
  printed.columns.push_back(fmt::format("share of {} (%, 95 % CI)", found.n));
  const auto add = [&](const ClassTally& tally, const std::string& before) {
    printed.rows.push_back({before + tally.display});
    for (const auto& [split, count] : tally.counts) printed.rows.back().push_back(count);
    printed.rows.back().push_back(tally.total);
    printed.rows.back().push_back(share_cell(tally.share));
  };
  for (const auto& tally : found.classes) add(tally, emoji ? emoji_of(tally.name) + " " : "");
  if (found.unlabelled.total > 0) add(found.unlabelled, "");
  totals.emplace_back(found.n);
  totals.emplace_back("");
  printed.rows.push_back(std::move(totals));
  return printed;
}

void print_distribution(const Distribution& found) {
  print_text("{}\n\n", printable(line_about(found)));
  write_stdout(format_tables({distribution_table(found, /*emoji=*/true)}, "text"));
  if (found.skipped > 0) print_text("\n{} bad entries left out\n", found.skipped);
  if (found.figure) print_text("\nfigure: {}\n", *found.figure);
}

/// The figure's path; none when gnuplot could not draw it.
std::optional<std::string> draw_distribution(const Distribution& found, const fs::path& folder) {
  std::vector<ClassCounts> bars;
  std::vector<std::string> names;
  for (const auto& [split, count] : found.splits) bars.push_back({split == to_string(Split::None) ? "all" : split, {}});
  for (const auto& tally : found.classes) {
    names.push_back(tally.display);
    for (size_t s = 0; s < bars.size(); ++s) bars[s].counts.push_back(tally.counts[s].second);
  }
  const fs::path file = folder / "distribution_emotions.png";
  const std::string title = fmt::format("{}: {} images", fs::path(found.source).filename().string(), found.n);
  if (!plot_class_distribution(bars, names, title, file)) return {};
  return file.string();
}

int run_stats(const std::vector<std::string>& arguments) {
  OptionSet options("data stats", "SOURCE",
                    "Class distribution per split, as a table, and with --out as distribution_emotions.png.");
  std::vector<std::string> words;
  SourceOptions source;
  std::string language = "en", folder;
  options.positional(&words, 1, 1);
  source.declare(options);
  options.choice("lang", &language, {"en", "fr"}, "language of the emotions' names");
  options.text("out,o", &folder, "DIR", "draw distribution_emotions.png in this folder");
  if (!options.parse(arguments)) return 0;
  Distribution found = distribution_of(source.load(options, words[0]), language);
  if (!folder.empty()) found.figure = draw_distribution(found, folder);
  if (source.show.json) {
    print_json(found);
  } else if (source.show.line_alone()) {
    print_text("{}\n", printable(line_about(found)));
  } else if (source.show.text()) {
    print_distribution(found);
  } else {
    PrintedTable counts = distribution_table(found, /*emoji=*/false);
    counts.title = line_about(found);
    source.show.print({counts});
  }
  return 0;
}

// ---- audit ----------------------------------------------------------------------------------------------------------

struct NamedGroup {
  DuplicateGroup group;
  std::vector<NamedImage> images;
};

template <class Visitor>
void visit_fields(Visitor& field, NamedGroup& named) {
  field("conflicting", named.group.conflicting, "labels differ");
  field("across_splits", named.group.across_splits);
  field("images", named.images);
}

struct Duplicates {
  DuplicateReport report;
  std::vector<NamedGroup> groups;
};

template <class Visitor>
void visit_fields(Visitor& field, Duplicates& found) {
  field("redundant", found.report.redundant, "copies beyond the first");
  field("conflicting", found.report.conflicting, "groups whose labels differ");
  field("across_splits", found.report.across_splits, "groups");
  field("leaks", found.report.leaks);
  field("groups", found.groups);
}

/// All findings about one data set.
struct Audit {
  std::string source;
  int64_t n = 0, skipped = 0;
  std::optional<Duplicates> files;
  Duplicates pixels;
  std::optional<NearDuplicates> near;
  std::vector<std::string> blank;
};

template <class Visitor>
void visit_fields(Visitor& field, Audit& audit) {
  field.constant("command", "data audit", "");
  field("source", audit.source);
  field("n", audit.n);
  field("skipped", audit.skipped);
  field("byte_identical", audit.files, "null where images are no files of their own");
  field("pixel_identical", audit.pixels);
  field("near_duplicates", audit.near, "null where they were not looked for");
  field("blank", audit.blank, "ids of images of one value");
}

const Register<DocumentKind> audit_document{
    {"data-audit", "--json of data audit: equal, nearly equal and blank images", schema_of_record<Audit>}};

Duplicates with_names(const Dataset& data, DuplicateReport report) {
  Duplicates found{std::move(report), {}};
  for (const auto& group : found.report.groups) {
    found.groups.push_back({group, {}});
    for (const int64_t row : group.rows) found.groups.back().images.push_back(named_image(data, row));
  }
  return found;
}

Audit audit_of(const Dataset& data, const std::string& source, double min_correlation) {
  auto& observer = ProgressObserver::terminal();
  Audit audit{data.name, data.size(), data.skipped, {}, {}, {}, {}};
  if (fs::is_directory(source)) audit.files = with_names(data, find_equal_files(data, source, observer));
  audit.pixels = with_names(data, find_equal_pixels(data, observer));
  for (const int64_t row : find_blank(data)) audit.blank.push_back(data.ids[static_cast<size_t>(row)]);
  if (min_correlation < 1) {
    const auto& equal = audit.pixels.report;
    audit.near = with_names(data, find_near_duplicates(data, min_correlation, equal, observer), min_correlation);
  }
  return audit;
}

PrintedTable duplicates_table(const std::string& title, const DuplicateReport& report, int64_t n) {
  PrintedTable table{title, {"finding", "number", "share"}, {}};
  table.rows = {{"groups of equal images", static_cast<int64_t>(report.groups.size()), ""},
                {"redundant copies", report.redundant, proportion_cell(proportion(report.redundant, n))},
                {"groups with conflicting labels", report.conflicting, ""},
                {"groups that span splits", report.across_splits, ""}};
  add_leak_rows(report.leaks, "also in", table);
  return table;
}

std::vector<PrintedTable> duplicates_tables(const Audit& audit) {
  std::vector<PrintedTable> tables;
  if (audit.files) tables.push_back(duplicates_table("Byte-identical files", audit.files->report, audit.n));
  tables.push_back(duplicates_table("Pixel-identical images", audit.pixels.report, audit.n));
  if (audit.near) tables.push_back(near_table(*audit.near, audit.n));
  return tables;
}

std::vector<PrintedTable> audit_tables(const Audit& audit) {
  auto tables = duplicates_tables(audit);
  PrintedTable blank{"Blank images", {"number", "image"}, {}};
  for (const auto& id : audit.blank) blank.rows.push_back({std::to_string(blank.rows.size() + 1), id});
  if (!blank.rows.empty()) tables.push_back(std::move(blank));
  return tables;
}

std::string audit_line(const Audit& audit) {
  const DuplicateReport& equal = audit.pixels.report;
  const std::string near = audit.near ? fmt::format(", {} pairs of near-duplicates", audit.near->pairs.size()) : "";
  return fmt::format(
      "{}: {} images, {} redundant copies, {} groups with conflicting labels, {} that span splits, {} blank{}",
      audit.source, audit.n, equal.redundant, equal.conflicting, equal.across_splits, audit.blank.size(), near);
}

void print_audit(const Dataset& data, const Audit& audit) {
  print_text("{}: {} images, read as {}\n\n", printable(data.name), data.size(),
             describe_shape(data.image_size(), data.channels()));
  write_stdout(format_tables(duplicates_tables(audit), "text"));
  print_text("\nBlank images: {}\n", audit.blank.size());
  for (const auto& id : audit.blank) print_text("  {}\n", printable(id));
  if (data.skipped > 0) print_text("\n{} bad entries left out\n", data.skipped);
}

/// Every pair of equal images, in a group of over 100 only the pairs with its first image, lest the list explode; then
/// the near-duplicates.
std::string list_pairs(const Dataset& data, const Audit& audit) {
  constexpr size_t kLargeGroup = 100;
  std::map<int64_t, size_t> file_group;
  for (size_t g = 0; audit.files && g < audit.files->report.groups.size(); ++g) {
    for (const int64_t row : audit.files->report.groups[g].rows) file_group[row] = g + 1;
  }
  const auto columns = [&](int64_t row) {
    const NamedImage image = named_image(data, row);
    return fmt::format("{},{},{}", csv_field(image.id), image.split, csv_field(image.label));
  };
  std::string text = "identical,id,split,label,other_id,other_split,other_label,correlation,right,down\n";
  for (const auto& group : audit.pixels.report.groups) {
    const size_t firsts = group.rows.size() > kLargeGroup ? 1 : group.rows.size();
    for (size_t i = 0; i < firsts; ++i) {
      for (size_t j = i + 1; j < group.rows.size(); ++j) {
        const size_t file = file_group[group.rows[i]];
        const bool bytes = file != 0 && file == file_group[group.rows[j]];
        text +=
            fmt::format("{},{},{},1,0,0\n", bytes ? "bytes" : "pixels", columns(group.rows[i]), columns(group.rows[j]));
      }
    }
  }
  if (!audit.near) return text;
  for (const auto& pair : audit.near->report.pairs) {
    text += fmt::format("{},{},{},{:.4f},{},{}\n", pair.mirrored ? "mirrored" : "near", columns(pair.first),
                        columns(pair.second), pair.correlation, pair.right, pair.down);
  }
  return text;
}

int run_audit(const std::vector<std::string>& arguments) {
  OptionSet options(
      "data audit", "SOURCE",
      "Identical, nearly equal, mirrored and shifted images within and across splits, conflicting labels, "
      "and blank images.");
  std::vector<std::string> words;
  SourceOptions source;
  OutputFileOption list;
  std::string sheet;
  double min_correlation = 0.9;
  options.positional(&words, 1, 1);
  source.declare(options);
  list.declare(options, "FILE.csv", "write the pairs of identical and nearly equal images to this file");
  options.text("sheet", &sheet, "FILE.png", "draw pairs of near-duplicates, the least alike first, at most 60");
  options.number("near", &min_correlation, "0.9", {0.5, 1},
                 "correlation of pixels from which two images are near-duplicates; 1: none are looked for");
  if (!options.parse(arguments)) return 0;
  if (!sheet.empty() && min_correlation >= 1) options.fail("sheet", "has nothing to show with --near 1");
  if (!sheet.empty()) {
    for (const auto& input : {words[0], source.labels.votes})
      require_other_file("fercli data audit: --sheet", sheet, input);
    if (!list.path.empty() && fs::absolute(sheet).lexically_normal() == fs::absolute(list.path).lexically_normal())
      options.fail("sheet", "is the file of --out too");
    require_free(options, "sheet", sheet, list.force);
  }
  std::optional<OutputLock> lock;
  if (!list.path.empty()) {
    for (const auto& input : {words[0], source.labels.votes})
      require_other_file("fercli data audit: --out", list.path, input);
    lock.emplace(list.take(options));
  }
  const Dataset data = source.load(options, words[0]);
  const Audit audit = audit_of(data, words[0], min_correlation);
  if (lock) write_file(list.path, list_pairs(data, audit));
  if (!sheet.empty()) write_png(near_sheet(data, audit.near->report), sheet);
  if (source.show.json) {
    print_json(audit);
  } else if (source.show.line_alone()) {
    print_text("{}\n", printable(audit_line(audit)));
  } else if (source.show.text()) {
    print_audit(data, audit);
    if (lock) print_text("\npairs: {}\n", list.path);
    if (!sheet.empty()) print_text("\nsheet: {}\n", sheet);
  } else {
    source.show.print(audit_tables(audit));
  }
  return 0;
}

// ---- convert --------------------------------------------------------------------------------------------------------

/// Replacing a folder would remove what else it holds.
void require_outside(const fs::path& source, const fs::path& destination) {
  std::error_code error;
  const fs::path inner = fs::canonical(source, error), outer = fs::canonical(destination, error);
  if (inner.empty() || outer.empty()) return;
  if (lies_in(inner, outer)) {
    throw UserError(fmt::format("fercli data convert: {} is not replaced, because the source {} lies in it",
                                destination.string(), source.string()));
  }
}

void say_how_numbers_are_read(const Dataset& data, const DatasetWriter& writer, const fs::path& destination) {
  if (writer.keeps_names) return;
  std::vector<std::string> numbers;
  const LabelSet classes = occurring_classes(data);
  for (const auto& name : classes.names())
    if (label_number(name)) numbers.push_back(name);
  if (numbers.empty()) return;
  inform(fmt::format("{}: its classes called {} are read as the numbers of emotions, but with --classes folder",
                     destination.string(), join(numbers, ", ")));
}

/// Labels, splits and pixels are kept by every format.
void say_what_is_lost(const Dataset& data, const DatasetWriter& writer, const fs::path& destination) {
  std::vector<std::string> lost;
  if (data.votes.defined() && !writer.keeps_votes) lost.emplace_back("shares of votes");
  if (!data.groups.empty() && !writer.keeps_groups) lost.emplace_back("groups");
  if (lost.empty()) return;
  inform(fmt::format("{}: the images' {} are not in it; a packed file (.ferpack) keeps them", destination.string(),
                     join(lost, " and ")));
}

struct Conversion {
  std::string source, destination, digest;
  int64_t n = 0, skipped = 0;
};

template <class Visitor>
void visit_fields(Visitor& field, Conversion& done) {
  field.constant("command", "data convert", "");
  field("source", done.source);
  field("destination", done.destination);
  field("n", done.n);
  field("skipped", done.skipped);
  field("digest", done.digest);
}

const Register<DocumentKind> convert_document{
    {"data-convert", "--json of data convert: what was written", schema_of_record<Conversion>}};

int run_convert(const std::vector<std::string>& arguments) {
  OptionSet options(
      "data convert", "SOURCE DESTINATION",
      "The same images as a CSV (.csv), a folder tree split/class/id.png, or one packed file (.ferpack).");
  std::vector<std::string> words;
  SourceOptions source;
  std::string format = "auto";
  bool force = false;
  options.positional(&words, 2, 2);
  source.declare(options, /*prints_tables=*/false);
  auto formats = Registry<DatasetWriter>::instance().names();
  formats.insert(formats.begin(), "auto");
  options.choice("format", &format, formats, "auto: by the destination's extension");
  options.flag("force", &force, "replace what is at the destination");
  if (!options.parse(arguments)) return 0;
  const fs::path destination = words[1];
  if (is_taken(destination, force)) {
    throw UserError(fmt::format("fercli data convert: {} exists already; --force replaces it", destination.string()));
  }
  for (const auto& input : {words[0], source.labels.votes}) {
    require_other_file("fercli data convert:", destination, input);
    require_outside(input, destination);
  }
  const OutputLock lock = OutputLock::of_file(destination);
  const std::string asked = format == "auto" ? "" : format;
  const DatasetWriter& writer = find_writer(destination, asked);
  const Dataset data = source.load(options, words[0]);
  writer.write(data, destination, ProgressObserver::terminal());
  say_what_is_lost(data, writer, destination);
  say_how_numbers_are_read(data, writer, destination);
  if (source.show.json) {
    print_json(Conversion{data.name, destination.string(), data.digest(), data.size(), data.skipped});
  } else {
    print_text("{}: {} images, {}, {} left out\n", destination.string(), data.size(),
               describe_shape(data.image_size(), data.channels()), data.skipped);
  }
  return 0;
}

// ---- data -----------------------------------------------------------------------------------------------------------

const std::vector<Subcommand> kSubcommands{
    {"stats", "class distribution per split, as a table and a figure", run_stats},
    {"audit", "identical and nearly equal images within and across splits, conflicting labels, blank images",
     run_audit},
    {"convert", "CSV, class folders or packed file into one another", run_convert},
};

int print_help() {
  print_text(
      "Usage: fercli data SUBCOMMAND SOURCE [options]\n\n"
      "SOURCE is a CSV file, a folder, a packed file, or synthetic: for drawn faces.\n\nSubcommands:\n");
  for (const auto& each : kSubcommands) print_text("  {:<10} {}\n", each.name, each.summary);
  print_text("\n`fercli data SUBCOMMAND --help` shows the options.\n");
  return 0;
}

int run(const std::vector<std::string>& arguments) {
  const std::string word = arguments.empty() ? "" : arguments[0];
  if (word == "--help" || word == "-h") return print_help();
  std::vector<std::string> names;
  for (const auto& each : kSubcommands) {
    if (word == each.name) return each.run({arguments.begin() + 1, arguments.end()});
    names.emplace_back(each.name);
  }
  throw UserError(word.empty() ? fmt::format("fercli data: needs a subcommand ({})", join(names, ", "))
                               : fmt::format("fercli data: unknown subcommand '{}'{} (known: {})", word,
                                             did_you_mean(word, names), join(names, ", ")));
}

const Register<Command> registered{{"data", "look into data sets: stats, audit, convert", run, kSubcommands}};

}  // namespace

}  // namespace fercli::data_command
