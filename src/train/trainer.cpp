#include "train/trainer.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <torch/nn/utils/clip_grad.h>
#include <torch/optim.h>
#include <torch/serialize.h>

#include <chrono>

#include "core/container.hpp"
#include "core/error.hpp"
#include "core/files.hpp"
#include "core/interrupt.hpp"
#include "core/progress.hpp"
#include "data/batches.hpp"
#include "models/network.hpp"
#include "train/training_loss.hpp"

namespace fercli {

namespace {

constexpr const char* kStateKind = "training-state";
constexpr double kMomentum = 0.9;

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::unique_ptr<torch::optim::Optimizer> make_optimizer(const TrainOptions& options, const Network& network) {
  std::vector<torch::Tensor> decayed, plain;
  for (const auto& parameter : network.parameters()) (parameter.dim() > 1 ? decayed : plain).push_back(parameter);
  const auto groups = [&](auto with_decay) {
    auto without = with_decay;
    with_decay.weight_decay(options.weight_decay);
    without.weight_decay(0);
    std::vector<torch::optim::OptimizerParamGroup> list;
    list.emplace_back(decayed, std::make_unique<decltype(with_decay)>(with_decay));
    list.emplace_back(plain, std::make_unique<decltype(without)>(without));
    return list;
  };
  const double lr = options.schedule.lr;
  if (options.optimizer == "adam") {
    return std::make_unique<torch::optim::Adam>(groups(torch::optim::AdamOptions(lr)), torch::optim::AdamOptions(lr));
  }
  if (options.optimizer == "adamw") {
    return std::make_unique<torch::optim::AdamW>(groups(torch::optim::AdamWOptions(lr)),
                                                 torch::optim::AdamWOptions(lr));
  }
  const auto sgd = torch::optim::SGDOptions(lr).momentum(kMomentum).nesterov(true);
  return std::make_unique<torch::optim::SGD>(groups(sgd), sgd);
}

/// (K) float32 of mean about 1 over the images.
torch::Tensor class_weights(const std::string& kind, const Dataset& data) {
  const int64_t classes = data.classes.size();
  if (kind == "none") return torch::ones({classes});
  auto weights = static_cast<double>(data.size()) / (at::bincount(data.labels, {}, classes).to(torch::kFloat32) + 1) /
                 static_cast<double>(classes);
  if (kind == "sqrt") weights = weights.sqrt();
  return weights / weights.index_select(0, data.labels).mean();
}

/// Beta(alpha, alpha) for alpha <= 1 (Jöhnk 1964).
double draw_beta(double alpha, Rng& rng) {
  for (;;) {
    const double x = std::pow(rng.uniform(), 1 / alpha), y = std::pow(rng.uniform(), 1 / alpha);
    if (x + y > 0 && x + y <= 1) return x / (x + y);
  }
}

torch::Tensor to_bytes(const torch::optim::Optimizer& optimizer) {
  std::ostringstream stream;
  torch::serialize::OutputArchive archive;
  optimizer.save(archive);
  archive.save_to(stream);
  const std::string bytes = stream.str();
  auto tensor = torch::empty({static_cast<int64_t>(bytes.size())}, torch::kUInt8);
  std::copy(bytes.begin(), bytes.end(), tensor.data_ptr<uint8_t>());
  return tensor;
}

void from_bytes(torch::optim::Optimizer& optimizer, const torch::Tensor& tensor) {
  std::istringstream stream(std::string(reinterpret_cast<const char*>(tensor.data_ptr<uint8_t>()), tensor.numel()));
  torch::serialize::InputArchive archive;
  archive.load_from(stream);
  optimizer.load(archive);
}

void put(Container& file, const std::string& prefix, const Network& network) {
  for (const auto& entry : network.named_parameters()) file.tensors[prefix + entry.key()] = entry.value();
  for (const auto& entry : network.named_buffers()) file.tensors[prefix + entry.key()] = entry.value();
}

void get(const Container& file, const std::string& prefix, Network& network) {
  const torch::NoGradGuard no_grad;
  for (auto& entry : network.named_parameters()) entry.value().copy_(file.tensors.at(prefix + entry.key()));
  for (auto& entry : network.named_buffers()) entry.value().copy_(file.tensors.at(prefix + entry.key()));
}

std::vector<torch::Tensor> weights_and_statistics(const Network& network) {
  auto tensors = network.parameters();
  for (const auto& buffer : network.buffers()) tensors.push_back(buffer);
  return tensors;
}

}  // namespace

nlohmann::json TrainOptions::to_json() const {
  return {{"loss", loss},
          {"optimizer", optimizer},
          {"schedule", schedule.kind},
          {"lr", schedule.lr},
          {"epochs", schedule.epochs},
          {"warmup-epochs", schedule.warmup_epochs},
          {"batch-size", batch_size},
          {"weight-decay", weight_decay},
          {"clip-norm", clip_norm},
          {"label-smoothing", label_smoothing},
          {"mixup", mixup},
          {"class-weights", class_weights},
          {"ema", ema},
          {"patience", patience},
          {"plateau-patience", plateau_patience},
          {"rotate", augmentation.rotate},
          {"scale", augmentation.scale},
          {"translate", augmentation.translate},
          {"flip", augmentation.flip},
          {"brightness", augmentation.brightness},
          {"contrast", augmentation.contrast},
          {"erase", augmentation.erase},
          {"crop", augmentation.crop},
          {"full-epochs", full_epochs},
          {"seed", runtime.seed},
          {"precision", to_string(resolve_precision(runtime))},
          {"device", runtime.device}};
}

nlohmann::json to_json(const EpochRecord& record) {
  return {{"epoch", record.epoch},
          {"train_loss", record.train_loss},
          {"train_accuracy", record.train_accuracy},
          {"validation_loss", record.validation_loss},
          {"validation_accuracy", record.validation_accuracy},
          {"validation_balanced_accuracy", record.validation_balanced_accuracy},
          {"learning_rate", record.learning_rate},
          {"seconds", record.seconds},
          {"best", record.best}};
}

EpochRecord epoch_record_from_json(const nlohmann::json& json) {
  return {json.at("epoch"),
          json.at("train_loss"),
          json.at("train_accuracy"),
          json.at("validation_loss"),
          json.at("validation_accuracy"),
          json.at("validation_balanced_accuracy"),
          json.at("learning_rate"),
          json.at("seconds"),
          json.at("best")};
}

struct Trainer::State {
  TrainOptions options;
  Checkpoint start;
  const Dataset& training;
  const Dataset& validation;
  std::filesystem::path folder;
  Precision precision;
  torch::Device device;
  Rng rng;
  TrainingModel model;
  std::unique_ptr<torch::optim::Optimizer> optimizer;
  std::shared_ptr<Network> average;  ///< moving average of weights and statistics; nullptr without ema
  torch::Tensor weights;             ///< (K) of the classes
  const TrainingLoss& loss;

  // Where the run stands; all of it is in training.state.
  int64_t epoch = 0;       ///< finished epochs
  int64_t batch = 0;       ///< finished batches of the current one
  int64_t step = 0;        ///< finished batches of the run
  int64_t drops = 0;       ///< plateau halvings
  int64_t drop_epoch = 0;  ///< epoch of the last halving
  double loss_sum = 0;     ///< over the images of the current epoch
  int64_t correct = 0, seen = 0;
  double epoch_seconds = 0;  ///< spent in the current epoch before the last save
  std::vector<EpochRecord> history;

  Clock::time_point resumed_at = Clock::now(), saved_at = Clock::now();

  State(TrainOptions options_, Checkpoint start_, const Dataset& training_, const Dataset& validation_,
        std::filesystem::path folder_)
      : options(std::move(options_)),
        start(std::move(start_)),
        training(training_),
        validation(validation_),
        folder(std::move(folder_)),
        precision(resolve_precision(options.runtime)),
        device(resolve_device(options.runtime)),
        rng(Rng(options.runtime.seed).split("train")),
        model(start.network, start.preprocessing, precision, device),
        weights(class_weights(options.class_weights, training)),
        loss(Registry<TrainingLoss>::instance().get(options.loss)) {
    start.network->to(device);
    optimizer = make_optimizer(options, *start.network);
    if (options.ema > 0) {
      average = Registry<Architecture>::instance().get(start.arch).make(start.options);
      average->to(device);
      copy_weights(*start.network, *average);
    }
  }

  int64_t batches() const { return EpochBatches::count(training.size(), options.batch_size); }
  std::filesystem::path state_path() const { return folder / "training.state"; }

  TrainingBatch targets(const Batch& raw) const {
    const int64_t classes = training.classes.size();
    auto target = at::one_hot(raw.y, classes).to(torch::kFloat32);
    target = target * (1 - options.label_smoothing) + options.label_smoothing / static_cast<double>(classes);
    TrainingBatch ready{raw.x, target, weights.index_select(0, raw.y)};
    if (options.mixup > 0) {
      Rng stream = rng.split("mixup").split(static_cast<uint64_t>(step));
      const double share = draw_beta(options.mixup, stream);
      const auto partner = torch::tensor(stream.permutation(raw.x.size(0)), torch::kInt64);
      const auto mix = [&](const torch::Tensor& t) { return t * share + t.index_select(0, partner) * (1 - share); };
      ready = {mix(ready.x), mix(ready.target), mix(ready.weight)};
    }
    return {ready.x.to(device), ready.target.to(device), ready.weight.to(device)};
  }

  void set_learning_rate(double rate) {
    for (auto& group : optimizer->param_groups()) group.options().set_lr(rate);
  }

  double learning_rate() const {
    return options.schedule.at(static_cast<double>(epoch) + static_cast<double>(batch) / static_cast<double>(batches()),
                               drops);
  }

  void update_average() {
    if (!average) return;
    const torch::NoGradGuard no_grad;
    const double decay = std::min(options.ema, (1.0 + step) / (10.0 + step));
    auto targets = weights_and_statistics(*average);
    const auto sources = weights_and_statistics(*start.network);
    for (size_t i = 0; i < targets.size(); ++i) targets[i].lerp_(sources[i], 1 - decay);
  }

  void train_step(const Batch& raw) {
    torch::manual_seed(rng.split("dropout").split(static_cast<uint64_t>(step)).key());
    const TrainingBatch ready = targets(raw);
    set_learning_rate(learning_rate());
    optimizer->zero_grad();
    const LossOutput output = loss.compute(model, ready, rng.split("loss").split(static_cast<uint64_t>(step)));
    const double value = output.loss.item<double>();
    if (!std::isfinite(value)) {
      throw RunError(
          fmt::format("the training loss became {} in epoch {}, batch {} (learning rate {:.3g}); lower --lr, or set "
                      "--clip-norm 1; the best checkpoint so far is kept in {}",
                      value, epoch + 1, batch + 1, learning_rate(), folder.string()));
    }
    output.loss.backward();
    if (options.clip_norm > 0) torch::nn::utils::clip_grad_norm_(start.network->parameters(), options.clip_norm);
    optimizer->step();
    ++batch;
    ++step;
    update_average();
    loss_sum += value * static_cast<double>(raw.x.size(0));
    seen += raw.x.size(0);
    correct += (output.logits.argmax(1) == ready.target.argmax(1)).sum().item<int64_t>();
  }

  const std::shared_ptr<Network>& judged() const { return average ? average : start.network; }

  EpochRecord finish_epoch() {
    EpochRecord record{};
    record.epoch = ++epoch;
    record.train_loss = loss_sum / static_cast<double>(seen);
    record.train_accuracy = static_cast<double>(correct) / static_cast<double>(seen);
    validate(record);
    record.best = true;
    for (const auto& earlier : history)
      record.best = record.best && record.validation_accuracy > earlier.validation_accuracy;
    batch = correct = seen = 0;
    loss_sum = 0;
    record.learning_rate = learning_rate();
    record.seconds = epoch_seconds + seconds_since(resumed_at);
    epoch_seconds = 0;
    resumed_at = Clock::now();
    history.push_back(record);
    if (options.schedule.kind == "plateau" && epoch - std::max(best_epoch(), drop_epoch) >= options.plateau_patience) {
      ++drops;
      drop_epoch = epoch;
    }
    return record;
  }

  void validate(EpochRecord& record) const {
    const Classifier classifier(judged(), start.arch, start.options, start.preprocessing, start.classes, precision,
                                device);
    const int64_t classes = start.classes.size();
    auto hits = torch::zeros({classes}), counts = torch::zeros({classes});
    double loss_total = 0;
    constexpr int64_t kRows = 512;
    for (int64_t begin = 0; begin < validation.size(); begin += kRows) {
      const int64_t end = std::min(begin + kRows, validation.size());
      const auto y = validation.labels.slice(0, begin, end);
      const auto logits = classifier.logits(to_float(validation.images.slice(0, begin, end)));
      loss_total -= at::log_softmax(logits, 1).gather(1, y.unsqueeze(1)).sum().item<double>();
      const auto one_hot = at::one_hot(y, classes).to(torch::kFloat32);
      counts += one_hot.sum(0);
      hits += one_hot.index_select(0, (logits.argmax(1) == y).nonzero().squeeze(1)).sum(0);
    }
    const auto present = counts > 0;
    record.validation_loss = loss_total / static_cast<double>(validation.size());
    record.validation_accuracy = hits.sum().item<double>() / static_cast<double>(validation.size());
    record.validation_balanced_accuracy = (hits / counts).masked_select(present).mean().item<double>();
  }

  int64_t best_epoch() const {
    int64_t best = 0;
    for (const auto& record : history) {
      if (record.best) best = record.epoch;
    }
    return best;
  }

  void save_weights(const std::string& name) const {
    Checkpoint checkpoint = start;
    checkpoint.network = judged();
    checkpoint.training["epochs_done"] = epoch;
    checkpoint.training["last_epoch"] = to_json(history.back());
    checkpoint.training["last_epoch"].erase("seconds");  // equal runs give equal files
    save_checkpoint(checkpoint, folder / name);
  }

  void save_state() {
    Container file;
    file.kind = kStateKind;
    epoch_seconds += seconds_since(resumed_at);
    resumed_at = saved_at = Clock::now();
    auto records = nlohmann::json::array();
    for (const auto& record : history) records.push_back(to_json(record));
    file.header = {{"options", options.to_json()},
                   {"data", data_digest()},
                   {"arch", start.arch},
                   {"settings", start.options.settings},
                   {"epoch", epoch},
                   {"batch", batch},
                   {"step", step},
                   {"drops", drops},
                   {"drop_epoch", drop_epoch},
                   {"loss_sum", loss_sum},
                   {"correct", correct},
                   {"seen", seen},
                   {"epoch_seconds", epoch_seconds},
                   {"history", records},
                   {"threads", at::get_num_threads()}};
    put(file, "network/", *start.network);
    if (average) put(file, "average/", *average);
    file.tensors["optimizer"] = to_bytes(*optimizer);
    save_container(file, state_path());
  }

  std::string data_digest() const { return training.digest() + "+" + validation.digest(); }

  void load_state() {
    const Container file = load_container(state_path(), kStateKind);
    const auto& header = file.header;
    refuse_other_run(header);
    epoch = header.at("epoch");
    batch = header.at("batch");
    step = header.at("step");
    drops = header.at("drops");
    drop_epoch = header.at("drop_epoch");
    loss_sum = header.at("loss_sum");
    correct = header.at("correct");
    seen = header.at("seen");
    epoch_seconds = header.at("epoch_seconds");
    for (const auto& record : header.at("history")) history.push_back(epoch_record_from_json(record));
    get(file, "network/", *start.network);
    if (average) get(file, "average/", *average);
    from_bytes(*optimizer, file.tensors.at("optimizer"));
    if (header.at("threads") != at::get_num_threads()) {
      warn(fmt::format(
          "this run was started with {} threads and goes on with {}: the last bits of the weights may differ",
          header.at("threads").get<int>(), at::get_num_threads()));
    }
  }

  void refuse_other_run(const nlohmann::json& header) const {
    const auto now = options.to_json();
    for (const auto& [name, value] : header.at("options").items()) {
      if (now.at(name) == value) continue;
      throw UserError(
          fmt::format("{}: --{} was {} when this run was started, now it is {}; a run can only be resumed unchanged",
                      state_path().string(), name, value.dump(), now.at(name).dump()));
    }
    if (header.at("arch") != start.arch || header.at("settings") != nlohmann::json(start.options.settings)) {
      throw UserError(fmt::format("{}: is of another architecture ({})", state_path().string(),
                                  header.at("arch").get<std::string>()));
    }
    if (header.at("data") != data_digest()) {
      throw UserError(fmt::format("{}: this run was started on other data", state_path().string()));
    }
  }

  void train_epoch() {
    start.network->train();
    Augmentation augmentation = options.augmentation;
    if (epoch >= options.schedule.epochs - options.full_epochs) augmentation.crop = 0;
    EpochBatches source(training, augmentation, rng, epoch, options.batch_size, batch);
    Progress progress(fmt::format("epoch {}/{}", epoch + 1, options.schedule.epochs), training.size(), "images");
    progress.skip(seen);
    for (Batch raw; source.next(raw);) {
      train_step(raw);
      progress.note(fmt::format("loss {:.3f}, accuracy {:.1f} %", loss_sum / seen, 100.0 * correct / seen));
      progress.advance(raw.x.size(0));
      if (interrupted()) {
        save_state();
        throw Interrupted(fmt::format("interrupted in epoch {}; the state is saved, go on with --resume", epoch + 1));
      }
      if (seconds_since(saved_at) >= static_cast<double>(options.save_every)) save_state();
    }
  }
};

Trainer::Trainer(TrainOptions options, Checkpoint start, const Dataset& training, const Dataset& validation,
                 std::filesystem::path folder)
    : state_(std::make_unique<State>(std::move(options), std::move(start), training, validation, std::move(folder))) {}

Trainer::~Trainer() = default;

void Trainer::resume() {
  state_->load_state();
}

const std::vector<EpochRecord>& Trainer::history() const {
  return state_->history;
}

void Trainer::run(const std::function<void(const std::vector<EpochRecord>&)>& on_epoch) {
  State& state = *state_;
  while (state.epoch < state.options.schedule.epochs) {
    state.train_epoch();
    const EpochRecord record = state.finish_epoch();
    if (record.best) state.save_weights("best.pt");
    state.save_weights("last.pt");
    state.save_state();
    on_epoch(state.history);
    if (state.options.patience > 0 && state.epoch - state.best_epoch() >= state.options.patience) {
      inform(fmt::format("no better validation accuracy in {} epochs: stopped", state.options.patience));
      break;
    }
  }
}

}  // namespace fercli
