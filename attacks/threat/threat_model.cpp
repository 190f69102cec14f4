#include "attacks/threat/threat_model.hpp"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/meant_levels.hpp"
#include "core/text.hpp"

namespace fercli {

namespace {

constexpr double kLevelsOfAPixel = 255;
/// The share of eps by which the last bits of a double may be wrong. Two 8-bit images of different distance differ by
/// far more: in L2 by a half part in the sum of their squared levels, under 1e10.
constexpr double kDoubleRounding = 1e-12;
/// Off the pixel grid: the rounding of float32 pixels, as a share of eps and for each value.
constexpr double kFloatRounding = 1e-6, kPixelRounding = 4e-7;
/// More than any image has.
constexpr double kCountless = 1e18;
/// In L2 a cut of eps by less than this share is not worth a word.
constexpr double kWorthAWord = 1e-3;

double limit_of_distance(double eps, bool pixel_grid) {
  return pixel_grid ? eps * (1 + kDoubleRounding) : eps * (1 + kFloatRounding) + kPixelRounding;
}

}  // namespace

const NormFacts& facts_of(Norm norm) {
  static constexpr NormFacts kFacts[] = {
      {"Linf", "levels", 0, 1, 0.5, "8/255", "8/255", "8/255", "1/255,2/255,4/255,8/255", 64 / 255.0, 1 / 255.0},
      {"L2", "sum of squared levels", 0, kInfinity, kInfinity, "0.5", "2", "4", "0.25,0.5,1,2", 8, 0.01},
      {"L1", "sum of levels", 0, kInfinity, kInfinity, "8", "8", "8", "2,4,8,16", 128, 0.1},
      {"L0", "values", 1, kInfinity, kInfinity, "24", "24", "24", "8,16,32,64", 1024, 1}};
  return kFacts[static_cast<size_t>(norm)];
}

const char* to_string(Norm norm) {
  return facts_of(norm).name;
}

Norm parse_norm(const std::string& word) {
  for (const Norm norm : kNorms) {
    if (to_lower(word) == to_lower(to_string(norm))) return norm;
  }
  throw UserError(fmt::format("unknown norm '{}' (known: {})", word, join(norm_words(), ", ")));
}

std::vector<std::string> norm_words() {
  std::vector<std::string> words;
  for (const Norm norm : kNorms) words.push_back(to_lower(to_string(norm)));
  return words;
}

std::string eps_fault(Norm norm, const std::string& eps_text, double eps, double most) {
  const NormFacts& facts = facts_of(norm);
  const double limit = std::min(most, facts.most);
  if (!(eps > 0)) return "must be above 0";
  if (eps > limit)
    return fmt::format("must be in (0, {:g}] in {}{}", limit, facts.name, meant_levels(eps_text, eps, 255 * limit));
  if (eps < facts.least)
    return fmt::format("must be at least {:g} in {}, the number of changed values", facts.least, facts.name);
  return std::isfinite(eps) ? "" : "must be finite";
}

torch::Tensor row_sums(const torch::Tensor& values) {
  // In two stages: a sum of many numbers into one (a batch of one image) would be split among the threads.
  return values.sum(-1).flatten(1).sum(1);
}

torch::Tensor row_norms(const torch::Tensor& delta, Norm norm) {
  if (norm == Norm::Linf) return delta.abs().flatten(1).amax(1).to(torch::kFloat64);
  const auto values = delta.to(torch::kFloat64);
  if (norm == Norm::L2) return row_sums(values.square()).sqrt();
  return row_sums(norm == Norm::L1 ? values.abs() : values.ne(0).to(torch::kFloat64));
}

torch::Tensor distances(const torch::Tensor& x_adv, const torch::Tensor& x, Norm norm, bool pixel_grid) {
  if (!pixel_grid || norm == Norm::L0) return row_norms(x_adv - x, norm);
  const auto levels = (x_adv * kLevelsOfAPixel).round() - (x * kLevelsOfAPixel).round();
  return row_norms(levels, norm) / kLevelsOfAPixel;
}

bool within(double distance, double eps, bool pixel_grid) {
  return distance <= limit_of_distance(eps, pixel_grid);
}

torch::Tensor within(const torch::Tensor& distance, double eps, bool pixel_grid) {
  return distance.le(limit_of_distance(eps, pixel_grid));
}

torch::Tensor within(const torch::Tensor& distance, const torch::Tensor& eps, bool pixel_grid) {
  return distance.le(pixel_grid ? eps * (1 + kDoubleRounding) : eps * (1 + kFloatRounding) + kPixelRounding);
}

LevelEps in_levels(Norm norm, double eps) {
  const double limit = limit_of_distance(eps, true) * (norm == Norm::L0 ? 1 : kLevelsOfAPixel);
  const double most = std::min(kCountless, std::floor(norm == Norm::L2 ? limit * limit : limit));
  switch (norm) {
    case Norm::L0:
      return {static_cast<int64_t>(most), most};
    case Norm::L2:
      return {static_cast<int64_t>(most), std::sqrt(most) / kLevelsOfAPixel};
    default:
      return {static_cast<int64_t>(most), most / kLevelsOfAPixel};
  }
}

nlohmann::json describe_levels(Norm norm, double eps) {
  const auto levels = in_levels(norm, eps);
  return {{"counts", facts_of(norm).counts}, {"at_most", levels.most}, {"distance", levels.distance}};
}

std::string levels_note(Norm norm, const std::string& eps_text, double eps) {
  const auto levels = in_levels(norm, eps);
  const double cut = eps - levels.distance;
  if (cut <= eps * (norm == Norm::L2 ? kWorthAWord : kDoubleRounding)) return "";
  const auto most = levels.most;
  const std::string meaning = norm == Norm::Linf ? fmt::format("{} level{} of 255", most, most == 1 ? "" : "s")
                              : norm == Norm::L1 ? fmt::format("{} level{} of 255 in sum", most, most == 1 ? "" : "s")
                              : norm == Norm::L2
                                  ? fmt::format("{:.4g}, {} in sum of squared levels", levels.distance, most)
                                  : fmt::format("{} value{}", most, most == 1 ? "" : "s");
  return fmt::format("eps {} is {}: {}", eps_text, meaning,
                     norm == Norm::L0 ? "values are counted whole" : "8-bit images hold whole levels only");
}

torch::Tensor ThreatModel::eps_rows(int64_t n) const {
  auto rows = eps_per_image.defined() ? eps_per_image.to(torch::kFloat64) : torch::full({n}, eps, torch::kFloat64);
  if (rows.dim() != 1 || rows.size(0) != n) {
    throw UserError(fmt::format("threat model: {} values of eps for {} images", rows.numel(), n));
  }
  if (n == 0) return rows;
  for (const double one : {rows.min().item<double>(), rows.max().item<double>()}) {
    const std::string text = fmt::format("{:g}", one), fault = eps_fault(norm, text, one);
    if (!fault.empty()) throw UserError(fmt::format("threat model: eps {}: {}", text, fault));
  }
  return rows;
}

Goal Goal::untargeted(torch::Tensor y) {
  return Goal(std::move(y), false);
}

Goal Goal::targeted(torch::Tensor target) {
  return Goal(std::move(target), true);
}

torch::Tensor Goal::reached(const torch::Tensor& logits) const {
  const auto predicted = logits.argmax(1);
  const auto wanted = targeted_ ? predicted.eq(labels_) : predicted.ne(labels_);
  return wanted.logical_and(logits.isnan().any(1).logical_not());
}

torch::Tensor Goal::probability(const torch::Tensor& logits) const {
  const auto of_label = logits.softmax(1).gather(1, labels_.unsqueeze(1)).squeeze(1);
  return targeted_ ? of_label : 1 - of_label;
}

Goal Goal::select(const torch::Tensor& rows) const {
  return Goal(labels_.index_select(0, rows), targeted_);
}

Goal Goal::narrow(int64_t start, int64_t length) const {
  return Goal(labels_.narrow(0, start, length), targeted_);
}

}  // namespace fercli
