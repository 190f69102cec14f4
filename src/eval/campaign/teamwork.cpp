// One campaign among the processes of a team. A message is one letter and what belongs to it. From a member:
//   ? {"campaign": n} or {"agreement": n}: it waits for a block of its nth campaign, or for the nth agreement
//   + [worked, skipped, what]: how far it is with its block
//   = ledger: its block, as far as it came; it waits for another
//   ! text: it cannot help
// From the leader: B ledger: a block; O ledger or nothing: that campaign is over; V value: what was agreed.
#include "eval/campaign/teamwork.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/json_text.hpp"
#include "core/notice.hpp"
#include "core/tensor_list.hpp"
#include "eval/campaign/ledger_saver.hpp"

namespace fercli {

namespace {

using nlohmann::json;

/// A block is this share of what is left for each member, so that all end together, and no more than fits a few
/// batches: what is lost with a member.
constexpr int64_t kSharesLeft = 3, kLargestBlock = 32;
constexpr double kBetweenLooksAtInterrupt = 0.2;

std::deque<int64_t> unfinished_places(const Ledger& ledger) {
  const auto places = list_where(ledger.through().logical_not());
  return {places.begin(), places.end()};
}

/// Tells the leader how far a block is, and hears whether it is still wanted.
class RemoteObserver : public Observer {
 public:
  explicit RemoteObserver(Team& team) : team_(team) {}

  void at(const std::string& attack) override { attack_ = attack; }

  void advance(int64_t worked, int64_t skipped) override {
    if (worked + skipped > 0) team_.send(0, "+" + json{worked, skipped, attack_}.dump());
    const auto message = team_.receive(0);
    if (message && !message->text) throw Dismissed();
  }

 private:
  Team& team_;
  std::string attack_;
};

/// The leader's next message to this member. Throws Dismissed, Interrupted.
std::string hear(Team& team) {
  for (;;) {
    throw_if_interrupted();
    const auto message = team.receive(kBetweenLooksAtInterrupt);
    if (message && !message->text) throw Dismissed();
    if (message) return *message->text;
  }
}

}  // namespace

struct TeamLeader::Work {
  int64_t number;
  Ledger ledger;
  Observer& observer;
  LedgerSaver saver;
  std::deque<int64_t> left;  ///< places to hand out
  std::map<int64_t, Block> busy = {};
};

std::vector<int64_t> TeamLeader::members() const {
  auto all = team_.members();
  all.erase(std::remove_if(all.begin(), all.end(), [&](int64_t member) { return useless_.count(member) > 0; }),
            all.end());
  return all;
}

void TeamLeader::hand_out(Work& work) {
  for (auto idle = idle_.begin(); idle != idle_.end() && !work.left.empty();) {
    if (idle->second.value("campaign", int64_t{-1}) != work.number) {
      ++idle;
      continue;
    }
    const auto left = static_cast<int64_t>(work.left.size()),
               shares = kSharesLeft * static_cast<int64_t>(members().size());
    const int64_t count = std::clamp((left + shares - 1) / shares, int64_t{1}, kLargestBlock);
    const std::vector<int64_t> places(work.left.begin(), work.left.begin() + count);
    work.left.erase(work.left.begin(), work.left.begin() + count);
    Block block{torch::tensor(places, torch::kInt64)};
    team_.send(idle->first, "B" + work.ledger.select(block.places).bytes());
    work.busy.emplace(idle->first, std::move(block));
    idle = idle_.erase(idle);
  }
}

void TeamLeader::take_result(Work& work, int64_t member, const std::string& bytes) {
  const auto block = work.busy.find(member);
  if (block == work.busy.end()) return;
  const Ledger part = Ledger::from_bytes(bytes);
  work.ledger.put(block->second.places, part);
  for (const int64_t place : unfinished_places(part)) {  // the member was interrupted
    work.left.push_back(block->second.places[place].item<int64_t>());
  }
  work.busy.erase(block);
  idle_[member] = {{"campaign", work.number}};
}

void TeamLeader::lose(Work& work, int64_t member, const std::string& why) {
  idle_.erase(member);
  const auto block = work.busy.find(member);
  const bool had_images = block != work.busy.end();
  const bool known = interrupted() || (useless_.count(member) > 0 && why.compare(0, 6, "cannot") != 0);
  if (!known)
    warn(fmt::format("{} {}{}", team_.name_of(member), why,
                     had_images
                         ? fmt::format("; its {} images are attacked again by another", block->second.places.size(0))
                         : std::string()));
  if (!had_images) return;
  work.observer.advance(-block->second.worked, -block->second.skipped);
  const auto& places = block->second.places;
  for (int64_t i = places.size(0) - 1; i >= 0; --i) work.left.push_front(places[i].item<int64_t>());
  work.busy.erase(block);
}

void TeamLeader::answer(int64_t member, const json& question) {
  const auto has = [&](const char* kind, size_t known) {
    const auto number = question.value(kind, int64_t{-1});
    return number >= 0 && static_cast<size_t>(number) < known;
  };
  if (has("campaign", over_.size())) {
    team_.send(member, "O" + over_[question.at("campaign").get<size_t>()]);
  } else if (has("agreement", agreed_.size())) {
    team_.send(member, "V" + compact_json(agreed_[question.at("agreement").get<size_t>()]));
  } else {
    idle_[member] = question;
  }
}

void TeamLeader::answer_all() {
  for (const auto& [member, question] : std::exchange(idle_, {})) answer(member, question);
}

/// The next message, when one comes in so many seconds.
bool TeamLeader::handle(Work& work, double seconds) {
  const auto message = team_.receive(seconds);
  if (!message) return false;
  const int64_t member = message->from;
  if (!message->text) {
    lose(work, member, message->reason);
    return true;
  }
  const std::string content = message->text->substr(1);
  switch (message->text->at(0)) {
    case '?':
      answer(member, json::parse(content));
      break;
    case '+': {
      const auto block = work.busy.find(member);
      if (block == work.busy.end()) break;
      const auto report = json::parse(content);
      block->second.worked += report.at(0).get<int64_t>();
      block->second.skipped += report.at(1).get<int64_t>();
      work.observer.at(report.at(2));
      work.observer.advance(report.at(0), report.at(1));
      break;
    }
    case '=':
      take_result(work, member, content);
      break;
    default:
      useless_.insert(member);
      lose(work, member, "cannot help: " + content);
  }
  return true;
}

/// After an interrupt: what the members have of their blocks.
void TeamLeader::collect(Work& work) {
  team_.interrupt();
  const auto start = Clock::now();
  while (!work.busy.empty() && seconds_since(start) < team_.patience()) handle(work, kBetweenLooksAtInterrupt);
}

Ledger TeamLeader::run(const Bench& bench, const Trial& trial, const CampaignOptions& options, Observer& observer) {
  Work work{static_cast<int64_t>(over_.size()),
            begin_campaign(bench, trial, options, observer),
            observer,
            LedgerSaver(options.state),
            {}};
  const Followed followed(observer, {work.ledger.steps(), work.ledger.done()});
  work.left = unfinished_places(work.ledger);
  if (!work.left.empty()) work.saver.save(work.ledger);
  while (!work.left.empty() || !work.busy.empty()) {
    if (interrupted()) {
      collect(work);
      work.saver.save(work.ledger);
      if (options.partial) return std::move(work.ledger);
      throw Interrupted(options.state
                            ? fmt::format("interrupted; the same command goes on from {}", options.state->string())
                            : std::string("interrupted"));
    }
    if (members().empty()) {
      warn("no other process is left; this one attacks the rest of the images");
      CampaignOptions alone = options;
      alone.division = nullptr;
      work.ledger = continue_campaign(bench, trial, std::move(work.ledger), alone, observer);
      break;
    }
    hand_out(work);
    handle(work, kBetweenLooksAtInterrupt);
    work.saver.save_when_due(work.ledger);
  }
  work.saver.save(work.ledger);
  over_.push_back(options.needed ? work.ledger.bytes() : "");
  answer_all();
  return std::move(work.ledger);
}

json TeamLeader::agree(const json& mine) {
  agreed_.push_back(mine);
  answer_all();
  return mine;
}

Ledger TeamMember::attack_block(const Bench& bench, const Trial& trial, const CampaignOptions& options,
                                const std::string& bytes) {
  Ledger block = Ledger::from_bytes(bytes);
  const auto different = differing_keys(block.identity, campaign_identity(bench, trial, options.shard));
  if (!different.empty()) {
    throw UserError(fmt::format("what it is to do differs from the leading process in {}", fmt::join(different, ", ")));
  }
  CampaignOptions whole;
  whole.partial = true;
  RemoteObserver observer(team_);
  return continue_campaign(bench, trial, std::move(block), whole, observer);
}

Ledger TeamMember::run(const Bench& bench, const Trial& trial, const CampaignOptions& options, Observer&) {
  team_.send(0, "?" + json{{"campaign", campaigns_++}}.dump());
  for (;;) {
    const std::string message = hear(team_);
    const std::string content = message.substr(1);
    if (message.at(0) == 'O') return content.empty() ? Ledger{} : Ledger::from_bytes(content);
    team_.send(0, "=" + attack_block(bench, trial, options, content).bytes());
  }
}

json TeamMember::agree(const json&) {
  team_.send(0, "?" + json{{"agreement", agreements_++}}.dump());
  return json::parse(hear(team_).substr(1));
}

void TeamMember::fail(const std::string& reason) {
  team_.send(0, "!" + reason);
}

}  // namespace fercli
