// fercli leaderboard: networks side by side, by what AutoAttack leaves of them.
#include "report/leaderboard.hpp"

#include <fmt/format.h>

#include "commands/options/output_file.hpp"
#include "commands/options/show_options.hpp"
#include "core/command.hpp"
#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/file_name.hpp"
#include "core/files.hpp"
#include "core/json_text.hpp"
#include "core/options.hpp"
#include "core/text.hpp"
#include "record/document_kind.hpp"
#include "record/shape.hpp"
#include "report/html.hpp"
#include "report/markdown.hpp"

namespace fercli::leaderboard_command {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kSchema = "fercli-leaderboard/1";

struct Settings {
  std::vector<std::string> paths;
  std::string result, eps;
  LeaderboardCard card;
  OutputFileOption out;
  ShowOptions show;
};

void declare_card(OptionSet& options, Settings& settings) {
  options.section("A new card");
  options.text("add", &settings.result, "FILE.json",
               "put the figures of this result of `fercli eval --attacks autoattack` into the folder first, as a card");
  options.text("eps", &settings.eps, "EPS", "which eps of the result; without it, the only one");
  options.text("name", &settings.card.name, "TEXT", "what the network is called");
  options.text("authors", &settings.card.authors, "TEXT", "who made it");
  options.text("link", &settings.card.link, "URL", "to the paper or the weights");
  options.text("venue", &settings.card.venue, "TEXT", "where it was published");
  options.text("architecture", &settings.card.architecture, "TEXT", "its kind; without it, what the result says");
  options.flag("additional-data", &settings.card.additional_data, "it was trained on more than this data set");
}

/// Of the options that describe a card, those that were given without one.
void require_add(const OptionSet& options, const Settings& settings) {
  if (!settings.result.empty()) return;
  for (const char* name : {"eps", "name", "authors", "link", "venue", "architecture", "additional-data"}) {
    if (options.given(name)) options.fail(name, "describes a new card; it goes with --add FILE.json");
  }
}

void add_card(const OptionSet& options, const Settings& settings) {
  if (settings.card.name.empty()) options.fail("add", "a card needs --name TEXT");
  if (settings.paths.size() != 1) options.fail("add", "name one folder, into which the card goes");
  const fs::path folder = settings.paths.front();
  const auto card = measured_card(settings.card, read_result(settings.result), settings.eps, settings.result);
  const fs::path file = folder / (file_name_of(card.name, "network") + ".json");
  require_other_file("fercli leaderboard: --name", file, settings.result);
  require_free(options, "name", file, settings.out.force);
  make_folder(folder);
  const auto lock = OutputLock::of_file(file);
  write_file(file, pretty_json(to_json(card)) + "\n");
}

/// Is FILE a page rather than Markdown?
bool is_page(const OptionSet& options, const fs::path& file) {
  const std::string ending = to_lower(file.extension().string());
  if (ending != ".html" && ending != ".md") options.fail("out", "must end in .html or .md");
  return ending == ".html";
}

json document_of(const std::vector<LeaderboardCard>& cards) {
  auto list = json::array();
  for (const auto& card : cards) list.push_back(json(to_json(card)));
  return {{"schema", kSchema}, {"cards", list}};
}

int run(const std::vector<std::string>& arguments) {
  Settings settings;
  OptionSet options(
      "leaderboard", "DIR|FILE.json …",
      "Networks side by side by their accuracy under AutoAttack, from cards with the keys of RobustBench: one\n"
      "table for each data set, norm and eps.");
  options.positional(&settings.paths, 1, 1024);
  declare_card(options, settings);
  options.section("Output");
  settings.out.declare(options, "FILE", "write the tables there, as a page (.html) or as Markdown (.md)");
  settings.show.declare_tables(options, "print the cards as JSON, and nothing else");
  if (!options.parse(arguments)) return 0;
  settings.show.begin(options);
  require_add(options, settings);
  for (const auto& path : settings.paths) require_other_file("fercli leaderboard: --out", settings.out.path, path);
  std::optional<OutputLock> lock;
  const fs::path file = settings.out.path;
  const bool page = !file.empty() && is_page(options, file);
  if (!file.empty()) lock.emplace(settings.out.take(options));
  if (!settings.result.empty()) add_card(options, settings);

  const auto cards = read_cards(settings.paths);
  if (lock) {
    const Document document = leaderboard_page(cards);
    write_file(file, page ? render_html(document, file.parent_path()) : render_markdown(document));
  }
  if (settings.show.json) {
    print_text("{}\n", pretty_json(document_of(cards)));
  } else {
    settings.show.print(leaderboard_tables(cards));
  }
  return 0;
}

json schema() {
  using namespace shape;
  return object({{"schema", constant(kSchema)},
                 {"cards", list(Registry<DocumentKind>::instance().get("leaderboard-card").schema())}});
}

const Register<DocumentKind> document{{"leaderboard", "--json of leaderboard: its cards, best first", schema}};

const Register<Command> registered{{"leaderboard", "networks side by side by what AutoAttack leaves of them", run}};

}  // namespace

}  // namespace fercli::leaderboard_command
