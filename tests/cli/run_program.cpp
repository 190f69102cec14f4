#include "tests/cli/run_program.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <thread>

#include "core/command.hpp"
#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/files.hpp"
#include "core/reason.hpp"

namespace fercli::test {

ProgramResult run_in_process(const std::vector<std::string>& arguments) {
  ProgramResult result{0, "", ""};
  std::string message;
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  try {
    result.exit_code = Registry<Command>::instance().get(arguments.at(0)).run({arguments.begin() + 1, arguments.end()});
  } catch (const UserError& error) {
    result.exit_code = 2;
    message = error.what();
  } catch (const Interrupted& error) {
    result.exit_code = 130;
    message = error.what();
  } catch (const std::exception& error) {
    result.exit_code = 1;
    message = reason_of(error);
  }
  std::fflush(stdout);
  result.out = testing::internal::GetCapturedStdout();
  result.err = testing::internal::GetCapturedStderr() + for_message(message);
  return result;
}

ScratchFolder::ScratchFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "fercli-test-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  path_ = pattern;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

ProgramResult run_fercli(const std::vector<std::string>& arguments, const std::function<bool()>& kill_when,
                         int signal_number) {
  return run_program(FERCLI_PROGRAM, arguments, kill_when, signal_number);
}

ProgramResult run_program(const std::string& program, const std::vector<std::string>& arguments,
                          const std::function<bool()>& kill_when, int signal_number) {
  const ScratchFolder folder;
  const std::string out = (folder / "out").string(), err = (folder / "err").string();
  const pid_t child = fork();
  if (child == 0) {
    const auto redirect = [](int descriptor, const std::string& file) {
      const int opened = open(file.c_str(), O_WRONLY | O_CREAT, 0600);
      if (opened < 0 || dup2(opened, descriptor) < 0) _exit(126);
    };
    redirect(STDOUT_FILENO, out);
    redirect(STDERR_FILENO, err);
    std::vector<char*> words{const_cast<char*>(program.c_str())};
    for (const auto& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
    words.push_back(nullptr);
    execv(program.c_str(), words.data());
    _exit(127);
  }
  if (child < 0) throw std::runtime_error("the program could not be started");
  int status = 0;
  bool pending = static_cast<bool>(kill_when);
  while (waitpid(child, &status, pending ? WNOHANG : 0) != child) {
    if (pending && kill_when()) {
      kill(child, signal_number);
      pending = false;
    }
    if (pending) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read_file(out), read_file(err)};
}

}  // namespace fercli::test
