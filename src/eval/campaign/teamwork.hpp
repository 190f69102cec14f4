#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/team.hpp"
#include "eval/campaign/division.hpp"

namespace fercli {

/// The process that hands out blocks of images, puts together what comes back, and keeps the state. It attacks no image
/// itself unless all members are gone. A member that goes is reported, and its images are handed out again.
class TeamLeader : public Division {
 public:
  explicit TeamLeader(Team& team) : team_(team) {}

  bool ledgers_only() const override { return false; }
  Ledger run(const Bench& bench, const Trial& trial, const CampaignOptions& options, Observer& observer) override;
  nlohmann::json agree(const nlohmann::json& mine) override;

 private:
  struct Block {
    torch::Tensor places;             ///< of the ledger
    int64_t worked = 0, skipped = 0;  ///< as its member has reported
  };
  struct Work;  ///< on one campaign

  std::vector<int64_t> members() const;
  void hand_out(Work& work);
  bool handle(Work& work, double seconds);
  void take_result(Work& work, int64_t member, const std::string& bytes);
  void lose(Work& work, int64_t member, const std::string& why);
  void answer(int64_t member, const nlohmann::json& question);
  void collect(Work& work);
  void answer_all();

  Team& team_;
  std::vector<std::string> over_;           ///< of each campaign that is over: its ledger where it is needed
  std::vector<nlohmann::json> agreed_;      ///< by `agree`
  std::map<int64_t, nlohmann::json> idle_;  ///< members and what they wait for
  std::set<int64_t> useless_;               ///< members that have failed
};

/// A process that attacks the blocks of images that it is handed.
class TeamMember : public Division {
 public:
  explicit TeamMember(Team& team) : team_(team) {}

  bool ledgers_only() const override { return true; }
  Ledger run(const Bench& bench, const Trial& trial, const CampaignOptions& options, Observer& observer) override;
  nlohmann::json agree(const nlohmann::json& mine) override;

  /// Tells the leader why this process cannot help.
  void fail(const std::string& reason);

 private:
  Ledger attack_block(const Bench& bench, const Trial& trial, const CampaignOptions& options, const std::string& bytes);

  Team& team_;
  int64_t campaigns_ = 0, agreements_ = 0;
};

/// Thrown in a member whose leader is done or gone.
struct Dismissed {};

}  // namespace fercli
