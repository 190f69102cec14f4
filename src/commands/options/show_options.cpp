#include "commands/options/show_options.hpp"

#include "core/escape.hpp"
#include "core/options.hpp"
#include "core/progress.hpp"

namespace fercli {

void ShowOptions::declare(OptionSet& options, const std::string& json_help) {
  declare_tables(options, json_help);
  declare_quiet(options);
}

void ShowOptions::declare_tables(OptionSet& options, const std::string& json_help) {
  options.flag("json", &json, json_help);
  options.choice("format", &format, table_formats(),
                 "how tables are printed; csv has a line for each cell, with interval and n, latex needs booktabs");
}

void ShowOptions::declare_quiet(OptionSet& options) {
  options.flag("quiet,q", &quiet, "no progress, and of the text the line with the result alone");
}

void ShowOptions::begin(const OptionSet& options) const {
  if (json && format != "text") options.fail("format", "does not go with --json");
  silence_progress(quiet);
}

void ShowOptions::print(const std::vector<PrintedTable>& tables) const {
  write_stdout(format_tables(tables, format));
}

}  // namespace fercli
