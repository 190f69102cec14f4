// For whom the network fails: accuracy and robust accuracy of groups of images, and the largest gaps.
#include "report/robust_view.hpp"
#include "report/section.hpp"

namespace fercli::groups_section {

namespace {

Table group_table(const Page& page, const std::string& norm, const View& column) {
  Table table{page.say("groups.table", {{"column", page.text(column.at("column"))}}),
              {{page.say("groups.group")}, {plain("n")}, {page.say("metric.accuracy")}},
              {}};
  for (const auto& at_eps : column.at("groups").at(0).at("robust").elements())
    table.header.push_back({page.say("groups.robust", {{"eps", bound_of(page, norm, at_eps.at("eps"))}})});
  for (const auto& group : column.at("groups").elements()) {
    const View n = group.at("n");  // a goal may concern fewer images of the group
    const auto share = [&](const View& metric) {
      const bool of_all = metric.at("n").json() == n.json();
      return page.metric(metric, NumberFormat::Percent, of_all ? Page::Sample::Elsewhere : Page::Sample::Shown);
    };
    std::vector<Cell> cells{
        {page.text(group.at("group"))}, {page.number(n, NumberFormat::Count)}, {share(group.at("accuracy"))}};
    for (const auto& at_eps : group.at("robust").elements()) cells.push_back({share(at_eps.at("accuracy"))});
    table.rows.push_back(std::move(cells));
  }
  return table;
}

Table gap_table(const Page& page, const std::string& norm, const View& columns) {
  Table table{page.say("groups.gaps"), {}, {}};
  for (const char* head : {"column", "of", "worst", "best", "difference", "test", "p"})
    table.header.push_back({page.say(std::string("groups.") + head)});
  for (const auto& column : columns.elements()) {
    for (const auto& gap : column.at("gaps").elements()) {
      const bool clean = gap.at("eps").text().empty();
      table.rows.push_back({{page.text(column.at("column"))},
                            {clean ? page.say("metric.accuracy")
                                   : page.say("groups.robust", {{"eps", bound_of(page, norm, gap.at("eps"))}})},
                            {page.text(gap.at("worst"))},
                            {page.text(gap.at("best"))},
                            {page.metric(gap.at("difference"))},
                            {page.text(gap.at("test"))},
                            {page.number(gap.at("p_holm"), NumberFormat::Short)}});
    }
  }
  return table;
}

std::vector<Block> write(const Page& page) {
  std::vector<Block> blocks;
  for (const auto& model : page.models("groups")) {
    std::vector<Block> of_model{
        Paragraph{page.say("groups.intro", {{"fewest", page.number(model.view.at("fewest"), NumberFormat::Count)}})}};
    const View columns = model.view.at("columns");
    const std::string norm = norm_of(page.part("robustness").at(model.name));
    for (const auto& column : columns.elements())
      if (column.at("groups").size() > 0) of_model.push_back(group_table(page, norm, column));
    if (Table gaps = gap_table(page, norm, columns); !gaps.rows.empty()) of_model.push_back(std::move(gaps));
    add_model(blocks, page, model.name, under_threat(page, model.name, std::move(of_model)));
  }
  return blocks;
}

const RegisterTexts texts{
    {"groups.title", {"For whom it fails", "Pour qui il échoue"}},
    {"groups.intro",
     {"Groups of images, and what the network gets right in each. The gap is that between the best and the worst "
      "group of at least {fewest} images; p is Fisher’s exact test for two groups, else a permutation test of the "
      "largest gap, corrected for all gaps of the table (Holm). A gap without a small p may be chance, and one with "
      "it need not come from the group itself: groups may differ in their emotions too.",
      "Groupes d’images, et ce que le réseau reconnaît dans chacun. L’écart est celui entre le meilleur et le pire "
      "groupe d’au moins {fewest} images ; p vient du test exact de Fisher pour deux groupes, sinon d’un test par "
      "permutation du plus grand écart, corrigé pour tous les écarts du tableau (Holm). Un écart sans petit p peut "
      "être dû au hasard, et un écart significatif ne vient pas forcément du groupe : les émotions peuvent différer "
      "aussi."}},
    {"groups.table", {"By {column}", "Par {column}"}},
    {"groups.group", {"Group", "Groupe"}},
    {"groups.robust", {"robust, eps {eps}", "robuste, eps {eps}"}},
    {"groups.gaps", {"Largest gaps", "Plus grands écarts"}},
    {"groups.column", {"Groups", "Groupes"}},
    {"groups.of", {"Of", "De"}},
    {"groups.worst", {"Worst", "Pire"}},
    {"groups.best", {"Best", "Meilleur"}},
    {"groups.difference", {"Gap", "Écart"}},
    {"groups.test", {"Test", "Test"}},
    {"groups.p", {"p (Holm)", "p (Holm)"}},
};

const Register<Section> registered{{"groups", 65, write}};

}  // namespace

}  // namespace fercli::groups_section
