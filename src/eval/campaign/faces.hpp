#pragma once

#include "eval/campaign/campaign.hpp"
#include "eval/campaign/verdict.hpp"

namespace fercli {

/// What became of a few faces.
struct AttackedFaces {
  torch::Tensor stored;    ///< uint8 (N,C,H,W)
  StoredVerdict verdict;   ///< on these
  torch::Tensor distance;  ///< (N) float64: from the original; infinite where the goal was not reached
  int64_t forward = 0, backward = 0;
};

/// A campaign on a few faces that belong to no data set: uint8 (N,C,H,W) with the classes ((N) int64) that the network
/// gives them, all of which are attacked. `trial` has one attack and one eps. Throws what `run_campaign` throws.
AttackedFaces attack_faces(const Classifier& network, const torch::Tensor& faces, const torch::Tensor& labels,
                           Trial trial);

}  // namespace fercli
