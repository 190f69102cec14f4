#include "train/optimizer.hpp"

#include <torch/nn/utils/clip_grad.h>
#include <torch/optim.h>
#include <torch/serialize.h>

#include <algorithm>
#include <sstream>

#include "models/formats/torch/script_archive.hpp"
#include "models/networks/network.hpp"

namespace fercli {

namespace {

constexpr double kMomentum = 0.9;

/// One of LibTorch's, with `settings` for the weights that decay.
template <class Kind, class Settings>
std::unique_ptr<torch::optim::Optimizer> make_grouped(const std::vector<torch::Tensor>& parameters,
                                                      const Settings& settings, double weight_decay) {
  std::vector<torch::Tensor> decayed, plain;
  for (const auto& parameter : parameters) (parameter.dim() > 1 ? decayed : plain).push_back(parameter);
  auto with_decay = std::make_unique<Settings>(settings), without = std::make_unique<Settings>(settings);
  with_decay->weight_decay(weight_decay);
  without->weight_decay(0);
  std::vector<torch::optim::OptimizerParamGroup> groups;
  groups.emplace_back(decayed, std::move(with_decay));
  groups.emplace_back(plain, std::move(without));
  return std::make_unique<Kind>(std::move(groups), settings);
}

std::unique_ptr<torch::optim::Optimizer> make_optimizer(const TrainOptions& options,
                                                        const std::vector<torch::Tensor>& parameters) {
  namespace optim = torch::optim;
  const double lr = options.schedule.lr, decay = options.weight_decay;
  if (options.optimizer == "adam") return make_grouped<optim::Adam>(parameters, optim::AdamOptions(lr), decay);
  if (options.optimizer == "adamw") return make_grouped<optim::AdamW>(parameters, optim::AdamWOptions(lr), decay);
  return make_grouped<optim::SGD>(parameters, optim::SGDOptions(lr).momentum(kMomentum).nesterov(true), decay);
}

}  // namespace

Optimizer::Optimizer(const TrainOptions& options, const Network& network)
    : parameters_(network.parameters()),
      optimizer_(make_optimizer(options, parameters_)),
      clip_norm_(options.clip_norm) {}

Optimizer::~Optimizer() = default;

void Optimizer::set_learning_rate(double rate) {
  for (auto& group : optimizer_->param_groups()) group.options().set_lr(rate);
}

void Optimizer::zero_grad() {
  optimizer_->zero_grad();
}

void Optimizer::step() {
  if (clip_norm_ > 0) torch::nn::utils::clip_grad_norm_(parameters_, clip_norm_);
  optimizer_->step();
}

torch::Tensor Optimizer::state() const {
  std::ostringstream stream;
  torch::serialize::OutputArchive archive;
  optimizer_->save(archive);
  archive.save_to(stream);
  const std::string bytes = stream.str();
  auto tensor = torch::empty({static_cast<int64_t>(bytes.size())}, torch::kUInt8);
  std::copy(bytes.begin(), bytes.end(), tensor.data_ptr<uint8_t>());
  return tensor;
}

void Optimizer::restore(const torch::Tensor& state, const std::string& name) {
  const std::string bytes(reinterpret_cast<const char*>(state.data_ptr<uint8_t>()), state.nbytes());
  std::istringstream stream(checked_script_archive(bytes, name, CodeRule::Declarations));
  torch::serialize::InputArchive archive;
  archive.load_from(stream);
  optimizer_->load(archive);
}

}  // namespace fercli
