#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "eval/campaign/campaign.hpp"

namespace fercli {

class OptionSet;

/// `--shard I/N` of the commands that put images under attack.
struct ShardOption {
  std::string text;

  void declare(OptionSet& options);
  bool given() const { return !text.empty(); }

  /// Throws UserError where it makes no sense; `out` is the command's --out.
  void check(const OptionSet& options, const std::string& out) const;
};

/// "2/3", or "auto": what a cluster gave this process. `variable` looks up the environment. Throws UserError.
Shard parse_shard(const std::string& text, const std::function<const char*(const char*)>& variable);

/// One command line, of which every process runs one shard.
struct ShardedCommand {
  std::string name;                    ///< "eval"
  std::vector<std::string> arguments;  ///< after the name; --shard and --out are left out of what is kept
  std::filesystem::path out;           ///< --out
  std::string state;                   ///< where in it the whole campaign keeps its state
};

/// Runs one shard and keeps it as OUT/shards/I-of-N.ledger, beside a description of the run that the first shard writes
/// and every other compares. An interrupted shard goes on from there. Throws UserError: a shard of another run.
void run_shard(const ShardedCommand& command, const ShardOption& shard, const Bench& bench, const Trial& trial);

/// The shards of OUT as one ledger where the command finds it, and the arguments with which it then makes the result of
/// a single process. Throws UserError: no shards, one missing or unfinished, shards of different runs.
ShardedCommand merge_shards(const std::filesystem::path& out);

}  // namespace fercli
