// fercli version: which program this is, and what it runs on.
#include <nlohmann/json.hpp>

#include "core/build_info.hpp"
#include "core/command.hpp"
#include "core/environment.hpp"
#include "core/escape.hpp"
#include "core/options.hpp"
#include "record/document_kind.hpp"
#include "record/fields.hpp"

namespace fercli::version_command {

namespace {

int run(const std::vector<std::string>& arguments) {
  bool as_json = false;
  OptionSet options("version", "", "Show the version, the revision it was built from, LibTorch and the processor.");
  options.section("Output");
  options.flag("json", &as_json, "print JSON");
  if (!options.parse(arguments)) return 0;
  print_text("{}", as_json ? Shape<Environment>::write(this_environment()).dump(2) + "\n" : version_text());
  return 0;
}

const Register<DocumentKind> document{
    {"version", "--json of version: program, libraries, processor", schema_of_record<Environment>}};

const Register<Command> registered{{"version", "the version of the program, LibTorch and the processor", run}};

}  // namespace

}  // namespace fercli::version_command
