#pragma once

#include <string>
#include <vector>

#include "report/printed_table.hpp"

namespace fercli {

class OptionSet;

/// How a command shows its results: --json, --format and --quiet.
struct ShowOptions {
  bool json = false, quiet = false;
  std::string format = "text";

  void declare(OptionSet& options, const std::string& json_help = "print the result as JSON, and nothing else");
  void declare_tables(OptionSet& options, const std::string& json_help);  ///< without --quiet
  void declare_quiet(OptionSet& options);

  /// After the options are parsed: silences progress, and refuses --json beside --format.
  void begin(const OptionSet& options) const;

  bool text() const { return !json && format == "text"; }
  bool line_alone() const { return text() && quiet; }  ///< of the text, only the line that says what came out

  /// On stdout, in this format.
  void print(const std::vector<PrintedTable>& tables) const;
};

}  // namespace fercli
