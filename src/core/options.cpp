#include "core/options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <stdexcept>

#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/files.hpp"
#include "core/plug_in.hpp"
#include "core/text.hpp"

namespace fercli {

namespace po = boost::program_options;

namespace {

constexpr size_t kHelpColumn = 30, kHelpWidth = 110;

/// Characters of UTF-8 text; continuation bytes are none.
size_t shown_width(const std::string& text) {
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(), [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }));
}

/// Help text folded at kHelpWidth, continued at kHelpColumn.
std::string folded(const std::string& text) {
  std::string out, line;
  for (const auto& word : split(text, ' ')) {
    if (!line.empty() && kHelpColumn + shown_width(line) + 1 + shown_width(word) > kHelpWidth) {
      out += line + "\n" + std::string(kHelpColumn, ' ');
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
  }
  return out + line;
}

}  // namespace

OptionSet::OptionSet(std::string command, std::string positional_usage, std::string summary)
    : command_(std::move(command)), positional_usage_(std::move(positional_usage)), summary_(std::move(summary)) {
  text("config", &config_, "FILE", "INI file with lines `option = value`; the command line wins over it");
  Option& plug_in = add(kPlugInOption, "FILE.so", "", "a plug-in: code that brings attacks, losses, commands and more");
  plug_in.many = true;
  only_by_hand();
  plug_in.assign = [](const auto&) {};  // it was loaded before the command was asked: see core/plug_in.hpp
}

void OptionSet::section(const std::string& title) {
  section_ = title;
}

OptionSet::Option& OptionSet::add(const std::string& name, const std::string& metavar, const std::string& default_text,
                                  const std::string& help) {
  Option option;
  const size_t comma = name.find(',');
  option.name = name.substr(0, comma);
  if (comma != std::string::npos) option.short_name = name.at(comma + 1);
  for (const auto& other : options_) {
    if (other.name == option.name) {
      throw std::logic_error(fmt::format("fercli {}: two options are called --{}", command_, option.name));
    }
  }
  option.metavar = metavar;
  option.default_text = default_text;
  option.help = help;
  option.section = section_;
  options_.push_back(std::move(option));
  return options_.back();
}

void OptionSet::text(const std::string& name, std::string* value, const std::string& metavar, const std::string& help) {
  add(name, metavar, *value, help).assign = [value](const auto& words) { *value = words.back(); };
}

void OptionSet::texts(const std::string& name, std::vector<std::string>* values, const std::string& metavar,
                      const std::string& help) {
  Option& option = add(name, metavar, join(*values, " "), help);
  option.many = true;
  option.assign = [values](const auto& words) { *values = words; };
}

void OptionSet::choice(const std::string& name, std::string* value, const std::vector<std::string>& allowed,
                       const std::string& help) {
  Option& option = add(name, join(allowed, "|"), *value, help);
  option.choices = allowed;
  option.assign = [value, allowed](const auto& words) { *value = read_choice(words.back(), allowed); };
}

void OptionSet::number(const std::string& name, double* value, const std::string& shown, Range range,
                       const std::string& help) {
  add(name, "X", shown, help).assign = [name, value, range](const auto& words) {
    *value = read_number(words.back(), range, name);
  };
}

void OptionSet::integer(const std::string& name, int64_t* value, Range range, const std::string& help) {
  add(name, "N", std::to_string(*value), help).assign = [value, range](const auto& words) {
    *value = read_whole(words.back(), range);
  };
}

void OptionSet::seed(const std::string& name, uint64_t* value, const std::string& help) {
  add(name, "N", std::to_string(*value), help).assign = [value](const auto& words) {
    try {
      const int64_t parsed = parse_integer(words.back());
      if (parsed < 0) throw std::invalid_argument("negative");
      *value = static_cast<uint64_t>(parsed);
    } catch (const std::invalid_argument&) {
      throw std::invalid_argument("must be a whole number at least 0");
    }
  };
}

void OptionSet::flag(const std::string& name, bool* value, const std::string& help) {
  Option& option = add(name, "", "", help);
  option.is_flag = true;
  option.assign = [value](const auto& words) { *value = words.back() == "true"; };
}

void OptionSet::parameters(const std::string& name, const std::vector<Parameter>& parameters) {
  sections_.push_back({name, parameters});
}

Given OptionSet::section_of(const std::string& name) const {
  for (const auto& section : sections_) {
    if (section.name == name) return section.given;
  }
  return {};
}

void OptionSet::plug_in(const std::string& name, std::string* value, Given* given, const std::string& help,
                        const std::map<std::string, std::vector<Parameter>>& known) {
  std::vector<std::string> names;
  for (const auto& [entry, parameters] : known) {
    names.push_back(entry);
    this->parameters(entry, parameters);
  }
  Option& option = add(name, join(names, "|"), *value, help);
  option.choices = names;
  option.plug_in = value;
  option.parameters = given;
  option.assign = [value, given, known, names](const auto& words) {
    const Chosen chosen = parse_one_chosen(words.back());
    *value = read_choice(chosen.name, names);
    const Values checked(known.at(*value), chosen.given);
    *given = chosen.given;
  };
}

void OptionSet::parameter(const Parameter& parameter) {
  const bool flag = parameter.kind == Parameter::Kind::Flag;
  Option& option = add(parameter.name, flag ? "" : parameter.metavar(), flag ? "" : parameter.initial, parameter.help);
  option.choices = parameter.choices;
  option.is_flag = flag;
  option.stands_for_parameter = true;
  option.assign = [parameter](const auto& words) { read_value(parameter, words.back()); };
}

Given OptionSet::gather(const std::string& plug_in, const std::vector<Parameter>& parameters, const Given& named,
                        const std::string& prefix) const {
  Given all = section_of(plug_in);
  for (const auto& parameter : parameters) {
    const Option* option = find(prefix + parameter.name);
    if (option == nullptr || !option->stands_for_parameter || option->given.empty()) continue;
    const std::string& word = option->given.back();
    if (word == option->default_text && word != parameter.initial) continue;
    try {
      read_value(parameter, word);
    } catch (const std::invalid_argument& error) {
      const bool of_this_one = parameter.kind == Parameter::Kind::Choice;
      fail(option->name, error.what() + (of_this_one ? " for " + plug_in : ""));
    }
    if (option->source == "command line") all[parameter.name] = word;
    all.emplace(parameter.name, word);
  }
  for (const auto& [name, value] : named) all[name] = value;
  return all;
}

void OptionSet::runtime(Runtime* runtime) {
  section("Machine");
  integer("threads", &runtime->threads, at_least(0), "CPU threads; 0 takes all cores");
  choice("precision", &runtime->precision, {"auto", "fp32", "bf16"},
         "arithmetic of convolutions; auto takes bf16 where the hardware has it");
  text("device", &runtime->device, "cpu|cuda|cuda:N", "where the network runs");
  seed("seed", &runtime->seed, "seed of every random number");
}

void OptionSet::positional(std::vector<std::string>* values, size_t minimum, size_t maximum) {
  positional_ = values;
  positional_minimum_ = minimum;
  positional_maximum_ = maximum;
}

const OptionSet::Option* OptionSet::find(const std::string& name) const {
  for (const auto& option : options_) {
    if (option.name == name) return &option;
  }
  return nullptr;
}

std::vector<std::string> OptionSet::option_names() const {
  std::vector<std::string> names{"--help"};
  for (const auto& option : options_) names.push_back("--" + option.name);
  return names;
}

void OptionSet::fail(const std::string& name, const std::string& message) const {
  throw UserError(fmt::format("fercli {}: --{} {}: {}", command_, name, as_given(name), message));
}

void OptionSet::store_all(const std::vector<std::string>& arguments) {
  po::options_description cli, file;
  bool help_flag = false;
  cli.add_options()("help,h", po::bool_switch(&help_flag));
  for (const auto& option : options_) {
    const std::string name = option.short_name ? option.name + "," + option.short_name : option.name;
    auto* words = po::value<std::vector<std::string>>();
    if (option.many && option.name != kPlugInOption) words->multitoken();  // the command may follow it
    // Flags take no word on the command line, and true/false in a file.
    if (option.is_flag)
      cli.add_options()(name.c_str(), "");
    else
      cli.add_options()(name.c_str(), words, "");
    file.add_options()(option.name.c_str(), po::value<std::vector<std::string>>(), "");
  }
  for (const auto& section : sections_) {
    for (const auto& parameter : section.parameters) {
      for (const auto& name : std::set<std::string>{parameter.name, parameter.json_name()})
        file.add_options()((section.name + "." + name).c_str(), po::value<std::vector<std::string>>(), "");
    }
  }
  po::positional_options_description positions;
  if (positional_ != nullptr) {
    cli.add_options()("(words)", po::value<std::vector<std::string>>(positional_));
    positions.add("(words)", -1);
  }
  const auto take = [this](const po::parsed_options& parsed, const std::string& source) {
    for (const auto& entry : parsed.options) {
      if (source != "command line" && take_parameter(entry.string_key, join(entry.value, " "), source)) continue;
      for (auto& option : options_) {
        if (option.name != entry.string_key || (option.source != source && option.source != "default")) continue;
        if (option.given.size() && !option.many && source == "command line" && !option.is_flag) {
          throw UserError(fmt::format("fercli {}: --{}: given twice", command_, option.name));
        }
        if (option.is_flag && entry.value.empty())
          option.given = {"true"};
        else
          option.given.insert(option.given.end(), entry.value.begin(), entry.value.end());
        option.source = source;
      }
    }
  };
  try {
    namespace style = po::command_line_style;
    auto parsed = po::command_line_parser(arguments)
                      .options(cli)
                      .positional(positions)
                      .style(style::unix_style & ~style::allow_guessing)
                      .run();
    po::variables_map ignored;
    po::store(parsed, ignored);
    take(parsed, "command line");
    if (positional_ != nullptr && ignored.count("(words)")) {
      *positional_ = ignored["(words)"].as<std::vector<std::string>>();
    }
  } catch (const po::unknown_option& error) {
    throw UserError(fmt::format("fercli {}: {}: unknown option{}", command_, error.get_option_name(),
                                did_you_mean(error.get_option_name(), option_names())));
  } catch (const po::too_many_positional_options_error&) {
    throw UserError(fmt::format("fercli {}: takes no words without a dash (see fercli {} --help)", command_, command_));
  } catch (const po::error_with_option_name& error) {
    throw UserError(fmt::format("fercli {}: {}: lacks its value, or is written wrongly (see fercli {} --help)",
                                command_, error.get_option_name(), command_));
  } catch (const po::error&) {
    throw UserError(
        fmt::format("fercli {}: the options are written wrongly (see fercli {} --help)", command_, command_));
  }
  const Option* config = find("config");
  if (config->given.empty()) return;
  const std::string path = config->given.back();
  std::istringstream stream;
  try {
    stream.str(read_file(path));
  } catch (const UserError& error) {
    throw UserError(fmt::format("fercli {}: --config {}", command_, error.what()));
  }
  try {
    take(po::parse_config_file(stream, file, false), path);
  } catch (const po::unknown_option& error) {
    std::string name = error.get_option_name();
    throw UserError(
        fmt::format("fercli {}: {}: unknown key '{}'{}", command_, path, name, did_you_mean(name, file_keys())));
  } catch (const po::error& error) {
    const auto* about = dynamic_cast<const po::error_with_option_name*>(&error);
    const std::string name = about == nullptr ? "" : about->get_option_name();
    throw UserError(fmt::format("fercli {}: {}: {}", command_, path,
                                name.empty() ? "has a line that is no key = value, [section] or # remark"
                                             : fmt::format("'{}': lacks its value, or is written wrongly", name)));
  }
}

std::vector<std::string> OptionSet::file_keys() const {
  std::vector<std::string> keys;
  for (const auto& option : options_) keys.push_back(option.name);
  for (const auto& section : sections_) {
    for (const auto& parameter : section.parameters) keys.push_back(section.name + "." + parameter.name);
  }
  return keys;
}

/// "pgd.steps" of a file, if there is such a parameter.
bool OptionSet::take_parameter(const std::string& key, const std::string& value, const std::string& path) {
  const auto dot = key.rfind('.');
  if (dot == std::string::npos) return false;
  for (auto& section : sections_) {
    if (section.name != key.substr(0, dot)) continue;
    const Parameter parameter = find_parameter(section.parameters, key.substr(dot + 1));
    try {
      read_value(parameter, value);
    } catch (const std::invalid_argument& error) {
      throw UserError(fmt::format("fercli {}: {}: [{}] {} = {}: {}", command_, path, section.name, parameter.name,
                                  value, error.what()));
    }
    section.given[parameter.name] = value;
    section.source = path;
    return true;
  }
  return false;
}

void OptionSet::assign(Option& option) const {
  if (option.given.empty()) return;
  try {
    if (option.is_flag) option.given = {read_flag(option.given.back()) ? "true" : "false"};
    // A list in a file is written on one line: `image = a.png b.png`.
    if (option.many && option.source != "command line") {
      std::vector<std::string> words;
      for (const auto& line : option.given) {
        for (const auto& word : split(line, ' ')) {
          if (!word.empty()) words.push_back(word);
        }
      }
      option.given = words;
    }
    // What a script makes of a variable that is not set is no wish for the default.
    const bool blank =
        option.given.empty() || std::find(option.given.begin(), option.given.end(), "") != option.given.end();
    if (blank) throw std::invalid_argument("must not be empty");
    option.assign(option.given);
  } catch (const std::invalid_argument& error) {
    const std::string where = option.source == "command line" ? "" : option.source + ": ";
    throw UserError(
        fmt::format("fercli {}: {}--{} {}: {}", command_, where, option.name, join(option.given, " "), error.what()));
  }
}

bool OptionSet::parse(const std::vector<std::string>& arguments) {
  const std::string last = arguments.empty() ? "" : arguments.back();
  if (last == kDeclareOnly) throw declaration();
  if (last == kDeclareGiven) {
    store_all({arguments.begin(), arguments.end() - 1});
    throw declaration();
  }
  const bool check_only = last == kCheckOnly;
  for (const auto& argument : arguments) {
    if (argument == "--") break;
    if (argument == "--help" || argument == "-h") {
      if (check_only) throw Checked{};
      print_text("{}", help());
      return false;
    }
  }
  read({arguments.begin(), arguments.end() - (check_only ? 1 : 0)});
  if (check_only) throw Checked{};
  return true;
}

void OptionSet::read(const std::vector<std::string>& arguments) {
  store_all(arguments);
  for (auto& option : options_) {
    assign(option);
    if (option.plug_in == nullptr) continue;
    for (const auto& parameter : section_of(*option.plug_in)) option.parameters->insert(parameter);
  }
  if (positional_ == nullptr) return;
  if (std::find(positional_->begin(), positional_->end(), "") != positional_->end()) {
    throw UserError(fmt::format("fercli {}: one word is empty; usage: fercli {} {} [options]", command_, command_,
                                positional_usage_));
  }
  if (positional_->size() >= positional_minimum_ && positional_->size() <= positional_maximum_) return;
  throw UserError(fmt::format(
      "fercli {}: {} words given where {} are expected; usage: fercli {} {} [options]", command_, positional_->size(),
      positional_minimum_ == positional_maximum_ ? std::to_string(positional_minimum_)
                                                 : fmt::format("{} or more", positional_minimum_),
      command_, positional_usage_));
}

bool OptionSet::given(const std::string& name) const {
  return !find(name)->given.empty();
}

bool OptionSet::given_on_command_line(const std::string& name) const {
  return given(name) && find(name)->source == "command line";
}

std::string OptionSet::as_given(const std::string& name) const {
  const Option* option = find(name);
  return option->given.empty() ? option->default_text : join(option->given, " ");
}

nlohmann::json OptionSet::provenance() const {
  auto record = nlohmann::json::object();
  for (const auto& option : options_) {
    if (option.name == kPlugInOption && option.given.empty()) continue;
    record[option.name] = {{"value", option.is_flag && option.given.empty() ? "false" : as_given(option.name)},
                           {"source", option.source}};
  }
  for (const auto& section : sections_) {
    if (section.source == "default") continue;
    for (const auto& [name, value] : section.given)
      record[section.name + "." + name] = {{"value", value}, {"source", section.source}};
  }
  return record;
}

Declaration OptionSet::declaration() const {
  return {command_, positional_usage_, summary_, {options_.begin(), options_.end()}};
}

std::vector<std::string> Declaration::sections() const {
  std::vector<std::string> titles;
  for (const auto& option : options) {
    if (std::find(titles.begin(), titles.end(), option.section) == titles.end()) titles.push_back(option.section);
  }
  std::stable_partition(titles.begin(), titles.end(), [](const auto& title) { return !title.empty(); });
  return titles;
}

std::string OptionSet::help() const {
  const std::string space = positional_usage_.empty() ? "" : " ";
  std::string text =
      fmt::format("Usage: fercli {}{}{} [options]\n\n{}\n", command_, space, positional_usage_, summary_);
  for (const auto& title : declaration().sections()) {
    text += fmt::format("\n{}:\n", title.empty() ? "General" : title);
    for (const auto& option : options_) {
      if (option.section != title) continue;
      std::string left =
          option.short_name ? fmt::format("  -{}, --{}", option.short_name, option.name) : "  --" + option.name;
      if (!option.metavar.empty()) left += " " + option.metavar;
      if (option.many) left += "…";
      std::string help = option.help;
      if (!option.default_text.empty()) help += fmt::format(" (default {})", option.default_text);
      const size_t shown = shown_width(left);
      text += shown + 2 > kHelpColumn ? left + "\n" + std::string(kHelpColumn, ' ')
                                      : left + std::string(kHelpColumn - shown, ' ');
      text += folded(help) + "\n";
    }
    if (title.empty()) text += "  -h, --help" + std::string(kHelpColumn - 12, ' ') + "show this text\n";
  }
  return text;
}

}  // namespace fercli
