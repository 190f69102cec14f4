// Finds the command, runs it, and turns exceptions into one message and an exit code.
#include <fmt/format.h>

#include <clocale>
#include <cstdio>

#include "core/build_info.hpp"
#include "core/command.hpp"
#include "core/escape.hpp"
#include "core/interrupt.hpp"
#include "core/progress.hpp"
#include "core/reason.hpp"
#include "core/text.hpp"

namespace {

using fercli::Command;
using fercli::print_text;
using fercli::Registry;

constexpr int kFailed = 1, kUsage = 2, kInterrupted = 130;

void print_overview() {
  print_text(
      "fercli {} - adversarial robustness of facial expression recognition\n\nUsage: fercli COMMAND "
      "[options]\n\nCommands:\n",
      fercli::version());
  for (const auto& command : Registry<Command>::instance().all())
    print_text("  {:<10} {}\n", command.name, command.summary);
  print_text(
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
    print_text("fercli {} ({})\n", fercli::version(), fercli::git_revision());
    return 0;
  }
  return Registry<Command>::instance().get(words[0]).run({words.begin() + 1, words.end()});
}

int report(const std::string& message, int exit_code) {
  const bool prefixed = message.compare(0, 7, "fercli ") == 0;
  fercli::write_message((prefixed ? "" : "fercli: ") + message);
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  std::setlocale(LC_CTYPE, "");
  fercli::catch_interrupts();
  fercli::keep_messages_apart();
  try {
    return run({argv + 1, argv + argc});
  } catch (const fercli::UserError& error) {
    return report(error.what(), kUsage);
  } catch (const fercli::Interrupted& error) {
    return report(error.what(), kInterrupted);
  } catch (const std::exception& error) {
    return report(fercli::reason_of(error), kFailed);
  }
}
