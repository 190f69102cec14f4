#pragma once

#include <stdexcept>
#include <string>

namespace fercli {

/// Wrong usage or unreadable input: one sentence that says what failed, the value, what is allowed and which option.
/// `main` prints it on stderr and exits with 2.
class UserError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The run itself failed (disk full, NaN loss, no face found): exit code 1.
class RunError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Ctrl-C or SIGTERM, after everything worth keeping was saved: exit code 130.
class Interrupted : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace fercli
