// What holds for every foreign model format, and how one of several is chosen.
#include <ATen/ATen.h>

#include "core/claim.hpp"
#include "core/files.hpp"
#include "models/files/file_probe.hpp"
#include "models/formats/export.hpp"
#include "models/formats/import.hpp"
#include "tests/attacks/linear_network.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/contract/executors.hpp"
#include "tests/contract/model_sample.hpp"
#include "tests/precompiled_tests.hpp"
#include "tests/user_error.hpp"

namespace fercli::test {

namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr int64_t kSide = 16;

Checkpoint small_network() {
  const Classifier classifier = confident_cnn(kSide);
  return {classifier.spec(), {}, classifier.network(), ""};
}

/// A file of each format: what its writer makes, or the sample that there is.
fs::path sample(const std::string& format, const ScratchFolder& folder) {
  if (Registry<ModelWriter>::instance().find(format) == nullptr)
    return Registry<ModelSample>::instance().get(format).write(folder.path());
  export_model(small_network(), format, folder / "net.file");
  return folder / "net.file";
}

class ModelFormatContract : public testing::TestWithParam<std::string> {
 protected:
  ScratchFolder folder_;
  fs::path file_ = sample(GetParam(), folder_);
};

TEST_P(ModelFormatContract, IsRecognisedByItselfAlone) {
  const FileProbe file = probe_file(file_);
  for (const auto& format : Registry<ModelFormat>::instance().all())
    EXPECT_EQ(format.recognises(file), format.name == GetParam()) << format.name;
}

TEST_P(ModelFormatContract, GivesTheSameLogitsInAnyCompanyAndBatch) {
  const Classifier classifier = make_classifier(load_model(file_), {0, "fp32"});
  EXPECT_EQ(classifier.arch(), GetParam());
  const auto x = to_float(test_images(5, kSide, 0, 255));
  const auto logits = classifier.logits(x);
  EXPECT_EQ(logits.sizes(), (torch::IntArrayRef{5, 7}));
  EXPECT_TRUE(at::allclose(classifier.logits(x.narrow(0, 2, 1)), logits.narrow(0, 2, 1), 1e-5, 1e-5));
}

TEST_P(ModelFormatContract, GivesTheSameOnEveryExecutorThatRunsIt) {
  expect_same_on_every_executor(make_classifier(load_model(file_), {0, "fp32"}),
                                to_float(test_images(4, kSide, 0, 255)));
}

TEST_P(ModelFormatContract, HasTheGradientThatDifferencesShow) {
  const Classifier classifier = make_classifier(load_model(file_), {0, "fp32"});
  const auto x = to_float(test_images(1, kSide, 60, 190));
  const auto dlogits = torch::linspace(-1, 1, 7).unsqueeze(0);
  const auto gradient = classifier.linearize(x).pullback(dlogits);
  const auto direction = gradient / gradient.norm().clamp_min(1e-12);
  constexpr double kStep = 1e-3;
  const auto value = [&](double step) {
    return (classifier.logits(x + direction * step) * dlogits).sum().item<double>();
  };
  const double slope = (value(kStep) - value(-kStep)) / (2 * kStep), expected = gradient.norm().item<double>();
  EXPECT_NEAR(slope, expected, 0.05 * expected);
}

TEST_P(ModelFormatContract, ATruncatedFileIsRefusedByName) {
  const std::string whole = read_file(file_);
  write_file(file_, whole.substr(0, whole.size() / 2));
  EXPECT_THAT(message_of([&] { load_model(file_); }), HasSubstr(file_.filename().string()));
}

TEST_P(ModelFormatContract, CanBeNamedInsteadOfRecognised) {
  ImportOptions options;
  options.format = GetParam();
  EXPECT_EQ(load_model(file_, options).arch, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Every, ModelFormatContract, testing::ValuesIn(Registry<ModelFormat>::instance().names()),
                         [](const auto& format) {
                           std::string name = format.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(ModelFormats, AnUnknownNameIsRefusedWithThoseThatThereAre) {
  ImportOptions options;
  options.format = "onx";
  const ScratchFolder folder;
  EXPECT_THAT(message_of([&] { load_model(sample("onnx", folder), options); }),
              HasSubstr("unknown model format 'onx'; did you mean onnx?"));
}

/// A kind of entry of this test alone.
struct Word {
  static constexpr const char* kKind = "word";
  std::string name;
  bool (*recognises)(const std::string& text);
  int priority = 0;
};

const Register<Word> short_word{{"short", [](const std::string& text) { return text.size() < 6; }}};
const Register<Word> lower_word{{"lower", [](const std::string& text) { return text == to_lower(text); }}};
const Register<Word> special_word{{"special", [](const std::string& text) { return text == "yes"; }, 1}};

const Word* claim(const std::string& text, const std::string& wanted = "") {
  return claimant<Word>(text, text, wanted, "--word");
}

TEST(Claimant, IsTheOneThatRecognisesIt) {
  EXPECT_EQ(claim("lowercase")->name, "lower");
  EXPECT_EQ(claim("Short")->name, "short");
  EXPECT_EQ(claim("LONGWORDS"), nullptr);
}

TEST(Claimant, OfHigherPriorityWins) {
  EXPECT_EQ(claim("yes")->name, "special");
}

TEST(Claimant, TwoOfOnePriorityAreRefusedByName) {
  EXPECT_EQ(message_of([] { claim("no"); }), "no: could be any of lower, short; --word says which");
}

TEST(Claimant, IsTheNamedOneWithoutBeingAsked) {
  EXPECT_EQ(claim("no", "short")->name, "short");
  EXPECT_EQ(claim("LONGWORDS", "lower")->name, "lower");
  EXPECT_THAT(message_of([] { claim("no", "shirt"); }), HasSubstr("did you mean short?"));
}

}  // namespace

}  // namespace fercli::test
