#pragma once

#include <string>

#include "eval/campaign/campaign.hpp"

namespace fercli {

/// What a campaign will take, as far as a few of its images tell.
struct CampaignEstimate {
  int64_t images = 0;        ///< that are to be attacked
  int64_t sampled = 0;       ///< of them, those that were tried
  double seconds = 0;        ///< for all of them, by this process
  double low = 0, high = 0;  ///< 95 % interval of `seconds`; not finite where too few were tried
};

/// Attacks one image, then groups of them, chosen by their keys, until `budget` seconds have passed or all were tried.
/// A group that is begun is finished. Nothing is kept. Throws what `run_campaign` throws.
CampaignEstimate estimate_campaign(const Bench& bench, const Trial& trial, double budget, Observer& observer);

/// "3.2 core-hours; 2 processes of one thread take about 1 h 36 min, 8 about 24 min 00 s, 64 about 3 min 00 s": of so
/// many seconds on so many threads, of which `serial` cannot be divided.
std::string describe_cost(double seconds, double serial, int64_t threads);

}  // namespace fercli
