#include "core/team.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <thread>

#include "core/mpi_team.hpp"
#include "core/process_team.hpp"
#include "core/text.hpp"

namespace fercli {

namespace {

/// A whole number of the environment; `otherwise` where it is not set or not one.
int64_t number_in_environment(const char* name, int64_t otherwise) {
  const char* text = std::getenv(name);
  if (text == nullptr) return otherwise;
  try {
    return parse_integer(text);
  } catch (const std::invalid_argument&) {
    return otherwise;
  }
}

/// Cores that this process may use; fewer than the machine has where a launcher binds it to some.
int64_t own_cores() {
  return std::max<int64_t>(1, std::thread::hardware_concurrency());
}

/// Slurm's "2" or "2(x3)": the first number.
int64_t tasks_per_node() {
  const char* text = std::getenv("SLURM_STEP_TASKS_PER_NODE");
  return text == nullptr ? 1 : std::max<int64_t>(1, std::atoll(text));
}

bool is_bound() {
  return own_cores() < ::sysconf(_SC_NPROCESSORS_ONLN);
}

TeamPlace place_under_mpi() {
  TeamPlace place;
  // OpenMPI's mpirun, hydra and its like, and srun --mpi=pmix, which does not tell how many they are.
  const bool several = number_in_environment("OMPI_COMM_WORLD_SIZE", 1) > 1 || number_in_environment("PMI_SIZE", 1) > 1;
  const bool pmix = std::getenv("PMIX_RANK") != nullptr && std::getenv("OMPI_COMM_WORLD_SIZE") == nullptr;
  place.launched = several || pmix || std::getenv("OMPI_COMM_WORLD_SIZE") != nullptr;
  place.mpi = several || (pmix && number_in_environment("SLURM_NTASKS", 2) > 1);
  if (!place.mpi) return place;
  place.number = number_in_environment("OMPI_COMM_WORLD_RANK",
                                       number_in_environment("PMIX_RANK", number_in_environment("PMI_RANK", 0)));
  place.member = place.number > 0;
  if (!is_bound())
    place.on_machine = std::max<int64_t>(1, number_in_environment("OMPI_COMM_WORLD_LOCAL_SIZE", tasks_per_node()));
  return place;
}

}  // namespace

int64_t number_on_machine() {
  return number_in_environment("OMPI_COMM_WORLD_LOCAL_RANK",
                               number_in_environment("MPI_LOCALRANKID", number_in_environment("SLURM_LOCALID", 0)));
}

TeamPlace team_place() {
  const StartedAs started = started_as();
  if (started.number == 0) return place_under_mpi();
  TeamPlace place;
  place.member = true;
  place.number = started.number;
  place.on_machine = started.of;
  return place;
}

std::unique_ptr<Team> join_team(const TeamPlace& place) {
  if (place.mpi) return join_mpi();
  return place.member ? join_starter(place.number) : nullptr;
}

int64_t shared_threads(int64_t wanted, int64_t processes) {
  return std::max<int64_t>(1, (wanted > 0 ? wanted : own_cores()) / std::max<int64_t>(1, processes));
}

}  // namespace fercli
