#include "tests/cli/waiting_program.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <thread>

#include "tests/cli/run_request.hpp"

namespace fercli::test {

int status_of(pid_t process, const KillPlan& plan, const std::function<std::optional<int>(bool at_once)>& look) {
  bool pending = static_cast<bool>(plan.when);
  for (;;) {
    if (const auto status = look(pending)) return *status;
    if (pending && plan.when()) {
      kill(process, plan.signal_number);
      pending = false;
    }
    if (pending) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

std::vector<char*> pointers_to(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (const auto& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

#ifdef FERCLI_WARM_START

namespace {

/// The environment of this process but for PATH, which each request brings.
std::vector<std::string> environment_now() {
  std::vector<std::string> all;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (std::string(*variable).compare(0, 5, "PATH=") != 0) all.emplace_back(*variable);
  }
  return all;
}

const std::vector<std::string> environment_at_start = environment_now();

class WaitingProgram {
 public:
  WaitingProgram() {
    int ends[2];
    if (std::getenv("LD_PRELOAD") != nullptr || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
      return;
    const pid_t between = fork();
    if (between == 0) {
      if (fork() == 0) wait_at(ends[1]);
      _exit(0);  // so that it is a child of nobody: tests look for the children that they have
    }
    waitpid(between, nullptr, 0);
    close(ends[1]);
    socket_ = ends[0];
    free_ = answer(false) == kReady;
  }
  ~WaitingProgram() { close(socket_); }
  WaitingProgram(const WaitingProgram&) = delete;
  WaitingProgram& operator=(const WaitingProgram&) = delete;

  std::optional<int> run(const RunRequest& request, const KillPlan& plan) {
    if (!free_.exchange(false)) return {};
    std::string packet;
    const char* path = std::getenv("PATH");
    for (const auto& word : {std::filesystem::current_path().string(), std::string(path == nullptr ? "" : path),
                             request.out, request.err, request.largest_file})
      packet += word + '\0';
    for (const auto& word : request.arguments) packet += word + '\0';
    if (packet.size() > kLargestRequest || send(socket_, packet.data(), packet.size(), MSG_NOSIGNAL) < 0) {
      throw std::runtime_error("the waiting program cannot be asked");
    }
    const auto look = [this](bool at_once) {
      const auto status = answer(at_once);
      if (status == kGone) throw std::runtime_error("the waiting program has ended");
      return status;
    };
    const int status = status_of(*look(false), plan, look);
    free_ = true;
    return status;
  }

 private:
  static constexpr int kGone = -1;  // no status, and no process

  /// In a new process: becomes the program.
  [[noreturn]] static void wait_at(int socket) {
    auto variables = environment_at_start;
    variables.emplace_back("LD_PRELOAD=" FERCLI_WARM_START);
    const std::vector<std::string> words{FERCLI_PROGRAM};
    const auto environment = pointers_to(variables), arguments = pointers_to(words);
    settle_in("/dev/null", "/dev/null", "");
    if (dup2(socket, kWarmSocket) == kWarmSocket) fcntl(kWarmSocket, F_SETFD, 0);
    close_range(kWarmSocket + 1, ~0U, 0);  // what a test has open now is not for the runs of later ones
    execve(FERCLI_PROGRAM, arguments.data(), environment.data());
    _exit(127);
  }

  std::optional<int> answer(bool at_once) const {
    int number = 0;
    ssize_t size = 0;
    do {
      size = recv(socket_, &number, sizeof number, at_once ? MSG_DONTWAIT : 0);
    } while (size < 0 && errno == EINTR);
    if (size < 0 && errno == EAGAIN) return {};
    return size == sizeof number ? number : kGone;
  }

  int socket_ = -1;
  std::atomic<bool> free_ = false;  ///< ready, and no run goes on (nor has one been left by an exception)
};

}  // namespace

std::optional<int> run_by_waiting_program(const RunRequest& request, const KillPlan& plan) {
  if (environment_now() != environment_at_start) return {};
  static WaitingProgram program;
  return program.run(request, plan);
}

#else

std::optional<int> run_by_waiting_program(const RunRequest&, const KillPlan&) {
  return {};
}

#endif

}  // namespace fercli::test
