#include "eval/sanity.hpp"

#include "attacks/engine/mixture.hpp"
#include "attacks/threat/losses.hpp"
#include "core/text.hpp"

namespace fercli {

namespace {

constexpr int64_t kImages = 32;
constexpr int kPasses = 5;
constexpr double kSameLogits = 1e-4, kSumsToOne = 1e-5;
constexpr double kClearlyMore = 0.002;  ///< 0.2 points
constexpr int64_t kSteps = 20, kUnboundedSteps = 40, kDraws = 20;

SanityFlag flag_of(const std::string& name, bool raised, Message found) {
  return {name, raised, std::move(found), Message::of(name + ".meaning")};
}

SanityFlag check_randomness(const Classifier& judge, const torch::Tensor& x, const torch::Tensor& y) {
  std::vector<torch::Tensor> logits;
  double difference = 0;
  bool other_verdict = false;
  for (int pass = 0; pass < kPasses; ++pass) {
    const auto now = judge.logits(x).to(torch::kFloat64);  // whose squares float32 may be too small for
    logits.push_back(now / (now.square().sum(1, true).sqrt() + 1e-10));
    difference = std::max(difference, (now.isnan().any().item<bool>() ? torch::zeros({1}) : logits.back() - logits[0])
                                          .square()
                                          .sum(-1)
                                          .sqrt()
                                          .max()
                                          .item<double>());
    other_verdict = other_verdict || !now.argmax(1).eq(y).equal(logits[0].argmax(1).eq(y));
  }
  return flag_of("randomized-output", other_verdict || difference > kSameLogits,
                 Message::of("randomized-output.found", fmt::format("{:.2g}", difference)));
}

SanityFlag check_softmax(const torch::Tensor& logits) {
  const double least = logits.min().item<double>(), most = logits.max().item<double>();
  const bool probabilities = least >= 0 && most <= 1 && (logits.sum(1) - 1).abs().max().item<double>() < kSumsToOne;
  return flag_of("softmax-output", probabilities,
                 Message::of(probabilities ? "softmax-output.found-raised" : "softmax-output.found",
                             fmt::format("{:.3g}", least), fmt::format("{:.3g}", most)));
}

SanityFlag check_gradients(const Classifier& judge, const torch::Tensor& x, const torch::Tensor& y) {
  const auto line = judge.linearize(x);
  const auto gradient = line.pullback(dlr_loss(line.logits, Goal::untargeted(y)).gradient);
  const auto zero = gradient.abs().flatten(1).amax(1).eq(0).sum().item<int64_t>();
  const auto saturated = saturates_cross_entropy(line.logits, y).sum().item<int64_t>();
  SanityFlag flag =
      flag_of("zero-gradients", zero + saturated > 0, Message::of("zero-gradients.found", zero, x.size(0)));
  if (saturated > 0) {
    flag.found = Message::of("zero-gradients.found-saturated", zero, x.size(0), saturated,
                             fmt::format("{:.3g}", line.logits.abs().max().item<double>()));
    if (zero == 0) flag.meaning = Message::of("zero-gradients.meaning-saturated");
  }
  return flag;
}

SanityFlag check_unbounded(const Classifier& classifier, const AttackInput& input, uint64_t seed) {
  AttackSettings settings;
  settings.set("steps", kUnboundedSteps).set("restarts", 2);
  settings.pixel_grid = false;
  const auto found = make_attack("pgd", settings, Norm::Linf, false)
                         ->run(classifier, {Norm::Linf, 1}, input, Rng(seed).split("sanity"));
  const int64_t left = found.success.logical_not().sum().item<int64_t>();
  return flag_of("unbounded-eps", left > 0, Message::of("unbounded-eps.found", left, input.x.size(0)));
}

/// Attacks of a random network are judged by its mean answer.
SanityFlag check_expectation(const Classifier& classifier, const AttackInput& input, const ThreatModel& threat,
                             uint64_t seed, bool random) {
  SanityFlag flag = flag_of("eot-changes-verdict", false, Message::of("eot-changes-verdict.not-asked"));
  if (!random) return flag;
  const auto views = expectation_over("model", kDraws, std::make_shared<Classifier>(classifier), seed);
  const Classifier mean = mixture(views, Joining::Logits, input.x.sizes().slice(1).vec());
  AttackSettings settings;
  settings.set("steps", kSteps);
  settings.pixel_grid = false;
  settings.confidence = 2;
  const Norm norm = threat.norm == Norm::L0 ? Norm::Linf : threat.norm;
  const double eps = norm == threat.norm ? threat.eps : 8 / 255.0;
  const auto broken_along = [&](const Classifier& followed) {
    const auto found =
        make_attack("pgd", settings, norm, false)->run(followed, {norm, eps}, input, Rng(seed).split("sanity"));
    return input.goal.reached(mean.logits(found.x_adv)).sum().item<int64_t>();
  };
  const int64_t single = broken_along(classifier), averaged = broken_along(mean);
  flag.found = Message::of("eot-changes-verdict.found", single, input.x.size(0), averaged, kDraws);
  flag.raised = static_cast<double>(averaged - single) > kClearlyMore * static_cast<double>(input.x.size(0));
  return flag;
}

SanityFlag check_loss(const Classifier& classifier, const AttackInput& input, const ThreatModel& threat,
                      uint64_t seed) {
  std::vector<double> losses;
  AttackSettings settings;
  settings.set("steps", kSteps);
  settings.pixel_grid = false;
  settings.confidence = 2;  // to the end of the budget, so that every look is at all images
  settings.trace = [&](const torch::Tensor& rows, const torch::Tensor&, const torch::Tensor& logits) {
    losses.push_back(
        -cross_entropy_loss(logits, input.goal.select(rows)).value.to(torch::kFloat64).mean().item<double>());
  };
  const Norm norm = threat.norm == Norm::L0 ? Norm::Linf : threat.norm;
  make_attack("pgd", settings, norm, false)
      ->run(classifier, {norm, norm == threat.norm ? threat.eps : 8 / 255.0}, input, Rng(seed).split("sanity"));
  const size_t quarter = std::max<size_t>(1, losses.size() / 4);
  const auto mean_of = [&](size_t begin) {
    double sum = 0;
    for (size_t i = begin; i < begin + quarter; ++i) sum += losses[i];
    return sum / static_cast<double>(quarter);
  };
  const double early = mean_of(0), late = mean_of(losses.size() - quarter);
  return flag_of("loss-not-rising", !(late > early),
                 Message::of("loss-not-rising.found", fmt::format("{:.4g}", early), fmt::format("{:.4g}", late)));
}

int64_t robust_at(const Ledger& robustness, const std::vector<const AttackRecord*>& attacks, int64_t budget) {
  auto robust = robustness.right();
  for (const auto* attack : attacks) robust = robust.logical_and(attack->broken.gt(budget));
  return robust.sum().item<int64_t>();
}

/// Do the attacks that should be weaker leave clearly fewer images standing at some budget?
SanityFlag compare(const std::string& name, const Ledger& robustness, const Trial& plan,
                   const std::vector<const AttackRecord*>& weaker, const std::vector<const AttackRecord*>& stronger) {
  SanityFlag flag = flag_of(name, false, Message::of("compared.not-asked"));
  if (weaker.empty() || stronger.empty()) return flag;
  flag.found = Message::of("compared.no");
  for (size_t budget = 0; budget < plan.ladder.size() && !flag.raised; ++budget) {
    const double images = static_cast<double>(robustness.size());
    const double weak = static_cast<double>(robust_at(robustness, weaker, static_cast<int64_t>(budget))) / images;
    const double strong = static_cast<double>(robust_at(robustness, stronger, static_cast<int64_t>(budget))) / images;
    if (strong - weak <= kClearlyMore) continue;
    flag.raised = true;
    flag.found = Message::of("compared.found", fmt::format("{:.1f}", 100 * weak), fmt::format("{:.1f}", 100 * strong),
                             plan.ladder[budget].text);
  }
  return flag;
}

SanityFlag check_square(const Ledger& robustness) {
  SanityFlag flag = flag_of("square-after-white-box", false, Message::of("square-after-white-box.not-asked"));
  for (const auto& attack : robustness.attacks) {
    for (size_t stage = 1; stage < attack.stages.size(); ++stage) {
      if (attack.stages[stage] != "square") continue;
      const auto broken = attack.stage.eq(static_cast<int64_t>(stage)).sum().item<int64_t>();
      const double share = static_cast<double>(broken) / static_cast<double>(robustness.size());
      flag.raised = flag.raised || share > kClearlyMore;
      flag.found = Message::of("square-after-white-box.found", broken, robustness.size());
    }
  }
  return flag;
}

/// The most target classes that were asked for; 0: the attacks' own numbers.
int64_t targets_asked(const AttackSettings& settings) {
  int64_t most = 0;
  const auto look_at = [&](const Given& given) {
    const auto found = given.find("targets");
    if (found != given.end()) most = std::max(most, parse_integer(found->second));
  };
  look_at(settings.shared);
  for (const auto& [attack, given] : settings.own) look_at(given);
  return most;
}

SanityFlag check_targets(const Trial& plan, int64_t classes) {
  const int64_t asked = targets_asked(plan.settings);
  return flag_of(
      "too-many-targets", asked > classes - 1,
      Message::of("too-many-targets.found", asked > 0 ? asked : std::min<int64_t>(9, classes - 1), classes - 1));
}

}  // namespace

std::vector<SanityFlag> check_network(const Classifier& classifier, const torch::Tensor& images,
                                      const torch::Tensor& labels, const ThreatModel& threat, uint64_t seed) {
  if (images.size(0) == 0) return {};
  const Classifier judge = classifier.with_precision(Precision::Float32);
  const AttackInput input{to_float(images), Goal::untargeted(labels), image_keys(images)};
  const SanityFlag randomness = check_randomness(judge, input.x, labels);
  return {randomness,
          check_softmax(judge.logits(input.x)),
          check_gradients(judge, input.x, labels),
          check_unbounded(classifier, input, seed),
          check_expectation(classifier, input, threat, seed, randomness.raised),
          check_loss(classifier, input, threat, seed)};
}

std::vector<SanityFlag> compare_attacks(const Ledger& robustness, const Trial& plan, int64_t classes) {
  std::vector<const AttackRecord*> black, white, single, iterated;
  for (const auto& attack : robustness.attacks) {
    if (attack.access != Access::Gradients || attack.transferred) {
      black.push_back(&attack);
      continue;
    }
    white.push_back(&attack);
    (attack.single_step ? single : iterated).push_back(&attack);
  }
  return {check_square(robustness), compare("black-box-beats-white-box", robustness, plan, black, white),
          compare("single-step-beats-iterated", robustness, plan, single, iterated), check_targets(plan, classes)};
}

std::vector<SanityFlag> check_sanity(const Classifier& classifier, const Dataset& dataset, const Ledger& robustness,
                                     const Trial& plan) {
  const auto right = robustness.right().nonzero().squeeze(1);
  const int64_t stride = std::max<int64_t>(1, right.size(0) / kImages);
  std::vector<int64_t> rows, places;
  for (int64_t i = 0; i < right.size(0) && static_cast<int64_t>(rows.size()) < kImages; i += stride) {
    places.push_back(right[i].item<int64_t>());
    rows.push_back(robustness.rows[static_cast<size_t>(places.back())]);
  }
  auto flags = check_network(classifier, dataset.images.index_select(0, torch::tensor(rows, torch::kInt64)),
                             robustness.labels.index_select(0, torch::tensor(places, torch::kInt64)),
                             {plan.norm, plan.ladder.back().eps}, plan.seed);
  for (auto& flag : compare_attacks(robustness, plan, classifier.classes().size())) flags.push_back(std::move(flag));
  return flags;
}

std::vector<Warning> warnings_of(const std::vector<SanityFlag>& flags, const std::string& model) {
  std::vector<Warning> warnings;
  for (const auto& flag : flags) {
    if (!flag.raised) continue;
    const auto text = fmt::format("{}: {}; {}", flag.name, flag.found.text, flag.meaning.text);
    warnings.push_back({model, {kFlagRaised, {flag.name}, text}});
  }
  return warnings;
}

}  // namespace fercli
