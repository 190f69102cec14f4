#include "commands/options/division_options.hpp"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "core/command.hpp"
#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/options.hpp"
#include "core/plug_in.hpp"
#include "core/progress.hpp"
#include "core/reason.hpp"
#include "core/text.hpp"
#include "eval/campaign/estimate.hpp"
#include "eval/campaign/teamwork.hpp"

namespace fercli {

namespace {

using nlohmann::json;

constexpr const char* kMerge = "merge";  ///< the value of --shard with which `fercli merge` calls a command
constexpr int64_t kMostProcesses = 1024;
constexpr double kEstimateSeconds = 20;

const char* environment_variable(const char* name) {
  return std::getenv(name);
}

/// A whole number of the environment; none where it is not set or not one.
std::optional<int64_t> number_of(const char* text) {
  if (text == nullptr) return {};
  try {
    return parse_integer(text);
  } catch (const std::invalid_argument&) {
    return {};
  }
}

/// This process among those that the cluster started, by the variables of one launcher.
std::optional<Shard> place_of(const std::function<const char*(const char*)>& variable, const char* rank,
                              const char* size) {
  const auto index = number_of(variable(rank)), of = number_of(variable(size));
  if (!index || !of) return {};
  return Shard{*index, *of};
}

std::optional<Shard> place_in_job(const std::function<const char*(const char*)>& variable) {
  for (const auto& [rank, size] : {std::pair{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
                                   {"SLURM_PROCID", "SLURM_NTASKS"},
                                   {"PMI_RANK", "PMI_SIZE"}}) {
    if (const auto place = place_of(variable, rank, size)) return place;
  }
  return {};
}

/// A Slurm array of jobs, each of which may have several processes. Throws UserError where it leaves out numbers.
std::optional<Shard> place_in_array(const std::function<const char*(const char*)>& variable) {
  const auto id = number_of(variable("SLURM_ARRAY_TASK_ID")), of = number_of(variable("SLURM_ARRAY_TASK_COUNT"));
  if (!id || !of) return {};
  const int64_t first = number_of(variable("SLURM_ARRAY_TASK_MIN")).value_or(0);
  const int64_t step = std::max<int64_t>(1, number_of(variable("SLURM_ARRAY_TASK_STEP")).value_or(1));
  const int64_t last = number_of(variable("SLURM_ARRAY_TASK_MAX")).value_or(first + step * (*of - 1));
  const Shard place{(*id - first) / step, *of};
  if ((last - first) / step + 1 != *of || place.index < 0 || place.index >= *of) {
    throw UserError("--shard auto: the job array has gaps; name the part with --shard I/N");
  }
  return place;
}

Shard automatic_shard(const std::function<const char*(const char*)>& variable) {
  const auto array = place_in_array(variable), job = place_in_job(variable);
  if (!array && !job) {
    throw UserError(
        "--shard auto: finds no job; SLURM_ARRAY_TASK_ID, OMPI_COMM_WORLD_RANK, SLURM_PROCID and PMI_RANK are not set");
  }
  const Shard outer = array.value_or(Shard{}), inner = job.value_or(Shard{});
  return {outer.index * inner.of + inner.index, outer.of * inner.of};
}

/// How many words, from this one on, give the option, in any way that it can be written; 0: this one does not.
std::ptrdiff_t words_that_give(const DeclaredOption& option, const std::string& word) {
  const std::string dashed = "--" + option.name,
                    brief = option.short_name ? std::string{'-', option.short_name} : dashed;
  if (word == dashed || word == brief) return option.is_flag ? 1 : 2;
  const bool with_value = word.rfind(dashed + "=", 0) == 0 || (option.short_name && word.rfind(brief, 0) == 0);
  return with_value ? 1 : 0;
}

}  // namespace

void DivisionOptions::declare_shard(OptionSet& options) {
  options.text("shard", &shard, "I/N",
               "attack only part I of N of the images, chosen by their pixels; `fercli merge DIR` makes the result of "
               "all. auto: the number of this process in a job of Slurm, OpenMPI or PMI");
}

void DivisionOptions::declare_shard_of_verdicts(OptionSet& options) {
  options.text("shard", &shard, "I/N",
               "look only at part I of N of the images, and keep what was seen in --out; `fercli merge DIR` prints the "
               "result of all. auto: as in `fercli eval`");
}

void DivisionOptions::declare_processes(OptionSet& options) {
  options.integer("processes", &processes, between(1, kMostProcesses),
                  "share the attacks among this many processes of this machine, and the threads among them; changes no "
                  "result. Started by mpirun, they are shared among its processes");
  options.flag("estimate", &estimate,
               "only tell how long it would take: core-hours, and the time of 2, 8 and 64 processes");
}

void DivisionOptions::check(const OptionSet& options, const std::string& out) const {
  if (processes > 1 && team_place().mpi && shard.empty()) {
    options.fail("processes", "does not go with mpirun, which starts the processes itself");
  }
  if (estimate && !shard.empty()) options.fail("estimate", "does not go with --shard");
  if (shard.empty() || shard == kMerge) return;
  parse_shard(shard, environment_variable);
  if (!options.given_on_command_line("shard")) options.fail("shard", "belongs on the command line, not in a file");
  if (out.empty()) options.fail("shard", "needs --out, a folder for the shards");
}

bool DivisionOptions::makes_shard() const {
  return !shard.empty() && shard != kMerge;
}

Runtime DivisionOptions::shared(Runtime runtime) const {
  const TeamPlace place = team_place();
  // The one that leads only waits while the others attack, and needs all threads for everything else.
  const bool attacks = place.member || (place.mpi && makes_shard());
  if (attacks) runtime.threads = shared_threads(runtime.threads, place.on_machine);
  return runtime;
}

std::vector<std::string> words_of(const std::string& command, const std::vector<std::string>& arguments) {
  std::vector<std::string> words{command};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return words;
}

PartedArguments part_arguments(const std::string& command, const std::vector<std::string>& arguments) {
  PartedArguments parted;
  const auto options = declaration_of({command}).options;
  for (auto word = arguments.begin(); word != arguments.end();) {
    std::ptrdiff_t count = 0;
    const auto option = std::find_if(options.begin(), options.end(), [&](const DeclaredOption& each) {
      const bool left_out = each.by_hand || each.name == "shard" || each.name == "out";
      return left_out && (count = words_that_give(each, *word)) > 0;
    });
    const bool found = option != options.end();
    const auto next = word + std::min(found ? count : 1, arguments.end() - word);
    if (!found || option->name == kPlugInOption) parted.kept.insert(parted.kept.end(), word, next);
    if (found && option->by_hand) parted.by_hand.insert(parted.by_hand.end(), word, next);
    word = next;
  }
  return parted;
}

void print_estimate(const Bench& bench, const std::vector<Trial>& trials) {
  CampaignEstimate sum;
  ProgressObserver observer("Trying a few images");
  for (const auto& trial : trials) {
    const double budget = kEstimateSeconds / static_cast<double>(trials.size());
    const auto estimate = estimate_campaign(bench, trial, budget, observer);
    sum.images = estimate.images;
    sum.sampled = trials.size() > 1 && sum.sampled > 0 ? std::min(sum.sampled, estimate.sampled) : estimate.sampled;
    sum.seconds += estimate.seconds;
    sum.low += estimate.low;
    sum.high += estimate.high;
  }
  const int64_t threads = at::get_num_threads();
  const double hours = static_cast<double>(threads) / 3600;
  print_text("{} images to attack, estimated from {} of them: {}\n", sum.images, sum.sampled,
             describe_cost(sum.seconds, 0, threads));
  if (std::isfinite(sum.high)) {
    print_text("  95 % CI {:.2g} to {:.2g} core-hours (n = {})\n", sum.low * hours, sum.high * hours, sum.sampled);
  }
}

json recorded_options(const OptionSet& options) {
  json recorded = options.provenance();
  for (const char* name : {"shard", "processes", "estimate"}) recorded.erase(name);
  return recorded;
}

Shard parse_shard(const std::string& text, const std::function<const char*(const char*)>& variable) {
  if (text == "auto") return automatic_shard(variable);
  const auto words = split(text, '/');
  const auto index = words.size() == 2 ? number_of(words[0].c_str()) : std::nullopt;
  const auto of = words.size() == 2 ? number_of(words[1].c_str()) : std::nullopt;
  if (!index || !of || *index < 1 || *index > *of) {
    throw UserError(fmt::format("--shard {}: must be I/N with I from 1 to N, such as 2/3, or auto", text));
  }
  return {*index - 1, *of};
}

DividedWork::DividedWork(const DivisionOptions& options, std::vector<std::string> words, std::filesystem::path out)
    : options_(options),
      words_(std::move(words)),
      out_(std::move(out)),
      place_(team_place()),
      merges_(options.shard == kMerge) {
  if (options.makes_shard()) shard_ = parse_shard(options.shard, environment_variable);
  const bool own_team = merges_ || shard_;  // with shards, mpirun only says which one is meant
  if (place_.mpi && own_team) place_ = TeamPlace();
  if (place_.member) keep_silent();
  if (options.estimate || merges_) return;
  team_ = join_team(place_);
  if (!team_ && options.processes > 1) team_ = start_processes(options.processes, words_);
  if (!team_) return;
  if (place_.member) {
    in_team_ = std::make_unique<TeamMember>(*team_);
  } else {
    in_team_ = std::make_unique<TeamLeader>(*team_);
  }
}

Division* DividedWork::division(const json& identity) {
  if (in_shards_) return in_shards_.get();
  if (!shard_ && !merges_) return in_team_.get();
  if (merges_) {
    in_shards_ = std::make_unique<ShardMerger>(out_);
  } else {
    const std::vector<std::string> arguments(words_.begin() + 1, words_.end());
    const ShardedRun run{out_, words_.front(), part_arguments(words_.front(), arguments).kept, identity};
    in_shards_ = std::make_unique<ShardMaker>(run, *shard_, in_team_.get());
  }
  return in_shards_.get();
}

int DividedWork::run(const std::function<int(DividedWork&)>& work) {
  if (options_.estimate && place_.member) return 0;
  try {
    const int exit_code = work(*this);
    if (in_shards_) in_shards_->finish();
    if (shard_ && !helps()) say_that_the_shard_is_made();
    return exit_code;
  } catch (const Dismissed&) {
    return 0;
  } catch (const Interrupted&) {
    throw;
  } catch (const std::exception& error) {
    if (helps()) static_cast<TeamMember&>(*in_team_).fail(reason_of(error));
    throw;
  }
}

void DividedWork::say_that_the_shard_is_made() const {
  std::vector<std::string> merge{"fercli", "merge", out_.string()};
  const auto again = part_arguments(words_.front(), {words_.begin() + 1, words_.end()}).by_hand;
  merge.insert(merge.end(), again.begin(), again.end());
  print_text("shard {} is complete, in {}\n`{}` makes the result when all shards are there\n", to_string(*shard_),
             (out_ / "shards").string(), join(merge, " "));
}

}  // namespace fercli
