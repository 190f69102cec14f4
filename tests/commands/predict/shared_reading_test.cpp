// Files among the processes of a team, whose other side is a script.
#include "commands/predict/shared_reading.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

namespace fercli::test {

namespace {

/// What comes in is known; what goes out is kept.
class ScriptedTeam : public Team {
 public:
  explicit ScriptedTeam(std::deque<Message> messages, std::vector<int64_t> members = {1})
      : messages_(std::move(messages)), members_(std::move(members)) {}

  int64_t number() const override { return 0; }
  std::vector<int64_t> members() const override { return members_; }
  std::string name_of(int64_t member) const override { return "process " + std::to_string(member); }
  double patience() const override { return 0; }
  void send(int64_t, const std::string& text) override { sent_.push_back(text); }

  std::optional<Message> receive(double) override {
    Message message = messages_.at(0);
    messages_.pop_front();
    if (!message.text) members_.erase(std::remove(members_.begin(), members_.end(), message.from), members_.end());
    return message;
  }

  const std::vector<std::string>& sent() const { return sent_; }

 private:
  std::deque<Message> messages_;
  std::vector<int64_t> members_;
  std::vector<std::string> sent_;
};

/// Two members. The one that gets the first block needs longer for it than the other for all that it is given.
class UnequalMembers : public Team {
 public:
  int64_t number() const override { return 0; }
  std::vector<int64_t> members() const override { return {1, 2}; }
  std::string name_of(int64_t member) const override { return "process " + std::to_string(member); }
  double patience() const override { return 0; }

  void send(int64_t to, const std::string& text) override {
    if (text[0] != 'B') return;
    ++handed_out_;
    auto& messages = handed_out_ == 1 ? late_ : messages_;
    messages.push_back({to, "+" + text.substr(1, text.find(' ') - 1) + "\n"});
    messages.push_back({to, "="});
  }

  std::optional<Message> receive(double) override {
    if (messages_.empty()) {
      ahead_ = handed_out_ - 1;
      messages_.swap(late_);
    }
    Message message = messages_.at(0);
    messages_.pop_front();
    return message;
  }

  int64_t ahead() const { return ahead_; }  ///< blocks that were handed out before the first was complete

 private:
  std::deque<Message> messages_{{1, "?"}, {2, "?"}}, late_;
  int64_t handed_out_ = 0, ahead_ = 0;
};

void take_nothing(const std::string&) {}

void read_nothing_here(const FileBlock&) {
  FAIL() << "there is a member";
}

TEST(SharedReading, MembersReadTheFilesThatTheirLeaderHasListed) {
  const std::vector<std::string> files{"a.png", " line\nfeed .png", "film.mp4"};
  ScriptedTeam leader({{1, "?"}, {1, "="}, {1, "="}});
  lead_reading(leader, files, "out", take_nothing, read_nothing_here);
  std::deque<Team::Message> messages;
  for (const auto& text : leader.sent()) messages.push_back({0, text});
  ScriptedTeam member(messages);
  std::vector<std::string> read;
  help_reading(member, [&](const auto& listed, const FileBlock& block, const std::string& folder, const auto&) {
    for (const size_t place : block) read.push_back(listed.at(place));
    EXPECT_EQ(folder, "out");
  });
  EXPECT_EQ(read, files);
}

TEST(SharedReading, NoFileWaitsForAMemberThatIsGone) {
  // The third has nothing to read when it is killed; then the first is killed, and the second reads its film too.
  ScriptedTeam team({{1, "?"}, {2, "?"}, {3, "?"}, {3, {}}, {1, {}}, {2, "+b\n"}, {2, "="}, {2, "+a\n"}, {2, "="}},
                    {1, 2, 3});
  std::string lines;
  lead_reading(
      team, {"a.mp4", "b.mp4"}, "", [&](const std::string& line) { lines += line; }, read_nothing_here);
  EXPECT_EQ(lines, "ab");
}

TEST(SharedReading, FewFilesWaitForALongFilmBeforeThem) {
  UnequalMembers team;
  std::vector<std::string> lines, numbers;
  for (int i = 0; i < 400; ++i) numbers.push_back(std::to_string(i));
  lead_reading(
      team, std::vector<std::string>(400, "film.mp4"), "", [&](const std::string& line) { lines.push_back(line); },
      read_nothing_here);
  EXPECT_GT(team.ahead(), 200);
  EXPECT_LT(team.ahead(), 300);
  EXPECT_EQ(lines, numbers);
}

}  // namespace

}  // namespace fercli::test
