// Finds the command, runs it, and turns exceptions into one message and an exit code.
#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <clocale>
#include <cstdio>
#include <filesystem>
#include <new>
#include <system_error>

#include "core/build_info.hpp"
#include "core/command.hpp"
#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/standard_output.hpp"
#include "core/text.hpp"

namespace {

using fercli::Command;
using fercli::Registry;

constexpr int kFailed = 1, kUsage = 2, kInterrupted = 130;

void print_overview() {
  fmt::print(
      "fercli {} - adversarial robustness of facial expression recognition\n\nUsage: fercli COMMAND "
      "[options]\n\nCommands:\n",
      fercli::version());
  for (const auto& command : Registry<Command>::instance().all())
    fmt::print("  {:<10} {}\n", command.name, command.summary);
  fmt::print(
      "\n`fercli COMMAND --help` shows the options of one command; `fercli --version` the version.\n"
      "First steps: fercli attack happy-to-sad\n");
}

int run(const std::vector<std::string>& words) {
  if (words.empty() || words[0] == "--help" || words[0] == "-h" || words[0] == "help") {
    if (words.size() > 1 && words[0] == "help") return Registry<Command>::instance().get(words[1]).run({"--help"});
    print_overview();
    return words.empty() ? kUsage : 0;
  }
  if (words[0] == "--version") {
    fmt::print("fercli {} ({})\n", fercli::version(), fercli::git_revision());
    return 0;
  }
  return Registry<Command>::instance().get(words[0]).run({words.begin() + 1, words.end()});
}

int report(const std::string& message, int exit_code) {
  const bool prefixed = message.compare(0, 7, "fercli ") == 0;
  std::fputs(fmt::format("{}{}\n", prefixed ? "" : "fercli: ", message).c_str(), stderr);
  return exit_code;
}

/// What LibTorch says of a failed allocation in terms of its source, in plain words; anything else as it is.
std::string in_plain_words(const std::string& message) {
  bool no_memory = false;
  for (const char* mark : {"can't allocate memory", "not enough memory", "out of memory"}) {
    no_memory = no_memory || message.find(mark) != std::string::npos;
  }
  if (!no_memory) return message;
  for (const std::string asking : {"you tried to allocate ", "Tried to allocate "}) {
    const size_t place = message.find(asking);
    if (place == std::string::npos) continue;
    const size_t begin = place + asking.size(), end = message.find_first_of(".(", message.find(' ', begin));
    return fmt::format("out of memory ({} were asked for)", fercli::trim(message.substr(begin, end - begin)));
  }
  return "out of memory";
}

/// The exit code of `words`, with whatever went wrong said on stderr.
int guarded_run(const std::vector<std::string>& words) {
  try {
    return run(words);
  } catch (const fercli::UserError& error) {
    return report(error.what(), kUsage);
  } catch (const fercli::Interrupted& error) {
    return report(error.what(), kInterrupted);
  } catch (const c10::Error& error) {
    return report(in_plain_words(error.what_without_backtrace()), kFailed);
  } catch (const std::bad_alloc&) {
    return report("out of memory", kFailed);
  } catch (const std::filesystem::filesystem_error& error) {
    return report(fmt::format("{}: {}", error.path1().string(), error.code().message()), kFailed);
  } catch (const std::system_error& error) {
    if (std::ferror(stdout)) return kFailed;  // fmt::print threw it, and finish() says it better
    return report(error.code().message(), kFailed);
  } catch (const std::exception& error) {
    return report(error.what(), kFailed);
  }
}

/// What was printed may be lost as late as now: then the run has failed, however well it went before.
int finish(int exit_code) {
  try {
    fercli::finish_standard_output();
    return exit_code;
  } catch (const fercli::RunError& error) {
    report(error.what(), kFailed);
    return exit_code == kUsage || exit_code == kInterrupted ? exit_code : kFailed;
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::setlocale(LC_CTYPE, "");
  fercli::catch_interrupts();
  return finish(guarded_run({argv + 1, argv + argc}));
}
