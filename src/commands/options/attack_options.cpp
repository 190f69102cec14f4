#include "commands/options/attack_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "attacks/engine/mixture.hpp"
#include "attacks/threat/ball.hpp"
#include "attacks/threat/masks.hpp"
#include "commands/options/model_options.hpp"
#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/meant_levels.hpp"
#include "core/notice.hpp"
#include "core/options.hpp"
#include "core/text.hpp"

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

}  // namespace

void AttackOptions::declare(OptionSet& options) {
  options.choice("norm", &norm, norm_words(), "how the size of the perturbation is measured; l0 counts changed values");
  for (const auto& parameter : shared_parameters()) options.parameter(shorthand(parameter));
  for (const auto& entry : Registry<AttackEntry>::instance().all()) options.parameters(entry.name, entry.parameters);
  options.text("mask", &mask, "WHERE",
               "what may change: eyes, brows, nose, mouth, cheeks, forehead, chin, face, background, image files, or "
               "several separated by commas");
  options.text("surrogate", &surrogate, "MODEL",
               "make the images on this network, or on several together (A,B,C), and show them to --model (transfer)");
  options.choice("ensemble", &ensemble, {"logits", "loss", "margin"},
                 "of several surrogates: follow the mean of their logits or losses, or the one farthest from the goal");
  options.integer("eot", &eot, between(0, 1000),
                  "expectation over transformation: follow the mean over so many draws; 0: none");
  options.choice("eot-over", &eot_over, {"model", "camera"},
                 "of --eot: the network's own randomness, or photographs of a print (turned, scaled, JPEG, noise)");
}

namespace {

/// What else the field calls the attacks.
const std::map<std::string, std::string>& other_names() {
  static const std::map<std::string, std::string> table{{"mim", "mi-fgsm"},
                                                        {"mifgsm", "mi-fgsm"},
                                                        {"momentum", "mi-fgsm"},
                                                        {"ifgsm", "bim"},
                                                        {"i-fgsm", "bim"},
                                                        {"iterative-fgsm", "bim"},
                                                        {"basic-iterative", "bim"},
                                                        {"madry", "pgd"},
                                                        {"pgd-linf", "pgd"},
                                                        {"pgd-l2", "pgd"},
                                                        {"apgd", "apgd-ce"},
                                                        {"auto-pgd", "apgd-ce"},
                                                        {"apgdce", "apgd-ce"},
                                                        {"apgddlr", "apgd-dlr"},
                                                        {"apgd-targeted", "apgd-t"},
                                                        {"apgdt", "apgd-t"},
                                                        {"aa", "autoattack"},
                                                        {"auto-attack", "autoattack"},
                                                        {"c&w", "cw"},
                                                        {"carlini", "cw"},
                                                        {"carlini-wagner", "cw"},
                                                        {"cw-l2", "cw"},
                                                        {"df", "deepfool"},
                                                        {"elastic-net", "ead"},
                                                        {"r-fgsm", "fgsm-rs"},
                                                        {"rfgsm", "fgsm-rs"},
                                                        {"fast-fgsm", "fgsm-rs"},
                                                        {"fast-minimum-norm", "fmn"},
                                                        {"hsj", "hopskipjump"},
                                                        {"hsja", "hopskipjump"},
                                                        {"hop-skip-jump", "hopskipjump"},
                                                        {"square-attack", "square"},
                                                        {"fast-adaptive-boundary", "fab"}};
  return table;
}

/// "; did you mean X?" by all names of all attacks.
std::string suggested_attack(const std::string& lower) {
  std::vector<std::string> words = Registry<AttackEntry>::instance().names();
  for (const auto& [word, name] : other_names()) words.push_back(word);
  const std::string found = nearest(lower, words);
  const auto other = other_names().find(found);
  return found.empty() ? "" : "; did you mean " + (other != other_names().end() ? other->second : found) + "?";
}

bool knows_norm(const std::string& attack, Norm norm) {
  const auto& norms = Registry<AttackEntry>::instance().get(attack).norms;
  return std::find(norms.begin(), norms.end(), norm) != norms.end();
}

}  // namespace

std::string attack_name(const std::string& word) {
  std::string lower = to_lower(trim(word));
  const auto& attacks = Registry<AttackEntry>::instance();
  if (attacks.find(lower) != nullptr) return lower;
  throw UserError(
      fmt::format("unknown attack '{}'{} (known: {})", word, suggested_attack(lower), join(attacks.names(), ", ")));
}

std::string goal_of_words(const std::vector<std::string>& words, const OptionSet& options) {
  if (words.size() == 1) return words.front();
  static const std::vector<std::string> between{"to", "vers", "en", "->", "→"};
  const bool joined =
      words.size() == 3 && std::find(between.begin(), between.end(), to_lower(words[1])) != between.end();
  if (joined) return words[0] + "-to-" + words[2];
  throw UserError(fmt::format("fercli {}: '{}' is no goal; one is SOURCE-to-TARGET, such as happy-to-sad",
                              options.declaration().command, join(words, " ")));
}

void AttackOptions::settle_norm(const OptionSet& options, const std::vector<std::string>& attacks) {
  if (options.given("norm") || attacks.empty()) return;
  for (const Norm one : kNorms) {
    if (!std::all_of(attacks.begin(), attacks.end(), [&](const auto& attack) { return knows_norm(attack, one); }))
      continue;
    norm = to_lower(to_string(one));
    if (one != Norm::Linf) {
      inform(fmt::format("{} {} not work in Linf: --norm {} is taken", join(attacks, ", "),
                         attacks.size() == 1 ? "does" : "do", norm));
    }
    return;
  }
  throw UserError(fmt::format("{}: these attacks have no norm in common; run them one by one", join(attacks, ", ")));
}

void AttackOptions::check_maker(const OptionSet& options) const {
  if (options.given_on_command_line("ensemble") && model_names(surrogate).size() < 2) {
    options.fail("ensemble", "is for several networks in --surrogate");
  }
  if (options.given_on_command_line("eot-over") && eot == 0) options.fail("eot-over", "is for --eot");
}

std::vector<std::string> AttackOptions::choose(const OptionSet& options, const std::string& option) {
  check_maker(options);
  std::vector<Chosen> all;
  try {
    all = parse_chosen(options.as_given(option));
  } catch (const std::invalid_argument& error) {
    options.fail(option, error.what());
  }
  std::vector<std::string> names;
  for (auto& chosen : all) {
    chosen.name = attack_name(chosen.name);
    if (std::find(names.begin(), names.end(), chosen.name) != names.end())
      options.fail(option, fmt::format("attack '{}' is named twice", chosen.name));
    names.push_back(chosen.name);
  }
  settle_norm(options, names);
  for (const auto& chosen : all) add(options, option, chosen);
  for (const auto& parameter : shared_parameters()) warn_if_unused(options, parameter.name, names);
  return names;
}

void AttackOptions::add(const OptionSet& options, const std::string& option, const Chosen& chosen) {
  const AttackEntry& entry = Registry<AttackEntry>::instance().get(chosen.name);
  const Norm in = parsed_norm();
  if (!knows_norm(entry.name, in))
    options.fail("norm", fmt::format("attack '{}' does not work in {}", entry.name, to_string(in)));
  const auto parameters = parameters_in(entry, in);
  const Given& own = settings.own[entry.name] = options.gather(entry.name, parameters, chosen.given);
  try {
    Values(parameters, own);
  } catch (const std::invalid_argument& error) {
    options.fail(option, fmt::format("attack '{}': {}", entry.name, error.what()));
  }
}

void warn_if_unused(const OptionSet& options, const std::string& name, const std::vector<std::string>& attacks) {
  if (!options.given(name)) return;
  for (const auto& attack : attacks) {
    if (has_parameter(Registry<AttackEntry>::instance().get(attack).parameters, name)) return;
  }
  warn(fmt::format("--{} has no effect: {} {} not use it", name, join(attacks, ", "),
                   attacks.size() == 1 ? "does" : "do"));
}

torch::Tensor AttackOptions::load_mask(int64_t channels, int64_t height, int64_t width) const {
  return mask.empty() ? torch::Tensor() : parse_masks(mask, channels, height, width);
}

Surrogate AttackOptions::image_maker(const Classifier& network, const torch::Tensor& images,
                                     const Runtime& runtime) const {
  std::vector<MixedView> views;
  Surrogate maker;
  const auto add_network = [&](const std::shared_ptr<const Classifier>& added) {
    auto more = eot > 0 ? expectation_over(eot_over, eot, added, runtime.seed) : std::vector<MixedView>{{added}};
    views.insert(views.end(), more.begin(), more.end());
  };
  const auto names = model_names(surrogate);
  for (const auto& name : names) {
    const Checkpoint checkpoint = load_named_model(name, "--surrogate", trust_code);
    for (const auto& line : checkpoint.warnings) warn(line);
    maker.digest += (maker.digest.empty() ? "" : "+") + checkpoint.digest;
    maker.classifier = std::make_shared<Classifier>(make_classifier(checkpoint, runtime));
    add_network(maker.classifier);
  }
  if (names.empty() && eot > 0) add_network(std::make_shared<Classifier>(network));
  if (eot == 0 && views.size() < 2) return maker;
  const bool ensembles = names.size() > 1;  // an INI file may hold --ensemble for other runs
  if (ensembles) maker.digest += ":" + ensemble;
  if (eot > 0) maker.digest += fmt::format(":eot {} {} {}", eot, eot_over, runtime.seed);
  const Joining joining = ensembles ? parse_joining(ensemble) : Joining::Logits;
  maker.classifier =
      std::make_shared<Classifier>(mixture(views, joining, {images.size(1), images.size(2), images.size(3)}));
  return maker;
}

void check_alpha(const OptionSet& options, bool of_pixels, double alpha) {
  if (!std::isfinite(alpha)) options.fail("alpha", "must be a finite number");
  if (!of_pixels || alpha <= 1) return;
  options.fail("alpha", "must be in (0, 1]" + meant_levels(options.as_given("alpha"), alpha));
}

void require_level(const OptionSet& options, Norm norm, double eps, const std::string& way_out) {
  if (fits_a_level(norm, eps)) return;
  options.fail("eps", "must be at least 1/255, one level of 8-bit images, or nothing can change" + way_out);
}

void check_eps(const OptionSet& options, Norm norm, double eps, double most) {
  const std::string fault = eps_fault(norm, options.as_given("eps"), eps, most);
  if (!fault.empty()) options.fail("eps", fault);
  require_level(options, norm, eps);
}

std::string format_eps(double eps, Norm norm) {
  if (!std::isfinite(eps)) return "none";
  return norm == Norm::Linf ? fmt::format("{:g}/255", std::round(eps * 255 * 16) / 16) : fmt::format("{:.2f}", eps);
}

std::string describe_median_eps(const Metric& median, Norm norm) {
  return fmt::format("{} (n = {}, 95 % CI {} to {})", format_eps(median.value, norm), median.n,
                     format_eps(median.interval.low, norm), format_eps(median.interval.high, norm));
}

void print_levels_note(Norm norm, double eps) {
  const auto text = norm == Norm::Linf ? fmt::format("{:.6g}/255", eps * 255) : fmt::format("{:.6g}", eps);
  const auto note = levels_note(norm, text, eps);
  if (!note.empty()) print_text("{}\n", note);
}

}  // namespace fercli
