#include "eval/adversarial_set.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "attacks/threat/ball.hpp"
#include "core/container.hpp"
#include "core/error.hpp"
#include "core/text.hpp"
#include "data/formats/packed.hpp"
#include "eval/campaign/verdict.hpp"

namespace fercli {

namespace {

using nlohmann::json;

void require_same(const json& claim, const char* name, const std::string& now, const char* option) {
  if (claim.at(name).get<std::string>() == now) return;
  throw UserError(fmt::format("{}: is not what these adversarial images were made on ({} {}..., here {}...)", option,
                              name, claim.at(name).get<std::string>().substr(0, 12), now.substr(0, 12)));
}

bool is_size(const json& value) {
  try {
    parse_number(value.get<std::string>());
    return true;
  } catch (const std::exception&) {  // json::exception, std::invalid_argument
    return false;
  }
}

/// What `collect_adversarial` writes; a file may hold anything.
bool is_claim(const json& claim) {
  const auto has_text = [&](const char* name) { return claim.contains(name) && claim.at(name).is_string(); };
  return claim.is_object() && has_text("model_digest") && has_text("data_digest") && has_text("norm") &&
         has_text("goal") && has_text("split") && (has_text("tta") || !claim.contains("tta")) &&
         claim.contains("limit") && claim.at("limit").is_number_integer() && claim.at("limit").get<int64_t>() >= 0 &&
         claim.contains("ladder") && claim.at("ladder").is_array() &&
         std::all_of(claim.at("ladder").begin(), claim.at("ladder").end(), is_size);
}

void require_rows_of(const Dataset& evaluated, const AdversarialSet& set) {
  const auto& images = set.images.images;
  const bool in_range = set.rows.numel() == 0 ||
                        (set.rows.min().item<int64_t>() >= 0 && set.rows.max().item<int64_t>() < evaluated.size());
  if (in_range && images[0].sizes() == evaluated.images[0].sizes()) return;
  throw UserError(fmt::format("{}: the adversarial images do not belong to the images of --data", set.images.name));
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
    const auto budget = static_cast<size_t>(worst.broken[i].item<int64_t>());
    if (budget == plan.ladder.size() || !robustness.right()[i].item<bool>()) continue;
    places.push_back(i);
    rows.push_back(robustness.rows[static_cast<size_t>(i)]);
    eps.push_back(plan.ladder[budget].eps);
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
  for (const auto& budget : plan.ladder) claim["ladder"].push_back(budget.text);
  set.claim = std::move(claim);
  return set;
}

void save_adversarial(const AdversarialSet& set, const std::filesystem::path& path) {
  Container container = pack(set.images);
  container.header["adversarial"] = set.claim;
  container.tensors["rows"] = set.rows;
  container.tensors["eps"] = set.eps;
  save_container(container, path);
}

AdversarialSet load_adversarial(const std::filesystem::path& path) {
  const Container container = load_container(path, kDatasetKind);
  if (!container.header.contains("adversarial")) {
    throw UserError(
        fmt::format("{}: is a packed data set without adversarial images (see eval --save-adv)", path.string()));
  }
  AdversarialSet set;
  set.claim = container.header["adversarial"];
  if (!is_claim(set.claim)) {
    throw UserError(fmt::format("{}: the record of how the adversarial images were made is damaged", path.string()));
  }
  set.images = unpack(container, path.string());
  if (set.images.labels.lt(0).any().item<bool>()) {
    throw UserError(fmt::format("{}: the parts of the adversarial images do not fit together (labels)", path.string()));
  }
  const auto part = [&](const char* name, torch::ScalarType type) {
    const auto found = container.tensors.find(name);
    if (found == container.tensors.end() || found->second.scalar_type() != type || found->second.dim() != 1 ||
        found->second.numel() != set.images.size()) {
      throw UserError(
          fmt::format("{}: the parts of the adversarial images do not fit together ({})", path.string(), name));
    }
    return found->second;
  };
  set.rows = part("rows", torch::kInt64);
  set.eps = part("eps", torch::kFloat64);
  return set;
}

void require_claimed(const AdversarialSet& set, const Dataset& evaluated, const std::string& model_digest) {
  require_same(set.claim, "model_digest", model_digest, "--model");
  require_same(set.claim, "data_digest", evaluated.digest(), "--data");
  if (set.images.size() > 0) require_rows_of(evaluated, set);
}

Verification verify_adversarial(const AdversarialSet& set, const Dataset& evaluated, const Classifier& classifier,
                                const std::string& model_digest, Observer& observer) {
  require_claimed(set, evaluated, model_digest);
  Verification verification;
  verification.images = set.images.size();
  const Norm norm = parse_norm(set.claim.at("norm"));
  const EmotionGoal goal = parse_emotion_goal(set.claim.at("goal"), set.images.classes);
  const Classifier judge = classifier.with_precision(Precision::Float32);
  const auto right = logits_of_images(judge, evaluated.images, observer).argmax(1).eq(evaluated.labels);
  if (verification.images > 0) {
    const auto originals = to_float(evaluated.images.index_select(0, set.rows));
    const auto shown = to_float(set.images.images);
    const auto labels = evaluated.labels.index_select(0, set.rows);
    const Ball ball(norm, originals, set.eps, /*pixel_grid=*/true);
    verification.too_far = ids_where(set.images, ball.contains(shown).logical_not());
    verification.not_reached =
        ids_where(set.images,
                  goal.for_labels(labels).reached(logits_of_images(judge, set.images.images, observer)).logical_not());
    verification.not_right = ids_where(set.images, right.index_select(0, set.rows).logical_not());
  }
  auto concerned = torch::zeros({evaluated.size()}, torch::kBool);
  for (int64_t row = 0; row < evaluated.size(); ++row) {
    concerned[row] = goal.concerns(evaluated.labels[row].item<int64_t>());
  }
  for (const auto& text : set.claim.at("ladder").get<std::vector<std::string>>()) {
    auto robust = right.logical_and(concerned);
    robust.index_fill_(0, set.rows.masked_select(set.eps.le(parse_number(text))), false);
    verification.robust_accuracy.emplace_back(
        text, proportion(robust.sum().item<int64_t>(), concerned.sum().item<int64_t>()));
  }
  return verification;
}

}  // namespace fercli
