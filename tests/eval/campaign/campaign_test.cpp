#include "eval/campaign/campaign.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "core/error.hpp"
#include "core/files.hpp"
#include "eval/attack_evaluation.hpp"
#include "eval/campaign/verdict.hpp"
#include "eval/explanation.hpp"
#include "tests/attacks/linear_network.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/data/sample_data.hpp"

namespace fercli {

namespace {

using test::ScratchFolder;
using test::user_error;
using testing::HasSubstr;

constexpr int64_t kSide = 8, kPixels = kSide * kSide, kImages = 20;

/// Logits v·x + bias, -v·x and -100: with this bias an eps of 1/255 breaks some of the images and leaves others.
Classifier two_sided(float bias = 0.4f) {
  const auto v = torch::arange(kPixels).remainder(2) * 2 - 1;
  const auto weight = torch::stack({v, -v, torch::zeros({kPixels}, torch::kInt64)}).to(torch::kFloat32);
  return test::linear_classifier(weight, torch::tensor({bias, 0.0f, -100.0f}), kSide);
}

Dataset labelled(const Classifier& network, int64_t count = kImages) {
  Dataset data;
  data.name = "blobs";
  data.images = test::test_images(count, kSide, 80, 175);
  data.labels = network.logits(to_float(data.images)).argmax(1);
  data.labels[0] = 1 - data.labels[0];
  data.classes = network.classes();
  data.splits.assign(static_cast<size_t>(count), Split::None);
  for (int64_t i = 0; i < count; ++i) data.ids.push_back(fmt::format("blob-{}", i));
  return data;
}

/// Interrupts a campaign after so many groups of attacks, and counts what it is told.
class Impatient : public Observer {
 public:
  explicit Impatient(int64_t groups) : left_(groups) {}
  void begin(const Work& work) override { all = work.total, moved = work.done, attacks_ = work.unit == "steps"; }
  void advance(int64_t worked, int64_t skipped) override {
    moved += worked + skipped;
    if (attacks_ && worked > 0 && left_-- == 0) throw Interrupted("interrupted");
  }

  int64_t all = 0, moved = 0;

 private:
  int64_t left_;
  bool attacks_ = false;
};

void without_seconds(Ledger& ledger) {
  for (auto& record : ledger.attacks) std::fill(record.seconds.begin(), record.seconds.end(), 0.0);
}

/// The bytes of its file, apart from the seconds.
std::string bytes_of(Ledger ledger, const ScratchFolder& folder) {
  without_seconds(ledger);
  ledger.save(folder / "bytes.ledger");
  return read_file(folder / "bytes.ledger");
}

class CampaignOf : public testing::Test {
 protected:
  CampaignOf() {
    trial_.attacks = {"autoattack"};
    trial_.ladder = parse_ladder("1/255,2/255", Norm::Linf);
    trial_.goal.name = "untargeted";
    trial_.settings.set("steps", 4);
    trial_.settings.set("queries", 300);
  }

  Bench bench() const { return {network_, data_, "digest"}; }

  CampaignOptions keeping(const ScratchFolder& folder) const {
    CampaignOptions options;
    options.state = folder / "campaign.state";
    return options;
  }

  Classifier network_ = two_sided();
  Dataset data_ = labelled(network_);
  Trial trial_;
};

/// Interrupted after each group, with enough steps that each part of the cascade is divided.
class InterruptedAutoAttack : public CampaignOf, public testing::WithParamInterface<Norm> {};

TEST_P(InterruptedAutoAttack, GetsOnEachTimeAndEndsAsAnUndisturbedOne) {
  trial_.norm = GetParam();
  if (trial_.norm == Norm::L2) trial_.ladder = parse_ladder("0.02,0.05", Norm::L2);
  if (trial_.norm == Norm::L1) trial_.ladder = parse_ladder("0.1,0.3", Norm::L1);
  trial_.settings.set("steps", 30);
  data_ = labelled(network_, 8);
  const ScratchFolder folder;
  const auto whole = run_campaign(bench(), trial_);
  ASSERT_GT(whole.attacks[0].legs, 8);
  const auto options = keeping(folder);
  int64_t done = 0, rounds = 0;
  for (bool finished = false; !finished; ++rounds) {
    Impatient observer(0);
    try {
      const auto resumed = run_campaign(bench(), trial_, options, observer);
      finished = true;
      EXPECT_EQ(bytes_of(resumed, folder), bytes_of(whole, folder));
    } catch (const Interrupted& error) {
      EXPECT_THAT(error.what(), HasSubstr("goes on from"));
      const auto kept = Ledger::load(*options.state);
      EXPECT_GT(kept.done(), done);
      done = kept.done();
    }
  }
  EXPECT_GT(rounds, whole.attacks[0].legs);
}

INSTANTIATE_TEST_SUITE_P(Norms, InterruptedAutoAttack, testing::Values(Norm::Linf, Norm::L2, Norm::L1),
                         [](const auto& info) { return std::string(to_string(info.param)); });

TEST_F(CampaignOf, MoreImagesThanAreInHandAtOnceEndAsInShards) {
  constexpr int64_t kMany = 600;
  data_ = labelled(network_, kMany);
  trial_.ladder = {trial_.ladder[0]};
  trial_.settings.set("steps", 2);
  trial_.settings.set("queries", 10);
  const ScratchFolder folder;
  const auto whole = run_campaign(bench(), trial_);
  std::vector<Ledger> shards;
  for (int64_t index = 0; index < 2; ++index) {
    CampaignOptions options;
    options.shard = {index, 2};
    shards.push_back(run_campaign(bench(), trial_, options));
  }
  EXPECT_EQ(bytes_of(Ledger::merge(shards), folder), bytes_of(whole, folder));
  const auto options = keeping(folder);
  Impatient observer(8);
  EXPECT_THROW(run_campaign(bench(), trial_, options, observer), Interrupted);
  const auto kept = Ledger::load(*options.state);
  EXPECT_GT(kept.attacks[0].leg.gt(0).sum().item<int64_t>(), 0);
  EXPECT_TRUE(kept.attacks[0].leg.slice(0, 513).eq(0).all().item<bool>());  // 0 is misclassified, 512 are in hand
  EXPECT_EQ(bytes_of(run_campaign(bench(), trial_, options), folder), bytes_of(whole, folder));
}

TEST_F(CampaignOf, AStateWithACountBeyondTheLastRunIsRefused) {
  trial_.attacks = {"fgsm"};
  const ScratchFolder folder;
  auto ledger = run_campaign(bench(), trial_);
  ledger.attacks[0].settled.fill_(ledger.attacks[0].runs() + 1);
  ledger.save(folder / "beyond.state");
  EXPECT_THAT(user_error([&] { Ledger::load(folder / "beyond.state"); }), HasSubstr("is incomplete"));
}

TEST_F(CampaignOf, ProgressMovesByImageAndLegToItsEnd) {
  Impatient observer(1000);
  const auto ledger = run_campaign(bench(), trial_, {}, observer);
  EXPECT_EQ(observer.all, ledger.steps());
  EXPECT_EQ(observer.all, (kImages - 1) * 2 * ledger.attacks[0].legs);
  EXPECT_EQ(observer.moved, observer.all);
  EXPECT_TRUE(ledger.finished());
}

TEST_F(CampaignOf, AnInterruptedOneReturnsWhatIsFinishedWhereThatIsWanted) {
  trial_.attacks = {"pgd"};
  trial_.ladder = {trial_.ladder[0]};
  CampaignOptions options;
  options.partial = true;
  Impatient observer(0);
  const auto ledger = run_campaign(bench(), trial_, options, observer);
  const auto through = ledger.through().logical_and(ledger.attacked).sum().item<int64_t>();
  EXPECT_GT(through, 0);
  EXPECT_LT(through, kImages - 1);
}

TEST_F(CampaignOf, ImagesInTheSameShardStayThereWhenOthersAreAdded) {
  trial_.attacks = {"fgsm"};
  CampaignOptions options;
  options.shard = {1, 3};
  std::vector<int64_t> some;
  for (int64_t i = 0; i < kImages; i += 2) some.push_back(i);
  const Dataset fewer = data_.select(some);
  std::set<std::string> of_all, of_fewer;
  for (const int64_t row : run_campaign(bench(), trial_, options).rows) of_all.insert(data_.ids[row]);
  for (const int64_t row : run_campaign({network_, fewer}, trial_, options).rows) of_fewer.insert(fewer.ids[row]);
  EXPECT_FALSE(of_fewer.empty());
  EXPECT_TRUE(std::includes(of_all.begin(), of_all.end(), of_fewer.begin(), of_fewer.end()));
}

/// The kinds of trial that shards are tried on.
class ShardsOf : public CampaignOf, public testing::WithParamInterface<const char*> {
 protected:
  ShardsOf() {
    const std::string kind = GetParam();
    trial_.attacks = {"pgd", "autoattack"};
    trial_.settings.set("random-start", true);
    trial_.settings.set("queries", 100);
    if (kind == "l2") trial_.norm = Norm::L2, trial_.ladder = parse_ladder("0.1,0.2", Norm::L2);
    if (kind == "minimum-norm") trial_.attacks = {"fmn", "deepfool"};
    if (kind == "targeted") trial_.goal = parse_emotion_goal("class0-to-class1", data_.classes);
    if (kind == "transfer") trial_.surrogate = {std::make_shared<Classifier>(two_sided()), "surrogate"};
    if (kind == "nearest") trial_.attacks = {"pgd"}, trial_.nearest = true;
  }

  std::vector<Ledger> shards(int64_t of) const {
    std::vector<Ledger> all;
    for (int64_t index = of - 1; index >= 0; --index) {
      CampaignOptions options;
      options.shard = {index, of};
      all.push_back(run_campaign(bench(), trial_, options));
    }
    return all;
  }
};

TEST_P(ShardsOf, MergeToTheBytesOfTheSingleRun) {
  const ScratchFolder folder;
  const std::string single = bytes_of(run_campaign(bench(), trial_), folder);
  EXPECT_EQ(bytes_of(Ledger::merge(shards(1)), folder), single);
  std::vector<Ledger> loaded;
  for (const auto& shard : shards(3)) {
    EXPECT_LT(shard.size(), kImages);
    shard.save(folder / "shard.ledger");
    loaded.push_back(Ledger::load(folder / "shard.ledger"));
  }
  EXPECT_EQ(bytes_of(Ledger::merge(loaded), folder), single);
}

INSTANTIATE_TEST_SUITE_P(Trials, ShardsOf,
                         testing::Values("linf", "l2", "minimum-norm", "targeted", "transfer", "nearest"),
                         [](const auto& info) {
                           std::string name = info.param;
                           name.erase(std::remove(name.begin(), name.end(), '-'), name.end());
                           return name;
                         });

class MergeOf : public CampaignOf {
 protected:
  MergeOf() { trial_.attacks = {"fgsm"}; }

  Ledger shard(int64_t index, int64_t of) const {
    CampaignOptions options;
    options.shard = {index, of};
    return run_campaign(bench(), trial_, options);
  }
};

TEST_F(MergeOf, NamesTheShardThatIsMissingDoubledOrOfAnotherRun) {
  const auto first = shard(0, 3), second = shard(1, 3), third = shard(2, 3);
  EXPECT_THAT(user_error([&] { Ledger::merge({first, third}); }), HasSubstr("shard 2/3 is missing"));
  EXPECT_THAT(user_error([&] {
                Ledger::merge({first, second, third, second});
              }),
              HasSubstr("shard 2/3 is there twice"));
  trial_.seed = 7;
  EXPECT_THAT(user_error([&] {
                Ledger::merge({first, second, shard(2, 3)});
              }),
              HasSubstr("shard 3/3 is of another run, which differs in seed"));
}

TEST_F(MergeOf, RefusesAnUnfinishedShard) {
  CampaignOptions options;
  options.partial = true;
  Impatient observer(0);
  const auto unfinished = run_campaign(bench(), trial_, options, observer);
  EXPECT_THAT(user_error([&] { Ledger::merge({unfinished}); }), HasSubstr("shard 1/1 is not finished"));
}

TEST_F(CampaignOf, AnInterruptedAttackGoesOnToTheOutcomeOfAnUndisturbedOne) {
  const ScratchFolder folder;
  AttackPlan plan;
  plan.goal.name = "untargeted";
  plan.settings.set("steps", 4);
  plan.threat.eps = 2 / 255.0;
  plan.minimal_eps = true;
  std::vector<int64_t> rows;
  for (int64_t row = 0; row < kImages; ++row) rows.push_back(row);
  const auto whole = attack_images(bench(), rows, plan);
  int64_t finished = 0, rounds = 0;
  AttackOutcome resumed;
  do {
    Impatient observer(0);
    resumed = attack_images(bench(), rows, plan, keeping(folder), observer);
    EXPECT_GE(static_cast<int64_t>(resumed.images.size()), finished);
    finished = static_cast<int64_t>(resumed.images.size());
    ASSERT_LT(++rounds, 50);
  } while (!resumed.complete);
  EXPECT_GT(rounds, 2);
  ASSERT_EQ(resumed.images.size(), whole.images.size());
  for (size_t i = 0; i < whole.images.size(); ++i) {
    EXPECT_TRUE(resumed.images[i].adversarial.equal(whole.images[i].adversarial));
    EXPECT_EQ(resumed.images[i].success, whole.images[i].success);
    EXPECT_EQ(resumed.images[i].minimal_eps, whole.images[i].minimal_eps);
  }
  EXPECT_EQ(resumed.forward, whole.forward);
  remove_attack_state(*keeping(folder).state);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

/// The state of a goal that concerns some images holds when others come between them, and speaks of the same images.
TEST_F(CampaignOf, AStateSpeaksOfTheSameImagesWhereverTheyStand) {
  const ScratchFolder folder;
  trial_.attacks = {"fgsm"};
  trial_.goal = {0, 1, "first-to-second"};
  const Ledger before = run_campaign(bench(), trial_, keeping(folder));
  ASSERT_FALSE(before.rows.empty());
  std::vector<int64_t> order;
  for (int64_t row = 0; row < kImages; ++row) {
    if (data_.labels[row].item<int64_t>() != 0) order.push_back(row);
  }
  const auto others = static_cast<int64_t>(order.size());
  order.insert(order.end(), before.rows.begin(), before.rows.end());
  data_ = data_.select(order);
  const Ledger after = run_campaign(bench(), trial_, keeping(folder));
  ASSERT_EQ(after.rows.size(), before.rows.size());
  for (size_t i = 0; i < after.rows.size(); ++i) EXPECT_EQ(after.rows[i], others + static_cast<int64_t>(i));
}

TEST(Campaign, AFixedBudgetSearchesTheNearestSuccessInFloat32WhateverTheNetworksPrecision) {
  const Classifier network = two_sided().with_precision(Precision::BFloat16);
  const Dataset data = labelled(network);
  Trial trial;
  trial.attacks = {"pgd"};
  trial.ladder = {{"1/255", 1 / 255.0}};
  for (const bool nearest : {false, true}) {
    trial.nearest = nearest;
    const Ledger ledger = run_campaign({network, data, {}, {}}, trial);
    EXPECT_EQ(ledger.attacks.front().settings["search_precision"], nearest ? "fp32" : "bf16");
  }
}

TEST(Campaign, WhatBreaksByTransferAloneIsCountedForAStageToo) {
  const Classifier network = two_sided();
  const Dataset data = labelled(network);
  Trial trial;
  trial.attacks = {"fgsm", "autoattack"};
  trial.settings.set("steps", 2).set("queries", 2);
  trial.ladder = {{"2/255", 2 / 255.0}};
  const auto steadfast = std::make_shared<Classifier>(two_sided(8));  // it calls every image class 0
  trial.surrogate = {steadfast, "surrogate"};
  for (const auto& record : run_campaign({network, data, {}, {}}, trial).attacks) {
    const auto broken = record.success().sum().item<int64_t>();
    EXPECT_GT(broken, 0) << record.name;
    int64_t of_stages = 0;
    for (const auto& report : stage_reports(record, trial.ladder)) of_stages += report.broken;
    EXPECT_EQ(of_stages, broken) << record.name;
  }
}

AttackPlan small_fgsm() {
  AttackPlan plan;
  plan.attack = "fgsm";
  plan.threat = {Norm::Linf, 1 / 255.0};
  return plan;
}

std::vector<int64_t> every_row() {
  std::vector<int64_t> rows(kImages);
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

TEST(AttackImages, AnOriginalIsSureByTheRuleThatChoosesIt) {
  const Classifier network = two_sided();
  const Dataset data = labelled(network);
  AttackPlan plan = small_fgsm();
  plan.min_confidence = 0.7;
  const auto chosen = select_images(network, data, plan).confident;
  EXPECT_FALSE(chosen.empty());
  const auto all = every_row();
  std::vector<int64_t> sure;
  const auto outcome = attack_images({network, data, {}, {}}, all, plan);
  for (const int64_t row : all) {
    if (outcome.images[static_cast<size_t>(row)].sure) sure.push_back(row);
  }
  EXPECT_EQ(sure, chosen);
}

TEST(AttackImages, TheSearchForTheSmallestEpsCountsSuccessesUpToItsOwnLimit) {
  const Classifier network = two_sided();
  const Dataset data = labelled(network);
  AttackPlan plan = small_fgsm();
  plan.minimal_eps = true;
  const auto all = every_row();
  const auto outcome = attack_images({network, data, {}, {}}, all, plan);
  int64_t found = 0, inside = 0;
  for (const auto& image : outcome.images) {
    found += std::isfinite(image.minimal_eps.value());
    inside += image.minimal_eps.value() < 1.5 / 255;
  }
  EXPECT_GT(found, inside);
  ASSERT_FALSE(outcome.stages.empty());
  EXPECT_EQ(outcome.stages.back().stage, "smallest eps");
  EXPECT_EQ(outcome.stages.back().broken, found);
}

TEST(JudgeStored, GivesTheAnswersOfTheNetworkToTheImagesThatAPngHolds) {
  const Classifier network = two_sided();
  const auto images = test::test_images(5, kSide, 0, 255);
  const auto logits = network.logits(to_float(images));
  const auto goal = Goal::untargeted(torch::zeros({5}, torch::kInt64));
  const auto verdict = verdict_on_stored(network, images, goal);
  EXPECT_TRUE(verdict.probabilities.equal(logits.to(torch::kFloat64).softmax(1)));
  EXPECT_TRUE(verdict.reached.equal(goal.reached(logits)));
  EXPECT_EQ(verdict_on_stored(network, images.slice(0, 0, 0), Goal::untargeted(torch::zeros({0}, torch::kInt64)))
                .reached.size(0),
            0);
}

}  // namespace

}  // namespace fercli
