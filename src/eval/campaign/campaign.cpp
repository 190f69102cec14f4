#include "eval/campaign/campaign.hpp"

#include <fmt/format.h>

#include <set>

#include "attacks/engine/cascade.hpp"
#include "attacks/engine/minimal_eps.hpp"
#include "attacks/engine/transfer.hpp"
#include "attacks/threat/ball.hpp"
#include "core/build_info.hpp"
#include "core/clock.hpp"
#include "core/digest.hpp"
#include "core/environment.hpp"
#include "core/error.hpp"
#include "core/tensor_list.hpp"
#include "core/text.hpp"
#include "eval/campaign/division.hpp"
#include "eval/campaign/ledger_saver.hpp"
#include "eval/evaluate.hpp"
#include "models/checkpoint.hpp"
#include "record/fields.hpp"

namespace fercli {

namespace {

using nlohmann::json;

/// What a group of images may take: what an interrupt costs, and how often the progress line moves.
constexpr double kSecondsPerGroup = 4;
constexpr int64_t kFirstGroup = 4, kSmallestGroup = 4, kLargestGroup = 256, kGrowth = 4;
/// So many images go through all legs before the next ones begin: what is kept between two legs is several times as
/// large as the images.
constexpr int64_t kMostInHand = 512, kFewestInHand = 64, kBytesInHand = 8 << 20;

std::string tensor_digest(const torch::Tensor& tensor) {
  const auto values = tensor.contiguous();
  return Digest().add(values.data_ptr(), values.nbytes()).hex();
}

/// The rows that a trial is about.
std::vector<int64_t> concerned_rows(const Bench& bench, const Trial& trial) {
  std::vector<int64_t> rows;
  for (int64_t row = 0; row < bench.images.size(); ++row) {
    if (trial.targets.defined() || trial.goal.concerns(bench.images.labels[row].item<int64_t>())) rows.push_back(row);
  }
  if (rows.empty() && bench.images.size() > 0) {
    throw UserError(fmt::format("{}: has no image that the goal {} concerns", bench.images.name, trial.goal.name));
  }
  return rows;
}

/// Who makes the images: the surrogate, or the network itself.
const Classifier& image_maker(const Bench& bench, const Trial& trial) {
  return trial.surrogate.classifier ? *trial.surrogate.classifier : bench.network;
}

torch::Tensor verdict_on(const Bench& bench, const Dataset& images, const std::vector<int64_t>& rows,
                         int64_t batch_size, Observer& observer) {
  if (rows.empty()) return torch::empty({0}, torch::kInt64);
  if (bench.verdict.defined()) return bench.verdict.index_select(0, torch::tensor(rows, torch::kInt64));
  const auto judge = bench.network.with_precision(Precision::Float32);
  return predicted_classes(predict(judge, images, batch_size, observer).probabilities);
}

/// By minimal_eps, and in float32.
bool searches_smallest_eps(const Trial& trial, const Attack& attack) {
  return trial.nearest && !attack.minimum_norm();
}

json described(const Trial& trial, const Attack& attack, Precision precision) {
  const bool exact = searches_smallest_eps(trial, attack);
  return attack.describe_on(exact ? Precision::Float32 : precision,
                            {trial.norm, attack.minimum_norm() ? trial.search_limit() : trial.ladder.back().eps});
}

/// Of one run on a data set of so many classes.
int64_t legs_of(const Trial& trial, const Attack& attack, int64_t classes) {
  if (searches_smallest_eps(trial, attack)) return 1;
  return attack.legs(trial.norm, trial.targeted(), classes);
}

/// Which of its stages each leg of a run belongs to.
std::vector<int64_t> stages_of_legs(const Trial& trial, const Attack& attack, int64_t classes) {
  std::vector<int64_t> stages(static_cast<size_t>(legs_of(trial, attack, classes)), 0);
  const auto* cascade = dynamic_cast<const Cascade*>(&attack);
  if (cascade == nullptr || searches_smallest_eps(trial, attack)) return stages;
  const auto of_parts = cascade->stages_of_parts(trial.norm, trial.targeted(), classes);
  for (size_t leg = 0; leg < stages.size(); ++leg) stages[leg] = of_parts.at(leg % of_parts.size());
  return stages;
}

AttackRecord new_record(const Trial& trial, const std::string& name, const Dataset& images, Precision precision) {
  const auto attack = trial.attack(name);
  const int64_t n = images.size(), classes = images.classes.size();
  const auto budgets = trial.ladder.size();
  AttackRecord record;
  record.name = name;
  record.access = Registry<AttackEntry>::instance().get(name).access;
  record.transferred = trial.surrogate.classifier != nullptr;
  record.minimum_norm = trial.one_run(*attack);
  record.stages = attack->stages();
  if (searches_smallest_eps(trial, *attack)) record.stages = {"smallest eps"};  // runs of all stages, many times
  record.settings = described(trial, *attack, precision);
  record.single_step = record.settings.value("steps", int64_t{0}) == 1;
  record.legs = legs_of(trial, *attack, classes);
  record.broken = torch::full({n}, static_cast<int64_t>(budgets), torch::kInt64);
  record.logits = torch::zeros({n, classes});
  record.distance = torch::full({n}, std::numeric_limits<double>::infinity(), torch::kFloat64);
  record.stage = torch::full({n}, -1, torch::kInt64);
  record.float_success = torch::zeros({n}, torch::kBool);
  if (trial.settings.pixel_grid) record.adversarial = images.images.clone();
  record.settled = torch::zeros({n}, torch::kInt64);
  record.leg = torch::zeros({n}, torch::kInt64);
  record.forward.assign(budgets, 0);
  record.backward.assign(budgets, 0);
  record.cost.assign(budgets, std::vector<StageCost>(record.stages.size()));
  record.seconds.assign(budgets, 0);
  return record;
}

/// How many images the next group takes.
class GroupSize {
 public:
  int64_t next() const { return next_; }

  void took(int64_t images, double seconds) {
    const double fitting = static_cast<double>(images) * kSecondsPerGroup / std::max(seconds, 1e-3);
    next_ = std::clamp(static_cast<int64_t>(fitting), kSmallestGroup,
                       std::max(kSmallestGroup, std::min(kLargestGroup, images * kGrowth)));
  }

 private:
  int64_t next_ = kFirstGroup;
};

class Campaign {
 public:
  Campaign(const Bench& bench, const Trial& trial, Ledger ledger, const CampaignOptions& options, Observer& observer)
      : bench_(bench),
        trial_(trial),
        options_(options),
        observer_(observer),
        maker_(image_maker(bench, trial)),
        ledger_(std::move(ledger)),
        images_(bench.images.select(ledger_.rows)),
        keys_(image_keys(images_.images)),
        saver_(options.state) {}

  Ledger run() {
    const Followed followed(observer_, {ledger_.steps(), ledger_.done()});
    if (!ledger_.finished()) saver_.save(ledger_);
    try {
      for (auto& record : ledger_.attacks) attack_all(record);
    } catch (const Interrupted&) {
      saver_.save(ledger_);
      if (options_.partial) return std::move(ledger_);
      throw Interrupted(options_.state ? fmt::format("interrupted in {}; the same command goes on from {}", now_,
                                                     options_.state->string())
                                       : fmt::format("interrupted in {}", now_));
    }
    saver_.save(ledger_);
    return std::move(ledger_);
  }

 private:
  torch::Tensor rows() const { return torch::tensor(ledger_.rows, torch::kInt64); }

  void attack_all(AttackRecord& record) {
    const auto attack = trial_.attack(record.name);
    stages_ = stages_of_legs(trial_, *attack, images_.classes.size());
    for (int64_t run = 0; run < record.runs(); ++run) {
      now_ = record.minimum_norm ? record.name : fmt::format("{} {}", record.name, trial_.ladder[run].text);
      settle_broken(record, run);
      std::vector<GroupSize> groups(static_cast<size_t>(record.legs));
      for (;;) {
        const auto pending = ledger_.attacked.logical_and(record.settled.eq(run)).nonzero().squeeze(1);
        if (pending.size(0) == 0) break;
        // Of an interrupted run, those in the midst of their legs come first.
        attack_some(*attack, record, run, pending.narrow(0, 0, std::min(in_hand(), pending.size(0))), groups);
      }
    }
  }

  int64_t in_hand() const {
    const int64_t bytes = std::max<int64_t>(1, images_.images[0].numel());
    return std::clamp(kBytesInHand / bytes, kFewestInHand, kMostInHand);
  }

  /// All legs of one run for these images.
  void attack_some(const Attack& attack, AttackRecord& record, int64_t run, const torch::Tensor& some,
                   std::vector<GroupSize>& groups) {
    for (int64_t leg = 0; leg < record.legs; ++leg) {
      observer_.at(record.legs > 1 ? fmt::format("{}, {} of {}", now_, leg + 1, record.legs) : now_);
      const auto waiting =
          record.settled.eq(run).logical_and(record.leg.eq(leg)).index_select(0, some).nonzero().squeeze(1);
      attack_leg(attack, record, {run, leg}, some.index_select(0, waiting), groups[static_cast<size_t>(leg)]);
    }
    if (!record.leg.any().item<bool>()) record.open = {};  // else a later run was resumed
  }

  /// Images broken at a smaller eps are broken here too.
  void settle_broken(AttackRecord& record, int64_t run) const {
    const auto known = record.settled.eq(run).logical_and(record.broken.lt(run)).logical_and(ledger_.attacked);
    record.settled.masked_fill_(known, run + 1);
    observer_.advance(0, record.legs * known.sum().item<int64_t>());
  }

  struct Leg {
    int64_t run, leg;
  };

  void attack_leg(const Attack& attack, AttackRecord& record, Leg at, const torch::Tensor& places, GroupSize& group) {
    for (int64_t begin = 0, count = 0; begin < places.size(0); begin += count) {
      count = std::min(group.next(), places.size(0) - begin);
      const auto start = Clock::now();
      const int64_t before = ledger_.done();
      attack_group(attack, record, at.run, at.leg, places.narrow(0, begin, count));
      record.seconds[static_cast<size_t>(at.run)] += seconds_since(start);
      group.took(count, seconds_since(start));
      observer_.advance(count, ledger_.done() - before - count);
      saver_.save_when_due(ledger_);
    }
  }

  AttackInput input_of(const torch::Tensor& places) const {
    std::vector<int64_t> keys;
    for (const int64_t place : list_of(places)) keys.push_back(keys_[static_cast<size_t>(place)]);
    const auto of_bench = rows().index_select(0, places);
    const auto goal = trial_.targets.defined() ? Goal::targeted(trial_.targets.index_select(0, of_bench))
                                               : trial_.goal.for_labels(images_.labels.index_select(0, places));
    AttackInput input{to_float(images_.images.index_select(0, places)), goal, keys};
    if (trial_.start.defined()) input.start = trial_.start.index_select(0, of_bench);
    if (trial_.mask.defined()) input.mask = trial_.mask.expand_as(input.x).contiguous();
    return input;
  }

  /// One leg for these images; nothing is written before it has ended.
  void attack_group(const Attack& attack, AttackRecord& record, int64_t run, int64_t leg, const torch::Tensor& places) {
    const auto input = input_of(places);
    const Rng noise = trial_.noise(record.name);
    const int64_t forwards = maker_.forwards(), backwards = maker_.backwards();
    if (searches_smallest_eps(trial_, attack)) {
      const auto nearest = minimal_eps(maker_, attack, trial_.norm, input, noise.split("minimal-eps"),
                                       {trial_.search_limit(), facts_of(trial_.norm).resolution});
      const auto found = nearest.eps.isfinite();
      settle(record, run, places, input,
             {nearest.x_adv, nearest.logits, found, found, nearest.eps, torch::zeros_like(places), 0, 0});
      count(record, {run, leg}, {places.size(0), nearest.forward, nearest.backward});
      return;
    }
    const double eps = record.minimum_norm ? trial_.search_limit() : trial_.ladder[static_cast<size_t>(run)].eps;
    AttackInput shown = input;
    if (&maker_ != &bench_.network) {
      shown.goal = goal_on_surrogate(input.goal, bench_.network.classes(), maker_.classes());
    }
    Findings findings = leg > 0 ? record.open.select(places) : Findings::none(input.x, maker_.classes().size());
    attack.run_leg(leg, maker_, {trial_.norm, eps}, shown, noise, findings);
    count(record, {run, leg}, {places.size(0), maker_.forwards() - forwards, maker_.backwards() - backwards});
    const auto ended = leg + 1 == record.legs ? torch::ones_like(findings.done) : findings.done;
    keep_open(record, places, findings, leg + 1);
    const auto over = ended.nonzero().squeeze(1);
    if (over.size(0) == 0) return;
    const auto input_over = over.size(0) == places.size(0) ? input : input_of(places.index_select(0, over));
    const Findings last = findings.select(over);
    auto found = attack_result(last, input_over.x, trial_.norm, trial_.settings.pixel_grid, 0, 0);
    found.stage = last.stage;  // of what the surrogate withstood, too
    settle(record, run, places.index_select(0, over), input_over, std::move(found));
  }

  void keep_open(AttackRecord& record, const torch::Tensor& places, const Findings& findings, int64_t legs) const {
    record.leg.index_fill_(0, places, legs);
    if (legs == record.legs) return;
    if (!record.open.x_adv.defined()) record.open = Findings::like(findings, images_.size());
    record.open.put(places, findings);
  }

  /// Writes what became of images whose run has ended.
  void settle(AttackRecord& record, int64_t run, const torch::Tensor& places, const AttackInput& input,
              AttackResult found) const {
    if (&maker_ != &bench_.network) {
      show_transferred(bench_.network, trial_.norm, trial_.settings.pixel_grid, input, found);
      found.stage = found.stage.masked_fill(found.x_adv.eq(input.x).flatten(1).all(1), -1);
    }
    const auto broken = record.minimum_norm
                            ? first_budgets(found)
                            : torch::full_like(places, record.budgets()).masked_fill(found.success, run);
    const auto none = found.success.logical_not();
    record.broken.index_copy_(0, places, broken);
    record.logits.index_copy_(0, places, found.logits);
    record.distance.index_copy_(0, places, found.distance.masked_fill(none, std::numeric_limits<double>::infinity()));
    record.stage.index_copy_(0, places, found.stage.masked_fill(none, -1));
    record.float_success.index_copy_(0, places, found.float_success);
    if (record.adversarial.defined()) record.adversarial.index_copy_(0, places, to_8bit(found.x_adv));
    record.settled.index_fill_(0, places, run + 1);
    record.leg.index_fill_(0, places, 0);
  }

  /// What a leg has cost: the images that came to it are counted where its stage begins.
  void count(AttackRecord& record, Leg at, StageCost cost) const {
    const auto run = static_cast<size_t>(at.run), leg = static_cast<size_t>(at.leg);
    const int64_t stage = stages_[leg];
    if (std::find(stages_.begin(), stages_.begin() + at.leg, stage) != stages_.begin() + at.leg) cost.images = 0;
    record.forward[run] += cost.forward;
    record.backward[run] += cost.backward;
    record.cost[run].at(static_cast<size_t>(stage)).add(cost);
  }

  /// (N) int64: the first budget whose ball holds the success; the number of budgets where there is none.
  torch::Tensor first_budgets(const AttackResult& found) const {
    const auto budgets = static_cast<int64_t>(trial_.ladder.size());
    auto first = torch::full_like(found.stage, budgets);
    for (int64_t budget = budgets - 1; budget >= 0; --budget) {
      const double eps = trial_.ladder[static_cast<size_t>(budget)].eps;
      first.masked_fill_(within(found.distance, eps, trial_.settings.pixel_grid).logical_and(found.success), budget);
    }
    return first;
  }

  const Bench& bench_;
  const Trial& trial_;
  const CampaignOptions& options_;
  Observer& observer_;
  const Classifier& maker_;  ///< of the images: the surrogate, or the network itself
  Ledger ledger_;
  Dataset images_;  ///< those of the ledger
  std::vector<int64_t> keys_;
  std::string now_;
  std::vector<int64_t> stages_;  ///< of each leg of the attack that has its turn
  LedgerSaver saver_;
};

}  // namespace

json campaign_identity(const Bench& bench, const Trial& trial, const Shard& shard) {
  json identity = {{"version", version()},
                   {"plug-ins", Shape<std::vector<LoadedPlugIn>>::write(loaded_plug_ins())},
                   {"model", bench.digest},
                   {"data set", bench.images.select(concerned_rows(bench, trial)).digest()},
                   {"norm", to_string(trial.norm)},
                   {"goal", trial.goal.name},
                   {"seed", trial.seed},
                   {"precision", to_string(bench.network.precision())},
                   {"shard", {shard.index, shard.of}}};
  identity.update(describe_classifier(bench.network));
  for (const auto& budget : trial.ladder) identity["eps"].push_back(budget.text);
  const auto precision = image_maker(bench, trial).precision();
  for (const auto& name : trial.attacks) {
    const auto attack = trial.attack(name);
    json settings = described(trial, *attack, precision);
    settings["legs"] = legs_of(trial, *attack, bench.images.classes.size());  // a state counts them
    identity["attacks"].push_back(settings);
  }
  identity["surrogate"] = trial.surrogate.digest;
  if (trial.nearest) identity["nearest"] = trial.search_limit();
  if (trial.misclassified_too) identity["misclassified too"] = true;
  if (trial.mask.defined()) identity["mask"] = mask_digest(trial.mask);
  if (trial.targets.defined()) identity["targets"] = tensor_digest(trial.targets);
  if (trial.start.defined()) identity["start"] = tensor_digest(trial.start);
  return identity;
}

std::vector<int64_t> Shard::places(const std::vector<int64_t>& image_keys) const {
  std::vector<int64_t> places;
  for (size_t i = 0; i < image_keys.size(); ++i) {
    if (holds(image_keys[i])) places.push_back(static_cast<int64_t>(i));
  }
  return places;
}

std::vector<int64_t> campaign_rows(const Bench& bench, const Trial& trial, const Shard& shard) {
  const auto concerned = concerned_rows(bench, trial);
  std::vector<int64_t> rows;
  for (const int64_t place : shard.places(image_keys(bench.images.select(concerned).images))) {
    rows.push_back(concerned[static_cast<size_t>(place)]);
  }
  return rows;
}

Ledger begin_campaign(const Bench& bench, const Trial& trial, const CampaignOptions& options, Observer& observer) {
  Ledger ledger;
  ledger.rows = campaign_rows(bench, trial, options.shard);
  const Dataset images = bench.images.select(ledger.rows);
  const auto identity = campaign_identity(bench, trial, options.shard);
  std::error_code error;
  if (options.state && std::filesystem::exists(*options.state, error)) {
    auto rows = std::move(ledger.rows);
    ledger = Ledger::load(*options.state, identity);
    ledger.rows = std::move(rows);  // the same images may stand elsewhere among the others by now
    observer.resumed(options.state->string());
    return ledger;
  }
  ledger.identity = identity;
  ledger.labels = images.labels;
  ledger.verdict = verdict_on(bench, images, ledger.rows, trial.settings.batch_size, observer);
  ledger.attacked = trial.misclassified_too ? torch::ones_like(ledger.labels, torch::kBool) : ledger.right();
  for (const auto& name : trial.attacks) {
    ledger.attacks.push_back(new_record(trial, name, images, image_maker(bench, trial).precision()));
  }
  return ledger;
}

Ledger continue_campaign(const Bench& bench, const Trial& trial, Ledger ledger, const CampaignOptions& options,
                         Observer& observer) {
  return Campaign(bench, trial, std::move(ledger), options, observer).run();
}

Ledger run_campaign(const Bench& bench, const Trial& trial, const CampaignOptions& options, Observer& observer) {
  if (std::set<std::string>(trial.attacks.begin(), trial.attacks.end()).size() != trial.attacks.size()) {
    throw UserError(fmt::format("--attacks {}: names an attack twice", join(trial.attacks, ",")));
  }
  if (options.division != nullptr) return options.division->run(bench, trial, options, observer);
  return continue_campaign(bench, trial, begin_campaign(bench, trial, options, observer), options, observer);
}

}  // namespace fercli
