#include "eval/adversarial_set.hpp"

#include <fmt/format.h>

#include "attacks/threat/ball.hpp"
#include "core/container.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace fercli {

namespace {

using nlohmann::json;

void require_same(const json& claim, const char* name, const std::string& now, const char* option) {
  if (claim.at(name).get<std::string>() == now) return;
  throw UserError(fmt::format("{}: is not what these adversarial images were made on ({} {}..., here {}...)", option,
                              name, claim.at(name).get<std::string>().substr(0, 12), now.substr(0, 12)));
}

std::vector<std::string> ids_where(const Dataset& images, const torch::Tensor& mask) {
  std::vector<std::string> ids;
  for (int64_t i = 0; i < images.size(); ++i) {
    if (mask[i].item<bool>()) ids.push_back(images.ids[static_cast<size_t>(i)]);
  }
  return ids;
}

}  // namespace

AdversarialSet collect_adversarial(const Ledger& robustness, const Trial& plan, const Dataset& evaluated, json claim) {
  const AttackRecord worst = robustness.worst();
  if (!worst.adversarial.defined()) {
    throw UserError("--save-adv: holds 8-bit images, and --float makes others; leave one of them out");
  }
  AdversarialSet set;
  std::vector<int64_t> rows, places;
  std::vector<double> eps;
  for (int64_t i = 0; i < robustness.size(); ++i) {
    const auto rung = static_cast<size_t>(worst.broken[i].item<int64_t>());
    if (rung == plan.ladder.size() || !robustness.right()[i].item<bool>()) continue;
    places.push_back(i);
    rows.push_back(robustness.rows[static_cast<size_t>(i)]);
    eps.push_back(plan.ladder[rung].eps);
  }
  set.images = evaluated.select(rows);
  set.images.name = "adversarial images";
  set.images.images = worst.adversarial.index_select(0, torch::tensor(places, torch::kInt64));
  set.rows = torch::tensor(rows, torch::kInt64);
  set.eps = torch::tensor(eps, torch::kFloat64);
  claim["norm"] = to_string(plan.norm);
  claim["goal"] = plan.goal.name;
  claim["data_digest"] = evaluated.digest();
  claim["n"] = evaluated.size();
  for (const auto& rung : plan.ladder) claim["ladder"].push_back(rung.text);
  set.claim = std::move(claim);
  return set;
}

void save_adversarial(const AdversarialSet& set, const std::filesystem::path& path) {
  Container container;
  container.kind = kDatasetKind;
  container.header = {{"name", set.images.name},
                      {"classes", set.images.classes.names()},
                      {"ids", set.images.ids},
                      {"adversarial", set.claim}};
  auto splits = torch::empty({set.images.size()}, torch::kUInt8);
  for (int64_t i = 0; i < set.images.size(); ++i) {
    splits[i] = static_cast<int64_t>(set.images.splits[static_cast<size_t>(i)]);
  }
  container.tensors = {{"images", set.images.images},
                       {"labels", set.images.labels},
                       {"splits", splits},
                       {"rows", set.rows},
                       {"eps", set.eps}};
  save_container(container, path);
}

AdversarialSet load_adversarial(const std::filesystem::path& path) {
  const Container container = load_container(path, kDatasetKind);
  if (!container.header.contains("adversarial")) {
    throw UserError(
        fmt::format("{}: is a packed data set without adversarial images (see eval --save-adv)", path.string()));
  }
  AdversarialSet set;
  try {
    set.claim = container.header.at("adversarial");
    set.images.name = path.string();
    set.images.classes = LabelSet(container.header.at("classes").get<std::vector<std::string>>());
    set.images.ids = container.header.at("ids").get<std::vector<std::string>>();
    set.images.images = container.tensors.at("images");
    set.images.labels = container.tensors.at("labels");
    set.rows = container.tensors.at("rows");
    set.eps = container.tensors.at("eps");
  } catch (const std::exception&) {
    throw UserError(fmt::format("{}: a part of the adversarial images is missing", path.string()));
  }
  const int64_t n = set.images.size();
  if (set.images.images.dim() != 4 || set.images.images.scalar_type() != torch::kUInt8 ||
      set.images.images.size(0) != n || set.images.labels.numel() != n || set.rows.numel() != n ||
      set.eps.numel() != n) {
    throw UserError(fmt::format("{}: the parts of the adversarial images do not fit together", path.string()));
  }
  return set;
}

Verification verify_adversarial(const AdversarialSet& set, const Dataset& evaluated, const Classifier& classifier,
                                const std::string& model_digest) {
  require_same(set.claim, "model_digest", model_digest, "--model");
  require_same(set.claim, "data_digest", evaluated.digest(), "--data");
  Verification verification;
  verification.images = set.images.size();
  const Norm norm = parse_norm(set.claim.at("norm"));
  const EmotionGoal goal = parse_emotion_goal(set.claim.at("goal"), set.images.classes);
  const Classifier judge = classifier.with_precision(Precision::Float32);
  const auto x = to_float(evaluated.images);
  const auto right = judge.logits(x).argmax(1).eq(evaluated.labels);
  if (verification.images > 0) {
    const auto originals = x.index_select(0, set.rows);
    const auto shown = to_float(set.images.images);
    const auto labels = evaluated.labels.index_select(0, set.rows);
    const Ball ball(norm, originals, set.eps, /*pixel_grid=*/true);
    verification.too_far = ids_where(set.images, ball.contains(shown).logical_not());
    verification.not_reached =
        ids_where(set.images, goal.for_labels(labels).reached(judge.logits(shown)).logical_not());
    verification.not_right = ids_where(set.images, right.index_select(0, set.rows).logical_not());
  }
  auto concerned = torch::zeros({evaluated.size()}, torch::kBool);
  for (int64_t row = 0; row < evaluated.size(); ++row) {
    concerned[row] = goal.concerns(evaluated.labels[row].item<int64_t>());
  }
  for (const auto& text : set.claim.at("ladder").get<std::vector<std::string>>()) {
    auto standing = right.logical_and(concerned);
    standing.index_fill_(0, set.rows.masked_select(set.eps.le(parse_number(text))), false);
    verification.robust_accuracy.emplace_back(
        text, proportion(standing.sum().item<int64_t>(), concerned.sum().item<int64_t>()));
  }
  return verification;
}

}  // namespace fercli
