// Cards of networks: made of results, read, and set side by side.
#include "report/leaderboard.hpp"

#include <nlohmann/json.hpp>

#include "core/files.hpp"
#include "eval/ladder_figures.hpp"
#include "report/html.hpp"
#include "report/markdown.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/schema_fault.hpp"
#include "tests/user_error.hpp"

namespace fercli::test {

namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

/// A card as RobustBench has them.
json stated_card(const std::string& name, const std::string& accuracy) {
  return {{"link", "https://example.org/paper"},
          {"name", name},
          {"authors", "A. Author"},
          {"additional_data", true},
          {"number_forward_passes", 1},
          {"dataset", "FER2013 PublicTest"},
          {"venue", "Some Journal, 2024"},
          {"architecture", "VGG13"},
          {"eps", "4/255"},
          {"clean_acc", "70.10"},
          {"reported", accuracy},
          {"autoattack_acc", accuracy}};
}

/// What `fercli eval --attacks autoattack` says of 100 images, of which 60 are right, and this share under attack.
Result attacked_result(double robust) {
  Result result;
  result.command = "eval";
  result.n = 100;
  const auto share = [](double value, int64_t n) { return Metric{value, {value - 0.1, value + 0.1}, n}; };
  result.metrics = {{"accuracy", share(0.6, 100)}, {"balanced_accuracy", share(0.55, 100)}};
  const auto of_class = [&](const char* name, double value, int64_t n) {
    return ClassUnderAttack{name, {share(value, n), share(value, n)}, {}};
  };
  LadderFigures figures;
  figures.base.eps = {"2/255", "4/255"};
  figures.attacks.resize(2);
  figures.attacks[0].curves.name = "pgd";
  figures.attacks[1].curves = {
      {share(robust + 0.1, 100), share(robust, 100)}, {share(robust, 100), share(robust - 0.1, 100)}, {}, "autoattack"};
  figures.attacks[1].by_class = {of_class("Happy", 0.8, 50), of_class("Disgust", 0, 9), of_class("Fear", 0.2, 50)};
  result.parts["robustness"]["ours"] = Shape<LadderFigures>::write(figures);
  result.dataset = {{"name", "FER2013"}, {"split", "PublicTest"}};
  result.add_model({{"model", "ours"}, {"arch", "resnet"}, {"digest", "abc"}});
  result.threat_model = {{"norm", "Linf"}, {"goal", "untargeted"}, {"masked", false}};
  result.environment = {{"revision", "123"}};
  return result;
}

class Leaderboard : public testing::Test {
 protected:
  std::string write(const std::string& name, const json& document) const {
    write_file(folder_ / name, document.dump());
    return (folder_ / name).string();
  }
  std::string folder() const { return folder_.path().string(); }

  ScratchFolder folder_;
};

TEST_F(Leaderboard, ACardHasTheFiguresOfItsResultAtItsEps) {
  LeaderboardCard card;
  card.name = "ours";
  const auto measured = measured_card(card, attacked_result(0.4), "4/255", "result.json");
  EXPECT_EQ(measured.autoattack_acc, "40.00");
  EXPECT_EQ(measured.clean_acc, "60.00");
  EXPECT_EQ(measured.dataset, "FER2013 PublicTest");
  EXPECT_DOUBLE_EQ(measured.balanced_robust->value, 0.3);
  EXPECT_EQ(measured.worst_class->name, "Fear") << "a class of nine images is not the worst";
  EXPECT_EQ(measured.architecture, "resnet");
  EXPECT_THAT(message_of([&] { measured_card(card, attacked_result(0.4), "", "result.json"); }),
              HasSubstr("result.json: has AutoAttack at eps 2/255, 4/255; choose one of them with --eps"));
  auto targeted = attacked_result(0.4);
  targeted.threat_model["goal"] = "targeted";
  EXPECT_THAT(message_of([&] { measured_card(card, targeted, "4/255", "result.json"); }), HasSubstr("untargeted"));
  auto without = attacked_result(0.4);
  without.parts = json::object();
  EXPECT_THAT(message_of([&] { measured_card(card, without, "4/255", "result.json"); }),
              HasSubstr("has no figures of AutoAttack"));
}

TEST_F(Leaderboard, AResultOfAnotherThanTheStandardAutoAttackIsRefused) {
  auto standard = attacked_result(0.4), short_run = standard, transferred = standard, off_grid = standard;
  standard.attacks = {{{"name", "autoattack"}, {"standard", true}}, {{"name", "pgd"}, {"steps", 20}}};
  EXPECT_EQ(measured_card({}, standard, "4/255", "result.json").autoattack_acc, "40.00");
  short_run.attacks = {{{"name", "autoattack"}, {"standard", false}}};
  transferred.threat_model["surrogate"] = "abc";
  off_grid.threat_model["pixel_grid"] = false;
  for (const auto& result : {short_run, transferred, off_grid}) {
    EXPECT_THAT(message_of([&] { measured_card({}, result, "4/255", "result.json"); }),
                HasSubstr("result.json: is not of AutoAttack's standard version"));
  }
}

TEST_F(Leaderboard, CardsOfBothKindsStandBestFirstByThreat) {
  write("stated.json", stated_card("stated", "45.30"));
  for (const auto& [name, robust] : {std::pair{"weak", 0.1}, {"strong", 0.5}}) {
    LeaderboardCard card;
    card.name = name;
    write(name + std::string(".json"), to_json(measured_card(card, attacked_result(robust), "4/255", "result.json")));
  }
  auto other = stated_card("far", "5.00");
  other["eps"] = "8/255";
  write("far.json", other);
  write("unrelated.json", {{"a", 1}});
  const auto tables = leaderboard_tables(read_cards({folder()}));
  ASSERT_EQ(tables.size(), 2u);
  EXPECT_EQ(tables[0].title, "FER2013 PublicTest, Linf, eps 4/255 (%, 95 % CI)");
  std::vector<std::string> names, figures;
  for (const auto& row : tables[0].rows) {
    names.push_back(row[0].text);
    figures.push_back(row[7].text);
  }
  EXPECT_THAT(names, ElementsAre("strong", "stated", "weak"));
  EXPECT_THAT(figures, ElementsAre("50.0 (40.0–60.0)", "45.30", "10.0 (0.0–20.0)"));
  EXPECT_EQ(tables[0].rows[0][9].text, "Fear 20.0 (10.0–30.0)");
  EXPECT_EQ(tables[1].rows[0][0].text, "far");
}

TEST_F(Leaderboard, WhatIsNoCardIsRefusedByName) {
  const auto text = write("text.json", {{"a", 1}});
  EXPECT_THAT(message_of([&] { read_cards({text}); }), HasSubstr("text.json: is no card of a leaderboard"));
  EXPECT_THAT(message_of([&] { read_cards({folder()}); }), HasSubstr("no cards of a leaderboard there"));
  const auto wrong = write("wrong.json", stated_card("wrong", "many"));
  EXPECT_THAT(message_of([&] { read_cards({wrong}); }), HasSubstr("autoattack_acc 'many': must be a percentage"));
  auto number = stated_card("number", "40");
  number["authors"] = 3;
  const auto typed = write("wrong.json", number);
  EXPECT_THAT(message_of([&] { read_cards({typed}); }), HasSubstr("a key of this card is not what"));
}

TEST_F(Leaderboard, NamesOfStrangersStayText) {
  write("card.json", stated_card("<b>|[x](javascript:alert(1))", "45.30"));
  const auto page = leaderboard_page(read_cards({folder()}));
  EXPECT_THAT(render_html(page, folder()), HasSubstr("&lt;b&gt;|[x](javascript:alert(1))"));
  EXPECT_THAT(render_markdown(page), testing::Not(HasSubstr("<b>|")));
}

TEST_F(Leaderboard, StatedFiguresBreakNoRow) {
  auto card = stated_card("stated", "\n45.3");
  card["clean_acc"] = "70.1\n";
  write("card.json", card);
  const auto tables = leaderboard_tables(read_cards({folder()}));
  EXPECT_EQ(tables.at(0).rows.at(0).at(5).text, "70.10");
  EXPECT_EQ(tables.at(0).rows.at(0).at(7).text, "45.30");
}

TEST_F(Leaderboard, TheCommandAddsACardOnceAndWritesAPage) {
  const auto result = write("result.json", to_json(attacked_result(0.4)));
  const std::string cards = (folder_ / "cards").string(), page = (folder_ / "page.md").string();
  const std::vector<std::string> add{"leaderboard", cards, "--add", result, "--eps", "4/255", "--name", "ours"};
  auto with_page = add;
  with_page.insert(with_page.end(), {"--out", page});
  const auto first = run_in_process(with_page);
  EXPECT_EQ(first.exit_code, 0) << first.err;
  EXPECT_THAT(first.out, HasSubstr("40.0 (30.0–50.0)"));
  EXPECT_THAT(read_file(page), HasSubstr("| ours |"));
  expect_document("leaderboard-card", json::parse(read_file(folder_ / "cards/ours.json")), "ours.json");
  const auto again = run_in_process(add);
  EXPECT_EQ(again.exit_code, 2);
  EXPECT_THAT(again.err, HasSubstr("ours.json is there already; --force replaces it"));
  const auto nameless = run_in_process({"leaderboard", cards, "--add", result});
  EXPECT_EQ(nameless.exit_code, 2);
  EXPECT_THAT(nameless.err, HasSubstr("a card needs --name TEXT"));
  const auto alone = run_in_process({"leaderboard", cards, "--venue", "X"});
  EXPECT_THAT(alone.err, HasSubstr("--venue X: describes a new card; it goes with --add FILE.json"));
  const auto ending = run_in_process({"leaderboard", cards, "--out", (folder_ / "page.txt").string()});
  EXPECT_EQ(ending.exit_code, 2);
  EXPECT_THAT(ending.err, HasSubstr("must end in .html or .md"));
  const auto listed = run_in_process({"leaderboard", cards, "--json"});
  EXPECT_EQ(json::parse(listed.out)["cards"][0]["worst_class"]["class"], "Fear");
}

}  // namespace

}  // namespace fercli::test
