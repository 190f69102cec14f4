#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/runtime.hpp"

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

  /// --threads, --precision, --device, --seed.
  void runtime(Runtime* runtime);

  /// Words without a dash go here, `minimum` to `maximum` of them.
  void positional(std::vector<std::string>* values, size_t minimum, size_t maximum);

  /// Reads the arguments after the command's name. Returns false when --help was asked for (and printed on stdout).
  /// Throws UserError: unknown option (with suggestion), missing or wrong value, value out of range.
  bool parse(const std::vector<std::string>& arguments);

  bool given(const std::string& name) const;  ///< on the command line or in the file
  bool given_on_command_line(const std::string& name) const;
  std::string as_given(const std::string& name) const;  ///< its text ("8/255"), else the default's text
  nlohmann::json provenance() const;                    ///< {"eps": {"value": "8/255", "source": "command line"}, …}
  std::string help() const;

  /// A UserError "fercli COMMAND: --NAME VALUE: MESSAGE", for checks that need more than one option.
  [[noreturn]] void fail(const std::string& name, const std::string& message) const;

 private:
  struct Option {
    std::string name;
    char short_name = 0;
    std::string metavar, help, default_text, section;
    bool is_flag = false, many = false;
    std::function<void(const std::vector<std::string>&)> assign;  ///< throws std::invalid_argument(reason)
    std::vector<std::string> given;
    std::string source = "default";
  };

  Option& add(const std::string& name, const std::string& metavar, const std::string& default_text,
              const std::string& help);
  const Option* find(const std::string& name) const;
  std::vector<std::string> option_names() const;
  void store_all(const std::vector<std::string>& arguments);
  void assign(Option& option) const;

  std::string command_, positional_usage_, summary_, section_, config_;
  std::vector<Option> options_;
  std::vector<std::string>* positional_ = nullptr;
  size_t positional_minimum_ = 0, positional_maximum_ = 0;
};

}  // namespace fercli
