#pragma once

#include <string>
#include <vector>

namespace fercli {

/// Something people come for, and the command that does it.
struct Task {
  std::string what;
  std::string command;  ///< "fercli attack happy-to-sad"
};

/// The commonest tasks, in the order of `fercli help`.
const std::vector<Task>& common_tasks();

/// Tasks that only the command's own manual page shows, in its order.
const std::vector<Task>& further_tasks();

/// Those of both lists that begin with `fercli COMMAND`.
std::vector<Task> tasks_of(const std::string& command);

}  // namespace fercli
