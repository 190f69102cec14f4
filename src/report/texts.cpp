#include "report/texts.hpp"

#include <fmt/format.h>

#include <optional>
#include <stdexcept>

#include "record/stored_sentence.hpp"

namespace fercli {

namespace {

const WordingTable& texts() {
  static const WordingTable table{
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

      // Warnings on top.
      {"warnings.violated",
       {"These results contradict each other: at least one is wrong",
        "Ces résultats se contredisent : l’un d’eux au moins est faux"}},
      {"warnings.raised", {"Read this first", "À lire d’abord"}},
      {"warnings.none",
       {"The results agree with each other, and no sanity check gave cause for doubt.",
        "Les résultats concordent, et aucun contrôle n’a éveillé de doute."}},

      // Measures.
      {"metric.accuracy", {"Accuracy", "Exactitude"}},
      {"metric.accuracy_deduplicated",
       {"Accuracy without images that are in the training set",
        "Exactitude sans les images déjà vues à l’entraînement"}},
      {"metric.balanced_accuracy",
       {"Balanced accuracy (mean over the classes)", "Exactitude équilibrée (moyenne des classes)"}},
      {"metric.macro_f1", {"Macro F1", "F1 macro"}},
      {"metric.ece", {"Calibration error (ECE)", "Erreur de calibration (ECE)"}},
      {"metric.ece_if_calibrated", {"ECE of a calibrated network", "ECE d’un réseau calibré"}},
      {"metric.brier", {"Brier score (0 is best, 2 worst)", "Score de Brier (0 : parfait, 2 : le pire)"}},
      {"metric.nll", {"Negative log-likelihood (nats)", "Log-vraisemblance négative (nats)"}},
      {"metric.mean_confidence", {"Mean confidence", "Confiance moyenne"}},
      {"metric.precision", {"Precision", "Précision"}},
      {"metric.recall", {"Recall", "Rappel"}},
      {"metric.f1", {"F1", "F1"}},
      {"attack.all", {"all together", "toutes ensemble"}},
      {"attack.worst", {"the strongest attack on each image", "l’attaque la plus forte sur chaque image"}},
      {"attack.autoattack", {"AutoAttack", "AutoAttack"}},
      {"attack.minimal", {"smallest eps", "plus petit eps"}},

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
      {"column.made_on", {"Made on \\ judged by", "Faite sur \\ jugée par"}},
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

      // Axes.
      {"axis.eps_grey",
       {"eps: largest change of a pixel (grey levels of 255, Linf)",
        "eps : plus grand écart d’un pixel (niveaux de gris sur 255, Linf)"}},
      {"axis.eps", {"eps ({norm}, pixels in [0,1])", "eps ({norm}, pixels dans [0,1])"}},
      {"axis.robust_accuracy", {"robust accuracy (%)", "exactitude robuste (%)"}},
      {"axis.standing", {"images still right (%)", "images encore justes (%)"}},
      {"axis.predicted", {"predicted class", "classe prédite"}},
      {"axis.true", {"true class", "classe vraie"}},
      {"axis.share_of_class", {"share of the true class (%)", "part de la classe vraie (%)"}},
      {"axis.confidence", {"confidence of the answer", "confiance de la réponse"}},
      {"axis.accuracy", {"share of right answers", "part de réponses justes"}},
      {"axis.accuracy_percent", {"accuracy (%)", "exactitude (%)"}},
      {"axis.target", {"target of the attack", "cible de l’attaque"}},
      {"axis.source", {"true emotion", "émotion vraie"}},
      {"axis.success", {"success of the attack (%)", "réussite de l’attaque (%)"}},
      {"axis.median_eps", {"median smallest eps (/255)", "plus petit eps médian (/255)"}},
      {"axis.judged_by", {"judged by", "jugée par"}},
      {"axis.made_on", {"made on", "faite sur"}},
      {"axis.severity", {"severity", "gravité"}},
      {"axis.radius", {"radius (L2, pixels in [0,1])", "rayon (L2, pixels dans [0,1])"}},
      {"axis.certified_accuracy", {"certified accuracy (%)", "exactitude certifiée (%)"}},
      {"axis.epoch", {"epoch", "époque"}},
      {"axis.loss", {"loss (nats)", "perte (nats)"}},

      // Summary.
      {"summary.title", {"Summary", "Résumé"}},
      {"summary.fragile",
       {"{model} is fragile: changes of {eps} are enough to fool it",
        "{model} est fragile : des changements de {eps} suffisent à le tromper"}},
      {"summary.partly",
       {"{model} is partly robust against changes of {eps}",
        "{model} est en partie robuste à des changements de {eps}"}},
      {"summary.robust",
       {"When every pixel may change by at most {eps}, {attack} leaves {robust} of all images rightly classified.",
        "Si chaque pixel peut changer d’au plus {eps}, {attack} laisse {robust} des images bien classées."}},
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
       {"Robust accuracy at {eps}, all attacks together", "Exactitude robuste à {eps}, toutes attaques ensemble"}},
      {"summary.row_autoattack", {"Robust accuracy at {eps}, AutoAttack", "Exactitude robuste à {eps}, AutoAttack"}},
      {"summary.row_constant",
       {"For comparison: always the most frequent answer", "Pour comparer : toujours la réponse la plus fréquente"}},
      {"summary.row_median",
       {"Median smallest change that fools it ({norm})", "Plus petit changement qui le trompe, médiane ({norm})"}},
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

      // Clean.
      {"clean.title", {"Unaltered images", "Images intactes"}},
      {"clean.metrics",
       {"How well each model does without an adversary.", "Ce que vaut chaque modèle sans adversaire."}},
      {"clean.confusion_title", {"{model}: confusion matrix, {data}", "{model} : matrice de confusion, {data}"}},
      {"clean.confusion_alt",
       {"Confusion matrix of {model}: true classes in rows, predicted ones in columns",
        "Matrice de confusion de {model} : classes vraies en lignes, prédites en colonnes"}},
      {"clean.confusion",
       {"What each emotion is taken for. The number in a cell counts images; the colour is their share of the row.",
        "Pour quoi chaque émotion est prise. Le nombre d’une case compte des images ; la couleur est leur part de la "
        "ligne."}},
      {"clean.confusion_table",
       {"The confusion matrix as numbers of images", "La matrice de confusion en nombres d’images"}},
      {"clean.per_class",
       {"Each emotion by itself. Precision: how often the answer is right when given; recall: how many of its images "
        "are found.",
        "Chaque émotion à part. Précision : part de réponses justes parmi celles données ; rappel : part de ses images "
        "retrouvées."}},
      {"clean.reliability_title",
       {"{model}: is its confidence right? {data}", "{model} : sa confiance est-elle juste ? {data}"}},
      {"clean.reliability_alt",
       {"Reliability diagram of {model}: accuracy against confidence",
        "Diagramme de fiabilité de {model} : exactitude selon la confiance"}},
      {"clean.reliability",
       {"On the diagonal, “80 % sure” means right in 80 % of the cases; below it, the model is too sure of itself. "
        "Bars are 95 % intervals. Calibration error {ece}.",
        "Sur la diagonale, « sûr à 80 % » veut dire juste dans 80 % des cas ; en dessous, le modèle est trop sûr de "
        "lui. Les barres sont des intervalles à 95 %. Erreur de calibration {ece}."}},
      {"clean.diagonal", {"perfect calibration", "calibration parfaite"}},
      {"clean.bins", {"measured, with 95 % intervals", "mesurée, avec intervalles à 95 %"}},

      // Robustness.
      {"robustness.title", {"Robust accuracy", "Exactitude robuste"}},
      {"robustness.intro",
       {"An image counts as robust when the model classifies it rightly and no attack with a change of at most eps "
        "alters that. All images are in the denominator, those misclassified from the start too.",
        "Une image est robuste si le modèle la classe bien et qu’aucune attaque d’au plus eps n’y change rien. Toutes "
        "les images sont au dénominateur, celles mal classées d’emblée aussi."}},
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

      // AutoAttack.
      {"autoattack.title", {"AutoAttack", "AutoAttack"}},
      {"autoattack.intro",
       {"The standard cascade of four attacks without parameters to tune, the figure to compare with published ones "
        "(Croce and Hein, ICML 2020). Each attack sees only the images that withstood those before it.",
        "La cascade de référence de quatre attaques sans paramètre à régler, le chiffre à comparer à ceux publiés "
        "(Croce et Hein, ICML 2020). Chaque attaque ne voit que les images qui ont résisté aux précédentes."}},
      {"autoattack.table",
       {"What the cascade leaves, and how many images each of its attacks broke.",
        "Ce que laisse la cascade, et combien d’images chacune de ses attaques a cassées."}},
      {"autoattack.broken", {"Broken by {stage}", "Cassées par {stage}"}},

      // Regions of the face.
      {"regions.title", {"What matters in the face", "Ce qui compte dans le visage"}},
      {"regions.intro",
       {"The same attack, held to one part of the face at a time. Where it succeeds, that part decides what the "
        "network sees. Large parts give the attack more room: compare with their share of the image.",
        "La même attaque, limitée chaque fois à une partie du visage. Là où elle réussit, cette partie décide de ce "
        "que voit le réseau. Une grande partie lui laisse plus de place : comparez avec sa part de l’image."}},
      {"regions.title_figure",
       {"{model}: success of attacks on one part at eps {eps} (%)",
        "{model} : réussite des attaques sur une partie à eps {eps} (%)"}},
      {"regions.alt",
       {"Heat map of {model}: success of attacks on each part of the face, for each emotion",
        "Carte de chaleur de {model} : réussite des attaques sur chaque partie du visage, par émotion"}},
      {"regions.figure",
       {"Share of the rightly classified images of each emotion that are misclassified when only this part may change, "
        "by at most {eps} per pixel.",
        "Part des images bien classées de chaque émotion qui sont mal classées quand seule cette partie peut changer, "
        "d’au plus {eps} par pixel."}},
      {"regions.table",
       {"Success at eps {eps} on each part of the face, with 95 % intervals.",
        "Réussite à eps {eps} sur chaque partie du visage, avec intervalles à 95 %."}},
      {"region.eyes", {"eyes", "yeux"}},
      {"region.brows", {"brows", "sourcils"}},
      {"region.nose", {"nose", "nez"}},
      {"region.mouth", {"mouth", "bouche"}},
      {"region.cheeks", {"cheeks", "joues"}},
      {"region.forehead", {"forehead", "front"}},
      {"region.chin", {"chin", "menton"}},
      {"region.image", {"whole image", "image entière"}},
      {"axis.region", {"part of the face", "partie du visage"}},
      {"column.region", {"Part", "Partie"}},
      {"column.area", {"Share of the image", "Part de l’image"}},

      // Vulnerability map.
      {"vulnerability.title", {"Emotion vulnerability map", "Carte de vulnérabilité des émotions"}},
      {"vulnerability.intro",
       {"Each rightly classified image is driven towards each other emotion in turn. Rows: the true emotion; columns: "
        "the answer that the attacker wants. Happy to sad has a frame.",
        "Chaque image bien classée est poussée tour à tour vers chaque autre émotion. Lignes : l’émotion vraie ; "
        "colonnes : la réponse que veut l’attaquant. De heureux à triste est encadré."}},
      {"vulnerability.success_title",
       {"{model}: targeted success at eps {eps} (%)", "{model} : réussite ciblée à eps {eps} (%)"}},
      {"vulnerability.success_alt",
       {"Heat map of {model}: success of targeted attacks from each emotion to each other",
        "Carte de chaleur de {model} : réussite des attaques ciblées de chaque émotion vers chaque autre"}},
      {"vulnerability.success",
       {"Share of the images of each row that can be turned into the emotion of the column at eps {eps}. Bright is "
        "vulnerable.",
        "Part des images de chaque ligne qui peuvent être changées en l’émotion de la colonne à eps {eps}. Clair : "
        "vulnérable."}},
      {"vulnerability.success_table",
       {"Targeted success at eps {eps}, with 95 % intervals.",
        "Réussite ciblée à eps {eps}, avec intervalles à 95 %."}},
      {"vulnerability.median_title", {"{model}: median smallest eps (/255)", "{model} : plus petit eps médian (/255)"}},
      {"vulnerability.median_alt",
       {"Heat map of {model}: median smallest eps from each emotion to each other",
        "Carte de chaleur de {model} : plus petit eps médian de chaque émotion vers chaque autre"}},
      {"vulnerability.median",
       {"The change that is enough for half of the images, in grey levels of 255. Bright is vulnerable: little is "
        "enough.",
        "Le changement qui suffit à la moitié des images, en niveaux de gris sur 255. Clair : vulnérable, peu "
        "suffit."}},
      {"vulnerability.median_table",
       {"Median smallest eps in grey levels of 255, with 95 % intervals.",
        "Plus petit eps médian en niveaux de gris sur 255, avec intervalles à 95 %."}},

      // Per class.
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
      {"per_class.title", {"Emotion by emotion under attack", "Émotion par émotion sous attaque"}},
      {"per_class.spread",
       {"At eps {eps}, robust accuracy goes from {lowest} ({lowest_class}) to {highest} ({highest_class}).",
        "À eps {eps}, l’exactitude robuste va de {lowest} ({lowest_class}) à {highest} ({highest_class})."}},
      {"per_class.figure_title",
       {"{model}: robust accuracy of each class, {data}", "{model} : exactitude robuste de chaque classe, {data}"}},
      {"per_class.figure_alt",
       {"Robust accuracy of {model} against eps, one curve per emotion",
        "Exactitude robuste de {model} en fonction d’eps, une courbe par émotion"}},
      {"per_class.figure",
       {"Robust accuracy of each emotion under all attacks together; the intervals are in the table.",
        "Exactitude robuste de chaque émotion sous toutes les attaques ensemble ; les intervalles sont dans la "
        "table."}},
      {"per_class.table",
       {"Robust accuracy of each emotion, all attacks together.",
        "Exactitude robuste de chaque émotion, toutes attaques ensemble."}},

      // Gallery.
      {"gallery.title", {"Gallery", "Galerie"}},
      {"gallery.intro",
       {"Before, the change (made visible), and after, as saved in 8 bits and read back.",
        "Avant, le changement (rendu visible), et après, tel qu’enregistré en 8 bits et relu."}},
      {"gallery.original", {"Before:", "Avant :"}},
      {"gallery.perturbation_times",
       {"The change, {factor} times as strong", "Le changement, {factor} fois plus fort"}},
      {"gallery.perturbation", {"The change, made visible", "Le changement, rendu visible"}},
      {"gallery.adversarial", {"After:", "Après :"}},
      {"gallery.original_alt", {"Unaltered face, {label}", "Visage intact, {label}"}},
      {"gallery.perturbation_alt", {"What was added, amplified", "Ce qui a été ajouté, amplifié"}},
      {"gallery.adversarial_alt",
       {"The face after the attack: {label}, taken for {answer}",
        "Le visage après l’attaque : {label}, pris pour {answer}"}},
      {"gallery.caption",
       {"True emotion: {label}; largest change {linf}", "Émotion vraie : {label} ; plus grand écart {linf}"}},

      // Transfer.
      {"transfer.title", {"Transfer between the models", "Transfert entre les modèles"}},
      {"transfer.intro",
       {"Images made on one model, shown to the others: what an attacker achieves who does not know the model.",
        "Images faites sur un modèle, montrées aux autres : ce qu’obtient un attaquant qui ne connaît pas le "
        "modèle."}},
      {"transfer.title_figure",
       {"Success of transferred images at eps {eps}, {data}", "Réussite des images transférées à eps {eps}, {data}"}},
      {"transfer.alt",
       {"Heat map: success of images made on one model and judged by another",
        "Carte de chaleur : réussite des images faites sur un modèle et jugées par un autre"}},
      {"transfer.figure",
       {"Share of the images that fool the model of the column, eps {eps}.",
        "Part des images qui trompent le modèle de la colonne, eps {eps}."}},
      {"transfer.table",
       {"Success of transferred images at eps {eps}.", "Réussite des images transférées à eps {eps}."}},

      // Corruptions.
      {"corruptions.title", {"Common corruptions", "Dégradations courantes"}},
      {"corruptions.intro",
       {"Fifteen kinds of damage that nobody intends, in five severities (Hendrycks and Dietterich, ICLR 2019, adapted "
        "to small grey images).",
        "Quinze sortes de dégâts que personne ne veut, en cinq gravités (Hendrycks et Dietterich, ICLR 2019, adaptées "
        "aux petites images grises)."}},
      {"corruptions.figure_title",
       {"{model}: accuracy under corruptions (%), {data}", "{model} : exactitude sous dégradations (%), {data}"}},
      {"corruptions.alt",
       {"Heat map: accuracy of {model} under each corruption and severity",
        "Carte de chaleur : exactitude de {model} sous chaque dégradation et gravité"}},
      {"corruptions.figure",
       {"Accuracy under each corruption; on the same images unaltered: {clean}. Bright is good.",
        "Exactitude sous chaque dégradation ; sur les mêmes images intactes : {clean}. Clair : bon."}},
      {"corruptions.table",
       {"Accuracy under each corruption and severity.", "Exactitude sous chaque dégradation et gravité."}},
      {"family.noise", {"noise", "bruit"}},
      {"family.blur", {"blur", "flou"}},
      {"family.weather", {"weather", "météo"}},
      {"family.digital", {"digital", "numérique"}},
      {"corruption.gaussian_noise", {"Gaussian noise", "Bruit gaussien"}},
      {"corruption.shot_noise", {"Shot noise", "Bruit de grenaille"}},
      {"corruption.impulse_noise", {"Impulse noise", "Bruit impulsionnel"}},
      {"corruption.defocus_blur", {"Defocus blur", "Défaut de mise au point"}},
      {"corruption.glass_blur", {"Frosted glass", "Verre dépoli"}},
      {"corruption.motion_blur", {"Motion blur", "Flou de bougé"}},
      {"corruption.zoom_blur", {"Zoom blur", "Flou de zoom"}},
      {"corruption.snow", {"Snow", "Neige"}},
      {"corruption.frost", {"Frost", "Givre"}},
      {"corruption.fog", {"Fog", "Brouillard"}},
      {"corruption.brightness", {"Brightness", "Luminosité"}},
      {"corruption.contrast", {"Low contrast", "Faible contraste"}},
      {"corruption.elastic_transform", {"Elastic distortion", "Déformation élastique"}},
      {"corruption.pixelate", {"Pixelation", "Pixellisation"}},
      {"corruption.jpeg_compression", {"JPEG compression", "Compression JPEG"}},

      // Smoothing.
      {"smoothing.title", {"Certified accuracy", "Exactitude certifiée"}},
      {"smoothing.intro",
       {"Attacks show what is lost at most; a certificate proves what is kept. The smoothed model answers what the "
        "network says most often of noisy copies of an image (Cohen, Rosenfeld and Kolter, ICML 2019). It is another "
        "classifier than the one attacked above, and the certificate is about it.",
        "Les attaques montrent ce qui se perd ; un certificat prouve ce qui reste. Le modèle lissé répond ce que le "
        "réseau dit le plus souvent de copies bruitées d’une image (Cohen, Rosenfeld et Kolter, ICML 2019). Ce n’est "
        "pas le classifieur attaqué plus haut, et le certificat porte sur lui."}},
      {"smoothing.figure_title",
       {"{model}: certified accuracy against radius, {data}", "{model} : exactitude certifiée selon le rayon, {data}"}},
      {"smoothing.alt",
       {"Certified accuracy of {model} against the L2 radius, one curve per sigma",
        "Exactitude certifiée de {model} selon le rayon L2, une courbe par sigma"}},
      {"smoothing.figure",
       {"Share of {images} images that are proved right up to the radius; {n0} draws choose the class, {n} certify it, "
        "and a certificate is wrong with a probability of at most {alpha}. Bands are 95 % intervals over the images.",
        "Part de {images} images prouvées justes jusqu’au rayon ; {n0} tirages choisissent la classe, {n} la "
        "certifient, et un certificat est faux avec une probabilité d’au plus {alpha}. Bandes : intervalles à 95 % sur "
        "les images."}},
      {"smoothing.table",
       {"The smoothed model at each strength of the noise (sigma, pixels in [0,1]).",
        "Le modèle lissé à chaque force du bruit (sigma, pixels dans [0,1])."}},
      {"smoothing.radii",
       {"Certified accuracy at each radius, sigma {sigma}", "Exactitude certifiée à chaque rayon, sigma {sigma}"}},

      // Calibration under attack.
      {"calibration_under_attack.title", {"Confidence under attack", "Confiance sous attaque"}},
      {"calibration_under_attack.intro",
       {"A model that is fooled should at least be unsure. This is how sure it is.",
        "Un modèle trompé devrait au moins hésiter. Voici combien il est sûr de lui."}},
      {"calibration_under_attack.table",
       {"Unaltered and attacked images compared.", "Images intactes et attaquées comparées."}},
      {"calibration_under_attack.figure_title",
       {"{model}: confidence under attack, {data}", "{model} : confiance sous attaque, {data}"}},
      {"calibration_under_attack.alt",
       {"Reliability diagram of {model}, unaltered and attacked images",
        "Diagramme de fiabilité de {model}, images intactes et attaquées"}},
      {"calibration_under_attack.figure",
       {"Share of right answers against confidence, at eps {eps}. Bars are 95 % intervals.",
        "Part de réponses justes selon la confiance, à eps {eps}. Barres : intervalles à 95 %."}},

      // Sanity.
      {"sanity.title", {"Can the evaluation be trusted?", "Peut-on se fier à l’évaluation ?"}},
      {"sanity.intro",
       {"Attacks can fail for reasons that have nothing to do with robustness. These checks look for the known ones.",
        "Une attaque peut échouer pour des raisons étrangères à la robustesse. Ces contrôles cherchent celles que l’on "
        "connaît."}},
      {"sanity.table", {"Sanity checks.", "Contrôles."}},
      {"sanity.raised", {"raised", "échoué"}},
      {"sanity.fine", {"fine", "réussi"}},
      {"sanity.invariants_intro",
       {"On the same images, AutoAttack leaves no more than PGD, PGD no more than FGSM, FGSM no more than there was to "
        "begin with, and more eps never helps. What is certified should not exceed what AutoAttack leaves either; but "
        "it is certified of the smoothed model, another classifier, so that this rule can fail without a mistake.",
        "Sur les mêmes images, AutoAttack ne laisse pas plus que PGD, PGD pas plus que FGSM, FGSM pas plus qu’au "
        "départ, et plus d’eps n’aide jamais. Le certifié ne devrait pas non plus dépasser ce que laisse AutoAttack ; "
        "mais il porte sur le modèle lissé, un autre classifieur, si bien que cette règle peut manquer sans erreur."}},
      {"sanity.invariants", {"Invariants.", "Invariants."}},
      {"sanity.holds", {"yes", "oui"}},
      {"sanity.violated", {"NO", "NON"}},

      // Cost, training, provenance.
      {"robustness.l2.title", {"Robust accuracy in L2", "Exactitude robuste en L2"}},
      {"robustness.minimal_eps.title", {"Smallest eps", "Plus petit eps"}},
      {"cost.title", {"Cost", "Coût"}},
      {"cost.table",
       {"Images through the network, and time on the machine named below.",
        "Images passées dans le réseau, et durée sur la machine nommée plus bas."}},
      {"learning_curves.title", {"Training", "Entraînement"}},
      {"learning_curves.accuracy_percent_title",
       {"{model}: accuracy during training", "{model} : exactitude pendant l’entraînement"}},
      {"learning_curves.accuracy_percent", {"Accuracy after each epoch.", "Exactitude après chaque époque."}},
      {"learning_curves.loss_title", {"{model}: loss during training", "{model} : perte pendant l’entraînement"}},
      {"learning_curves.loss", {"Loss after each epoch.", "Perte après chaque époque."}},
      {"learning_curves.table", {"Each epoch in numbers", "Chaque époque en chiffres"}},
      {"learning_curves.head.train_loss", {"Training loss", "Perte, entraînement"}},
      {"learning_curves.head.validation_loss", {"Validation loss", "Perte, validation"}},
      {"learning_curves.head.train_accuracy", {"Training accuracy", "Exactitude, entraînement"}},
      {"learning_curves.head.validation_accuracy", {"Validation accuracy", "Exactitude, validation"}},
      {"learning_curves.head.robust_accuracy", {"Robust accuracy", "Exactitude robuste"}},
      {"learning_curves.alt", {"Learning curves of {model}", "Courbes d’apprentissage de {model}"}},
      {"learning_curves.train_accuracy", {"training", "entraînement"}},
      {"learning_curves.validation_accuracy", {"validation", "validation"}},
      {"learning_curves.robust_accuracy", {"robust, validation", "robuste, validation"}},
      {"learning_curves.train_loss", {"training", "entraînement"}},
      {"learning_curves.validation_loss", {"validation", "validation"}},
      {"provenance.title", {"Provenance", "Provenance"}},
      {"provenance.run", {"This run and its images.", "Cet essai et ses images."}},
      {"provenance.models", {"The models.", "Les modèles."}},
      {"provenance.options", {"Options of the run", "Options de l’essai"}},
      {"provenance.environment", {"Machine and libraries", "Machine et bibliothèques"}},
  };
  return table;
}

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

/// What stands at each place of the form; none: the text is not of that form.
std::optional<std::vector<std::string>> values_in(const std::string& text, const std::string& form) {
  std::vector<std::string> between{""}, values;
  take_apart(
      form, [&](const std::string& words) { between.back() = words; },
      [&](const std::string&) { between.emplace_back(); });
  size_t place = 0;
  for (size_t i = 0; i < between.size(); ++i) {
    const bool last = i > 0 && i + 1 == between.size();
    const size_t found = i == 0 ? 0 : last ? text.size() - between[i].size() : text.find(between[i], place);
    if (found < place || found > text.size() || text.compare(found, between[i].size(), between[i]) != 0) return {};
    if (i > 0) values.push_back(text.substr(place, found - place));
    place = found + between[i].size();
  }
  if (place != text.size()) return {};
  return values;
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
  const auto place = texts().find(key);
  if (place == texts().end()) throw std::logic_error(fmt::format("no text '{}'", key));
  if (language != "en" && language != "fr") throw std::logic_error(fmt::format("no language '{}'", language));
  return language == "fr" ? with_hard_spaces(place->second.french) : place->second.english;
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

std::string translate(const std::string& english, const std::string& language) {
  if (language != "fr") return english;
  for (const auto& [key, wording] : stored_sentences()) {
    const auto values = values_in(english, wording.english);
    if (!values) continue;
    std::string result;
    auto next = values->begin();
    take_apart(
        with_hard_spaces(wording.french), [&](const std::string& words) { result += words; },
        [&](const std::string&) { result += *next++; });
    return result;
  }
  return english;
}

bool is_text(const std::string& key) {
  return texts().count(key) > 0;
}

std::vector<std::string> text_keys() {
  std::vector<std::string> keys;
  for (const auto& [key, unused] : texts()) keys.push_back(key);
  return keys;
}

std::vector<std::string> places_in(const std::string& text) {
  std::vector<std::string> places;
  take_apart(
      text, [](const std::string&) {}, [&](const std::string& name) { places.push_back(name); });
  return places;
}

}  // namespace fercli
