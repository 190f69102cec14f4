#include "report/number_format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace fercli {

namespace {

constexpr const char* kDash = "–";
constexpr const char* kThinSpace = "\u202f";
constexpr const char* kSpace = "\u00a0";

/// Groups of three from five digits on.
std::string grouped(double value) {
  std::string digits = fmt::format("{:.0f}", value);
  if (std::abs(value) < 10000) return digits;
  for (int64_t place = static_cast<int64_t>(digits.size()) - 3; place > 0; place -= 3) {
    digits.insert(static_cast<size_t>(place), kThinSpace);
  }
  return digits;
}

std::string in_english(double value, NumberFormat format) {
  switch (format) {
    case NumberFormat::Percent:
      return fmt::format("{:.1f}{}%", 100 * value, kSpace);
    case NumberFormat::Points:
      return fmt::format("{:.1f}", 100 * value);
    case NumberFormat::Count:
      return grouped(value);
    case NumberFormat::Fixed:
      return fmt::format("{:.3f}", value);
    case NumberFormat::Short:
      return fmt::format("{:.4g}", value);
    case NumberFormat::Grey:
      return fmt::format("{:.6g}/255", std::round(25500 * value) / 100);
    case NumberFormat::Levels:
      return fmt::format("{:.6g}", std::round(25500 * value) / 100);
    case NumberFormat::Seconds:
      return fmt::format("{:.1f}{}s", value, kSpace);
    case NumberFormat::Decibels:
      return fmt::format("{:.1f}{}dB", value, kSpace);
  }
  return "";
}

}  // namespace

std::string to_string(NumberFormat format) {
  static const char* const kNames[] = {"percent", "points", "count",   "fixed",   "short",
                                       "grey",    "levels", "seconds", "decibels"};
  return kNames[static_cast<int>(format)];
}

std::string format_number(double value, NumberFormat format, const std::string& language) {
  if (std::isnan(value)) return kDash;
  std::string text = in_english(value, format);
  if (text.front() == '-' && text.find_first_of("123456789") == std::string::npos) text.erase(0, 1);  // -0.000
  if (language != "fr") return text;
  std::replace(text.begin(), text.end(), '.', ',');
  if (text.back() == '%') text = text.substr(0, text.find(kSpace)) + kThinSpace + "%";
  return text;
}

}  // namespace fercli
