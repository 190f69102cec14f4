#include "core/reason.hpp"

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <new>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <typeinfo>

#include "core/error.hpp"
#include "core/text.hpp"

namespace fercli {

namespace {

bool is_own(const std::exception& error) {
  const auto& type = typeid(error);
  return dynamic_cast<const UserError*>(&error) != nullptr || dynamic_cast<const RunError*>(&error) != nullptr ||
         dynamic_cast<const Interrupted*>(&error) != nullptr || type == typeid(std::runtime_error) ||
         type == typeid(std::invalid_argument);
}

/// What LibTorch says of a failed allocation, without its source lines; "" for anything else.
std::string lack_of_memory(const std::string& message) {
  bool no_memory = false;
  for (const char* mark : {"can't allocate memory", "not enough memory", "out of memory"}) {
    no_memory = no_memory || message.find(mark) != std::string::npos;
  }
  if (!no_memory) return "";
  for (const std::string asking : {"you tried to allocate ", "Tried to allocate "}) {
    const size_t place = message.find(asking);
    if (place == std::string::npos) continue;
    const size_t begin = place + asking.size(), end = message.find_first_of(".(", message.find(' ', begin));
    return fmt::format("out of memory ({} were asked for)", trim(message.substr(begin, end - begin)));
  }
  return "out of memory";
}

}  // namespace

bool shows_library_messages() {
  return std::getenv("FERCLI_DEBUG") != nullptr;
}

std::string reason_of(const std::exception& error) {
  if (is_own(error) || shows_library_messages()) return error.what();
  if (dynamic_cast<const nlohmann::json::parse_error*>(&error) != nullptr) return "it is no JSON";
  if (dynamic_cast<const nlohmann::json::exception*>(&error) != nullptr) {
    return "an entry is missing, or its value is of the wrong type";
  }
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) return "out of memory";
  if (const auto* torch = dynamic_cast<const c10::Error*>(&error)) {
    const std::string memory = lack_of_memory(torch->what_without_backtrace());
    return memory.empty() ? "LibTorch refuses these numbers or shapes" : memory;
  }
  if (const auto* file = dynamic_cast<const std::filesystem::filesystem_error*>(&error)) {
    return fmt::format("{}: {}", file->path1().string(), file->code().message());
  }
  if (dynamic_cast<const std::logic_error*>(&error) != nullptr) return "a part is missing, or a number is out of range";
  return "a library refuses it";
}

}  // namespace fercli
