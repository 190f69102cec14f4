#pragma once

#include <string>
#include <vector>

#include "eval/campaign/campaign.hpp"
#include "record/fields.hpp"
#include "record/message.hpp"

namespace fercli {

/// One question about whether an evaluation can be trusted.
struct SanityFlag {
  std::string name;     ///< "zero-gradients"
  bool raised = false;  ///< something is wrong
  Message found;        ///< what was seen, with numbers
  Message meaning;      ///< what it means for the figures
};

template <class Visitor>
void visit_fields(Visitor& field, SanityFlag& flag) {
  field("flag", flag.name);
  field("raised", flag.raised);
  field("found", flag.found);
  field("meaning", flag.meaning);
}

/// Asks the network about `images` (a few rightly classified ones are enough). The first three and their thresholds are
/// AutoAttack's (Croce & Hein, arXiv:2003.01690, and the warnings of its implementation):
///
/// randomized-output    five passes over the same images differ (normalised logits by more than 1e-4, or accuracy)
/// softmax-output       the outputs look like probabilities: all in [0,1], each row summing to 1
/// zero-gradients       the gradient of the DLR loss is zero at an original, or the float32 softmax there is 0 and 1
/// unbounded-eps        PGD that may change every pixel at will leaves images standing
/// eot-changes-verdict  of a network that answers at random, PGD along gradients averaged over 20 draws breaks more
/// loss-not-rising      the loss along 20 PGD steps at eps is no higher in the last quarter than in the first
///
/// images: uint8 (N,C,H,W); labels: (N) int64. Nothing is asked when N = 0.
std::vector<SanityFlag> check_network(const Classifier& classifier, const torch::Tensor& images,
                                      const torch::Tensor& labels, const ThreatModel& threat, uint64_t seed);

/// Compares the attacks of an evaluation with each other:
///
/// square-after-white-box   in a cascade Square broke more than 0.2 % of the images after the white-box attacks
/// black-box-beats-white-box, single-step-beats-iterated   robust accuracy lower by more than 0.2 points at some eps
/// too-many-targets         more target classes were asked for than the network has wrong ones
std::vector<SanityFlag> compare_attacks(const Ledger& robustness, const Trial& plan, int64_t classes);

/// All of it for one evaluation, on at most 32 of its rightly classified images.
std::vector<SanityFlag> check_sanity(const Classifier& classifier, const Dataset& dataset, const Ledger& robustness,
                                     const Trial& plan);

/// Of those that are raised, with the key `kFlagRaised`.
std::vector<Warning> warnings_of(const std::vector<SanityFlag>& flags, const std::string& model = "");

}  // namespace fercli
