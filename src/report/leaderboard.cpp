#include "report/leaderboard.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "core/error.hpp"
#include "core/text.hpp"
#include "core/untrusted.hpp"
#include "eval/robustness_summary.hpp"
#include "record/document_kind.hpp"
#include "record/fields.hpp"

namespace fercli {

template <class Visitor>
void visit_fields(Visitor& visitor, WorstClass& worst) {
  visitor("class", worst.name, "the class with the lowest robust accuracy, of those with ten images or more");
  visitor("robust_accuracy", worst.robust_accuracy, "of the images of this class");
}

template <class Visitor>
void visit_fields(Visitor& visitor, LeaderboardCard& card) {
  visitor.constant("schema", LeaderboardCard::kSchema, "which keys there are");
  visitor("name", card.name, "the network's");
  visitor.defaulted("authors", card.authors, "who made it");
  visitor.defaulted("link", card.link, "to the paper or the weights");
  visitor.defaulted("venue", card.venue, "where it was published");
  visitor.defaulted("architecture", card.architecture, "the network's kind");
  visitor.defaulted("additional_data", card.additional_data,
                    "was it trained on more than the data set's training part?");
  visitor.defaulted("number_forward_passes", card.number_forward_passes, "of one answer");
  visitor.defaulted("dataset", card.dataset, "name and split of the attacked images");
  visitor.defaulted("norm", card.norm, "of the perturbation");
  visitor.defaulted("eps", card.eps, "size of the perturbation, pixels in [0,1]");
  visitor.defaulted("clean_acc", card.clean_acc, "accuracy without an attack, %");
  visitor.defaulted("autoattack_acc", card.autoattack_acc, "accuracy under AutoAttack, %");
  visitor.optional("clean", card.clean, "accuracy without an attack");
  visitor.optional("balanced_clean", card.balanced_clean, "mean of the classes' accuracies without an attack");
  visitor.optional("robust", card.robust, "accuracy under AutoAttack");
  visitor.optional("balanced_robust", card.balanced_robust, "mean of the classes' accuracies under AutoAttack");
  visitor.optional("worst_class", card.worst_class, "the class that the attack costs most");
  visitor.optional("digest", card.digest, "SHA-256 of the network's file");
  visitor.optional("revision", card.revision, "of the program that measured it");
}

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kInPercent = " (%, 95 % CI)";
constexpr int64_t kFewestOfClass = 10;  ///< images, for a class to count as the worst

std::string in_percent(const Metric& metric) {
  return fmt::format("{:.2f}", 100 * metric.value);
}

double percent_of(const std::string& text, const char* key, const fs::path& file) {
  try {
    const double value = parse_number(text);
    if (value >= 0 && value <= 100) return value;
  } catch (const std::invalid_argument&) {
  }
  throw UserError(fmt::format("{}: {} '{}': must be a percentage in [0, 100]", file.string(), key, text));
}

/// What the result says of AutoAttack, among its attacks. Throws UserError where it says nothing.
const LadderAttack& autoattack_in(const std::optional<LadderFigures>& figures, const fs::path& from) {
  for (size_t i = 0; figures && i < figures->attacks.size(); ++i) {
    if (figures->attacks[i].curves.name == LeaderboardCard::kAttack) return figures->attacks[i];
  }
  throw UserError(
      fmt::format("{}: has no figures of AutoAttack; make them with fercli eval --attacks autoattack --eps "
                  "EPS --out FOLDER",
                  from.string()));
}

/// The place of this eps on the grid; "": of the only one.
size_t budget_of(const std::string& eps, const std::vector<std::string>& grid, const fs::path& from) {
  if (eps.empty() && grid.size() == 1) return 0;
  const auto found = std::find(grid.begin(), grid.end(), eps);
  if (found != grid.end()) return static_cast<size_t>(found - grid.begin());
  throw UserError(
      fmt::format("{}: has AutoAttack at eps {}; choose one of them with --eps", from.string(), join(grid, ", ")));
}

/// Throws UserError where AutoAttack was another one than that of all other cards.
void require_standard(const Result& result, const fs::path& from) {
  bool standard = describe_restrictions(restrictions_of(result.threat_model)).empty();
  for (const auto& settings : result.attacks) {
    if (settings.at("name") == LeaderboardCard::kAttack) standard = standard && settings.value("standard", true);
  }
  if (standard) return;
  throw UserError(
      fmt::format("{}: is not of AutoAttack's standard version: untargeted, on whole faces, the network itself and "
                  "8-bit images, which a leaderboard compares; leave --goal, --mask, --surrogate, --eot, --float and "
                  "the attack's parameters out",
                  from.string()));
}

/// Nothing where all classes have too few images to tell.
std::optional<WorstClass> worst_class_of(const std::vector<ClassUnderAttack>& classes, size_t budget) {
  std::optional<WorstClass> worst;
  for (const auto& found : classes) {
    const Metric& metric = found.robust.at(budget);
    if (metric.n < kFewestOfClass || (worst && metric.value >= worst->robust_accuracy.value)) continue;
    worst = WorstClass{found.name, metric};
  }
  return worst;
}

/// A file that holds a card; nothing where it is JSON of another kind.
std::optional<LeaderboardCard> card_in(const fs::path& file) {
  const json document = require_untrusted_json(file);
  const bool ours = document.is_object() && document.value("schema", json()) == LeaderboardCard::kSchema;
  const bool of_robust_bench = document.is_object() && document.contains("autoattack_acc") && document.contains("name");
  if (!ours && !of_robust_bench) return std::nullopt;
  LeaderboardCard card;
  try {
    read_record(document, card);
  } catch (const json::exception&) {
    throw UserError(fmt::format(
        "{}: a key of this card is not what the schema 'leaderboard-card' says (see fercli schema)", file.string()));
  }
  if (!card.clean && !card.clean_acc.empty()) percent_of(card.clean_acc, "clean_acc", file);
  if (!card.robust) percent_of(card.autoattack_acc, "autoattack_acc", file);
  return card;
}

/// In %, for the order.
double robust_percent(const LeaderboardCard& card) {
  return card.robust ? 100 * card.robust->value : parse_number(card.autoattack_acc);
}

auto threat_of(const LeaderboardCard& card) {
  return std::tie(card.dataset, card.norm, card.eps);
}

/// A Metric with its interval, or the percentage that the card states.
PrintedCell accuracy_cell(const std::optional<Metric>& metric, const std::string& stated = "") {
  if (metric) return share_cell(*metric);
  return figure_cell(stated.empty() ? "–" : fmt::format("{:.2f}", parse_number(stated)));
}

PrintedCell worst_cell(const LeaderboardCard& card) {
  if (!card.worst_class) return figure_cell("–");
  return {fmt::format("{} {}", card.worst_class->name, format_share(card.worst_class->robust_accuracy))};
}

std::string title_of(const LeaderboardCard& card) {
  return fmt::format("{}, {}, eps {}", card.dataset.empty() ? "data set not stated" : card.dataset, card.norm,
                     card.eps.empty() ? "not stated" : card.eps);
}

const std::vector<std::string>& leaderboard_columns() {
  static const std::vector<std::string> columns{"network",   "authors",     "published", "architecture",
                                                "more data", "accuracy",    "balanced",  "under attack",
                                                "balanced",  "worst class", "n"};
  return columns;
}

std::vector<PrintedCell> row_of_card(const LeaderboardCard& card) {
  const std::string published = card.venue.empty() ? card.link : card.venue;
  return {card.name,
          card.authors,
          published,
          card.architecture,
          card.additional_data ? "yes" : "no",
          accuracy_cell(card.clean, card.clean_acc),
          accuracy_cell(card.balanced_clean),
          accuracy_cell(card.robust, card.autoattack_acc),
          accuracy_cell(card.balanced_robust),
          worst_cell(card),
          card.robust ? PrintedCell(card.robust->n) : figure_cell("–")};
}

void take_card(std::vector<LeaderboardCard>& cards, const fs::path& file, bool required) {
  if (auto card = card_in(file)) {
    cards.push_back(std::move(*card));
  } else if (required) {
    throw UserError(
        fmt::format("{}: is no card of a leaderboard (name, autoattack_acc, …); fercli leaderboard --add "
                    "makes one of a result",
                    file.string()));
  }
}

std::vector<fs::path> json_files_below(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder, fs::directory_options::skip_permission_denied)) {
    if (entry.is_regular_file() && to_lower(entry.path().extension().string()) == ".json")
      files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

Table page_table(const PrintedTable& printed) {
  Table table{plain("In %, with 95 % confidence intervals."), {}, {}};
  const auto is_prose = [](const PrintedCell& cell) { return !cell.number && !cell.metric; };
  for (size_t i = 0; i < printed.columns.size(); ++i) {
    table.header.push_back({plain(printed.columns[i]), false, is_prose(printed.rows.front()[i])});
  }
  for (const auto& row : printed.rows) {
    auto& cells = table.rows.emplace_back();
    for (const auto& cell : row) cells.push_back({plain(cell.text), false, is_prose(cell)});
  }
  return table;
}

const Register<DocumentKind> card_kind{
    {"leaderboard-card", "--add of leaderboard: a network's figures", schema_of_record<LeaderboardCard>}};

}  // namespace

LeaderboardCard measured_card(LeaderboardCard card, const Result& result, const std::string& eps,
                              const fs::path& from) {
  try {
    const auto figures = robustness_of(result);
    const LadderAttack& attack = autoattack_in(figures, from);
    const size_t budget = budget_of(eps, figures->base.eps, from);
    require_standard(result, from);
    card.eps = figures->base.eps[budget];
    card.clean = result.metrics.at("accuracy");
    card.balanced_clean = result.metrics.at("balanced_accuracy");
    card.robust = attack.curves.robust_accuracy.at(budget);
    card.balanced_robust = attack.curves.balanced.at(budget);
    card.worst_class = worst_class_of(attack.by_class.value(), budget);
    card.norm = result.threat_model.at("norm");
    card.dataset = fmt::format("{} {}", result.dataset.at("name").get<std::string>(),
                               result.dataset.at("split").get<std::string>());
    if (card.architecture.empty()) card.architecture = result.model().at("arch");
    card.digest = result.model().at("digest").get<std::string>();
    card.revision = result.environment.at("revision").get<std::string>();
  } catch (const std::exception& error) {
    if (dynamic_cast<const UserError*>(&error) != nullptr) throw;
    throw UserError(fmt::format("{}: lacks figures that every result of fercli eval has", from.string()));
  }
  card.clean_acc = in_percent(*card.clean);
  card.autoattack_acc = in_percent(*card.robust);
  return card;
}

nlohmann::ordered_json to_json(const LeaderboardCard& card) {
  return write_record(card);
}

std::vector<LeaderboardCard> read_cards(const std::vector<std::string>& paths) {
  std::vector<LeaderboardCard> cards;
  for (const auto& path : paths) {
    if (!fs::is_directory(path)) {
      take_card(cards, path, true);
      continue;
    }
    for (const auto& file : json_files_below(path)) take_card(cards, file, false);
  }
  if (cards.empty()) {
    throw UserError(fmt::format("{}: no cards of a leaderboard there; fercli leaderboard --add makes one of a result",
                                join(paths, ", ")));
  }
  std::stable_sort(cards.begin(), cards.end(), [](const LeaderboardCard& a, const LeaderboardCard& b) {
    if (threat_of(a) != threat_of(b)) return threat_of(a) < threat_of(b);
    return robust_percent(a) > robust_percent(b);
  });
  return cards;
}

std::vector<PrintedTable> leaderboard_tables(const std::vector<LeaderboardCard>& cards) {
  std::vector<PrintedTable> tables;
  const LeaderboardCard* before = nullptr;
  for (const auto& card : cards) {
    if (before == nullptr || threat_of(*before) != threat_of(card)) {
      tables.push_back({title_of(card) + kInPercent, leaderboard_columns(), {}});
    }
    tables.back().rows.push_back(row_of_card(card));
    before = &card;
  }
  return tables;
}

Document leaderboard_page(const std::vector<LeaderboardCard>& cards) {
  Document page{"en",      "Robust networks",    plain("Accuracy under AutoAttack, best first"),
                "Threats", "fercli leaderboard", {}};
  for (const auto& table : leaderboard_tables(cards)) {
    const std::string title = table.title.substr(0, table.title.size() - std::string_view(kInPercent).size());
    SectionContent section{fmt::format("threat-{}", page.sections.size() + 1), title, {}};
    section.blocks.push_back(page_table(table));
    page.sections.push_back(std::move(section));
  }
  page.sections.push_back(
      {"reading",
       "How to read it",
       {Paragraph{
           plain("A face that the network gets wrong without an attack counts as broken. Balanced: the mean of the "
                 "classes' figures. Worst class: the one of which the attack leaves least, of those with ten images or "
                 "more. Intervals that overlap "
                 "do not tell two networks apart; where both were measured on the same images, fercli compare "
                 "does.")}}});
  return page;
}

}  // namespace fercli
