#pragma once

#include "core/container.hpp"
#include "train/optimizer.hpp"
#include "train/run_identity.hpp"
#include "train/run_state.hpp"
#include "train/weight_average.hpp"

namespace fercli {

/// All that a run goes on from, and the file that keeps it: training.state.
struct TrainingState {
  /// Of a run that begins. start.network, on `device` already, is the one that learns.
  TrainingState(const TrainOptions& options, const Checkpoint& start, RunIdentity identity, torch::Device device);

  RunIdentity identity;
  RunState run;
  std::shared_ptr<Network> network;
  Optimizer optimizer;
  std::optional<WeightAverage> average;  ///< none without `TrainOptions::ema`
  torch::Tensor memory;                  ///< what an attack keeps from batch to batch, see AttackRecipe

  /// What is validated and saved as a model: the average where there is one.
  const std::shared_ptr<Network>& evaluated() const { return average ? average->network() : network; }

  void save(const std::filesystem::path& path) const;

  /// From the bytes of such a file. Warns when that run had another number of threads. Throws UserError when it is of
  /// another run, or damaged, which may leave the state half taken.
  void load(const std::string& bytes, const std::filesystem::path& path);

 private:
  void take(const Container& file, const std::filesystem::path& path);
};

}  // namespace fercli
