// Finds the command, runs it, and turns exceptions into one message and an exit code.
#include <fmt/format.h>

#include <algorithm>
#include <clocale>
#include <cstdio>
#include <cstdlib>

#include "core/command.hpp"
#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/interrupt.hpp"
#include "core/plug_in.hpp"
#include "core/progress.hpp"
#include "core/reason.hpp"
#include "core/standard_output.hpp"
#include "core/team.hpp"
#include "core/text.hpp"

namespace {

using fercli::Command;
using fercli::Registry;

constexpr int kFailed = 1, kUsage = 2, kInterrupted = 130;

int run(const std::vector<std::string>& given) {
  const auto words = fercli::command_first(given);
  fercli::load_plug_ins(given);
  const auto& commands = Registry<Command>::instance();
  if (words.empty()) {
    commands.get("help").run({});
    return kUsage;
  }
  const std::vector<std::string> rest(words.begin() + 1, words.end());
  if (words[0] == "--help" || words[0] == "-h") return commands.get("help").run(rest);
  if (words[0] == "--version" || words[0] == "-V") return commands.get("version").run(rest);
  return commands.get(words[0]).run(rest);
}

/// Processes that share one run would all say the same; the one that leads says it. Shards are runs of their own.
bool another_speaks(const std::vector<std::string>& words) {
  return fercli::team_place().member && std::none_of(words.begin(), words.end(), [](const std::string& word) {
           return word.compare(0, 7, "--shard") == 0;
         });
}

int report(const std::string& message, int exit_code) {
  const bool prefixed = message.compare(0, 7, "fercli ") == 0;
  fercli::write_message((prefixed ? "" : "fercli: ") + message);
  return exit_code;
}

/// The exit code of `words`, with whatever went wrong said on stderr.
int guarded_run(const std::vector<std::string>& words) {
  try {
    return run(words);
  } catch (const fercli::UserError& error) {
    return report(error.what(), kUsage);
  } catch (const fercli::Interrupted& error) {
    return report(error.what(), kInterrupted);
  } catch (const std::system_error& error) {
    if (std::ferror(stdout)) return kFailed;  // what is printed was lost, and finish() says it better
    return report(fercli::reason_of(error), kFailed);
  } catch (const std::exception& error) {
    return report(fercli::reason_of(error), kFailed);
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
  fercli::keep_messages_apart();
  fercli::show_notices();
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (another_speaks(words)) fercli::keep_silent();
  const int exit_code = finish(guarded_run(words));
#ifndef __SANITIZE_ADDRESS__  // which looks for leaks at the end
  // Everything is written and closed, and LibTorch would take itself apart for long. A plug-in may have to say more.
  if (fercli::Registry<fercli::PlugIn>::instance().names().empty()) {
    std::fflush(nullptr);
    std::quick_exit(exit_code);
  }
#endif
  return exit_code;
}
