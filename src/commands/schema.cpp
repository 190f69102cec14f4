// fercli schema: what the JSON documents of this program hold, for programs that read them.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/command.hpp"
#include "core/escape.hpp"
#include "core/json_text.hpp"
#include "core/options.hpp"
#include "record/document_kind.hpp"

namespace fercli::schema_command {

namespace {

int run(const std::vector<std::string>& arguments) {
  std::vector<std::string> names;
  OptionSet options("schema", "[NAME]",
                    "Print the JSON Schema (draft 2020-12) of a document that fercli writes, or list the documents.");
  options.positional(&names, 0, 1);
  if (!options.parse(arguments)) return 0;
  const auto& documents = Registry<DocumentKind>::instance();
  if (!names.empty()) {
    print_text("{}\n", pretty_json(schema_document(documents.get(names.front()))));
    return 0;
  }
  for (const auto& document : documents.all()) print_text("{:<18}  {}\n", document.name, document.summary);
  return 0;
}

const Register<Command> registered{{"schema", "the JSON Schemas of what the program writes", run}};

}  // namespace

}  // namespace fercli::schema_command
