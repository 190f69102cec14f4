#include "core/parameters.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "core/meant_levels.hpp"
#include "core/numbers.hpp"
#include "core/text.hpp"

namespace fercli {

namespace {

/// An end at infinity is open: computing with infinite options gives NaN.
bool contains(const Range& range, double value) {
  const bool above_low = range.low_open ? value > range.low : value >= range.low;
  const bool below_high = range.high_open ? value < range.high : value <= range.high;
  return above_low && below_high && std::isfinite(value);
}

/// What is wrong with a number outside its range, with a guess at what was meant, unless `word` is a fraction already.
std::string out_of_range(const Range& range, double value, const std::string& word, const std::string& name) {
  std::string reason = "must be " + describe(range) + (std::isfinite(value) ? "" : ", and finite");
  if (range.high == 1 && name.find("confidence") != std::string::npos) {
    if (value > 1 && value < 100) reason += fmt::format("; it is a share of 1, did you mean {:g}?", value / 100);
  } else if (range.high == 1 && !range.high_open && range.low == 0 && value > 1) {
    reason += meant_levels(word, value);
  }
  return reason;
}

std::string with_dashes(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

}  // namespace

Range at_least(double low) {
  return {low, kInfinity};
}
Range above(double low) {
  return {low, kInfinity, true};
}
Range between(double low, double high) {
  return {low, high};
}
Range any_number() {
  return {-kInfinity, kInfinity};
}

std::string describe(const Range& range) {
  if (range.low == -kInfinity && range.high == kInfinity) return "a number";
  // {:g} would write a million as 1e+06.
  const auto shown = [](double end) {
    return end == std::floor(end) && std::abs(end) < 1e15 ? fmt::format("{:.0f}", end) : fmt::format("{:g}", end);
  };
  if (range.high == kInfinity) return fmt::format("{} {}", range.low_open ? "above" : "at least", shown(range.low));
  return fmt::format("in {}{}, {}{}", range.low_open ? "(" : "[", shown(range.low), shown(range.high),
                     range.high_open ? ")" : "]");
}

double read_number(const std::string& word, const Range& range, const std::string& name) {
  double value = 0;
  try {
    value = parse_number(word);
  } catch (const std::invalid_argument&) {
    throw std::invalid_argument("must be a number or a fraction like 8/255, " + describe(range));
  }
  if (!contains(range, value)) throw std::invalid_argument(out_of_range(range, value, word, name));
  return value;
}

int64_t read_whole(const std::string& word, const Range& range) {
  int64_t value = 0;
  try {
    value = parse_integer(word);
  } catch (const std::invalid_argument&) {
    throw std::invalid_argument("must be a whole number " + describe(range));
  }
  if (!contains(range, static_cast<double>(value))) throw std::invalid_argument("must be " + describe(range));
  return value;
}

bool read_flag(const std::string& word) {
  const std::string lower = to_lower(word);
  for (const char* yes : {"true", "yes", "on", "1"}) {
    if (lower == yes) return true;
  }
  for (const char* no : {"false", "no", "off", "0"}) {
    if (lower == no) return false;
  }
  throw std::invalid_argument("must be true or false");
}

const std::string& read_choice(const std::string& word, const std::vector<std::string>& allowed) {
  const auto found = std::find_if(allowed.begin(), allowed.end(),
                                  [&](const std::string& each) { return to_lower(each) == to_lower(word); });
  if (found != allowed.end()) return *found;
  throw std::invalid_argument(fmt::format("must be {}{}{}", allowed.size() > 1 ? "one of " : "", join(allowed, ", "),
                                          did_you_mean(word, allowed)));
}

Parameter Parameter::number(std::string name, std::string initial, Range range, std::string help) {
  return {std::move(name), Kind::Number, std::move(initial), range, {}, std::move(help)};
}

Parameter Parameter::whole(std::string name, std::string initial, Range range, std::string help) {
  return {std::move(name), Kind::Whole, std::move(initial), range, {}, std::move(help)};
}

Parameter Parameter::flag(std::string name, std::string initial, std::string help) {
  return {std::move(name), Kind::Flag, std::move(initial), any_number(), {}, std::move(help)};
}

Parameter Parameter::choice(std::string name, std::string initial, std::vector<std::string> choices, std::string help) {
  return {std::move(name), Kind::Choice, std::move(initial), any_number(), std::move(choices), std::move(help)};
}

Parameter Parameter::starting_at(std::string initial) const {
  Parameter other = *this;
  other.initial = std::move(initial);
  return other;
}

std::string Parameter::metavar() const {
  switch (kind) {
    case Kind::Number:
      return "X";
    case Kind::Whole:
      return "N";
    case Kind::Flag:
      return "true|false";
    case Kind::Choice:
      return join(choices, "|");
  }
  return "";
}

std::string Parameter::allowed() const {
  switch (kind) {
    case Kind::Number:
      return range.high == kInfinity && range.low == -kInfinity ? "a number" : "a number " + describe(range);
    case Kind::Whole:
      return "a whole number " + describe(range);
    case Kind::Flag:
      return "true or false";
    case Kind::Choice:
      return (choices.size() > 1 ? "one of " : "") + join(choices, ", ");
  }
  return "";
}

std::string Parameter::json_name() const {
  std::string out = name;
  std::replace(out.begin(), out.end(), '-', '_');
  return out;
}

nlohmann::json Parameter::json() const {
  static const char* const kKinds[] = {"number", "whole number", "flag", "choice"};
  return {{"name", name},
          {"kind", kKinds[static_cast<size_t>(kind)]},
          {"default", initial.empty() ? nlohmann::json() : nlohmann::json(initial)},
          {"allowed", allowed()},
          {"help", help}};
}

Values::Value read_value(const Parameter& parameter, const std::string& word) {
  switch (parameter.kind) {
    case Parameter::Kind::Number:
      return read_number(word, parameter.range, parameter.name);
    case Parameter::Kind::Whole:
      return read_whole(word, parameter.range);
    case Parameter::Kind::Flag:
      return read_flag(word);
    case Parameter::Kind::Choice:
      return read_choice(word, parameter.choices);
  }
  return {};
}

const Parameter& find_parameter(const std::vector<Parameter>& parameters, const std::string& name) {
  std::vector<std::string> names;
  for (const auto& parameter : parameters) {
    if (parameter.name == with_dashes(name)) return parameter;
    names.push_back(parameter.name);
  }
  throw std::invalid_argument(fmt::format("there is no parameter '{}'{} (there {} {})", name, did_you_mean(name, names),
                                          names.size() == 1 ? "is" : "are",
                                          names.empty() ? "none" : join(names, ", ")));
}

bool has_parameter(const std::vector<Parameter>& parameters, const std::string& name) {
  return std::any_of(parameters.begin(), parameters.end(), [&](const auto& each) { return each.name == name; });
}

Values::Values(const std::vector<Parameter>& parameters, const Given& given) {
  for (const auto& parameter : parameters) {
    if (!parameter.initial.empty()) values_[parameter.name] = read_value(parameter, parameter.initial);
  }
  for (const auto& [name, word] : given) {
    const Parameter& parameter = find_parameter(parameters, name);
    try {
      values_[parameter.name] = read_value(parameter, word);
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument(fmt::format("{}={}: {}", name, word, error.what()));
    }
  }
}

nlohmann::json Values::json() const {
  auto out = nlohmann::json::object();
  for (const auto& [name, value] : values_) {
    std::string key = name;
    std::replace(key.begin(), key.end(), '-', '_');
    std::visit([&](const auto& content) { out[key] = content; }, value);
  }
  return out;
}

std::vector<Chosen> parse_chosen(const std::string& text) {
  std::vector<Chosen> all;
  for (const auto& piece : split(text, ',')) {
    const auto colon = piece.find(':'), equals = piece.find('=');
    std::string setting = piece;
    if (colon < equals) {
      all.push_back({trim(piece.substr(0, colon)), {}});
      setting = trim(piece.substr(colon + 1));
    } else if (equals == std::string::npos) {
      all.push_back({piece, {}});
      continue;
    } else if (all.empty()) {
      throw std::invalid_argument(fmt::format("'{}' needs a name before it, as in NAME:{}", piece, piece));
    }
    const auto sign = setting.find('=');
    if (all.back().name.empty() || sign == std::string::npos || sign == 0 || sign + 1 == setting.size()) {
      throw std::invalid_argument(fmt::format("'{}' must be NAME, NAME:parameter=value or parameter=value", piece));
    }
    const std::string name = with_dashes(trim(setting.substr(0, sign)));
    if (!all.back().given.emplace(name, trim(setting.substr(sign + 1))).second) {
      throw std::invalid_argument(fmt::format("{} is given twice", name));
    }
  }
  for (const auto& chosen : all) {
    if (chosen.name.empty()) throw std::invalid_argument("a name is missing between two commas");
  }
  return all;
}

Chosen parse_one_chosen(const std::string& text) {
  auto all = parse_chosen(text);
  if (all.size() != 1) throw std::invalid_argument(fmt::format("must name one, and names {}", all.size()));
  return std::move(all.front());
}

}  // namespace fercli
