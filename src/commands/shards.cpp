#include "commands/shards.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/files.hpp"
#include "core/json_text.hpp"
#include "core/options.hpp"
#include "core/output_lock.hpp"
#include "core/text.hpp"

namespace fercli {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kFolder = "shards";
constexpr const char* kRunFile = "run.json";
constexpr const char* kLedgerEnd = ".ledger";

std::string shown(const Shard& shard) {
  return fmt::format("{}/{}", shard.index + 1, shard.of);
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

/// A Slurm array of jobs, each of which may have several processes.
std::optional<Shard> place_in_array(const std::function<const char*(const char*)>& variable) {
  const auto id = number_of(variable("SLURM_ARRAY_TASK_ID")), of = number_of(variable("SLURM_ARRAY_TASK_COUNT"));
  if (!id || !of) return {};
  const int64_t first = number_of(variable("SLURM_ARRAY_TASK_MIN")).value_or(0);
  const int64_t step = std::max<int64_t>(1, number_of(variable("SLURM_ARRAY_TASK_STEP")).value_or(1));
  return Shard{(*id - first) / step, *of};
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

/// The arguments without this option, in any way that it can be written.
std::vector<std::string> without(const std::vector<std::string>& arguments, const std::string& name, char letter) {
  const std::string dashed = "--" + name, brief = letter ? std::string{'-', letter} : dashed;
  std::vector<std::string> rest;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    if (word == dashed || word == brief) {
      ++i;  // its value
    } else if (word.compare(0, dashed.size() + 1, dashed + "=") != 0 &&
               (letter == 0 || word.compare(0, 2, brief) != 0)) {
      rest.push_back(word);
    }
  }
  return rest;
}

json read_run(const fs::path& folder) {
  const json run = json::parse(read_file(folder / kRunFile), nullptr, false);
  const auto is_text = [](const json& value) { return value.is_string(); };
  const bool complete = run.is_object() && is_text(run.value("state", json())) &&
                        is_text(run.value("command", json())) && run.value("identity", json()).is_object() &&
                        run.value("arguments", json()).is_array() &&
                        std::all_of(run.at("arguments").begin(), run.at("arguments").end(), is_text);
  if (!complete) throw UserError(fmt::format("{}: is damaged", (folder / kRunFile).string()));
  return run;
}

}  // namespace

void ShardOption::declare(OptionSet& options) {
  options.text("shard", &text, "I/N",
               "attack only part I of N of the images, chosen by their pixels; `fercli merge DIR` makes the result of "
               "all. auto: the number of this process in a job of Slurm, OpenMPI or PMI");
}

void ShardOption::check(const OptionSet& options, const std::string& out) const {
  if (!given()) return;
  parse_shard(text, [](const char* name) -> const char* { return std::getenv(name); });
  if (!options.given_on_command_line("shard")) options.fail("shard", "belongs on the command line, not in a file");
  if (out.empty()) options.fail("shard", "needs --out, a folder for the shards");
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

void run_shard(const ShardedCommand& command, const ShardOption& option, const Bench& bench, const Trial& trial) {
  CampaignOptions options;
  options.shard = parse_shard(option.text, [](const char* name) -> const char* { return std::getenv(name); });
  const fs::path folder = command.out / kFolder;
  make_folder(folder);
  const json identity = campaign_identity(bench, trial);
  if (fs::exists(folder / kRunFile)) {
    const auto different = differing_keys(read_run(folder).at("identity"), identity);
    if (!different.empty()) {
      throw UserError(fmt::format("--shard {}: {} holds shards of a run that differs in {}; choose another --out",
                                  shown(options.shard), folder.string(), fmt::join(different, ", ")));
    }
  } else {
    const auto arguments = without(without(command.arguments, "shard", 0), "out", 'o');
    write_file(
        folder / kRunFile,
        pretty_json(
            {{"command", command.name}, {"arguments", arguments}, {"state", command.state}, {"identity", identity}}) +
            "\n");
  }
  options.state = folder / fmt::format("{}-of-{}{}", options.shard.index + 1, options.shard.of, kLedgerEnd);
  const auto lock = OutputLock::of_file(*options.state);
  ProgressObserver observer;
  const Ledger ledger = run_campaign(bench, trial, options, observer);
  print_text("shard {}: {} images, kept in {}\n`fercli merge {}` makes the result when all shards are there\n",
             shown(options.shard), ledger.size(), options.state->string(), command.out.string());
}

ShardedCommand merge_shards(const fs::path& out) {
  const fs::path folder = out / kFolder;
  if (!fs::exists(folder / kRunFile)) {
    throw UserError(
        fmt::format("{}: holds no shards; `fercli eval` and `fercli attack` write them with --shard", out.string()));
  }
  const json run = read_run(folder);
  std::vector<Ledger> shards;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == kLedgerEnd) shards.push_back(Ledger::load(entry.path()));
  }
  ShardedCommand command{run.at("command"), run.at("arguments").get<std::vector<std::string>>(), out, run.at("state")};
  Ledger::merge(shards).save(out / command.state);
  return command;
}

}  // namespace fercli
