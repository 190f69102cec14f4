#pragma once

#include <memory>

#include "core/team.hpp"

namespace fercli {

/// The side of a process that `start_processes` started; none where its channel is not there.
std::unique_ptr<Team> join_starter(int64_t number);

/// What it was started with: its number, and how many work beside it. Number 0: it was not started so.
struct StartedAs {
  int64_t number = 0, of = 0;
};
StartedAs started_as();

}  // namespace fercli
