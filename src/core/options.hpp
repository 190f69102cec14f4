#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/parameters.hpp"
#include "core/registry.hpp"
#include "core/runtime.hpp"

namespace fercli {

/// An option as it is declared: what help texts, man pages and completions are written from.
struct DeclaredOption {
  std::string name;                  ///< without dashes
  char short_name = 0;               ///< 0: none
  std::string metavar;               ///< what the value is called; "" for a flag
  std::string help, default_text;    ///< "" without default
  std::string section;               ///< its group; "" for the general options
  std::vector<std::string> choices;  ///< the allowed values, where these can be listed
  bool is_flag = false, many = false;
  bool by_hand = false;  ///< gives rights or names a place to write: no stored run may give it
  std::vector<std::string> given = {};
};

/// A command as it is declared.
struct Declaration {
  std::string command;  ///< "attack", "data stats"
  std::string usage;    ///< the words without a dash: "GOAL", "[RESULT.json …]"
  std::string summary;  ///< what it does, one or more lines
  std::vector<DeclaredOption> options;

  std::vector<std::string> sections() const;  ///< in the order of the help text; the general options ("") come last
};

/// A last argument that makes `OptionSet::parse` throw the declaration, the declaration with what the others give, or
/// `Checked` when the others are accepted, so that the command does not run. See `declaration_of`, `given_by` and
/// `check_usage` in core/command.hpp.
constexpr const char* kDeclareOnly = "\x01only-declare";
constexpr const char* kDeclareGiven = "\x01only-declare-given";
constexpr const char* kCheckOnly = "\x01only-check";
struct Checked {};

/// The options of one command. One declaration gives the command-line flag, the INI key (`--config FILE`), the line in
/// `--help` with the default, the range check and the provenance record. The command line wins over the INI file, the
/// file over the default. Values are written into the bound variables by `parse`.
///
///     double eps = 8 / 255.0;
///     OptionSet options("attack", "GOAL", "Turn one emotion into another.");
///     options.number("eps", &eps, "8/255", {0, 1, true}, "size of the perturbation, pixels in [0,1]");
///     if (!options.parse(arguments)) return 0;   // --help was printed
class OptionSet {
 public:
  OptionSet(std::string command, std::string positional_usage, std::string summary);

  /// Starts a titled group in `--help`.
  void section(const std::string& title);

  /// `name` is "model" or "model,m" with a one-letter short form. `shown` is the default as text; "" means none.
  void text(const std::string& name, std::string* value, const std::string& metavar, const std::string& help);
  void texts(const std::string& name, std::vector<std::string>* values, const std::string& metavar,
             const std::string& help);  ///< takes one or more words; may be repeated
  void choice(const std::string& name, std::string* value, const std::vector<std::string>& allowed,
              const std::string& help);
  void number(const std::string& name, double* value, const std::string& shown, Range range, const std::string& help);
  void integer(const std::string& name, int64_t* value, Range range, const std::string& help);
  void seed(const std::string& name, uint64_t* value, const std::string& help);
  void flag(const std::string& name, bool* value, const std::string& help);

  /// Of the option declared last: it gives rights or names a place to write. See `DeclaredOption::by_hand`.
  void only_by_hand() { options_.back().by_hand = true; }

  /// `[NAME]` of an INI file may hold these parameters; `section_of` has those that it does.
  void parameters(const std::string& name, const std::vector<Parameter>& parameters);
  Given section_of(const std::string& name) const;

  /// An option that names one entry of a registry and may give parameters: resnet:width=96. The name goes into `value`,
  /// the parameters into `given`, those of the entry's section of the INI file too where the option does not name them.
  template <class Entry>
  void plug_in(const std::string& name, std::string* value, Given* given, const std::string& help) {
    std::map<std::string, std::vector<Parameter>> known;
    for (const auto& entry : Registry<Entry>::instance().all()) known[entry.name] = parameters_of(entry);
    plug_in(name, value, given, help, known);
  }

  /// An option that stands for a parameter of plug-ins; its default stands for their own. See `gather`.
  void parameter(const Parameter& parameter);

  /// What is given for a plug-in: in its section of the file, by the options that stand for its parameters (their names
  /// after `prefix`), and after its name (`named`). The last wins, but an option of the file loses to the section.
  Given gather(const std::string& plug_in, const std::vector<Parameter>& parameters, const Given& named,
               const std::string& prefix = "") const;

  /// --threads, --precision, --device, --seed.
  void runtime(Runtime* runtime);

  /// Words without a dash go here, `minimum` to `maximum` of them.
  void positional(std::vector<std::string>* values, size_t minimum, size_t maximum);

  /// Reads the arguments after the command's name. Returns false when --help was asked for (and printed on stdout).
  /// Throws UserError: unknown option (with suggestion), missing or wrong value, value out of range; a Declaration
  /// after kDeclareOnly and kDeclareGiven, and Checked after kCheckOnly.
  bool parse(const std::vector<std::string>& arguments);

  bool given(const std::string& name) const;  ///< on the command line or in the file
  bool given_on_command_line(const std::string& name) const;
  std::string as_given(const std::string& name) const;  ///< its text ("8/255"), else the default's text
  nlohmann::json provenance() const;                    ///< {"eps": {"value": "8/255", "source": "command line"}, …}
  std::string help() const;
  Declaration declaration() const;

  /// A UserError "fercli COMMAND: --NAME VALUE: MESSAGE", for checks that need more than one option.
  [[noreturn]] void fail(const std::string& name, const std::string& message) const;

 private:
  struct Option : DeclaredOption {
    std::function<void(const std::vector<std::string>&)> assign;  ///< throws std::invalid_argument(reason)
    std::string source = "default";
    bool stands_for_parameter = false;
    const std::string* plug_in = nullptr;  ///< the entry of a registry that it names
    Given* parameters = nullptr;           ///< of that entry
  };

  /// A section of the INI file, for the parameters of a plug-in.
  struct PlugInSection {
    std::string name;
    std::vector<Parameter> parameters;
    Given given = {};
    std::string source = "default";
  };

  Option& add(const std::string& name, const std::string& metavar, const std::string& default_text,
              const std::string& help);
  const Option* find(const std::string& name) const;
  std::vector<std::string> option_names() const;
  void plug_in(const std::string& name, std::string* value, Given* given, const std::string& help,
               const std::map<std::string, std::vector<Parameter>>& known);
  void store_all(const std::vector<std::string>& arguments);
  void read(const std::vector<std::string>& arguments);
  void assign(Option& option) const;
  bool take_parameter(const std::string& key, const std::string& value, const std::string& path);
  std::vector<std::string> file_keys() const;

  std::string command_, positional_usage_, summary_, section_, config_;
  std::vector<Option> options_;
  std::vector<PlugInSection> sections_;
  std::vector<std::string>* positional_ = nullptr;
  size_t positional_minimum_ = 0, positional_maximum_ = 0;
};

}  // namespace fercli
