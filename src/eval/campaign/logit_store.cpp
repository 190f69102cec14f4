#include "eval/campaign/logit_store.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/container.hpp"
#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/files.hpp"
#include "core/json_text.hpp"
#include "eval/campaign/division.hpp"
#include "models/networks/model.hpp"

namespace fercli {

namespace {

constexpr const char* kLogitsKind = "logits";
constexpr const char* kLogitsFile = "known.logits";

std::string input_digest(const torch::Tensor& row) {
  const auto plain = row.to(torch::kFloat32).contiguous();
  return Digest().add(plain.data_ptr(), plain.nbytes()).hex();
}

}  // namespace

struct LogitStore::Contents {
  nlohmann::json identity;
  std::map<std::string, torch::Tensor> known;  ///< by the digest of a network's input: (K) float32
};

namespace {

using KnownLogits = std::map<std::string, torch::Tensor>;

class RememberingExecutor : public Executor {
 public:
  RememberingExecutor(std::shared_ptr<const Executor> executor, std::shared_ptr<KnownLogits> known)
      : executor_(std::move(executor)), known_(std::move(known)) {}

  torch::Tensor logits(const torch::Tensor& input) const override {
    std::vector<std::string> digests;
    std::vector<int64_t> unknown;
    for (int64_t i = 0; i < input.size(0); ++i) {
      digests.push_back(input_digest(input[i]));
      if (known_->count(digests.back()) == 0) unknown.push_back(i);
    }
    ask_about(input, digests, unknown);
    std::vector<torch::Tensor> logits;
    logits.reserve(digests.size());
    for (const auto& digest : digests) logits.push_back(known_->at(digest));
    return torch::stack(logits);
  }

  Pass run(const torch::Tensor&, bool) const override { throw std::logic_error("what is remembered has no gradient"); }

 private:
  void ask_about(const torch::Tensor& input, const std::vector<std::string>& digests, std::vector<int64_t> rows) const {
    if (rows.empty()) return;
    if (rows.size() == 1) rows.push_back(rows.front());  // two at least, as an Executor wants
    const auto logits = executor_
                            ->logits(input.index_select(0, torch::tensor(rows, torch::kInt64).to(input.device()))
                                         .contiguous(torch::MemoryFormat::ChannelsLast))
                            .cpu();
    for (size_t i = 0; i < rows.size(); ++i) {
      known_->emplace(digests[static_cast<size_t>(rows[i])], logits[static_cast<int64_t>(i)].clone());
    }
  }

  std::shared_ptr<const Executor> executor_;
  std::shared_ptr<KnownLogits> known_;
};

class RememberingModel : public Model {
 public:
  RememberingModel(std::shared_ptr<const Model> model, std::shared_ptr<KnownLogits> known)
      : model_(std::move(model)), known_(std::move(known)) {}

  bool supports(const Execution& execution) const override { return execution.precision == Precision::Float32; }

 private:
  std::shared_ptr<const Executor> make_executor(const Execution& execution) const override {
    return std::make_shared<RememberingExecutor>(model_->executor(execution), known_);
  }

  std::shared_ptr<const Model> model_;
  std::shared_ptr<KnownLogits> known_;
};

}  // namespace

LogitStore::LogitStore(nlohmann::json identity) : contents_(new Contents{std::move(identity), {}}) {}

LogitStore::~LogitStore() = default;

Classifier LogitStore::before(const Classifier& classifier) const {
  const std::shared_ptr<KnownLogits> known(contents_, &contents_->known);
  const auto model = std::make_shared<RememberingModel>(classifier.model(), known);
  Execution execution = classifier.execution();
  execution.precision = Precision::Float32;  // alone: the network's verdict
  return Classifier(model, classifier.spec(), execution).with_tta(classifier.tta());
}

void LogitStore::take_from(const Division& division) {
  int64_t shard = 0;
  for (const auto& folder : division.made_parts()) {
    ++shard;
    const Container file = load_container(folder / kLogitsFile, kLogitsKind);
    const auto different = differing_keys(file.header, contents_->identity);
    if (!different.empty()) {
      throw UserError(
          fmt::format("merge: shard {} is of another run, which differs in {}", shard, fmt::join(different, ", ")));
    }
    add(file, folder / kLogitsFile);
  }
}

void LogitStore::add(const Container& file, const std::filesystem::path& path) {
  const auto inputs = file.tensors.find("inputs"), logits = file.tensors.find("logits");
  const bool fits = inputs != file.tensors.end() && logits != file.tensors.end() && inputs->second.dim() == 2 &&
                    logits->second.dim() == 2 && inputs->second.scalar_type() == torch::kUInt8 &&
                    logits->second.scalar_type() == torch::kFloat32 && inputs->second.size(0) == logits->second.size(0);
  if (!fits) throw UserError(fmt::format("{}: is damaged", path.string()));
  for (int64_t i = 0; i < inputs->second.size(0); ++i) {
    const auto row = inputs->second[i];
    const std::string digest(reinterpret_cast<const char*>(row.data_ptr<uint8_t>()), static_cast<size_t>(row.numel()));
    contents_->known[digest] = logits->second[i];
  }
}

void LogitStore::keep_in(const Division& division) const {
  std::string digests;
  std::vector<torch::Tensor> logits;
  for (const auto& [digest, values] : contents_->known) {
    digests += digest;
    logits.push_back(values);
  }
  const auto count = static_cast<int64_t>(logits.size());
  Container file{kLogitsKind, contents_->identity, {}};
  file.tensors["inputs"] =
      torch::from_blob(digests.data(), {count, count == 0 ? 0 : static_cast<int64_t>(digests.size()) / count},
                       torch::kUInt8)
          .clone();
  file.tensors["logits"] = count == 0 ? torch::empty({0, 0}) : torch::stack(logits);
  make_folder(division.own_parts());
  save_container(file, division.own_parts() / kLogitsFile);
}

}  // namespace fercli
