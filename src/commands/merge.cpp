// fercli merge: the result of shards that ran in processes of their own, perhaps on different machines.
#include <fmt/format.h>

#include <set>

#include "core/command.hpp"
#include "core/error.hpp"
#include "core/options.hpp"
#include "core/plug_in.hpp"
#include "eval/campaign/shard_folder.hpp"

namespace fercli::merge_command {

namespace {

int run(const std::vector<std::string>& arguments) {
  std::vector<std::string> folders;
  OptionSet options(
      "merge", "DIR",
      "Make the result of the shards in DIR (`eval --shard I/N --out DIR`; likewise `attack`, `report`, `verify` and\n"
      "`universal --load`):\n"
      "the files and the printed text are those of a single process. The command is run once more with what\n"
      "the shards found, so model and data must be where they were.");
  options.positional(&folders, 1, 1);
  if (!options.parse(arguments)) return 0;
  ShardedRun run = ShardedRun::read(folders.front());
  const std::set<std::string> known{"eval", "attack", "report", "verify", "universal"};
  if (known.count(run.command) == 0) {
    throw UserError(run.out.string() + ": holds shards of an unknown command");
  }
  try {
    require_loaded(run.arguments);
  } catch (const UserError& error) {
    throw UserError(fmt::format("fercli merge: {}: {}", run.out.string(), error.what()));
  }
  run.arguments.insert(run.arguments.end(), {"--shard", "merge", "--out", run.out.string()});
  return Registry<Command>::instance().get(run.command).run(run.arguments);
}

const Register<Command> registered{{"merge", "make one result of the shards of a run", run}};

}  // namespace

}  // namespace fercli::merge_command
