#pragma once

#include "eval/ladder_figures.hpp"
#include "eval/result.hpp"

namespace fercli {

/// Adds what was found to the result of the clean evaluation on the same data set. For each ATTACK, and for "worst",
/// all of them together, and each EPS as it was written:
///
/// metrics  robust_accuracy.ATTACK.EPS           share of all images that are classified rightly and keep their class
///          balanced_robust_accuracy.ATTACK.EPS  the mean of that share over the classes
///          attack_success.ATTACK.EPS            share of the rightly classified images that reach the goal
///          median_minimal_eps.ATTACK            minimum-norm attacks: over the rightly classified images
///          constant_answer_accuracy             always giving the most frequent answer
/// parts    robustness: see LadderFigures, which is returned too
/// outcomes of the attacks, beside those of the clean evaluation
/// tables   stages and, of two or more minimum-norm attacks, optimality: see explanation.hpp
/// per_image (where the goal concerns the image)  answers: per attack, the class at each eps of the grid; distance
///          and stage: per attack, of the adversarial image; null where there is none
/// timing   seconds.ATTACK.EPS
///
/// Also attacks and threat_model, with the digests of mask and surrogate where there are any.
LadderFigures add_robustness(Result& result, const LadderRun& run, const LabelSet& classes);

/// What it stored in `parts`; nothing where the result is not about attacks. Throws JSON's exceptions where it is
/// damaged.
std::optional<LadderFigures> robustness_of(const Result& result);

Restrictions restrictions_of(const nlohmann::json& threat_model);

/// As they are shown, in this order: {"goal", "any-to-sad"}, {"mask", "0a1b2c3d"}, {"surrogate",
/// "0a1b2c3d+1b2c3d4e:logits"}, {"eot", "20 camera"}, {"pixel_grid", ""}. Seeds are left out.
std::vector<std::pair<std::string, std::string>> describe_restrictions(const Restrictions& restrictions);

/// " any-to-sad mask 0a1b2c3d off the grid"; "": none.
std::string restriction_words(const Restrictions& restrictions);

/// The same with a comma in front, to stand behind a figure.
std::string restriction_clause(const Restrictions& restrictions);

}  // namespace fercli
