#include "train/training_state.hpp"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include "core/error.hpp"
#include "core/notice.hpp"
#include "models/networks/network.hpp"
#include "record/document_kind.hpp"

namespace fercli {

namespace {

constexpr const char* kTrainingStateKind = "training-state";

/// Parameters and buffers under their names in the file.
std::map<std::string, torch::Tensor> named_tensors(const Network& network, const std::string& prefix) {
  std::map<std::string, torch::Tensor> named;
  for (const auto& entry : network.named_parameters()) named[prefix + entry.key()] = entry.value();
  for (const auto& entry : network.named_buffers()) named[prefix + entry.key()] = entry.value();
  return named;
}

void take_tensors(const Network& network, const std::string& prefix,
                  const std::map<std::string, torch::Tensor>& tensors) {
  const torch::NoGradGuard no_grad;
  for (auto& [name, tensor] : named_tensors(network, prefix)) tensor.copy_(tensors.at(name));
}

/// The JSON part of the file.
struct StateHeader {
  RunIdentity identity;
  RunState run;
  int64_t threads = at::get_num_threads();
};

template <class Visitor>
void visit_fields(Visitor& field, StateHeader& header) {
  visit_fields(field, header.identity);
  visit_fields(field, header.run);
  field("threads", header.threads, "of the processor, which the last bits of the weights depend on");
}

const Register<DocumentKind> state_document{
    {"training-state", "the JSON in training.state, from which train goes on", schema_of_record<StateHeader>}};

}  // namespace

TrainingState::TrainingState(const TrainOptions& options, const Checkpoint& start, RunIdentity run_identity,
                             torch::Device device)
    : identity(std::move(run_identity)), network(start.network), optimizer(options, *network) {
  if (options.ema > 0) average.emplace(start, options.ema, device);
}

void TrainingState::save(const std::filesystem::path& path) const {
  Container file{kTrainingStateKind, write_record(StateHeader{identity, run}), named_tensors(*network, "network/")};
  if (average) file.tensors.merge(named_tensors(*average->network(), "average/"));
  file.tensors["optimizer"] = optimizer.state();
  if (memory.defined()) file.tensors["memory"] = memory;
  save_container(file, path);
}

void TrainingState::load(const std::string& bytes, const std::filesystem::path& path) {
  const Container file = read_container(bytes, path.string(), kTrainingStateKind);
  try {
    take(file, path);
  } catch (const UserError&) {
    throw;
  } catch (const std::exception&) {
    throw UserError(fmt::format("{}: is damaged, or of another version of fercli", path.string()));
  }
}

void TrainingState::take(const Container& file, const std::filesystem::path& path) {
  StateHeader then{identity, {}};
  then.run.attack_steps = run.attack_steps;
  then.run.noise_by_row = false;  // earlier versions did not say it
  read_record(file.header, then);
  identity.require_same(then.identity, path);
  then.run.require_possible();
  identity = then.identity;
  run = then.run;
  take_tensors(*network, "network/", file.tensors);
  if (average) take_tensors(*average->network(), "average/", file.tensors);
  optimizer.restore(file.tensors.at("optimizer"), path.string() + ": the optimizer's state");
  const auto kept = file.tensors.find("memory");
  memory = kept != file.tensors.end() ? kept->second.to(network->parameters().front().device()) : torch::Tensor();
  if (then.threads != at::get_num_threads()) {
    warn(
        fmt::format("this run was started with {} threads and goes on with {}: the last bits of the weights may differ",
                    then.threads, at::get_num_threads()));
  }
}

}  // namespace fercli
