// fercli merge: the result of shards that ran in processes of their own, perhaps on different machines.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "commands/options/division_options.hpp"
#include "core/build_info.hpp"
#include "core/command.hpp"
#include "core/error.hpp"
#include "core/notice.hpp"
#include "core/options.hpp"
#include "core/plug_in.hpp"
#include "core/text.hpp"
#include "eval/campaign/shard_folder.hpp"

namespace fercli::merge_command {

namespace {

const std::vector<std::string> kDivided{"eval", "attack", "report", "verify", "universal"};

/// What the divided commands take from a person alone: options of this command too.
class HandGiven {
 public:
  void declare(OptionSet& options) {
    options.section("What is never taken from DIR");
    for (const auto& command : kDivided) {
      for (const auto& option : declaration_of({command}).options) {
        if (!option.by_hand || option.name == kPlugInOption || flags_.count(option.name) || texts_.count(option.name))
          continue;
        if (option.is_flag)
          options.flag(option.name, &flags_[option.name], option.help);
        else
          options.text(option.name, &texts_[option.name], option.metavar, option.help);
      }
    }
  }

  std::vector<std::string> words() const {
    std::vector<std::string> words;
    for (const auto& [name, given] : flags_) {
      if (given) words.push_back("--" + name);
    }
    for (const auto& [name, value] : texts_) {
      if (!value.empty()) words.insert(words.end(), {"--" + name, value});
    }
    return words;
  }

 private:
  std::map<std::string, bool> flags_;
  std::map<std::string, std::string> texts_;
};

/// Throws UserError where the run, or the INI file that it names, wants what only a person gives and nobody gave.
void require_given(const ShardedRun& run, const std::vector<std::string>& by_hand) {
  const auto refuse = [&](const std::string& what) {
    throw UserError(fmt::format("fercli merge: {}: {}", run.out.string(), what));
  };
  for (const auto& option : given_by(words_of(run.command, run.arguments)).options) {
    if (!option.by_hand || option.given.empty()) continue;
    const std::string dashed = "--" + option.name;
    if (option.name != kPlugInOption) {
      if (std::find(by_hand.begin(), by_hand.end(), dashed) != by_hand.end()) continue;
      refuse(fmt::format("the run asks for {}{}, which is never taken from a file: add {} to this command to allow it",
                         dashed, option.is_flag ? "" : " " + join(option.given, " "), dashed));
    }
    for (const auto& file : option.given) {
      const std::string name = std::filesystem::path(file).filename().string();
      if (Registry<PlugIn>::instance().find(name) == nullptr)
        refuse(fmt::format("the plug-in {} is needed: add {} with its file", name, dashed));
    }
  }
}

/// Two builds of one version may compute other figures, and mostly do not: a run of days is not refused for that.
void warn_of_other_builds(const ShardedRun& run) {
  auto revisions = revisions_of_shards(run.out);
  revisions.insert(git_revision());
  if (revisions.size() > 1) {
    warn(fmt::format("{}: the shards and this program are not of one build (revisions {}); their figures may differ",
                     run.out.string(), fmt::join(revisions, ", ")));
  }
}

int run(const std::vector<std::string>& arguments) {
  std::vector<std::string> folders;
  HandGiven by_hand;
  OptionSet options(
      "merge", "DIR",
      "Make the result of the shards in DIR (`eval --shard I/N --out DIR`; likewise `attack`, `report`, `verify` and\n"
      "`universal --load`):\n"
      "the files and the printed text are those of a single process. The command is run once more with what\n"
      "the shards found, so model and data must be where they were.");
  options.positional(&folders, 1, 1);
  by_hand.declare(options);
  if (!options.parse(arguments)) return 0;
  const ShardedRun run = ShardedRun::read(folders.front());
  const std::string last = run.arguments.empty() ? "" : run.arguments.back();
  const bool keeps_from_running = last[0] == kDeclareOnly[0];  // as the build asks commands, and no user
  if (std::find(kDivided.begin(), kDivided.end(), run.command) == kDivided.end() || keeps_from_running) {
    throw UserError(run.out.string() + ": holds shards of an unknown command");
  }
  require_given(run, by_hand.words());
  warn_of_other_builds(run);
  // What is said here comes first, so that no `--` of the folder hides it.
  std::vector<std::string> words{"--shard", "merge", "--out", run.out.string()};
  for (const auto& more : {by_hand.words(), part_arguments(run.command, run.arguments).kept})
    words.insert(words.end(), more.begin(), more.end());
  return Registry<Command>::instance().get(run.command).run(words);
}

const Register<Command> registered{{"merge", "make one result of the shards of a run", run}};

}  // namespace

}  // namespace fercli::merge_command
