#pragma once

#include <string>
#include <vector>

#include "attacks/engine/attack.hpp"
#include "data/dataset.hpp"
#include "eval/campaign/campaign.hpp"
#include "eval/result_shapes.hpp"

namespace fercli {

struct NamedClassifier {
  std::string name;
  const Classifier* classifier;  ///< outlives the call
  std::string digest = {};       ///< of its file; needed for a state
};

struct TransferMatrixOptions {
  Budget eps{"8/255", 8 / 255.0};
  Norm norm = Norm::Linf;
  std::string attack = "pgd";
  AttackSettings settings = {};  ///< `transfer_settings` are applied: the attack goes on to the end of its budget
  uint64_t seed = 0;
};

/// Untargeted images made on each model, shown to all.
struct TransferMatrix {
  AttackedIn in;
  std::vector<std::string> models;
  int64_t n = 0;
  std::vector<std::vector<Metric>> success;
  uint64_t seed = 0;
  std::vector<Cost> costs;  ///< of each model's images; not members of its record
};

template <class Visitor>
void visit_fields(Visitor& field, TransferMatrix& matrix) {
  visit_fields(field, matrix.in);
  field("models", matrix.models);
  field("n", matrix.n, "images that all models classify rightly");
  field("success", matrix.success, "rows: made on, columns: evaluated on");
  field("seed", matrix.seed);
}

/// On the images that every model classifies rightly, so that the cells can be compared; `dataset` may have been cut
/// before. Images are 8-bit, inside the ball; float32 judges. The maker knows only itself. Labels must be in the order
/// of the models' classes. Throws UserError: models with other classes than the first; what `make_attack` throws;
/// Interrupted.
TransferMatrix study_transfer(const std::vector<NamedClassifier>& models, const Dataset& dataset,
                              const TransferMatrixOptions& options, const CampaignOptions& campaign = {},
                              Observer& observer = Observer::none());

}  // namespace fercli
