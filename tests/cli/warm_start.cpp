// Preloaded into fercli by the tests. To load LibTorch takes a second of processor time; so one process does it, waits
// here instead of beginning with `main`, and becomes each run that it is asked for by a fork.
#include <dlfcn.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cerrno>
#include <filesystem>
#include <iterator>
#include <string>
#include <vector>

#include "tests/cli/run_request.hpp"

namespace {

using namespace fercli::test;

using Main = int (*)(int, char**, char**);
using StartMain = int (*)(Main, int, char**, void (*)(), void (*)(), void (*)(), void*);

constexpr unsigned kLongestRun = 900;  ///< seconds, after which a run that hangs is killed
Main main_of_program = nullptr;

std::vector<std::string> next_request() {
  std::string packet(kLargestRequest, '\0');
  ssize_t size = 0;
  do {
    size = ::recv(kWarmSocket, packet.data(), packet.size(), 0);
  } while (size < 0 && errno == EINTR);
  if (size <= 0) ::_exit(0);  // the tests have ended
  std::vector<std::string> words;
  for (size_t at = 0; at < static_cast<size_t>(size); at += words.back().size() + 1)
    words.emplace_back(packet.c_str() + at);
  return words;
}

void answer(int number) {
  if (::send(kWarmSocket, &number, sizeof number, MSG_NOSIGNAL) != sizeof number) ::_exit(0);
}

int64_t number_of_threads() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {});
}

int run(const std::vector<std::string>& request, char* program) {
  ::close(kWarmSocket);
  if (::chdir(request[0].c_str()) != 0 || ::setenv("PATH", request[1].c_str(), 1) != 0) ::_exit(126);
  settle_in(request[2].c_str(), request[3].c_str(), request[4].c_str());
  ::alarm(kLongestRun);
  std::vector<char*> words{program};
  for (size_t i = 5; i < request.size(); ++i) words.push_back(const_cast<char*>(request[i].c_str()));
  words.push_back(nullptr);
  return main_of_program(static_cast<int>(words.size()) - 1, words.data(), environ);
}

int wait_and_fork(int, char** arguments, char**) {
  ::unsetenv("LD_PRELOAD");
  if (number_of_threads() != 1) return 1;  // a fork would have this one only
  answer(kReady);
  for (;;) {
    const auto request = next_request();
    const pid_t process = ::fork();
    if (process == 0) return run(request, arguments[0]);
    answer(process);
    int status = 0;
    while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
    }
    answer(status);
  }
}

}  // namespace

extern "C" int __libc_start_main(Main main, int count, char** words, void (*begin)(), void (*end)(),
                                 void (*end_loader)(), void* stack_end) {
  main_of_program = main;
  const auto start = reinterpret_cast<StartMain>(::dlsym(RTLD_NEXT, "__libc_start_main"));
  return start(wait_and_fork, count, words, begin, end, end_loader, stack_end);
}
