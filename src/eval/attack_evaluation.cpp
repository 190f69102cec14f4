#include "eval/attack_evaluation.hpp"

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/tensor_list.hpp"
#include "eval/campaign/division.hpp"
#include "eval/campaign/verdict.hpp"
#include "eval/evaluate.hpp"
#include "eval/measures/image_quality.hpp"

namespace fercli {

namespace {

constexpr const char* kNearestState = ".nearest.state";

/// The nearest successes of these images.
struct Nearest {
  torch::Tensor eps;     ///< (N) float64, infinite where there is none
  torch::Tensor stored;  ///< uint8 (N,C,H,W)
  torch::Tensor known;   ///< (N) bool: searched to the end
};

/// Of a minimum-norm attack, what its run found and, where that is nothing, what it finds in the largest ball; of
/// another, what the search for the smallest eps finds that begins where its run ended.
Nearest search_nearest(const Bench& bench, const AttackPlan& plan, const AttackRecord& found,
                       const CampaignOptions& options, Observer& observer, AttackOutcome* outcome) {
  Nearest nearest{torch::full_like(found.distance, std::numeric_limits<double>::infinity()), found.adversarial.clone(),
                  torch::ones_like(found.float_success)};
  torch::Tensor left = torch::arange(found.broken.size(0));
  if (found.minimum_norm) {
    nearest.eps = found.distance.clone();
    left = found.success().logical_not().nonzero().squeeze(1);
    if (left.size(0) == 0) return nearest;
  }
  const Dataset images = bench.images.select(list_of(left));
  const torch::Tensor start = found.minimum_norm ? torch::Tensor() : to_float(found.adversarial.index_select(0, left));
  CampaignOptions of_left = options;
  of_left.needed = false;
  of_left.of_part = true;
  const Ledger ledger = run_campaign({bench.network, images, bench.digest, bench.verdict.index_select(0, left)},
                                     plan.nearest(start), of_left, observer);
  if (ledgers_only(options.division)) return nearest;
  const AttackRecord& record = ledger.attacks.front();
  nearest.eps.index_copy_(0, left, record.distance);
  nearest.stored.index_copy_(0, left, record.adversarial);
  nearest.known.index_copy_(0, left, ledger.through());
  outcome->forward += record.forward.front();
  outcome->backward += record.backward.front();
  outcome->seconds += record.seconds.front();
  AttackRecord searched = record;  // a success of this search lies anywhere up to its own limit
  searched.broken = record.broken.masked_fill(record.distance.isfinite(), 0);
  for (auto& report : stage_reports(searched, {{fmt::format("{:g}", plan.nearest(start).search_limit()), 0}})) {
    outcome->stages.push_back(std::move(report));
  }
  return nearest;
}

void add_nearest(const Bench& bench, const AttackPlan& plan, const Nearest& nearest, Observer& observer,
                 AttackOutcome* outcome) {
  const auto goal = plan.goal.for_labels(bench.images.labels);
  const auto reached = verdict_on_stored(bench.network, nearest.stored, goal, observer).reached;
  for (int64_t i = 0; i < reached.size(0); ++i) {
    auto& image = outcome->images[static_cast<size_t>(i)];
    if (!nearest.known[i].item<bool>()) continue;
    image.minimal_eps =
        reached[i].item<bool>() ? nearest.eps[i].item<double>() : std::numeric_limits<double>::infinity();
    image.minimal = nearest.stored[i];
  }
}

/// The images of which every run has ended.
AttackRecord finished_part(const Ledger& ledger, const torch::Tensor& places) {
  AttackRecord part = ledger.attacks.front();
  for (const auto& [name, column] : part.columns()) *column = column->index_select(0, places);
  return part;
}

/// Where the search for the smallest eps keeps its state.
std::filesystem::path nearest_state(std::filesystem::path state) {
  return state.replace_filename(state.stem().string() + kNearestState);
}

CampaignOptions of_nearest(CampaignOptions options) {
  if (options.state) options.state = nearest_state(*options.state);
  return options;
}

/// (N) bool: does the network give these labels more than this probability, and predict them? probabilities: (N,K)
/// float64. The one rule by which an original counts.
torch::Tensor sure_rows(const torch::Tensor& probabilities, const torch::Tensor& labels, double min_confidence) {
  const auto of_label = probabilities.gather(1, labels.unsqueeze(1)).squeeze(1);
  return predicted_classes(probabilities).eq(labels).logical_and(of_label.gt(min_confidence));
}

/// A success counts only where the network was sure of the original.
void count_only_sure(const AttackPlan& plan, const torch::Tensor& float_success, AttackOutcome* outcome) {
  for (size_t i = 0; i < outcome->images.size(); ++i) {
    auto& image = outcome->images[i];
    const auto clean = torch::tensor(image.clean, torch::kFloat64).unsqueeze(0);
    image.sure = sure_rows(clean, torch::tensor({image.label}, torch::kInt64), plan.min_confidence).item<bool>();
    image.success = image.success && image.sure;
    image.float_success = image.sure && float_success[static_cast<int64_t>(i)].item<bool>();
  }
}

ImageFigures image_figures(const AttackedImage& image, const LabelSet& classes) {
  const auto kept = [](const std::string& file) {
    std::optional<std::string> place;
    if (!file.empty()) place = file;
    return place;
  };
  ImageFigures figures;
  figures.id = image.id;
  figures.label = classes.name(image.label);
  figures.clean_class = classes.name(top_of(image.clean));
  figures.clean_probabilities = image.clean;
  figures.adversarial_class = classes.name(top_of(image.after));
  figures.adversarial_probabilities = image.after;
  figures.linf = image.linf;
  figures.linf_255 = std::lround(image.linf * 255);
  figures.l2 = image.l2;
  figures.psnr = image.psnr;
  figures.ssim = image.ssim;
  figures.sure = image.sure;
  figures.success = image.success;
  figures.success_float = image.float_success;
  figures.file = kept(image.file);
  figures.minimal_eps = image.minimal_eps;
  if (image.minimal_eps) figures.minimal_file = kept(image.minimal_file);
  return figures;
}

}  // namespace

Trial AttackPlan::trial() const {
  Trial trial;
  trial.attacks = {attack};
  trial.ladder = {{eps_text, threat.eps}};
  trial.norm = threat.norm;
  trial.goal = goal;
  trial.settings = settings;
  trial.seed = seed;
  trial.mask = mask;
  trial.surrogate = surrogate;
  trial.misclassified_too = true;
  trial.nearest_limit = threat.eps;
  return trial;
}

Trial AttackPlan::nearest(const torch::Tensor& start) const {
  Trial nearest = trial();
  nearest.start = start;
  nearest.nearest = true;
  nearest.nearest_limit = 0;
  return nearest;
}

AttackSelection select_images(const Classifier& classifier, const Dataset& dataset, const AttackPlan& plan,
                              Observer& observer) {
  AttackSelection selection;
  for (int64_t row = 0; row < dataset.size(); ++row) {
    if (plan.goal.concerns(dataset.labels[row].item<int64_t>())) selection.of_source.push_back(row);
  }
  if (selection.of_source.empty()) return selection;
  const Dataset images = dataset.select(selection.of_source);
  selection.probabilities =
      predict(classifier.with_precision(Precision::Float32), images, plan.settings.batch_size, observer).probabilities;
  const auto sure = sure_rows(selection.probabilities, images.labels, plan.min_confidence);
  const auto of_label = selection.probabilities.gather(1, images.labels.unsqueeze(1)).squeeze(1);
  selection.best = selection.of_source[static_cast<size_t>(of_label.argmax().item<int64_t>())];
  for (int64_t i = 0; i < images.size(); ++i) {
    if (sure[i].item<bool>()) selection.confident.push_back(selection.of_source[static_cast<size_t>(i)]);
  }
  return selection;
}

AttackOutcome attack_images(const Bench& bench, const std::vector<int64_t>& rows, const AttackPlan& plan,
                            const CampaignOptions& options, Observer& observer) {
  const Dataset all = bench.images.select(rows);
  const auto verdict_on_all = predicted_classes(
      predict(bench.network.with_precision(Precision::Float32), all, plan.settings.batch_size, observer).probabilities);
  const bool only_ledgers = ledgers_only(options.division);
  CampaignOptions keeping = options;
  keeping.partial = true;
  keeping.needed = plan.minimal_eps;
  const Trial trial = plan.trial();
  const Ledger ledger = run_campaign({bench.network, all, bench.digest, verdict_on_all}, trial, keeping, observer);
  if (only_ledgers && (!plan.minimal_eps || ledger.size() == 0)) return {};
  const Dataset chosen = all.select(ledger.rows);  // all, or those of a shard
  const auto verdict = verdict_on_all.index_select(0, torch::tensor(ledger.rows, torch::kInt64));
  const auto through = ledger.through().nonzero().squeeze(1);
  if (through.size(0) == 0) {
    throw Interrupted(fmt::format("interrupted before an image was finished{}",
                                  options.state ? "; the same command goes on from " + options.state->string() : ""));
  }
  // What an interrupt left is judged all the same.
  std::optional<Uninterrupted> finishing;
  if (!ledger.finished()) finishing.emplace();
  const AttackRecord found = finished_part(ledger, through);
  const Dataset images = chosen.select(list_of(through));
  AttackOutcome outcome;
  if (only_ledgers) {
    search_nearest({bench.network, images, bench.digest, verdict}, plan, found, of_nearest(keeping), observer,
                   &outcome);
    return {};
  }
  outcome.complete = ledger.finished();
  outcome.attack = found.settings;
  outcome.forward = found.forward.front();
  outcome.backward = found.backward.front();
  outcome.seconds = found.seconds.front();
  outcome.stages = stage_reports(found, trial.ladder);
  outcome.images = compare_stored(bench.network, images, found.adversarial, plan.goal, observer);
  count_only_sure(plan, found.float_success, &outcome);
  if (plan.minimal_eps && outcome.complete) {
    const Bench finished{bench.network, images, bench.digest, verdict};
    outcome.attack["minimal_eps_search_precision"] = to_string(Precision::Float32);
    const auto nearest = search_nearest(finished, plan, found, of_nearest(keeping), observer, &outcome);
    outcome.complete = nearest.known.all().item<bool>();
    if (!outcome.complete) finishing.emplace();
    add_nearest(finished, plan, nearest, observer, &outcome);
  }
  return outcome;
}

void remove_attack_state(const std::filesystem::path& state) {
  std::error_code error;
  for (const auto& file : {state, nearest_state(state)}) std::filesystem::remove(file, error);
}

std::vector<AttackedImage> compare_stored(const Classifier& classifier, const Dataset& images,
                                          const torch::Tensor& stored, const EmotionGoal& goal, Observer& observer) {
  const auto clean = verdict_on_stored(classifier, images.images, goal.for_labels(images.labels), observer);
  const auto after = verdict_on_stored(classifier, stored, goal.for_labels(images.labels), observer);
  const auto x = to_float(images.images), x_adv = to_float(stored);
  const auto linf = distances(x_adv, x, Norm::Linf, true), l2 = distances(x_adv, x, Norm::L2, true);
  const auto noise = psnr(x, x_adv), similarity = ssim(x, x_adv);
  std::vector<AttackedImage> compared;
  for (int64_t i = 0; i < images.size(); ++i) {
    AttackedImage image{};
    image.id = images.ids[static_cast<size_t>(i)];
    image.label = images.labels[i].item<int64_t>();
    image.original = images.images[i].clone();
    image.adversarial = stored[i].clone();
    image.clean = clean.of(i);
    image.after = after.of(i);
    image.linf = linf[i].item<double>();
    image.l2 = l2[i].item<double>();
    image.psnr = noise[i].item<double>();
    image.ssim = similarity[i].item<double>();
    image.success = image.float_success = after.reached[i].item<bool>();
    compared.push_back(std::move(image));
  }
  return compared;
}

Result summarise_images(const std::vector<AttackedImage>& images, const LabelSet& classes) {
  Result result;
  result.command = "attack";
  int64_t successes = 0;
  for (const auto& image : images) {
    result.n += image.sure;
    successes += image.success;
    result.per_image.push_back(image_figures(image, classes));
  }
  result.metrics["success_8bit"] = proportion(successes, result.n);
  return result;
}

Result summarise(const AttackOutcome& outcome, const AttackSelection& selection, const AttackPlan& plan,
                 const LabelSet& classes) {
  Result result = summarise_images(outcome.images, classes);
  int64_t float_successes = 0;
  std::vector<double> minimal;
  for (const auto& image : outcome.images) {
    float_successes += image.float_success;
    if (image.minimal_eps && image.sure) minimal.push_back(*image.minimal_eps);
  }
  result.metrics["success_float"] = proportion(float_successes, result.n);
  result.metrics["confident_share"] =
      proportion(static_cast<int64_t>(selection.confident.size()), static_cast<int64_t>(selection.of_source.size()));
  if (plan.minimal_eps) result.metrics["median_minimal_eps"] = median(minimal);
  result.threat_model = {{"norm", to_string(plan.threat.norm)},
                         {"eps", plan.threat.eps},
                         {"eps_levels", describe_levels(plan.threat.norm, plan.threat.eps)},
                         {"goal", plan.goal.name},
                         {"min_confidence", plan.min_confidence}};
  if (plan.mask.defined()) result.threat_model["mask"] = mask_digest(plan.mask);
  if (plan.surrogate.classifier) result.threat_model["surrogate"] = plan.surrogate.digest;
  result.attacks = nlohmann::json::array({outcome.attack});
  result.seed = plan.seed;
  result.tables["network_passes"] = {{"forward", outcome.forward}, {"backward", outcome.backward}};
  result.tables["stages"] = Shape<std::vector<StageReport>>::write(outcome.stages);
  result.timing = {{"seconds", outcome.seconds},
                   {"images_per_second", static_cast<double>(outcome.images.size()) / outcome.seconds}};
  if (!outcome.complete) result.add_warning("interrupted: only the images finished until then are counted");
  return result;
}

}  // namespace fercli
