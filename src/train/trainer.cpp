#include "train/trainer.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <torch/nn/utils/clip_grad.h>
#include <torch/optim.h>
#include <torch/serialize.h>

#include "core/clock.hpp"
#include "core/container.hpp"
#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/files.hpp"
#include "core/interrupt.hpp"
#include "core/json_text.hpp"
#include "core/progress.hpp"
#include "data/batches.hpp"
#include "models/formats/torch/script_archive.hpp"
#include "models/networks/network.hpp"
#include "train/freezing.hpp"
#include "train/gradient_step.hpp"

namespace fercli {

namespace {

constexpr const char* kTrainingStateKind = "training-state";
constexpr double kMomentum = 0.9;
/// Images on which the watch for catastrophic overfitting looks at the weights, and the share of the best robust
/// accuracy so far below which it calls them collapsed.
constexpr int64_t kWatchedImages = 140;
constexpr double kCollapse = 0.5;
constexpr int64_t kStepsAfterCollapse = 2;

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

/// (K) float32: tau times the logarithm of each class's share of the images.
torch::Tensor logit_adjustment(double tau, const Dataset& data) {
  const int64_t classes = data.classes.size();
  const auto counts = at::bincount(data.labels, {}, classes).to(torch::kFloat32) + 1;
  return (counts / counts.sum()).log() * tau;
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

/// `name` is for messages.
void from_bytes(torch::optim::Optimizer& optimizer, const torch::Tensor& tensor, const std::string& name) {
  const std::string bytes(reinterpret_cast<const char*>(tensor.data_ptr<uint8_t>()), tensor.nbytes());
  std::istringstream stream(checked_script_archive(bytes, name, CodeRule::Declarations));
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

bool TrainOptions::is_adversarial() const {
  return Registry<TrainingLoss>::instance().get(loss).attack.has_value();
}

Values TrainOptions::parameters() const {
  return {parameters_of(Registry<TrainingLoss>::instance().get(loss)), loss_parameters};
}

nlohmann::json TrainOptions::to_json() const {
  nlohmann::json json = {{"loss", loss},
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
                         {"logit-adjustment", logit_adjustment},
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
  if (micro_shards > 0) json["micro-shards"] = micro_shards;
  if (freeze_until > 0) json["freeze-until"] = freeze_until;
  if (teacher) json["teacher"] = teacher->to_json();
  for (const auto& parameter : parameters_of(Registry<TrainingLoss>::instance().get(loss))) {
    const auto values = parameters().json();
    if (values.contains(parameter.json_name())) json[parameter.name] = values.at(parameter.json_name());
  }
  if (is_adversarial()) {
    json.update({{"eps", adversarial.eps},
                 {"eps-ramp", adversarial.ramp},
                 {"awp", adversarial.awp},
                 {"robust-images", adversarial.robust_images},
                 {"robust-steps", adversarial.robust_steps}});
  }
  return json;
}

namespace {

nlohmann::json to_json(const RobustRecord& record) {
  return {{"eps", record.eps},
          {"steps", record.steps},
          {"hits", record.counts.hits},
          {"images", record.counts.images},
          {"accuracy", record.accuracy},
          {"balanced_accuracy", record.balanced_accuracy},
          {"live_balanced_accuracy", record.live_balanced_accuracy},
          {"top_class", record.top_class},
          {"top_share", record.top_share}};
}

RobustRecord robust_record_from_json(const nlohmann::json& json) {
  return {json.at("eps"),
          json.at("steps"),
          {json.at("hits"), json.at("images")},
          json.at("accuracy"),
          json.at("balanced_accuracy"),
          json.at("live_balanced_accuracy"),
          json.at("top_class"),
          json.at("top_share")};
}

}  // namespace

nlohmann::json to_json(const EpochRecord& record) {
  nlohmann::json json = {{"epoch", record.epoch},
                         {"train_loss", record.train_loss},
                         {"train_accuracy", record.train_accuracy},
                         {"validation_loss", record.validation_loss},
                         {"validation_accuracy", record.validation_accuracy},
                         {"validation_balanced_accuracy", record.validation_balanced_accuracy},
                         {"learning_rate", record.learning_rate},
                         {"seconds", record.seconds},
                         {"best", record.best}};
  if (record.robust) json["robust"] = to_json(*record.robust);
  return json;
}

EpochRecord epoch_record_from_json(const nlohmann::json& json) {
  EpochRecord record = {
      json.at("epoch"),           json.at("train_loss"),          json.at("train_accuracy"),
      json.at("validation_loss"), json.at("validation_accuracy"), json.at("validation_balanced_accuracy"),
      json.at("learning_rate"),   json.value("seconds", 0.0),     json.at("best")};
  if (json.contains("robust")) record.robust = robust_record_from_json(json.at("robust"));
  return record;
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
  torch::Tensor adjustment;          ///< (K) of the logits
  const TrainingLoss& loss;
  Values parameters;
  std::optional<RobustValidation> robust_validation;  ///< in adversarial training
  std::shared_ptr<Ranks> ranks;
  TrainingProfile profile;

  // Where the run stands; all of it is in training.state.
  int64_t epoch = 0;       ///< finished epochs
  int64_t batch = 0;       ///< finished batches of the current one
  int64_t step = 0;        ///< finished steps of the optimizer
  int64_t drops = 0;       ///< plateau halvings
  int64_t drop_epoch = 0;  ///< epoch of the last halving
  double loss_sum = 0;     ///< over the images of the current epoch
  int64_t correct = 0, seen = 0;
  int64_t attack_steps = 0;                            ///< of the attack in each training step; 0: no attack
  torch::Tensor memory;                                ///< what the attack keeps from batch to batch
  nlohmann::json rollbacks = nlohmann::json::array();  ///< the collapses so far
  double epoch_seconds = 0;                            ///< spent in the current epoch before the last save
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
        model(start, precision, device),
        weights(class_weights(options.class_weights, training)),
        adjustment(logit_adjustment(options.logit_adjustment, training).to(device)),
        loss(Registry<TrainingLoss>::instance().get(options.loss)),
        parameters(options.parameters()),
        ranks(options.ranks ? options.ranks : std::make_shared<Ranks>()) {
    if (loss.attack) {
      const AdversarialOptions& adversarial = options.adversarial;
      attack_steps = parameters.whole("attack-steps");
      robust_validation.emplace(validation, adversarial.eps, adversarial.robust_images, adversarial.robust_steps);
    }
    optimizer = make_optimizer(options, *start.network);
    if (options.ema > 0) {
      average = Registry<Architecture>::instance().get(start.arch).make(start.options);
      average->to(device);
      copy_weights(*start.network, *average);
    }
  }

  bool in_micro_shards() const { return options.micro_shards > 0; }

  EpochPlan plan() const {
    EpochPlan plan{epoch, options.batch_size, batch};
    if (in_micro_shards()) plan.smallest = 2 * options.micro_shards;
    if (options.mixup == 0) {  // which needs the others' images
      plan.part = ranks->number();
      plan.of = ranks->count();
    }
    return plan;
  }

  int64_t batches() const { return EpochBatches::count(training.size(), plan()); }
  std::filesystem::path state_path() const { return folder / "training.state"; }
  std::filesystem::path good_path() const { return folder / "good.state"; }

  TrainingBatch targets(const Batch& raw) const {
    const int64_t classes = training.classes.size();
    auto target = at::one_hot(raw.y, classes).to(torch::kFloat32);
    target = target * (1 - options.label_smoothing) + options.label_smoothing / static_cast<double>(classes);
    TrainingBatch ready{raw.x, raw.y, target, weights.index_select(0, raw.y), adjustment};
    ready.first_row = raw.first;
    if (options.mixup > 0) {
      Rng stream = rng.split("mixup").split(static_cast<uint64_t>(step));
      const double share = draw_beta(options.mixup, stream);
      const auto partner = torch::tensor(stream.permutation(raw.x.size(0)), torch::kInt64);
      const auto mix = [&](const torch::Tensor& t) { return t * share + t.index_select(0, partner) * (1 - share); };
      const auto larger = share >= 0.5 ? ready.y : ready.y.index_select(0, partner);
      ready = {mix(ready.x), larger, mix(ready.target), mix(ready.weight), adjustment};
      if (ranks->count() > 1) {
        const auto begin_of = [&](int64_t rank) { return raw.of_batch * rank / ranks->count(); };
        ready = ready.rows(begin_of(ranks->number()), begin_of(ranks->number() + 1));
      }
    }
    if (options.teacher) ready.target = options.teacher->targets(ready.x, ready.target);
    for (auto* tensor : {&ready.x, &ready.y, &ready.target, &ready.weight}) *tensor = tensor->to(device);
    ready.parameters = parameters;
    return ready;
  }

  void set_learning_rate(double rate) {
    for (auto& group : optimizer->param_groups()) group.options().set_lr(rate);
  }

  /// In epochs: 2.5 in the middle of the third.
  double moment() const {
    return static_cast<double>(epoch) + static_cast<double>(batch) / static_cast<double>(batches());
  }

  double learning_rate() const { return options.schedule.at(moment(), drops); }

  double eps() const {
    const AdversarialOptions& adversarial = options.adversarial;
    const double rise = adversarial.ramp * static_cast<double>(options.schedule.epochs);
    return adversarial.eps * (moment() < rise ? moment() / rise : 1);
  }

  InnerAttack inner_attack() const {
    const AdversarialOptions& adversarial = options.adversarial;
    const double radius = eps();
    const double alpha = parameters.has("alpha") ? parameters.number("alpha") * radius / adversarial.eps
                                                 : loss.attack->alpha(radius, attack_steps);
    const bool of_batch = parameters.word("attack-statistics") == to_string(Statistics::Batch);
    // Weights that a replay has learnt already are not given up.
    const bool stops = in_micro_shards() && loss.attack->learn_from == nullptr;
    return {radius, alpha, attack_steps, of_batch ? Statistics::Batch : Statistics::Running, stops};
  }

  void update_average() {
    if (!average) return;
    const torch::NoGradGuard no_grad;
    const double decay = std::min(options.ema, (1.0 + step) / (10.0 + step));
    auto targets = weights_and_statistics(*average);
    const auto sources = weights_and_statistics(*start.network);
    for (size_t i = 0; i < targets.size(); ++i) targets[i].lerp_(sources[i], 1 - decay);
  }

  /// Learns a batch; losses that replay it learn it several times.
  void learn(const Batch& raw) {
    const TrainingBatch ready = targets(raw);
    set_learning_rate(learning_rate());
    const bool replayed = loss.attack && loss.attack->learn_from != nullptr;
    if (in_micro_shards() && replayed) let_all_stop();
    GradientOutput output{};
    for (int64_t replay = 0; replay < (replayed ? attack_steps : 1); ++replay) output = train_step(ready, raw.of_batch);
    ++batch;
    loss_sum += output.loss * static_cast<double>(raw.of_batch);
    seen += raw.of_batch;
    correct += output.correct;
  }

  /// Throws Interrupted in all ranks when one was interrupted.
  void let_all_stop() const {
    ranks->together([] {
      throw_if_interrupted();
      return std::string();
    });
  }

  GradientOutput train_step(const TrainingBatch& ready, int64_t of_batch) {
    optimizer->zero_grad();
    const auto number = static_cast<uint64_t>(step);
    GradientSettings settings{
        loss, model, {}, 0, rng.split("dropout").split(number), rng.split("attack").split(number)};
    if (loss.attack) {
      settings.attack = inner_attack();
      settings.awp = options.adversarial.awp;
    }
    const GradientOutput output =
        in_micro_shards() ? take_gradients(settings, ready, memory, {options.micro_shards, of_batch, *ranks})
                          : take_gradients(settings, ready, memory);
    if (!std::isfinite(output.loss)) stop_diverged("training", output.loss);
    if (options.clip_norm > 0) torch::nn::utils::clip_grad_norm_(start.network->parameters(), options.clip_norm);
    optimizer->step();
    ++step;
    update_average();
    return output;
  }

  [[noreturn]] void stop_diverged(const char* which, double value) const {
    ranks->finish();  // all of them know it
    throw RunError(
        fmt::format("the {} loss became {} in epoch {}, batch {} (learning rate {:.3g}); lower --lr, or set "
                    "--clip-norm 1; the best checkpoint so far is kept in {}",
                    which, value, epoch + 1, std::min(batch + 1, batches()), learning_rate(), folder.string()));
  }

  const std::shared_ptr<Network>& judged() const { return average ? average : start.network; }

  EpochRecord finish_epoch() {
    EpochRecord record{};
    record.epoch = epoch + 1;
    record.train_loss = loss_sum / static_cast<double>(seen);
    record.train_accuracy = static_cast<double>(correct) / static_cast<double>(seen);
    try {
      validate(record);
    } catch (const Interrupted&) {
      save_and_stop();
    }
    if (!std::isfinite(record.validation_loss)) stop_diverged("validation", record.validation_loss);
    record.best = true;
    for (const auto& earlier : history) record.best = record.best && record.score() > earlier.score();
    ++epoch;
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

  Classifier classifier(const std::shared_ptr<Network>& network) const {
    return Classifier(network, start, {precision, device});
  }

  void validate(EpochRecord& record) const {
    const Classifier judge = classifier(judged());
    const auto answers = validate_clean(judge, record);
    if (!robust_validation) return;
    RobustRecord robust{};
    robust.eps = eps();
    robust.steps = attack_steps;
    robust.counts = measure_robustness(judge, robust_validation->size());
    robust.accuracy = robust.counts.accuracy(robust_validation->class_sizes());
    robust.balanced_accuracy = robust.counts.balanced_accuracy();
    robust.live_balanced_accuracy = measure_robustness(classifier(start.network), kWatchedImages).balanced_accuracy();
    robust.top_class = answers.argmax().item<int64_t>();
    robust.top_share = answers.max().item<double>() / static_cast<double>(validation.size());
    record.robust = robust;
  }

  /// By all ranks together.
  RobustCounts measure_robustness(const Classifier& classifier, int64_t images) const {
    const auto parts = ranks->together([&] {
      const auto counts = robust_validation->measure(classifier, images, ranks->number(), ranks->count());
      return compact_json({counts.hits, counts.images});
    });
    const std::vector<int64_t> none(static_cast<size_t>(start.classes.size()), 0);
    RobustCounts sum{none, none};
    for (const auto& part : parts) {
      const auto counts = nlohmann::json::parse(part);
      for (size_t k = 0; k < none.size(); ++k) {
        sum.hits[k] += counts[0][k].get<int64_t>();
        sum.images[k] += counts[1][k].get<int64_t>();
      }
    }
    return sum;
  }

  /// One line for each block of validation images that this rank sees to: loss, then per class the hits, images and
  /// answers.
  std::string validate_own_blocks(const Classifier& classifier) const {
    const int64_t classes = start.classes.size();
    constexpr int64_t kRows = 512;
    Progress progress("Validating", validation.size(), "images");
    auto lines = nlohmann::json::array();
    for (int64_t begin = 0; begin < validation.size(); begin += kRows) {
      const int64_t end = std::min(begin + kRows, validation.size());
      progress.advance(end - begin);
      if (begin / kRows % ranks->count() != ranks->number()) continue;
      if (in_micro_shards()) throw_if_interrupted();
      const auto y = validation.labels.slice(0, begin, end);
      const auto logits = classifier.logits(to_float(validation.images.slice(0, begin, end)));
      const double loss = -at::log_softmax(logits, 1).gather(1, y.unsqueeze(1)).sum().item<double>();
      const auto counts = [&](const torch::Tensor& of) {
        const auto bins = at::bincount(of, {}, classes);
        return std::vector<int64_t>(bins.data_ptr<int64_t>(), bins.data_ptr<int64_t>() + classes);
      };
      const auto answers = logits.argmax(1);
      // Not every loss is a number that JSON can say.
      lines.push_back(
          {begin, fmt::format("{:a}", loss), counts(y.masked_select(answers == y)), counts(y), counts(answers)});
    }
    return lines.dump();
  }

  /// Fills the clean part of the record; returns how often each class was answered, (K).
  torch::Tensor validate_clean(const Classifier& classifier, EpochRecord& record) const {
    std::map<int64_t, nlohmann::json> blocks;
    for (const auto& part : ranks->together([&] { return validate_own_blocks(classifier); })) {
      for (auto& line : nlohmann::json::parse(part)) blocks.emplace(line[0].get<int64_t>(), line);
    }
    const int64_t classes = start.classes.size();
    auto hits = torch::zeros({classes}), counts = torch::zeros({classes});
    auto answers = torch::zeros({classes}, torch::kInt64);
    double loss_total = 0;
    for (const auto& [begin, line] : blocks) {
      const auto tensor = [&, &block = line](size_t place) {
        return torch::tensor(block[place].get<std::vector<int64_t>>(), torch::kInt64);
      };
      loss_total += std::strtod(line[1].get<std::string>().c_str(), nullptr);
      hits += tensor(2).to(torch::kFloat32);
      counts += tensor(3).to(torch::kFloat32);
      answers += tensor(4);
    }
    const auto present = counts > 0;
    record.validation_loss = loss_total / static_cast<double>(validation.size());
    record.validation_accuracy = hits.sum().item<double>() / static_cast<double>(validation.size());
    record.validation_balanced_accuracy = (hits / counts).masked_select(present).mean().item<double>();
    return answers;
  }

  /// Single-step training may overfit to its own attack; several steps, and replays, do not.
  bool is_watched() const { return loss.attack && loss.attack->learn_from == nullptr && attack_steps == 1; }

  /// Did single-step training overfit to its own attack? The weights must have kept more than a constant answer before.
  bool collapsed(const EpochRecord& record) const {
    if (!is_watched()) return false;
    const double best = best_live_accuracy();
    return best > 1.0 / static_cast<double>(start.classes.size()) &&
           record.robust->live_balanced_accuracy < kCollapse * best;
  }

  double best_live_accuracy() const {
    double best = 0;
    for (const auto& record : history) {
      if (record.epoch <= epoch) best = std::max(best, record.robust->live_balanced_accuracy);
    }
    return best;
  }

  /// Back to the end of the last good epoch, with more steps from here on.
  void roll_back(const EpochRecord& bad) {
    const double before = best_live_accuracy();
    load_state(good_path());
    warn(
        fmt::format("epoch {}: catastrophic overfitting, balanced robust accuracy of the weights fell from {:.1f} % to "
                    "{:.1f} % (n = {}); back to the end of epoch {}, the attack takes {} steps from now on",
                    bad.epoch, 100 * before, 100 * bad.robust->live_balanced_accuracy,
                    std::min(kWatchedImages, robust_validation->size()), epoch, kStepsAfterCollapse));
    attack_steps = kStepsAfterCollapse;
    rollbacks.push_back({{"epoch", bad.epoch},
                         {"back_to", epoch},
                         {"best_live_balanced_accuracy", before},
                         {"live_balanced_accuracy", bad.robust->live_balanced_accuracy}});
    save_state(state_path());
  }

  int64_t best_epoch() const {
    int64_t best = 0;
    for (const auto& record : history) {
      if (record.best) best = record.epoch;
    }
    return best;
  }

  bool is_out_of_patience() const { return options.patience > 0 && epoch - best_epoch() >= options.patience; }

  void save_weights(const std::string& name) const {
    if (!ranks->leads()) return;
    Checkpoint checkpoint = start;
    checkpoint.network = judged();
    checkpoint.training["epochs_done"] = epoch;
    checkpoint.training["last_epoch"] = to_json(history.back());
    checkpoint.training["last_epoch"].erase("seconds");  // equal runs give equal files
    if (!rollbacks.empty()) checkpoint.training["rollbacks"] = rollbacks;
    save_checkpoint(checkpoint, folder / name);
  }

  void save_state(const std::filesystem::path& path) {
    if (!ranks->leads()) return;
    Container file;
    file.kind = kTrainingStateKind;
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
                   {"attack_steps", attack_steps},
                   {"rollbacks", rollbacks},
                   {"history", records},
                   {"weights", origin()},
                   {"threads", at::get_num_threads()}};
    put(file, "network/", *start.network);
    if (average) put(file, "average/", *average);
    file.tensors["optimizer"] = to_bytes(*optimizer);
    if (memory.defined()) file.tensors["memory"] = memory;
    save_container(file, path);
  }

  /// The file of the initial weights, as `start` describes it; null when they were random.
  nlohmann::json origin() const {
    return start.training.contains("weights") ? start.training.at("weights") : nlohmann::json();
  }

  std::string data_digest() const { return training.digest() + "+" + validation.digest(); }

  void load_state(const std::filesystem::path& path) {
    const auto parts = ranks->together([&] { return ranks->leads() ? read_file(path) : std::string(); });
    const Container file = read_container(parts.front(), path.string(), kTrainingStateKind);
    try {
      refuse_other_run(file.header);
      take_state(file);
    } catch (const UserError&) {
      throw;
    } catch (const std::exception&) {
      throw UserError(fmt::format("{}: is damaged, or of another version of fercli", path.string()));
    }
  }

  void take_state(const Container& file) {
    const auto& header = file.header;
    const auto from = header.value("weights", nlohmann::json());
    if (!from.is_null()) start.training["weights"] = from;
    epoch = header.at("epoch");
    batch = header.at("batch");
    step = header.at("step");
    drops = header.at("drops");
    drop_epoch = header.at("drop_epoch");
    loss_sum = header.at("loss_sum");
    correct = header.at("correct");
    seen = header.at("seen");
    epoch_seconds = header.at("epoch_seconds");
    attack_steps = header.value("attack_steps", attack_steps);
    rollbacks = header.value("rollbacks", nlohmann::json::array());
    history.clear();
    for (const auto& record : header.at("history")) history.push_back(epoch_record_from_json(record));
    get(file, "network/", *start.network);
    if (average) get(file, "average/", *average);
    from_bytes(*optimizer, file.tensors.at("optimizer"), state_path().string() + ": the optimizer's state");
    const auto kept = file.tensors.find("memory");
    memory = kept != file.tensors.end() ? kept->second.to(device) : torch::Tensor();
    if (header.at("threads") != at::get_num_threads()) {
      warn(fmt::format(
          "this run was started with {} threads and goes on with {}: the last bits of the weights may differ",
          header.at("threads").get<int>(), at::get_num_threads()));
    }
  }

  void refuse_other_run(const nlohmann::json& header) const {
    const nlohmann::json &then = header.at("options"), now = options.to_json();
    if (const auto different = differing_keys(then, now); !different.empty()) {
      const std::string name = different.count("loss") > 0 ? "loss" : *different.begin();  // others come and go with it
      const auto shown = [&](const nlohmann::json& side) {
        return side.contains(name) ? side[name].dump() : "not set";
      };
      throw UserError(
          fmt::format("{}: --{} was {} when this run was started, now it is {}; a run can only be resumed unchanged{}",
                      state_path().string(), name, shown(then), shown(now),
                      name == "epochs" ? fmt::format("; to train longer, start another from its weights: --weights {} "
                                                     "--out OTHER",
                                                     (folder / "last.pt").string())
                                       : ""));
    }
    if (header.at("arch") != start.arch || header.at("settings") != nlohmann::json(start.options.settings)) {
      throw UserError(fmt::format("{}: is of another architecture ({})", state_path().string(),
                                  header.at("arch").get<std::string>()));
    }
    if (header.at("data") != data_digest()) {
      throw UserError(fmt::format("{}: this run was started on other data", state_path().string()));
    }
    const auto before = header.value("weights", origin()), after = origin();
    if (!after.is_null() && (before.is_null() || before.at("sha256") != after.at("sha256"))) {
      throw UserError(fmt::format(
          "{}: this run was started from {}, not from what --weights names now; leave --weights "
          "out, the weights come from the state",
          state_path().string(), before.is_null() ? "random weights" : before.at("file").get<std::string>()));
    }
  }

  [[noreturn]] void save_and_stop() {
    ranks->together([&] {  // rank 0 needs the others' patience
      save_state(state_path());
      return std::string();
    });
    ranks->finish();
    throw Interrupted(fmt::format("interrupted in epoch {}; the state is saved, go on with --resume", epoch + 1));
  }

  /// Throws UserError where the ranks are not of one run, or their weights have come apart.
  void compare_ranks() const {
    if (ranks->count() == 1) return;
    Digest weights_now;
    for (const auto& tensor : weights_and_statistics(*start.network)) {
      const auto plain = tensor.detach().cpu().contiguous();
      weights_now.add(plain.data_ptr(), plain.nbytes());
    }
    ranks->require_same(
        compact_json({{"options", options.to_json()}, {"data set", data_digest()}, {"weights", weights_now.hex()}}));
  }

  void train_epoch() {
    compare_ranks();
    start.network->train();
    freeze_layers(*start.network, options.freeze_until);
    Augmentation augmentation = options.augmentation;
    if (epoch >= options.schedule.epochs - options.full_epochs) augmentation.crop = 0;
    EpochBatches source(training, augmentation, rng, plan());
    Progress progress(fmt::format("epoch {}/{}", epoch + 1, options.schedule.epochs), training.size(), "images");
    progress.skip(seen);
    auto step_start = Clock::now();
    for (Batch raw; source.next(raw);) {
      profile.batches += seconds_since(step_start);
      learn_or_save(raw);
      progress.note(fmt::format("loss {:.3f}, accuracy {:.1f} %", loss_sum / seen, 100.0 * correct / seen));
      progress.advance(raw.of_batch);
      if (!in_micro_shards() && interrupted()) save_and_stop();
      if (seconds_since(saved_at) >= static_cast<double>(options.save_every)) save_state(state_path());
      ++profile.steps;
      profile.seconds += seconds_since(step_start);
      step_start = Clock::now();
    }
  }

  /// Micro-shards that are interrupted leave the step undone.
  void learn_or_save(const Batch& raw) {
    try {
      learn(raw);
    } catch (const Interrupted&) {
      save_and_stop();
    }
  }
};

Trainer::Trainer(TrainOptions options, Checkpoint start, const Dataset& training, const Dataset& validation,
                 std::filesystem::path folder)
    : state_(std::make_unique<State>(std::move(options), std::move(start), training, validation, std::move(folder))) {}

Trainer::~Trainer() = default;

void Trainer::resume() {
  state_->load_state(state_->state_path());
}

const Checkpoint& Trainer::start() const {
  return state_->start;
}

TrainingProfile Trainer::profile() const {
  TrainingProfile profile = state_->profile;
  profile.ranks = state_->ranks->cost();
  return profile;
}

const std::vector<EpochRecord>& Trainer::history() const {
  return state_->history;
}

void Trainer::run(const std::function<void(const std::vector<EpochRecord>&)>& on_epoch) {
  State& state = *state_;
  while (state.epoch < state.options.schedule.epochs) {
    if (state.is_out_of_patience()) {
      inform(fmt::format("no better validation {} in {} epochs: stopped",
                         state.loss.attack ? "balanced robust accuracy" : "accuracy", state.options.patience));
      break;
    }
    state.train_epoch();
    const EpochRecord record = state.finish_epoch();
    if (state.collapsed(record)) {
      state.roll_back(record);
      continue;
    }
    if (record.best) state.save_weights("best.pt");
    state.save_weights("last.pt");
    if (state.is_watched()) state.save_state(state.good_path());
    state.save_state(state.state_path());
    on_epoch(state.history);
  }
}

}  // namespace fercli
