#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/team.hpp"

namespace fercli {

/// The processes that mpirun or srun started with this one and that do the same steps side by side, each its part of
/// them. Objects of this class itself are a process without others.
class Ranks {
 public:
  virtual ~Ranks() = default;

  virtual int64_t number() const { return 0; }
  virtual int64_t count() const { return 1; }
  bool leads() const { return number() == 0; }  ///< rank 0 writes and prints

  /// All call it with a part for each; returns what each had for this one, in the order of their numbers.
  std::vector<std::string> exchange(std::vector<std::string> parts);

  /// All do their work; returns what each has made of it, in the order of their numbers. What goes wrong in one is
  /// thrown in all of them: a UserError or RunError that names the rank (not rank 0), or Interrupted.
  std::vector<std::string> together(const std::function<std::string()>& work);

  /// Throws UserError when a rank has another value for one of these names than rank 0.
  void require_same(const std::string& values_as_json);

  /// All have come to the end, or to a fault that all know. Without it the launcher ends those that wait for this one.
  virtual void finish() {}

  /// Seconds that went by until the slowest had done its work, and while what they made was moved; bytes sent.
  struct Cost {
    double waiting = 0, moving = 0;
    int64_t bytes = 0;
  };
  const Cost& cost() const { return cost_; }

 private:
  virtual std::vector<std::string> swap(std::vector<std::string> parts) { return parts; }

  Cost cost_;
};

/// This process and those that were started with it by MPI. Throws UserError when MPI is needed and this program has
/// none.
std::unique_ptr<Ranks> join_ranks(const TeamPlace& place);

}  // namespace fercli
