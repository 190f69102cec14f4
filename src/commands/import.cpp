// fercli import: a foreign network, with all that its file does not say, becomes a checkpoint.
#include <fmt/format.h>

#include "commands/options/model_options.hpp"
#include "commands/options/output_file.hpp"
#include "core/command.hpp"
#include "core/escape.hpp"
#include "core/files.hpp"
#include "core/options.hpp"
#include "core/runtime.hpp"
#include "models/formats/import.hpp"

namespace fercli::import_command {

namespace {

int run(const std::vector<std::string>& arguments) {
  std::vector<std::string> files;
  OutputFileOption out;
  ModelOptions model;
  OptionSet options("import", "FILE",
                    "Store a foreign network with its input, normalisation and labels in a fercli checkpoint.");
  options.positional(&files, 1, 1);
  model.declare_foreign(options);
  options.section("Output");
  out.declare(options, "FILE", "the checkpoint to write, such as net.pt");
  if (!options.parse(arguments)) return 0;
  if (out.path.empty()) throw UserError("fercli import: --out FILE is needed");
  model.model = files.front();
  for (const auto& input : files_of_model(resolve_model(model.model)))
    require_other_file("fercli import: --out", out.path, input);
  const OutputLock lock = out.take(options);
  prepare_machine({});
  const Checkpoint checkpoint = model.load_and_warn();
  save_checkpoint(checkpoint, out.path);
  const auto& input = checkpoint.preprocessing;
  print_text("{}: {} network for {}x{}x{} images, classes {}\n", out.path, checkpoint.arch, input.size, input.columns(),
             input.channels, join(checkpoint.classes.names(), ", "));
  return 0;
}

const Register<Command> registered{{"import", "make a checkpoint of a foreign network", run}};

}  // namespace

}  // namespace fercli::import_command
