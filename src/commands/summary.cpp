// fercli summary: what a network is made of, for a checkpoint how it was trained, and where its time goes.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "commands/options/model_options.hpp"
#include "commands/options/show_options.hpp"
#include "core/command.hpp"
#include "core/escape.hpp"
#include "core/file_name.hpp"
#include "core/files.hpp"
#include "core/json_limits.hpp"
#include "core/options.hpp"
#include "core/output_lock.hpp"
#include "core/runtime.hpp"
#include "eval/result_shapes.hpp"
#include "models/profile.hpp"
#include "models/summary.hpp"
#include "record/document_kind.hpp"

namespace fercli {

template <class Visitor>
void visit_fields(Visitor& field, LayerSummary& layer) {
  field("name", layer.name);
  field("kind", layer.kind);
  field("output", layer.output, "its shape, of one image");
  field("parameters", layer.parameters);
  field("flops", layer.flops);
}

template <class Visitor>
void visit_fields(Visitor& field, PassTimes& times) {
  field("logits", times.logits);
  field("forward", times.forward);
  field("backward", times.backward);
}

template <class Visitor>
void visit_fields(Visitor& field, LayerProfile& layer) {
  field("name", layer.name);
  field("kind", layer.kind);
  field("flops", layer.flops, "each way; 0: not counted");
  field("seconds", layer.times, "per image, medians");
}

template <class Visitor>
void visit_fields(Visitor& field, NetworkProfile& profile) {
  field("batch", profile.batch);
  field("peak_flops_per_second", profile.peak, "of a product of matrices in the same arithmetic");
  field("layers", profile.layers, "in the order in which they end");
  field("seconds", profile.whole, "per image, of the passes as a whole");
}

}  // namespace fercli

namespace fercli::summary_command {

namespace {

struct Subject {
  std::string arch;
  NetworkOptions options;
  std::string title;      ///< lines about the file, "" for a bare architecture
  nlohmann::json record;  ///< of the checkpoint
  std::shared_ptr<const ForeignModel> foreign = nullptr;
  std::optional<NetworkProfile> profile = {};
  int64_t parameters = 0, flops = 0;  ///< see `add_layers`, as `layers`
  std::vector<LayerSummary> layers = {};
};

template <class Visitor>
void visit_fields(Visitor& field, Subject& subject) {
  field("arch", subject.arch);
  field("parameters", subject.parameters);
  field("flops", subject.flops);
  field("layers", subject.layers);
  field.optional("model", subject.record, "of a file, with `training`", model_schema());
  field.optional("profile", subject.profile, "with --profile");
}

const Register<DocumentKind> document{
    {"summary", "--json of summary: the layers of a network", schema_of_record<Subject>}};

Subject from_model(const ModelOptions& model, const Checkpoint& checkpoint) {
  const auto path = resolve_model(model.model);
  Subject subject{checkpoint.arch, checkpoint.options, "", describe_model(checkpoint, model.model), checkpoint.foreign};
  subject.record["training"] = checkpoint.training;
  const auto& input = checkpoint.preprocessing;
  subject.title =
      fmt::format("Model {}\nSHA-256 {}\nClasses {}\nInput ({}x{}x{} in [0,1] - {:.4f}) / {:.4f}\n",
                  printable(path.string()), checkpoint.digest, join(checkpoint.classes.names(), ", "), input.channels,
                  input.size, input.columns(), fmt::join(input.mean, ", "), fmt::join(input.std, ", "));
  if (checkpoint.training.contains("last_epoch")) {
    const auto& epoch = checkpoint.training.at("last_epoch");
    subject.title += fmt::format("Trained {} epochs on {} images; validation accuracy {:.2f} % (n={})\n",
                                 whole_of(epoch.at("epoch")), whole_of(checkpoint.training.at("training_images")),
                                 100 * epoch.at("validation_accuracy").get<double>(),
                                 whole_of(checkpoint.training.at("validation_images")));
  }
  return subject;
}

constexpr double kMicro = 1e-6, kGiga = 1e9;

/// The passes that a profile times, in the order of its columns.
const std::pair<const char*, double PassTimes::*> kPasses[] = {
    {"logits", &PassTimes::logits}, {"forward", &PassTimes::forward}, {"backward", &PassTimes::backward}};

/// "83.1 (61 %)": GFLOP/s, and the share of the peak.
PrintedCell speed_cell(int64_t flops, double seconds, double peak) {
  if (flops == 0 || seconds <= 0) return figure_cell("–");
  const double speed = static_cast<double>(flops) / seconds;
  return figure_cell(fmt::format("{:.1f} ({:.0f} %)", speed / kGiga, 100 * speed / peak));
}

PrintedTable profile_table(const NetworkProfile& profile) {
  PrintedTable table{fmt::format("Time per image in batches of {}; a product of matrices reaches {:.1f} GFLOP/s",
                                 profile.batch, profile.peak / kGiga),
                     {"layer"},
                     {}};
  for (const auto& [name, pass] : kPasses) {
    table.columns.push_back(fmt::format("{}, µs", name));
    table.columns.push_back(fmt::format("{}, GFLOP/s (of that)", name));
  }
  const auto add = [&](const std::string& name, int64_t flops, const PassTimes& times) {
    std::vector<PrintedCell> row{name};
    for (const auto& pass : kPasses) {
      const double seconds = times.*pass.second;
      row.push_back(figure_cell(fmt::format("{:.1f}", std::max(0.0, seconds) / kMicro)));
      row.push_back(speed_cell(flops, seconds, profile.peak));
    }
    table.rows.push_back(std::move(row));
  };
  PassTimes between = profile.whole;
  int64_t flops = 0;
  for (const auto& layer : profile.layers) {
    add(layer.name, layer.flops, layer.times);
    flops += layer.flops;
    for (const auto& pass : kPasses) between.*pass.second -= layer.times.*pass.second;
  }
  add("between the layers", 0, between);
  add("all", flops, profile.whole);
  return table;
}

/// Which the text for people does without.
void add_layers(Subject& subject) {
  const auto network = subject.foreign ? nullptr : make_network(subject.arch, subject.options, 0);
  subject.layers = network ? summarise(*network, subject.options) : summarise(*subject.foreign);
  for (const auto& layer : subject.layers) {
    subject.parameters += layer.parameters;
    subject.flops += layer.flops;
  }
  if (network) subject.parameters = parameter_count(*network);
}

PrintedTable layers_of(const Subject& subject) {
  PrintedTable table{"Layers of " + subject.arch, {"layer", "kind", "output", "parameters", "FLOPs"}, {}};
  for (const auto& layer : subject.layers) {
    table.rows.push_back(
        {layer.name, layer.kind, fmt::format("{}", fmt::join(layer.output, "x")), layer.parameters, layer.flops});
  }
  return table;
}

/// With weights as training begins.
Classifier untrained(const Subject& subject, const std::string& executor, const Runtime& runtime) {
  NetworkSpec spec{subject.arch, subject.options, {}, {}};
  spec.preprocessing.channels = subject.options.channels;
  spec.preprocessing.size = subject.options.size;
  const Execution execution{resolve_precision(runtime), resolve_device(runtime), executor};
  return Classifier(make_network(subject.arch, subject.options, runtime.seed), spec, execution);
}

int run(const std::vector<std::string>& arguments) {
  std::string out;
  ModelOptions model;
  model.model.clear();
  model.number_outputs = true;  // what a network is made of can be seen before its classes are named
  int64_t size = 0, batch = 64;
  bool with_profile = false;
  Runtime runtime;
  ShowOptions show;
  OptionSet options(
      "summary", "",
      "Layers, shapes, parameters and FLOPs of an architecture or a trained model, and where its time goes.");
  options.section("Subject");
  options.plug_in<Architecture>("arch,a", &model.arch, &model.arch_given,
                                "an architecture, with settings as in resnet:width=96; with --model, that of a file of "
                                "weights only");
  model.declare(options);
  options.integer("size", &size, Range{0, 1024}, "with --arch: input height and width; 0: the architecture's own");
  model.declare_foreign(options, /*with_arch=*/false);
  options.section("Profile");
  options.flag("profile", &with_profile,
               "also time each layer on this machine: the pass behind a verdict (logits), and those of a gradient "
               "(forward, backward)");
  options.integer("batch-size,b", &batch, Range{2, 4096}, "images per pass");
  model.declare_runtime(options, &runtime);
  options.section("Output");
  options.text("out,o", &out, "DIR", "also write DIR/ARCH_arch.txt");
  show.declare_tables(options, "print JSON");
  if (!options.parse(arguments)) return 0;
  show.begin(options);
  const std::string& arch = model.arch;
  if (arch.empty() && model.model.empty()) throw UserError("fercli summary: give either --arch or --model");
  if (options.given("size") && !model.model.empty()) options.fail("size", "goes with --arch, not with --model");
  if (options.given("batch-size") && !with_profile) options.fail("batch-size", "goes with --profile");
  prepare_machine(runtime);
  Subject subject;
  if (!model.model.empty()) {
    const Checkpoint checkpoint = model.load_and_warn();
    subject = from_model(model, checkpoint);
    if (with_profile) subject.profile = profile_network(make_classifier(checkpoint, runtime), batch);
  } else {
    subject = {arch, Registry<Architecture>::instance().get(arch).defaults(), "", {}};
    for (const auto& [name, value] : arch_settings(model.settings, model.arch_given))
      subject.options.settings[name] = value;
    if (size > 0) subject.options.size = size;
    if (with_profile) subject.profile = profile_network(untrained(subject, model.executor, runtime), batch);
  }
  const std::string text =
      subject.title + (subject.title.empty() ? "" : "\n") +
      (subject.foreign ? describe_foreign(*subject.foreign) : describe_architecture(subject.arch, subject.options));
  if (!out.empty()) {
    const OutputLock lock = OutputLock::of_folder(out);
    write_file(std::filesystem::path(out) / (file_name_of(subject.arch, "model") + "_arch.txt"), text);
  }
  if (!show.text()) add_layers(subject);
  if (show.json) {
    print_text("{}\n", Shape<Subject>::write(subject).dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    return 0;
  }
  std::vector<PrintedTable> tables;
  if (!show.text()) tables.push_back(layers_of(subject));
  if (subject.profile) tables.push_back(profile_table(*subject.profile));
  if (show.text()) {
    print_text("{}", text);
    if (!tables.empty()) print_text("\n{}", format_tables(tables, "text"));
  } else {
    show.print(tables);
  }
  return 0;
}

const Register<Command> registered{{"summary", "layers, parameters and FLOPs of a network", run}};

}  // namespace

}  // namespace fercli::summary_command
