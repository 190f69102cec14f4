#include "record/message.hpp"

namespace fercli {

const std::map<std::string, Wording>& message_wordings() {
  static const std::map<std::string, Wording> table{
      // Checks of an evaluation: what was found, and what it means.
      {"randomized-output.found",
       {"five passes over the same images differ by up to {} (normalised logits)",
        "cinq passages des mêmes images diffèrent d’au plus {} (logits normalisés)"}},
      {"randomized-output.meaning",
       {"the network answers at random: one run of an attack says little, and gradients must be averaged over draws, "
        "as --eot 20 does",
        "le réseau répond au hasard : un seul essai d’une attaque dit peu, et les gradients doivent être moyennés, "
        "comme le fait --eot 20"}},
      {"softmax-output.found", {"outputs lie in [{}, {}]", "les sorties sont dans [{} ; {}]"}},
      {"softmax-output.found-raised",
       {"outputs lie in [{}, {}] and sum to 1", "les sorties sont dans [{} ; {}] et leur somme est 1"}},
      {"softmax-output.meaning",
       {"the outputs are probabilities, not logits: losses saturate and attacks look weaker than they are; follow a "
        "loss that does not depend on their scale, as apgd-dlr does",
        "les sorties sont des probabilités, non des logits : les pertes saturent et les attaques paraissent plus "
        "faibles ; suivre une perte indépendante de leur échelle, comme le fait apgd-dlr"}},
      {"zero-gradients.found", {"the gradient is zero at {} of {} images", "le gradient est nul en {} images sur {}"}},
      {"zero-gradients.found-saturated",
       {"the gradient is zero at {} of {} images, that of the float32 cross-entropy at {} (logits up to {})",
        "le gradient est nul en {} images sur {}, celui de l’entropie croisée en float32 en {} (logits jusqu’à {})"}},
      {"zero-gradients.meaning",
       {"gradients are masked (quantisation, saturation, a step that cannot be differentiated): white-box attacks are "
        "blind there, trust the black-box ones more, which need no gradient: square, spsa, hopskipjump",
        "les gradients sont masqués (quantification, saturation, étape non dérivable) : les attaques boîte blanche y "
        "sont aveugles, se fier plutôt à celles en boîte noire, qui se passent de gradient : square, spsa, "
        "hopskipjump"}},
      {"zero-gradients.meaning-saturated",
       {"the logits are so large that the softmax is 0 or 1: attacks of other libraries that follow the cross-entropy "
        "are blind there; these follow the odds, which do not saturate, and apgd-dlr a loss that does not depend on "
        "the scale",
        "les logits sont si grands que le softmax vaut 0 ou 1 : les attaques d’autres bibliothèques qui suivent "
        "l’entropie croisée y sont aveugles ; celles-ci suivent les rapports de probabilités, qui ne saturent pas, et "
        "apgd-dlr une perte indépendante de l’échelle"}},
      {"unbounded-eps.found",
       {"{} of {} images survive PGD that may change every pixel at will",
        "{} images sur {} survivent à PGD libre de changer chaque pixel à volonté"}},
      {"unbounded-eps.meaning",
       {"nothing can be robust at eps 1: the attacks fail for another reason (masked gradients, or a network that "
        "gives one answer to everything)",
        "rien ne peut être robuste à eps 1 : les attaques échouent pour une autre raison (gradients masqués, ou réseau "
        "qui répond toujours la même chose)"}},
      {"eot-changes-verdict.not-asked",
       {"not asked: the network answers the same each time", "sans objet : le réseau répond toujours de même"}},
      {"eot-changes-verdict.found",
       {"PGD breaks {} of {} images along single draws, {} along the mean of {}",
        "PGD casse {} images sur {} le long de tirages uniques, {} le long de la moyenne de {}"}},
      {"eot-changes-verdict.meaning",
       {"the gradient of a single draw misleads: robust accuracy without --eot is too high",
        "le gradient d’un seul tirage égare : l’exactitude robuste sans --eot est trop haute"}},
      {"loss-not-rising.found",
       {"mean loss {} in the first quarter of PGD's steps, {} in the last",
        "perte moyenne {} dans le premier quart des pas de PGD, {} dans le dernier"}},
      {"loss-not-rising.meaning",
       {"following the gradient does not raise the loss: the gradients mislead, and white-box figures are too high",
        "suivre le gradient n’augmente pas la perte : les gradients égarent, et les chiffres boîte blanche sont trop "
        "hauts"}},
      {"square-after-white-box.not-asked", {"no cascade was run", "aucune cascade n’a été lancée"}},
      {"square-after-white-box.found",
       {"Square broke {} of {} images after the white-box attacks",
        "Square a cassé {} images sur {} après les attaques boîte blanche"}},
      {"square-after-white-box.meaning",
       {"a black-box attack finds what the gradients do not: they are masked, and the true robust accuracy is lower "
        "still",
        "une attaque boîte noire trouve ce que les gradients ne voient pas : ils sont masqués, et l’exactitude robuste "
        "vraie est plus basse encore"}},
      {"compared.not-asked", {"not both kinds of attack were run", "les deux sortes d’attaques n’ont pas été lancées"}},
      {"compared.no", {"no", "non"}},
      {"compared.found",
       {"robust accuracy {} % against {} % at eps {}", "exactitude robuste {} % contre {} % à eps {}"}},
      {"black-box-beats-white-box.meaning",
       {"attacks that see less break more: the gradients are masked, and white-box figures are too high",
        "des attaques qui voient moins cassent plus : les gradients sont masqués, et les chiffres boîte blanche sont "
        "trop hauts"}},
      {"single-step-beats-iterated.meaning",
       {"one step breaks more than many: the network was fitted to single steps, or the step size is wrong",
        "un pas casse plus que plusieurs : le réseau a été ajusté à des pas uniques, ou la taille du pas est "
        "mauvaise"}},
      {"too-many-targets.found",
       {"{} target classes asked for, {} wrong classes", "{} classes cibles demandées, {} classes fausses"}},
      {"too-many-targets.meaning",
       {"only as many targets as there are wrong classes were tried",
        "seules autant de cibles que de classes fausses ont été essayées"}},
      // Why a violated invariant need not be a mistake.
      {"invariants.certified",
       {"a certificate is about the smoothed network, which answers differently from the network that the attacks "
        "fool, so this one may fail without a mistake in either; both figures are shown as measured",
        "un certificat porte sur le réseau lissé, qui répond autrement que celui que les attaques trompent : cette "
        "règle peut donc manquer sans que l’un ou l’autre soit faux ; les deux chiffres sont montrés tels que "
        "mesurés"}},
      // Warnings about the images.
      {"training-images",
       {"{} of the {} images are Training images, which the networks may have learnt by heart",
        "{} des {} images sont d’entraînement : les réseaux ont pu les apprendre par cœur"}},
      {"no-training-images",
       {"the data set has no Training images, so copies of them could not be left out",
        "le jeu n’a pas d’images d’entraînement : leurs copies n’ont pu être écartées"}},
      // Warnings about reports that were joined.
      {"transfer-left-out",
       {"the transfer between {} is left out: a report of several files shows that of the first which has one",
        "le transfert entre {} est omis : un rapport de plusieurs fichiers montre celui du premier qui en a un"}},
  };
  return table;
}

std::vector<Warning> plain_warnings(const std::vector<std::string>& lines, const std::string& model) {
  std::vector<Warning> warnings;
  for (const auto& line : lines) warnings.push_back({model, {"", {}, line}});
  return warnings;
}

}  // namespace fercli
