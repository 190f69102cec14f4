// Finds the command, runs it, and turns exceptions into one message and an exit code.
#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <clocale>
#include <cstdio>
#include <new>

#include "core/command.hpp"
#include "core/interrupt.hpp"
#include "core/text.hpp"

namespace {

using fercli::Command;
using fercli::Registry;

constexpr int kFailed = 1, kUsage = 2, kInterrupted = 130;

int run(const std::vector<std::string>& words) {
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

int report(const std::string& message, int exit_code) {
  const bool prefixed = message.compare(0, 7, "fercli ") == 0;
  fmt::print(stderr, "{}{}\n", prefixed ? "" : "fercli: ", message);
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

}  // namespace

int main(int argc, char** argv) {
  std::setlocale(LC_CTYPE, "");
  fercli::catch_interrupts();
  try {
    return run({argv + 1, argv + argc});
  } catch (const fercli::UserError& error) {
    return report(error.what(), kUsage);
  } catch (const fercli::Interrupted& error) {
    return report(error.what(), kInterrupted);
  } catch (const c10::Error& error) {
    return report(in_plain_words(error.what_without_backtrace()), kFailed);
  } catch (const std::bad_alloc&) {
    return report("out of memory", kFailed);
  } catch (const std::exception& error) {
    return report(error.what(), kFailed);
  }
}
