#include "core/plug_in.hpp"

#include <cxxabi.h>
#include <dlfcn.h>
#include <elf.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>

#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/files.hpp"
#include "core/plug_in_mark.hpp"
#include "core/progress.hpp"
#include "core/reason.hpp"
#include "core/registry.hpp"
#include "core/text.hpp"

namespace fercli {

namespace fs = std::filesystem;

namespace {

constexpr int kUnusable = 2;  ///< the exit code of a UserError

const std::string kDashed = std::string("--") + kPlugInOption;

/// Does `word` give the option `name` ("--plugin")? Its value is in the same word, or the next.
bool gives(const std::string& word, const std::string& name) {
  return word == name || word.rfind(name + "=", 0) == 0;
}

/// The values of the option `name` among the words.
std::vector<std::string> values_given(const std::vector<std::string>& words, const std::string& name) {
  std::vector<std::string> values;
  for (size_t i = 0; i < words.size() && words[i] != "--"; ++i) {
    if (!gives(words[i], name)) continue;
    if (words[i] != name)
      values.push_back(words[i].substr(name.size() + 1));
    else if (i + 1 < words.size())
      values.push_back(words[++i]);
  }
  return values;
}

/// The plug-ins of an INI file. What is wrong with the file itself, the command says when it reads it.
std::vector<std::string> plug_ins_of_file(const std::string& path) {
  namespace po = boost::program_options;
  std::vector<std::string> values;
  try {
    std::istringstream stream(read_file(path));
    po::options_description known;
    known.add_options()(kPlugInOption, po::value<std::vector<std::string>>(), "");
    for (const auto& entry : po::parse_config_file(stream, known, true).options) {
      if (entry.string_key == kPlugInOption) values.push_back(join(entry.value, " "));
    }
  } catch (const UserError&) {
  } catch (const po::error&) {
  }
  return values;
}

/// "version" → "0.1.0" and so on. Empty where there is no mark.
std::map<std::string, std::string> facts_of(const std::string& bytes) {
  std::map<std::string, std::string> facts;
  const std::string start = FERCLI_PLUG_IN_MARK_START;
  const size_t place = bytes.find(start);
  if (place == std::string::npos) return facts;
  const size_t begin = place + start.size();
  for (const auto& line : split_lines(bytes.substr(begin, bytes.find('\0', begin) - begin))) {
    const size_t space = line.rfind("C++ library ", 0) == 0 ? std::strlen("C++ library") : line.find(' ');
    if (space != std::string::npos) facts[line.substr(0, space)] = line.substr(space + 1);
  }
  return facts;
}

/// The loader maps a file as its headers say, and what is missing at its end would be met much later.
void require_whole_library(const std::string& bytes) {
  Elf64_Ehdr header{}, own{};
  std::ifstream("/proc/self/exe", std::ios::binary).read(reinterpret_cast<char*>(&own), sizeof own);
  if (bytes.size() < sizeof header || bytes.compare(0, SELFMAG, ELFMAG) != 0)
    throw UserError("is not a plug-in: it is no shared object");
  std::memcpy(&header, bytes.data(), sizeof header);
  if (std::memcmp(header.e_ident, own.e_ident, EI_OSABI) != 0 || header.e_machine != own.e_machine)
    throw UserError("is for another kind of processor");
  if (header.e_type != ET_DYN) throw UserError("is not a plug-in: it is no shared object");
  const auto ends_inside = [&](uint64_t offset, uint64_t size) {
    return offset <= bytes.size() && size <= bytes.size() - offset;
  };
  bool whole = ends_inside(header.e_shoff, uint64_t{header.e_shnum} * header.e_shentsize) &&
               ends_inside(header.e_phoff, uint64_t{header.e_phnum} * sizeof(Elf64_Phdr));
  for (uint16_t i = 0; whole && i < header.e_phnum; ++i) {
    Elf64_Phdr segment{};
    std::memcpy(&segment, bytes.data() + header.e_phoff + i * sizeof segment, sizeof segment);
    if (segment.p_type == PT_INTERP) throw UserError("is a program, not a plug-in");
    whole = ends_inside(segment.p_offset, segment.p_filesz);
  }
  if (!whole) throw UserError("is cut short");
}

void require_built_for_this_program(const std::string& bytes) {
  require_whole_library(bytes);
  auto built_with = facts_of(bytes);
  if (built_with.empty())
    throw UserError("is not a plug-in of fercli (fercli_add_plugin of its CMake package makes one)");
  auto own = facts_of(std::string(fercli_plug_in_mark, std::strlen(fercli_plug_in_mark) + 1));
  if (built_with["version"] != own["version"])
    throw UserError(fmt::format("is built for fercli {}, and this is {}", built_with["version"], own["version"]));
  for (const std::string library : {"LibTorch", "C++ library"}) {
    if (built_with[library] != own[library])
      throw UserError(
          fmt::format("is built with {} {}, and fercli with {}", library, built_with[library], own[library]));
  }
  if (built_with["headers"] != own["headers"])
    throw UserError(fmt::format("is built with other headers ({}) than this fercli ({}); build it again",
                                built_with["headers"], own["headers"]));
}

/// Why the loader refuses a library, in words of this program.
std::string reason_of_loader(const std::string& message) {
  const auto between = [&](const std::string& before, const std::string& after) {
    const size_t place = message.find(before);
    const size_t begin = place == std::string::npos ? place : place + before.size();
    return begin == std::string::npos ? "" : message.substr(begin, message.find_first_of(after, begin) - begin);
  };
  if (shows_library_messages()) return message;
  if (const std::string symbol = between("undefined symbol: ", " ,\n"); !symbol.empty()) {
    const std::unique_ptr<char, decltype(&std::free)> name(
        abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, nullptr), &std::free);
    return fmt::format("uses {}, which neither fercli nor the libraries of the plug-in have",
                       name ? name.get() : symbol);
  }
  if (message.find("cannot open shared object file") != std::string::npos)
    return fmt::format("needs {}, which is not found on this machine", message.substr(0, message.find(':')));
  if (const std::string version = between("version `", "'"); !version.empty())
    return fmt::format("needs a newer library than this machine has ({})", version);
  return "cannot be loaded (is its folder mounted without permission to run programs?)";
}

/// For `end_while_loading`, which takes no argument.
std::string& word_being_loaded() {
  static std::string word;
  return word;
}

/// A name that is taken is what `Registry::add` speaks of; any other text is not of this program.
std::string reason_of_registering(const std::exception& error) {
  const std::string text = error.what();
  return text.rfind("two entries are called ", 0) == 0 ? text : reason_of(error);
}

/// What the files of a plug-in throw while they register themselves cannot be caught behind the loader.
[[noreturn]] void end_while_loading() {
  std::string reason = "it throws something unknown";
  try {
    if (const auto thrown = std::current_exception()) std::rethrow_exception(thrown);
  } catch (const std::exception& error) {
    reason = reason_of_registering(error);
  } catch (...) {
  }
  write_message(fmt::format("fercli: {} {}: cannot register itself: {}", kDashed, word_being_loaded(), reason));
  ::_exit(kUnusable);
}

void load(const std::string& word) {
  const std::string bytes = read_file(word);
  const PlugIn plug_in{fs::path(word).filename().string(), sha256_hex(bytes)};
  if (const PlugIn* other = Registry<PlugIn>::instance().find(plug_in.name)) {
    if (other->digest == plug_in.digest) return;
    throw UserError(word + ": another plug-in of this name is loaded already");
  }
  try {
    require_built_for_this_program(bytes);
  } catch (const UserError& error) {
    throw UserError(fmt::format("{}: {}", word, error.what()));
  }
  word_being_loaded() = word;
  const auto before = std::set_terminate(end_while_loading);
  const void* library = ::dlopen(fs::absolute(word).c_str(), RTLD_NOW | RTLD_LOCAL);  // it stays loaded
  std::set_terminate(before);
  if (library == nullptr) throw UserError(fmt::format("{}: {}", word, reason_of_loader(::dlerror())));
  Registry<PlugIn>::instance().add(plug_in);
}

}  // namespace

std::vector<std::string> command_first(const std::vector<std::string>& words) {
  size_t place = 0;
  while (place < words.size() && gives(words[place], kDashed)) {
    const bool apart = words[place] == kDashed;
    if (apart && place + 1 == words.size())
      throw UserError(fmt::format("{}: lacks its value, the file of a plug-in", kDashed));
    place += apart ? 2 : 1;
  }
  std::vector<std::string> moved(words.begin() + static_cast<std::ptrdiff_t>(place), words.end());
  if (!moved.empty())
    moved.insert(std::find(moved.begin(), moved.end(), "--"), words.begin(),
                 words.begin() + static_cast<std::ptrdiff_t>(place));
  return moved;
}

void load_plug_ins(const std::vector<std::string>& words) {
  auto files = values_given(words, kDashed);
  for (const auto& config : values_given(words, "--config")) {
    for (const auto& file : plug_ins_of_file(config)) files.push_back(file);
  }
  for (const auto& file : files) {
    try {
      load(file);
    } catch (const UserError& error) {
      throw UserError(fmt::format("{} {}", kDashed, error.what()));
    }
  }
}

}  // namespace fercli
