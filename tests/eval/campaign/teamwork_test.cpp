// Campaigns among the processes of a team, with threads in place of processes.
#include "eval/campaign/teamwork.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <array>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "core/error.hpp"
#include "core/files.hpp"
#include "tests/attacks/linear_network.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/data/sample_data.hpp"

namespace fercli {

namespace {

using test::ScratchFolder;
using testing::HasSubstr;

constexpr int64_t kSideOfTeam = 8, kImagesOfTeam = 24;
constexpr int64_t kForever = 1 << 20;

/// Where the messages of a team lie until they are read.
struct Post {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Team::Message> for_leader;
  std::map<int64_t, std::deque<std::string>> for_member;
  std::vector<int64_t> members;
  bool over = false;

  void change(const std::function<void()>& what) {
    const std::lock_guard lock(mutex);
    what();
    changed.notify_all();
  }
};

class LeadersEnd : public Team {
 public:
  explicit LeadersEnd(Post& post) : post_(post) {}
  int64_t number() const override { return 0; }
  std::vector<int64_t> members() const override { return post_.members; }
  std::string name_of(int64_t member) const override { return fmt::format("process {}", member); }
  double patience() const override { return 1; }

  void send(int64_t to, const std::string& text) override {
    post_.change([&] { post_.for_member[to].push_back(text); });
  }

  std::optional<Message> receive(double) override {
    std::unique_lock lock(post_.mutex);
    post_.changed.wait(lock, [&] { return !post_.for_leader.empty(); });
    Message message = std::move(post_.for_leader.front());
    post_.for_leader.pop_front();
    if (!message.text) {
      auto& members = post_.members;
      members.erase(std::remove(members.begin(), members.end(), message.from), members.end());
    }
    return message;
  }

 private:
  Post& post_;
};

struct Killed {};

/// Is killed at its nth message.
class MembersEnd : public Team {
 public:
  MembersEnd(Post& post, int64_t number, int64_t messages) : post_(post), number_(number), left_(messages) {}
  int64_t number() const override { return number_; }
  std::vector<int64_t> members() const override { return {}; }
  std::string name_of(int64_t) const override { return "the leading process"; }
  double patience() const override { return 1; }

  void send(int64_t, const std::string& text) override {
    const bool killed = left_-- == 0;
    post_.change([&] {
      post_.for_leader.push_back(killed ? Message{number_, {}, "was killed by signal 9"} : Message{number_, text});
    });
    if (killed) throw Killed();
  }

  std::optional<Message> receive(double seconds) override {
    std::unique_lock lock(post_.mutex);
    auto& mine = post_.for_member[number_];
    if (seconds > 0) post_.changed.wait(lock, [&] { return post_.over || !mine.empty(); });
    if (mine.empty()) return post_.over ? std::optional<Message>(Message{0, {}, "has ended"}) : std::nullopt;
    Message message{0, std::move(mine.front())};
    mine.pop_front();
    return message;
  }

 private:
  Post& post_;
  int64_t number_, left_;
};

Classifier network_of_team() {
  const int64_t pixels = kSideOfTeam * kSideOfTeam;
  const auto v = torch::arange(pixels).remainder(2) * 2 - 1;
  const auto weight = torch::stack({v, -v, torch::zeros({pixels}, torch::kInt64)}).to(torch::kFloat32);
  return test::linear_classifier(weight, torch::tensor({0.4f, 0.0f, -100.0f}), kSideOfTeam);
}

class TeamworkOn : public testing::Test {
 protected:
  TeamworkOn() {
    data_.name = "blobs";
    data_.images = test::test_images(kImagesOfTeam, kSideOfTeam, 80, 175);
    data_.labels = network_.logits(to_float(data_.images)).argmax(1);
    data_.labels[0] = 1 - data_.labels[0];
    data_.classes = network_.classes();
    data_.splits.assign(kImagesOfTeam, Split::None);
    for (int64_t i = 0; i < kImagesOfTeam; ++i) data_.ids.push_back(fmt::format("blob-{}", i));
    trial_.attacks = {"pgd", "autoattack"};
    trial_.ladder = parse_ladder("1/255,2/255", Norm::Linf);
    trial_.goal.name = "untargeted";
    trial_.settings.set("random-start", true);
    trial_.settings.set("steps", 4);
    trial_.settings.set("queries", 100);
  }

  ~TeamworkOn() override {
    post_.change([&] { post_.over = true; });
    for (auto& thread : threads_) thread.join();
  }

  /// A member, which has a network of its own, as a process has.
  void start_member(int64_t messages = kForever, uint64_t seed = 0) {
    const auto number = static_cast<int64_t>(threads_.size()) + 1;
    post_.members.push_back(number);
    threads_.emplace_back([this, number, messages, seed] {
      MembersEnd end(post_, number, messages);
      TeamMember member(end);
      const Classifier network = network_of_team();
      Trial trial = trial_;
      trial.seed = seed;
      CampaignOptions options = options_;
      options.state.reset();
      options.division = &member;
      try {
        for (;;) learnt_[static_cast<size_t>(number)] = run_campaign({network, data_, "digest"}, trial, options);
      } catch (const UserError& error) {
        member.fail(error.what());
      } catch (const Killed&) {
      } catch (const Dismissed&) {
      }
    });
  }

  Ledger lead(Observer& observer = Observer::none()) {
    LeadersEnd end(post_);
    TeamLeader leader(end);
    CampaignOptions options = options_;
    options.division = &leader;
    testing::internal::CaptureStderr();
    Ledger ledger = run_campaign({network_, data_, "digest"}, trial_, options, observer);
    said_ = testing::internal::GetCapturedStderr();
    return ledger;
  }

  std::string bytes_of(Ledger ledger) const {
    for (auto& record : ledger.attacks) std::fill(record.seconds.begin(), record.seconds.end(), 0.0);
    return ledger.bytes();
  }

  std::string single() const { return bytes_of(run_campaign({network_, data_, "digest"}, trial_)); }

  Classifier network_ = network_of_team();
  Dataset data_;
  Trial trial_;
  CampaignOptions options_;
  Post post_;
  std::vector<std::thread> threads_;
  std::array<Ledger, 8> learnt_;
  std::string said_;
};

/// Counts what it is told.
class Counting : public Observer {
 public:
  void begin(const Work& work) override { all = work.total, moved = work.done; }
  void advance(int64_t worked, int64_t skipped) override { moved += worked + skipped; }

  int64_t all = 0, moved = 0;
};

TEST_F(TeamworkOn, ThreeMembersMakeTheBytesOfOneProcess) {
  for (int i = 0; i < 3; ++i) start_member();
  Counting observer;
  EXPECT_EQ(bytes_of(lead(observer)), single());
  EXPECT_EQ(observer.moved, observer.all);
  EXPECT_EQ(said_, "");
}

TEST_F(TeamworkOn, TheImagesOfAMemberThatIsKilledAreAttackedByAnother) {
  start_member(2);  // with its first block: it has asked, and has reported once
  start_member();
  Counting observer;
  EXPECT_EQ(bytes_of(lead(observer)), single());
  EXPECT_EQ(observer.moved, observer.all);
  EXPECT_THAT(said_, HasSubstr("process 1 was killed by signal 9; its "));
  EXPECT_THAT(said_, HasSubstr(" images are attacked again by another"));
}

TEST_F(TeamworkOn, WhereAllMembersAreGoneTheLeaderAttacksTheRest) {
  start_member(2);
  start_member(3);
  EXPECT_EQ(bytes_of(lead()), single());
  EXPECT_THAT(said_, HasSubstr("no other process is left; this one attacks the rest of the images"));
}

TEST_F(TeamworkOn, AMemberThatWouldDoSomethingElseIsNamedAndNotUsed) {
  start_member(kForever, 7);
  start_member();
  EXPECT_EQ(bytes_of(lead()), single());
  EXPECT_THAT(said_, HasSubstr("process 1 cannot help: what it is to do differs from the leading process in seed"));
}

TEST_F(TeamworkOn, MembersLearnALedgerThatIsNeeded) {
  options_.needed = true;
  start_member();
  const std::string led = bytes_of(lead());
  post_.change([&] { post_.over = true; });
  threads_.front().join();
  threads_.clear();
  EXPECT_EQ(bytes_of(learnt_[1]), led);
}

/// Interrupts a campaign after its first group.
class StopsAtOnce : public Observer {
 public:
  void begin(const Work& work) override { attacks_ = work.unit == "steps"; }
  void advance(int64_t worked, int64_t) override {
    if (attacks_ && worked > 0) throw Interrupted("interrupted");
  }

 private:
  bool attacks_ = false;
};

TEST_F(TeamworkOn, AnUnfinishedStateIsGoneOnWith) {
  const ScratchFolder folder;
  options_.state = folder / "campaign.state";
  StopsAtOnce observer;
  EXPECT_THROW(run_campaign({network_, data_, "digest"}, trial_, options_, observer), Interrupted);
  const int64_t done = Ledger::load(*options_.state).done();
  ASSERT_GT(done, 0);
  start_member();
  start_member();
  Counting counting;
  EXPECT_EQ(bytes_of(lead(counting)), single());
  EXPECT_EQ(counting.moved, counting.all);
  EXPECT_TRUE(Ledger::load(*options_.state).finished());
}

}  // namespace

}  // namespace fercli
