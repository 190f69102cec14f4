#include "eval/campaign/logit_store.hpp"

#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "eval/campaign/division.hpp"
#include "models/networks/model.hpp"
#include "tests/attacks/linear_network.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/precompiled_tests.hpp"

namespace fercli::test {

namespace {

/// Counts the images that its network is asked about.
class CountingModel : public Model {
 public:
  explicit CountingModel(std::shared_ptr<const Model> model) : model_(std::move(model)) {}

  bool supports(const Execution& execution) const override { return model_->supports(execution); }

  mutable int64_t asked = 0;

 private:
  std::shared_ptr<const Executor> make_executor(const Execution& execution) const override {
    struct Counting : Executor {
      std::shared_ptr<const Executor> executor;
      int64_t* asked;
      torch::Tensor logits(const torch::Tensor& input) const override {
        *asked += input.size(0);
        return executor->logits(input);
      }
      Pass run(const torch::Tensor& input, bool keep) const override { return executor->run(input, keep); }
    };
    auto counting = std::make_shared<Counting>();
    counting->executor = model_->executor(execution);
    counting->asked = &asked;
    return counting;
  }

  std::shared_ptr<const Model> model_;
};

/// A shard that is made in this folder, or the merge of what is there.
struct FolderDivision : Division {
  explicit FolderDivision(std::filesystem::path place) : folder(std::move(place)) {}
  bool ledgers_only() const override { return true; }
  Ledger run(const Bench&, const Trial&, const CampaignOptions&, Observer&) override { return {}; }
  std::filesystem::path own_parts() const override { return folder; }
  std::vector<std::filesystem::path> made_parts() const override { return {folder}; }
  std::filesystem::path folder;
};

nlohmann::json identity_of(const char* network) {
  return {{"network", network}, {"goal", "x"}};
}

TEST(LogitStore, AMergeAsksTheNetworkOnlyAboutImagesThatNoShardHasSeen) {
  const ScratchFolder scratch;
  const FolderDivision division(scratch / "parts");
  const Classifier plain = confident_cnn(16);
  const auto model = std::make_shared<CountingModel>(plain.model());
  const Classifier counted(model, plain.spec());
  const auto x = to_float(test_images(9, 16, 20, 235));
  LogitStore shard(identity_of("a"));
  const auto seen = shard.before(counted).logits(x.slice(0, 0, 6));
  shard.keep_in(division);

  model->asked = 0;
  LogitStore merge(identity_of("a"));
  merge.take_from(division);
  const auto all = merge.before(counted).logits(x);
  EXPECT_EQ(model->asked, 3);
  EXPECT_TRUE(at::equal(all, plain.logits(x)));
  EXPECT_TRUE(at::equal(all.slice(0, 0, 6), seen));
}

TEST(LogitStore, AShardOfAnotherNetworkIsRefused) {
  const ScratchFolder scratch;
  const FolderDivision division(scratch / "parts");
  LogitStore(identity_of("a")).keep_in(division);
  LogitStore other(identity_of("b"));
  try {
    other.take_from(division);
    FAIL() << "nothing was thrown";
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(), "merge: shard 1 is of another run, which differs in network");
  }
}

}  // namespace

}  // namespace fercli::test
