// `--shard` of the commands that only look at images: verify, and universal --load.
#include <nlohmann/json.hpp>
#include <regex>

#include "core/files.hpp"
#include "tests/cli/drawn_faces.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/cli/tiny_network.hpp"
#include "tests/precompiled_tests.hpp"

namespace fercli::test {

namespace {

using testing::HasSubstr;

class VerdictShards : public testing::Test {
 protected:
  VerdictShards() {
    save_tiny_network(folder_ / "model.pt", 3, 400);
    save_tiny_network(folder_ / "other.pt", 4, 400);
  }

  std::string file(const std::string& name) const { return (folder_ / name).string(); }

  std::vector<std::string> with_network(std::vector<std::string> words, const std::string& network = "model.pt") const {
    words.insert(words.end(), {"--model", file(network), "--data", drawn_once("synthetic:n=42,seed=4")});
    return words;
  }

  static ProgramResult run(std::vector<std::string> words, const std::vector<std::string>& more = {}) {
    words.insert(words.end(), more.begin(), more.end());
    return run_in_process(words);
  }

  void make_shards(const std::vector<std::string>& words, const std::string& out, const std::string& of) const {
    for (int shard = 1; shard <= std::stoi(of); ++shard) {
      const auto made = run(words, {"--shard", std::to_string(shard) + "/" + of, "--out", file(out)});
      ASSERT_EQ(made.exit_code, 0) << made.err;
      EXPECT_THAT(made.out, HasSubstr("is complete"));
    }
  }

  const ScratchFolder folder_;
};

TEST_F(VerdictShards, OfVerifyMergeToTheFindingsOfASingleRun) {
  const auto made = run(with_network(
      {"eval", "--attacks", "fgsm", "--eps", "1/255,4/255", "--split", "all", "--save-adv", file("adversarial.pt")}));
  ASSERT_EQ(made.exit_code, 0) << made.err;
  const auto verify = with_network({"verify", file("adversarial.pt")});
  const auto single = run(verify);
  ASSERT_EQ(single.exit_code, 0) << single.err;
  make_shards(verify, "shards", "3");
  const auto merged = run({"merge", file("shards")});
  EXPECT_EQ(merged.exit_code, 0) << merged.err;
  EXPECT_EQ(merged.out, single.out);
}

TEST_F(VerdictShards, OfUniversalMergeToTheResultOfASingleRun) {
  const auto learnt =
      run(with_network({"universal", "untargeted", "--split", "all", "--steps", "2", "--out", file("learnt")}));
  ASSERT_EQ(learnt.exit_code, 0) << learnt.err;
  const auto score = with_network({"universal", "untargeted", "--split", "all", "--load", file("learnt/universal.pt")});
  const auto single = run(score, {"--out", file("single")});
  ASSERT_EQ(single.exit_code, 0) << single.err;
  make_shards(score, "merged", "2");
  const auto merged = run({"merge", file("merged")});
  ASSERT_EQ(merged.exit_code, 0) << merged.err;
  EXPECT_EQ(std::regex_replace(merged.out, std::regex("/merged/"), "/single/"), single.out);
  EXPECT_EQ(read_file(file("merged/per_image.csv")), read_file(file("single/per_image.csv")));
  const auto result = [&](const std::string& out) {
    auto json = nlohmann::json::parse(read_file(file(out + "/result.json")));
    json["options"].erase("out");
    json.erase("timing");
    return json.dump();
  };
  EXPECT_EQ(result("merged"), result("single"));
}

TEST_F(VerdictShards, OfAnotherNetworkAreRefused) {
  const auto learnt =
      run(with_network({"universal", "untargeted", "--split", "all", "--steps", "1", "--out", file("learnt")}));
  ASSERT_EQ(learnt.exit_code, 0) << learnt.err;
  const std::vector<std::string> score{"universal", "untargeted", "--load", file("learnt/universal.pt"),
                                       "--split",   "all",        "--out",  file("shards")};
  ASSERT_EQ(run(with_network(score), {"--shard", "1/2"}).exit_code, 0);
  const auto other = run(with_network(score, "other.pt"), {"--shard", "2/2"});
  EXPECT_EQ(other.exit_code, 2);
  EXPECT_THAT(other.err, HasSubstr("holds shards of a run that differs in network"));
}

TEST_F(VerdictShards, OfOneNetworkThatIsRunInTwoWaysAreRefused) {
  const auto made = run(with_network(
      {"eval", "--attacks", "fgsm", "--eps", "1/255", "--split", "all", "--save-adv", file("adversarial.pt")}));
  ASSERT_EQ(made.exit_code, 0) << made.err;
  const auto learnt =
      run(with_network({"universal", "untargeted", "--split", "all", "--steps", "1", "--out", file("learnt")}));
  ASSERT_EQ(learnt.exit_code, 0) << learnt.err;
  for (const auto& words : {with_network({"verify", file("adversarial.pt"), "--out", file("verified")}),
                            with_network({"universal", "untargeted", "--split", "all", "--load",
                                          file("learnt/universal.pt"), "--out", file("scored")})}) {
    const auto first = run(words, {"--shard", "1/2"});
    ASSERT_EQ(first.exit_code, 0) << first.err;
    const auto other = run(words, {"--shard", "2/2", "--executor", "plain"});
    EXPECT_EQ(other.exit_code, 2);
    EXPECT_THAT(other.err, HasSubstr("holds shards of a run that differs in classifier"));
  }
}

TEST_F(VerdictShards, WhatIsLearntIsNotDivided) {
  const auto refused = run(with_network({"universal", "untargeted", "--shard", "1/2", "--out", file("x")}));
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("--shard 1/2: needs --load; what is learnt is not divided, only its scoring"));
}

}  // namespace

}  // namespace fercli::test
