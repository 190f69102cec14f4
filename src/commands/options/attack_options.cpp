#include "commands/options/attack_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "attacks/threat/ball.hpp"
#include "attacks/threat/masks.hpp"
#include "commands/options/model_options.hpp"
#include "core/options.hpp"
#include "core/progress.hpp"

namespace fercli {

namespace {

/// As an option: 0 stands for the attack's own number.
Parameter shorthand(Parameter parameter) {
  if (!parameter.initial.empty()) return parameter;
  if (parameter.kind == Parameter::Kind::Whole) {
    parameter.range.low = 0;
    parameter.initial = "0";
    parameter.help += "; 0: the attack's own number";
  } else {
    parameter.help += "; without it the attack's own";
  }
  return parameter;
}

bool has_parameter(const std::string& attack, const std::string& name) {
  const auto& parameters = Registry<AttackEntry>::instance().get(attack).parameters;
  return std::any_of(parameters.begin(), parameters.end(), [&](const auto& each) { return each.name == name; });
}

}  // namespace

void AttackOptions::declare(OptionSet& options) {
  options.choice("norm", &norm, {"linf", "l2", "l1", "l0"},
                 "how the size of the perturbation is measured; l0 counts changed values");
  for (const auto& parameter : shared_parameters()) options.parameter(shorthand(parameter));
  for (const auto& entry : Registry<AttackEntry>::instance().all()) options.parameters(entry.name, entry.parameters);
  options.text("mask", &mask, "WHERE",
               "what may change: eyes, brows, nose, mouth, cheeks, forehead, chin, face, background, image files, or "
               "several separated by commas");
  options.text("surrogate", &surrogate, "MODEL", "make the images on this network and show them to --model (transfer)");
}

std::vector<std::string> AttackOptions::choose(const OptionSet& options, const std::string& option) {
  std::vector<Chosen> all;
  try {
    all = parse_chosen(options.as_given(option));
  } catch (const std::invalid_argument& error) {
    options.fail(option, error.what());
  }
  std::vector<std::string> names;
  for (const auto& chosen : all) {
    if (std::find(names.begin(), names.end(), chosen.name) != names.end())
      options.fail(option, fmt::format("attack '{}' is named twice", chosen.name));
    names.push_back(chosen.name);
    add(options, option, chosen);
  }
  for (const auto& parameter : shared_parameters()) warn_if_unused(options, parameter.name, names);
  check_mask(options, mask);
  return names;
}

void AttackOptions::add(const OptionSet& options, const std::string& option, const Chosen& chosen) {
  const AttackEntry& entry = Registry<AttackEntry>::instance().get(chosen.name);
  const Norm in = parsed_norm();
  if (std::find(entry.norms.begin(), entry.norms.end(), in) == entry.norms.end())
    options.fail("norm", fmt::format("attack '{}' does not work in {}", entry.name, to_string(in)));
  const auto parameters = parameters_in(entry, in);
  const Given& own = settings.own[entry.name] = options.gather(entry.name, parameters, chosen.given);
  try {
    Values(parameters, own);
  } catch (const std::invalid_argument& error) {
    options.fail(option, fmt::format("attack '{}': {}", entry.name, error.what()));
  }
}

void check_mask(const OptionSet& options, const std::string& mask) {
  if (options.given("mask") && mask.empty()) options.fail("mask", "must not be empty");
}

void warn_if_unused(const OptionSet& options, const std::string& name, const std::vector<std::string>& attacks) {
  if (!options.given(name)) return;
  for (const auto& attack : attacks) {
    if (has_parameter(attack, name)) return;
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

void print_levels_note(Norm norm, double eps) {
  const auto text = norm == Norm::Linf ? fmt::format("{:.6g}/255", eps * 255) : fmt::format("{:.6g}", eps);
  const auto note = levels_note(norm, text, eps);
  if (!note.empty()) fmt::print("{}\n", note);
}

}  // namespace fercli
