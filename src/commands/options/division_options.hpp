#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/runtime.hpp"
#include "core/team.hpp"
#include "eval/campaign/campaign.hpp"
#include "eval/campaign/shard_folder.hpp"

namespace fercli {

class OptionSet;

/// `--shard` and `--processes` of the commands that put images under attack, and what mpirun says: how the work is
/// divided.
struct DivisionOptions {
  std::string shard;
  int64_t processes = 1;
  bool estimate = false;  ///< tell the cost, and stop

  void declare_shard(OptionSet& options);
  void declare_shard_of_verdicts(OptionSet& options);  ///< where images are looked at, not attacked
  void declare_processes(OptionSet& options);

  /// Throws UserError where they make no sense; `out` is the command's --out.
  void check(const OptionSet& options, const std::string& out) const;

  bool makes_shard() const;  ///< one part of the images, without a result

  /// With `runtime`'s threads divided among the processes of this machine.
  Runtime shared(Runtime runtime) const;
};

/// A command line: the command's name and its arguments.
std::vector<std::string> words_of(const std::string& command, const std::vector<std::string>& arguments);

/// The arguments of a command that is divided into shards.
struct PartedArguments {
  std::vector<std::string> kept;     ///< in OUT/shards: all but --shard, --out and what only a person gives
  std::vector<std::string> by_hand;  ///< what whoever merges gives again; a plug-in is kept too, as the name of a need
};
PartedArguments part_arguments(const std::string& command, const std::vector<std::string>& arguments);

/// The cost of one campaign on stdout, as far as a few images tell.
void print_estimate(const Bench& bench, const std::vector<Trial>& trials);

/// What the results say of the options: all but those of DivisionOptions, which change no figure.
nlohmann::json recorded_options(const OptionSet& options);

/// "2/3", or "auto": what a cluster gave this process. `variable` looks up the environment. Throws UserError.
Shard parse_shard(const std::string& text, const std::function<const char*(const char*)>& variable);

/// A command's work among the processes that do it.
class DividedWork {
 public:
  /// Starts or joins the other processes, if there are any. One that only helps is silent from here on.
  /// words: the command and its arguments.
  DividedWork(const DivisionOptions& options, std::vector<std::string> words, std::filesystem::path out);

  /// True where this process only makes ledgers: for a shard, or for another process.
  bool ledgers_only() const { return shard_ || (place_.member && team_); }

  /// True where it writes and prints the command's results.
  bool has_results() const { return !ledgers_only() && !options_.estimate; }

  /// True where it writes nothing at all.
  bool helps() const { return place_.member && team_ != nullptr; }

  /// Runs `work`, which returns an exit code. What goes wrong in a process that helps, the leading one says.
  int run(const std::function<int(DividedWork&)>& work);

  /// The shard that is being made.
  const std::optional<Shard>& shard() const { return shard_; }

  /// By whom campaigns are made; none: by this process alone. The first call says what must be the same in all shards,
  /// see ShardedRun.
  Division* division(const nlohmann::json& identity = nlohmann::json::object());

 private:
  void say_that_the_shard_is_made() const;

  const DivisionOptions& options_;
  std::vector<std::string> words_;
  std::filesystem::path out_;
  TeamPlace place_;
  std::optional<Shard> shard_;  ///< that is being made
  bool merges_;
  std::unique_ptr<Team> team_;
  std::unique_ptr<Division> in_team_, in_shards_;
};

}  // namespace fercli
