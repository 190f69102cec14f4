#include "serve/face_attack.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/base64.hpp"
#include "core/error.hpp"
#include "core/text.hpp"
#include "data/dataset.hpp"
#include "data/image.hpp"
#include "eval/campaign/faces.hpp"
#include "eval/measures/difference_picture.hpp"
#include "eval/measures/image_quality.hpp"
#include "faces/face_reader.hpp"
#include "serve/upload.hpp"

namespace fercli {

namespace {

using nlohmann::json;
using Json = nlohmann::ordered_json;
using Fields = std::map<std::string, std::string>;

constexpr const char* kDefaultGoal = "untargeted";
constexpr const char* kDefaultAttack = "pgd";
constexpr double kDefaultEps = 8 / 255.0;
constexpr double kDefaultSteps = 20;

bool is_offered(const AttackEntry& entry) {
  const bool bounded = std::find(entry.norms.begin(), entry.norms.end(), Norm::Linf) != entry.norms.end();
  return bounded && entry.access == Access::Gradients && !has_parameter(entry.parameters, "queries");
}

std::vector<std::string> offered_names() {
  std::vector<std::string> names;
  for (const auto& entry : Registry<AttackEntry>::instance().all()) {
    if (is_offered(entry)) names.push_back(entry.name);
  }
  return names;
}

std::string text_field(const Fields& fields, const std::string& name, const std::string& otherwise) {
  const auto found = fields.find(name);
  return found != fields.end() ? found->second : otherwise;
}

double number_field(const Fields& fields, const std::string& name, double otherwise) {
  const auto found = fields.find(name);
  if (found == fields.end()) return otherwise;
  try {
    return parse_number(found->second);
  } catch (const std::invalid_argument&) {
    throw RequestError(400, fmt::format("{} must be a number such as {}", name, name == "eps" ? "8/255" : "20"));
  }
}

const AttackEntry& attack_of(const Fields& fields) {
  const std::string name = text_field(fields, "attack", kDefaultAttack), lower = to_lower(trim(name));
  const AttackEntry* entry = Registry<AttackEntry>::instance().find(lower);
  if (entry != nullptr && is_offered(*entry)) return *entry;
  throw RequestError(400, fmt::format("attack '{}' is not offered here{}; known: {}", shown_name(name),
                                      did_you_mean(lower, offered_names()), join(offered_names(), ", ")));
}

/// 0 for an attack without steps.
int64_t steps_of(const Fields& fields, const AttackEntry& entry, int64_t most) {
  if (!has_parameter(entry.parameters, "steps")) {
    if (fields.count("steps") > 0) throw RequestError(400, fmt::format("steps has no effect on {}", entry.name));
    return 0;
  }
  const double steps = number_field(fields, "steps", std::min(kDefaultSteps, static_cast<double>(most)));
  if (!(steps >= 1 && steps <= static_cast<double>(most) && steps == std::floor(steps))) {
    throw RequestError(400, fmt::format("steps must be 1 to {}, a whole number", most));
  }
  return static_cast<int64_t>(steps);
}

Trial order_trial(const AttackOrder& order, double eps, uint64_t seed) {
  Trial trial;
  trial.attacks = {order.attack};
  trial.ladder = {{"", eps}};
  trial.goal = order.goal;
  if (order.steps > 0) trial.settings.set("steps", order.steps);
  trial.seed = seed;
  return trial;
}

/// What the float32 network says of uint8 (N,C,S,S).
std::vector<std::vector<double>> float_readings(const Classifier& classifier, const torch::Tensor& faces) {
  return read_crops(classifier.with_precision(Precision::Float32), faces);
}

struct OfferedAttack {
  AttackEntry entry;
};

template <class Visitor>
void visit_fields(Visitor& field, OfferedAttack& attack) {
  field("name", attack.entry.name);
  field("summary", attack.entry.summary);
  field("targeted", attack.entry.targeted);
  field("untargeted", attack.entry.untargeted);
  field("steps", has_parameter(attack.entry.parameters, "steps"), "The attack takes steps");
}

Json norms_json(const torch::Tensor& x, const torch::Tensor& x_adv) {
  const double linf = distances(x_adv, x, Norm::Linf, true)[0].item<double>();
  const double noise = psnr(x, x_adv)[0].item<double>();
  return {{"linf_255", std::lround(linf * 255)},
          {"linf", linf},
          {"l2", distances(x_adv, x, Norm::L2, true)[0].item<double>()},
          {"psnr", std::isfinite(noise) ? Json(noise) : Json()}};
}

std::string png_text(const torch::Tensor& image) {
  return encode_base64(encode_png(image));
}

Json pictures_json(const torch::Tensor& before, const torch::Tensor& after) {
  const int64_t factor = amplification(before, after);
  return {{"original", png_text(before)},
          {"adversarial", png_text(after)},
          {"perturbation", png_text(amplified_difference(before, after, factor))},
          {"perturbation_factor", factor}};
}

/// Both verdicts of every network: {"standard": {"original", "adversarial"}, …}.
Json verdicts_json(const ServedModels& models, const torch::Tensor& faces, const std::string& language) {
  Json verdicts;
  for (const auto& model : models.all()) {
    const auto readings = float_readings(model.classifier, faces);
    const LabelSet& classes = model.classifier.classes();
    verdicts[model.name] = {{"original", write_record(verdict_of(classes, readings[0], language))},
                            {"adversarial", write_record(verdict_of(classes, readings[1], language))}};
  }
  return verdicts;
}

}  // namespace

AttackOrder read_order(const Fields& fields, const ServedModels& models, int64_t most_steps) {
  const AttackEntry& entry = attack_of(fields);
  const std::string model = text_field(fields, "model", "");
  AttackOrder order{model.empty() ? &models.first() : &models.get(model),
                    {},
                    entry.name,
                    number_field(fields, "eps", kDefaultEps),
                    steps_of(fields, entry, most_steps),
                    text_field(fields, "lang", "en")};
  const std::string fault = eps_fault(Norm::Linf, fmt::format("{:g}", order.eps), order.eps);
  if (!fault.empty()) throw RequestError(400, "eps " + fault);
  try {
    order.goal = parse_emotion_goal(text_field(fields, "goal", kDefaultGoal), order.model->classifier.classes());
  } catch (const UserError& error) {
    throw RequestError(400, fmt::format("goal: {}", error.what()));
  }
  if (order.goal.targeted() ? !entry.targeted : !entry.untargeted) {
    throw RequestError(
        400, fmt::format("attack {} takes {} goals only", entry.name, entry.targeted ? "targeted" : "untargeted"));
  }
  return order;
}

Json offered_attacks() {
  Json attacks = Json::array();
  for (const auto& entry : Registry<AttackEntry>::instance().all()) {
    if (is_offered(entry)) attacks.push_back(write_record(OfferedAttack{entry}));
  }
  return attacks;
}

json offered_attacks_schema() {
  return shape::list(shape::titled(schema_of_record<OfferedAttack>(), "Attack"));
}

shape::Members attacked_face_members() {
  using namespace shape;
  const json verdict = titled(schema_of_record<Verdict>(), "Verdict");
  const json both = titled(object({{"original", verdict}, {"adversarial", verdict}}), "BothVerdicts");
  const json norms = titled(object({{"linf_255", described(whole(), "Largest change of a pixel, in levels of 255")},
                                    {"linf", number()},
                                    {"l2", number()},
                                    {"psnr", described(number(), "dB; null where the images are equal")}}),
                            "Norms");
  const json images =
      titled(object({{"original", text()},
                     {"adversarial", text()},
                     {"perturbation", described(text(), "The difference on mid-grey, times perturbation_factor")},
                     {"perturbation_factor", whole()}}),
             "Images");
  return {
      {"attacked", described(flag(), "False where the goal does not concern this face")},
      {"success", described(flag(), "The 8-bit PNG, read back, reaches the goal on the network attacked, in float32")},
      {"original", verdict},
      {"adversarial", verdict},
      {"verdicts", described(map_of(both), "Of every network of the server, on the same two images")},
      {"norms", norms},
      {"images", described(images, "PNG in base64, in the size that the network sees")}};
}

shape::Members sometimes_of_attacked_face() {
  using namespace shape;
  return {{"passes", titled(object({{"forward", whole()}, {"backward", whole()}}), "Passes")}};
}

shape::Members smallest_eps_members() {
  using namespace shape;
  return {{"attacked", flag()},
          {"smallest_eps", described(number(), "null where none up to searched_to suffices")},
          {"smallest_255", described(or_null(whole()), "The same in levels of 255")},
          {"searched_to", number()}};
}

Json attack_face(const AttackOrder& order, const torch::Tensor& face, const ServedModels& models, uint64_t seed) {
  const Classifier& network = order.model->classifier;
  const int64_t before = top_of(float_readings(network, face)[0]);
  const bool concerned = order.goal.concerns(before);
  AttackedFaces attacked{face, {}, {}, 0, 0};
  Json out{{"attacked", concerned}, {"success", false}};
  if (concerned) {
    attacked = attack_faces(network, face, torch::tensor({before}), order_trial(order, order.eps, seed));
    out["success"] = attacked.verdict.reached[0].item<bool>();
    out["passes"] = {{"forward", attacked.forward}, {"backward", attacked.backward}};
  }
  const Json verdicts = verdicts_json(models, torch::cat({face, attacked.stored}), order.language);
  out["original"] = verdicts[order.model->name]["original"];
  out["adversarial"] = verdicts[order.model->name]["adversarial"];
  out["verdicts"] = verdicts;
  out["norms"] = norms_json(to_float(face), to_float(attacked.stored));
  out["images"] = pictures_json(face[0], attacked.stored[0]);
  return out;
}

Json smallest_eps_of_face(const AttackOrder& order, const torch::Tensor& face, uint64_t seed) {
  const Classifier& network = order.model->classifier;
  const int64_t before = top_of(float_readings(network, face)[0]);
  const double limit = facts_of(Norm::Linf).limit;
  Json out{{"attacked", order.goal.concerns(before)},
           {"smallest_eps", nullptr},
           {"smallest_255", nullptr},
           {"searched_to", limit}};
  if (!order.goal.concerns(before)) return out;
  Trial trial = order_trial(order, limit, seed);
  trial.nearest = true;
  const double distance = attack_faces(network, face, torch::tensor({before}), trial).distance[0].item<double>();
  if (!(distance <= limit)) return out;
  out["smallest_eps"] = distance;
  out["smallest_255"] = std::lround(distance * 255);
  return out;
}

}  // namespace fercli
