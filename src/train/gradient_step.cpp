#include "train/gradient_step.hpp"

#include <ATen/ATen.h>

#include <functional>

#include "core/interrupt.hpp"
#include "models/networks/network.hpp"
#include "train/weight_perturbation.hpp"

namespace fercli {

namespace {

/// Finds the perturbed images.
void find_perturbed(const GradientSettings& settings, TrainingBatch& batch, torch::Tensor& memory) {
  const AttackRecipe& recipe = *settings.loss.attack;
  batch.risen = settings.attack->risen;
  batch.x_adv = recipe.perturb(settings.model, batch, *settings.attack, settings.noise, memory).detach();
  batch.x_adv.requires_grad_(recipe.learn_from != nullptr);
}

/// The loss, and its gradient in the weights.
GradientOutput differentiate(const GradientSettings& settings, const TrainingBatch& batch, torch::Tensor& memory) {
  const LossOutput output = settings.loss.objective(settings.model, batch);
  output.loss.backward();
  if (settings.attack && settings.loss.attack->learn_from != nullptr) {
    settings.loss.attack->learn_from(batch.x_adv.grad(), *settings.attack, memory);
  }
  return {output.loss.item<double>(), (output.logits.argmax(1) == batch.y).sum().item<int64_t>()};
}

void append(std::string& bytes, const torch::Tensor& tensor) {
  const auto plain = tensor.cpu().contiguous();
  bytes.append(static_cast<const char*>(plain.data_ptr()), plain.nbytes());
}

/// float32 of any shape, as `append` wrote it: a view of `bytes` from this number on.
torch::Tensor floats_in(std::string& bytes, int64_t first, torch::IntArrayRef shape) {
  return torch::from_blob(bytes.data() + first * static_cast<int64_t>(sizeof(float)), shape, torch::kFloat32);
}

/// A micro-shard of this rank.
struct Piece {
  int64_t number;
  double share;  ///< of the batch's images
  TrainingBatch batch;
  torch::Tensor memory;  ///< its rows, which it may change
};

std::vector<Piece> cut(const TrainingBatch& own, const torch::Tensor& memory, const MicroShards& shards) {
  std::vector<Piece> pieces;
  const int64_t each = shards.count / shards.ranks.count();
  for (int64_t number = shards.ranks.number() * each; number < (shards.ranks.number() + 1) * each; ++number) {
    const int64_t begin = shards.of_batch * number / shards.count, end = shards.of_batch * (number + 1) / shards.count;
    pieces.push_back({number, static_cast<double>(end - begin) / static_cast<double>(shards.of_batch),
                      own.rows(begin - own.first_row, end - own.first_row),
                      memory.defined() ? memory.slice(0, begin, end) : torch::Tensor()});
  }
  return pieces;
}

/// Adds numbered vectors in the order of their numbers. Each rank has some of them, adds one slice of all, and hands
/// its sum to the others.
torch::Tensor sum_in_order(const std::vector<torch::Tensor>& own, Ranks& ranks) {
  const int64_t length = own.front().size(0), count = ranks.count();
  const auto begin_of = [&](int64_t rank) { return length * rank / count; };
  std::vector<std::string> slices(static_cast<size_t>(count));
  for (int64_t rank = 0; rank < count; ++rank) {
    for (const auto& vector : own) append(slices[rank], vector.slice(0, begin_of(rank), begin_of(rank + 1)));
  }
  slices = ranks.exchange(std::move(slices));
  const int64_t width = begin_of(ranks.number() + 1) - begin_of(ranks.number());
  auto sum = torch::zeros({width});
  for (auto& from_rank : slices) {
    for (size_t i = 0; i < own.size(); ++i) sum += floats_in(from_rank, static_cast<int64_t>(i) * width, {width});
  }
  std::string bytes;
  append(bytes, sum);
  std::vector<std::string> sums = ranks.exchange(std::vector<std::string>(static_cast<size_t>(count), bytes));
  auto total = torch::empty({length});
  for (int64_t rank = 0; rank < count; ++rank) {
    total.slice(0, begin_of(rank), begin_of(rank + 1))
        .copy_(floats_in(sums[rank], 0, {begin_of(rank + 1) - begin_of(rank)}));
  }
  return total;
}

/// Gives every rank the rows that the others have changed.
void share_rows(torch::Tensor& memory, const TrainingBatch& own, Ranks& ranks) {
  std::string bytes;
  append(bytes, memory.slice(0, own.first_row, own.first_row + own.x.size(0)));
  auto parts = ranks.exchange(std::vector<std::string>(static_cast<size_t>(ranks.count()), bytes));
  auto shape = memory.sizes().vec();
  int64_t row = 0;
  for (auto& part : parts) {
    shape[0] = static_cast<int64_t>(part.size() / sizeof(float)) / memory[0].numel();
    memory.slice(0, row, row + shape[0]).copy_(floats_in(part, 0, shape));
    row += shape[0];
  }
}

/// Passes over the micro-shards, each of which starts from the same weights and statistics.
class ShardedPasses {
 public:
  ShardedPasses(const GradientSettings& settings, const MicroShards& shards)
      : settings_(settings), ranks_(shards.ranks), statistics_(settings.model.network().buffers()) {
    for (const auto& parameter : settings.model.network().parameters()) {
      if (parameter.requires_grad()) parameters_.push_back(parameter);
    }
    at_start_ = before_ = copies_of_statistics();
  }

  /// Leaves the sums over all micro-shards in the network's gradients and statistics. At a fault these are as they were
  /// before the first pass.
  GradientOutput run(std::vector<Piece>& pieces, const std::function<GradientOutput(Piece&)>& differentiate_piece) {
    std::vector<torch::Tensor> found;
    std::vector<std::string> notes;
    const bool may_stop = settings_.attack ? settings_.attack->stops : true;
    try {
      notes = ranks_.together([&] {
        std::string outputs;
        for (auto& piece : pieces) {
          if (may_stop) throw_if_interrupted();
          start_over(piece);
          const GradientOutput output = differentiate_piece(piece);
          append(outputs,
                 torch::tensor({output.loss * piece.share, static_cast<double>(output.correct)}, torch::kFloat64));
          keep(flattened(piece.share), found);
        }
        return outputs;
      });
    } catch (...) {
      put_statistics_back(at_start_);
      throw;
    }
    spread(ranks_.count() == 1 ? found.front() : sum_in_order(found, ranks_));
    before_ = copies_of_statistics();
    ++passes_;
    return sum_of(notes);
  }

 private:
  std::vector<torch::Tensor> copies_of_statistics() const {
    std::vector<torch::Tensor> copies;
    for (const auto& buffer : statistics_) copies.push_back(buffer.detach().clone());
    return copies;
  }

  void put_statistics_back(const std::vector<torch::Tensor>& values) {
    const torch::NoGradGuard no_grad;
    for (size_t i = 0; i < statistics_.size(); ++i) statistics_[i].copy_(values[i]);
  }

  /// A process without others adds at once.
  void keep(torch::Tensor vector, std::vector<torch::Tensor>& found) const {
    if (ranks_.count() > 1) {
      found.push_back(std::move(vector));
    } else if (found.empty()) {
      found.push_back(torch::zeros_like(vector).add_(vector));
    } else {
      found.front() += vector;
    }
  }

  void start_over(const Piece& piece) {
    put_statistics_back(before_);
    for (auto& parameter : parameters_) parameter.mutable_grad() = torch::Tensor();
    torch::manual_seed(settings_.dropout.split(passes_).split(static_cast<uint64_t>(piece.number)).key());
  }

  /// All gradients, and by how much the statistics have moved, one after another, times `share`; zeros for a weight
  /// without a gradient.
  torch::Tensor flattened(double share) const {
    const torch::NoGradGuard no_grad;
    std::vector<torch::Tensor> parts;
    for (const auto& parameter : parameters_) {
      parts.push_back((parameter.grad().defined() ? parameter.grad() : torch::zeros_like(parameter)).reshape(-1));
    }
    for (size_t i = 0; i < statistics_.size(); ++i) parts.push_back((statistics_[i] - before_[i]).reshape(-1));
    return (at::cat(parts) * share).cpu();
  }

  void spread(const torch::Tensor& sums) {
    const torch::NoGradGuard no_grad;
    int64_t at = 0;
    const auto next = [&](const torch::Tensor& like) {
      at += like.numel();
      return sums.slice(0, at - like.numel(), at).view(like.sizes()).to(like.device());
    };
    for (auto& parameter : parameters_) {
      const auto sum = next(parameter);
      if (parameter.grad().defined()) parameter.mutable_grad().copy_(sum);
    }
    for (size_t i = 0; i < statistics_.size(); ++i) statistics_[i].copy_(before_[i] + next(before_[i]));
  }

  static GradientOutput sum_of(std::vector<std::string>& notes) {
    GradientOutput sum{0, 0};
    for (auto& note : notes) {
      const auto pairs = torch::from_blob(note.data(), {static_cast<int64_t>(note.size() / 16), 2}, torch::kFloat64);
      for (int64_t i = 0; i < pairs.size(0); ++i) {
        sum.loss += pairs[i][0].item<double>();
        sum.correct += static_cast<int64_t>(pairs[i][1].item<double>());
      }
    }
    return sum;
  }

  const GradientSettings& settings_;
  Ranks& ranks_;
  std::vector<torch::Tensor> parameters_, statistics_, at_start_, before_;
  uint64_t passes_ = 0;
};

/// A row for each image of the batch; zeros where the kept ones do not fit, as AttackRecipe::perturb makes them.
void fit_memory(torch::Tensor& memory, const TrainingBatch& own, int64_t of_batch) {
  auto shape = own.x.sizes().vec();
  shape[0] = of_batch;
  const bool fits = memory.defined() && memory.size(0) >= of_batch && memory.sizes().slice(1) == own.x.sizes().slice(1);
  if (!fits) memory = torch::zeros(shape, own.x.options());
}

}  // namespace

GradientOutput take_gradients(const GradientSettings& settings, TrainingBatch batch, torch::Tensor& memory) {
  torch::manual_seed(settings.dropout.key());
  std::optional<WeightPerturbation> perturbation;
  if (settings.attack) find_perturbed(settings, batch, memory);
  if (settings.awp > 0) {
    perturbation.emplace(settings.model.network(), settings.loss.objective(settings.model, batch).loss, settings.awp);
  }
  return differentiate(settings, batch, memory);
}

GradientOutput take_gradients(const GradientSettings& settings, const TrainingBatch& own, torch::Tensor& memory,
                              const MicroShards& shards) {
  const bool keeps_memory = settings.attack && settings.loss.attack->learn_from != nullptr;
  if (keeps_memory) fit_memory(memory, own, shards.of_batch);
  auto pieces = cut(own, keeps_memory ? memory : torch::Tensor(), shards);
  ShardedPasses passes(settings, shards);
  std::optional<WeightPerturbation> perturbation;
  if (settings.awp > 0) {  // to where the whole batch's loss is higher
    passes.run(pieces, [&](Piece& piece) {
      find_perturbed(settings, piece.batch, piece.memory);
      const LossOutput output = settings.loss.objective(settings.model, piece.batch);
      output.loss.backward();
      piece.batch.x_adv = piece.batch.x_adv.detach();
      return GradientOutput{output.loss.item<double>(), 0};
    });
    perturbation.emplace(settings.model.network(), settings.awp);
  }
  const GradientOutput output = passes.run(pieces, [&](Piece& piece) {
    if (settings.attack && !perturbation) find_perturbed(settings, piece.batch, piece.memory);
    if (keeps_memory) piece.batch.x_adv.requires_grad_(true);
    return differentiate(settings, piece.batch, piece.memory);
  });
  if (keeps_memory) share_rows(memory, own, shards.ranks);
  return output;
}

}  // namespace fercli
