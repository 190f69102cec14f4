#include "commands/options/attack_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "attacks/threat/ball.hpp"
#include "attacks/threat/losses.hpp"
#include "attacks/threat/masks.hpp"
#include "commands/options/model_options.hpp"
#include "core/options.hpp"
#include "core/progress.hpp"

namespace fercli {

void AttackOptions::declare(OptionSet& options) {
  options.choice("norm", &norm, {"linf", "l2", "l1", "l0"},
                 "how the size of the perturbation is measured; l0 counts changed values");
  options.integer("steps", &settings.steps, at_least(0), "steps; 0: the attack's own number");
  options.number("alpha", &settings.alpha, "", above(0), "step size; without it the attack's own rule");
  options.integer("restarts", &settings.restarts, at_least(1),
                  "starts: the first from the original, the others from random points; a solved image starts no more");
  options.flag("random-start", &settings.random_start, "begin the first start at a random point too");
  options.choice("loss", &settings.loss, goal_loss_names(), "what is descended; without it the attack's own choice");
  options.integer("queries", &settings.queries, at_least(0),
                  "network calls per image of black-box attacks; 0: the attack's own number");
  options.integer("targets", &settings.targets, at_least(0),
                  "classes that apgd-t and fab-t head for, one after another; 0: min(9, classes - 1)");
  options.text("mask", &mask, "WHERE",
               "what may change: eyes, brows, nose, mouth, cheeks, forehead, chin, face, background, image files, or "
               "several separated by commas");
  options.text("surrogate", &surrogate, "MODEL", "make the images on this network and show them to --model (transfer)");
}

void AttackOptions::check(const OptionSet& options, const std::vector<std::string>& attacks) const {
  for (const auto& name : attacks) {
    const auto& norms = Registry<AttackEntry>::instance().get(name).norms;
    if (std::find(norms.begin(), norms.end(), parsed_norm()) == norms.end()) {
      options.fail("norm", fmt::format("attack '{}' does not work in {}", name, to_string(parsed_norm())));
    }
  }
  for (const auto& name : attacks) {
    const auto unit = Registry<AttackEntry>::instance().get(name).alpha_unit;
    const bool of_pixels = unit == StepUnit::OfAPixel || (unit == StepUnit::OfTheNorm && parsed_norm() == Norm::Linf);
    if (options.given("alpha")) check_alpha(options, of_pixels, settings.alpha);
  }
  for (const char* name : {"steps", "alpha", "restarts", "random-start", "loss", "queries", "targets"}) {
    warn_if_unused(options, name, attacks);
  }
  check_mask(options, mask);
}

void check_mask(const OptionSet& options, const std::string& mask) {
  if (options.given("mask") && mask.empty()) options.fail("mask", "must not be empty");
}

void warn_if_unused(const OptionSet& options, const std::string& name, const std::vector<std::string>& attacks) {
  if (!options.given(name)) return;
  for (const auto& attack : attacks) {
    const auto& used = Registry<AttackEntry>::instance().get(attack).settings;
    if (std::find(used.begin(), used.end(), name) != used.end()) return;
  }
  warn(fmt::format("--{} has no effect: {} {} not use it", name, join(attacks, ", "),
                   attacks.size() == 1 ? "does" : "do"));
}

torch::Tensor AttackOptions::load_mask(int64_t channels, int64_t height, int64_t width) const {
  return mask.empty() ? torch::Tensor() : parse_masks(mask, channels, height, width);
}

Surrogate AttackOptions::load_surrogate(const Runtime& runtime) const {
  if (surrogate.empty()) return {};
  const Checkpoint checkpoint = load_named_model(surrogate, "--surrogate", trust_code);
  for (const auto& line : checkpoint.warnings) warn(line);
  return {std::make_shared<Classifier>(make_classifier(checkpoint, runtime)), checkpoint.digest};
}

void check_alpha(const OptionSet& options, bool of_pixels, double alpha) {
  if (!std::isfinite(alpha)) options.fail("alpha", "must be a finite number");
  if (!of_pixels || alpha <= 1) return;
  options.fail(
      "alpha",
      fmt::format("must be in (0, 1]{}",
                  alpha <= 255 ? fmt::format("; pixels are scaled to [0,1], did you mean {:g}/255?", alpha) : ""));
}

void require_level(const OptionSet& options, Norm norm, double eps, const std::string& way_out) {
  if (fits_a_level(norm, eps)) return;
  options.fail("eps", norm == Norm::L0
                          ? "must be at least 1 in L0, the number of changed values"
                          : "must be at least 1/255, one level of 8-bit images, or nothing can change" + way_out);
}

void check_eps(const OptionSet& options, Norm norm, double eps, double most) {
  if (norm == Norm::Linf && eps > most) {
    options.fail(
        "eps",
        fmt::format("must be in (0, {:g}]{}", most,
                    eps <= 255 * most ? fmt::format("; pixels are scaled to [0,1], did you mean {:g}/255?", eps) : ""));
  }
  require_level(options, norm, eps);
}

std::string format_eps(double eps, Norm norm) {
  if (!std::isfinite(eps)) return "none";
  return norm == Norm::Linf ? fmt::format("{:g}/255", std::round(eps * 255 * 16) / 16) : fmt::format("{:.2f}", eps);
}

std::string default_eps(Norm norm) {
  switch (norm) {
    case Norm::Linf:
      return "8/255";
    case Norm::L2:
      return "0.5";
    case Norm::L1:
      return "8";
    case Norm::L0:
      return "24";
  }
  return "";
}

std::string default_ladder(Norm norm) {
  switch (norm) {
    case Norm::Linf:
      return "1/255,2/255,4/255,8/255";
    case Norm::L2:
      return "0.25,0.5,1,2";
    case Norm::L1:
      return "2,4,8,16";
    case Norm::L0:
      return "8,16,32,64";
  }
  return "";
}

}  // namespace fercli
