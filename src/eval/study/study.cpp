#include "eval/study/study.hpp"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <cmath>

#include "core/build_info.hpp"
#include "core/clock.hpp"
#include "core/digest.hpp"
#include "core/environment.hpp"
#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/json_text.hpp"
#include "core/progress.hpp"
#include "core/tensor_list.hpp"
#include "eval/campaign/division.hpp"
#include "eval/campaign/estimate.hpp"
#include "eval/measures/subset.hpp"
#include "eval/result.hpp"
#include "eval/sanity.hpp"
#include "eval/study/invariants.hpp"
#include "eval/study/part.hpp"
#include "models/checkpoint.hpp"

namespace fercli {

using nlohmann::json;

namespace {

/// Raised whenever the figures of a part change for equal options.
constexpr int kFormat = 5;
constexpr int64_t kPilotImages = 64, kPilotSteps = 10;
constexpr int kPilotRounds = 4;
/// The estimate counts as much as this share of the work already done, when the pace is judged by what is done.
constexpr double kTrust = 0.1;

std::string ids_digest(const Dataset& images) {
  Digest digest;
  for (const auto& id : images.ids) digest.add(id).add(std::string_view("\0", 1));
  return digest.hex();
}

/// By which a network is known to the cache.
json identity_of(const StudyModel& model) {
  return {{"digest", model.digest}, {"classifier", describe_classifier(model.search)}};
}

/// One part on one model.
struct Job {
  const StudyPart* part;
  size_t model;
  Dataset images;
  json key;
  json value = {};     ///< once it is known
  double seconds = 0;  ///< expected

  std::string title(const std::vector<StudyModel>& models) const {
    return part->joint ? part->name : fmt::format("{} of {}", part->name, models[model].name);
  }
};

class Study {
 public:
  Study(const std::vector<StudyModel>& models, const StudyPlan& plan, const std::filesystem::path& cache,
        Observer& observer, Division* division)
      : models_(models),
        plan_(plan),
        cache_(cache_of(cache, division)),
        states_(cache, /*sweeps=*/false),
        observer_(observer),
        division_(division) {
    for (const auto& name : plan.parts) Registry<StudyPart>::instance().get(name);
    for (const auto& part : Registry<StudyPart>::instance().all()) {
      for (size_t model = 0; model < models.size(); ++model) add_job(part, model);
    }
    std::stable_sort(jobs_.begin(), jobs_.end(), [](const Job& a, const Job& b) {
      return std::pair(a.part->order, a.model) < std::pair(b.part->order, b.model);
    });
  }

  /// The parts that are still to be measured, in which only ledgers are made or parts that belong to this shard.
  void make_ledgers() {
    json missing = json::array();
    for (size_t i = 0; i < jobs_.size(); ++i) missing.push_back(i);
    for (const auto& index : division_->agree(missing)) {
      Job& job = jobs_.at(index.get<size_t>());
      if (job.part->attacks) {
        try {
          job.part->work.measure(subject_of(job));
        } catch (const LedgersMade&) {
        }
      } else if (job.value.is_null() && division_->does_part(index.get<int64_t>())) {
        observer_.say(job.title(models_));
        measure(job);
      }
    }
  }

  json run() {
    announce();
    if (division_ != nullptr) agree();
    const auto start = Clock::now();
    double expected = 0, ahead = 0;
    for (const auto& job : jobs_) ahead += job.value.is_null() ? job.seconds : 0;
    const double prior = kTrust * ahead;
    for (size_t i = 0; i < jobs_.size(); ++i) {
      Job& job = jobs_[i];
      if (!job.value.is_null()) continue;
      const double pace = ahead > 0 ? (seconds_since(start) + prior) / (expected + prior) : 1;
      observer_.say(fmt::format("[{}/{}] {}{}", i + 1, jobs_.size(), job.title(models_),
                                ahead > 0
                                    ? fmt::format(": about {}, {} left in all", format_duration(pace * job.seconds),
                                                  format_duration(pace * ahead))
                                    : ""));
      measure_or_fetch(job);
      expected += job.seconds;
      ahead -= job.seconds;
    }
    return report();
  }

  /// Of each part that is not known yet, said and kept.
  StudyCost estimate() {
    StudyCost cost;
    std::vector<Pilot> pilots;
    for (const auto& model : models_) pilots.push_back(look_at(model));
    cost.sampled = std::min(kPilotImages, models_.front().images.size());
    for (auto& job : jobs_) {
      if (!job.value.is_null()) continue;
      const auto images = job.images.size();
      double passes = 0;
      for (size_t i = 0; i < models_.size(); ++i) {
        if (job.part->joint || i == job.model) passes += job.part->work.passes(plan_, images, pilots[i]);
      }
      job.seconds = passes * pilots[job.model].seconds_per_pass;
      cost.seconds += job.seconds;
      if (!job.part->attacks) cost.serial += job.seconds;
      observer_.say(
          fmt::format("  {:<38} {:>6} images  about {}", job.title(models_), images, format_duration(job.seconds)));
    }
    return cost;
  }

 private:
  /// A process that only makes ledgers leaves the report's own cache alone.
  static std::filesystem::path cache_of(const std::filesystem::path& cache, const Division* division) {
    return ledgers_only(division) ? division->own_parts() : cache;
  }

  /// Tells the other processes which parts are missing.
  void agree() {
    json missing = json::array();
    for (size_t i = 0; i < jobs_.size(); ++i) {
      if (jobs_[i].value.is_null()) missing.push_back(i);
    }
    division_->agree(missing);
  }

  StudySubject subject_of(const Job& job) const {
    CampaignOptions campaign;
    campaign.state = states_.state(job.part->name, job.key);
    campaign.division = division_;
    return {plan_, models_, models_[job.model], job.images, cache_, job.key, campaign, observer_};
  }

  /// From the shards, which have measured it, or by measuring it now.
  void measure_or_fetch(Job& job) {
    const auto folders =
        division_ != nullptr && !job.part->attacks ? division_->made_parts() : std::vector<std::filesystem::path>();
    for (const auto& folder : folders) {
      if (auto stored = StudyCache(folder).find(job.part->name, job.key)) {
        job.value = std::move(*stored);
        cache_.store(job.part->name, job.key, job.value);
        return;
      }
    }
    if (!folders.empty()) {
      throw UserError(fmt::format("merge: the shards are of another run: none has measured {}", job.title(models_)));
    }
    measure(job);
  }

  void add_job(const StudyPart& part, size_t model) {
    if (!plan_.wants(part.name) || (part.joint && (model > 0 || models_.size() < 2))) return;
    Job job{&part, model, part.images(plan_, models_[model]), {}};
    job.key = {{"part", part.name},           {"format", kFormat},
               {"version", version()},        {"plug-ins", Shape<std::vector<LoadedPlugIn>>::write(loaded_plug_ins())},
               {"data", job.images.digest()}, {"options", part.work.options(plan_)},
               {"seed", plan_.seed},          {"precision", to_string(models_[model].search.precision())}};
    // The rows of StudyPlan::unseen and the user's own pictures belong to these images, and figures name images.
    job.key["evaluated"] = models_[model].images.digest();
    job.key["ids"] = {ids_digest(job.images), ids_digest(models_[model].images)};
    for (const auto& concerned : models_) {
      if (part.joint) job.key["models"].push_back({concerned.name, identity_of(concerned)});
    }
    if (!part.joint) job.key["model"] = identity_of(models_[model]);
    if (auto stored = cache_.find(part.name, job.key)) job.value = std::move(*stored);
    jobs_.push_back(std::move(job));
  }

  void announce() {
    const auto missing = std::count_if(jobs_.begin(), jobs_.end(), [](const Job& job) { return job.value.is_null(); });
    const auto known = static_cast<int64_t>(jobs_.size()) - missing;
    if (known > 0)
      observer_.say(fmt::format("{} of {} parts are in {}", known, jobs_.size(), cache_.folder().string()));
    const bool merges = division_ != nullptr && !division_->made_parts().empty();
    if (missing > 0 && plan_.mode == "full" && !merges) {
      const StudyCost cost = estimate();
      observer_.say(fmt::format("  about {} in all, as far as {} images tell; Ctrl-C keeps what is done",
                                format_duration(cost.seconds), cost.sampled));
      observer_.say("  " + describe_cost(cost.seconds, cost.serial, at::get_num_threads()));
    }
  }

  /// A few steps of PGD on a few images.
  Pilot look_at(const StudyModel& model) const {
    const Dataset images = subset(model.images, kPilotImages);
    Trial look;
    look.attacks = {"pgd"};
    look.ladder = plan_.ladder;
    look.goal = parse_emotion_goal("untargeted", images.classes);
    look.settings.set("steps", kPilotSteps);
    look.settings.batch_size = plan_.batch_size;
    look.seed = plan_.seed;
    const auto found = run_campaign({model.search, images}, look);
    Pilot pilot;
    pilot.seconds_per_pass = time_pass(model.search, images);
    const auto n = static_cast<double>(images.size());
    pilot.right = found.right().sum().item<double>() / n;
    for (size_t budget = 0; budget < plan_.ladder.size(); ++budget) {
      const auto robust = found.right().logical_and(found.attacks.front().broken.gt(static_cast<int64_t>(budget)));
      pilot.eps.push_back(plan_.ladder[budget].eps);
      pilot.robust.push_back(robust.sum().item<double>() / n);
    }
    pilot.values = images.images[0].numel();
    pilot.classes = images.classes.size();
    return pilot;
  }

  /// Seconds for one image, forward or backward: the best of a few rounds.
  static double time_pass(const Classifier& classifier, const Dataset& images) {
    const auto x = to_float(images.images);
    double best = std::numeric_limits<double>::infinity();
    for (int round = 0; round < kPilotRounds; ++round) {
      const auto start = Clock::now();
      const auto line = classifier.linearize(x);
      line.pullback(torch::ones_like(line.logits));
      best = std::min(best, seconds_since(start) / static_cast<double>(2 * x.size(0)));
    }
    return best;
  }

  int64_t forwards() const {
    int64_t sum = 0;
    for (const auto& model : models_) sum += model.judge.forwards();
    return sum;
  }

  int64_t backwards() const {
    int64_t sum = 0;
    for (const auto& model : models_) sum += model.judge.backwards();
    return sum;
  }

  void measure(Job& job) {
    const auto start = Clock::now();
    const int64_t forward = forwards(), backward = backwards();
    try {
      throw_if_interrupted();
      StudyFindings found = job.part->work.measure(subject_of(job));
      if (found.cost.is_null()) {
        found.cost = Shape<Cost>::write({forwards() - forward, backwards() - backward, seconds_since(start)});
      }
      job.value = {{"figures", std::move(found.figures)},
                   {"outcomes", Shape<ImageOutcomes>::write(found.outcomes)},
                   {"sanity", std::move(found.sanity)},
                   {"cost", std::move(found.cost)}};
    } catch (const Interrupted&) {
      throw Interrupted(fmt::format("interrupted in {}; the same command goes on from {}", job.title(models_),
                                    cache_.folder().string()));
    }
    cache_.store(job.part->name, job.key, job.value);
  }

  json report() const {
    json document = {{"schema", Result::kSchema}, {"command", "report"},
                     {"mode", plan_.mode},        {"n", models_.front().images.size()},
                     {"seed", plan_.seed},        {"models", json::array()},
                     {"parts", json::object()},   {"environment", Shape<Environment>::write(this_environment())}};
    std::map<std::string, ImageOutcomes> outcomes;
    for (const auto& model : models_) {
      add_model(document, model);
      outcomes[model.name] = {
          model.images.ids, list_of(model.images.labels), describe_pixels(model.images.images), {}, {}, {}};
    }
    for (const auto& job : jobs_) {
      place(document["parts"], job) = job.value.at("figures");
      add_cost(document["parts"]["cost"], job);
      const std::string& name = models_[job.model].name;
      add_outcomes(outcomes[name], Shape<ImageOutcomes>::read(job.value.at("outcomes")));
      if (!job.value.at("sanity").is_null()) add_sanity(document["parts"]["sanity"][name], job.value.at("sanity"));
    }
    add_warnings(document, outcomes);
    document["outcomes"] = Shape<std::map<std::string, ImageOutcomes>>::write(outcomes);
    return document;
  }

  static void add_model(json& document, const StudyModel& model) {
    document["models"].push_back(model.description);
    document["models"].back()["name"] = model.name;
    document["models"].back()["digest"] = model.digest;
    document["models"].back()["precision"] = to_string(model.search.precision());
    document["models"].back()["verdict_precision"] = to_string(model.judge.precision());
  }

  /// Where the figures of a part belong.
  json& place(json& parts, const Job& job) const {
    const auto& name = job.part->name;
    const auto dot = name.find('.');
    json& part = parts[name.substr(0, dot)];
    if (job.part->joint) return part;
    json& of_model = part[models_[job.model].name];
    return dot == std::string::npos ? of_model : of_model[name.substr(dot + 1)];
  }

  /// One entry per model; a joint part has given its cost by model itself.
  void add_cost(json& costs, const Job& job) const {
    const json& cost = job.value.at("cost");
    if (job.part->joint) {
      costs[job.part->name] = cost;
    } else {
      costs[job.part->name][models_[job.model].name] = cost;
    }
  }

  static void add_outcomes(ImageOutcomes& outcomes, const ImageOutcomes& found) {
    if (!found.answers.empty()) outcomes.answers = found.answers;
    outcomes.attacks.insert(outcomes.attacks.end(), found.attacks.begin(), found.attacks.end());
    outcomes.certified.insert(outcomes.certified.end(), found.certified.begin(), found.certified.end());
  }

  /// A question that one part could not ask and another could counts as asked.
  static void add_sanity(json& flags, const json& found) {
    for (const auto& flag : found) {
      const auto same = std::find_if(flags.begin(), flags.end(),
                                     [&](const json& known) { return known.at("flag") == flag.at("flag"); });
      if (same == flags.end()) {
        flags.push_back(flag);
      } else if (flag.at("raised").get<bool>() || flag.at("flag") == "square-after-white-box") {
        *same = flag;
      }
    }
  }

  void add_warnings(json& document, const std::map<std::string, ImageOutcomes>& outcomes) const {
    std::vector<Invariant> invariants;
    std::vector<Warning> warnings;
    const auto add = [&](const std::vector<Warning>& more) {
      warnings.insert(warnings.end(), more.begin(), more.end());
    };
    for (const auto& model : models_) {
      auto of_model = check_invariants(outcomes.at(model.name), model.name);
      add(violations_in(of_model));
      for (auto& invariant : of_model) invariants.push_back(std::move(invariant));
    }
    document["invariants"] = Shape<std::vector<Invariant>>::write(invariants);
    for (const auto& model : models_) {
      add(plain_warnings(model.warnings, model.name));
      add(warnings_of(Shape<std::vector<SanityFlag>>::read(
                          document["parts"].value("sanity", json::object()).value(model.name, json::array())),
                      model.name));
    }
    for (const auto& job : jobs_) {
      const json& figures = job.value.at("figures");
      if (!figures.is_object()) continue;
      add(plain_warnings(figures.value("warnings", std::vector<std::string>{}), models_[job.model].name));
    }
    document["warnings"] = Shape<std::vector<Warning>>::write(warnings);
  }

  const std::vector<StudyModel>& models_;
  const StudyPlan& plan_;
  StudyCache cache_;
  StudyCache states_;  ///< the report's own cache, for the names of unfinished campaigns
  Observer& observer_;
  Division* division_;
  std::vector<Job> jobs_;
};

void check_models(const std::vector<StudyModel>& models) {
  for (const auto& model : models) {
    if (model.images.ids != models.front().images.ids) {
      throw UserError(fmt::format("--model {}: reads other images than {}", model.name, models.front().name));
    }
    if (model.images.classes != models.front().images.classes) {
      throw UserError(fmt::format("--model {}: has its classes in another order than {}; give each a report of its own",
                                  model.name, models.front().name));
    }
  }
}

}  // namespace

Ledger run_part(const StudySubject& subject, const Trial& trial, const torch::Tensor& verdict) {
  Ledger ledger = run_campaign({subject.model.search, subject.images, subject.model.digest, verdict}, trial,
                               subject.campaign, subject.observer);
  stop_after_ledgers(subject.campaign);
  return ledger;
}

std::vector<int64_t> rows_of(const StudySubject& subject) {
  std::map<std::string, int64_t> row_of;
  int64_t row = 0;
  for (const auto& id : subject.model.images.ids) row_of[id] = row++;
  std::vector<int64_t> rows;
  for (const auto& id : subject.images.ids) rows.push_back(row_of.at(id));
  return rows;
}

double Pilot::robust_at(Norm norm, double size) const {
  const double linf = norm == Norm::L2 ? size / std::sqrt(static_cast<double>(values)) : size;
  double share = right;
  for (size_t i = 0; i < eps.size(); ++i) {
    if (eps[i] <= linf * (1 + 1e-9)) share = robust[i];
  }
  return share;
}

double Pilot::ladder_passes(Norm norm, const std::vector<Budget>& ladder, double broken_passes,
                            double robust_passes) const {
  double before = right, passes = 1;
  for (const auto& budget : ladder) {
    const double after = robust_at(norm, budget.eps);
    passes += after * robust_passes + (before - after) * broken_passes;
    before = after;
  }
  return passes;
}

StudyPlan StudyPlan::quick() {
  StudyPlan plan;
  plan.mode = "quick";
  plan.ladder = parse_ladder("1/255,2/255,4/255,8/255", Norm::Linf);
  plan.autoattack_ladder = parse_ladder("4/255,8/255", Norm::Linf);
  plan.l2_ladder = parse_ladder("0.25,0.5", Norm::L2);
  plan.at = {"4/255", 4 / 255.0};
  return plan;
}

StudyPlan StudyPlan::full() {
  StudyPlan plan = quick();
  plan.mode = "full";
  plan.autoattack_ladder = plan.ladder;
  plan.l2_ladder = parse_ladder("0.25,0.5,1", Norm::L2);
  return plan;
}

Parameter images_parameter(const std::string& quick) {
  return Parameter::whole("images", quick, at_least(0), "measured on at most this many; 0: all");
}

Values StudyPart::values(const StudyPlan& plan) const {
  Given all = plan.mode == "full" ? full : Given();
  const auto given = plan.given.find(name);
  if (given != plan.given.end()) {
    for (const auto& [parameter, value] : given->second) all[parameter] = value;
  }
  return {parameters, all};
}

Dataset StudyPart::images(const StudyPlan& plan, const StudyModel& model) const {
  const Dataset& all = faces ? model.faces : model.images;
  const Values values = this->values(plan);
  return values.has("images") ? subset(all, values.whole("images")) : all;
}

int64_t StudyPlan::budget(const std::string& part, const std::string& parameter) const {
  return Registry<StudyPart>::instance().get(part).values(*this).whole(parameter);
}

bool StudyPlan::wants(const std::string& part) const {
  return parts.empty() || std::find(parts.begin(), parts.end(), part) != parts.end();
}

json run_study(const std::vector<StudyModel>& models, const StudyPlan& plan, const std::filesystem::path& cache,
               Observer& observer, Division* division) {
  check_models(models);
  Study study(models, plan, cache, observer, division);
  if (!ledgers_only(division)) return study.run();
  study.make_ledgers();
  return {};
}

StudyCost estimate_study(const std::vector<StudyModel>& models, const StudyPlan& plan,
                         const std::filesystem::path& cache, Observer& observer) {
  check_models(models);
  return Study(models, plan, cache, observer, nullptr).estimate();
}

json study_identity(const std::vector<StudyModel>& models, const StudyPlan& plan) {
  json identity = {{"version", version()},
                   {"plug-ins", Shape<std::vector<LoadedPlugIn>>::write(loaded_plug_ins())},
                   {"mode", plan.mode},
                   {"seed", plan.seed},
                   {"parts", json::array()}};
  for (const auto& part : Registry<StudyPart>::instance().all()) {
    if (!plan.wants(part.name)) continue;
    identity["parts"].push_back(part.name);
    identity["options of " + part.name] = part.work.options(plan);
  }
  for (const auto& model : models) {
    identity["models"].push_back({model.name, identity_of(model)});
    identity["precision"].push_back(to_string(model.search.precision()));
    identity["data set"].push_back(model.images.digest());
    identity["images per part"].push_back(json::array());
    for (const auto& part : Registry<StudyPart>::instance().all()) {
      if (plan.wants(part.name)) identity["images per part"].back().push_back(part.images(plan, model).digest());
    }
  }
  return json::parse(compact_json(identity));
}

}  // namespace fercli
