#include "eval/evaluate.hpp"

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/random.hpp"
#include "core/tensor_list.hpp"

namespace fercli {

namespace {

using nlohmann::json;

/// Six significant digits, so that the file stays readable. Not std::stod, which throws on a subnormal number.
double six_digits(double value) {
  return std::strtod(fmt::format("{:.6g}", value).c_str(), nullptr);
}

json class_table(const std::vector<ClassScore>& scores, const LabelSet& classes) {
  auto table = json::array();
  for (size_t k = 0; k < scores.size(); ++k) {
    table.push_back({{"class", classes.names()[k]},
                     {"precision", to_json(scores[k].precision)},
                     {"recall", to_json(scores[k].recall)},
                     {"f1", to_json(scores[k].f1)},
                     {"support", scores[k].support}});
  }
  return table;
}

std::vector<ImageFigures> image_table(const Outcomes& outcomes, const Dataset& dataset) {
  const LabelSet& classes = dataset.classes;
  const auto predicted = predicted_classes(outcomes.probabilities);
  const auto pixels = describe_pixels(dataset.images);
  std::vector<ImageFigures> table(pixels.size());
  for (int64_t row = 0; row < dataset.size(); ++row) {
    ImageFigures& image = table[static_cast<size_t>(row)];
    image.id = dataset.ids[static_cast<size_t>(row)];
    image.pixels = pixels[static_cast<size_t>(row)];
    image.label = classes.name(dataset.labels[row].item<int64_t>());
    image.predicted = classes.name(predicted.data_ptr<int64_t>()[row]);
    const double* first = outcomes.probabilities.data_ptr<double>() + row * classes.size();
    for (int64_t k = 0; k < classes.size(); ++k) image.probabilities.push_back(six_digits(first[k]));
  }
  return table;
}

std::vector<std::vector<int64_t>> matrix_rows(const torch::Tensor& matrix) {
  std::vector<std::vector<int64_t>> rows;
  const int64_t* cell = matrix.data_ptr<int64_t>();
  for (int64_t row = 0; row < matrix.size(0); ++row, cell += matrix.size(1))
    rows.emplace_back(cell, cell + matrix.size(1));
  return rows;
}

std::vector<ReliabilityBin> shortened(std::vector<ReliabilityBin> bins) {
  for (auto& bin : bins) {
    bin.low = six_digits(bin.low);
    bin.high = six_digits(bin.high);
  }
  return bins;
}

/// How many predictions are right when class k of the network is read as class `meaning[k]`.
int64_t right_if(const torch::Tensor& confusion, const std::vector<int64_t>& meaning) {
  int64_t right = 0;
  for (int64_t k = 0; k < confusion.size(0); ++k)
    right += confusion[meaning[static_cast<size_t>(k)]][k].item<int64_t>();
  return right;
}

/// Class k of `classes` has some place in `written`; what `read` has at that place.
std::vector<int64_t> exchanged(const LabelSet& classes, const LabelSet& written, const LabelSet& read) {
  std::vector<int64_t> meaning;
  for (const auto& name : classes.names()) meaning.push_back(classes.index(read.name(written.index(name))));
  return meaning;
}

/// The highest accuracy that reading one known order as another gives, and that in words; without one, `as_is`.
std::pair<Metric, std::string> best_exchange(const torch::Tensor& confusion, const LabelSet& classes,
                                             const Metric& as_is) {
  std::pair<Metric, std::string> best{as_is, ""};
  const std::vector<std::pair<const char*, LabelSet>> known{
      {"FER2013's", LabelSet::fer2013()},      {"alphabetical", LabelSet::alphabetical()},
      {"RAF-DB's", LabelSet::raf_db()},        {"AffectNet's", LabelSet::affectnet7()},
      {"AffectNet's", LabelSet::affectnet8()}, {"FER+'s", LabelSet::ferplus()}};
  std::vector<std::pair<const char*, LabelSet>> orders;
  for (const auto& order : known) {
    const auto mapping = classes.mapping_from(order.second);
    const bool fits = std::none_of(mapping.begin(), mapping.end(), [](int64_t index) { return index < 0; });
    if (fits && order.second.size() == classes.size()) orders.push_back(order);
  }
  for (const auto& [written_name, written] : orders) {
    for (const auto& [read_name, read] : orders) {
      const Metric other = proportion(right_if(confusion, exchanged(classes, written, read)), as_is.n);
      if (other.value <= best.first.value) continue;
      best = {other, fmt::format("accuracy would be {} instead of {} if {} label order were read as {}",
                                 format_proportion(other), format_proportion(as_is), written_name, read_name)};
    }
  }
  return best;
}

}  // namespace

Predictions predict(const Classifier& classifier, const Dataset& dataset, int64_t batch_size, Observer& observer) {
  const auto start = Clock::now();
  const int64_t n = dataset.size();
  auto probabilities = torch::empty({n, classifier.classes().size()}, torch::kFloat64);
  Followed progress(observer, {n, 0, "images", "Evaluating"});
  for (int64_t first = 0; first < n; first += batch_size) {
    throw_if_interrupted();
    const int64_t count = std::min(batch_size, n - first);
    const auto logits = classifier.logits(to_float(dataset.images.narrow(0, first, count)));
    probabilities.narrow(0, first, count).copy_(torch::softmax(logits.to(torch::kFloat64), 1));
    progress.advance(count);
  }
  if (!torch::isfinite(probabilities).all().item<bool>()) {
    throw RunError("the network gives NaN or infinite values: its weights are damaged, or the training diverged");
  }
  return {probabilities, seconds_since(start)};
}

CleanFigures clean_figures(const Predictions& predictions, const Dataset& dataset, uint64_t seed) {
  const Outcomes outcomes{predictions.probabilities, dataset.labels};
  const auto confusion = confusion_matrix(outcomes, dataset.classes.size());
  const Rng rng = Rng(seed).split("calibration");
  CleanFigures figures;
  figures.metrics = {{"accuracy", accuracy(confusion)},
                     {"balanced_accuracy", balanced_accuracy(confusion)},
                     {"macro_f1", macro_f1(confusion)},
                     {"ece", expected_calibration_error(outcomes)},
                     {"ece_if_calibrated", calibrated_ece(outcomes, rng.split("ece"))},
                     {"brier", brier_score(outcomes)},
                     {"nll", negative_log_likelihood(outcomes)}};
  if (dataset.votes.defined()) figures.metrics["accuracy_by_votes"] = accuracy_by_votes(outcomes, dataset.votes);
  const auto scores = class_scores(confusion);
  figures.per_class = class_table(scores, dataset.classes);
  figures.confusion_matrix = matrix_rows(confusion);
  figures.reliability = shortened(reliability(outcomes));
  for (const auto& of_class : scores)
    figures.share_predicted.push_back(proportion(of_class.precision.n, dataset.size()));
  if (const auto hint = label_order_hint(confusion, dataset.classes)) figures.warnings = {*hint};
  return figures;
}

Result summarise(const CleanFigures& figures, const Predictions& predictions, const Dataset& dataset,
                 nlohmann::json model) {
  Result result;
  result.n = dataset.size();
  result.metrics = figures.metrics;
  result.add_model(std::move(model));
  result.parts["clean"][result.model_name()] = Shape<CleanFigures>::write(figures);
  result.outcomes[result.model_name()] = {dataset.ids,
                                          list_of(dataset.labels),
                                          describe_pixels(dataset.images),
                                          list_of(predicted_classes(predictions.probabilities)),
                                          {},
                                          {}};
  result.per_image = image_table({predictions.probabilities, dataset.labels}, dataset);
  result.timing = {{"seconds", predictions.seconds},
                   {"images_per_second", static_cast<double>(result.n) / predictions.seconds}};
  return result;
}

Metric deduplicated_accuracy(const Predictions& predictions, const Dataset& dataset, const Dataset& training) {
  const auto predicted = predicted_classes(predictions.probabilities);
  const auto rows = dataset.rows_not_in(training);
  int64_t right = 0;
  for (const int64_t row : rows) right += predicted[row].item<int64_t>() == dataset.labels[row].item<int64_t>();
  return proportion(right, static_cast<int64_t>(rows.size()));
}

std::optional<std::string> label_order_hint(const torch::Tensor& confusion, const LabelSet& classes) {
  const Metric as_is = accuracy(confusion);
  if (as_is.n == 0) return {};
  constexpr const char* kQuestion =
      "are the classes of the model (--labels) or of the data (--data-labels) in the wrong order?";
  constexpr double kFarBetter = 0.1;
  const auto [better, sentence] = best_exchange(confusion, classes, as_is);
  if (better.value >= as_is.value + kFarBetter && better.interval.low >= as_is.interval.high)
    return fmt::format("{}: {}", sentence, kQuestion);
  const double chance = 1.0 / static_cast<double>(classes.size());
  if (as_is.interval.high >= chance) return {};
  return fmt::format("accuracy {} is below chance ({:.1f} %): {}", format_proportion(as_is), 100 * chance, kQuestion);
}

}  // namespace fercli
