// fercli data stats|audit|convert: what is in a data set, what is wrong with it, and the same data in another form.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

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
using nlohmann::json;

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

std::string describe_shape(const Dataset& data) {
  return fmt::format("{0}x{0} {1}", data.image_size(), data.channels() == 1 ? "grey" : "RGB");
}

/// On stdout. File names need not be UTF-8; what is not is replaced.
void print_json(const json& result) {
  print_text("{}\n", result.dump(2, ' ', false, json::error_handler_t::replace));
}

std::string emoji_of(const std::string& name) {
  const Emotion* emotion = find_emotion(name);
  return emotion != nullptr ? emotion->emoji : "  ";
}

// ---- stats ----------------------------------------------------------------------------------------------------------

/// Images per split and class; a last class collects the images without a label.
struct Distribution {
  std::vector<Split> splits;                 ///< those with images
  std::vector<std::vector<int64_t>> counts;  ///< [split][class], one class more than the data set has

  explicit Distribution(const Dataset& data) {
    std::map<Split, std::vector<int64_t>> table;
    const torch::Tensor labels = data.labels.contiguous();
    for (int64_t row = 0; row < data.size(); ++row) {
      auto& counts_of_split = table[data.splits[static_cast<size_t>(row)]];
      counts_of_split.resize(static_cast<size_t>(data.classes.size()) + 1);
      const int64_t label = labels.data_ptr<int64_t>()[row];
      ++counts_of_split[static_cast<size_t>(label < 0 ? data.classes.size() : label)];
    }
    for (auto& [split, counts_of_split] : table) {
      splits.push_back(split);
      counts.push_back(std::move(counts_of_split));
    }
  }

  int64_t of_class(size_t index) const {
    int64_t sum = 0;
    for (const auto& split : counts) sum += split[index];
    return sum;
  }

  int64_t of_split(size_t index) const {
    int64_t sum = 0;
    for (const int64_t count : counts[index]) sum += count;
    return sum;
  }
};

std::string line_about(const Dataset& data) {
  return fmt::format("{}: {} images, {}, digest {}", data.name, data.size(), describe_shape(data),
                     data.digest().substr(0, 12));
}

PrintedTable distribution_table(const Dataset& data, const Distribution& table, const std::string& language,
                                bool emoji) {
  PrintedTable printed{"", {""}, {}};
  for (const Split split : table.splits)
    printed.columns.push_back(split == Split::None ? "no split" : to_string(split));
  printed.columns.push_back("total");
  printed.columns.push_back(fmt::format("share of {} (%, 95 % CI)", data.size()));
  const auto classes = static_cast<size_t>(data.classes.size());
  for (size_t k = 0; k <= classes; ++k) {
    if (k == classes && table.of_class(k) == 0) continue;
    const std::string name = k < classes ? display_name(data.classes.names()[k], language) : "(no label)";
    printed.rows.push_back({emoji && k < classes ? emoji_of(data.classes.names()[k]) + " " + name : name});
    for (const auto& counts : table.counts) printed.rows.back().push_back(counts[k]);
    printed.rows.back().push_back(table.of_class(k));
    printed.rows.back().push_back(share_cell(proportion(table.of_class(k), data.size())));
  }
  printed.rows.push_back({"total"});
  for (size_t s = 0; s < table.splits.size(); ++s) printed.rows.back().push_back(table.of_split(s));
  printed.rows.back().push_back(data.size());
  printed.rows.back().push_back("");
  return printed;
}

void print_distribution(const Dataset& data, const Distribution& table, const std::string& language) {
  print_text("{}\n\n", printable(line_about(data)));
  write_stdout(format_tables({distribution_table(data, table, language, /*emoji=*/true)}, "text"));
  if (data.skipped > 0) print_text("\n{} bad entries left out\n", data.skipped);
}

json distribution_json(const Dataset& data, const Distribution& table, const std::string& language) {
  json classes = json::array(), splits = json::object();
  const auto known = static_cast<size_t>(data.classes.size());
  for (size_t k = 0; k < known; ++k) {
    const std::string& name = data.classes.names()[k];
    json counts = json::object();
    for (size_t s = 0; s < table.splits.size(); ++s) counts[to_string(table.splits[s])] = table.counts[s][k];
    classes.push_back({{"name", name},
                       {"display", display_name(name, language)},
                       {"emoji", trim(emoji_of(name))},
                       {"counts", counts},
                       {"total", table.of_class(k)},
                       {"share", to_json(proportion(table.of_class(k), data.size()))}});
  }
  for (size_t s = 0; s < table.splits.size(); ++s) splits[to_string(table.splits[s])] = table.of_split(s);
  return {{"command", "data stats"},
          {"source", data.name},
          {"n", data.size()},
          {"image_size", data.image_size()},
          {"channels", data.channels()},
          {"digest", data.digest()},
          {"skipped", data.skipped},
          {"unlabelled", table.of_class(known)},
          {"splits", splits},
          {"classes", classes}};
}

json stats_schema() {
  using namespace shape;
  const json by_split = described(map_of(whole()), "images of each split");
  const json one_class = object({{"name", text()},
                                 {"display", described(text(), "in the language asked for")},
                                 {"emoji", text()},
                                 {"counts", by_split},
                                 {"total", whole()},
                                 {"share", Shape<Metric>::schema()}});
  return object({{"command", constant("data stats")},
                 {"source", text()},
                 {"n", whole()},
                 {"image_size", whole()},
                 {"channels", whole()},
                 {"digest", text()},
                 {"skipped", described(whole(), "bad entries that were left out")},
                 {"unlabelled", whole()},
                 {"splits", by_split},
                 {"classes", list(one_class)},
                 {"figure", described(or_null(text()), "where it was drawn")}});
}

const Register<DocumentKind> stats_document{
    {"data-stats", "--json of data stats: images by class and split", stats_schema}};

/// The figure's path, or "" when gnuplot could not draw it.
std::string draw_distribution(const Dataset& data, const Distribution& table, const std::string& language,
                              const fs::path& folder) {
  std::vector<ClassCounts> bars;
  std::vector<std::string> names;
  for (const auto& name : data.classes.names()) names.push_back(display_name(name, language));
  for (size_t s = 0; s < table.splits.size(); ++s) {
    const auto& counts = table.counts[s];
    bars.push_back(
        {table.splits[s] == Split::None ? "all" : to_string(table.splits[s]), {counts.begin(), counts.end() - 1}});
  }
  const fs::path file = folder / "distribution_emotions.png";
  const std::string title = fmt::format("{}: {} images", fs::path(data.name).filename().string(), data.size());
  return plot_class_distribution(bars, names, title, file) ? file.string() : "";
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
  const Dataset data = source.load(options, words[0]);
  const Distribution table(data);
  const std::string figure = folder.empty() ? "" : draw_distribution(data, table, language, folder);
  if (source.show.json) {
    json result = distribution_json(data, table, language);
    result["figure"] = figure.empty() ? json() : json(figure);
    print_json(result);
  } else if (source.show.line_alone()) {
    print_text("{}\n", printable(line_about(data)));
  } else if (source.show.text()) {
    print_distribution(data, table, language);
    if (!figure.empty()) print_text("\nfigure: {}\n", figure);
  } else {
    PrintedTable counts = distribution_table(data, table, language, /*emoji=*/false);
    counts.title = line_about(data);
    source.show.print({counts});
  }
  return 0;
}

// ---- audit ----------------------------------------------------------------------------------------------------------

/// All findings about one data set. Equal files are only looked for where the images are files of their own.
struct Audit {
  Audit(const Dataset& data, const std::string& source, double least_correlation)
      : by_files(fs::is_directory(source)),
        files(by_files ? find_equal_files(data, source, ProgressObserver::terminal()) : DuplicateReport{}),
        pixels(find_equal_pixels(data, ProgressObserver::terminal())),
        blank(find_blank(data)),
        min_correlation(least_correlation) {
    if (min_correlation < 1) {
      near = find_near_duplicates(data, min_correlation, pixels, ProgressObserver::terminal());
    }
  }

  bool by_files;
  DuplicateReport files, pixels;
  std::vector<int64_t> blank;
  double min_correlation;
  std::optional<NearReport> near;
};

PrintedTable duplicates_table(const std::string& title, const DuplicateReport& report, int64_t n) {
  PrintedTable table{title, {"finding", "number", "share"}, {}};
  table.rows = {{"groups of equal images", static_cast<int64_t>(report.groups.size()), ""},
                {"redundant copies", report.redundant, proportion_cell(proportion(report.redundant, n))},
                {"groups with conflicting labels", report.conflicting, ""},
                {"groups that span splits", report.across_splits, ""}};
  add_leak_rows(report.leaks, "also in", table);
  return table;
}

std::vector<PrintedTable> duplicates_tables(const Dataset& data, const Audit& audit) {
  std::vector<PrintedTable> tables;
  if (audit.by_files) tables.push_back(duplicates_table("Byte-identical files", audit.files, data.size()));
  tables.push_back(duplicates_table("Pixel-identical images", audit.pixels, data.size()));
  if (audit.near) tables.push_back(near_table(data, *audit.near, audit.min_correlation));
  return tables;
}

std::vector<PrintedTable> audit_tables(const Dataset& data, const Audit& audit) {
  auto tables = duplicates_tables(data, audit);
  PrintedTable blank{"Blank images", {"number", "image"}, {}};
  for (const int64_t row : audit.blank)
    blank.rows.push_back({std::to_string(blank.rows.size() + 1), data.ids[static_cast<size_t>(row)]});
  if (!blank.rows.empty()) tables.push_back(std::move(blank));
  return tables;
}

std::string audit_line(const Dataset& data, const Audit& audit) {
  const std::string near = audit.near ? fmt::format(", {} pairs of near-duplicates", audit.near->pairs.size()) : "";
  return fmt::format(
      "{}: {} images, {} redundant copies, {} groups with conflicting labels, {} that span splits, {} blank{}",
      data.name, data.size(), audit.pixels.redundant, audit.pixels.conflicting, audit.pixels.across_splits,
      audit.blank.size(), near);
}

void print_audit(const Dataset& data, const Audit& audit) {
  print_text("{}: {} images, read as {}\n\n", printable(data.name), data.size(), describe_shape(data));
  write_stdout(format_tables(duplicates_tables(data, audit), "text"));
  print_text("\nBlank images: {}\n", audit.blank.size());
  for (const int64_t row : audit.blank) print_text("  {}\n", printable(data.ids[static_cast<size_t>(row)]));
  if (data.skipped > 0) print_text("\n{} bad entries left out\n", data.skipped);
}

json duplicates_json(const Dataset& data, const DuplicateReport& report) {
  json groups = json::array();
  for (const auto& group : report.groups) {
    json images = json::array();
    for (const int64_t row : group.rows) images.push_back(image_json(data, row));
    groups.push_back({{"conflicting", group.conflicting}, {"across_splits", group.across_splits}, {"images", images}});
  }
  return {{"redundant", report.redundant},
          {"conflicting", report.conflicting},
          {"across_splits", report.across_splits},
          {"leaks", leaks_json(report.leaks)},
          {"groups", groups}};
}

json audit_json(const Dataset& data, const Audit& audit) {
  json blank = json::array();
  for (const int64_t row : audit.blank) blank.push_back(data.ids[static_cast<size_t>(row)]);
  return {{"command", "data audit"},
          {"source", data.name},
          {"n", data.size()},
          {"skipped", data.skipped},
          {"byte_identical", audit.by_files ? duplicates_json(data, audit.files) : json()},
          {"pixel_identical", duplicates_json(data, audit.pixels)},
          {"near_duplicates", audit.near ? near_json(data, *audit.near, audit.min_correlation) : json()},
          {"blank", blank}};
}

json audit_schema() {
  using namespace shape;
  const json group = object({{"conflicting", described(flag(), "labels differ")},
                             {"across_splits", flag()},
                             {"images", list(image_schema())}});
  const json duplicates = object({{"redundant", described(whole(), "copies beyond the first")},
                                  {"conflicting", described(whole(), "groups whose labels differ")},
                                  {"across_splits", described(whole(), "groups")},
                                  {"leaks", list(leak_schema())},
                                  {"groups", list(group)}});
  return object({{"command", constant("data audit")},
                 {"source", text()},
                 {"n", whole()},
                 {"skipped", whole()},
                 {"byte_identical", described(or_null(duplicates), "null where images are no files of their own")},
                 {"pixel_identical", duplicates},
                 {"near_duplicates", described(or_null(near_schema()), "null where they were not looked for")},
                 {"blank", described(list(text()), "ids of images of one value")}});
}

const Register<DocumentKind> audit_document{
    {"data-audit", "--json of data audit: equal, nearly equal and blank images", audit_schema}};

/// Every pair of equal images, in a group of over 100 only the pairs with its first image, lest the list explode; then
/// the near-duplicates.
std::string list_pairs(const Dataset& data, const Audit& audit) {
  constexpr size_t kLargeGroup = 100;
  std::map<int64_t, size_t> file_group;
  for (size_t g = 0; g < audit.files.groups.size(); ++g) {
    for (const int64_t row : audit.files.groups[g].rows) file_group[row] = g + 1;
  }
  const auto columns = [&](int64_t row) {
    const auto i = static_cast<size_t>(row);
    return fmt::format("{},{},{}", csv_field(data.ids[i]), to_string(data.splits[i]), csv_field(label_name(data, row)));
  };
  std::string text = "identical,id,split,label,other_id,other_split,other_label,correlation,right,down\n";
  for (const auto& group : audit.pixels.groups) {
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
  for (const auto& pair : audit.near->pairs) {
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
  const Audit audit(data, words[0], min_correlation);
  if (lock) write_file(list.path, list_pairs(data, audit));
  if (!sheet.empty()) write_png(near_sheet(data, *audit.near), sheet);
  if (source.show.json) {
    print_json(audit_json(data, audit));
  } else if (source.show.line_alone()) {
    print_text("{}\n", printable(audit_line(data, audit)));
  } else if (source.show.text()) {
    print_audit(data, audit);
    if (lock) print_text("\npairs: {}\n", list.path);
    if (!sheet.empty()) print_text("\nsheet: {}\n", sheet);
  } else {
    source.show.print(audit_tables(data, audit));
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
  options.choice("format", &format, {"auto", "csv", "folder", "packed"}, "auto: by the destination's extension");
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
    print_json({{"command", "data convert"},
                {"source", data.name},
                {"destination", destination.string()},
                {"n", data.size()},
                {"skipped", data.skipped},
                {"digest", data.digest()}});
  } else {
    print_text("{}: {} images, {}, {} left out\n", destination.string(), data.size(), describe_shape(data),
               data.skipped);
  }
  return 0;
}

json convert_schema() {
  using namespace shape;
  return object({{"command", constant("data convert")},
                 {"source", text()},
                 {"destination", text()},
                 {"n", whole()},
                 {"skipped", whole()},
                 {"digest", text()}});
}

const Register<DocumentKind> convert_document{
    {"data-convert", "--json of data convert: what was written", convert_schema}};

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
