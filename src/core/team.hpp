#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace fercli {

/// The processes that share the work of one command: one leads, number 0, and hands out work; the others are its
/// members. They run the same command line and exchange messages, which come in the order in which they were sent.
class Team {
 public:
  struct Message {
    int64_t from;
    std::optional<std::string> text;  ///< none: that process is gone
    std::string reason = {};          ///< why ("was killed by signal 9")
  };

  virtual ~Team() = default;

  virtual int64_t number() const = 0;                     ///< of this process
  virtual std::vector<int64_t> members() const = 0;       ///< for the leader: those that are not gone
  virtual std::string name_of(int64_t member) const = 0;  ///< for messages
  bool leads() const { return number() == 0; }

  /// Waits until the other side can take it. What goes to a process that is gone is lost.
  virtual void send(int64_t to, const std::string& text) = 0;

  /// The next message; none after so many seconds. A member hears of its leader's end as of a process that is gone.
  virtual std::optional<Message> receive(double seconds) = 0;

  /// Asks the members to stop, as Ctrl-C does.
  virtual void interrupt() {}

  /// How long members may take to bring what they have when they are interrupted.
  virtual double patience() const = 0;
};

/// What the environment says about this process.
struct TeamPlace {
  bool member = false;     ///< it works for another process of fercli
  bool mpi = false;        ///< it was started with others by mpirun or srun
  bool launched = false;   ///< it was started by mpirun or srun, perhaps alone
  int64_t number = 0;      ///< 0 leads
  int64_t on_machine = 1;  ///< processes that share this machine's cores
};

/// This process's number among those that the launcher started on this machine; 0 without one.
int64_t number_on_machine();

/// Started by `start_processes`, by mpirun (OpenMPI, or a launcher that speaks PMI), or alone.
TeamPlace team_place();

/// Starts members of this machine: this program, with the same words after its name. Throws RunError.
std::unique_ptr<Team> start_processes(int64_t members, const std::vector<std::string>& words);

/// The team that this process was started for, by `start_processes` or, with `mpi`, by mpirun. None where it was
/// started by itself. Throws UserError when MPI is needed and this program has none.
std::unique_ptr<Team> join_team(const TeamPlace& place);

/// Threads of each of so many processes on this machine, when `wanted` (0: all cores) are to be shared.
int64_t shared_threads(int64_t wanted, int64_t processes);

}  // namespace fercli
