// fercli export: a network as a file that other programs load, or as questions for a verifier.
#include <fmt/format.h>

#include <optional>

#include "attacks/engine/attack.hpp"
#include "commands/options/data_options.hpp"
#include "commands/options/output_file.hpp"
#include "core/command.hpp"
#include "core/escape.hpp"
#include "core/files.hpp"
#include "core/interrupt.hpp"
#include "core/options.hpp"
#include "core/output_folder.hpp"
#include "core/runtime.hpp"
#include "models/formats/export.hpp"
#include "models/formats/import.hpp"
#include "models/formats/vnnlib.hpp"

namespace fercli::export_command {

namespace {

constexpr const char* kQuestions = "vnnlib";  // no writer of networks, but a folder about images
constexpr int kVerifierSeconds = 300;         // what VNN-COMP usually grants

struct Settings {
  std::string format = "onnx";
  OutputFileOption out;
  ModelOptions model;
  DataOptions data;
  double eps = 1 / 255.0;
};

void declare_format(OptionSet& options, Settings& settings) {
  auto formats = Registry<ModelWriter>::instance().names();
  std::string help;
  for (const auto& writer : Registry<ModelWriter>::instance().all())
    help += fmt::format("{}: {}; ", writer.name, writer.summary);
  formats.emplace_back(kQuestions);
  options.choice("format,f", &settings.format, formats,
                 help + "vnnlib: a folder with network.onnx, a specification for each image, and instances.csv");
}

void declare(OptionSet& options, Settings& settings) {
  options.section("Network");
  settings.model.declare(options);
  settings.model.declare_foreign(options);
  options.section("Output");
  declare_format(options, settings);
  settings.out.declare(options, "FILE|DIR", "the file to write, or with vnnlib the folder");
  options.section("Images of --format vnnlib");
  settings.data.declare(options);
  settings.data.declare_split(options);
  options.number("eps", &settings.eps, "1/255", {0, 1, true, true},
                 "Linf radius around each image, in the network's input, pixels in [0,1]");
}

void check(const OptionSet& options, const Settings& settings) {
  if (settings.out.path.empty()) {
    throw UserError(fmt::format("fercli export: --out {} is needed", settings.format == kQuestions ? "DIR" : "FILE"));
  }
  if (settings.format == kQuestions) return;
  for (const char* name :
       {"data", "data-format", "data-labels", "classes", "map", "votes", "skip-bad", "split", "limit", "eps"}) {
    if (options.given(name)) options.fail(name, "is for --format vnnlib");
  }
}

/// Returns the number of images.
int64_t write_specifications(const OptionSet& options, const Settings& settings, const Checkpoint& checkpoint,
                             const std::filesystem::path& folder) {
  ModelOptions model = settings.model;
  if (checkpoint.foreign) model.space = "input";
  const Dataset images = settings.data.part(settings.data.read(model, checkpoint));
  export_model(checkpoint, "onnx", folder / "network.onnx");
  std::string instances;
  for (int64_t i = 0; i < images.size(); ++i) {
    throw_if_interrupted();
    const auto label = images.labels[i].item<int64_t>();
    const std::string name = fmt::format("image_{}.vnnlib", i);
    const std::string comment = fmt::format("{}, {}, Linf eps {}", printable(images.ids[static_cast<size_t>(i)]),
                                            printable(checkpoint.classes.name(label)), options.as_given("eps"));
    write_file(folder / name, vnnlib_specification(to_float(images.images[i].unsqueeze(0))[0], settings.eps, label,
                                                   checkpoint.classes.size(), comment));
    instances += fmt::format("network.onnx,{},{}\n", name, kVerifierSeconds);
  }
  write_file(folder / "instances.csv", instances);
  return images.size();
}

int run(const std::vector<std::string>& arguments) {
  Settings settings;
  OptionSet options("export", "", "Write a network as a file that PyTorch, ONNX Runtime, OpenCV or a verifier loads.");
  declare(options, settings);
  if (!options.parse(arguments)) return 0;
  check(options, settings);
  const bool questions = settings.format == kQuestions;
  const std::string& out = settings.out.path;
  std::vector<std::filesystem::path> inputs = files_of_model(resolve_model(settings.model.model));
  inputs.emplace_back(settings.data.data);
  for (const auto& file :
       questions ? std::vector<std::string>{out + "/network.onnx", out + "/instances.csv"} : std::vector{out}) {
    for (const auto& input : inputs) require_other_file("fercli export: --out", file, input);
  }
  require_free(options, "out", questions ? std::filesystem::path(out) / "instances.csv" : std::filesystem::path(out),
               settings.out.force);
  std::optional<OutputFolder> place;
  if (questions) place.emplace(out, "export");
  std::optional<OutputLock> lock;
  if (!questions) lock.emplace(OutputLock::of_file(out));
  prepare_machine({});
  const Checkpoint checkpoint = settings.model.load_and_warn();
  const auto& input = checkpoint.preprocessing;
  const std::string about = fmt::format("{}x{}x{} images, classes {}", input.size, input.columns(), input.channels,
                                        join(checkpoint.classes.names(), ", "));
  if (place) {
    const int64_t images = write_specifications(options, settings, checkpoint, place->work());
    place->complete();
    print_text("{}: network.onnx and {} specifications at Linf eps {} for {}\n", out, images, options.as_given("eps"),
               about);
    return 0;
  }
  export_model(checkpoint, settings.format, out);
  print_text("{}: {} for {}\n", out, settings.format, about);
  return 0;
}

const Register<Command> registered{{"export", "write a network for other programs", run}};

}  // namespace

}  // namespace fercli::export_command
