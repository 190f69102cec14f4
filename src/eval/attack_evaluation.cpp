#include "eval/attack_evaluation.hpp"

#include "attacks/engine/minimal_eps.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/progress.hpp"
#include "eval/evaluate.hpp"
#include "eval/measures/image_quality.hpp"

namespace fercli {

namespace {

/// Images attacked side by side: what an interrupt may cost.

/// The nearest successes of a minimum-norm attack: what its run found and, where that is nothing, what the same search
/// finds in the largest ball.
MinimalEpsResult nearest_successes(const Classifier& classifier, const Attack& attack, const AttackPlan& plan,
                                   const AttackInput& input, const AttackResult& found, const Rng& rng) {
  MinimalEpsResult nearest;
  nearest.eps = found.distance.masked_fill(found.success.logical_not(), std::numeric_limits<double>::infinity());
  nearest.x_adv = found.x_adv.clone();
  nearest.logits = found.logits.clone();
  const auto rest = found.success.logical_not().nonzero().squeeze(1);
  if (rest.size(0) == 0) return nearest;
  AttackInput others{input.x.index_select(0, rest), input.goal.select(rest), {}};
  for (int64_t i = 0; i < rest.size(0); ++i)
    others.index.push_back(input.index[static_cast<size_t>(rest[i].item<int64_t>())]);
  if (input.mask.defined()) others.mask = input.mask.index_select(0, rest);
  const double limit = std::max(plan.threat.eps, minimal_eps_limit(plan.threat.norm));
  const auto farther = attack.run(classifier, {plan.threat.norm, limit}, others, rng);
  nearest.x_adv.index_copy_(0, rest, farther.x_adv);
  nearest.logits.index_copy_(0, rest, farther.logits);
  nearest.eps.index_copy_(
      0, rest, farther.distance.masked_fill(farther.success.logical_not(), std::numeric_limits<double>::infinity()));
  nearest.forward = farther.forward;
  nearest.backward = farther.backward;
  return nearest;
}

MinimalEpsResult smallest_eps(const Classifier& classifier, const Attack& attack, const AttackPlan& plan,
                              const AttackInput& input, const AttackResult& found, const Rng& rng) {
  if (attack.minimum_norm()) return nearest_successes(classifier, attack, plan, input, found, rng);
  AttackInput from_here = input;
  from_here.start = found.x_adv;
  return minimal_eps(classifier, attack, plan.threat.norm, from_here, rng.split("minimal-eps"),
                     {minimal_eps_limit(plan.threat.norm), minimal_eps_resolution(plan.threat.norm)});
}

/// (N) bool: does the network give these labels more than this probability, and no other class as much? probabilities:
/// (N,K) float64.
torch::Tensor sure_rows(const torch::Tensor& probabilities, const torch::Tensor& labels, double min_confidence) {
  const auto of_label = probabilities.gather(1, labels.unsqueeze(1)).squeeze(1);
  return predicted_classes(probabilities).eq(labels).logical_and(of_label.gt(min_confidence));
}

/// One group of images through the attack and, when asked for, the search for the smallest eps.
void attack_group(const Classifier& classifier, const Attack& attack, const AttackPlan& plan, const Dataset& images,
                  AttackOutcome* outcome) {
  const auto x = to_float(images.images);
  const Rng rng = Rng(plan.seed).split("attack").split(plan.attack);
  AttackInput input{x, plan.goal.for_labels(images.labels), image_keys(images.images)};
  if (plan.mask.defined()) input.mask = plan.mask.expand_as(x).contiguous();
  const auto found = plan.surrogate.run(attack, classifier, plan.threat, input, rng);
  const auto clean = classifier.with_precision(Precision::Float32).logits(x).to(torch::kFloat64).softmax(1);
  const auto after = found.logits.to(torch::kFloat64).softmax(1);
  const bool on_grid = plan.settings.pixel_grid;
  const auto linf = distances(found.x_adv, x, Norm::Linf, on_grid), l2 = distances(found.x_adv, x, Norm::L2, on_grid);
  const auto noise = psnr(x, found.x_adv), similarity = ssim(x, found.x_adv);
  MinimalEpsResult minimal;
  if (plan.minimal_eps) minimal = smallest_eps(classifier, attack, plan, input, found, rng);
  const auto sure = sure_rows(clean, images.labels, plan.min_confidence);
  for (int64_t i = 0; i < images.size(); ++i) {
    const bool counts = sure[i].item<bool>();
    AttackedImage image{images.ids[static_cast<size_t>(i)],
                        images.labels[i].item<int64_t>(),
                        images.images[i].clone(),
                        to_8bit(found.x_adv[i]),
                        row_values(clean, i),
                        row_values(after, i),
                        linf[i].item<double>(),
                        l2[i].item<double>(),
                        noise[i].item<double>(),
                        similarity[i].item<double>(),
                        counts,
                        counts && found.success[i].item<bool>(),
                        counts && found.float_success[i].item<bool>(),
                        {}};
    if (plan.minimal_eps) {
      image.minimal_eps = minimal.eps[i].item<double>();
      image.minimal = to_8bit(minimal.x_adv[i]);
    }
    outcome->images.push_back(std::move(image));
  }
  outcome->forward += found.forward + minimal.forward;
  outcome->backward += found.backward + minimal.backward;
}

nlohmann::json per_image_json(const AttackedImage& image, const LabelSet& classes) {
  const auto predicted = [&](const std::vector<double>& probabilities) { return classes.name(top_of(probabilities)); };
  nlohmann::json entry = {{"id", image.id},
                          {"label", classes.name(image.label)},
                          {"clean_class", predicted(image.clean)},
                          {"clean_probabilities", image.clean},
                          {"adversarial_class", predicted(image.after)},
                          {"adversarial_probabilities", image.after},
                          {"linf", image.linf},
                          {"linf_255", std::lround(image.linf * 255)},
                          {"l2", image.l2},
                          {"sure", image.sure},
                          {"success", image.success},
                          {"success_float", image.float_success}};
  entry["psnr"] = finite_or_null(image.psnr);
  entry["ssim"] = finite_or_null(image.ssim);
  entry["file"] = image.file.empty() ? nlohmann::json() : nlohmann::json(image.file);
  if (image.minimal_eps) {
    entry["minimal_eps"] = finite_or_null(*image.minimal_eps);
    entry["minimal_file"] = image.minimal_file.empty() ? nlohmann::json() : nlohmann::json(image.minimal_file);
  }
  return entry;
}

}  // namespace

std::vector<double> row_values(const torch::Tensor& matrix, int64_t row) {
  const auto values = matrix[row].to(torch::kFloat64).contiguous();
  return {values.data_ptr<double>(), values.data_ptr<double>() + values.numel()};
}

double minimal_eps_limit(Norm norm) {
  switch (norm) {
    case Norm::Linf:
      return 64 / 255.0;
    case Norm::L2:
      return 8;
    case Norm::L1:
      return 128;
    case Norm::L0:
      return 1024;
  }
  return 0;
}

double minimal_eps_resolution(Norm norm) {
  switch (norm) {
    case Norm::Linf:
      return 1 / 255.0;
    case Norm::L2:
      return 0.01;
    case Norm::L1:
      return 0.1;
    case Norm::L0:
      return 1;
  }
  return 0;
}

AttackSelection select_images(const Classifier& classifier, const Dataset& dataset, const AttackPlan& plan) {
  AttackSelection selection;
  for (int64_t row = 0; row < dataset.size(); ++row) {
    if (plan.goal.concerns(dataset.labels[row].item<int64_t>())) selection.of_source.push_back(row);
  }
  if (selection.of_source.empty()) return selection;
  const Dataset images = dataset.select(selection.of_source);
  selection.probabilities =
      predict(classifier.with_precision(Precision::Float32), images, plan.settings.batch_size).probabilities;
  const auto sure = sure_rows(selection.probabilities, images.labels, plan.min_confidence);
  const auto of_label = selection.probabilities.gather(1, images.labels.unsqueeze(1)).squeeze(1);
  selection.best = selection.of_source[static_cast<size_t>(of_label.argmax().item<int64_t>())];
  for (int64_t i = 0; i < images.size(); ++i) {
    if (sure[i].item<bool>()) selection.confident.push_back(selection.of_source[static_cast<size_t>(i)]);
  }
  return selection;
}

AttackOutcome attack_images(const Classifier& classifier, const Dataset& dataset, const std::vector<int64_t>& rows,
                            const AttackPlan& plan) {
  const auto attack =
      make_attack(plan.attack, plan.surrogate.fitted(plan.settings), plan.threat.norm, plan.goal.targeted());
  AttackOutcome outcome;
  outcome.attack = attack->describe_on(plan.surrogate.searched(classifier).precision(), plan.threat);
  const auto start = Clock::now();
  Progress progress("Attacking", static_cast<int64_t>(rows.size()), "images");
  for (size_t begin = 0; begin < rows.size(); begin += kAttackGroup) {
    const size_t end = std::min(begin + kAttackGroup, rows.size());
    try {
      attack_group(classifier, *attack, plan, dataset.select({rows.begin() + begin, rows.begin() + end}), &outcome);
    } catch (const Interrupted&) {
      if (outcome.images.empty()) throw;
      outcome.complete = false;
      break;
    }
    progress.advance(static_cast<int64_t>(end - begin));
  }
  outcome.seconds = seconds_since(start);
  return outcome;
}

Result summarise(const AttackOutcome& outcome, const AttackSelection& selection, const AttackPlan& plan,
                 const LabelSet& classes) {
  Result result;
  result.command = "attack";
  result.n = std::count_if(outcome.images.begin(), outcome.images.end(), [](const auto& image) { return image.sure; });
  int64_t successes = 0, float_successes = 0;
  std::vector<double> minimal;
  for (const auto& image : outcome.images) {
    successes += image.success;
    float_successes += image.float_success;
    if (image.minimal_eps && image.sure) minimal.push_back(*image.minimal_eps);
    result.per_image.push_back(per_image_json(image, classes));
  }
  result.metrics["success_8bit"] = proportion(successes, result.n);
  result.metrics["success_float"] = proportion(float_successes, result.n);
  result.metrics["confident_share"] =
      proportion(static_cast<int64_t>(selection.confident.size()), static_cast<int64_t>(selection.of_source.size()));
  if (plan.minimal_eps) result.metrics["median_minimal_eps"] = median(minimal);
  result.threat_model = {{"norm", to_string(plan.threat.norm)},
                         {"eps", plan.threat.eps},
                         {"eps_levels", describe_levels(plan.threat.norm, plan.threat.eps)},
                         {"goal", plan.goal.name},
                         {"min_confidence", plan.min_confidence}};
  result.attacks = nlohmann::json::array({outcome.attack});
  result.seed = plan.seed;
  result.tables["network_passes"] = {{"forward", outcome.forward}, {"backward", outcome.backward}};
  result.timing = {{"seconds", outcome.seconds},
                   {"images_per_second", static_cast<double>(outcome.images.size()) / outcome.seconds}};
  if (!outcome.complete) result.add_warning("interrupted: only the images finished until then are counted");
  return result;
}

}  // namespace fercli
