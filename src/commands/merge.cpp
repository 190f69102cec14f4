// fercli merge: the result of shards that ran in processes of their own, perhaps on different machines.
#include "commands/shards.hpp"
#include "core/command.hpp"
#include "core/error.hpp"
#include "core/options.hpp"

namespace fercli::merge_command {

namespace {

int run(const std::vector<std::string>& arguments) {
  std::vector<std::string> folders;
  OptionSet options(
      "merge", "DIR",
      "Make the result of the shards in DIR (`eval --shard I/N --out DIR`, likewise `attack`): the files and\n"
      "the printed text are those of a single process. The command is run once more with what the shards\n"
      "found, so model and data must be where they were.");
  options.positional(&folders, 1, 1);
  if (!options.parse(arguments)) return 0;
  ShardedCommand command = merge_shards(folders.front());
  if (command.name != "eval" && command.name != "attack") {
    throw UserError(command.out.string() + ": holds shards of an unknown command");
  }
  command.arguments.insert(command.arguments.end(), {"--out", command.out.string()});
  return Registry<Command>::instance().get(command.name).run(command.arguments);
}

const Register<Command> registered{{"merge", "make one result of the shards of a run", run}};

}  // namespace

}  // namespace fercli::merge_command
