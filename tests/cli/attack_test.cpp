#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "attacks/threat/threat_model.hpp"
#include "commands/options/attack_options.hpp"
#include "core/command.hpp"
#include "core/files.hpp"
#include "core/text.hpp"
#include "data/formats/reader.hpp"
#include "data/image.hpp"
#include "faces/face_reader.hpp"
#include "models/checkpoint.hpp"
#include "models/networks/network.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/cli/tiny_network.hpp"

namespace fercli::test {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int64_t kImages = 10;
constexpr double kHeadScale = 400;  ///< makes an untrained network sure of itself, and easy to turn

/// An untrained network in a file, and drawn faces in folders named after what that network calls them.
class AttackCommand : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    scratch_ = new ScratchFolder;
    save_tiny_network(model(), 3, kHeadScale);
    save_tiny_network(unsure_model(), 3, 1);
    classifier_ = new Classifier(make_classifier(load_checkpoint(model()), {0, "fp32"}));
    save_faces();
  }

  static void save_faces() {
    const Dataset faces = read_dataset(fmt::format("synthetic:n={},seed=4", kImages));
    const auto verdict = classifier_->logits(to_float(faces.images)).argmax(1);
    for (int64_t i = 0; i < kImages; ++i) {
      const std::string name = classifier_->classes().name(verdict[i].item<int64_t>());
      write_png(faces.images[i], *scratch_ / "faces" / name / fmt::format("face{}.png", i));
      if (i == 0) source_ = name;
    }
    const auto ranking = classifier_->logits(to_float(faces.images.narrow(0, 0, 1))).argsort(1, /*descending=*/true);
    target_ = classifier_->classes().name(ranking[0][1].item<int64_t>());
  }

  static void TearDownTestSuite() {
    delete classifier_;
    delete scratch_;
  }

  static fs::path model() { return *scratch_ / "model.pt"; }
  static fs::path unsure_model() { return *scratch_ / "unsure.pt"; }
  static fs::path faces() { return *scratch_ / "faces"; }
  static fs::path first_face() { return faces() / source_ / "face0.png"; }
  static std::string goal() { return source_ + "-to-" + target_; }

  static std::vector<std::string> with_model(const std::string& goal, std::vector<std::string> words) {
    words.insert(words.begin(), {goal, "--model", model().string(), "--precision", "fp32", "--threads", "1"});
    return words;
  }

  /// `fercli attack GOAL --model … WORDS…` inside this process.
  static ProgramResult attack(const std::string& goal, const std::vector<std::string>& words) {
    auto arguments = with_model(goal, words);
    arguments.insert(arguments.begin(), "attack");
    return test::run_in_process(arguments);
  }

  static json attack_json(const std::string& goal, std::vector<std::string> words) {
    words.insert(words.end(), {"--json"});
    const auto result = attack(goal, words);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return json::parse(result.out);
  }

  static void expect_error(const ProgramResult& result, const std::string& message) {
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, testing::HasSubstr(message));
  }

  static int64_t class_of(const fs::path& file) {
    return classifier_->logits(to_float(read_image(file, 1).unsqueeze(0))).argmax(1).item<int64_t>();
  }

  static int64_t linf_255(const fs::path& a, const fs::path& b) {
    const auto delta = read_image(a, 1).to(torch::kInt32) - read_image(b, 1).to(torch::kInt32);
    return delta.abs().max().item<int64_t>();
  }

  static ScratchFolder* scratch_;
  static Classifier* classifier_;
  static std::string source_, target_;
  ScratchFolder out_;
};

ScratchFolder* AttackCommand::scratch_ = nullptr;
Classifier* AttackCommand::classifier_ = nullptr;
std::string AttackCommand::source_, AttackCommand::target_;

TEST_F(AttackCommand, OneImageGivesPicturesThatHoldTheAttack) {
  auto words = with_model(goal(), {"--image", first_face().string(), "--out", out_.path().string()});
  words.insert(words.begin(), "attack");
  const auto result = run_fercli(words);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(linf_255(out_ / "original.png", first_face()), 0);
  EXPECT_LE(linf_255(out_ / "original.png", out_ / "adversarial.png"), 8);
  EXPECT_EQ(class_of(out_ / "adversarial.png"), classifier_->classes().index(target_));
  EXPECT_EQ(read_image(out_ / "adversarial_enlarged.png", 1).size(1), 384);
  EXPECT_TRUE(fs::exists(out_ / "original_enlarged.png"));
  EXPECT_EQ(read_image(out_ / "adversarial_attack.png", 3).size(0), 3);
  EXPECT_THAT(result.out, testing::HasSubstr(source_ + " "));
  EXPECT_THAT(result.out, testing::HasSubstr("-> " + target_));
  EXPECT_THAT(result.out, testing::HasSubstr("adversarial_attack.png"));
  const auto lines = split_lines(read_file(out_ / "per_image.csv"));
  EXPECT_THAT(lines.at(0), testing::EndsWith(",sure"));
  EXPECT_EQ(std::count(lines[1].begin(), lines[1].end(), ','), std::count(lines[0].begin(), lines[0].end(), ','));
}

TEST_F(AttackCommand, JsonStandsAloneAndItsFilesHoldWhatItSays) {
  const json result = attack_json(
      "untargeted", {"--data", faces().string(), "--eps", "4/255", "--out", out_.path().string(), "--save-png", "all"});
  EXPECT_EQ(result["n"], kImages);
  EXPECT_EQ(result["command"], "attack");
  EXPECT_EQ(result["metrics"]["success_8bit"]["n"], kImages);
  EXPECT_EQ(result["metrics"]["success_8bit"]["interval"].size(), 2);
  EXPECT_GE(result["metrics"]["success_float"]["value"], result["metrics"]["success_8bit"]["value"]);
  EXPECT_FALSE(result["metrics"].contains("median_minimal_eps"));
  EXPECT_EQ(result["options"]["eps"]["value"], "4/255");
  EXPECT_EQ(result["dataset"]["n"], kImages);
  ASSERT_EQ(result["per_image"].size(), kImages);
  int64_t successes = 0;
  for (const auto& image : result["per_image"]) {
    const fs::path file = image["file"].get<std::string>();
    const fs::path original = faces() / image["id"].get<std::string>();
    EXPECT_EQ(file, out_ / "adversarial" / image["id"].get<std::string>());
    EXPECT_EQ(linf_255(file, original), image["linf_255"]);
    EXPECT_LE(image["linf_255"], 4);
    EXPECT_EQ(image["success"].get<bool>(), class_of(file) != class_of(original));
    EXPECT_EQ(image["clean_probabilities"].size(), 7);
    successes += image["success"].get<bool>();
  }
  EXPECT_NEAR(result["metrics"]["success_8bit"]["value"], static_cast<double>(successes) / kImages, 1e-12);
  EXPECT_TRUE(fs::exists(out_ / "gallery.png"));
  EXPECT_TRUE(fs::exists(out_ / "per_image.csv"));
  EXPECT_EQ(json::parse(read_file(out_ / "result.json"))["metrics"], result["metrics"]);
}

TEST_F(AttackCommand, JsonWithoutAFolderWritesNoFiles) {
  const fs::path before = fs::current_path();
  fs::current_path(out_.path());
  const json result = attack_json(goal(), {"--image", first_face().string()});
  fs::current_path(before);
  EXPECT_TRUE(result["per_image"][0]["file"].is_null());
  EXPECT_TRUE(fs::is_empty(out_.path()));
}

TEST_F(AttackCommand, TheVerdictIsTheSameWhetherOrNotFilesAreWritten) {
  const std::vector<std::string> words{"--data", faces().string(), "--eps", "2/255", "--minimal-eps", "--steps", "5"};
  auto with_files = words;
  with_files.insert(with_files.end(), {"--out", (out_ / "files").string(), "--save-png", "all"});
  const json with = attack_json("untargeted", with_files);
  json without = attack_json("untargeted", words);
  EXPECT_EQ(with["metrics"], without["metrics"]);
  for (size_t i = 0; i < without["per_image"].size(); ++i) {
    for (const char* key : {"success", "adversarial_probabilities", "minimal_eps"}) {
      EXPECT_EQ(with["per_image"][i][key], without["per_image"][i][key]) << key;
    }
  }
  EXPECT_FALSE(fs::exists(out_ / "files" / "attack.state"));
}

TEST_F(AttackCommand, AnInterruptedAttackGoesOnAndEndsTheSame) {
  const std::vector<std::string> plan{
      "--data", faces().string(), "--eps", "1/255",     "--attack", "autoattack", "--steps",
      "8",      "--queries",      "75",    "--targets", "2"};
  auto kept = plan;
  const fs::path folder = out_ / "kept";
  kept.insert(kept.end(), {"--out", folder.string()});
  auto first = with_model("untargeted", kept);
  first.insert(first.begin(), "attack");
  const auto interrupted = run_fercli(
      first, [&] { return fs::exists(folder / "attack.state"); }, 2);
  EXPECT_EQ(interrupted.exit_code, 130) << interrupted.err;
  EXPECT_TRUE(fs::exists(folder / "attack.state"));
  const json whole = attack_json("untargeted", plan), resumed = attack_json("untargeted", kept);
  EXPECT_EQ(resumed["metrics"], whole["metrics"]);
  EXPECT_EQ(resumed["per_image"], whole["per_image"]);
  EXPECT_EQ(resumed["tables"], whole["tables"]);
  EXPECT_FALSE(fs::exists(folder / "attack.state"));
}

TEST_F(AttackCommand, ShardsMergeToTheResultOfASingleRun) {
  const fs::path folder = out_ / "sharded";
  const std::vector<std::string> plan{"--data", faces().string(), "--eps", "2/255", "--out", folder.string()};
  json whole = attack_json("untargeted", plan);
  fs::remove_all(folder);
  for (const char* shard : {"1/2", "2/2"}) {
    auto part = plan;
    part.insert(part.end(), {"--json", "--shard", shard});
    ASSERT_EQ(attack("untargeted", part).exit_code, 0);
  }
  const auto run = run_in_process({"merge", folder.string()});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  json merged = json::parse(run.out);
  for (json* document : {&whole, &merged}) document->erase("timing");
  EXPECT_EQ(merged.dump(), whole.dump());
}

TEST_F(AttackCommand, ShardsOfAttacksOnTwoNetworksWithTheSmallestEpsMergeToTheResultOfASingleRun) {
  const fs::path folder = out_ / "sharded";
  const std::string models = model().string() + "," + (*scratch_ / "second.pt").string();
  save_tiny_network(*scratch_ / "second.pt", 5, kHeadScale);
  for (const std::string method : {"pgd", "fmn"}) {
    const std::vector<std::string> plan{
        "attack", "untargeted",    "--model",          models,     "--precision",       "fp32",    "--threads",
        "1",      "--data",        faces().string(),   "--attack", method + ":steps=4", "--eps",   "2/255",
        "--out",  folder.string(), "--min-confidence", "0.3",      "--minimal-eps",     "--limit", "6"};
    const auto whole = run_in_process(plan);
    ASSERT_EQ(whole.exit_code, 0) << whole.err;
    std::vector<json> results;
    const auto read_results = [&] {
      for (const char* name : {"model", "second"}) {
        results.push_back(json::parse(read_file(folder / name / "result.json")));
        results.back().erase("timing");
      }
    };
    read_results();
    fs::remove_all(folder);
    for (const char* shard : {"2/2", "1/2"}) {
      auto part = plan;
      part.insert(part.end(), {"--shard", shard});
      const auto run = run_in_process(part);
      ASSERT_EQ(run.exit_code, 0) << run.err;
    }
    const auto merged = run_in_process({"merge", folder.string()});
    ASSERT_EQ(merged.exit_code, 0) << merged.err;
    EXPECT_EQ(merged.out, whole.out);
    read_results();
    EXPECT_EQ(results[2].dump(), results[0].dump());
    EXPECT_EQ(results[3].dump(), results[1].dump());
    fs::remove_all(folder);
  }
}

TEST_F(AttackCommand, AShardOfOtherNetworksIsRefused) {
  const fs::path folder = out_ / "networks";
  const auto shard = [&](const std::string& networks, const char* text) {
    return run_in_process({"attack", "untargeted", "--model", networks, "--data", faces().string(), "--eps", "2/255",
                           "--threads", "1", "--precision", "fp32", "--out", folder.string(), "--shard", text});
  };
  ASSERT_EQ(shard(model().string(), "1/2").exit_code, 0);
  save_tiny_network(*scratch_ / "second.pt", 5, kHeadScale);
  expect_error(shard((*scratch_ / "second.pt").string(), "2/2"),
               "holds shards of a run that differs in data set, model");
  expect_error(shard(model().string() + "," + (*scratch_ / "second.pt").string(), "2/2"), "differs in models");
}

TEST_F(AttackCommand, BatchSizeThreadsAndOrderChangeNoResult) {
  std::vector<std::string> forwards{"--image"}, backwards{"--image"};
  for (const auto& entry : fs::recursive_directory_iterator(faces())) {
    if (entry.path().extension() == ".png") forwards.push_back(entry.path().string());
  }
  std::sort(forwards.begin() + 1, forwards.end());
  backwards.insert(backwards.end(), forwards.rbegin(), forwards.rend() - 1);
  const std::vector<std::string> attack{"--eps", "2/255", "--steps", "6", "--restarts", "2", "--min-confidence", "0"};
  auto first = forwards, second = backwards;
  first.insert(first.end(), attack.begin(), attack.end());
  second.insert(second.end(), attack.begin(), attack.end());
  second.insert(second.end(), {"--batch-size", "3"});
  json a = attack_json("untargeted", first)["per_image"], b = attack_json("untargeted", second)["per_image"];
  std::reverse(b.begin(), b.end());
  EXPECT_EQ(a, b);
}

TEST_F(AttackCommand, ExplainShowsWhatTheAttackAndTheSearchForTheSmallestEpsCost) {
  const std::vector<std::string> words{"--data",        faces().string(),   "--attack", "pgd:steps=2", "--eps", "2/255",
                                       "--minimal-eps", "--min-confidence", "0.3",      "--limit",     "4"};
  const json tables = attack_json("untargeted", words)["tables"];
  ASSERT_EQ(tables["stages"].size(), 2u);
  EXPECT_EQ(tables["stages"][0]["eps"], "2/255");
  EXPECT_EQ(tables["stages"][1]["stage"], "smallest eps");
  EXPECT_EQ(tables["stages"][0]["forward"].get<int64_t>() + tables["stages"][1]["forward"].get<int64_t>(),
            tables["network_passes"]["forward"]);
  auto shown = words;
  shown.insert(shown.end(), {"--explain", "--out", (*scratch_ / "explained").string()});
  EXPECT_THAT(attack("untargeted", shown).out, testing::HasSubstr("what each stage broke"));
  shown.insert(shown.end(), {"--format", "markdown"});
  EXPECT_THAT(attack("untargeted", shown).out, testing::HasSubstr("| smallest eps |"));
}

TEST_F(AttackCommand, TheSmallestEpsIsThatOfItsStoredImage) {
  const json result = attack_json("untargeted", {"--data", faces().string(), "--minimal-eps", "--out",
                                                 out_.path().string(), "--save-png", "all", "--limit", "4"});
  EXPECT_EQ(result["metrics"]["median_minimal_eps"]["n"], 4);
  EXPECT_EQ(result["attacks"][0]["minimal_eps_search_precision"], "fp32");
  for (const auto& image : result["per_image"]) {
    const fs::path original = faces() / image["id"].get<std::string>();
    const fs::path file = image["minimal_file"].get<std::string>();
    EXPECT_NEAR(image["minimal_eps"].get<double>() * 255, static_cast<double>(linf_255(file, original)), 1e-4);
    EXPECT_NE(class_of(file), class_of(original));
    EXPECT_LE(image["minimal_eps"], image["linf"]);
  }
}

TEST_F(AttackCommand, FgsmAndL2AreChosenByName) {
  const json fgsm = attack_json(goal(), {"--image", first_face().string(), "--attack", "fgsm"});
  EXPECT_EQ(fgsm["attacks"][0]["name"], "fgsm");
  const json l2 = attack_json(goal(), {"--image", first_face().string(), "--norm", "l2"});
  EXPECT_EQ(l2["threat_model"]["norm"], "L2");
  EXPECT_EQ(l2["threat_model"]["eps"], 0.5);
  EXPECT_LE(l2["per_image"][0]["l2"], 0.5 + 1e-6);
}

TEST_F(AttackCommand, MasksConfineTheChange) {
  const json result = attack_json(goal(), {"--image", first_face().string(), "--mask", "mouth", "--eps", "16/255",
                                           "--out", out_.path().string(), "--save-png", "all"});
  const auto change = (read_image(out_ / "adversarial.png", 1).to(torch::kInt32) -
                       read_image(out_ / "original.png", 1).to(torch::kInt32))
                          .abs();
  EXPECT_EQ(change.slice(1, 0, 24).max().item<int64_t>(), 0);
  EXPECT_GT(change.max().item<int64_t>(), 0);
  EXPECT_TRUE(result["threat_model"].contains("mask")) << "results tell masks apart";
}

TEST_F(AttackCommand, ASurrogateMakesTheImages) {
  const json result = attack_json(goal(), {"--image", first_face().string(), "--surrogate", model().string()});
  EXPECT_EQ(result["options"]["surrogate"]["value"], model().string());
  EXPECT_EQ(result["per_image"][0]["success"], true);
  expect_error(attack(goal(), {"--image", first_face().string(), "--surrogate", model().string(), "--minimal-eps"}),
               "does not go with --surrogate");
}

TEST_F(AttackCommand, SeveralSurrogatesMakeTheImagesTogether) {
  const std::string both = model().string() + "," + model().string();
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"--image", first_face().string(), "--surrogate", both});
    return more;
  };
  const json together = attack_json(goal(), with({}));
  EXPECT_EQ(together["per_image"][0]["success"], true) << "the mean of a network and itself is the network";
  const json by_loss = attack_json(goal(), with({"--ensemble", "loss"}));
  EXPECT_EQ(by_loss["options"]["ensemble"]["value"], "loss");
  EXPECT_EQ(by_loss["per_image"][0]["success"], true);
  const auto made_on = [](const json& result) { return result["threat_model"]["surrogate"].get<std::string>(); };
  EXPECT_THAT(made_on(together), testing::EndsWith(":logits"));
  EXPECT_THAT(made_on(by_loss), testing::EndsWith(":loss"));
  expect_error(
      attack(goal(), {"--image", first_face().string(), "--surrogate", model().string(), "--ensemble", "loss"}),
      "is for several networks");
}

TEST_F(AttackCommand, AnExpectationOverOneNetworkIsTheMeanOfItsLogits) {
  const auto x = to_float(read_image(first_face(), 1).unsqueeze(0));
  const auto answer = [&](const std::string& ensemble) {
    AttackOptions options;
    options.eot = 2;
    options.eot_over = "camera";
    options.ensemble = ensemble;
    return options.image_maker(*classifier_, x, {}).classifier->logits(x);
  };
  EXPECT_TRUE(at::equal(answer("loss"), answer("logits")));
}

TEST_F(AttackCommand, AnExpectationOverTheCameraMakesTheImages) {
  const json result = attack_json(goal(), {"--image", first_face().string(), "--eot", "3", "--eot-over", "camera",
                                           "--steps", "5", "--eps", "16/255"});
  EXPECT_EQ(result["options"]["eot"]["value"], "3");
  EXPECT_EQ(result["options"]["eot-over"]["value"], "camera");
  expect_error(attack(goal(), {"--image", first_face().string(), "--eot-over", "camera"}), "is for --eot");
  expect_error(attack(goal(), {"--image", first_face().string(), "--eot", "3", "--minimal-eps"}),
               "does not go with --eot");
}

TEST_F(AttackCommand, MinimumNormAttacksGiveTheSmallestEpsThemselves) {
  const json result = attack_json("untargeted", {"--data", faces().string(), "--attack", "deepfool", "--norm", "l2",
                                                 "--eps", "0.01", "--minimal-eps", "--limit", "4"});
  for (const auto& image : result["per_image"]) {
    ASSERT_TRUE(image["minimal_eps"].is_number());
    EXPECT_EQ(image["success"].get<bool>(), image["minimal_eps"].get<double>() <= 0.01);
  }
}

TEST_F(AttackCommand, SeveralModelsAreShownSideBySide) {
  const std::string two = model().string() + "," + unsure_model().string();
  const auto result = run_in_process({"attack", goal(), "--model", two, "--image", first_face().string(), "--out",
                                      out_.path().string(), "--min-confidence", "0", "--threads", "1"});
  EXPECT_THAT(result.out, testing::HasSubstr("\n  model "));
  EXPECT_THAT(result.out, testing::HasSubstr("\n  unsure "));
  EXPECT_TRUE(fs::exists(out_ / "model" / "result.json"));
  EXPECT_TRUE(fs::exists(out_ / "unsure" / "result.json"));
}

TEST_F(AttackCommand, ModelsOfOneFileNameHaveFoldersOfTheirOwn) {
  std::vector<std::string> models;
  for (const char* name : {"a/best.pt", "b/best.pt", "c/a.pt"}) {
    fs::create_directories((out_ / name).parent_path());
    fs::copy_file(model(), out_ / name);
    models.push_back((out_ / name).string());
  }
  const auto result =
      run_in_process({"attack", goal(), "--model", join(models, ","), "--image", first_face().string(), "--attack",
                      "fgsm", "--out", (out_ / "cmp").string(), "--min-confidence", "0", "--threads", "1"});
  for (const char* name : {"a", "b", "a-2"}) {
    EXPECT_TRUE(fs::exists(out_ / "cmp" / name / "result.json")) << name << result.err;
    EXPECT_THAT(result.out, testing::HasSubstr(fmt::format("\n  {} ", name)));
  }
}

TEST_F(AttackCommand, ModelsThatAreSureOfNoCommonFaceShowTheOneTheyAgreeOnBest) {
  const auto result =
      run_in_process({"attack", "untargeted", "--model", model().string() + "," + unsure_model().string(), "--data",
                      faces().string(), "--out", out_.path().string(), "--limit", "1", "--threads", "1"});
  EXPECT_EQ(result.exit_code, 1);  // the second is sure of none
  EXPECT_THAT(result.out, testing::HasSubstr("one face, all models"));
  EXPECT_TRUE(fs::exists(out_ / "adversarial_attack.png"));
  EXPECT_EQ(result.err.find("no face"), std::string::npos);
}

TEST_F(AttackCommand, ModelsThatAgreeOnNoFaceSaySo) {
  const auto other = (*scratch_ / "other.pt").string();
  Checkpoint checkpoint = load_checkpoint(model());
  {
    const torch::NoGradGuard no_grad;  // its answers are the others' least likely ones
    for (const auto& entry : checkpoint.network->named_parameters())
      if (entry.key().rfind("head.", 0) == 0) entry.value().neg_();
  }
  save_checkpoint(checkpoint, other);
  const auto result =
      run_in_process({"attack", "untargeted", "--model", model().string() + "," + other, "--data", faces().string(),
                      "--out", out_.path().string(), "--limit", "1", "--threads", "1"});
  EXPECT_THAT(result.err, testing::HasSubstr("no face is classified rightly by all models"));
  EXPECT_EQ(result.out.find("one face, all models"), std::string::npos);
}

TEST_F(AttackCommand, WithoutAnySureImageTheBestIsShownAndTheRunFails) {
  const auto result = run_fercli({"attack", goal(), "--model", unsure_model().string(), "--data", faces().string(),
                                  "--out", out_.path().string()});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, testing::HasSubstr("images of class " + source_ + " is classified rightly with more than"));
  EXPECT_THAT(result.err, testing::HasSubstr("the best is "));
  EXPECT_TRUE(fs::exists(out_ / "adversarial_attack.png"));
  EXPECT_THAT(result.out, testing::HasSubstr("No success is counted"));
  EXPECT_THAT(result.out, testing::Not(testing::HasSubstr("100.0 %")));
  EXPECT_THAT(result.out, testing::Not(testing::HasSubstr("->")));
}

TEST_F(AttackCommand, AnImageThatIsUnchangedIsCalledSo) {
  const auto result = attack(
      goal(), {"--image", first_face().string(), "--attack", "pgd:steps=1,alpha=1e-9", "--out", out_.path().string()});
  EXPECT_THAT(result.out, testing::HasSubstr("Linf 0/255, unchanged"));
  EXPECT_THAT(read_file(out_ / "per_image.csv"), testing::Not(testing::HasSubstr(",inf")));
}

TEST_F(AttackCommand, ASuccessNeedsAnOriginalThatTheNetworkIsSureOf) {
  const auto result = run_in_process({"attack", "untargeted", "--model", unsure_model().string(), "--image",
                                      first_face().string(), "--eps", "64/255", "--threads", "1", "--json"});
  EXPECT_EQ(result.exit_code, 1);
  const json document = json::parse(result.out);
  EXPECT_EQ(document["n"], 0);
  EXPECT_EQ(document["metrics"]["success_8bit"]["n"], 0);
  EXPECT_TRUE(document["metrics"]["success_8bit"]["value"].is_null());
  EXPECT_EQ(document["per_image"][0]["sure"], false);
  EXPECT_EQ(document["per_image"][0]["success"], false);
  EXPECT_EQ(document["per_image"][0]["success_float"], false);
}

TEST_F(AttackCommand, APictureIsSearchedForFacesAsInPredict) {
  ReadOptions large;
  large.size = 240;
  large.channels = 3;
  const auto portrait = read_dataset("synthetic:n=1,seed=5,classes=happy,framing=portrait,size=240", large);
  write_png(portrait.images[0], out_ / "portrait.png");
  write_png(torch::full({3, 200, 200}, 90, torch::kUInt8), out_ / "wall.png");
  const auto wall = attack("untargeted", {"--image", (out_ / "wall.png").string(), "--min-confidence", "0"});
  EXPECT_EQ(wall.exit_code, 1);
  EXPECT_EQ(wall.out, "");
  EXPECT_THAT(wall.err, testing::HasSubstr("no face was found in it; with --detect never its centre is taken as one"));
  const auto found = attack("untargeted", {"--image", (out_ / "portrait.png").string(), "--min-confidence", "0",
                                           "--out", (out_ / "result").string()});
  EXPECT_EQ(found.exit_code, 0) << found.err;
  const Classifier& network = *classifier_;
  const auto picture = picture_of_image(portrait.images[0]);
  const auto squares =
      find_faces(picture, make_face_detector("haar").get(), network.preprocessing(), Detect::Auto).squares;
  ASSERT_EQ(squares.size(), 1u);
  EXPECT_TRUE(
      read_image(out_ / "result" / "original.png", 1).equal(crop_faces(picture, squares, network.preprocessing())[0]));
}

TEST_F(AttackCommand, AnAlphaThatIsNoStepIsExplained) {
  const std::string range = "must be in (0, 1]; pixels are scaled to [0,1], did you mean 2/255?";
  expect_error(attack(goal(), {"--alpha", "2"}), "--alpha 2: " + range);
  expect_error(attack(goal(), {"--alpha", "2", "--norm", "l2", "--attack", "cw"}), "--alpha 2: " + range);
  expect_error(attack(goal(), {"--alpha", "inf", "--norm", "l2"}), "--alpha inf: must be");
  expect_error(run_in_process({"universal", "untargeted", "--alpha", "2"}), "--alpha 2: " + range);
  expect_error(run_in_process({"frame", "happy-to-sad", "--alpha", "2"}), "--alpha 2: " + range);
  EXPECT_EQ(attack(goal(), {"--alpha", "2", "--norm", "l2", "--eps", "4", "--image", first_face().string(), "--json"})
                .exit_code,
            0);
}

TEST_F(AttackCommand, AnEpsThatIsCutToWholeLevelsIsSaid) {
  const auto result =
      attack(goal(), {"--eps", "5.1/255", "--image", first_face().string(), "--out", out_.path().string()});
  EXPECT_THAT(result.out, testing::HasSubstr("eps 5.1/255 is 5 levels of 255"));
  const auto document = json::parse(read_file(out_ / "result.json"));
  EXPECT_EQ(document["threat_model"]["eps_levels"]["at_most"], 5);
  EXPECT_EQ(document["attacks"][0]["search_precision"], "fp32");
  EXPECT_TRUE(document["environment"].contains("instruction_set"));
}

TEST_F(AttackCommand, WhateverInstructionsOneDnnIsHeldToEveryPrecisionRunsAndTheResultNamesThem) {
  setenv("ONEDNN_MAX_CPU_ISA", "SSE41", 1);
  for (const char* precision : {"auto", "fp32", "bf16"}) {
    const auto result = run_fercli({"attack", goal(), "--model", model().string(), "--precision", precision, "--image",
                                    first_face().string(), "--threads", "1", "--json"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    const auto document = json::parse(result.out);
    EXPECT_EQ(document["environment"]["instruction_set"], "sse41");
    const bool asked = std::string(precision) == "bf16";
    EXPECT_EQ(document["attacks"][0]["search_precision"], asked ? "bf16" : "fp32");
    EXPECT_EQ(document["attacks"][0]["verdict_precision"], "fp32");
    EXPECT_EQ(result.err.find("it is emulated, slower than fp32") != std::string::npos, asked);
  }
  unsetenv("ONEDNN_MAX_CPU_ISA");
}

TEST_F(AttackCommand, AFileOfAnotherEmotionIsNotAttacked) {
  const std::string other = source_ == "Happy" ? "Neutral" : "Happy", target = "Disgust";
  const auto result =
      attack(other + "-to-" + target, {"--image", first_face().string(), "--out", out_.path().string()});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, testing::HasSubstr("none of 1 images of class " + other));
}

TEST_F(AttackCommand, WrongGoalsAreExplained) {
  expect_error(attack("happy-to-happy", {}), "source and target are the same emotion");
  expect_error(attack("hapy-to-sad", {}), "unknown emotion 'hapy'; did you mean happy?");
  expect_error(attack("happy", {}), "must be SOURCE-to-TARGET, any-to-TARGET or untargeted");
}

TEST_F(AttackCommand, WrongEpsIsExplained) {
  expect_error(attack(goal(), {"--eps", "0"}), "--eps 0: must be above 0");
  expect_error(attack(goal(), {"--eps", "-1/255"}), "must be above 0");
  expect_error(attack(goal(), {"--eps", "12"}),
               "must be in (0, 1] in Linf; pixels are scaled to [0,1], did you mean 12/255?");
  const std::string fraction = attack(goal(), {"--eps", "300/255"}).err;
  EXPECT_THAT(fraction, testing::HasSubstr("--eps 300/255: must be in (0, 1]"));
  EXPECT_EQ(fraction.find("did you mean"), std::string::npos) << fraction;
  expect_error(attack(goal(), {"--eps", "0.5/255"}),
               "--eps 0.5/255: must be at least 1/255, one level of 8-bit images");
  expect_error(attack(goal(), {"--eps", "0.003", "--norm", "l2"}), "--eps 0.003: must be at least 1/255");
  expect_error(attack(goal(), {"--eps", "inf", "--norm", "l2"}), "--eps inf: must be above 0, and finite");
  expect_error(attack(goal(), {"--eps", "8/256x"}), "must be a number or a fraction like 8/255");
}

TEST_F(AttackCommand, WrongFilesAreNamed) {
  expect_error(attack(goal(), {"--image", "nowhere.png"}), "nowhere.png: no such file");
  expect_error(attack(goal(), {"--data", faces().string(), "--image", first_face().string()}),
               "--data and --image: give one of them");
  expect_error(attack(goal(), {"--image", model().string()}), "is not a readable image");
  expect_error(run_fercli({"attack", "happy-to-sad", "--model", "nowhere.pt"}), "--model nowhere.pt: no such file");
}

TEST_F(AttackCommand, WhatIsLeftOutOfADataSetIsSaid) {
  write_png(read_image(first_face(), 1), out_ / "Sad" / "a.png");
  write_file(out_ / "Sad" / "b.png", "no picture");
  const auto result = attack(goal(), {"--data", out_.path().string(), "--skip-bad", "--split", "Training"});
  EXPECT_THAT(result.err, testing::HasSubstr(out_.path().string() + ": left out 1 bad entries"));
  EXPECT_THAT(result.err, testing::HasSubstr("has no images of split Training"));
}

TEST_F(AttackCommand, ADataSetWithOtherClassesIsRefused) {
  write_png(read_image(first_face(), 1), out_ / "Contempt" / "a.png");
  write_png(read_image(first_face(), 1), out_ / "Sad" / "b.png");
  const auto result = attack("happy-to-sad", {"--data", out_.path().string()});
  EXPECT_EQ(result.exit_code, 2) << result.err;
}

TEST_F(AttackCommand, WrongAttackSettingsAreExplained) {
  expect_error(attack(goal(), {"--attack", "pgdd"}), "did you mean pgd?");
  expect_error(attack(goal(), {"--loss", "hinge", "--image", first_face().string()}),
               "--loss hinge: must be one of ce, dlr, margin");
  expect_error(attack(goal(), {"--restarts", "0"}), "must be in [1, 1000000]");
  expect_error(attack(goal(), {"--norm", "l0"}), "--norm l0: attack 'pgd' does not work in L0");
  expect_error(attack(goal(), {"--mask", ""}), "--mask : must not be empty");
}

TEST_F(AttackCommand, ASettingThatTheAttackDoesNotUseIsSaid) {
  for (const auto& [name, option, value] : std::vector<std::array<std::string, 3>>{
           {"fgsm", "--steps", "50"}, {"fgsm", "--restarts", "7"}, {"deepfool", "--confidence", "0.9"}}) {
    EXPECT_THAT(attack(goal(), {"--attack", name, option, value, "--image", first_face().string()}).err,
                testing::HasSubstr(fmt::format("{} has no effect: {} does not use it", option, name)));
  }
  EXPECT_THAT(attack(goal(), {"--image", first_face().string()}).err,
              testing::Not(testing::HasSubstr("has no effect")));
  expect_error(attack(goal(), {"--space", "input", "--image", first_face().string()}),
               "--space input: is for foreign networks");
}

TEST_F(AttackCommand, FilesOfAnySizeAndColourAreTakenAsFaceCrops) {
  const fs::path wide = out_ / "wide.png";
  write_png(read_image(first_face(), 3).repeat_interleave(8, 1).repeat_interleave(9, 2), wide);
  const auto result = attack("untargeted", {"--image", wide.string(), "--detect", "never", "--min-confidence", "0",
                                            "--out", out_.path().string()});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err,
              testing::HasSubstr("432x384 pixels, taken as a face crop: its centre square, resized to 48x48"));
  EXPECT_EQ(read_image(out_ / "adversarial.png", 1).size(1), 48);
}

}  // namespace

}  // namespace fercli::test
