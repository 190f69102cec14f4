// Faces before and after: one of each class, drawn ones, and the user's only when asked for.
#include "core/base64.hpp"
#include "data/image.hpp"
#include "eval/attack_evaluation.hpp"
#include "eval/measures/difference_picture.hpp"
#include "eval/study/part.hpp"

namespace fercli::gallery_study {

namespace {

using nlohmann::json;

struct ShownVerdict {
  std::string label;
  double confidence = 0;
};

template <class Visitor>
void visit_fields(Visitor& field, ShownVerdict& verdict) {
  field("class", verdict.label);
  field("confidence", verdict.confidence, "", shape::share());
}

struct ShownFace {
  std::string id, label, goal;
  bool success = false, drawn = false;
  ShownVerdict clean, adversarial;
  double linf = 0;
  int64_t levels = 0;
  double psnr = 0;  ///< infinite: no difference
  std::string eps;
  int64_t factor = 0;
  std::string original, perturbation, adversarial_png;
};

template <class Visitor>
void visit_fields(Visitor& field, ShownFace& face) {
  const char* png = "PNG in base64";
  field.open();
  field("id", face.id);
  field("label", face.label);
  field("goal", face.goal);
  field("success", face.success);
  field("drawn", face.drawn, "others are shown with --include-images only");
  field("clean", face.clean);
  field("adversarial", face.adversarial);
  field("linf", face.linf);
  field("linf_255", face.levels, "levels");
  field("psnr", face.psnr, "decibels; null: no difference");
  field("eps", face.eps);
  field("perturbation_factor", face.factor, "by which it is amplified in the picture");
  field("original", face.original, png);
  field("perturbation", face.perturbation, png);
  field("adversarial_png", face.adversarial_png, png);
}

using Gallery = std::vector<ShownFace>;

constexpr double kPasses = 60 * 7;

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

ShownFace shown(const AttackedImage& image, const std::string& goal, const StudySubject& subject, bool drawn) {
  const auto verdict = [&](const std::vector<double>& probabilities) -> ShownVerdict {
    const int64_t top = top_of(probabilities);
    return {subject.images.classes.name(top), probabilities[static_cast<size_t>(top)]};
  };
  ShownFace face;
  face.id = image.id;
  face.label = subject.images.classes.name(image.label);
  face.goal = goal;
  face.success = image.success;
  face.drawn = drawn;
  face.clean = verdict(image.clean);
  face.adversarial = verdict(image.after);
  face.linf = image.linf;
  face.levels = std::lround(image.linf * 255);
  face.psnr = image.psnr;
  face.eps = subject.plan.at.text;
  face.factor = amplification(image.original, image.adversarial);
  face.original = encode_base64(encode_png(image.original));
  face.perturbation = encode_base64(encode_png(amplified_difference(image.original, image.adversarial, face.factor)));
  face.adversarial_png = encode_base64(encode_png(image.adversarial));
  return face;
}

/// Of each class the face that the network is surest of, attacked.
void add_faces(Gallery& gallery, const StudySubject& subject, const Dataset& faces, bool drawn) {
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
  Gallery gallery;
  add_faces(gallery, subject, subject.images, true);
  if (subject.plan.include_images) add_faces(gallery, subject, subject.model.images, false);
  return {Shape<Gallery>::write(gallery)};
}

const Register<StudyPart> registered{{"gallery",
                                      95,
                                      "faces before and after",
                                      {options, passes, measure, Shape<Gallery>::schema},
                                      {},
                                      {},
                                      /*attacks=*/false,
                                      /*joint=*/false,
                                      /*faces=*/true}};

}  // namespace

}  // namespace fercli::gallery_study
