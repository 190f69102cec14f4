// fercli certify: for which images no perturbation of a size can change the answer.
#include "eval/certification.hpp"

#include "commands/options/data_options.hpp"
#include "commands/options/show_options.hpp"
#include "core/command.hpp"
#include "core/escape.hpp"
#include "core/json_text.hpp"
#include "core/options.hpp"
#include "core/runtime.hpp"
#include "eval/result.hpp"
#include "models/formats/export.hpp"
#include "record/document_kind.hpp"
#include "record/fields.hpp"

namespace fercli {

/// What `--json` prints.
struct CertifyRecord {
  nlohmann::json model, dataset;
  Certification found;
};

template <class Visitor>
void visit_fields(Visitor& field, CertifyRecord& record) {
  field("model", record.model, "the network", model_schema());
  field("dataset", record.dataset, "the images", Shape<DataFacts>::schema());
  visit_fields(field, record.found);
}

}  // namespace fercli

namespace fercli::certify_command {

namespace {

constexpr double kUsualRadius = 0.25;  // in L2

struct Settings {
  ModelOptions model;
  DataOptions data;
  ShowOptions show;
  Runtime runtime;
  std::string norm = "linf", eps_text;
  double eps = 1 / 255.0, sigma = 0.25;
  SmoothingOptions smoothing;
  PatchThreat patch{0, 4};
};

void declare(OptionSet& options, Settings& settings) {
  options.section("Network and images");
  settings.model.declare(options);
  settings.data.declare(options);
  settings.data.declare_split(options);
  options.section("Certificate");
  options.choice(
      "norm", &settings.norm, {"linf", "l2"},
      "linf: interval and linear bounds of the network itself; l2: randomised smoothing, about the network's "
      "most frequent answer under noise");
  options.number("eps", &settings.eps, "1/255", {0, 1, true, true},
                 "radius of the ball, pixels in [0,1]; l2: 0.25 unless given");
  options.number("sigma", &settings.sigma, "0.25", {0, 10, true}, "l2: standard deviation of the noise");
  options.integer("draws", &settings.smoothing.n, between(1, 1e7), "l2: noisy copies that certify each image");
  options.integer(
      "patch", &settings.patch.side, at_least(0),
      "instead: any square patch of this side in pixels, anywhere, by the votes of bands of columns; 0: none");
  options.integer("band", &settings.patch.band, at_least(1), "patch: columns of each band");
  options.section("Foreign model files (what they do not say)");
  settings.model.declare_foreign(options);
  settings.model.declare_space(options);
  options.section("Output");
  settings.show.declare(options);
  options.section("Machine");
  settings.runtime.precision = "fp32";
  settings.model.declare_runtime(options, &settings.runtime);
}

void check(const OptionSet& options, Settings& settings) {
  const bool smooths = settings.norm == "l2", patches = settings.patch.side > 0;
  for (const char* name : {"norm", "eps"}) {
    if (options.given(name) && patches) options.fail(name, "does not go with --patch");
  }
  if (options.given("band") && !patches) options.fail("band", "is for --patch");
  for (const char* name : {"sigma", "draws"}) {
    if (options.given(name) && !smooths) options.fail(name, "is for --norm l2");
  }
  if (!smooths && !patches && settings.runtime.precision != "fp32") {
    options.fail("precision", "bounds hold for fp32 arithmetic; fp32 is the only choice with --norm linf");
  }
  if (smooths && !options.given("eps")) settings.eps = kUsualRadius;
  settings.eps_text = smooths && !options.given("eps") ? "0.25" : options.as_given("eps");
  settings.smoothing.sigmas = {settings.sigma};
  settings.smoothing.seed = settings.runtime.seed;
}

Certification certify_images(const Settings& settings, const Checkpoint& checkpoint, const Dataset& images) {
  auto& observer = ProgressObserver::terminal();
  const Classifier classifier = make_classifier(checkpoint, settings.runtime);
  if (settings.norm == "l2") return certify_l2(classifier, images, settings.eps, settings.smoothing, observer);
  if (settings.patch.side > 0) return certify_patch(classifier, images, settings.patch, observer);
  const LinfBounds bounds(network_graph(checkpoint), checkpoint.preprocessing);
  return certify_linf(bounds, classifier, images, settings.eps, observer);
}

std::string ball(const Settings& settings) {
  if (settings.patch.side > 0) return fmt::format("any {0}x{0} patch", settings.patch.side);
  return fmt::format("{} eps {}", settings.norm == "l2" ? "L2" : "Linf", settings.eps_text);
}

PrintedTable figures(const Settings& settings, const Certification& found) {
  PrintedTable table{"", {"", ""}, {{"accuracy", proportion_cell(found.accuracy)}}};
  table.rows.push_back({"certified, " + ball(settings), proportion_cell(found.certified)});
  if (found.by_intervals) table.rows.push_back({"  by interval bounds alone", proportion_cell(*found.by_intervals)});
  return table;
}

void print(const Settings& settings, const CertifyRecord& record) {
  if (settings.show.json) {
    print_text("{}\n", pretty_json(write_record(record)));
  } else if (settings.show.line_alone()) {
    print_text("certified accuracy {}\n", format_proportion(record.found.certified));
  } else {
    settings.show.print({figures(settings, record.found)});
    if (settings.show.text()) print_text("About {}.\n", record.found.about);
  }
}

int run(const std::vector<std::string>& arguments) {
  Settings settings;
  OptionSet options(
      "certify", "",
      "Find the images whose right answer no perturbation of a size can change: a proof for each image, where\n"
      "an attack only fails to find one.");
  declare(options, settings);
  if (!options.parse(arguments)) return 0;
  check(options, settings);
  settings.show.begin(options);
  prepare_machine(settings.runtime);
  const Checkpoint checkpoint = settings.model.load_and_warn();
  const Dataset all = settings.data.read(settings.model, checkpoint), images = settings.data.part(all);
  print(settings,
        {describe_model(checkpoint, settings.model.model), describe_dataset(images, settings.data.split_name(all)),
         certify_images(settings, checkpoint, images)});
  return 0;
}

const Register<DocumentKind> document{
    {"certify", "--json of certify: which images are certain", schema_of_record<CertifyRecord>}};

const Register<Command> registered{{"certify", "prove for which images no perturbation changes the answer", run}};

}  // namespace

}  // namespace fercli::certify_command
