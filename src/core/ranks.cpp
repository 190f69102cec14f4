#include "core/ranks.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/json_text.hpp"
#include "core/mpi_team.hpp"
#include "core/reason.hpp"

namespace fercli {

namespace {

/// How the work of one rank ended: the first letter of what it tells the others.
constexpr char kDone = '=', kUserError = 'U', kRunError = 'R', kInterrupted = 'I';

std::string outcome_of(const std::function<std::string()>& work) {
  try {
    return kDone + work();
  } catch (const UserError& error) {
    return kUserError + std::string(error.what());
  } catch (const Interrupted& error) {
    return kInterrupted + std::string(error.what());
  } catch (const std::exception& error) {
    return kRunError + reason_of(error);
  }
}

/// A fault before an interrupt: it would come again.
void throw_what_went_wrong(const std::vector<std::string>& outcomes) {
  for (const bool interrupts : {false, true}) {
    for (size_t rank = 0; rank < outcomes.size(); ++rank) {
      const char kind = outcomes[rank].at(0);
      if (kind == kDone || (kind == kInterrupted) != interrupts) continue;
      const std::string words = outcomes[rank].substr(1);
      if (interrupts) throw Interrupted(words);
      const std::string message = rank == 0 ? words : fmt::format("rank {}: {}", rank, words);
      if (kind == kUserError) throw UserError(message);
      throw RunError(message);
    }
  }
}

}  // namespace

std::vector<std::string> Ranks::exchange(std::vector<std::string> parts) {
  const auto start = Clock::now();
  for (int64_t rank = 0; rank < count(); ++rank) {
    if (rank != number()) cost_.bytes += static_cast<int64_t>(parts[static_cast<size_t>(rank)].size());
  }
  auto received = swap(std::move(parts));
  cost_.moving += seconds_since(start);
  return received;
}

std::vector<std::string> Ranks::together(const std::function<std::string()>& work) {
  if (count() == 1) return {work()};
  const std::string outcome = outcome_of(work);
  const auto start = Clock::now();
  auto outcomes = swap(std::vector<std::string>(static_cast<size_t>(count()), outcome));
  cost_.waiting += seconds_since(start);
  try {
    throw_what_went_wrong(outcomes);
  } catch (const Interrupted&) {
    throw;  // the launcher may have ended some already
  } catch (...) {
    finish();
    throw;
  }
  for (auto& each : outcomes) each.erase(0, 1);
  return outcomes;
}

void Ranks::require_same(const std::string& values_as_json) {
  const auto all = together([&] { return values_as_json; });
  const auto wanted = nlohmann::json::parse(all.front());
  for (size_t rank = 1; rank < all.size(); ++rank) {
    const auto different = differing_keys(wanted, nlohmann::json::parse(all[rank]));
    if (different.empty()) continue;
    finish();
    throw UserError(fmt::format("rank {} differs from rank 0 in {}", rank, fmt::join(different, ", ")));
  }
}

std::unique_ptr<Ranks> join_ranks(const TeamPlace& place) {
  return place.mpi ? join_mpi_ranks() : std::make_unique<Ranks>();
}

}  // namespace fercli
