#pragma once

#include <nlohmann/json.hpp>

#include "eval/campaign/campaign.hpp"

namespace fercli {

/// How a command's campaigns are divided: among the processes of a team, or into shards that are made one by one. Every
/// process runs the same command and comes to the same campaigns in the same order.
class Division {
 public:
  virtual ~Division() = default;

  /// True where this process only makes ledgers: it measures nothing else, writes no results and prints none.
  virtual bool ledgers_only() const = 0;

  /// The campaign's ledger; where `ledgers_only`, an empty one may come back unless `options.needed`.
  virtual Ledger run(const Bench& bench, const Trial& trial, const CampaignOptions& options, Observer& observer) = 0;

  /// What the process that leads says, `mine` there.
  virtual nlohmann::json agree(const nlohmann::json& mine) { return mine; }

  /// Part of a command that is no campaign, the `index`th: does this process do it?
  virtual bool does_part(int64_t /*index*/) const { return !ledgers_only(); }

  /// Where such parts are kept until all shards are there; "": nowhere.
  virtual std::filesystem::path own_parts() const { return {}; }

  /// Where the shards have kept them.
  virtual std::vector<std::filesystem::path> made_parts() const { return {}; }

  /// Everything was done.
  virtual void finish() {}
};

inline bool ledgers_only(const Division* division) {
  return division != nullptr && division->ledgers_only();
}

/// Thrown by a part of a command that has made its ledgers, where nothing else is wanted.
struct LedgersMade {};

/// Throws LedgersMade there.
inline void stop_after_ledgers(const CampaignOptions& options) {
  if (ledgers_only(options.division)) throw LedgersMade();
}

}  // namespace fercli
