#pragma once

#include <functional>
#include <string>

#include "core/error.hpp"

namespace fercli::test {

/// The message of the UserError that `action` throws; "" when it throws none.
inline std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

}  // namespace fercli::test
