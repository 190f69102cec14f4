// fercli summary: what a network is made of, and for a checkpoint how it was trained.
#include <nlohmann/json.hpp>

#include "commands/options/model_options.hpp"
#include "commands/options/show_options.hpp"
#include "core/command.hpp"
#include "core/escape.hpp"
#include "core/file_name.hpp"
#include "core/files.hpp"
#include "core/options.hpp"
#include "core/output_lock.hpp"
#include "core/runtime.hpp"
#include "eval/result_shapes.hpp"
#include "models/summary.hpp"
#include "record/document_kind.hpp"

namespace fercli::summary_command {

namespace {

struct Subject {
  std::string arch;
  NetworkOptions options;
  std::string title;      ///< lines about the file, "" for a bare architecture
  nlohmann::json record;  ///< of the checkpoint
  std::shared_ptr<const ForeignModel> foreign = nullptr;
};

Subject from_model(const ModelOptions& model) {
  const auto path = resolve_model(model.model);
  const Checkpoint checkpoint = model.load_and_warn();
  Subject subject{checkpoint.arch, checkpoint.options, "", describe_model(checkpoint, model.model), checkpoint.foreign};
  subject.record["training"] = checkpoint.training;
  const auto& input = checkpoint.preprocessing;
  subject.title =
      fmt::format("Model {}\nSHA-256 {}\nClasses {}\nInput ({}x{}x{} in [0,1] - {:.4f}) / {:.4f}\n",
                  printable(path.string()), checkpoint.digest, join(checkpoint.classes.names(), ", "), input.channels,
                  input.size, input.columns(), fmt::join(input.mean, ", "), fmt::join(input.std, ", "));
  if (checkpoint.training.contains("last_epoch")) {
    const auto& epoch = checkpoint.training.at("last_epoch");
    subject.title += fmt::format(
        "Trained {} epochs on {} images; validation accuracy {:.2f} % (n={})\n", epoch.at("epoch").get<int64_t>(),
        checkpoint.training.at("training_images").get<int64_t>(), 100 * epoch.at("validation_accuracy").get<double>(),
        checkpoint.training.at("validation_images").get<int64_t>());
  }
  return subject;
}

nlohmann::json to_json(const Subject& subject) {
  const auto network = subject.foreign ? nullptr : make_network(subject.arch, subject.options, 0);
  auto layers = nlohmann::json::array();
  int64_t flops = 0, parameters = 0;
  for (const auto& layer : network ? summarise(*network, subject.options) : summarise(*subject.foreign)) {
    parameters += layer.parameters;
    layers.push_back({{"name", layer.name},
                      {"kind", layer.kind},
                      {"output", layer.output},
                      {"parameters", layer.parameters},
                      {"flops", layer.flops}});
    flops += layer.flops;
  }
  nlohmann::json json = {{"arch", subject.arch},
                         {"parameters", network ? parameter_count(*network) : parameters},
                         {"flops", flops},
                         {"layers", layers}};
  if (!subject.record.is_null()) json["model"] = subject.record;
  return json;
}

PrintedTable layers_of(const Subject& subject) {
  PrintedTable table{"Layers of " + subject.arch, {"layer", "kind", "output", "parameters", "FLOPs"}, {}};
  const auto network = subject.foreign ? nullptr : make_network(subject.arch, subject.options, 0);
  for (const auto& layer : network ? summarise(*network, subject.options) : summarise(*subject.foreign)) {
    table.rows.push_back(
        {layer.name, layer.kind, fmt::format("{}", fmt::join(layer.output, "x")), layer.parameters, layer.flops});
  }
  return table;
}

int run(const std::vector<std::string>& arguments) {
  std::string out;
  ModelOptions model;
  model.model.clear();
  model.number_outputs = true;  // what a network is made of can be seen before its classes are named
  int64_t size = 0;
  ShowOptions show;
  OptionSet options("summary", "", "Layers, shapes, parameters and FLOPs of an architecture or a trained model.");
  options.section("Subject");
  options.plug_in<Architecture>("arch,a", &model.arch, &model.arch_given,
                                "an architecture, with settings as in resnet:width=96; with --model, that of a file of "
                                "weights only");
  model.declare(options);
  options.integer("size", &size, Range{0, 1024}, "with --arch: input height and width; 0: the architecture's own");
  model.declare_foreign(options, /*with_arch=*/false);
  options.section("Output");
  options.text("out,o", &out, "DIR", "also write DIR/ARCH_arch.txt");
  show.declare_tables(options, "print JSON");
  if (!options.parse(arguments)) return 0;
  show.begin(options);
  const std::string& arch = model.arch;
  if (arch.empty() && model.model.empty()) throw UserError("fercli summary: give either --arch or --model");
  if (options.given("size") && !model.model.empty()) options.fail("size", "goes with --arch, not with --model");
  prepare_machine({});
  Subject subject;
  if (!model.model.empty()) {
    subject = from_model(model);
  } else {
    subject = {arch, Registry<Architecture>::instance().get(arch).defaults(), "", {}};
    for (const auto& [name, value] : arch_settings(model.settings, model.arch_given))
      subject.options.settings[name] = value;
    if (size > 0) subject.options.size = size;
  }
  const std::string text =
      subject.title + (subject.title.empty() ? "" : "\n") +
      (subject.foreign ? describe_foreign(*subject.foreign) : describe_architecture(subject.arch, subject.options));
  if (!out.empty()) {
    const OutputLock lock = OutputLock::of_folder(out);
    write_file(std::filesystem::path(out) / (file_name_of(subject.arch, "model") + "_arch.txt"), text);
  }
  if (show.text()) {
    print_text("{}", text);
  } else if (show.json) {
    print_text("{}\n", to_json(subject).dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  } else {
    show.print({layers_of(subject)});
  }
  return 0;
}

nlohmann::json schema() {
  using namespace shape;
  const json layer = object({{"name", text()},
                             {"kind", text()},
                             {"output", described(list(whole()), "its shape, of one image")},
                             {"parameters", whole()},
                             {"flops", whole()}});
  return object({{"arch", text()}, {"parameters", whole()}, {"flops", whole()}, {"layers", list(layer)}},
                {{"model", described(model_schema(), "of a file, with `training`")}});
}

const Register<DocumentKind> document{{"summary", "--json of summary: the layers of a network", schema}};

const Register<Command> registered{{"summary", "layers, parameters and FLOPs of a network", run}};

}  // namespace

}  // namespace fercli::summary_command
