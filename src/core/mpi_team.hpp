#pragma once

#include <memory>

#include "core/ranks.hpp"
#include "core/team.hpp"

namespace fercli {

/// The processes that mpirun or srun started with this one; none where it is alone. Loads the module that knows MPI.
/// Throws UserError where this program has none, or MPI does not start.
std::unique_ptr<Team> join_mpi();

/// The same processes as ranks that do the same steps.
std::unique_ptr<Ranks> join_mpi_ranks();

}  // namespace fercli
