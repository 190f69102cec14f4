#include "report/texts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace fercli {

namespace {

const RegisterTexts shared_texts{
    // The page.
    {"report.title", {"Robustness report: {models}", "Rapport de robustesse : {models}"}},
    {"report.subtitle",
     {"{n} images of {data}, {mode}; fercli {version}, revision {revision}. Intervals are 95 % confidence intervals.",
      "{n} images de {data}, {mode} ; fercli {version}, révision {revision}. Les intervalles sont des intervalles de "
      "confiance à 95 %."}},
    {"report.quick", {"quick run", "essai rapide"}},
    {"report.full", {"full run", "essai complet"}},
    {"report.saved", {"from saved results", "résultats enregistrés"}},
    {"report.contents", {"Contents", "Sommaire"}},
    {"report.footer",
     {"Made by fercli. Every number on this page is in report.json beside it.",
      "Produit par fercli. Chaque nombre de cette page figure dans report.json, à côté d’elle."}},

    // A session: what was seen in a video.
    {"session.title", {"Session report: {files}", "Rapport de séance : {files}"}},
    {"session.subtitle",
     {"{seconds} of video, {frames} frames, of which {with_faces} show a face; people numbered: {people}; fercli "
      "{version}, revision {revision}. Frames of one video depend on each other, so shares have no intervals.",
      "{seconds} de vidéo, {frames} images, dont {with_faces} montrent un visage ; personnes numérotées : {people} ; "
      "fercli {version}, révision {revision}. Les images d’une même vidéo dépendent les unes des autres : les parts "
      "n’ont donc pas d’intervalles."}},
    {"session.raw", {"Labels are those of each frame alone.", "Les étiquettes sont celles de chaque image seule."}},
    {"session.smoothed",
     {"Labels are smoothed over time, and uncertain where no class leads.",
      "Les étiquettes sont lissées dans le temps, et incertaines quand aucune classe ne domine."}},
    {"session.mixed",
     {"Labels of some files are smoothed over time, and uncertain where no class leads; those of the others are those "
      "of "
      "each frame alone.",
      "Les étiquettes de certains fichiers sont lissées dans le temps, et incertaines quand aucune classe ne domine ; "
      "celles des autres sont celles de chaque image seule."}},
    {"session.left_out",
     {"The figures show the {shown} people who were seen longest; the tables have all {people}.",
      "Les figures montrent les {shown} personnes vues le plus longtemps ; les tableaux les ont toutes "
      "({people})."}},
    {"session.numbers",
     {"A number is a person as far as the face could be followed: somebody who leaves and comes back, or is seen "
      "behind a cut, has another.",
      "Un numéro est une personne tant que le visage a pu être suivi : qui sort et revient, ou réapparaît après une "
      "coupe, en reçoit un autre."}},
    {"session.timeline", {"Timeline", "Chronologie"}},
    {"session.timeline_of", {"Emotions over time, {file}", "Émotions au fil du temps, {file}"}},
    {"session.timeline_alt",
     {"A row for each person, coloured by the emotion shown", "Une ligne par personne, colorée selon l’émotion"}},
    {"session.shares", {"Shares", "Parts"}},
    {"session.shares_figure", {"Share of the time in sight", "Part du temps visible"}},
    {"session.shares_table",
     {"Share of the time that each person was in sight (%); n: frames with the face",
      "Part du temps où chaque personne est visible (%) ; n : images avec le visage"}},
    {"session.uncertain", {"uncertain", "incertain"}},
    {"session.everybody", {"everybody", "tous"}},
    {"session.transitions", {"Transitions", "Transitions"}},
    {"session.transitions_none",
     {"No face changed its label while it was in sight.",
      "Aucun visage n’a changé d’étiquette tant qu’il était visible."}},
    {"session.transitions_figure",
     {"Changes from one emotion to another, n = {n}", "Passages d’une émotion à une autre, n = {n}"}},
    {"session.transitions_note",
     {"A change counts when the same person shows the two emotions at most {gap} apart; uncertain stretches are "
      "passed over.",
      "Un passage compte quand la même personne montre les deux émotions à {gap} d’écart au plus ; les passages "
      "incertains sont sautés."}},
    {"session.from", {"from", "de"}},
    {"session.to", {"to", "vers"}},
    {"session.people", {"People", "Personnes"}},
    {"session.people_table", {"Each person", "Chaque personne"}},
    {"session.people_note",
     {"Valence and arousal are derived, not measured: the mean of the values of Russell and Mehrabian (1977, Journal "
      "of Research in Personality 11) under the probabilities, neutral being 0, from -1 to 1. The head’s angles are "
      "means, in degrees: clockwise, to the picture’s right edge, downwards.",
      "Valence et activation sont dérivées, non mesurées : moyenne des valeurs de Russell et Mehrabian (1977, "
      "Journal of Research in Personality 11) selon les probabilités, le neutre valant 0, de -1 à 1. Les angles de "
      "la tête sont des moyennes, en degrés : sens horaire, vers le bord droit, vers le bas."}},
    {"session.person", {"Person", "Personne"}},
    {"session.first", {"First seen", "Premier instant"}},
    {"session.last", {"Last seen", "Dernier instant"}},
    {"session.in_sight", {"In sight", "Visible"}},
    {"session.mostly", {"Mostly", "Surtout"}},
    {"session.confidence", {"Mean confidence", "Confiance moyenne"}},
    {"session.changes", {"Changes a minute", "Changements par minute"}},
    {"session.valence", {"Valence (derived)", "Valence (dérivée)"}},
    {"session.arousal", {"Arousal (derived)", "Activation (dérivée)"}},
    {"session.pose", {"Roll / yaw / pitch", "Roulis / lacet / tangage"}},
    {"session.seconds_axis", {"time in the video (s)", "temps dans la vidéo (s)"}},
    {"session.share_axis", {"share of the time in sight (%)", "part du temps visible (%)"}},
    {"session.count", {"changes", "passages"}},
    {"session.n", {"n", "n"}},

    // How attacks differ from any change of any pixel that leaves an 8-bit image.
    {"threat.goal", {"goal {value}", "but {value}"}},
    {"threat.mask", {"only pixels of mask {value}", "seuls les pixels du masque {value}"}},
    {"threat.surrogate", {"made on other networks, {value}", "faites sur d’autres réseaux, {value}"}},
    {"threat.eot", {"along the mean of draws, {value}", "selon la moyenne de tirages, {value}"}},
    {"threat.pixel_grid", {"images not rounded to 8 bits", "images non arrondies à 8 bits"}},

    // Measures that several sections show.
    {"metric.accuracy", {"Accuracy", "Exactitude"}},
    {"metric.balanced_accuracy",
     {"Balanced accuracy (mean over the classes)", "Exactitude équilibrée (moyenne des classes)"}},
    {"metric.ece", {"Calibration error (ECE)", "Erreur de calibration (ECE)"}},
    {"metric.ece_if_calibrated", {"ECE of a calibrated network", "ECE d’un réseau calibré"}},
    {"metric.brier", {"Brier score (0 is best, 2 worst)", "Score de Brier (0 : parfait, 2 : le pire)"}},
    {"metric.nll", {"Negative log-likelihood (nats)", "Log-vraisemblance négative (nats)"}},

    // Heads of columns.
    {"column.measure", {"Measure", "Mesure"}},
    {"column.class", {"Class", "Classe"}},
    {"column.true_class", {"True class", "Classe vraie"}},
    {"column.images", {"Images", "Images"}},
    {"column.share_of_answers", {"Share of answers", "Part des réponses"}},
    {"column.share_of_images", {"Share of the images", "Part des images"}},
    {"column.minimal_eps", {"Smallest eps", "Plus petit eps"}},
    {"column.robust_accuracy", {"Robust accuracy", "Exactitude robuste"}},
    {"column.balanced", {"Balanced", "Équilibrée"}},
    {"column.source", {"From \\ to", "De \\ vers"}},
    {"column.any_target", {"Any of them", "L’une d’elles"}},
    {"column.made_on", {"Made on \\ evaluated on", "Faite sur \\ évaluée sur"}},
    {"column.corruption", {"Corruption", "Dégradation"}},
    {"column.severity", {"Severity {s}", "Gravité {s}"}},
    {"column.mean", {"Mean", "Moyenne"}},
    {"column.mean_of_all", {"Mean of all", "Moyenne de toutes"}},
    {"column.accuracy_smoothed", {"Accuracy when smoothed", "Exactitude lissée"}},
    {"column.abstained", {"Abstentions", "Abstentions"}},
    {"column.average_radius", {"Mean certified radius", "Rayon certifié moyen"}},
    {"column.radius", {"Radius (L2)", "Rayon (L2)"}},
    {"column.certified_accuracy", {"Certified accuracy", "Exactitude certifiée"}},
    {"column.clean", {"Unaltered", "Intactes"}},
    {"column.attacked", {"Attacked", "Attaquées"}},
    {"column.flag", {"Check", "Contrôle"}},
    {"column.raised", {"Outcome", "Issue"}},
    {"column.found", {"Found", "Constat"}},
    {"column.meaning", {"If raised, it means", "S’il échoue, cela signifie"}},
    {"column.invariant", {"Must hold", "Doit être vrai"}},
    {"column.model", {"Model", "Modèle"}},
    {"column.values", {"Values", "Valeurs"}},
    {"column.holds", {"Holds", "Vérifié"}},
    {"column.part", {"Part", "Partie"}},
    {"column.forward", {"Images forward", "Images en avant"}},
    {"column.backward", {"Images backward", "Images en arrière"}},
    {"column.seconds", {"Time", "Durée"}},
    {"column.what", {"What", "Quoi"}},
    {"column.value", {"Value", "Valeur"}},

    // Axes and lines of several sections' figures.
    {"axis.eps_grey",
     {"eps: largest change of a pixel (grey levels of 255, Linf)",
      "eps : plus grand écart d’un pixel (niveaux de gris sur 255, Linf)"}},
    {"axis.eps", {"eps ({norm}, pixels in [0,1])", "eps ({norm}, pixels dans [0,1])"}},
    {"axis.robust_accuracy", {"robust accuracy (%)", "exactitude robuste (%)"}},
    {"axis.confidence", {"confidence of the answer", "confiance de la réponse"}},
    {"axis.accuracy", {"share of right answers", "part de réponses justes"}},
    {"axis.accuracy_percent", {"accuracy (%)", "exactitude (%)"}},
    {"axis.source", {"true emotion", "émotion vraie"}},
    {"axis.success", {"success of the attack (%)", "réussite de l’attaque (%)"}},
    {"clean.diagonal", {"perfect calibration", "calibration parfaite"}},
};

/// French keeps a space before some signs and within « », where no line may end.
std::string with_hard_spaces(std::string text) {
  for (const auto& [soft, hard] : std::vector<std::pair<std::string, std::string>>{{" :", "\u00a0:"},
                                                                                   {" »", "\u00a0»"},
                                                                                   {"« ", "«\u00a0"},
                                                                                   {" ;", "\u202f;"},
                                                                                   {" ?", "\u202f?"},
                                                                                   {" %", "\u202f%"}}) {
    for (size_t place = text.find(soft); place != std::string::npos; place = text.find(soft, place + hard.size())) {
      text.replace(place, soft.size(), hard);
    }
  }
  return text;
}

/// Calls words(text) and place(name) for the pieces of "{n} images", in their order.
template <class OnWords, class OnPlace>
void take_apart(const std::string& text, OnWords words, OnPlace place) {
  size_t begin = 0;
  for (size_t open = text.find('{'); open != std::string::npos; open = text.find('{', begin)) {
    const size_t close = text.find('}', open);
    if (close == std::string::npos) throw std::logic_error(fmt::format("text '{}' has an open place", text));
    if (open > begin) words(text.substr(begin, open - begin));
    place(text.substr(open + 1, close - open - 1));
    begin = close + 1;
  }
  if (begin < text.size()) words(text.substr(begin));
}

/// French writes 0.5 as 0,5. What is no number stays as it is.
std::string in_french(std::string value) {
  const bool number = value.find_first_not_of("+-.0123456789e") == std::string::npos;
  if (number) std::replace(value.begin(), value.end(), '.', ',');
  return value;
}

template <class Value>
const Value& value_for(const std::string& name, const std::vector<std::pair<std::string, Value>>& values) {
  for (const auto& [key, value] : values) {
    if (key == name) return value;
  }
  throw std::logic_error(fmt::format("no value for the place '{}' of a text", name));
}

}  // namespace

std::string text_template(const std::string& key, const std::string& language) {
  const ReportText* text = Registry<ReportText>::instance().find(key);
  if (text == nullptr) throw std::logic_error(fmt::format("no text '{}'", key));
  if (language != "en" && language != "fr") throw std::logic_error(fmt::format("no language '{}'", language));
  return language == "fr" ? with_hard_spaces(text->wording.french) : text->wording.english;
}

std::string words_of(const std::string& key, const std::string& language, const Words& values) {
  std::string result;
  take_apart(
      text_template(key, language), [&](const std::string& words) { result += words; },
      [&](const std::string& name) { result += value_for(name, values); });
  return result;
}

Text phrase_of(const std::string& key, const std::string& language, const Phrases& values) {
  Text result;
  take_apart(
      text_template(key, language), [&](const std::string& words) { result = result + plain(words); },
      [&](const std::string& name) { result = result + value_for(name, values); });
  return result;
}

std::string words_of(const Message& message, const std::string& language) {
  const auto found = message_wordings().find(message.key);
  if (language != "fr" || found == message_wordings().end()) return message.text;
  const std::string french = with_hard_spaces(found->second.french);
  if (places_in(french).size() != message.values.size()) return message.text;
  std::string result;
  auto value = message.values.begin();
  take_apart(
      french, [&](const std::string& words) { result += words; },
      [&](const std::string&) { result += in_french(*value++); });
  return result;
}

bool is_text(const std::string& key) {
  return Registry<ReportText>::instance().find(key) != nullptr;
}

std::vector<std::string> text_keys() {
  return Registry<ReportText>::instance().names();
}

std::vector<std::string> places_in(const std::string& text) {
  std::vector<std::string> places;
  take_apart(
      text, [](const std::string&) {}, [&](const std::string& name) { places.push_back(name); });
  return places;
}

}  // namespace fercli
