#include "data/batches.hpp"

#include <future>

namespace fercli {

struct EpochBatches::Worker {
  const Dataset& dataset;
  Augmentation augmentation;
  Rng rng;
  EpochPlan plan;
  int64_t next_batch, batches;
  std::vector<int64_t> order;
  std::future<Batch> pending;

  Batch make(int64_t number) const {
    const int64_t all = number * plan.batch_size;
    const int64_t of_batch = std::min(plan.batch_size, static_cast<int64_t>(order.size()) - all);
    const int64_t begin = all + of_batch * plan.part / plan.of, end = all + of_batch * (plan.part + 1) / plan.of;
    const int64_t channels = dataset.channels(), size = dataset.image_size();
    const int64_t window = augmentation.crop > 0 ? augmentation.crop : size;
    Batch batch{torch::empty({end - begin, channels, window, window}),
                torch::empty({end - begin}, torch::kInt64),
                {order.begin() + begin, order.begin() + end},
                begin - all,
                of_batch};
    const auto* images = dataset.images.data_ptr<uint8_t>();
    const auto* labels = dataset.labels.data_ptr<int64_t>();
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = batch.rows[i - begin];
      augment_image(images + row * channels * size * size,
                    batch.x.data_ptr<float>() + (i - begin) * channels * window * window, channels, size, augmentation,
                    rng.split(static_cast<uint64_t>(row)));
      batch.y.data_ptr<int64_t>()[i - begin] = labels[row];
    }
    return batch;
  }

  void start() {
    if (next_batch >= batches) return;
    pending = std::async(std::launch::async, [this, number = next_batch] { return make(number); });
    ++next_batch;
  }
};

int64_t EpochBatches::count(int64_t images, const EpochPlan& plan) {
  return images / plan.batch_size + (images % plan.batch_size >= plan.smallest ? 1 : 0);
}

EpochBatches::EpochBatches(const Dataset& dataset, const Augmentation& augmentation, const Rng& rng,
                           const EpochPlan& plan)
    : worker_(new Worker{dataset,
                         augmentation,
                         rng.split("augment").split(static_cast<uint64_t>(plan.epoch)),
                         plan,
                         plan.first_batch,
                         count(dataset.size(), plan),
                         rng.split("order").split(static_cast<uint64_t>(plan.epoch)).permutation(dataset.size()),
                         {}}) {
  worker_->start();
}

EpochBatches::~EpochBatches() = default;

bool EpochBatches::next(Batch& batch) {
  if (!worker_->pending.valid()) return false;
  batch = worker_->pending.get();
  worker_->start();
  return true;
}

}  // namespace fercli
