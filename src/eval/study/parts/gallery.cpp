// Faces before and after: one of each class, drawn ones, and the user's only when asked for.
#include "core/base64.hpp"
#include "data/image.hpp"
#include "eval/attack_evaluation.hpp"
#include "eval/measures/difference_picture.hpp"
#include "eval/result_shapes.hpp"
#include "eval/study/part.hpp"

namespace fercli::gallery_study {

namespace {

using nlohmann::json;

constexpr double kPasses = 60 * 7;

Dataset images(const StudyPlan&, const StudyModel& model) {
  return model.faces;
}

json options(const StudyPlan& plan) {
  return {{"eps", plan.at.text}, {"include_images", plan.include_images}};
}

double passes(const StudyPlan&, int64_t images, const Pilot&) {
  return kPasses + static_cast<double>(images);
}

/// What a face of this class is turned into: Happy becomes Sad, and every other what comes easiest.
EmotionGoal goal_for(int64_t source, const LabelSet& classes) {
  const bool to_sad = classes.find("happy") == source && classes.find("sad");
  return {source, to_sad ? classes.find("sad") : std::nullopt,
          fmt::format("{}-to-{}", to_lower(classes.name(source)), to_sad ? "sad" : "any")};
}

json shown(const AttackedImage& image, const std::string& goal, const StudySubject& subject, bool drawn) {
  const auto verdict = [&](const std::vector<double>& probabilities) -> json {
    const int64_t top = top_of(probabilities);
    return {{"class", subject.images.classes.name(top)}, {"confidence", probabilities[static_cast<size_t>(top)]}};
  };
  const int64_t factor = amplification(image.original, image.adversarial);
  const auto perturbation = amplified_difference(image.original, image.adversarial, factor);
  return {{"id", image.id},
          {"label", subject.images.classes.name(image.label)},
          {"goal", goal},
          {"success", image.success},
          {"drawn", drawn},
          {"clean", verdict(image.clean)},
          {"adversarial", verdict(image.after)},
          {"linf", image.linf},
          {"linf_255", std::lround(image.linf * 255)},
          {"psnr", finite_or_null(image.psnr)},
          {"eps", subject.plan.at.text},
          {"perturbation_factor", factor},
          {"original", encode_base64(encode_png(image.original))},
          {"perturbation", encode_base64(encode_png(perturbation))},
          {"adversarial_png", encode_base64(encode_png(image.adversarial))}};
}

/// Of each class the face that the network is surest of, attacked.
void add_faces(json& gallery, const StudySubject& subject, const Dataset& faces, bool drawn) {
  for (int64_t source = 0; source < faces.classes.size(); ++source) {
    AttackPlan plan;
    plan.goal = goal_for(source, faces.classes);
    plan.threat = {Norm::Linf, subject.plan.at.eps};
    plan.seed = subject.plan.seed;
    plan.settings.batch_size = subject.plan.batch_size;
    const auto selection = select_images(subject.model.search, faces, plan, subject.observer);
    if (!selection.best) continue;
    const auto outcome = attack_images({subject.model.search, faces}, {*selection.best}, plan);
    gallery.push_back(shown(outcome.images.front(), plan.goal.name, subject, drawn));
  }
}

StudyFindings measure(const StudySubject& subject) {
  auto gallery = json::array();
  add_faces(gallery, subject, subject.images, true);
  if (subject.plan.include_images) add_faces(gallery, subject, subject.model.images, false);
  return {std::move(gallery)};
}

json schema() {
  using namespace shape;
  const json verdict = object({{"class", text()}, {"confidence", share()}});
  const json png = described(text(), "PNG in base64");
  return list(open_object({{"id", text()},
                           {"label", text()},
                           {"goal", text()},
                           {"success", flag()},
                           {"drawn", described(flag(), "others are shown with --include-images only")},
                           {"clean", verdict},
                           {"adversarial", verdict},
                           {"linf", number()},
                           {"linf_255", described(whole(), "levels")},
                           {"psnr", described(number(), "decibels; null: no difference")},
                           {"eps", text()},
                           {"perturbation_factor", described(whole(), "by which it is amplified in the picture")},
                           {"original", png},
                           {"perturbation", png},
                           {"adversarial_png", png}}));
}

const Register<StudyPart> registered{
    {"gallery", 95, "faces before and after", false, images, options, passes, measure, schema}};

}  // namespace

}  // namespace fercli::gallery_study
