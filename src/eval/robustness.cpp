#include "eval/robustness.hpp"

#include <fmt/format.h>

#include <set>

#include "attacks/threat/ball.hpp"
#include "core/clock.hpp"
#include "core/container.hpp"
#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/json_text.hpp"
#include "core/progress.hpp"
#include "core/text.hpp"
#include "eval/attack_evaluation.hpp"
#include "eval/evaluate.hpp"
#include "models/checkpoint.hpp"

namespace fercli {

namespace {

using nlohmann::json;

/// Images attacked side by side: what an interrupt may cost, and how often the progress line moves.
constexpr int64_t kSavedTogether = 64;
constexpr double kSecondsBetweenSaves = 10;
constexpr const char* kRobustnessStateKind = "robustness-state";

std::unique_ptr<Attack> attack_of(const RobustnessPlan& plan, const std::string& name) {
  return make_attack(name, plan.surrogate.fitted(plan.settings), plan.norm, plan.goal.targeted());
}

AttackRecord new_record(const RobustnessPlan& plan, const std::string& name, int64_t images, Precision precision) {
  const auto attack = attack_of(plan, name);
  const auto rungs = plan.ladder.size();
  AttackRecord record;
  record.name = name;
  record.access = Registry<AttackEntry>::instance().get(name).access;
  record.transferred = plan.surrogate.classifier != nullptr;
  record.minimum_norm = attack->minimum_norm();
  record.stages = attack->stages();
  record.settings =
      attack->describe_on(precision, {plan.norm, record.minimum_norm ? search_limit(plan) : plan.ladder.back().eps});
  record.single_step = record.settings.value("steps", int64_t{0}) == 1;
  record.broken = torch::full({images}, static_cast<int64_t>(rungs), torch::kInt64);
  record.answer = torch::full({images}, -1, torch::kInt64);
  record.distance = torch::full({images}, std::numeric_limits<double>::infinity(), torch::kFloat64);
  record.stage = torch::full({images}, -1, torch::kInt64);
  record.settled = torch::zeros({images}, torch::kInt64);
  record.forward.assign(rungs, 0);
  record.backward.assign(rungs, 0);
  record.seconds.assign(rungs, 0);
  return record;
}

/// What must be the same for a state to be gone on with.
json identity(const Classifier& classifier, const std::string& model_digest, const Dataset& dataset,
              const RobustnessPlan& plan, const Robustness& robustness) {
  json identity = {{"model", model_digest},
                   {"data set", dataset.digest()},
                   {"norm", to_string(plan.norm)},
                   {"goal", plan.goal.name},
                   {"seed", plan.seed},
                   {"precision", to_string(classifier.precision())}};
  identity.update(describe_classifier(classifier));
  for (const auto& rung : plan.ladder) identity["eps"].push_back(rung.text);
  for (const auto& record : robustness.attacks) identity["attacks"].push_back(record.settings);
  identity["surrogate"] = plan.surrogate.digest;
  if (plan.mask.defined()) identity["mask"] = mask_digest(plan.mask);
  return identity;
}

/// The tensors of a record by name, so that a state can hold them.
std::vector<std::pair<const char*, torch::Tensor*>> tensors_of(AttackRecord& record) {
  std::vector<std::pair<const char*, torch::Tensor*>> tensors{{"broken", &record.broken},
                                                              {"answer", &record.answer},
                                                              {"distance", &record.distance},
                                                              {"stage", &record.stage},
                                                              {"settled", &record.settled}};
  if (record.adversarial.defined()) tensors.emplace_back("adversarial", &record.adversarial);
  return tensors;
}

class Measurement {
 public:
  Measurement(const Classifier& classifier, const std::string& model_digest, const Dataset& dataset,
              const RobustnessPlan& plan, const std::optional<std::filesystem::path>& state)
      : classifier_(classifier), plan_(plan), state_(state), images_(select(dataset)) {
    robustness_.labels = images_.labels;
    const auto judge = classifier.with_precision(Precision::Float32);
    robustness_.verdict = predicted_classes(predict(judge, images_, plan.settings.batch_size).probabilities);
    for (const auto& name : plan.attacks) {
      robustness_.attacks.push_back(
          new_record(plan, name, images_.size(), plan.surrogate.searched(classifier).precision()));
      if (plan.settings.pixel_grid) robustness_.attacks.back().adversarial = images_.images.clone();
    }
    if (!state_) return;
    identity_ = identity(classifier, model_digest, images_, plan, robustness_);
    load();
  }

  Robustness run() {
    const int64_t right = robustness_.right().sum().item<int64_t>();
    int64_t all = 0, done = 0;
    for (const auto& record : robustness_.attacks) {
      all += right * runs(record);
      done += decided(record);
    }
    Progress progress("Attacking", all, "images");
    progress.skip(done);
    save();
    for (auto& record : robustness_.attacks) {
      const auto attack = attack_of(plan_, record.name);
      for (int64_t rung = 0; rung < runs(record); ++rung) {
        const int64_t before = decided(record);
        settle_broken(record, rung);
        progress.skip(decided(record) - before);
        progress.note(record.minimum_norm ? record.name : fmt::format("{} {}", record.name, plan_.ladder[rung].text));
        attack_rung(*attack, record, rung, progress);
      }
    }
    save();
    return robustness_;
  }

 private:
  int64_t rungs() const { return static_cast<int64_t>(plan_.ladder.size()); }

  Dataset select(const Dataset& dataset) {
    for (int64_t row = 0; row < dataset.size(); ++row) {
      if (plan_.goal.concerns(dataset.labels[row].item<int64_t>())) robustness_.rows.push_back(row);
    }
    if (robustness_.rows.empty()) {
      throw UserError(fmt::format("{}: has no image that the goal {} concerns", dataset.name, plan_.goal.name));
    }
    return dataset.select(robustness_.rows);
  }

  int64_t runs(const AttackRecord& record) const { return record.minimum_norm ? 1 : rungs(); }

  /// Pairs of image and run that are decided.
  int64_t decided(const AttackRecord& record) const { return record.settled.sum().item<int64_t>(); }

  /// Images broken at a smaller eps are broken here too.
  void settle_broken(AttackRecord& record, int64_t rung) const {
    const auto known = record.settled.eq(rung).logical_and(record.broken.lt(rung));
    record.settled.masked_fill_(known, rung + 1);
  }

  void attack_rung(const Attack& attack, AttackRecord& record, int64_t rung, Progress& progress) {
    const auto pending = robustness_.right().logical_and(record.settled.eq(rung)).nonzero().squeeze(1);
    for (int64_t begin = 0; begin < pending.size(0); begin += kSavedTogether) {
      const auto places = pending.slice(0, begin, std::min(begin + kSavedTogether, pending.size(0)));
      const auto start = Clock::now();
      try {
        attack_group(attack, record, rung, places);
      } catch (const Interrupted&) {
        save();
        throw Interrupted(
            state_ ? fmt::format("interrupted in {}; the same command goes on from {}", record.name, state_->string())
                   : std::string("interrupted; with --out DIR the same command could go on from here"));
      }
      record.seconds[static_cast<size_t>(rung)] += seconds_since(start);
      progress.advance(places.size(0));
      if (seconds_since(saved_) > kSecondsBetweenSaves) save();
    }
  }

  void attack_group(const Attack& attack, AttackRecord& record, int64_t rung, const torch::Tensor& places) {
    const auto images = images_.images.index_select(0, places);
    const double eps = record.minimum_norm ? search_limit(plan_) : plan_.ladder[static_cast<size_t>(rung)].eps;
    AttackInput input{to_float(images), plan_.goal.for_labels(images_.labels.index_select(0, places)),
                      image_keys(images)};
    if (plan_.mask.defined()) input.mask = plan_.mask.expand_as(input.x).contiguous();
    const Rng rng = Rng(plan_.seed).split("attack").split(record.name);
    const auto found = plan_.surrogate.run(attack, classifier_, {plan_.norm, eps}, input, rng);
    const auto broken =
        record.minimum_norm ? first_rungs(found) : torch::full_like(places, rungs()).masked_fill(found.success, rung);
    record.broken.index_copy_(0, places, broken);
    record.settled.index_fill_(0, places, rung + 1);
    const auto successes = places.masked_select(found.success);
    const auto of_success = [&](const torch::Tensor& rows) {
      return rows.index_select(0, found.success.nonzero().squeeze(1));
    };
    record.answer.index_copy_(0, successes, of_success(found.logits.argmax(1)));
    record.distance.index_copy_(0, successes, of_success(found.distance));
    record.stage.index_copy_(0, successes, of_success(found.stage));
    if (record.adversarial.defined()) {
      record.adversarial.index_copy_(0, successes, of_success(to_8bit(found.x_adv)));
    }
    record.forward[static_cast<size_t>(rung)] += found.forward;
    record.backward[static_cast<size_t>(rung)] += found.backward;
  }

  /// (N) int64: the first rung whose ball holds the success; the number of rungs where there is none.
  torch::Tensor first_rungs(const AttackResult& found) const {
    auto first = torch::full_like(found.stage, rungs());
    for (int64_t rung = rungs() - 1; rung >= 0; --rung) {
      const double eps = plan_.ladder[static_cast<size_t>(rung)].eps;
      first.masked_fill_(within(found.distance, eps, plan_.settings.pixel_grid).logical_and(found.success), rung);
    }
    return first;
  }

  void save() {
    saved_ = Clock::now();
    if (!state_) return;
    Container container;
    container.kind = kRobustnessStateKind;
    container.header = {{"identity", identity_}};
    for (auto& record : robustness_.attacks) {
      container.header["passes"].push_back(
          {{"forward", record.forward}, {"backward", record.backward}, {"seconds", record.seconds}});
      for (const auto& [name, tensor] : tensors_of(record)) container.tensors[record.name + "/" + name] = *tensor;
    }
    save_container(container, *state_);
  }

  void load() {
    std::error_code error;
    if (!std::filesystem::exists(*state_, error)) return;
    const Container container = load_container(*state_, kRobustnessStateKind);
    const auto different = differing_keys(container.header.at("identity"), identity_);
    if (!different.empty()) {
      throw UserError(fmt::format("{}: belongs to a run that differs in {}; remove it or choose another --out",
                                  state_->string(), fmt::join(different, ", ")));
    }
    for (size_t i = 0; i < robustness_.attacks.size(); ++i) {
      auto& record = robustness_.attacks[i];
      const json& passes = container.header.at("passes").at(i);
      record.forward = passes.at("forward").get<std::vector<int64_t>>();
      record.backward = passes.at("backward").get<std::vector<int64_t>>();
      record.seconds = passes.at("seconds").get<std::vector<double>>();
      for (const auto& [name, tensor] : tensors_of(record)) *tensor = container.tensors.at(record.name + "/" + name);
    }
    inform(fmt::format("going on from {}", state_->string()));
  }

  const Classifier& classifier_;
  const RobustnessPlan& plan_;
  std::optional<std::filesystem::path> state_;
  Robustness robustness_;
  Dataset images_;
  json identity_;
  Clock::time_point saved_ = Clock::now();
};

}  // namespace

std::string mask_digest(const torch::Tensor& mask) {
  const auto values = mask.contiguous();
  return Digest().add(values.data_ptr(), values.nbytes()).hex();
}

std::vector<Rung> parse_ladder(const std::string& text, Norm norm) {
  std::vector<Rung> ladder;
  for (const auto& word : split(text, ',')) {
    try {
      ladder.push_back({word, parse_number(word)});
    } catch (const std::invalid_argument&) {
      throw UserError(fmt::format("--eps {}: '{}' must be a number or a fraction like 8/255", text, word));
    }
    const double eps = ladder.back().eps;
    if (norm == Norm::Linf && eps > 1) {
      throw UserError(fmt::format(
          "--eps {}: must be in (0, 1] in Linf; pixels are scaled to [0,1], did you mean {}/255?", text, word));
    }
    if (norm == Norm::L0 && eps < 1) {
      throw UserError(fmt::format("--eps {}: must be at least 1 in L0, the number of changed values", text));
    }
    if (!(eps > 0)) throw UserError(fmt::format("--eps {}: must be above 0", text));
    if (!std::isfinite(eps)) throw UserError(fmt::format("--eps {}: must be finite", text));
    if (ladder.size() > 1 && eps <= ladder[ladder.size() - 2].eps) {
      throw UserError(fmt::format("--eps {}: must be ascending", text));
    }
  }
  if (ladder.empty()) throw UserError("--eps: at least one value is needed");
  return ladder;
}

double search_limit(const RobustnessPlan& plan) {
  return std::max(plan.ladder.back().eps, minimal_eps_limit(plan.norm));
}

torch::Tensor Robustness::answers(const AttackRecord& attack, int64_t rung) const {
  return torch::where(right().logical_and(attack.broken.le(rung)), attack.answer, verdict);
}

AttackRecord Robustness::worst() const {
  AttackRecord worst = attacks.front();
  worst.name = kWorstCase;
  worst.stages.clear();
  for (const auto& attack : attacks) {
    const auto better = attack.broken.lt(worst.broken);
    worst.broken = torch::where(better, attack.broken, worst.broken);
    worst.answer = torch::where(better, attack.answer, worst.answer);
    worst.distance = torch::where(better, attack.distance, worst.distance);
    if (worst.adversarial.defined()) {
      worst.adversarial = torch::where(better.view({-1, 1, 1, 1}), attack.adversarial, worst.adversarial);
    }
  }
  return worst;
}

Robustness measure_robustness(const Classifier& classifier, const std::string& model_digest, const Dataset& dataset,
                              const RobustnessPlan& plan, const std::optional<std::filesystem::path>& state) {
  if (std::set<std::string>(plan.attacks.begin(), plan.attacks.end()).size() != plan.attacks.size()) {
    throw UserError(fmt::format("--attacks {}: names an attack twice", join(plan.attacks, ",")));
  }
  return Measurement(classifier, model_digest, dataset, plan, state).run();
}

}  // namespace fercli
