// fercli export: a network as a file that other programs load.
#include <fmt/format.h>

#include "commands/options/model_options.hpp"
#include "commands/options/output_file.hpp"
#include "core/command.hpp"
#include "core/escape.hpp"
#include "core/options.hpp"
#include "core/runtime.hpp"
#include "models/formats/export.hpp"

namespace fercli::export_command {

namespace {

int run(const std::vector<std::string>& arguments) {
  std::string format = "onnx";
  OutputFileOption out;
  ModelOptions model;
  OptionSet options("export", "", "Write a network as a file that PyTorch, ONNX Runtime or OpenCV loads.");
  options.section("Network");
  model.declare(options);
  model.declare_foreign(options);
  options.section("Output");
  options.choice("format,f", &format, {"onnx", "torchscript", "safetensors"},
                 "onnx and torchscript take (N,C,H,W) pixels in [0,1] and give logits; safetensors holds weights only");
  out.declare(options, "FILE", "the file to write");
  if (!options.parse(arguments)) return 0;
  if (out.path.empty()) throw UserError("fercli export: --out FILE is needed");
  const OutputLock lock = out.take(options);
  prepare_machine({});
  const Checkpoint checkpoint = model.load_and_warn();
  export_model(checkpoint, format, out.path);
  const auto& input = checkpoint.preprocessing;
  print_text("{}: {} for {}x{}x{} images, classes {}\n", out.path, format, input.size, input.columns(), input.channels,
             join(checkpoint.classes.names(), ", "));
  return 0;
}

const Register<Command> registered{{"export", "write a network for other programs", run}};

}  // namespace

}  // namespace fercli::export_command
