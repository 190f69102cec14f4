#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/registry.hpp"
#include "eval/campaign/campaign.hpp"
#include "eval/result_shapes.hpp"
#include "eval/study/cache.hpp"
#include "eval/study/study.hpp"

namespace fercli {

/// What a trial run on a few images says about the cost of the rest.
struct Pilot {
  double seconds_per_pass;     ///< one image through the network, forward or backward
  double right;                ///< share of the images that is classified rightly
  std::vector<double> eps;     ///< Linf, ascending
  std::vector<double> robust;  ///< share of the images that are robust against PGD at each
  int64_t values;              ///< pixels x channels of an image
  int64_t classes;

  /// Share that is robust in this ball, read off the largest eps of the pilot within it (in L2, off the Linf ball of
  /// as much energy).
  double robust_at(Norm norm, double size) const;

  /// Passes for each image of an eps grid, when an attack needs `broken` on one that it breaks, else `robust`.
  double ladder_passes(Norm norm, const std::vector<Budget>& ladder, double broken, double robust) const;
};

/// One part measured on one model.
struct StudySubject {
  const StudyPlan& plan;
  const std::vector<StudyModel>& models;
  const StudyModel& model;   ///< the first, for a part that takes all of them together
  const Dataset& images;     ///< StudyPart::images of it
  const StudyCache& cache;   ///< for pieces that are worth keeping by themselves
  nlohmann::json key;        ///< all that the figures depend on
  CampaignOptions campaign;  ///< of its campaigns: where an unfinished one keeps itself, and how it is divided
  Observer& observer;        ///< follows it
};

/// A campaign on the subject's images, kept in its state file while it is unfinished. Throws LedgersMade where nothing
/// else is wanted.
Ledger run_part(const StudySubject& subject, const Trial& trial, const torch::Tensor& verdict = {});

/// Places of the subject's images among those that the network is measured on. By these outcomes name images: JSON
/// cannot hold ids that are not UTF-8.
std::vector<int64_t> rows_of(const StudySubject& subject);

/// On how many images a part measures.
Parameter images_parameter(const std::string& quick);

/// What a part found.
struct StudyFindings {
  nlohmann::json figures;       ///< what the report shows, a record
  nlohmann::json cost = {};     ///< see `Cost`, of a joint part by model; null: as counted from outside
  ImageOutcomes outcomes = {};  ///< without ids and labels
  nlohmann::json sanity = {};   ///< list of flags; null: none

  template <class Figures>
  static StudyFindings of(const Figures& figures, const Cost& cost) {
    return {Shape<Figures>::write(figures), Shape<Cost>::write(cost)};
  }
};

/// A part of the report that has to be measured, registered by its own file.
struct StudyPart {
  static constexpr const char* kKind = "part";

  struct Work {
    nlohmann::json (*options)(const StudyPlan& plan);  ///< what the figures depend on besides model, images and seed
    double (*passes)(const StudyPlan& plan, int64_t images, const Pilot& pilot);  ///< expected, on that many images
    StudyFindings (*measure)(const StudySubject& subject);                        ///< throws Interrupted
    nlohmann::json (*schema)();                                                   ///< of the figures
  };

  std::string name;  ///< its place among the report's parts; "robustness.l2": inside that of robustness
  int order;         ///< of measuring
  std::string summary;
  Work work;
  std::vector<Parameter> parameters = {};  ///< how much is measured; the defaults are those of a quick study
  Given full = {};                         ///< the defaults of a full study
  bool attacks = false;                    ///< its images are put under attack by campaigns, which can be divided
  bool joint = false;                      ///< measured once for all models together, and left out with one model
  bool faces = false;                      ///< of drawn faces instead of the images

  Values values(const StudyPlan& plan) const;  ///< throws std::invalid_argument

  /// What is measured: with the parameter `images`, that many.
  Dataset images(const StudyPlan& plan, const StudyModel& model) const;
};

}  // namespace fercli
