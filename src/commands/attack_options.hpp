#pragma once

#include <string>

#include "attacks/attack.hpp"
#include "eval/surrogate.hpp"

namespace fercli {

class OptionSet;

/// The knobs of attacks, alike in every command that attacks: --norm, --steps, --alpha, --restarts, --random-start,
/// --loss, --queries, --targets, --mask and --surrogate.
struct AttackOptions {
  std::string norm = "linf", mask, surrogate;
  AttackSettings settings;

  void declare(OptionSet& options);

  /// Throws UserError about values that no attack takes.
  void check() const;

  Norm parsed_norm() const { return parse_norm(norm); }

  /// What --mask means for images of this shape; undefined without it.
  torch::Tensor load_mask(int64_t channels, int64_t height, int64_t width) const;

  /// The network named by --surrogate, or none.
  Surrogate load_surrogate(const Runtime& runtime) const;
};

/// "3/255" in Linf (to a sixteenth of a level), "0.52" else; "none" for an infinite one.
std::string format_eps(double eps, Norm norm);

/// What an attack may do without --eps: 8/255, 0.5 in L2, 8 in L1, 24 values in L0.
std::string default_eps(Norm norm);

/// The ladder without --eps.
std::string default_ladder(Norm norm);

}  // namespace fercli
