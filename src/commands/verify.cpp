// fercli verify: looks at saved adversarial images again and recomputes what they claim.
#include "attacks/engine/attack.hpp"
#include "commands/options/data_options.hpp"
#include "commands/options/division_options.hpp"
#include "commands/options/show_options.hpp"
#include "core/command.hpp"
#include "core/escape.hpp"
#include "core/json_limits.hpp"
#include "core/json_text.hpp"
#include "core/observer.hpp"
#include "core/options.hpp"
#include "core/runtime.hpp"
#include "eval/adversarial_set.hpp"
#include "eval/campaign/logit_store.hpp"
#include "eval/campaign/verdict.hpp"
#include "eval/result_shapes.hpp"
#include "record/document_kind.hpp"
#include "record/fields.hpp"

namespace fercli {

template <class Visitor>
void visit_fields(Visitor& field, Verification& found) {
  field("holds", found.holds(), "every claim does");
  field("images", found.images, "that the file holds");
  field("too_far", found.too_far, "ids: outside the eps claimed");
  field("not_reached", found.not_reached, "ids: the network does not give the class that the goal wants");
  field("not_right", found.not_right, "ids: the original is misclassified");
  field("robust_accuracy", found.robust_accuracy, "that follows, by eps");
}

}  // namespace fercli

namespace fercli::verify_command {

namespace {

constexpr size_t kIdsShown = 5;

struct Settings {
  std::vector<std::string> files;
  ModelOptions model;
  DataOptions data;
  DivisionOptions division;
  std::string out;
  ShowOptions show;
  Runtime runtime;
};

void declare(OptionSet& options, Settings& settings) {
  options.positional(&settings.files, 1, 1);
  options.section("What the images were made on");
  settings.model.declare(options);
  settings.data.declare(options);
  settings.model.declare_foreign(options);
  settings.model.declare_space(options);
  options.section("Output");
  settings.division.declare_shard_of_verdicts(options);
  options.text("out,o", &settings.out, "DIR", "with --shard: the folder for the shards");
  settings.show.declare(options, "print the findings as JSON, and nothing else");
  settings.runtime.precision = "fp32";
  settings.model.declare_runtime(options, &settings.runtime);
}

struct Claim {
  const char* words;
  std::vector<std::string> failing;  ///< ids of the images for which it does not hold
};

std::vector<Claim> claims_of(const Verification& found) {
  return {{"8-bit, in [0,255]", {}},  // a file with other values is refused
          {"within the eps claimed", found.too_far},
          {"reach the goal", found.not_reached},
          {"originals are classified rightly", found.not_right}};
}

void print_claim(const Claim& claim, int64_t images) {
  const auto& failing = claim.failing;
  print_text("  {:<42} {}", claim.words,
             failing.empty() ? fmt::format("all {}", images) : fmt::format("{} of {} do not", failing.size(), images));
  for (size_t i = 0; i < std::min(failing.size(), kIdsShown); ++i)
    print_text("{}{}", i ? ", " : ": ", printable(failing[i]));
  print_text("{}\n", failing.size() > kIdsShown ? ", ..." : "");
}

const char* outcome(const Verification& found) {
  return found.holds() ? "Every claim holds." : "Some claims do not hold.";
}

PrintedTable accuracies(const Verification& found) {
  PrintedTable table{"Robust accuracy that follows", {"", ""}, {}};
  for (const auto& [eps, metric] : found.robust_accuracy) table.rows.push_back({"eps " + eps, proportion_cell(metric)});
  return table;
}

PrintedTable claims(const Verification& found, const std::string& file) {
  PrintedTable table{file + ": claims", {"claim", "holds for", "of"}, {}};
  for (const auto& [claim, failing] : claims_of(found))
    table.rows.push_back({claim, found.images - static_cast<int64_t>(failing.size()), found.images});
  return table;
}

void print(const Verification& found, const AdversarialSet& set, const std::string& file) {
  print_text("{}: {} images, {}, goal {}\n", printable(file), found.images,
             printable(set.claim.at("norm").get<std::string>()), printable(set.claim.at("goal").get<std::string>()));
  for (const auto& claim : claims_of(found)) print_claim(claim, found.images);
  write_stdout(format_tables({accuracies(found)}, "text"));
  print_text("{}\n", outcome(found));
}

int print_findings(const Settings& settings, const AdversarialSet& set, const Verification& found) {
  const std::string& file = settings.files.front();
  if (settings.show.json) {
    print_text("{}\n", pretty_json(write_record(found)));
  } else if (settings.show.line_alone()) {
    print_text("{}: {} images. {}\n", printable(file), found.images, outcome(found));
  } else if (settings.show.text()) {
    print(found, set, file);
  } else {
    settings.show.print({claims(found, file), accuracies(found)});
  }
  return found.holds() ? 0 : 1;
}

/// What a shard looks at: its part of the images that were attacked, and what was made of them.
void look_at_shard(const Shard& shard, const AdversarialSet& set, const Dataset& evaluated, const Classifier& judge) {
  const auto keys = image_keys(evaluated.images);
  std::vector<int64_t> keys_of_originals;
  for (int64_t i = 0; i < set.images.size(); ++i) {
    keys_of_originals.push_back(keys[static_cast<size_t>(set.rows[i].item<int64_t>())]);
  }
  for (const auto& part : {evaluated.select(shard.places(keys)), set.images.select(shard.places(keys_of_originals))}) {
    logits_of_images(judge, part.images, ProgressObserver::terminal());
  }
}

int verify(Settings& settings, DividedWork& work) {
  if (work.helps()) return 0;
  const AdversarialSet set = load_adversarial(settings.files.front());
  const Checkpoint checkpoint = settings.model.load_and_warn();
  const Tta tta = parse_tta(set.claim.value("tta", "none"));
  const Classifier classifier = make_classifier(checkpoint, settings.runtime).with_tta(tta);
  settings.data.split = set.claim.at("split").get<std::string>();
  settings.data.limit = whole_of(set.claim.at("limit"));
  const Dataset evaluated = settings.data.part(settings.data.read(settings.model, checkpoint));
  const nlohmann::json identity = {{"network", checkpoint.digest},
                                   {"classifier", describe_classifier(classifier)},
                                   {"data set", evaluated.digest()},
                                   {"adversarial images", set.images.digest()}};
  if (settings.division.shard.empty()) {
    return print_findings(
        settings, set, verify_adversarial(set, evaluated, classifier, checkpoint.digest, ProgressObserver::terminal()));
  }
  Division& division = *work.division(identity);
  LogitStore store(identity);
  const Classifier judge = store.before(classifier);
  if (work.shard()) {
    require_claimed(set, evaluated, checkpoint.digest);
    look_at_shard(*work.shard(), set, evaluated, judge);
    store.keep_in(division);
    return 0;
  }
  store.take_from(division);
  return print_findings(settings, set,
                        verify_adversarial(set, evaluated, judge, checkpoint.digest, ProgressObserver::terminal()));
}

int run(const std::vector<std::string>& arguments) {
  Settings settings;
  OptionSet options("verify", "FILE", "Recompute what the adversarial images of `eval --save-adv FILE` claim.");
  declare(options, settings);
  if (!options.parse(arguments)) return 0;
  settings.division.check(options, settings.out);
  if (settings.division.shard.empty() && options.given("out")) options.fail("out", "is for --shard");
  settings.show.begin(options);
  DividedWork work(settings.division, words_of("verify", arguments), settings.out);
  prepare_machine(settings.division.shared(settings.runtime));
  return work.run([&](DividedWork& divided) { return verify(settings, divided); });
}

const Register<DocumentKind> document{
    {"verify", "--json of verify: which claims hold", schema_of_record<Verification>}};

const Register<Command> registered{{"verify", "recompute what saved adversarial images claim", run}};

}  // namespace

}  // namespace fercli::verify_command
