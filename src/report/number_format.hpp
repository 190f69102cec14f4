#pragma once

#include <string>

namespace fercli {

/// How a number of the JSON is written. The name of each is the `data-format` of its place in report.html.
enum class NumberFormat {
  Percent,   ///< "percent": 0.7234 -> "72.3 %"
  Points,    ///< "points": 0.7234 -> "72.3"
  Count,     ///< "count": 28709 -> "28 709"
  Fixed,     ///< "fixed": 0.12345 -> "0.123"
  Short,     ///< "short": 0.25 -> "0.25", four digits at most
  Grey,      ///< "grey": 0.0157 -> "4/255", grey levels of 8-bit images
  Levels,    ///< "levels": 0.0157 -> "4", the same without the unit
  Seconds,   ///< "seconds": 12.34 -> "12.3 s"
  Decibels,  ///< "decibels": 38.21 -> "38.2 dB"
};

std::string to_string(NumberFormat format);

/// NaN is "–". Unbreakable spaces; `language` "fr" has a decimal comma, and a narrow space before %.
std::string format_number(double value, NumberFormat format, const std::string& language);

}  // namespace fercli
