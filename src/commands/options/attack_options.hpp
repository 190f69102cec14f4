#pragma once

#include <string>

#include "attacks/engine/attack.hpp"
#include "eval/campaign/trial.hpp"
#include "eval/measures/metrics.hpp"

namespace fercli {

class OptionSet;

/// What is asked of attacks, alike in every command that attacks: --norm, --mask, --surrogate, --eot, an option for
/// each of `shared_parameters`, and a section of the INI file for each attack.
struct AttackOptions {
  std::string norm = "linf", mask, surrogate, ensemble = "logits", eot_over = "model";
  int64_t eot = 0;  ///< draws of an expectation
  AttackSettings settings;
  bool trust_code = false;  ///< of the surrogate's file, as ImportOptions has it for the model's; no option of its own

  void declare(OptionSet& options);

  /// The names of the attacks that the option --OPTION chooses: "pgd:steps=40,fab". Their parameters go into
  /// `settings` (see `OptionSet::gather`). Without --norm, `norm` becomes the first in which all of them work, with a
  /// remark where it is not Linf. Throws UserError about unknown attacks and parameters, a --norm that one of these
  /// does not know, and attacks that have no norm in common; warns of options that none of them uses.
  std::vector<std::string> choose(const OptionSet& options, const std::string& option);

  Norm parsed_norm() const { return parse_norm(norm); }

  /// What --mask means for images of this shape; undefined without it.
  torch::Tensor load_mask(int64_t channels, int64_t height, int64_t width) const;

  /// Are the images made on anything but the network itself?
  bool has_maker() const { return !surrogate.empty() || eot > 0; }

  /// What makes them: the networks named by --surrogate, joined as --ensemble says, and each of them, or else
  /// `network`, over the draws of --eot. images: (N,C,H,W) of the shape to come. None where the network itself is to be
  /// followed.
  Surrogate image_maker(const Classifier& network, const torch::Tensor& images, const Runtime& runtime) const;

 private:
  void check_maker(const OptionSet& options) const;
  void settle_norm(const OptionSet& options, const std::vector<std::string>& attacks);
  void add(const OptionSet& options, const std::string& option, const Chosen& chosen);
};

/// The attack that a word means, in any case. Throws UserError that suggests the nearest, by the other names of the
/// field too ("mim" is mi-fgsm).
std::string attack_name(const std::string& word);

/// One goal from the words of a command line: "happy to sad" is happy-to-sad. Throws UserError on other words.
std::string goal_of_words(const std::vector<std::string>& words, const OptionSet& options);

/// Says so where an option is given for a parameter that none of the attacks has.
void warn_if_unused(const OptionSet& options, const std::string& name, const std::vector<std::string>& attacks);

/// Refuses an --eps that is none (`eps_fault`), or too small for an 8-bit image.
void check_eps(const OptionSet& options, Norm norm, double eps, double most = kInfinity);

/// Refuses an --alpha that is no size of a step; `of_pixels`: it moves single pixels, by 1 at most.
void check_alpha(const OptionSet& options, bool of_pixels, double alpha);

/// Refuses an --eps, one without `eps_fault`, of which an 8-bit image shows nothing; `way_out` ends the message.
void require_level(const OptionSet& options, Norm norm, double eps, const std::string& way_out = "");

/// "3/255" in Linf (to a sixteenth of a level), "0.52" else; "none" for an infinite one.
std::string format_eps(double eps, Norm norm);

/// "2/255 (n = 10, 95 % CI 1/255 to 3/255)": a median of smallest eps, as `format_eps`.
std::string describe_median_eps(const Metric& median, Norm norm);

/// Prints `levels_note` where there is one to print, as a line of the table.
void print_levels_note(Norm norm, double eps);

}  // namespace fercli
