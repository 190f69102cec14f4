// Which part of the face matters most for which emotion: the same attack, held to one part after the other.
#include "attacks/threat/masks.hpp"
#include "eval/campaign/division.hpp"
#include "eval/study/part.hpp"
#include "eval/vulnerability.hpp"

namespace fercli::regions_study {

namespace {

using nlohmann::json;

struct Regions {
  AttackedIn in;
  std::vector<std::string> classes, regions;
  std::vector<double> area;
  std::vector<std::vector<Metric>> success;
  std::vector<int64_t> n_per_class;
  uint64_t seed = 0;
};

template <class Visitor>
void visit_fields(Visitor& field, Regions& found) {
  visit_fields(field, found.in);
  field("classes", found.classes);
  field("regions", found.regions, "what the attack may change; image: everything");
  field("area", found.area, "of the image, for each region", shape::list(shape::share()));
  field("success", found.success, "rows: regions, columns: true classes");
  field("n_per_class", found.n_per_class, "rightly classified images attacked");
  field("seed", found.seed);
}

constexpr double kPasses = 45;  ///< to the end of 20 steps, and the verdicts
constexpr const char* kWhole = "image";

/// The parts of a face that overlap little, then the whole image.
const std::vector<std::string>& region_list() {
  static const std::vector<std::string> names{"eyes", "brows", "nose", "mouth", "cheeks", "forehead", "chin", kWhole};
  return names;
}

json options(const StudyPlan& plan) {
  return {{"eps", plan.at.text}, {"per_class", plan.budget("regions", "per-class")}};
}

double passes(const StudyPlan& plan, int64_t images, const Pilot& pilot) {
  const auto most = static_cast<double>(plan.budget("regions", "per-class") * pilot.classes);
  const double right = static_cast<double>(images) * pilot.right;
  return (most > 0 ? std::min(right, most) : right) * static_cast<double>(region_list().size()) * kPasses;
}

/// (C,H,W) of 0 and 1, for images (N,C,H,W), of which there may be none.
torch::Tensor mask_of(const std::string& region, const torch::Tensor& images) {
  if (region == kWhole) return torch::ones(images.sizes().slice(1));
  return parse_masks(region, images.size(1), images.size(2), images.size(3));
}

Trial trial_of(const StudyPlan& plan, const torch::Tensor& mask) {
  Trial trial;
  trial.attacks = {"pgd"};
  trial.ladder = {plan.at};
  trial.goal.name = "untargeted";
  trial.settings.batch_size = plan.batch_size;
  trial.seed = plan.seed;
  trial.mask = mask;
  return trial;
}

/// Rightly classified images, as many of each class as the plan says.
Dataset attacked_images(const StudySubject& subject) {
  VulnerabilityOptions options;
  options.settings.batch_size = subject.plan.batch_size;
  options.per_source = subject.plan.budget("regions", "per-class");
  return subject.images.select(vulnerability_rows(subject.model.judge, subject.images, options, subject.observer));
}

/// One campaign for each region, each with a state of its own.
std::vector<Ledger> ledgers_of(const StudySubject& subject, const Dataset& images) {
  std::vector<Ledger> ledgers;
  for (const auto& region : region_list()) {
    CampaignOptions options = subject.campaign;
    if (options.state) *options.state += "-" + region;
    ledgers.push_back(run_campaign({subject.model.search, images, subject.model.digest, images.labels},
                                   trial_of(subject.plan, mask_of(region, images.images)), options, subject.observer));
  }
  stop_after_ledgers(subject.campaign);
  return ledgers;
}

/// Of each class, the share of its images that was broken.
std::vector<Metric> success_by_class(const Ledger& ledger, const torch::Tensor& labels, int64_t classes) {
  std::vector<Metric> row;
  const auto broken = ledger.attacks.front().broken.eq(0);
  for (int64_t k = 0; k < classes; ++k) {
    const auto of_class = labels.eq(k);
    row.push_back(proportion(broken.logical_and(of_class).sum().item<int64_t>(), of_class.sum().item<int64_t>()));
  }
  return row;
}

StudyFindings measure(const StudySubject& subject) {
  const Dataset images = attacked_images(subject);
  const LabelSet& classes = subject.model.judge.classes();
  const auto ledgers = ledgers_of(subject, images);
  Regions found;
  found.in = attacked_in(Norm::Linf, subject.plan.at, ledgers.front().attacks.front().settings);
  found.classes = classes.names();
  found.regions = region_list();
  found.seed = subject.plan.seed;
  Cost cost{images.size()};
  for (size_t i = 0; i < ledgers.size(); ++i) {
    found.area.push_back(mask_of(region_list()[i], images.images).mean().item<double>());
    found.success.push_back(success_by_class(ledgers[i], images.labels, classes.size()));
    const AttackRecord& record = ledgers[i].attacks.front();
    cost += {record.forward.front(), record.backward.front(), record.seconds.front()};
  }
  for (int64_t k = 0; k < classes.size(); ++k) {
    found.n_per_class.push_back(images.labels.eq(k).sum().item<int64_t>());
  }
  return StudyFindings::of(found, cost);
}

const Register<StudyPart> registered{
    {"regions",
     45,
     "which part of the face matters for which emotion",
     {options, passes, measure, Shape<Regions>::schema},
     {Parameter::whole("per-class", "4", at_least(0), "at most so many images of each class; 0: all")},
     {{"per-class", "50"}},
     /*attacks=*/true}};

}  // namespace

}  // namespace fercli::regions_study
