// The verdict in plain words, and the figures that it rests on.
#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "report/robust_view.hpp"
#include "report/section.hpp"

namespace fercli::summary_section {

namespace {

constexpr double kFragile = 0.25, kRobust = 0.8;                    ///< shares of clean accuracy that stay
constexpr double kWellCalibrated = 0.03, kRoughlyCalibrated = 0.1;  ///< expected calibration error

/// "Fragile", "Partly robust" or "Robust", and why.
const char* rating(const View& clean, const View& robust, const View& constant) {
  const double left = value_of(robust), before = value_of(clean);
  const bool no_better_than_constant = constant && left <= value_of(constant);
  if (left < kFragile * before || no_better_than_constant) return "summary.fragile";
  return left < kRobust * before ? "summary.partly" : "summary.robust_title";
}

Text clean_sentence(const Page& page, const std::string& model) {
  const View metrics = page.part("clean").at(model).at("metrics");
  if (!metrics.at("accuracy")) return {};
  return page.say("summary.clean",
                  {{"model", strong(plain(model))}, {"accuracy", page.metric(metrics.at("accuracy"))}});
}

/// "fgsm, pgd": those of the grid.
Text attacks_of(const Page& page, const std::string& model) {
  Text names;
  for (const auto& attack : page.part("robustness").at(model).at("attacks").elements())
    names = names + plain(names.empty() ? "" : ", ") + page.text(attack.at("name"));
  return names;
}

Text robust_sentence(const Page& page, const std::string& model) {
  const RobustPoint point = reference_point(page, model);
  if (!point.accuracy) return {};
  const char* change = point.norm == "Linf" ? "summary.robust"
                       : point.norm == "L0" ? "summary.robust_count"
                                            : "summary.robust_total";
  Text text =
      page.say(change, {{"eps", page.text(point.eps)},
                        {"norm", plain(point.norm)},
                        {"attack", point.autoattack ? page.say("attack.autoattack")
                                                    : page.say("attack.worst", {{"attacks", attacks_of(page, model)}})},
                        {"threat", threat_words(page, model)},
                        {"robust", page.metric(point.accuracy)}});
  const View constant = page.part("robustness").at(model).at("constant_answer");
  if (constant && value_of(point.accuracy) <= value_of(constant)) {
    text = text + plain(" ") + page.say("summary.constant", {{"constant", page.metric(constant)}});
  }
  return text;
}

Text median_sentence(const Page& page, const std::string& model) {
  const View median = page.part("robustness").at(model).at("minimal_eps").at("median");
  if (!median || std::isnan(value_of(median))) return {};
  return page.say("summary.median",
                  {{"median", page.metric(median, eps_format(norm_of(page.part("robustness").at(model))))}});
}

/// What robust accuracy is at most: a class of few images is not the weakest by chance.
double at_most(const View& metric) {
  const View interval = metric.json().is_object() ? metric.at("interval") : View();
  return interval ? interval.at(1).number() : value_of(metric);
}

Text weakest_sentence(const Page& page, const std::string& model) {
  const RobustPoint point = worst_point(page, model);
  View weakest;
  for (const auto& entry : page.part("robustness").at(model).at("per_class").elements()) {
    const View accuracy = entry.at("robust").at(point.budget);
    if (std::isnan(value_of(accuracy))) continue;
    if (!weakest || at_most(accuracy) < at_most(weakest.at("robust").at(point.budget))) weakest = entry;
  }
  if (!weakest) return {};
  return page.say("summary.weakest", {{"class", page.class_name(weakest.at("class"))},
                                      {"eps", page.text(point.eps)},
                                      {"robust", page.metric(weakest.at("robust").at(point.budget))}});
}

Text happy_to_sad_sentence(const Page& page, const std::string& model) {
  const View map = page.part("vulnerability").at(model);
  const auto cell = happy_to_sad(page.class_list(map));
  if (!map || !cell || !map.at("success").at(cell->first).at(cell->second)) return {};
  return page.say("summary.happy_to_sad",
                  {{"eps", page.text(map.at("eps"))},
                   {"success", page.metric(map.at("success").at(cell->first).at(cell->second))}});
}

Text corruption_sentence(const Page& page, const std::string& model) {
  const View mean = page.part("corruptions").at(model).at("mean");
  return mean ? page.say("summary.corruptions", {{"mean", page.metric(mean)}}) : Text{};
}

Text certified_sentence(const Page& page, const std::string& model) {
  const CertifiedPoint point = certified_point(page, model);
  if (!point.accuracy) return {};
  return page.say("summary.certified", {{"sigma", page.number(point.sigma, NumberFormat::Short)},
                                        {"radius", page.number(point.radius, NumberFormat::Short)},
                                        {"accuracy", page.metric(point.accuracy)}});
}

Text calibration_sentence(const Page& page, const std::string& model) {
  const View ece = page.part("clean").at(model).at("metrics").at("ece");
  if (!ece) return {};
  const double error = value_of(ece);
  const char* word = error <= kWellCalibrated      ? "summary.well_calibrated"
                     : error <= kRoughlyCalibrated ? "summary.roughly_calibrated"
                                                   : "summary.badly_calibrated";
  return page.say(word, {{"ece", page.metric(ece)}});
}

Callout verdict(const Page& page, const std::string& model) {
  const View clean = page.part("clean").at(model).at("metrics").at("accuracy");
  const RobustPoint point = reference_point(page, model);
  Text title = plain(model);
  if (clean && point.accuracy && threat_words(page, model).empty()) {
    title = page.say(rating(clean, point.accuracy, page.part("robustness").at(model).at("constant_answer")),
                     {{"model", plain(model)}, {"eps", bound_of(page, point.norm, point.eps)}});
  }
  Callout callout{Callout::Kind::Verdict, title, {}};
  for (const auto& sentence : {clean_sentence, robust_sentence, median_sentence, weakest_sentence,
                               happy_to_sad_sentence, corruption_sentence, certified_sentence, calibration_sentence}) {
    if (Text text = sentence(page, model); !text.empty()) callout.lines.push_back(std::move(text));
  }
  return callout;
}

/// A row of the table of key figures.
struct Row {
  Text name;
  NumberFormat format = NumberFormat::Percent;
  std::vector<View> values = {};  ///< of each model
};

/// What one model has of a figure, and how it is called there.
struct Found {
  View value;
  Row row;
};

/// Models share a row where the figure is called the same: at the same eps, in the same norm, under the same attacks.
void add_rows(std::vector<Row>& rows, const std::vector<std::string>& models,
              const std::function<Found(const std::string&)>& find) {
  const size_t before = rows.size();
  for (size_t i = 0; i < models.size(); ++i) {
    Found found = find(models[i]);
    if (!found.value) continue;
    const auto same = [&](const Row& row) { return characters(row.name) == characters(found.row.name); };
    auto row = std::find_if(rows.begin() + static_cast<std::ptrdiff_t>(before), rows.end(), same);
    if (row == rows.end()) {
      found.row.values.resize(models.size());
      row = rows.insert(row, std::move(found.row));
    }
    row->values[i] = found.value;
  }
}

std::vector<Row> key_figures(const Page& page) {
  std::vector<Row> rows;
  const auto add = [&](const auto& find) { add_rows(rows, page.model_names(), find); };
  for (const char* metric : {"accuracy", "balanced_accuracy", "ece"}) {
    add([&](const std::string& model) -> Found {
      return {page.part("clean").at(model).at("metrics").at(metric), {page.say(std::string("metric.") + metric)}};
    });
  }
  add([&](const std::string& model) -> Found {
    const RobustPoint point = worst_point(page, model);
    return {point.accuracy,
            {page.say("summary.row_worst", {{"eps", bound_of(page, point.norm, point.eps)},
                                            {"attacks", attacks_of(page, model)},
                                            {"threat", threat_words(page, model)}})}};
  });
  add([&](const std::string& model) -> Found {
    const RobustPoint point = autoattack_point(page, model);
    return {point.accuracy, {page.say("summary.row_autoattack", {{"eps", bound_of(page, point.norm, point.eps)}})}};
  });
  add([&](const std::string& model) -> Found {
    return {page.part("robustness").at(model).at("constant_answer"), {page.say("summary.row_constant")}};
  });
  add([&](const std::string& model) -> Found {
    const View part = page.part("robustness").at(model), minimal = part.at("minimal_eps");
    const std::string norm = norm_of(part);
    return {minimal.at("median"),
            {page.say("summary.row_median", {{"norm", plain(norm)},
                                             {"attack", page.text(minimal.at("attack"))},
                                             {"threat", threat_words(page, model)}}),
             eps_format(norm)}};
  });
  add([&](const std::string& model) -> Found {
    return {page.part("corruptions").at(model).at("mean"), {page.say("summary.row_corruptions")}};
  });
  add([&](const std::string& model) -> Found {
    const CertifiedPoint point = certified_point(page, model);
    return {point.accuracy,
            {page.say("summary.row_certified", {{"radius", page.number(point.radius, NumberFormat::Short)}})}};
  });
  return rows;
}

std::vector<Block> key_table(const Page& page) {
  Table table{page.say("summary.table"), {{page.say("column.measure")}}, {}};
  for (const auto& model : page.model_names()) table.header.push_back({plain(model)});
  for (const auto& row : key_figures(page)) {
    std::vector<Cell> cells{{row.name}};
    for (const auto& value : row.values) cells.push_back({page.metric(value, row.format)});
    table.rows.push_back(std::move(cells));
  }
  if (table.rows.empty()) return {};
  return {table};
}

/// The curves of models in one norm, which share their axis.
std::vector<Block> comparison_in(const Page& page, const std::string& norm, const std::vector<ModelView>& models) {
  if (models.size() < 2) return {};
  CurvePlot plot = robust_plot(page, norm);
  plot.title = page.words("summary.figure_title", {{"data", page.data_name(models.front().view.at("n"))}});
  for (const auto& [name, view] : models) {
    plot.curves.push_back(robust_curve(page, name, view, view.at("worst").at("robust_accuracy"),
                                       name + characters(threat_words(page, name))));
  }
  plot.x_tics = eps_tics(models.front().view.at("eps"), norm);
  return page.figure("models-robust-accuracy", plot_curves(plot), page.words("summary.figure_alt"),
                     page.say("summary.figure"));
}

std::vector<Block> comparison(const Page& page) {
  std::map<std::string, std::vector<ModelView>> by_norm;
  for (const auto& model : page.models("robustness")) {
    if (model.view.at("worst").at("robust_accuracy")) by_norm[norm_of(model.view)].push_back(model);  // a grid was run
  }
  std::vector<Block> blocks;
  for (const auto& [norm, models] : by_norm) add(blocks, comparison_in(page, norm, models));
  return blocks;
}

std::vector<Block> write(const Page& page) {
  std::vector<Block> blocks;
  for (const auto& model : page.model_names()) blocks.push_back(verdict(page, model));
  add(blocks, key_table(page));
  add(blocks, comparison(page));
  return blocks;
}

const RegisterTexts texts{
    {"summary.title", {"Summary", "Résumé"}},
    {"summary.fragile",
     {"{model} is fragile: changes of {eps} are enough to fool it",
      "{model} est fragile : des changements de {eps} suffisent à le tromper"}},
    {"summary.partly",
     {"{model} is partly robust against changes of {eps}", "{model} est en partie robuste à des changements de {eps}"}},
    {"summary.robust",
     {"When every pixel may change by at most {eps}, {attack}{threat} leaves {robust} of the images rightly "
      "classified.",
      "Si chaque pixel peut changer d’au plus {eps}, {attack}{threat} laisse {robust} des images bien classées."}},
    {"summary.robust_total",
     {"When all changes together may measure at most {eps} in {norm}, {attack}{threat} leaves {robust} of the images "
      "rightly classified.",
      "Si tous les changements ensemble peuvent mesurer au plus {eps} en {norm}, {attack}{threat} laisse {robust} des "
      "images bien classées."}},
    {"summary.robust_count",
     {"When at most {eps} values of an image, pixel by channel, may change at will, {attack}{threat} leaves {robust} "
      "of "
      "the images rightly classified.",
      "Si au plus {eps} valeurs d’une image, pixel par canal, peuvent changer à volonté, {attack}{threat} laisse "
      "{robust} des images bien classées."}},
    {"summary.robust_title",
     {"{model} is largely robust against changes of {eps}",
      "{model} est largement robuste à des changements de {eps}"}},
    {"summary.clean",
     {"{model} recognises {accuracy} of unaltered images.", "{model} reconnaît {accuracy} des images intactes."}},
    {"summary.constant",
     {"A program that always gives the most frequent answer would be right on {constant}.",
      "Un programme qui donnerait toujours la réponse la plus fréquente aurait raison sur {constant}."}},
    {"summary.median",
     {"Half of the images that it recognises fall to a change of {median} or less.",
      "La moitié des images qu’il reconnaît cèdent à un changement de {median} ou moins."}},
    {"summary.weakest",
     {"Hardest hit is {class}: {robust} left at {eps}.",
      "La classe la plus touchée est « {class} » : il reste {robust} à {eps}."}},
    {"summary.happy_to_sad",
     {"Happy faces can be made to look sad to it in {success} of the cases at {eps}.",
      "Des visages heureux lui paraissent tristes dans {success} des cas à {eps}."}},
    {"summary.corruptions",
     {"Under common corruptions (noise, blur, weather, compression) it keeps {mean} on average.",
      "Sous des dégradations courantes (bruit, flou, météo, compression), il garde {mean} en moyenne."}},
    {"summary.certified",
     {"With randomised smoothing (sigma {sigma}), {accuracy} are proved right whatever the change up to radius "
      "{radius} in L2.",
      "Avec le lissage aléatoire (sigma {sigma}), {accuracy} sont prouvées justes quel que soit le changement "
      "jusqu’au rayon {radius} en L2."}},
    {"summary.well_calibrated",
     {"Its confidence can be believed: it is off by {ece} on average.",
      "Sa confiance est fiable : elle s’écarte de {ece} en moyenne."}},
    {"summary.roughly_calibrated",
     {"Its confidence is a rough guide: it is off by {ece} on average.",
      "Sa confiance n’est qu’un repère : elle s’écarte de {ece} en moyenne."}},
    {"summary.badly_calibrated",
     {"Its confidence misleads: it is off by {ece} on average.",
      "Sa confiance trompe : elle s’écarte de {ece} en moyenne."}},
    {"summary.table",
     {"Key figures, each with its 95 % interval and the number of images.",
      "Chiffres clés, chacun avec son intervalle à 95 % et le nombre d’images."}},
    {"summary.row_worst",
     {"Robust accuracy at {eps}, all attacks together: {attacks}{threat}",
      "Exactitude robuste à {eps}, toutes attaques ensemble : {attacks}{threat}"}},
    {"summary.row_autoattack", {"Robust accuracy at {eps}, AutoAttack", "Exactitude robuste à {eps}, AutoAttack"}},
    {"summary.row_constant",
     {"For comparison: always the most frequent answer", "Pour comparer : toujours la réponse la plus fréquente"}},
    {"summary.row_median",
     {"Median smallest change that fools it ({norm}, {attack}){threat}",
      "Plus petit changement qui le trompe, médiane ({norm}, {attack}){threat}"}},
    {"summary.row_corruptions",
     {"Accuracy under common corruptions, mean", "Exactitude sous dégradations courantes, moyenne"}},
    {"summary.row_certified",
     {"Certified accuracy of the smoothed model at radius {radius} (L2)",
      "Exactitude certifiée du modèle lissé au rayon {radius} (L2)"}},
    {"summary.figure_title", {"All attacks together, {data}", "Toutes les attaques ensemble, {data}"}},
    {"summary.figure_alt",
     {"Robust accuracy of each model against eps", "Exactitude robuste de chaque modèle en fonction d’eps"}},
    {"summary.figure",
     {"Robust accuracy of the models under all attacks together. Bands are 95 % intervals.",
      "Exactitude robuste des modèles sous toutes les attaques ensemble. Les bandes sont des intervalles à 95 %."}},
    {"attack.worst",
     {"the strongest attack on each image ({attacks})", "l’attaque la plus forte sur chaque image ({attacks})"}},
    {"attack.autoattack", {"AutoAttack", "AutoAttack"}},
};

const Register<Section> registered{{"summary", 10, write}};

}  // namespace

}  // namespace fercli::summary_section
