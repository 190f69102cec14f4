#include "eval/campaign/faces.hpp"

#include <fmt/format.h>

namespace fercli {

AttackedFaces attack_faces(const Classifier& network, const torch::Tensor& faces, const torch::Tensor& labels,
                           Trial trial) {
  Dataset images;
  images.name = "faces";
  images.images = faces;
  images.labels = labels;
  images.classes = network.classes();
  images.splits.assign(static_cast<size_t>(labels.size(0)), Split::None);
  for (int64_t i = 0; i < labels.size(0); ++i) images.ids.push_back(fmt::format("face-{}", i));
  trial.misclassified_too = true;
  const Ledger ledger = run_campaign({network, images, {}, labels}, trial);
  const AttackRecord& record = ledger.attacks.front();
  return {record.adversarial, verdict_on_stored(network, record.adversarial, trial.goal.for_labels(labels)),
          record.distance, record.forward.front(), record.backward.front()};
}

}  // namespace fercli
