#include "attacks/engine/attack.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "attacks/engine/search.hpp"
#include "attacks/threat/losses.hpp"
#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace fercli {

namespace {

constexpr int64_t kNoStage = -1;

/// The finer of the two.
Precision finer(Precision one, Precision other) {
  return one == Precision::Float32 ? one : other;
}

void validate(const Classifier& classifier, const AttackInput& input) {
  const auto& x = input.x;
  const int64_t n = static_cast<int64_t>(input.index.size());
  if (!x.defined() || x.dim() != 4 || x.scalar_type() != torch::kFloat32 || x.size(0) != n || input.goal.size() != n) {
    throw UserError("attack: x must be (N,C,H,W) float32 with N goals and N index numbers");
  }
  if (input.start.defined() && input.start.sizes() != x.sizes()) {
    throw UserError("attack: the starting points must be shaped like x");
  }
  if (input.mask.defined() && input.mask.scalar_type() != torch::kFloat32) {
    throw UserError("attack: the mask must be float32, 0 or 1");
  }
  if (n == 0) return;
  if (!(x.min().item<float>() >= 0 && x.max().item<float>() <= 1)) {
    throw UserError("attack: pixels must lie in [0,1]");
  }
  const auto& labels = input.goal.labels();
  if (labels.min().item<int64_t>() < 0 || labels.max().item<int64_t>() >= classifier.classes().size()) {
    throw UserError(fmt::format("attack: labels must be 0 to {}", classifier.classes().size() - 1));
  }
}

}  // namespace

const char* to_string(Access access) {
  switch (access) {
    case Access::Gradients:
      return "gradients";
    case Access::Scores:
      return "scores";
    case Access::Decisions:
      return "decisions";
  }
  return "";
}

Attack::Attack(AttackSetup setup, Reach reach) : setup_(std::move(setup)), reach_(reach) {
  if (setup_.batch_size < 1) throw UserError("attack: the batch size must be at least 1");
}

void Attack::perturb_as(const Attack& attack, const std::string& label, int64_t part, Search& search) {
  search.lend(attack, label, part, [&](Search& lent) { attack.perturb(lent); });
}

Precision Attack::search_precision(Precision precision) const {
  return finer(precision, coarsest_);
}

nlohmann::json Attack::describe(const ThreatModel& threat) const {
  auto description = values().json();
  description["name"] = setup_.name;
  description["norm"] = to_string(threat.norm);
  description["eps"] = threat.eps;
  description["pixel_grid"] = setup_.pixel_grid;
  // A search that may end at a success waits for a confident one, whether or not the attack has the parameter.
  const bool ends_confident = !minimum_norm() && setup_.confidence != 0;
  if (values().has("confidence") || ends_confident) description["confidence"] = setup_.confidence;
  if (reach_ == Reach::Anywhere) description["nearest"] = minimum_norm();
  add_facts(description, threat);
  return description;
}

nlohmann::json Attack::describe_on(Precision precision, const ThreatModel& threat) const {
  auto description = describe(threat);
  const std::string own = to_string(search_precision(precision));
  description["search_precision"] = own;
  description["verdict_precision"] = to_string(Precision::Float32);
  if (stages().size() < 2) return description;
  nlohmann::json by_stage;
  bool differ = false;
  for (const auto& stage : stages()) {
    const auto* part = Registry<AttackEntry>::instance().find(stage);  // none: a stage of the attack's own
    by_stage[stage] = part != nullptr ? to_string(finer(precision, part->search_precision)) : own;
    differ = differ || by_stage[stage] != own;
  }
  if (differ) description["search_precision_by_stage"] = by_stage;
  return description;
}

void Attack::run_leg(int64_t leg, const Classifier& classifier, const ThreatModel& threat, const AttackInput& input,
                     const Rng& rng, Findings& findings) const {
  validate(classifier, input);
  const Classifier fast = classifier.with_precision(search_precision(classifier.precision()));
  const Classifier judge = classifier.with_precision(Precision::Float32);
  const Ball ball(threat.norm, input.x, threat.eps_rows(input.x.size(0)), setup_.pixel_grid, input.mask);
  const int64_t parts = this->parts(threat.norm, input.goal.is_targeted(), classifier.classes().size());
  const int64_t restart = leg / parts;
  const auto search_of = [&](int64_t start) {
    const auto rows = findings.done.logical_not().nonzero().squeeze(1);
    std::vector<int64_t> index;
    for (int64_t i = 0; i < rows.size(0); ++i)
      index.push_back(input.index[static_cast<size_t>(rows[i].item<int64_t>())]);
    const Search::Turn turn{
        {&fast, &judge}, this, rng.split("restart").split(static_cast<uint64_t>(start)), leg % parts};
    return Search(turn, ball.select(rows), input.goal.select(rows), index, rows, &findings);
  };
  if (leg == 0) {  // the originals, which may be in the goal class already
    Search search = search_of(-1);
    auto originals = search.ball().x();
    search.enter_stage(kNoStage);
    search.offer(originals);
  }
  Search search = search_of(restart);
  if (search.size() > 0) {
    if (restart == 0 && input.start.defined()) {
      search.set_start(input.start.index_select(0, search.rows()));
    } else if (restart == 0 && !random_start()) {
      search.set_start(search.ball().x());
    }
    perturb(search);
  }
  if (leg + 1 == restarts() * parts) {
    const auto rest = places_where(findings.success.logical_or(findings.done).logical_not());
    confirm_best(judge, input.goal.select(rest), rest, &findings);
  }
}

AttackResult Attack::run(const Classifier& classifier, const ThreatModel& threat, const AttackInput& input,
                         const Rng& rng) const {
  validate(classifier, input);
  const int64_t forwards = classifier.forwards(), backwards = classifier.backwards();
  Findings findings = Findings::none(input.x, classifier.classes().size());
  const int64_t legs = this->legs(threat.norm, input.goal.is_targeted(), classifier.classes().size());
  for (int64_t leg = 0; leg < legs && !findings.done.all().item<bool>(); ++leg)
    run_leg(leg, classifier, threat, input, rng, findings);
  return attack_result(findings, input.x, threat.norm, setup_.pixel_grid, classifier.forwards() - forwards,
                       classifier.backwards() - backwards);
}

AttackResult attack_result(const Findings& findings, const torch::Tensor& x, Norm norm, bool pixel_grid,
                           int64_t forward, int64_t backward) {
  return {findings.x_adv,
          findings.logits,
          findings.success,
          findings.float_success,
          distances(findings.x_adv, x, norm, pixel_grid),
          findings.stage.masked_fill(findings.success.logical_not(), kNoStage),
          forward,
          backward};
}

std::unique_ptr<Attack> make_attack(const std::string& name, const AttackSettings& settings, Norm norm, bool targeted) {
  const AttackEntry& entry = Registry<AttackEntry>::instance().get(name);
  if (std::find(entry.norms.begin(), entry.norms.end(), norm) == entry.norms.end()) {
    throw UserError(fmt::format("attack '{}' does not work in {}", name, to_string(norm)));
  }
  if (!(targeted ? entry.targeted : entry.untargeted)) {
    throw UserError(fmt::format("attack '{}' has no {} mode", name, targeted ? "targeted" : "untargeted"));
  }
  std::unique_ptr<Attack> attack;
  try {
    attack = entry.make(complete(entry, settings, norm));
  } catch (const std::invalid_argument& error) {
    throw UserError(fmt::format("attack {}: {}", name, error.what()));
  }
  attack->coarsest_ = entry.search_precision;
  return attack;
}

const std::vector<Parameter>& shared_parameters() {
  constexpr double kMost = 1e6;
  static const std::vector<Parameter> shared{
      Parameter::whole("steps", "", between(1, kMost), "steps"),
      Parameter::number("alpha", "", above(0), "step size"),
      Parameter::whole("restarts", "1", between(1, kMost),
                       "starts: the first from the original, the others from random points; a solved image starts no "
                       "more"),
      Parameter::flag("random-start", "false", "begin the first start at a random point too"),
      Parameter::choice("loss", "", goal_loss_names(), "what is descended"),
      Parameter::whole("queries", "", between(1, kMost), "network calls per image of black-box attacks"),
      Parameter::whole("targets", "", between(1, kMost), "classes to head for, one after another, at most")};
  return shared;
}

Parameter shared_parameter(const std::string& name, const std::string& initial) {
  const Parameter& parameter = find_parameter(shared_parameters(), name);
  return initial.empty() ? parameter : parameter.starting_at(initial);
}

Parameter confidence_parameter() {
  return Parameter::number("confidence", "0", {0, 1, false, true}, "go on until the goal has this probability");
}

std::vector<Parameter> parameters_in(const AttackEntry& entry, Norm norm) {
  auto parameters = entry.parameters;
  const auto unit = entry.alpha_unit;
  const bool of_pixels = unit == StepUnit::OfAPixel || (unit == StepUnit::OfTheNorm && norm == Norm::Linf);
  for (auto& parameter : parameters) {
    if (parameter.name == "alpha" && of_pixels) parameter.range = {0, 1, true};
  }
  return parameters;
}

AttackSetup complete(const AttackEntry& entry, const AttackSettings& settings, Norm norm) {
  const auto parameters = parameters_in(entry, norm);
  Given given;
  for (const auto& parameter : parameters) {
    const auto shared = settings.shared.find(parameter.name);
    if (shared != settings.shared.end()) given.insert(*shared);
  }
  const auto own = settings.own.find(entry.name);
  if (own != settings.own.end()) {
    for (const auto& [name, value] : own->second) given[name] = value;
  }
  AttackSetup setup{settings, entry.name, Values(parameters, given)};
  if (given.count("confidence") > 0) setup.confidence = setup.values.number("confidence");
  return setup;
}

std::vector<int64_t> image_keys(const torch::Tensor& images) {
  std::vector<int64_t> keys;
  for (int64_t i = 0; i < images.size(0); ++i) {
    const auto image = images[i].contiguous();
    const std::string hex = Digest().add(image.data_ptr<uint8_t>(), static_cast<size_t>(image.numel())).hex();
    keys.push_back(static_cast<int64_t>(std::stoull(hex.substr(0, 15), nullptr, 16)));
  }
  return keys;
}

}  // namespace fercli
