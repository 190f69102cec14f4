// Every border of the program with the corpus, its own seeds, and damaged forms of both.
#include <cstdlib>

#include "core/files.hpp"
#include "core/progress.hpp"
#include "core/random.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/fuzz/targets.hpp"
#include "tests/precompiled_tests.hpp"

namespace fercli {

namespace {

namespace fs = std::filesystem;

/// Of each input; FERCLI_FUZZ_ROUNDS asks for more.
int64_t damaged_forms() {
  const char* wanted = std::getenv("FERCLI_FUZZ_ROUNDS");
  return wanted != nullptr ? std::atoll(wanted) : 6;
}

std::string with_damage(std::string bytes, Rng& rng) {
  for (int64_t left = 1 + rng.below(4); left > 0 && !bytes.empty(); --left) {
    const auto place = static_cast<size_t>(rng.below(static_cast<int64_t>(bytes.size())));
    const double kind = rng.uniform();
    if (kind < 0.5) {
      bytes[place] = static_cast<char>(rng.below(256));
    } else if (kind < 0.7) {
      bytes.erase(place, static_cast<size_t>(1 + rng.below(16)));
    } else if (kind < 0.9) {
      bytes.insert(place, bytes.substr(place, static_cast<size_t>(1 + rng.below(64))));
    } else {
      bytes.resize(place);
    }
  }
  return bytes;
}

class FuzzCorpus : public testing::TestWithParam<std::string> {};

/// A wrong byte may be refused or not matter; only a crash or an exception that is no refusal fails.
TEST_P(FuzzCorpus, EndsWellWithEveryInput) {
  const auto& target = test::fuzz_target(GetParam());
  const test::ScratchFolder folder;
  auto inputs = target.seeds(folder.path());
  ASSERT_FALSE(inputs.empty());
  for (const auto& entry : fs::directory_iterator(fs::path(FERCLI_TEST_FOLDER) / "corpus")) {
    inputs.push_back(read_file(entry.path()));
  }
  silence_progress(true);
  Rng rng(7);
  for (const auto& input : inputs) {
    EXPECT_NO_THROW(target.run(input, folder.path()));
    for (int64_t i = 0; i < damaged_forms(); ++i) {
      const std::string damaged = with_damage(input, rng);
      EXPECT_NO_THROW(target.run(damaged, folder.path()));
    }
  }
  silence_progress(false);
  RecordProperty("executions", static_cast<int>(static_cast<int64_t>(inputs.size()) * (1 + damaged_forms())));
}

std::vector<std::string> target_names() {
  std::vector<std::string> names;
  for (const auto& target : test::fuzz_targets()) names.push_back(target.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(AllBorders, FuzzCorpus, testing::ValuesIn(target_names()), [](const auto& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace

}  // namespace fercli
