// A team of processes on one machine, which its leader starts: each is this program with the same words, and is joined
// to its leader by a pair of sockets. A message is its length in eight bytes, then its bytes.
#include "core/process_team.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/text.hpp"

extern char** environ;

namespace fercli {

namespace {

constexpr const char* kStartedAs = "FERCLI_MEMBER";  ///< "2/4": the second of four
constexpr int kMembersEnd = 3;                       ///< the number of a member's end of the sockets
constexpr size_t kReadAtOnce = size_t{1} << 20;
constexpr double kProcessPatience = 60;  ///< a member ends what it is at, and that takes seconds

/// One end of a pair of sockets.
class SocketEnd {
 public:
  explicit SocketEnd(int number) : number_(number) {}
  ~SocketEnd() { close(); }
  SocketEnd(SocketEnd&& other) noexcept : number_(other.number_), got_(std::move(other.got_)) { other.number_ = -1; }
  SocketEnd& operator=(SocketEnd&&) = delete;

  int number() const { return number_; }

  void close() {
    if (number_ >= 0) ::close(number_);
    number_ = -1;
  }

  /// False where the other end is gone.
  bool send(const std::string& text) {
    const uint64_t size = text.size();
    std::string frame(reinterpret_cast<const char*>(&size), sizeof size);
    frame += text;
    for (size_t sent = 0; sent < frame.size();) {
      const ssize_t count = ::send(number_, frame.data() + sent, frame.size() - sent, MSG_NOSIGNAL);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return false;
      sent += static_cast<size_t>(count);
    }
    return true;
  }

  /// Reads what is there, at least a byte. False where the other end is gone.
  bool read_more() {
    std::string bytes(kReadAtOnce, '\0');
    const ssize_t count = ::recv(number_, bytes.data(), bytes.size(), 0);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) return true;
    if (count <= 0) return false;
    got_.append(bytes, 0, static_cast<size_t>(count));
    return true;
  }

  /// The next whole message of what was read.
  std::optional<std::string> next() {
    uint64_t size = 0;
    if (got_.size() < sizeof size) return {};
    std::memcpy(&size, got_.data(), sizeof size);
    if (got_.size() - sizeof size < size) return {};
    std::string text = got_.substr(sizeof size, size);
    got_.erase(0, sizeof size + size);
    return text;
  }

 private:
  int number_;
  std::string got_;
};

/// Waits until one of these has something to read, or so many seconds.
void wait_for(std::vector<pollfd>& ends, double seconds) {
  if (::poll(ends.data(), ends.size(), static_cast<int>(seconds * 1000)) < 0) {
    for (auto& end : ends) end.revents = 0;  // a signal
  }
}

std::string reason_of_end(int status) {
  if (WIFSIGNALED(status)) return fmt::format("was killed by signal {}", WTERMSIG(status));
  return fmt::format("ended with exit code {}", WEXITSTATUS(status));
}

class StartedProcesses : public Team {
 public:
  StartedProcesses(int64_t members, const std::vector<std::string>& words) {
    for (int64_t number = 1; number <= members; ++number) start(number, members, words);
  }

  ~StartedProcesses() override {
    for (auto& [number, member] : members_) ::kill(member.process, SIGKILL);  // what they had has been fetched
    for (auto& [number, member] : members_) ::waitpid(member.process, nullptr, 0);
  }

  int64_t number() const override { return 0; }

  std::vector<int64_t> members() const override {
    std::vector<int64_t> numbers;
    for (const auto& [number, member] : members_) numbers.push_back(number);
    return numbers;
  }

  std::string name_of(int64_t member) const override {
    const auto found = processes_.find(member);
    return fmt::format("process {}", found == processes_.end() ? 0 : found->second);
  }

  void send(int64_t to, const std::string& text) override {
    const auto member = members_.find(to);
    if (member != members_.end()) member->second.end.send(text);  // that it is gone, `receive` finds
  }

  std::optional<Message> receive(double seconds) override {
    if (auto message = next()) return message;
    std::vector<pollfd> ends;
    for (const auto& [number, member] : members_) ends.push_back({member.end.number(), POLLIN, 0});
    wait_for(ends, seconds);
    size_t place = 0;
    for (auto member = members_.begin(); member != members_.end(); ++member, ++place) {
      if (ends[place].revents == 0 || member->second.end.read_more()) continue;
      // What came whole before the end still counts.
      if (auto text = member->second.end.next()) return Message{member->first, std::move(text)};
      return lose(member);
    }
    return next();
  }

  void interrupt() override {
    for (const auto& [number, member] : members_) ::kill(member.process, SIGINT);
  }

  double patience() const override { return kProcessPatience; }

 private:
  struct Member {
    pid_t process;
    SocketEnd end;
  };

  std::optional<Message> next() {
    for (auto& [number, member] : members_) {
      if (auto text = member.end.next()) return Message{number, std::move(text)};
    }
    return {};
  }

  Message lose(std::map<int64_t, Member>::iterator member) {
    int status = 0;
    ::kill(member->second.process, SIGKILL);  // it may only have closed its end
    ::waitpid(member->second.process, &status, 0);
    Message message{member->first, {}, reason_of_end(status)};
    members_.erase(member);
    return message;
  }

  void start(int64_t number, int64_t of, const std::vector<std::string>& words) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) fail(errno);
    SocketEnd own(ends[0]), theirs(ends[1]);
    std::vector<char*> arguments{const_cast<char*>("fercli")};
    for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    const std::string place = fmt::format("{}={}/{}", kStartedAs, number, of);
    std::vector<char*> environment{const_cast<char*>(place.c_str())};
    for (char** variable = environ; *variable != nullptr; ++variable) environment.push_back(*variable);
    environment.push_back(nullptr);
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&files, theirs.number(), kMembersEnd);
    // A group of its own: Ctrl-C reaches the leader alone, which passes it on once.
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setpgroup(&attributes, 0);
    pid_t process = 0;
    const int error =
        ::posix_spawn(&process, "/proc/self/exe", &files, &attributes, arguments.data(), environment.data());
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    if (error != 0) fail(error);
    processes_[number] = process;
    members_.emplace(number, Member{process, std::move(own)});
  }

  [[noreturn]] static void fail(int error) {
    throw RunError(fmt::format("--processes: a process cannot be started ({})", std::strerror(error)));
  }

  std::map<int64_t, Member> members_;
  std::map<int64_t, pid_t> processes_;  ///< of all that were started
};

/// The side of a member.
class StartedProcess : public Team {
 public:
  explicit StartedProcess(int64_t number) : number_(number), leader_(kMembersEnd) {
    ::fcntl(kMembersEnd, F_SETFD, FD_CLOEXEC);
    leave_ending_to_leader();            // a signal to all processes of a job comes from outside and from the leader
    ::prctl(PR_SET_NAME, "fercli");      // it was started as /proc/self/exe, and lists of processes would say "exe"
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a leader that is killed leaves nothing behind
  }

  int64_t number() const override { return number_; }
  std::vector<int64_t> members() const override { return {}; }
  std::string name_of(int64_t) const override { return "the leading process"; }
  void send(int64_t, const std::string& text) override { leader_.send(text); }

  std::optional<Message> receive(double seconds) override {
    const auto end = Clock::now() + std::chrono::duration<double>(seconds);
    do {
      if (auto text = leader_.next()) return Message{0, std::move(text)};
      std::vector<pollfd> ends{{leader_.number(), POLLIN, 0}};
      wait_for(ends, std::max(0.0, std::chrono::duration<double>(end - Clock::now()).count()));
      if (ends[0].revents != 0 && !leader_.read_more()) return Message{0, {}, "is gone"};
    } while (Clock::now() < end);
    if (auto text = leader_.next()) return Message{0, std::move(text)};
    return {};
  }

  double patience() const override { return kProcessPatience; }

 private:
  int64_t number_;
  SocketEnd leader_;
};

}  // namespace

StartedAs started_as() {
  const char* text = std::getenv(kStartedAs);
  struct stat about {};
  if (text == nullptr || ::fstat(kMembersEnd, &about) != 0 || !S_ISSOCK(about.st_mode)) return {};
  const auto words = split(text, '/');
  try {
    if (words.size() == 2) return {parse_integer(words[0]), parse_integer(words[1])};
  } catch (const std::invalid_argument&) {
  }
  return {};
}

std::unique_ptr<Team> join_starter(int64_t number) {
  return std::make_unique<StartedProcess>(number);
}

std::unique_ptr<Team> start_processes(int64_t members, const std::vector<std::string>& words) {
  return std::make_unique<StartedProcesses>(members, words);
}

}  // namespace fercli
