#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <variant>
#include <vector>

namespace fercli {

/// Allowed interval of a number; the ends belong to it unless marked open.
struct Range {
  double low;
  double high;
  bool low_open = false;
  bool high_open = false;
};

Range at_least(double low);  ///< [low, ∞)
Range above(double low);     ///< (low, ∞)
Range between(double low, double high);
Range any_number();

std::string describe(const Range& range);  ///< "in [0, 1)", "above 0", "a number"

/// What a user wrote for a value. All throw std::invalid_argument with the reason: "must be in [0, 1]".
/// "0.5" or "8/255"; `name`: of what, for a guess at what was meant.
double read_number(const std::string& word, const Range& range, const std::string& name = "");
int64_t read_whole(const std::string& word, const Range& range);
bool read_flag(const std::string& word);  ///< true, yes, on, 1 and their opposites
/// One of `allowed`, written in any case.
const std::string& read_choice(const std::string& word, const std::vector<std::string>& allowed);

/// A parameter that a plug-in (an attack, a loss, an architecture, a part of a report) declares for itself. The list is
/// all there is: ranges, defaults, help and what results record follow from it.
struct Parameter {
  enum class Kind { Number, Whole, Flag, Choice };

  std::string name;  ///< "random-start"; users may write _ for -, and JSON does
  Kind kind;
  std::string initial;  ///< the default as text; "": a rule of the plug-in's, named in `help`
  Range range;          ///< of numbers
  std::vector<std::string> choices;
  std::string help;

  static Parameter number(std::string name, std::string initial, Range range, std::string help);
  static Parameter whole(std::string name, std::string initial, Range range, std::string help);
  static Parameter flag(std::string name, std::string initial, std::string help);
  static Parameter choice(std::string name, std::string initial, std::vector<std::string> choices, std::string help);

  Parameter starting_at(std::string initial) const;  ///< the same with another default

  std::string metavar() const;    ///< "X", "N", "true|false", "ce|dlr"
  std::string allowed() const;    ///< "a whole number in [1, 100]", "one of ce, dlr"
  std::string json_name() const;  ///< "random_start"
  nlohmann::json json() const;    ///< {"name", "kind", "default", "allowed", "help"}
};

/// What a user gave, by the names of parameters: {"steps": "40"}.
using Given = std::map<std::string, std::string>;

/// Every parameter of a plug-in with its value, checked.
class Values {
 public:
  using Value = std::variant<bool, int64_t, double, std::string>;

  Values() = default;

  /// The defaults, and `given` in their place. Throws std::invalid_argument: "steps=0: must be …", or that there is no
  /// such parameter, with those that there are.
  Values(const std::vector<Parameter>& parameters, const Given& given);

  /// Is it declared, and has it a default or been given?
  bool has(const std::string& name) const { return values_.count(name) > 0; }

  double number(const std::string& name) const { return std::get<double>(values_.at(name)); }
  int64_t whole(const std::string& name) const { return std::get<int64_t>(values_.at(name)); }
  bool flag(const std::string& name) const { return std::get<bool>(values_.at(name)); }
  const std::string& word(const std::string& name) const { return std::get<std::string>(values_.at(name)); }

  nlohmann::json json() const;  ///< {"steps": 40, "random_start": false, …}: those that `has`

 private:
  std::map<std::string, Value> values_;
};

/// The parameters of a registered plug-in; a kind that has more than it declares (losses) has its own function.
template <class Entry>
const std::vector<Parameter>& parameters_of(const Entry& entry) {
  return entry.parameters;
}

/// Throws std::invalid_argument with the reason when a parameter cannot have this value.
Values::Value read_value(const Parameter& parameter, const std::string& word);

/// The parameter of this name, _ counting as -. Throws std::invalid_argument that lists those that there are.
const Parameter& find_parameter(const std::vector<Parameter>& parameters, const std::string& name);

/// Whether there is a parameter of exactly this name.
bool has_parameter(const std::vector<Parameter>& parameters, const std::string& name);

/// A plug-in as it is chosen: "pgd:steps=40,alpha=1/255".
struct Chosen {
  std::string name;
  Given given;
};

/// "pgd:steps=40,alpha=1/255,fab": a piece with = and no colon before it goes on with the parameters of the plug-in
/// before; any other begins the next. Throws std::invalid_argument: a piece that fits nowhere, a parameter given twice.
std::vector<Chosen> parse_chosen(const std::string& text);

/// The same of one: throws also where there are several, or none.
Chosen parse_one_chosen(const std::string& text);

}  // namespace fercli
