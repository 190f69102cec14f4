#include "eval/explanation.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "core/numbers.hpp"
#include "core/tensor_list.hpp"
#include "eval/campaign/campaign.hpp"
#include "eval/robustness_summary.hpp"
#include "models/networks/model.hpp"
#include "tests/attacks/linear_network.hpp"

namespace fercli {

namespace {

constexpr int64_t kSide = 8, kImages = 12;

/// Images that went through a network in either direction.
struct Passes {
  int64_t forward = 0, backward = 0;
};

/// Counts at the executor, below all that fercli counts with. An image alone is sent twice.
class CountingExecutor : public Executor {
 public:
  CountingExecutor(std::shared_ptr<const Executor> inner, std::function<Passes&()> book)
      : inner_(std::move(inner)), book_(std::move(book)) {}

  torch::Tensor logits(const torch::Tensor& input) const override {
    book_().forward += images_of(input);
    return inner_->logits(input);
  }

  Pass run(const torch::Tensor& input, bool keep) const override {
    const int64_t images = images_of(input);
    book_().forward += images;
    const Pass pass = inner_->run(input, keep);
    return {pass.logits, [book = book_, images, back = pass.pullback](const torch::Tensor& dlogits) {
              book().backward += images;
              return back(dlogits);
            }};
  }

 private:
  static int64_t images_of(const torch::Tensor& input) {
    return input.size(0) == 2 && input[0].equal(input[1]) ? 1 : input.size(0);
  }

  std::shared_ptr<const Executor> inner_;
  std::function<Passes&()> book_;
};

class CountingModel : public Model {
 public:
  CountingModel(std::shared_ptr<const Model> inner, std::function<Passes&()> book)
      : inner_(std::move(inner)), book_(std::move(book)) {}
  bool supports(const Execution& execution) const override { return inner_->supports(execution); }

 protected:
  std::shared_ptr<const Executor> make_executor(const Execution& execution) const override {
    return std::make_shared<CountingExecutor>(inner_->executor(execution), book_);
  }

 private:
  std::shared_ptr<const Model> inner_;
  std::function<Passes&()> book_;
};

/// Hears which leg of which run is at work.
class Listener : public Observer {
 public:
  void at(const std::string& place) override { place_ = place; }
  Passes& book() { return passes_[place_]; }
  Passes of(const std::string& eps, int64_t begin, int64_t end, int64_t legs) {
    Passes sum;
    for (int64_t leg = begin; leg < end; ++leg) {
      const Passes& one = passes_[fmt::format("{}, {} of {}", eps, leg + 1, legs)];
      sum.forward += one.forward;
      sum.backward += one.backward;
    }
    return sum;
  }

 private:
  std::string place_;
  std::map<std::string, Passes> passes_;
};

class ExplanationOf : public testing::Test {
 protected:
  ExplanationOf() {
    data_.name = "blobs";
    data_.images = test::test_images(kImages, kSide, 0, 255);
    data_.labels = network_.logits(to_float(data_.images)).argmax(1);
    data_.labels[0] = (data_.labels[0].item<int64_t>() + 1) % 7;
    data_.classes = network_.classes();
    data_.splits.assign(kImages, Split::None);
    for (int64_t i = 0; i < kImages; ++i) data_.ids.push_back(fmt::format("blob-{}", i));
    trial_.ladder = parse_ladder("2/255,6/255", Norm::Linf);
    trial_.goal.name = "untargeted";
    trial_.settings.set("steps", 30).set("queries", 150).set("targets", 2);
  }

  Classifier counted(Precision precision) {
    return Classifier(std::make_shared<CountingModel>(network_.model(), [this]() -> Passes& { return heard_.book(); }),
                      network_.spec(), {precision});
  }

  /// The cost of each stage is what went through the executor while its legs ran; the stages end at these legs.
  void expect_counted(const AttackRecord& record, const std::vector<std::pair<std::string, int64_t>>& stage_ends) {
    for (int64_t run = 0; run < 2; ++run) {
      const auto reports = stage_reports(record, trial_.ladder);
      int64_t begin = 0, standing = kImages - 1 - record.broken.lt(run).sum().item<int64_t>();
      for (const auto& [stage, end] : stage_ends) {
        const std::string eps = trial_.ladder[static_cast<size_t>(run)].text;
        const auto passes = heard_.of(record.name + " " + eps, begin, end, record.legs);
        const auto report = std::find_if(reports.begin(), reports.end(), [&, name = stage](const StageReport& one) {
          return one.stage == name && one.eps == eps;
        });
        begin = end;
        if (report == reports.end()) {
          EXPECT_EQ(passes.forward, 0) << stage << " " << eps;
          continue;
        }
        EXPECT_EQ(report->forward, passes.forward) << stage << " " << eps;
        EXPECT_EQ(report->backward, passes.backward) << stage << " " << eps;
        EXPECT_EQ(report->images, standing) << stage << " " << eps;
        EXPECT_DOUBLE_EQ(report->forward_each() * static_cast<double>(standing), static_cast<double>(passes.forward));
        standing -= report->broken;
      }
      EXPECT_EQ(standing, kImages - 1 - record.broken.le(run).sum().item<int64_t>());
    }
  }

  Classifier network_ = test::confident_cnn(kSide);
  Dataset data_;
  Trial trial_;
  Listener heard_;
};

TEST_F(ExplanationOf, AutoAttackCountsWhatEachStagePutThroughTheNetwork) {
  trial_.attacks = {"autoattack"};
  for (const Precision precision : {Precision::Float32, Precision::BFloat16}) {
    heard_ = {};
    trial_.settings.batch_size = precision == Precision::Float32 ? 64 : 3;
    const Classifier network = counted(precision);
    trial_.settings.batch_size = precision == Precision::Float32 ? 64 : 3;
    const auto ledger = run_campaign({network, data_, "digest"}, trial_, {}, heard_);
    const auto& record = ledger.attacks[0];
    // 30 steps of APGD are two legs; each of two targets has its own.
    const int64_t fab = make_attack("fab-t", trial_.settings, Norm::Linf, false)->legs(Norm::Linf, false, 7);
    expect_counted(record, {{"apgd-ce", 2}, {"apgd-t", 6}, {"fab-t", 6 + fab}, {"square", record.legs}});
    EXPECT_GT(record.success().sum().item<int64_t>(), 0);
    EXPECT_LT(record.success().sum().item<int64_t>(), kImages - 1);
  }
}

TEST_F(ExplanationOf, TheCountsOfShardsAddUpToThoseOfTheWhole) {
  trial_.attacks = {"autoattack", "pgd"};
  trial_.settings.set("steps", 5);
  const auto whole = run_campaign({network_, data_, "digest"}, trial_);
  std::vector<Ledger> shards;
  for (int64_t index = 0; index < 3; ++index) {
    CampaignOptions options;
    options.shard = {index, 3};
    shards.push_back(run_campaign({network_, data_, "digest"}, trial_, options));
  }
  const auto merged = Ledger::merge(shards);
  for (size_t a = 0; a < 2; ++a) {
    const auto one = stage_reports(whole.attacks[a], trial_.ladder),
               sum = stage_reports(merged.attacks[a], trial_.ladder);
    using Reports = std::vector<StageReport>;
    EXPECT_EQ(Shape<Reports>::write(one), Shape<Reports>::write(sum));
    for (size_t run = 0; run < 2; ++run) {
      int64_t forward = 0, backward = 0;
      for (const auto& report : sum) {
        forward += report.eps == trial_.ladder[run].text ? report.forward : 0;
        backward += report.eps == trial_.ladder[run].text ? report.backward : 0;
      }
      EXPECT_EQ(forward, merged.attacks[a].forward[run]);
      EXPECT_EQ(backward, merged.attacks[a].backward[run]);
    }
  }
}

TEST_F(ExplanationOf, AMinimumNormAttackHasOneRunAtTheLargestEps) {
  trial_.norm = Norm::L2;
  trial_.attacks = {"ddn"};
  trial_.ladder = parse_ladder("0.1,5", Norm::L2);
  const auto ledger = run_campaign({network_, data_, "digest"}, trial_);
  const auto reports = stage_reports(ledger.attacks[0], trial_.ladder);
  ASSERT_EQ(reports.size(), 1);
  EXPECT_EQ(reports[0].eps, "5");
  EXPECT_EQ(reports[0].images, kImages - 1);
  EXPECT_EQ(reports[0].broken, ledger.attacks[0].success().sum().item<int64_t>());
}

TEST_F(ExplanationOf, TheSearchForTheSmallestEpsIsOneStageOfItsOwn) {
  trial_.attacks = {"pgd"};
  trial_.nearest = true;
  trial_.settings.set("steps", 3);
  const Classifier network = counted(Precision::Float32);
  const auto ledger = run_campaign({network, data_, "digest"}, trial_, {}, heard_);
  const auto reports = stage_reports(ledger.attacks[0], trial_.ladder);
  ASSERT_EQ(reports.size(), 1);
  EXPECT_EQ(reports[0].stage, "smallest eps");
  heard_.at("pgd");
  EXPECT_EQ(reports[0].forward, heard_.book().forward);
  EXPECT_EQ(reports[0].backward, heard_.book().backward);
}

/// The definition, by the curves: the area between 1 and the robust accuracy, from 0 to where the best leaves nothing.
double area_by_curve(const std::vector<double>& distances, double most) {
  std::set<double> ends{0, most};
  for (const double distance : distances) {
    if (distance < most) ends.insert(distance);
  }
  double area = 0;
  for (auto begin = ends.begin(), end = std::next(begin); end != ends.end(); ++begin, ++end) {
    const auto broken =
        std::count_if(distances.begin(), distances.end(), [&](double distance) { return distance <= *begin; });
    area += static_cast<double>(broken) / static_cast<double>(distances.size()) * (*end - *begin);
  }
  return area;
}

TEST(LocalOptimality, IsTheShareOfTheAreaThatTheBestOfAllTakes) {
  auto rng = Rng(5);
  for (int round = 0; round < 20; ++round) {
    const int64_t images = 2 + rng.below(30), attacks = 2 + rng.below(4);
    std::vector<std::vector<double>> distances(static_cast<size_t>(attacks));
    std::vector<double> best(static_cast<size_t>(images), kInfinity);
    for (auto& of_attack : distances) {
      for (int64_t i = 0; i < images; ++i) {
        of_attack.push_back(i > 0 && rng.chance(0.2) ? kInfinity : rng.uniform(0.1, 3));
        best[static_cast<size_t>(i)] = std::min(best[static_cast<size_t>(i)], of_attack.back());
      }
    }
    const auto unbroken = std::count(best.begin(), best.end(), kInfinity);
    double most = 0;
    for (const double distance : best) most = std::isfinite(distance) ? std::max(most, distance) : most;
    const auto found = local_optimality(distances);
    ASSERT_EQ(found.size(), distances.size());
    for (size_t a = 0; a < distances.size(); ++a) {
      EXPECT_NEAR(found[a].value, area_by_curve(distances[a], most) / area_by_curve(best, most), 1e-9);
      EXPECT_EQ(found[a].n, images - unbroken);
      EXPECT_LE(found[a].interval.low, found[a].value);
      EXPECT_GE(found[a].interval.high, found[a].value);
    }
  }
}

TEST(LocalOptimality, HasKnownAnswers) {
  const auto two = local_optimality({{1, 2, 3, kInfinity}, {2, 1, kInfinity, kInfinity}});
  EXPECT_DOUBLE_EQ(two[0].value, 0.75);  // best 1, 1, 3: (2 + 1 + 0) / (2 + 2 + 0)
  EXPECT_DOUBLE_EQ(two[1].value, 0.75);
  EXPECT_EQ(two[0].n, 3);
  const auto same = local_optimality({{1, 2, 4}, {1, 2, 4}, {kInfinity, kInfinity, kInfinity}});
  EXPECT_EQ(same[0].value, 1);
  EXPECT_EQ(same[0].interval.low, 1);
  EXPECT_EQ(same[1].interval.high, 1);
  EXPECT_EQ(same[2].value, 0);
  EXPECT_TRUE(std::isnan(local_optimality({{2, 2}, {3, 2}})[0].value));
  EXPECT_EQ(local_optimality({{kInfinity}, {kInfinity}})[0].n, 0);
}

TEST(LocalOptimality, TheIntervalOfManyDrawnImagesHoldsTheValueOfMore) {
  const auto drawn = [](uint64_t seed, int64_t images) {
    auto rng = Rng(seed);
    std::vector<std::vector<double>> distances(2);
    for (int64_t i = 0; i < images; ++i) {
      distances[0].push_back(rng.uniform(0, 1));
      distances[1].push_back(std::min(1.0, distances[0].back() * rng.uniform(1, 1.5)));
    }
    return local_optimality(distances)[1];
  };
  const double truth = drawn(1, 5000).value;
  int held = 0;
  for (uint64_t seed = 2; seed < 42; ++seed) {
    const auto metric = drawn(seed, 100);
    held += metric.interval.low <= truth && truth <= metric.interval.high;
    EXPECT_LT(metric.interval.high - metric.interval.low, 0.2);
  }
  EXPECT_GE(held, 34);  // of 40 at 95 %: fewer with a probability below 0.01
}

TEST_F(ExplanationOf, OptimalityIsOfTheRightlyClassifiedImagesAgainstTheBestOfAllAttacks) {
  trial_.norm = Norm::L2;
  trial_.ladder = parse_ladder("3", Norm::L2);
  trial_.settings.set("steps", 8);
  trial_.attacks = {"ddn", "pgd"};
  EXPECT_TRUE(optimality_of(run_campaign({network_, data_, "digest"}, trial_)).empty());
  trial_.attacks = {"ddn", "pgd", "fmn"};
  const auto ledger = run_campaign({network_, data_, "digest"}, trial_);
  const auto entries = optimality_of(ledger);
  ASSERT_EQ(entries.size(), 2);
  EXPECT_EQ(entries[1].attack, "fmn");
  std::vector<std::vector<double>> distances;
  std::vector<double> best(kImages - 1, kInfinity);
  for (const auto& record : ledger.attacks) {
    distances.push_back(list_of<double>(record.distance.slice(0, 1)));  // the first image is misclassified
    for (size_t i = 0; i < best.size(); ++i) best[i] = std::min(best[i], distances.back()[i]);
  }
  double most = 0;
  for (const double distance : best) most = std::isfinite(distance) ? std::max(most, distance) : most;
  for (const size_t a : {0, 2}) {
    EXPECT_NEAR(entries[a / 2].optimality.value, area_by_curve(distances[a], most) / area_by_curve(best, most), 1e-9);
  }
  Result result;
  result.add_model({{"model", "net"}});
  result.per_image.resize(kImages);
  add_robustness(result, {trial_, ledger}, data_.classes);
  EXPECT_EQ(metric_from_json(result.tables.at("optimality").at(1).at("optimality")).value, entries[1].optimality.value);
  EXPECT_EQ(result.tables.at("stages").at(0).at("attack"), "ddn");
}

}  // namespace

}  // namespace fercli
