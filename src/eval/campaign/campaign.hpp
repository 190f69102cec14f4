#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/observer.hpp"
#include "data/dataset.hpp"
#include "eval/campaign/ledger.hpp"
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

  /// The places in `image_keys` of the images of this shard, ascending.
  std::vector<int64_t> places(const std::vector<int64_t>& image_keys) const;
};

class Division;

struct CampaignOptions {
  Shard shard = {};
  /// Where an unfinished ledger is kept, per image and leg: saved every few seconds and at an interrupt.
  std::optional<std::filesystem::path> state = {};
  bool partial = false;          ///< at an interrupt, return what is finished instead of throwing
  Division* division = nullptr;  ///< by whom the images are attacked; none: by this process alone
  bool needed = false;           ///< what is done next depends on the ledger: whoever takes part has to know it
  bool of_part = false;          ///< a shard's images depend on what was found before
};

/// What must be the same for a ledger to be gone on with or merged.
nlohmann::json campaign_identity(const Bench& bench, const Trial& trial, const Shard& shard = {});

/// The rows of the images that a trial is about and that the shard holds, ascending. Throws UserError: there is none in
/// any shard.
std::vector<int64_t> campaign_rows(const Bench& bench, const Trial& trial, const Shard& shard = {});

/// Puts the images under attack: the one place where figures of attacks come from (the checks of sanity.hpp probe a few
/// images beside it). The attacks take turns at the images in groups that
/// take seconds; results depend on neither the groups nor an interruption nor the division into shards. A state is gone
/// on with, to exactly the results of an undisturbed run. Throws UserError: no image to attack, an attack named twice,
/// a state of another run, what `make_attack` throws; Interrupted on Ctrl-C.
Ledger run_campaign(const Bench& bench, const Trial& trial, const CampaignOptions& options = {},
                    Observer& observer = Observer::none());

/// Its two halves: the ledger of a campaign, as it is in the state or with nothing done; and what is left to do.
Ledger begin_campaign(const Bench& bench, const Trial& trial, const CampaignOptions& options, Observer& observer);
Ledger continue_campaign(const Bench& bench, const Trial& trial, Ledger ledger, const CampaignOptions& options,
                         Observer& observer);

}  // namespace fercli
