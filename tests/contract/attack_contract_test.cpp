// What every registered attack promises, for every norm and kind of goal it knows.
#include "attacks/engine/attack.hpp"
#include "attacks/engine/findings.hpp"
#include "models/networks/network.hpp"

#include <ATen/Parallel.h>

#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "core/error.hpp"
#include "tests/attacks/linear_network.hpp"

namespace fercli::test {

namespace {

constexpr int64_t kImages = 9, kSide = 16;

struct Case {
  std::string attack;
  Norm norm;
  bool targeted;
};

/// The cascade stands for itself in one norm; its parts are here in all of theirs.
bool only_a_cascade(const AttackEntry& entry, Norm norm) {
  const bool targeted = !entry.untargeted;
  return norm != Norm::Linf && make_attack(entry.name, {}, norm, targeted)->stages().size() > 1;
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const auto& entry : Registry<AttackEntry>::instance().all()) {
    for (const Norm norm : entry.norms) {
      if (only_a_cascade(entry, norm)) continue;
      if (entry.untargeted) cases.push_back({entry.name, norm, false});
      if (entry.targeted) cases.push_back({entry.name, norm, true});
    }
  }
  return cases;
}

class AttackContract : public testing::TestWithParam<Case> {
 protected:
  /// Small enough that some images stay unsolved, large enough that some are solved.
  ThreatModel threat() const {
    switch (GetParam().norm) {
      case Norm::Linf:
        return {Norm::Linf, 6 / 255.0};
      case Norm::L2:
        return {Norm::L2, 0.3};
      case Norm::L1:
        return {Norm::L1, 2.5};
      case Norm::L0:
        return {Norm::L0, 9};
    }
    return {};
  }

  std::unique_ptr<Attack> attack(const AttackSettings& settings) const {
    return make_attack(GetParam().attack, settings, GetParam().norm, GetParam().targeted);
  }

  AttackSettings settings() const {
    AttackSettings settings;
    settings.set("steps", 3);
    settings.set("restarts", 2);
    settings.set("queries", 20);
    settings.set("targets", 2);
    return settings;
  }

  AttackResult run(const AttackInput& input, const AttackSettings& settings) const {
    return attack(settings)->run(classifier_, threat(), input, Rng(7));
  }

  AttackInput input() const { return make_input(classifier_, images_, GetParam().targeted); }

  struct PlainRun {
    AttackResult result;
    int64_t forwards, backwards;  ///< what the classifier counted meanwhile
    bool left_weights;            ///< as they were, and without gradients
  };

  PlainRun run_plainly() const {
    std::vector<torch::Tensor> before;
    for (const auto& parameter : classifier_.network()->parameters()) before.push_back(parameter.clone());
    const auto in = input();
    const int64_t forwards = classifier_.forwards(), backwards = classifier_.backwards();
    const auto result = run(in, settings());
    PlainRun plain{result, classifier_.forwards() - forwards, classifier_.backwards() - backwards, true};
    size_t i = 0;
    for (const auto& parameter : classifier_.network()->parameters())
      plain.left_weights &= parameter.equal(before[i++]) && !parameter.grad().defined();
    return plain;
  }

  /// The run of `input()` with `settings()`, which several tests look at; once for a case.
  const PlainRun& plain_run() const {
    static std::map<std::string, PlainRun> runs;
    const auto key = fmt::format("{} {} {}", GetParam().attack, to_string(GetParam().norm), GetParam().targeted);
    const auto known = runs.find(key);
    return known != runs.end() ? known->second : runs.emplace(key, run_plainly()).first->second;
  }
  const AttackResult& plain_result() const { return plain_run().result; }

  /// The same for all tests.
  static Classifier network() {
    static const Classifier classifier = confident_cnn(kSide);
    return classifier;
  }

  Classifier classifier_ = network();
  torch::Tensor images_ = test_images(kImages, kSide, 0, 255);
};

AttackInput select(const AttackInput& input, const std::vector<int64_t>& rows) {
  const auto places = torch::tensor(rows, torch::kInt64);
  std::vector<int64_t> index;
  for (const int64_t row : rows) index.push_back(input.index[static_cast<size_t>(row)]);
  return {input.x.index_select(0, places), input.goal.select(places), index};
}

void expect_same(const AttackResult& result, const AttackResult& part, const std::vector<int64_t>& rows) {
  const auto places = torch::tensor(rows, torch::kInt64);
  EXPECT_TRUE(result.x_adv.index_select(0, places).equal(part.x_adv));
  EXPECT_TRUE(result.logits.index_select(0, places).equal(part.logits));
  EXPECT_TRUE(result.success.index_select(0, places).equal(part.success));
  EXPECT_TRUE(result.float_success.index_select(0, places).equal(part.float_success));
  EXPECT_TRUE(result.distance.index_select(0, places).equal(part.distance));
}

TEST_P(AttackContract, StaysInsideTheBallOnThePixelGridAndInTheUnitRange) {
  const auto in = input();
  const auto& result = plain_result();
  EXPECT_GE(result.x_adv.min().item<float>(), 0);
  EXPECT_LE(result.x_adv.max().item<float>(), 1);
  EXPECT_LE(row_norms(result.x_adv - in.x, GetParam().norm).max().item<double>(), threat().eps + 1e-6);
  EXPECT_TRUE(result.x_adv.equal(to_float((result.x_adv * 255).round().to(torch::kUInt8))));
  EXPECT_TRUE(result.distance.equal(distances(result.x_adv, in.x, GetParam().norm, /*pixel_grid=*/true)));
}

TEST_P(AttackContract, StaysInsideTheBallOffThePixelGrid) {
  auto off_grid = settings();
  off_grid.pixel_grid = false;
  const auto in = select(input(), {0, 3, 4, 8});
  const auto result = run(in, off_grid);
  EXPECT_GE(result.x_adv.min().item<float>(), 0);
  EXPECT_LE(result.x_adv.max().item<float>(), 1);
  EXPECT_LE(row_norms(result.x_adv - in.x, GetParam().norm).max().item<double>(), threat().eps + 1e-6);
  EXPECT_TRUE(result.success.equal(result.float_success));
}

TEST_P(AttackContract, ARunMayStopBetweenTwoLegsEachImageForItself) {
  const auto attack = this->attack(settings());
  const std::vector<int64_t> rows{4, 7};
  const auto in = select(input(), rows);
  const int64_t classes = classifier_.classes().size();
  Findings kept = Findings::none(in.x, classes);
  for (int64_t leg = 0; leg < attack->legs(GetParam().norm, GetParam().targeted, classes); ++leg) {
    for (int64_t row = 0; row < in.x.size(0); ++row) {
      const auto place = torch::tensor({row});
      Findings one = kept.select(place);
      attack->run_leg(leg, classifier_, threat(), select(in, {row}), Rng(7), one);
      kept.put(place, one);
    }
  }
  expect_same(plain_result(), attack_result(kept, in.x, GetParam().norm, /*pixel_grid=*/true, 0, 0), rows);
}

TEST_P(AttackContract, SuccessIsTheGoalReachedByTheFloat32Network) {
  const auto in = input();
  const auto& result = plain_result();
  EXPECT_TRUE(result.logits.equal(classifier_.logits(result.x_adv)));
  EXPECT_TRUE(result.success.equal(in.goal.reached(result.logits)));
  EXPECT_FALSE(result.success.logical_and(result.float_success.logical_not()).any().item<bool>());
}

TEST_P(AttackContract, ASearchInBFloat16ClaimsOnlyWhatFloat32Confirms) {
  const auto in = select(input(), {0, 3, 4, 8});
  const auto result = attack(settings())->run(classifier_.with_precision(Precision::BFloat16), threat(), in, Rng(7));
  EXPECT_TRUE(result.logits.equal(classifier_.logits(result.x_adv)));
  EXPECT_TRUE(result.success.equal(in.goal.reached(classifier_.logits(result.x_adv))));
}

TEST_P(AttackContract, BatchSizeChangesNoBit) {
  auto single = settings();
  single.batch_size = 1;
  auto five = settings();
  five.batch_size = 5;
  const auto in = input();
  std::vector<int64_t> rows(kImages);
  std::iota(rows.begin(), rows.end(), 0);
  expect_same(plain_result(), run(in, five), rows);
  const std::vector<int64_t> some{4, 8};
  expect_same(plain_result(), run(select(in, some), single), some);
}

TEST_P(AttackContract, OrderAndCompanyChangeNoBit) {
  const auto in = input();
  for (const std::vector<int64_t>& rows :
       {std::vector<int64_t>{8, 3, 0, 5}, std::vector<int64_t>{7, 2}}) {  // one alone: BatchSizeChangesNoBit
    expect_same(plain_result(), run(select(in, rows), settings()), rows);
  }
}

TEST_P(AttackContract, ThreadsChangeNoBit) {
  const std::vector<int64_t> rows{0, 1, 2};
  const auto in = select(input(), rows);
  auto brief = settings();  // threads that share a busy core wait for each other in every operation
  brief.set("steps", 2);
  brief.set("restarts", 1);
  brief.set("queries", 8);
  brief.set("targets", 1);
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const auto one = run(in, brief);
  at::set_num_threads(2);
  const auto two = run(in, brief);
  at::set_num_threads(before);
  expect_same(one, two, rows);
}

TEST_P(AttackContract, AnEpsPerImageIsKeptAndEqualsRunningAlone) {
  const auto in = select(input(), {2, 4, 7});
  const double unit = threat().eps / 3;
  auto per_image = threat();
  per_image.eps_per_image = torch::arange(1, 4, torch::kFloat64) * unit;
  const auto together = attack(settings())->run(classifier_, per_image, in, Rng(7));
  EXPECT_TRUE(together.distance.le(per_image.eps_per_image + 1e-6).all().item<bool>());
  const auto alone = attack(settings())->run(classifier_, {GetParam().norm, 2 * unit}, select(in, {1}), Rng(7));
  expect_same(together, alone, {1});
}

TEST_P(AttackContract, ImagesAlreadyInTheGoalAreSuccessesAtDistanceZero) {
  auto in = input();
  const auto y = classifier_.logits(in.x).argmax(1);
  in.goal = GetParam().targeted ? Goal::targeted(y) : Goal::untargeted((y + 1).remainder(7));
  const auto result = run(in, settings());
  EXPECT_TRUE(result.success.all().item<bool>());
  EXPECT_EQ(result.distance.max().item<double>(), 0);
  EXPECT_EQ(result.backward, 0);
}

TEST_P(AttackContract, MoreEpsFromTheSmallerSolutionLosesNothing) {
  auto in = input();
  const auto& small = plain_result();
  in.start = small.x_adv;
  auto wide = threat();
  wide.eps *= 2;
  const auto large = attack(settings())->run(classifier_, wide, in, Rng(7));
  if (GetParam().attack == "fgsm") return;  // one step from the original, wherever it is told to start
  EXPECT_FALSE(small.success.logical_and(large.success.logical_not()).any().item<bool>());
}

TEST_P(AttackContract, LeavesTheWeightsAsTheyWere) {
  EXPECT_TRUE(plain_run().left_weights);
}

TEST_P(AttackContract, CountsItsNetworkPasses) {
  EXPECT_EQ(plain_result().forward, plain_run().forwards);
  EXPECT_EQ(plain_result().backward, plain_run().backwards);
  EXPECT_GT(plain_result().forward, 0);
}

TEST_P(AttackContract, NoImagesGiveAnEmptyResult) {
  const auto result = run(select(input(), {}), settings());
  EXPECT_EQ(result.x_adv.size(0), 0);
  EXPECT_EQ(result.success.size(0), 0);
}

void expect_rejected(const std::function<void()>& act, const std::string& part) {
  try {
    act();
    FAIL() << "accepted, though it should say: " << part;
  } catch (const UserError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr(part));
  }
}

TEST_P(AttackContract, RejectsWhatMakesNoSense) {
  const auto in = input();
  const auto attempt = [&](const ThreatModel& threat, const AttackInput& bad) {
    return [this, threat, bad] { attack(settings())->run(classifier_, threat, bad, Rng(7)); };
  };
  expect_rejected(attempt({GetParam().norm, 0}, in), "eps 0: must be above 0");
  expect_rejected(attempt({GetParam().norm, -1}, in), "must be above 0");
  expect_rejected(attempt({Norm::Linf, 1.5}, in), "must be in (0, 1] in Linf");
  auto bright = in;
  bright.x = in.x * 255;
  expect_rejected(attempt(threat(), bright), "pixels must lie in [0,1]");
  auto between = in;
  between.x = (in.x * 0.5).clamp_min(0.1 / 255);
  expect_rejected(attempt(threat(), between), "multiples of 1/255");
  auto foreign = in;
  foreign.goal = Goal::targeted(torch::full({kImages}, 7, torch::kInt64));
  expect_rejected(attempt(threat(), foreign), "labels must be 0 to 6");
  auto few = in;
  few.index.pop_back();
  expect_rejected(attempt(threat(), few), "N goals and N index numbers");
}

/// Another value than the default.
std::string another_value(const Parameter& parameter) {
  switch (parameter.kind) {
    case Parameter::Kind::Flag:
      return parameter.initial == "true" ? "false" : "true";
    case Parameter::Kind::Choice:
      for (const auto& choice : parameter.choices) {
        if (choice != parameter.initial) return choice;
      }
      return parameter.initial;
    case Parameter::Kind::Whole:
      return parameter.initial == "3" ? "4" : "3";
    case Parameter::Kind::Number:
      break;
  }
  const double high = std::min(parameter.range.high, parameter.range.low + 1);
  return fmt::format("{}", parameter.range.low + 0.37 * (high - parameter.range.low));
}

TEST(AttackParameterContract, EveryParameterIsDescribedWithItsValue) {
  for (const auto& entry : Registry<AttackEntry>::instance().all()) {
    const Norm norm = entry.norms.front();
    const auto description = [&](const AttackSettings& settings) {
      return make_attack(entry.name, settings, norm, !entry.untargeted)->describe({norm, 0.1});
    };
    for (const auto& parameter : parameters_in(entry, norm)) {
      const auto other = another_value(parameter);
      if (other == parameter.initial) continue;
      AttackSettings changed;
      changed.own[entry.name][parameter.name] = other;
      EXPECT_NE(description(changed).value(parameter.json_name(), nlohmann::json()),
                description({}).value(parameter.json_name(), nlohmann::json()))
          << entry.name << " " << parameter.name << " " << other;
      EXPECT_FALSE(parameter.help.empty()) << entry.name << " " << parameter.name;
    }
  }
}

TEST(AttackParameterContract, TheConfidenceAtWhichASearchMayEndIsDescribed) {
  for (const auto& entry : Registry<AttackEntry>::instance().all()) {
    const auto description = [&](double confidence) {
      AttackSettings settings;
      settings.nearest = false;
      settings.confidence = confidence;
      return make_attack(entry.name, settings, entry.norms.front(), !entry.untargeted)
          ->describe({entry.norms.front(), 0.1});
    };
    EXPECT_NE(description(0.5), description(0.9)) << entry.name;
  }
}

TEST(AttackParameterContract, EveryParameterChangesTheSearchOfSomeImage) {
  const Classifier classifier = confident_cnn(kSide);
  for (const auto& entry : Registry<AttackEntry>::instance().all()) {
    const Norm norm = entry.norms.front();
    const auto input = make_input(classifier, test_images(2, kSide, 0, 255), !entry.untargeted);
    const bool follows_successes =
        make_attack(entry.name, {}, norm, !entry.untargeted)->minimum_norm() && entry.access == Access::Gradients;
    const auto search = [&](Given own, const std::function<void(double)>& see) {
      AttackSettings settings;
      // What follows a success needs more steps than one takes.
      settings.set("steps", follows_successes ? 16 : 4).set("queries", 60).set("targets", 2);
      settings.own[entry.name] = std::move(own);
      settings.trace = [&](const torch::Tensor&, const torch::Tensor& shown, const torch::Tensor& logits) {
        see(shown.to(torch::kFloat64).square().sum().item<double>() +
            logits.to(torch::kFloat64).square().sum().item<double>());
      };
      const double eps = norm == Norm::L0 ? 20 : norm == Norm::L1 ? 2.5 : norm == Norm::L2 ? 0.3 : 6 / 255.0;
      make_attack(entry.name, settings, norm, !entry.untargeted)->run(classifier, {norm, eps}, input, Rng(7));
    };
    const auto way_of = [&](const Given& own) {
      std::vector<double> sums;
      search(own, [&](double sum) { sums.push_back(sum); });
      return sums;
    };
    const auto goes_another_way = [&](const Given& own, const std::vector<double>& usual) {
      struct AnotherWay {};  // ends the search
      size_t place = 0;
      try {
        search(own, [&](double sum) {
          if (place == usual.size() || usual[place++] != sum) throw AnotherWay{};
        });
      } catch (const AnotherWay&) {
        return true;
      }
      return place != usual.size();
    };
    const auto usual = way_of({});
    EXPECT_FALSE(goes_another_way({}, usual)) << entry.name;
    for (const auto& parameter : parameters_in(entry, norm)) {
      // So few steps have no interval in which rho decides, the first success may be a confident one, and patience
      // decides about few images (autoattack_fast_test.cpp).
      const auto other = another_value(parameter);
      const std::set<std::string> elsewhere{"rho", "confidence", "patience"};
      if (other == parameter.initial || elsewhere.count(parameter.name) > 0) continue;
      Given own;
      if (parameter.name == "spread") own["neighbours"] = "2";              // means nothing without them
      if (parameter.name.rfind("long-", 0) == 0) own["patience"] = "1000";  // for every image that is left
      if (parameter.name == "long-runs") own["long-steps"] = "1";           // so that some are
      const auto without = own.empty() ? usual : way_of(own);
      own[parameter.name] = other;
      EXPECT_TRUE(goes_another_way(own, without)) << entry.name << " " << parameter.name << " " << other;
    }
  }
}

TEST(AttackParameterContract, UnknownParametersAndWrongValuesAreRefusedWithWhatIsAllowed) {
  for (const auto& entry : Registry<AttackEntry>::instance().all()) {
    const auto make = [&](const std::string& name, const std::string& value) {
      return [&entry, name, value] {
        AttackSettings settings;
        settings.own[entry.name][name] = value;
        make_attack(entry.name, settings, entry.norms.front(), !entry.untargeted);
      };
    };
    expect_rejected(make("warp", "1"), "there is no parameter 'warp'");
    expect_rejected(make("warp", "1"), entry.parameters.front().name);
    for (const auto& parameter : entry.parameters)
      expect_rejected(make(parameter.name, "x"), parameter.name + "=x: must");
  }
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
  std::string name =
      info.param.attack + "_" + to_string(info.param.norm) + (info.param.targeted ? "_targeted" : "_untargeted");
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, AttackContract, testing::ValuesIn(all_cases()), case_name);

}  // namespace

}  // namespace fercli::test
