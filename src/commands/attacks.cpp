// fercli attacks: the list of attacks.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "attacks/engine/attack.hpp"
#include "commands/options/attack_options.hpp"
#include "commands/options/show_options.hpp"
#include "core/command.hpp"
#include "core/escape.hpp"
#include "core/options.hpp"
#include "record/document_kind.hpp"
#include "record/shape.hpp"

namespace fercli::attacks_command {

namespace {

std::string norms_of(const AttackEntry& entry) {
  std::vector<std::string> norms;
  for (const Norm norm : entry.norms) norms.push_back(to_string(norm));
  return join(norms, ", ");
}

const char* goals_of(const AttackEntry& entry) {
  if (entry.targeted && entry.untargeted) return "both";
  return entry.targeted ? "targeted" : "untargeted";
}

std::unique_ptr<Attack> with_defaults(const AttackEntry& entry) {
  return make_attack(entry.name, {}, entry.norms.front(), !entry.untargeted);
}

const char* kind_of(const AttackEntry& entry) {
  return with_defaults(entry)->minimum_norm() ? "minimum norm" : "fixed eps";
}

/// "fp32", "bf16 where the hardware has it", or that with the stages of a cascade that do not.
std::string precisions_of(const AttackEntry& entry) {
  if (entry.search_precision == Precision::Float32) return "fp32 always";
  std::string text = "bf16 where the hardware has it";
  std::vector<std::string> exact;
  for (const auto& stage : with_defaults(entry)->stages()) {
    const auto* part = Registry<AttackEntry>::instance().find(stage);
    if (part != nullptr && part->search_precision == Precision::Float32) exact.push_back(stage);
  }
  return exact.empty() ? text : text + "; " + join(exact, ", ") + " in fp32 always";
}

std::string names_of(const AttackEntry& entry) {
  std::vector<std::string> names;
  for (const auto& parameter : entry.parameters) names.push_back(parameter.name);
  return join(names, ", ");
}

nlohmann::json to_json(const AttackEntry& entry) {
  nlohmann::json norms = nlohmann::json::array();
  for (const Norm norm : entry.norms) norms.push_back(to_string(norm));
  nlohmann::json parameters = nlohmann::json::array();
  for (const auto& parameter : parameters_in(entry, entry.norms.front())) parameters.push_back(parameter.json());
  return {{"name", entry.name},
          {"summary", entry.summary},
          {"norms", norms},
          {"targeted", entry.targeted},
          {"kind", kind_of(entry)},
          {"untargeted", entry.untargeted},
          {"cost", entry.cost},
          {"access", to_string(entry.access)},
          {"paper", entry.paper},
          {"parameters", parameters},
          {"search_precision", to_string(entry.search_precision)}};
}

void print_table(const std::vector<AttackEntry>& entries) {
  print_text("{:<12} {:<17} {:<11} {:<10} {:<13} what it does\n", "attack", "norms", "goals", "sees", "kind");
  for (const auto& entry : entries) {
    print_text("{:<12} {:<17} {:<11} {:<10} {:<13} {}\n", entry.name, norms_of(entry), goals_of(entry),
               to_string(entry.access), kind_of(entry), entry.summary);
    print_text("{:<12} {}\n{:<12} cost: {}\n", "", entry.paper, "", entry.cost);
    print_text("{:<12} parameters: {}\n{:<12} searches in {}\n", "", names_of(entry), "", precisions_of(entry));
  }
  print_text(
      "\n`fercli attacks NAME` shows the parameters of one, which are given as --attack NAME:parameter=value,…\n"
      "Goals: untargeted (any wrong class), targeted (one class), or both. Kind: fixed eps searches a ball, minimum\n"
      "norm the nearest adversarial image, which gives all eps at once. Cost per image and start, in network "
      "passes.\nAttacks that walk along the decision boundary or compare nearly equal logits search in fp32; fp32 "
      "gives all "
      "verdicts.\n");
}

PrintedTable all_attacks(const std::vector<AttackEntry>& entries) {
  PrintedTable table{
      "Attacks", {"attack", "norms", "goals", "sees", "kind", "what it does", "cost", "searches in", "paper"}, {}};
  for (const auto& entry : entries) {
    table.rows.push_back({entry.name, norms_of(entry), goals_of(entry), to_string(entry.access), kind_of(entry),
                          entry.summary, entry.cost, precisions_of(entry), entry.paper});
  }
  return table;
}

std::string default_of(const Parameter& parameter) {
  return parameter.initial.empty() ? "the attack's own rule" : parameter.initial;
}

PrintedTable parameters_of_one(const AttackEntry& entry) {
  PrintedTable table{"Parameters of " + entry.name, {"parameter", "default", "allowed", "what it is"}, {}};
  for (const auto& parameter : parameters_in(entry, entry.norms.front()))
    table.rows.push_back({parameter.name, default_of(parameter), parameter.allowed(), parameter.help});
  return table;
}

void print_one(const AttackEntry& entry) {
  print_text("{}: {}\n\n", entry.name, entry.summary);
  for (const auto& [title, value] :
       std::vector<std::pair<std::string, std::string>>{{"paper", entry.paper},
                                                        {"norms", norms_of(entry)},
                                                        {"goals", goals_of(entry)},
                                                        {"sees", to_string(entry.access)},
                                                        {"kind", kind_of(entry)},
                                                        {"cost", entry.cost + ", per image and start"},
                                                        {"searches in", precisions_of(entry)}}) {
    print_text("  {:<12} {}\n", title, value);
  }
  const auto parameters = parameters_in(entry, entry.norms.front());
  print_text("\nParameters, as in --attack {}:{}={},…, or in the section [{}] of an INI file:\n", entry.name,
             parameters.front().name, parameters.front().metavar(), entry.name);
  for (const auto& parameter : parameters) {
    print_text("  {:<14} {}\n  {:<14} {}; default: {}\n", parameter.name, parameter.help, "", parameter.allowed(),
               default_of(parameter));
  }
}

int run(const std::vector<std::string>& arguments) {
  ShowOptions show;
  std::vector<std::string> names;
  OptionSet options("attacks", "[ATTACK]",
                    "List the attacks: norms, goals, what they see, cost and paper; with ATTACK one of them and its\n"
                    "parameters.");
  options.positional(&names, 0, 1);
  options.section("Output");
  show.declare_tables(options, "print the list as JSON");
  if (!options.parse(arguments)) return 0;
  show.begin(options);
  const auto& entries = Registry<AttackEntry>::instance().all();
  if (!names.empty()) {
    const AttackEntry& entry = Registry<AttackEntry>::instance().get(attack_name(names.front()));
    if (show.json)
      print_text("{}\n", to_json(entry).dump(2));
    else if (show.text())
      print_one(entry);
    else
      show.print({parameters_of_one(entry)});
    return 0;
  }
  if (!show.json) {
    if (show.text())
      print_table(entries);
    else
      show.print({all_attacks(entries)});
    return 0;
  }
  auto list = nlohmann::json::array();
  for (const auto& entry : entries) list.push_back(to_json(entry));
  print_text("{}\n", list.dump(2));
  return 0;
}

nlohmann::json schema() {
  using namespace shape;
  const json parameter = object({{"name", text()},
                                 {"kind", one_of({"number", "whole number", "flag", "choice"})},
                                 {"default", described(or_null(text()), "null: the attack's own rule")},
                                 {"allowed", text()},
                                 {"help", text()}});
  const json entry = object({{"name", text()},
                             {"summary", text()},
                             {"norms", list(text())},
                             {"targeted", flag()},
                             {"untargeted", flag()},
                             {"kind", one_of({"fixed eps", "minimum norm"})},
                             {"cost", described(text(), "per image and start, in passes of the network")},
                             {"access", described(text(), "what the attack sees")},
                             {"paper", text()},
                             {"parameters", list(parameter)},
                             {"search_precision", text()}});
  return {{"anyOf", {list(entry), entry}}};
}

const Register<DocumentKind> document{{"attacks", "--json of attacks: all of them, or one", schema}};

const Register<Command> registered{{"attacks", "list the attacks with norms, goals, cost and paper", run}};

}  // namespace

}  // namespace fercli::attacks_command
