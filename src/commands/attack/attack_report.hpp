#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "commands/options/show_options.hpp"
#include "eval/attack_evaluation.hpp"

namespace fercli {

/// Everything known after one model was attacked.
struct AttackReport {
  std::string model;  ///< as the user named it, or what tells it from the others compared with it
  AttackPlan plan;
  std::string eps;  ///< as the user wrote it
  AttackSelection selection;
  AttackOutcome outcome;
  Result result;
  LabelSet classes;
  std::filesystem::path folder;
  bool keeps_images = false;  ///< all of them, as PNG
  bool explain = false;       ///< say which stage broke what at which cost
};

/// Table, success with intervals, and where the files are; or what else `show` asks for.
void print_attack(const AttackReport& report, const ShowOptions& show);

/// The same attack on several models, side by side, as text or tables; `picture` shows one face for all, empty: there
/// is none.
void print_comparison(const std::vector<const AttackReport*>& reports, const std::filesystem::path& picture,
                      const ShowOptions& show);

}  // namespace fercli
