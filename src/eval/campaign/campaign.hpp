#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.hpp"
#include "eval/campaign/ledger.hpp"
#include "eval/campaign/observer.hpp"
#include "eval/campaign/trial.hpp"

namespace fercli {

/// Who is attacked, and on what. Network and images must outlive the call.
struct Bench {
  const Classifier& network;   ///< in the arithmetic of the search; float32 judges
  const Dataset& images;       ///< labels in the order of the network's classes
  std::string digest = {};     ///< of the network's file; needed for a state
  torch::Tensor verdict = {};  ///< (N) int64: what the float32 network says of each image, where that is known already
};

/// One part of the images, by their keys: the same picture is always in the same shard, and adding images moves none.
struct Shard {
  int64_t index = 0, of = 1;

  bool holds(int64_t image_key) const { return image_key % of == index; }
};

struct CampaignOptions {
  Shard shard = {};
  /// Where an unfinished ledger is kept, per image and leg: saved every few seconds and at an interrupt.
  std::optional<std::filesystem::path> state = {};
  bool partial = false;  ///< at an interrupt, return what is finished instead of throwing
};

/// Puts the images under attack: the one place where that is done. The attacks take turns at the images in groups that
/// take seconds; results depend on neither the groups nor an interruption nor the division into shards. A state is gone
/// on with, to exactly the results of an undisturbed run. Throws UserError: no image to attack, an attack named twice,
/// a state of another run, what `make_attack` throws; Interrupted on Ctrl-C.
Ledger run_campaign(const Bench& bench, const Trial& trial, const CampaignOptions& options = {},
                    Observer& observer = Observer::none());

}  // namespace fercli
