#include "eval/campaign/campaign.hpp"

#include "core/container.hpp"
#include "eval/adversarial_set.hpp"
#include "eval/measures/subset.hpp"
#include "eval/robustness_summary.hpp"
#include "tests/attacks/linear_network.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/data/sample_data.hpp"

namespace fercli {

namespace {

using test::user_error;
using testing::HasSubstr;

constexpr int64_t kSide = 16, kImages = 24;

/// Images labelled by the network's own verdict, but for the first, which is labelled wrongly.
Dataset labelled_images(const Classifier& classifier) {
  Dataset data;
  data.name = "blobs";
  data.images = test::test_images(kImages, kSide, 0, 255);
  data.labels = classifier.logits(to_float(data.images)).argmax(1);
  data.labels[0] = (data.labels[0].item<int64_t>() + 1) % 7;
  data.classes = classifier.classes();
  for (int64_t i = 0; i < kImages; ++i) {
    data.ids.push_back(fmt::format("blob-{}", i));
    data.splits.push_back(Split::None);
  }
  return data;
}

class RobustnessOf : public testing::Test {
 protected:
  RobustnessOf() {
    plan_.attacks = {"fgsm", "pgd"};
    plan_.ladder = parse_ladder("1/255,3/255,8/255", Norm::Linf);
    plan_.goal = parse_emotion_goal("untargeted", data_.classes);
    plan_.settings.set("steps", 5);
  }

  Ledger measure(const std::optional<std::filesystem::path>& state = {}) const {
    CampaignOptions options;
    options.state = state;
    return run_campaign({classifier_, data_, "digest"}, plan_, options);
  }

  /// What the clean evaluation leaves for `add_robustness`.
  Result clean_result() const {
    Result result;
    result.add_model({{"model", "net"}});
    result.per_image.resize(data_.ids.size());
    return result;
  }

  Classifier classifier_ = test::confident_cnn(kSide);
  Dataset data_ = labelled_images(classifier_);
  Trial plan_;
};

TEST_F(RobustnessOf, MisclassifiedImagesAreNotRobustAndCostNothing) {
  const auto found = measure();
  EXPECT_EQ(found.right().sum().item<int64_t>(), kImages - 1);
  for (const auto& attack : found.attacks) {
    EXPECT_EQ(attack.broken[0].item<int64_t>(), 3);
    for (int64_t budget = 0; budget < 3; ++budget) {
      EXPECT_EQ(found.answers(attack, budget)[0].item<int64_t>(), found.verdict[0].item<int64_t>());
    }
  }
  EXPECT_LE(found.attacks[0].forward[0], (kImages - 1) * 5);
}

TEST_F(RobustnessOf, EveryBrokenImageLiesInsideItsBallAndGetsTheAnswerRecorded) {
  const auto found = measure();
  for (const auto& attack : found.attacks) {
    const auto verdict = classifier_.logits(to_float(attack.adversarial)).argmax(1);
    int64_t broken = 0;
    for (int64_t i = 0; i < kImages; ++i) {
      const auto budget = static_cast<size_t>(attack.broken[i].item<int64_t>());
      if (budget == plan_.ladder.size()) continue;
      ++broken;
      EXPECT_LE(attack.distance[i].item<double>(), plan_.ladder[budget].eps + 1e-6);
      EXPECT_EQ(attack.answer()[i].item<int64_t>(), verdict[i].item<int64_t>());
      EXPECT_NE(attack.answer()[i].item<int64_t>(), data_.labels[i].item<int64_t>());
    }
    EXPECT_GT(broken, 1) << attack.name;
  }
}

TEST_F(RobustnessOf, AnImageBrokenAtASmallerEpsIsBrokenAtEveryLargerOneAndNotAttackedAgain) {
  plan_.attacks = {"pgd"};
  const auto found = measure();
  const auto& attack = found.attacks[0];
  int64_t before = kImages;
  for (int64_t budget = 0; budget < 3; ++budget) {
    const auto robust = found.answers(attack, budget).eq(found.labels).sum().item<int64_t>();
    EXPECT_LE(robust, before);
    before = robust;
  }
  Trial largest = plan_;
  largest.ladder = {plan_.ladder[2]};
  const auto alone = run_campaign({classifier_, data_}, largest);
  EXPECT_LT(attack.forward[2], alone.attacks[0].forward[0]);
}

TEST_F(RobustnessOf, TheWorstCaseIsTheUnionOfTheAttacks) {
  const auto found = measure();
  const auto worst = found.worst();
  for (int64_t i = 0; i < kImages; ++i) {
    EXPECT_EQ(worst.broken[i].item<int64_t>(),
              std::min(found.attacks[0].broken[i].item<int64_t>(), found.attacks[1].broken[i].item<int64_t>()));
  }
}

TEST_F(RobustnessOf, AMinimumNormAttackGivesTheWholeLadderInOneRun) {
  plan_.attacks = {"fmn"};
  plan_.settings.set("steps", 30);
  const auto found = measure();
  const auto& attack = found.attacks[0];
  EXPECT_TRUE(attack.minimum_norm);
  EXPECT_EQ(attack.forward[1] + attack.forward[2], 0);
  for (int64_t i = 1; i < kImages; ++i) {
    const auto level = std::lround(attack.distance[i].item<double>() * 255);
    int64_t first = 0;
    while (first < 3 && level > std::lround(plan_.ladder[static_cast<size_t>(first)].eps * 255)) ++first;
    EXPECT_EQ(attack.broken[i].item<int64_t>(), first);
  }
}

TEST_F(RobustnessOf, TheCurveSaysWhatTheLadderSaysAtEachOfItsEps) {
  for (const auto& [norm, ladder] :
       {std::pair{Norm::Linf, "1/255,3/255,5.1/255,7/255"}, std::pair{Norm::L2, "0.05,0.1,0.2"}}) {
    plan_.attacks = {"fmn"};
    plan_.norm = norm;
    plan_.ladder = parse_ladder(ladder, norm);
    plan_.settings.set("steps", 20);
    Result result = clean_result();
    add_robustness(result, {plan_, measure()}, data_.classes);
    const auto& points = result.parts["robustness"]["net"]["attacks"][0]["minimal_eps"]["curve"];
    for (const auto& budget : plan_.ladder) {
      bool met = false;
      for (const auto& point : points) {
        if (point["eps"].get<double>() != budget.eps) continue;
        met = true;
        EXPECT_EQ(point["robust_accuracy"]["value"].get<double>(),
                  result.metrics.at("robust_accuracy.fmn." + budget.text).value)
            << budget.text;
      }
      EXPECT_TRUE(met) << budget.text;
    }
  }
}

TEST_F(RobustnessOf, TheResultSaysWhatEpsMeansInLevelsAndWhichArithmeticWasUsed) {
  plan_.ladder = parse_ladder("5.1/255,0.03", Norm::Linf);
  Result result = clean_result();
  add_robustness(result, {plan_, measure()}, data_.classes);
  EXPECT_EQ(result.threat_model["eps_levels"][0]["at_most"], 5);
  EXPECT_EQ(result.threat_model["eps_levels"][1]["at_most"], 7);
  EXPECT_EQ(result.parts["robustness"]["net"]["eps_levels"][0]["counts"], "levels");
  EXPECT_EQ(result.attacks[0]["search_precision"], "fp32");
  EXPECT_EQ(result.attacks[0]["verdict_precision"], "fp32");
}

TEST_F(RobustnessOf, OnlyTheImagesThatTheGoalConcernsAreAttacked) {
  const std::string target = data_.classes.name(data_.labels[1].item<int64_t>());
  plan_.goal = parse_emotion_goal("any-to-" + target, data_.classes);
  const auto found = measure();
  for (const int64_t row : found.rows) EXPECT_NE(data_.classes.name(data_.labels[row].item<int64_t>()), target);
  for (const auto& attack : found.attacks) {
    const auto broken = attack.broken.lt(3);
    EXPECT_TRUE(attack.answer().masked_select(broken).eq(data_.classes.index(target)).all().item<bool>());
  }
}

TEST_F(RobustnessOf, AResumedRunEqualsAnUndisturbedOne) {
  const test::ScratchFolder folder;
  const auto whole = measure();
  measure(folder / "robustness.state");
  // As if the program had been killed when half of the second attack was done.
  Container container = load_container(folder / "robustness.state", "ledger");
  container.tensors.at("pgd/settled").slice(0, kImages / 2, kImages).zero_();
  container.tensors.at("pgd/broken").slice(0, kImages / 2, kImages).fill_(3);
  save_container(container, folder / "robustness.state");
  const auto resumed = measure(folder / "robustness.state");
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_TRUE(resumed.attacks[i].broken.equal(whole.attacks[i].broken));
    EXPECT_TRUE(resumed.attacks[i].logits.equal(whole.attacks[i].logits));
    EXPECT_TRUE(resumed.attacks[i].adversarial.equal(whole.attacks[i].adversarial));
  }
}

TEST_F(RobustnessOf, AStateOfAnotherRunIsRefused) {
  const test::ScratchFolder folder;
  measure(folder / "robustness.state");
  plan_.seed = 5;
  EXPECT_THAT(user_error([&] { measure(folder / "robustness.state"); }),
              HasSubstr("belongs to a run that differs in seed"));
  plan_.seed = 0;
  plan_.ladder = parse_ladder("1/255", Norm::Linf);
  EXPECT_THAT(user_error([&] { measure(folder / "robustness.state"); }), HasSubstr("differs in attacks, eps"));
}

TEST_F(RobustnessOf, AStateOfAnotherVersionOrWithOtherPlugInsIsRefused) {
  const test::ScratchFolder folder;
  const auto state = folder / "robustness.state";
  measure(state);
  const Container mine = load_container(state, "ledger");
  const auto mine_so = nlohmann::json::parse(R"([{"file": "mine.so", "sha256": "ab"}])");
  for (const auto& [key, value] : std::map<std::string, nlohmann::json>{{"version", "0.0.9"}, {"plug-ins", mine_so}}) {
    Container other = mine;
    other.header["identity"][key] = value;
    save_container(other, state);
    EXPECT_THAT(user_error([&] { measure(state); }), HasSubstr(fmt::format("a run that differs in {};", key)));
  }
}

TEST_F(RobustnessOf, AStateWhoseCountsAreNoWholeNumbersIsRefused) {
  const test::ScratchFolder folder;
  const auto state = folder / "robustness.state";
  measure(state);
  const Container mine = load_container(state, "ledger");
  for (const char* count : {"/legs", "/forward/0", "/backward/0", "/cost/0/0/1"}) {
    Container other = mine;
    other.header["attacks"][0][nlohmann::json::json_pointer(count)] = 1e30;
    save_container(other, state);
    EXPECT_THAT(user_error([&] { measure(state); }), HasSubstr("is incomplete; remove it")) << count;
  }
}

TEST_F(RobustnessOf, AStateOfARunWithAnOptionThatIsGoneIsRefused) {
  const test::ScratchFolder folder;
  plan_.mask = torch::ones({1, kSide, kSide});
  measure(folder / "robustness.state");
  plan_.mask = torch::Tensor();
  EXPECT_THAT(user_error([&] { measure(folder / "robustness.state"); }), HasSubstr("differs in mask;"));
}

TEST_F(RobustnessOf, AStateOfTheSameFileReadInAnotherWayIsRefused) {
  const test::ScratchFolder folder;
  measure(folder / "robustness.state");
  const Classifier original = classifier_;
  classifier_ = original.with_tta(Tta::Flip);
  EXPECT_THAT(user_error([&] { measure(folder / "robustness.state"); }), HasSubstr("differs in tta;"));
  classifier_ = Classifier(original.model(), original.spec(), {Precision::Float32, torch::kCPU, "plain"});
  EXPECT_THAT(user_error([&] { measure(folder / "robustness.state"); }), HasSubstr("differs in executor;"));
  NetworkSpec spec = original.spec();
  spec.preprocessing = {1, kSide, {0.1}, {0.5}};
  classifier_ = Classifier(original.model(), spec);
  EXPECT_THAT(user_error([&] { measure(folder / "robustness.state"); }), HasSubstr("differs in preprocessing;"));
}

TEST_F(RobustnessOf, TheResultSaysWhichMaskAndWhichSurrogate) {
  plan_.attacks = {"fgsm"};
  plan_.mask = torch::ones({1, kSide, kSide});
  plan_.surrogate = {std::make_shared<Classifier>(classifier_), "digest of another"};
  Result result = clean_result();
  add_robustness(result, {plan_, measure()}, data_.classes);
  EXPECT_EQ(result.threat_model.at("mask"), mask_digest(plan_.mask));
  EXPECT_EQ(result.threat_model.at("surrogate"), "digest of another");
  const Restrictions& said = result.outcomes["net"].attacks.at(0).restrictions;
  EXPECT_EQ(said.mask, mask_digest(plan_.mask));
  EXPECT_EQ(said.surrogate, "digest of another");
}

TEST_F(RobustnessOf, TheResultHoldsMetricsTablesAndEveryAnswer) {
  const auto found = measure();
  Result result = clean_result();
  const LadderFigures figures = add_robustness(result, {plan_, found}, data_.classes);
  const auto& metric = result.metrics.at("robust_accuracy.pgd.3/255");
  EXPECT_EQ(metric.n, kImages);
  EXPECT_LE(result.metrics.at("robust_accuracy.worst.3/255").value, metric.value);
  EXPECT_GE(result.metrics.at("robust_accuracy.pgd.1/255").value, metric.value);
  EXPECT_TRUE(result.metrics.count("balanced_robust_accuracy.worst.8/255"));
  EXPECT_EQ(result.metrics.at("attack_success.pgd.8/255").n, kImages - 1);
  EXPECT_EQ(figures.attacks.size(), 2u);
  EXPECT_EQ(figures.attacks[0].curves.robust_accuracy.size(), 3u);
  EXPECT_EQ(figures.attacks[0].by_class->size(), 7u);
  EXPECT_EQ(result.parts["robustness"]["net"], Shape<LadderFigures>::write(figures));
  double shares = 0;
  for (const auto& of_class : *figures.attacks[0].by_class) shares += of_class.predicted[0].value;
  EXPECT_NEAR(shares, 1, 1e-12);
  int64_t robust = 0;
  for (int64_t i = 0; i < kImages; ++i) {
    const auto& image = result.per_image[static_cast<size_t>(i)];
    robust += image.answers.at("pgd").at(1) == data_.classes.name(data_.labels[i].item<int64_t>());
  }
  EXPECT_NEAR(metric.value, static_cast<double>(robust) / kImages, 1e-12);
}

TEST_F(RobustnessOf, SavedAdversarialImagesHoldWhatTheyClaim) {
  const test::ScratchFolder folder;
  const auto found = measure();
  const nlohmann::json claim = {
      {"model", "m"}, {"model_digest", "digest"}, {"data", "d"}, {"split", "all"}, {"limit", 0}};
  save_adversarial(collect_adversarial(found, plan_, data_, claim), folder / "adv.ferpack");
  const auto set = load_adversarial(folder / "adv.ferpack");
  const auto seen = verify_adversarial(set, data_, classifier_, "digest");
  EXPECT_TRUE(seen.holds());
  EXPECT_EQ(seen.images, found.worst().broken.lt(3).sum().item<int64_t>());
  const auto robust = found.answers(found.worst(), 2).eq(found.labels).sum().item<int64_t>();
  EXPECT_EQ(seen.robust_accuracy[2].second.value, static_cast<double>(robust) / kImages);
}

TEST_F(RobustnessOf, ForgedClaimsAreFound) {
  const auto found = measure();
  const nlohmann::json claim = {{"model_digest", "digest"}, {"split", "all"}, {"limit", 0}};
  const auto honest = collect_adversarial(found, plan_, data_, claim);
  auto smaller = honest;
  smaller.eps = honest.eps * 0.01;
  EXPECT_EQ(verify_adversarial(smaller, data_, classifier_, "digest").too_far.size(),
            static_cast<size_t>(honest.images.size()));
  auto unchanged = honest;
  unchanged.images.images = data_.images.index_select(0, honest.rows);
  EXPECT_EQ(verify_adversarial(unchanged, data_, classifier_, "digest").not_reached.size(),
            static_cast<size_t>(honest.images.size()));
  EXPECT_THAT(user_error([&] { verify_adversarial(honest, data_, classifier_, "another"); }),
              HasSubstr("--model: is not"));
  Dataset other = data_;
  other.images = 255 - data_.images;
  EXPECT_THAT(user_error([&] { verify_adversarial(honest, other, classifier_, "digest"); }),
              HasSubstr("--data: is not"));
}

TEST_F(RobustnessOf, ASavedSetWhosePartsLieOutOfRangeIsRefused) {
  const test::ScratchFolder folder;
  const nlohmann::json claim = {{"model_digest", "digest"}, {"split", "all"}, {"limit", 0}};
  const auto honest = collect_adversarial(measure(), plan_, data_, claim);
  const auto message_of = [&](auto change) {
    auto set = honest;
    set.images.labels = honest.images.labels.clone();
    set.rows = honest.rows.clone();
    change(set);
    save_adversarial(set, folder / "adv.ferpack");
    return user_error(
        [&] { verify_adversarial(load_adversarial(folder / "adv.ferpack"), data_, classifier_, "digest"); });
  };
  save_adversarial(honest, folder / "adv.ferpack");
  EXPECT_TRUE(verify_adversarial(load_adversarial(folder / "adv.ferpack"), data_, classifier_, "digest").holds());
  EXPECT_THAT(message_of([](auto& set) { set.images.labels[0] = 7; }), HasSubstr("do not fit together"));
  EXPECT_THAT(message_of([](auto& set) { set.images.labels[0] = -1; }), HasSubstr("do not fit together"));
  EXPECT_THAT(message_of([](auto& set) { set.rows[0] = kImages; }), HasSubstr("do not belong to the images of --data"));
  EXPECT_THAT(message_of([](auto& set) { set.rows[0] = -1; }), HasSubstr("do not belong to the images of --data"));
  EXPECT_THAT(message_of([](auto& set) { set.eps = set.eps.narrow(0, 0, 1); }), HasSubstr("do not fit together (eps)"));
  EXPECT_THAT(message_of([](auto& set) { set.rows = set.rows.unsqueeze(1); }), HasSubstr("do not fit together (rows)"));
  EXPECT_THAT(message_of([](auto& set) { set.claim["goal"] = 3; }), HasSubstr("is damaged"));
  EXPECT_THAT(message_of([](auto& set) { set.claim["ladder"] = "1/255"; }), HasSubstr("is damaged"));
  EXPECT_THAT(message_of([](auto& set) { set.claim["ladder"][0] = "large"; }), HasSubstr("is damaged"));
  EXPECT_THAT(message_of([](auto& set) { set.claim["limit"] = "all"; }), HasSubstr("is damaged"));
  EXPECT_THAT(message_of([](auto& set) { set.claim["limit"] = -1; }), HasSubstr("is damaged"));
  EXPECT_THAT(message_of([](auto& set) { set.claim["tta"] = 3; }), HasSubstr("is damaged"));
  EXPECT_THAT(message_of([](auto& set) { set.claim.erase("split"); }), HasSubstr("is damaged"));
}

TEST(Ladder, IsReadAsWritten) {
  const auto ladder = parse_ladder("1/255, 0.5", Norm::Linf);
  ASSERT_EQ(ladder.size(), 2u);
  EXPECT_EQ(ladder[0].text, "1/255");
  EXPECT_EQ(ladder[1].eps, 0.5);
}

TEST(Ladder, IsAscendingWhateverTheOrderGivenEachOnceAndWithoutNought) {
  std::string words;
  for (const auto& budget : parse_ladder("0,4/255,1/255,4/255", Norm::Linf)) words += budget.text + " ";
  EXPECT_EQ(words, "1/255 4/255 ");
}

TEST(Ladder, WrongValuesAreExplained) {
  const auto of = [](const std::string& text, Norm norm) { return user_error([&] { parse_ladder(text, norm); }); };
  EXPECT_THAT(of("0", Norm::Linf), HasSubstr("at least one value above 0"));
  EXPECT_THAT(of("8", Norm::Linf), HasSubstr("did you mean 8/255?"));
  for (const char* word : {"300", "inf", "300/255"}) {
    EXPECT_EQ(of(word, Norm::Linf), fmt::format("--eps {}: must be in (0, 1] in Linf", word));
  }
  EXPECT_THAT(of("-1", Norm::L2), HasSubstr("must be above 0"));
  EXPECT_THAT(of("1/255,x", Norm::Linf), HasSubstr("'x' must be a number"));
  EXPECT_THAT(of("0.5", Norm::L0), HasSubstr("at least 1 in L0"));
  EXPECT_THAT(of("", Norm::Linf), HasSubstr("at least one value"));
}

TEST(Subset, TakesEachClassInProportionAndTheSameImagesInAnyOrder) {
  const Dataset data = test::sample_dataset(70, 1, 16);
  const auto rows = stratified_rows(data, 14);
  ASSERT_EQ(rows.size(), 14u);
  std::map<int64_t, int> counts;
  for (const int64_t row : rows) ++counts[data.labels[row].item<int64_t>()];
  for (const auto& [label, count] : counts) EXPECT_EQ(count, 2) << label;
  std::vector<int64_t> backwards(70);
  for (int64_t i = 0; i < 70; ++i) backwards[static_cast<size_t>(i)] = 69 - i;
  auto mirrored = stratified_rows(data.select(backwards), 14);
  for (auto& row : mirrored) row = 69 - row;
  std::sort(mirrored.begin(), mirrored.end());
  EXPECT_EQ(mirrored, rows);
  const auto more = stratified_rows(data, 35);
  EXPECT_TRUE(std::includes(more.begin(), more.end(), rows.begin(), rows.end()));
  EXPECT_EQ(stratified_rows(data, 100).size(), 70u);
}

}  // namespace

}  // namespace fercli
