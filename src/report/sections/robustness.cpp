// Robust accuracy against eps for each attack, and how small a change is enough for each image.
#include "report/robust_view.hpp"
#include "report/section.hpp"

namespace fercli::robustness_section {

namespace {

/// One column of the table: an attack, or all together.
struct Column {
  Text name;
  View accuracies;
};

std::vector<Column> columns_of(const Page& page, const View& part) {
  std::vector<Column> columns;
  for (const auto& attack : part.at("attacks").elements()) {
    columns.push_back({page.text(attack.at("name")), attack.at("robust_accuracy")});
  }
  if (part.at("worst")) columns.push_back({page.say("attack.all"), part.at("worst").at("robust_accuracy")});
  return columns;
}

std::vector<Block> curves(const Page& page, const ModelView& model, const View& part, const std::string& suffix) {
  const std::string norm = norm_of(part);
  CurvePlot plot = robust_plot(page, norm);
  plot.title = page.words("robustness.figure_title",
                          {{"model", model.name}, {"norm", norm}, {"data", page.data_name(part.at("n"))}});
  for (const auto& column : columns_of(page, part)) {
    plot.curves.push_back(robust_curve(page, model.name, part, column.accuracies, characters(column.name)));
  }
  if (plot.curves.empty()) return {};
  plot.curves.back().emphasised = static_cast<bool>(part.at("worst"));
  plot.x_tics = eps_tics(part.at("eps"), norm);
  const View constant = part.at("constant_answer");
  if (constant) plot.level = {page.words("robustness.constant_line"), 100 * value_of(constant)};
  Text caption = page.say("robustness.figure");
  if (constant) {
    caption = caption + plain(" ") + page.say("robustness.constant", {{"constant", page.metric(constant)}});
  }
  return page.figure("robust-accuracy-" + slug(model.name) + suffix, plot_curves(plot),
                     page.words("robustness.figure_alt", {{"model", model.name}}), caption);
}

std::vector<Text> eps_names(const Page& page, const View& part, size_t budgets) {
  std::vector<Text> names;
  for (size_t budget = 0; budget < budgets; ++budget) names.push_back(page.text(part.at("eps").at(budget)));
  return names;
}

/// "eps (Linf)".
Cell eps_head(const View& part) {
  return {plain("eps (" + norm_of(part) + ")")};
}

Table ladder_table(const Page& page, const View& part, const char* key, const char* caption) {
  std::vector<Column> columns;
  for (const auto& attack : part.at("attacks").elements()) {
    if (attack.at(key)) columns.push_back({page.text(attack.at("name")), attack.at(key)});
  }
  if (part.at("worst").at(key)) columns.push_back({page.say("attack.all"), part.at("worst").at(key)});
  std::vector<std::vector<View>> rows(part.at("eps").size());
  for (size_t budget = 0; budget < rows.size(); ++budget) {
    for (const auto& column : columns) rows[budget].push_back(column.accuracies.at(budget));
  }
  Table table{page.say(caption), {eps_head(part)}, {}};
  for (const auto& column : columns) table.header.push_back({column.name});
  page.add_shares(table, eps_names(page, part, rows.size()), rows);
  return table;
}

std::vector<Block> answers(const Page& page, const View& part) {
  const View shares = part.at("share_predicted");
  const auto classes = page.class_list(part);
  if (!shares || classes.empty()) return {};
  std::vector<std::vector<View>> rows;
  for (const auto& row : shares.elements()) rows.push_back(row.elements());
  Table table{page.say("robustness.answers"), {eps_head(part)}, {}, true};
  for (const auto& name : classes) table.header.push_back({plain(page.class_words(name))});
  page.add_shares(table, eps_names(page, part, rows.size()), rows);
  return {table};
}

std::vector<Block> minimal_curve(const Page& page, const ModelView& model, const View& minimal, const std::string& norm,
                                 const std::string& suffix) {
  CurvePlot plot = robust_plot(page, norm);
  plot.title =
      page.words("robustness.minimal_title", {{"model", model.name}, {"data", page.data_name(minimal.at("images"))}});
  plot.y_label = page.words("axis.still_right");
  plot.points = false;
  PlotCurve curve{minimal.at("attack").json().is_string() ? minimal.at("attack").text() : page.words("attack.minimal"),
                  {}};
  for (const auto& point : minimal.at("curve").elements()) {
    curve.points.push_back(curve_point(eps_axis(eps_value(point.at("eps")), norm), point.at("robust_accuracy")));
  }
  if (curve.points.empty()) return {};
  plot.curves.push_back(std::move(curve));
  Text caption = page.say("robustness.minimal");
  if (minimal.at("median")) {
    caption = caption + plain(" ") +
              page.say("robustness.median", {{"median", page.metric(minimal.at("median"), eps_format(norm))}});
  }
  return page.figure("minimal-eps-" + slug(model.name) + suffix, plot_curves(plot),
                     page.words("robustness.minimal_alt", {{"model", model.name}}), caption);
}

std::vector<Block> minimal_eps(const Page& page, const ModelView& model, const View& part, const std::string& suffix) {
  const View minimal = part.at("minimal_eps");
  const std::string norm = norm_of(part);
  if (!minimal) return {};
  auto blocks = minimal_curve(page, model, minimal, norm, suffix);
  Table table{
      page.say("robustness.quantiles"), {{page.say("column.share_of_images")}, {page.say("column.minimal_eps")}}, {}};
  for (const auto& quantile : minimal.at("quantiles").elements()) {
    table.rows.push_back({{page.number(quantile.at("q"), NumberFormat::Percent)},
                          {page.metric(quantile.at("value"), eps_format(norm))}});
  }
  if (!table.rows.empty()) blocks.push_back(table);
  return blocks;
}

std::vector<Block> of_norm(const Page& page, const ModelView& model, const View& part, const std::string& suffix) {
  if (!part.at("eps")) return minimal_eps(page, model, part, suffix);
  auto blocks = curves(page, model, part, suffix);
  blocks.push_back(ladder_table(page, part, "robust_accuracy", "robustness.table"));
  Table balanced = ladder_table(page, part, "balanced", "robustness.balanced");
  balanced.folded = true;
  if (balanced.header.size() > 1) blocks.push_back(balanced);
  add(blocks, answers(page, part));
  add(blocks, minimal_eps(page, model, part, suffix));
  return blocks;
}

std::vector<Block> write(const Page& page) {
  const auto models = page.models("robustness");
  if (models.empty()) return {};
  std::vector<Block> blocks{Paragraph{page.say("robustness.intro")}};
  for (const auto& model : models) {
    add_model(blocks, page, model.name, under_threat(page, model.name, of_norm(page, model, model.view, "")));
    auto in_l2 = of_norm(page, model, model.view.at("l2"), "-l2");
    if (!in_l2.empty()) blocks.push_back(Heading{page.say("robustness.l2", {{"model", plain(model.name)}})});
    add(blocks, std::move(in_l2));
  }
  return blocks;
}

const RegisterTexts texts{
    {"robustness.title", {"Robust accuracy", "Exactitude robuste"}},
    {"robustness.intro",
     {"An image counts as robust when the model classifies it rightly and no attack with a change of at most eps "
      "alters that. All images that the goal concerns are in the denominator, those misclassified from the start too.",
      "Une image est robuste si le modèle la classe bien et qu’aucune attaque d’au plus eps n’y change rien. Toutes "
      "les images que le but concerne sont au dénominateur, celles mal classées d’emblée aussi."}},
    {"robustness.figure_title",
     {"{model}: robust accuracy ({norm}), {data}", "{model} : exactitude robuste ({norm}), {data}"}},
    {"robustness.figure_alt",
     {"Robust accuracy of {model} against eps, one curve per attack",
      "Exactitude robuste de {model} en fonction d’eps, une courbe par attaque"}},
    {"robustness.figure",
     {"One curve per attack, with bands of 95 % intervals; the dashed one takes for each image the attack that "
      "breaks it first.",
      "Une courbe par attaque, avec bandes d’intervalles à 95 % ; la tiretée prend pour chaque image l’attaque qui "
      "la casse en premier."}},
    {"robustness.constant_line", {"always the most frequent answer", "toujours la réponse la plus fréquente"}},
    {"robustness.constant",
     {"The dotted line is what always giving the most frequent answer would score: {constant}. That is robust at any "
      "eps, and no merit.",
      "La ligne pointillée est le score de la réponse la plus fréquente, toujours donnée : {constant}. C’est robuste "
      "à tout eps, et sans mérite."}},
    {"robustness.table", {"Robust accuracy at each eps.", "Exactitude robuste à chaque eps."}},
    {"robustness.balanced",
     {"The same, balanced: the mean over the classes", "La même, équilibrée : moyenne des classes"}},
    {"robustness.answers",
     {"What the model answers under attack (share of each class among its answers)",
      "Ce que le modèle répond sous attaque (part de chaque classe dans ses réponses)"}},
    {"robustness.minimal_title",
     {"{model}: how small a change is enough, {data}", "{model} : quel changement suffit, {data}"}},
    {"robustness.minimal_alt",
     {"Share of images still rightly classified by {model} against the smallest eps that breaks them",
      "Part des images encore bien classées par {model} selon le plus petit eps qui les casse"}},
    {"robustness.minimal",
     {"Distribution of the smallest change that makes each image wrong: the share of images that need more than eps. "
      "The band is the 95 % interval.",
      "Distribution du plus petit changement qui rend chaque image fausse : part des images qui demandent plus "
      "qu’eps. La bande est l’intervalle à 95 %."}},
    {"robustness.median",
     {"Median of the rightly classified images: {median}.", "Médiane des images bien classées : {median}."}},
    {"robustness.quantiles",
     {"How many of the rightly classified images fall to how small a change.",
      "Combien d’images bien classées cèdent à quel changement."}},
    {"robustness.l2", {"{model}, changes measured in L2", "{model}, changements mesurés en L2"}},
    {"attack.all", {"all together", "toutes ensemble"}},
    {"attack.minimal", {"smallest eps", "plus petit eps"}},
    {"axis.still_right", {"images still right (%)", "images encore justes (%)"}},
};

const Register<Section> registered{{"robustness", 30, write}};

}  // namespace

}  // namespace fercli::robustness_section
