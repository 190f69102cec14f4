#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "eval/result.hpp"
#include "report/document.hpp"
#include "report/printed_table.hpp"

namespace fercli {

/// The class that a network loses most of under attack.
struct WorstClass {
  std::string name;
  Metric robust_accuracy;
};

/// A network's line in a leaderboard: the keys of RobustBench (Croce et al., arXiv:2010.09670, `model_info`), whose
/// accuracies are texts in percent, and what they leave out.
struct LeaderboardCard {
  static constexpr const char* kSchema = "fercli-leaderboard-card/1";
  /// The attack whose result counts.
  static constexpr const char* kAttack = "autoattack";

  std::string name, authors, link, venue, dataset, architecture, norm = "Linf", eps, clean_acc, autoattack_acc;
  bool additional_data = false;
  int64_t number_forward_passes = 1;
  std::optional<Metric> clean, balanced_clean, robust, balanced_robust;
  std::optional<WorstClass> worst_class;
  std::optional<std::string> digest, revision;  ///< of the network's file and of the program that measured it
};

/// `card` with the figures of a result of `fercli eval --attacks autoattack` at this eps ("4/255"; "": the only one).
/// Throws UserError that names `from`: no AutoAttack in it, or not its standard version, another eps, a targeted
/// or masked attack, one on a surrogate or off the pixel grid.
LeaderboardCard measured_card(LeaderboardCard card, const Result& result, const std::string& eps,
                              const std::filesystem::path& from);

nlohmann::ordered_json to_json(const LeaderboardCard& card);

/// The cards in these files and below these folders, best robust accuracy first within each data set, norm and eps;
/// JSON of other kinds in folders is passed over. Throws UserError: no card at all, a file that is none, one without a
/// figure.
std::vector<LeaderboardCard> read_cards(const std::vector<std::string>& paths);

/// A table for each data set, norm and eps, of cards in the order of `read_cards`.
std::vector<PrintedTable> leaderboard_tables(const std::vector<LeaderboardCard>& cards);

/// The same tables as a page.
Document leaderboard_page(const std::vector<LeaderboardCard>& cards);

}  // namespace fercli
