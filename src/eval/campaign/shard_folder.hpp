#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/output_lock.hpp"
#include "eval/campaign/division.hpp"

namespace fercli {

/// "2/3".
std::string to_string(const Shard& shard);

/// A command that is divided into shards, as the first of them keeps it in OUT/shards/run.json.
struct ShardedRun {
  std::filesystem::path out;
  std::string command;                 ///< "eval"
  std::vector<std::string> arguments;  ///< after it, without --shard, --out and what only a person gives
  nlohmann::json identity = nlohmann::json::object();  ///< by name, what must be the same in all shards, beyond their
                                                       ///< campaigns, which are compared one by one
  static ShardedRun read(const std::filesystem::path& out);  ///< throws UserError: no shards, or a damaged file
};

/// The revisions of the programs that finished the shards of OUT; those of older programs are not kept.
std::set<std::string> revisions_of_shards(const std::filesystem::path& out);

/// Makes one shard: OUT/shards/I-of-N holds a ledger of each campaign. Other processes may help.
class ShardMaker : public Division {
 public:
  /// `team`: how the shard itself is divided; none: not at all. Throws UserError: shards of another run are there.
  ShardMaker(const ShardedRun& run, const Shard& shard, Division* team);

  bool ledgers_only() const override { return true; }
  Ledger run(const Bench& bench, const Trial& trial, const CampaignOptions& options, Observer& observer) override;
  nlohmann::json agree(const nlohmann::json& mine) override;
  bool does_part(int64_t index) const override;
  std::filesystem::path own_parts() const override { return folder_ / "parts"; }
  void finish() override;  ///< marks the shard as complete

 private:
  bool writes() const { return !fercli::ledgers_only(team_); }
  void compare(const std::filesystem::path& file, const nlohmann::json& identity) const;

  std::filesystem::path out_, shards_, folder_;
  Shard shard_;
  Division* team_;
  std::optional<OutputLock> lock_;
};

/// Puts the shards of OUT together, in place of attacks.
class ShardMerger : public Division {
 public:
  /// Throws UserError that names the shard which is missing, there twice or unfinished.
  explicit ShardMerger(std::filesystem::path out);

  bool ledgers_only() const override { return false; }
  Ledger run(const Bench& bench, const Trial& trial, const CampaignOptions& options, Observer& observer) override;
  std::vector<std::filesystem::path> made_parts() const override;

 private:
  Ledger piece(const Bench& bench, const Trial& trial, const CampaignOptions& options, const Shard& shard) const;

  std::filesystem::path out_;
  int64_t of_ = 0;
};

}  // namespace fercli
