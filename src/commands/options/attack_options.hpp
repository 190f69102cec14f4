#pragma once

#include <string>

#include "attacks/engine/attack.hpp"
#include "eval/campaign/trial.hpp"

namespace fercli {

class OptionSet;

/// The knobs of attacks, alike in every command that attacks: --norm, --steps, --alpha, --restarts, --random-start,
/// --loss, --queries, --targets, --mask and --surrogate.
struct AttackOptions {
  std::string norm = "linf", mask, surrogate;
  AttackSettings settings;
  bool trust_code = false;  ///< of the surrogate's file, as ImportOptions has it for the model's; no option of its own

  void declare(OptionSet& options);

  /// Without --norm, the first norm in which all of these attacks work, with a remark where it is not Linf. Throws
  /// UserError about unknown attacks, and when they have none in common.
  void settle_norm(const OptionSet& options, const std::vector<std::string>& attacks);

  /// Throws UserError about unknown attacks and a norm that one of these does not know; warns of settings that none of
  /// them uses.
  void check(const OptionSet& options, const std::vector<std::string>& attacks) const;

  Norm parsed_norm() const { return parse_norm(norm); }

  /// What --mask means for images of this shape; undefined without it.
  torch::Tensor load_mask(int64_t channels, int64_t height, int64_t width) const;

  /// The network named by --surrogate, or none.
  Surrogate load_surrogate(const Runtime& runtime) const;
};

/// The attack that a word means, in any case. Throws UserError that suggests the nearest, by the other names of the
/// field too ("mim" is mi-fgsm).
std::string attack_name(const std::string& word);

/// The attacks of a list separated by commas, each as `attack_name` has it.
std::vector<std::string> attack_names(const std::string& list);

/// One goal from the words of a command line: "happy to sad" is happy-to-sad. Throws UserError on other words.
std::string goal_of_words(const std::vector<std::string>& words, const OptionSet& options);

/// Refuses a --mask that is given without naming anything.
void check_mask(const OptionSet& options, const std::string& mask);

/// Says so where a setting is given that none of the attacks uses.
void warn_if_unused(const OptionSet& options, const std::string& name, const std::vector<std::string>& attacks);

/// Refuses an --eps that is no size of a perturbation (`most`: the largest in Linf), or too small for an 8-bit image.
void check_eps(const OptionSet& options, Norm norm, double eps, double most = 1);

/// Refuses an --alpha that is no size of a step; `of_pixels`: it moves single pixels, by 1 at most.
void check_alpha(const OptionSet& options, bool of_pixels, double alpha);

/// Refuses an --eps of which an 8-bit image shows nothing; `way_out` ends the message.
void require_level(const OptionSet& options, Norm norm, double eps, const std::string& way_out = "");

/// "3/255" in Linf (to a sixteenth of a level), "0.52" else; "none" for an infinite one.
std::string format_eps(double eps, Norm norm);

/// Prints `levels_note` where there is one to print, as a line of the table.
void print_levels_note(Norm norm, double eps);

/// What an attack may do without --eps: 8/255, 0.5 in L2, 8 in L1, 24 values in L0.
std::string default_eps(Norm norm);

/// The ladder without --eps.
std::string default_ladder(Norm norm);

}  // namespace fercli
