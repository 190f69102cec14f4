// The contract of every registered architecture and of the classifier around it.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "core/container.hpp"
#include "core/files.hpp"
#include "core/zip_file.hpp"
#include "models/checkpoint.hpp"
#include "models/graph/foreign_model.hpp"
#include "models/networks/layers.hpp"
#include "models/networks/model.hpp"
#include "models/networks/network.hpp"
#include "models/networks/weights.hpp"
#include "models/summary.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/contract/executors.hpp"
#include "tests/precompiled_tests.hpp"
#include "tests/user_error.hpp"

#include <torch/serialize.h>

namespace fercli {

namespace {

using test::message_of;

/// Small versions of the architectures, so that the suite stays quick: narrow ones, or of small images.
NetworkOptions small_options(const Architecture& architecture) {
  NetworkOptions options = architecture.defaults();
  if (options.settings.count("width")) options.settings["width"] = 8;
  if (options.settings.count("dense")) options.settings["dense"] = 32;
  if (!options.settings.count("width") || options.size > 64) options.size = 32;
  return options;
}

/// BatchNorm statistics and residual scales away from their start, as after training.
void unsettle(Network& network) {
  const torch::NoGradGuard no_grad;
  const Rng rng(9);
  for (auto& entry : network.named_parameters()) {
    if (entry.value().dim() == 1)
      entry.value().add_(0.3 * normal_rows(rng.split(entry.key()), {0}, entry.value().sizes())[0]);
  }
  for (auto& entry : network.named_buffers()) {
    const auto noise = uniform_rows(rng.split(entry.key()), {0}, entry.value().sizes())[0];
    entry.value().add_(0.3 * noise);
  }
}

Classifier make_small(const Architecture& architecture, const Execution& execution) {
  static std::map<std::string, std::shared_ptr<Network>> networks;  // fer-vgg has many random weights
  const NetworkOptions options = small_options(architecture);
  auto& network = networks[architecture.name];
  if (!network) {
    network = make_network(architecture.name, options, 3);
    unsettle(*network);
    network->eval();
  }
  return Classifier(network,
                    {architecture.name, options, {options.channels, options.size, {0.5}, {0.25}}, LabelSet::fer2013()},
                    execution);
}

torch::Tensor images(int64_t n, int64_t channels = 1, int64_t size = 48) {
  std::vector<int64_t> index(n);
  for (int64_t i = 0; i < n; ++i) index[i] = i;
  return (uniform_rows(Rng(5), index, {channels, size, size}) + 1) / 2;
}

class Architectures : public testing::TestWithParam<std::string> {
 protected:
  const Architecture& architecture() const { return Registry<Architecture>::instance().get(GetParam()); }
};

TEST_P(Architectures, GiveOneLogitPerClass) {
  EXPECT_EQ(make_small(architecture(), {}).logits(images(3)).sizes(), (std::vector<int64_t>{3, 7}));
}

TEST_P(Architectures, GiveTheSameOnEveryExecutor) {
  const Classifier plain = make_small(architecture(), {Precision::Float32, torch::kCPU, "plain"});
  const auto& input = plain.preprocessing();
  test::expect_same_on_every_executor(plain, images(4, input.channels, input.size));
}

TEST_P(Architectures, AnImageHasTheSameLogitsInAnyBatchAndWithAnyThreads) {
  const auto x = images(9);
  const int threads = at::get_num_threads();
  for (const Precision precision : {Precision::Float32, Precision::BFloat16}) {
    const Classifier classifier = make_small(architecture(), {precision});
    at::set_num_threads(2);
    const auto together = classifier.logits(x);
    for (const int count : {1, 2}) {
      at::set_num_threads(count);
      for (const int64_t n : {1, 2, 5}) {
        EXPECT_TRUE(at::equal(classifier.logits(x.slice(0, 4, 4 + n)), together.slice(0, 4, 4 + n)))
            << to_string(precision) << ", batch of " << n << ", " << count << " threads";
      }
    }
  }
  at::set_num_threads(threads);
}

TEST_P(Architectures, QuickLogitsAreThoseOfTheGradientInAnyBatch) {
  const Classifier classifier = make_small(architecture(), {});
  const auto x = images(5);
  const auto quick = classifier.quick_logits(x);
  EXPECT_TRUE(at::equal(quick, classifier.linearize(x).logits));
  EXPECT_TRUE(at::equal(quick.narrow(0, 2, 1), classifier.quick_logits(x.narrow(0, 2, 1))));
  EXPECT_TRUE(at::allclose(quick, classifier.logits(x), 1e-4, 1e-4));
  EXPECT_EQ(classifier.forwards(), 16);
}

TEST_P(Architectures, TheGradientIsThatOfTheLogits) {
  const Classifier classifier = make_small(architecture(), {});
  const auto x = images(2) * 0.5 + 0.25;
  auto dlogits = torch::zeros({2, 7});
  dlogits.select(1, 2).fill_(1);
  const auto gradient = classifier.linearize(x).pullback(dlogits);
  const auto direction = gradient / gradient.flatten(1).norm(2, 1).view({-1, 1, 1, 1});
  constexpr double kStep = 2e-3;
  const auto slope =
      (classifier.logits(x + kStep * direction) - classifier.logits(x - kStep * direction)).select(1, 2) / (2 * kStep);
  const auto expected = gradient.flatten(1).norm(2, 1);
  EXPECT_TRUE(at::allclose(slope, expected, 0.05, 1e-3)) << slope << expected;
}

TEST_P(Architectures, SurviveACheckpoint) {
  const test::ScratchFolder folder;
  const Classifier before = make_small(architecture(), {});
  save_checkpoint({before.spec(), {{"seed", 3}}, before.network(), ""}, folder / "model.pt");
  const Checkpoint loaded = load_checkpoint(folder / "model.pt");
  EXPECT_EQ(loaded.training.at("seed"), 3);
  EXPECT_EQ(loaded.classes, LabelSet::fer2013());
  const auto x = images(4);
  EXPECT_TRUE(at::allclose(make_classifier(loaded, {0, "fp32"}).logits(x), before.logits(x), 2e-2, 2e-2));
}

TEST_P(Architectures, SummaryCountsEveryParameter) {
  const NetworkOptions options = small_options(architecture());
  const auto network = architecture().make(options);
  int64_t counted = 0;
  for (const auto& layer : summarise(*network, options)) counted += layer.parameters;
  EXPECT_EQ(counted, parameter_count(*network));
}

TEST_P(Architectures, SummaryNumbersTheLayersAsFreezingCountsThem) {
  const NetworkOptions options = small_options(architecture());
  const auto network = architecture().make(options);
  std::vector<std::string> registered, shown;
  for (const auto& entry : network->named_modules()) {
    if (dynamic_cast<const Layer*>(entry.value().get()) != nullptr) registered.push_back(entry.key());
  }
  for (const auto& layer : summarise(*network, options)) shown.push_back(layer.name);
  EXPECT_EQ(shown, registered);
}

INSTANTIATE_TEST_SUITE_P(All, Architectures, testing::ValuesIn(Registry<Architecture>::instance().names()),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(Summary, KnowsThePublishedSizes) {
  const auto parameters = [](const std::string& arch) {
    const auto& architecture = Registry<Architecture>::instance().get(arch);
    return parameter_count(*architecture.make(architecture.defaults()));
  };
  EXPECT_EQ(parameters("resnet"), 2776775);
  EXPECT_NEAR(parameters("mini-xception"), 60000, 5000);  // Arriaga et al. 2017
  EXPECT_NEAR(parameters("vgg16"), 17.1e6, 0.1e6);        // 13 ImageNet convolutions and the RAF-DB head
  EXPECT_NEAR(parameters("emobot"), 4.48e6, 0.02e6);
}

TEST(Summary, CountsTheFlopsOfAConvolution) {
  const NetworkOptions options = Registry<Architecture>::instance().get("resnet").defaults();
  const auto network = make_network("resnet", options, 0);
  const auto layers = summarise(*network, options);
  EXPECT_EQ(layers.at(0).flops, int64_t{2} * 25 * 64 * 24 * 24);
  EXPECT_EQ(layers.at(0).output, (std::vector<int64_t>{64, 24, 24}));
}

TEST(ClassifierTta, FlipMakesMirrorImagesEqual) {
  const Classifier classifier = make_small(Registry<Architecture>::instance().get("small-cnn"), {}).with_tta(Tta::Flip);
  const auto x = images(3);
  EXPECT_TRUE(at::allclose(classifier.logits(x), classifier.logits(x.flip({3})), 1e-5, 1e-5));
}

TEST(ClassifierTta, TenCropViewsAreAsLargeAsTheWindowsOfTraining) {
  const Classifier whole = make_small(Registry<Architecture>::instance().get("resnet"), {});
  NetworkSpec spec = whole.spec();
  spec.window = 40;
  const Classifier trained_on_windows(whole.network(), spec);
  spec.preprocessing.size = 40;
  const Classifier of_windows(whole.network(), spec);  // takes such windows as they are
  const auto x = images(3);
  auto expected = torch::zeros({3, 7});
  for (const auto& [top, left] : {std::pair{0, 0}, {0, 8}, {8, 0}, {8, 8}, {4, 4}}) {
    const auto window = x.slice(2, top, top + 40).slice(3, left, left + 40);
    expected += (of_windows.logits(window) + of_windows.logits(window.flip({3}))) / 10;
  }
  EXPECT_TRUE(trained_on_windows.with_tta(Tta::TenCrop).logits(x).allclose(expected, 1e-5, 1e-4));
  EXPECT_TRUE(trained_on_windows.logits(x).equal(whole.logits(x)));
}

TEST(ClassifierInput, ColourAndLargerImagesAreConverted) {
  const Classifier classifier = make_small(Registry<Architecture>::instance().get("small-cnn"), {});
  const auto grey = images(2, 1, 48);
  EXPECT_TRUE(at::allclose(classifier.logits(grey.expand({-1, 3, -1, -1})), classifier.logits(grey), 1e-4, 1e-4));
  EXPECT_EQ(classifier.logits(images(2, 3, 100)).size(0), 2);
}

TEST(ClassifierCounters, CountImagesNotCalls) {
  const Classifier classifier = make_small(Registry<Architecture>::instance().get("small-cnn"), {});
  classifier.logits(images(5));
  classifier.linearize(images(3)).pullback(torch::ones({3, 7}));
  EXPECT_EQ(classifier.forwards(), 8);
  EXPECT_EQ(classifier.backwards(), 3);
}

/// It is asked for nothing.
class ModelOfAnyDevice : public Model {
 public:
  bool supports(const Execution& /*execution*/) const override { return true; }

 private:
  std::shared_ptr<const Executor> make_executor(const Execution& /*execution*/) const override { return nullptr; }
};

TEST(DescribedClassifiers, OnAGraphicsCardAreNotThoseOnTheProcessor) {
  const auto on = [](const torch::Device& device) {
    return describe_classifier(Classifier(std::make_shared<ModelOfAnyDevice>(), {}, {Precision::Float32, device}));
  };
  EXPECT_FALSE(on(torch::kCPU).contains("device"));
  EXPECT_EQ(on({torch::kCUDA, 1}).at("device"), "cuda");
}

class BrokenCheckpoint : public testing::Test {
 protected:
  BrokenCheckpoint() {
    const Classifier classifier = make_small(Registry<Architecture>::instance().get("small-cnn"), {});
    save_checkpoint({classifier.spec(), {}, classifier.network(), ""}, folder_ / "model.pt");
    bytes_ = read_file(folder_ / "model.pt");
  }
  std::string message_for(const std::string& bytes) {
    write_file(folder_ / "broken.pt", bytes);
    return message_of([&] { load_checkpoint(folder_ / "broken.pt"); });
  }

  test::ScratchFolder folder_;
  std::string bytes_;
};

TEST_F(BrokenCheckpoint, MissingFileIsNamed) {
  EXPECT_THAT(message_of([&] { load_checkpoint(folder_ / "none.pt"); }), testing::HasSubstr("none.pt: no such file"));
}

TEST_F(BrokenCheckpoint, TruncationIsFound) {
  EXPECT_THAT(message_for(bytes_.substr(0, bytes_.size() / 2)), testing::HasSubstr("truncated or damaged"));
}

TEST_F(BrokenCheckpoint, OneFlippedBitInTheWeightsIsFound) {
  const ZipFile archive(bytes_, "model.pt");
  std::string largest;  // of the entries
  for (const auto& name : archive.names()) {
    if (largest.empty() || archive.size(name) > archive.size(largest)) largest = name;
  }
  const size_t place = bytes_.find(archive.read(largest));
  ASSERT_NE(place, std::string::npos) << largest;
  std::string damaged = bytes_;
  damaged[place + archive.size(largest) / 2] ^= 4;
  EXPECT_THAT(message_for(damaged), testing::HasSubstr("damaged"));
}

TEST_F(BrokenCheckpoint, AForeignFileIsCalledForeign) {
  EXPECT_THAT(message_for("emotion,pixels\n"), testing::HasSubstr("is not a fercli checkpoint"));
  const auto foreign = torch::pickle_save(torch::ones({2}));
  EXPECT_THAT(message_for({foreign.begin(), foreign.end()}), testing::HasSubstr("not a fercli checkpoint"));
}

TEST_F(BrokenCheckpoint, AClassThatIsNamedTwiceIsRefused) {
  const Classifier classifier = make_small(Registry<Architecture>::instance().get("small-cnn"), {});
  auto spec = classifier.spec();
  auto names = spec.classes.names();
  names.back() = names.front();
  spec.classes = LabelSet(names);
  save_checkpoint({spec, {}, classifier.network(), ""}, folder_ / "twice.pt");
  EXPECT_THAT(message_of([&] { load_checkpoint(folder_ / "twice.pt"); }),
              testing::HasSubstr("names the class Angry twice"));
}

TEST_F(BrokenCheckpoint, ASizeThatIsNoWholeNumberIsRefused) {
  Container container = load_container(folder_ / "model.pt", "checkpoint");
  for (const double size : {1e30, 31.5}) {
    container.header["size"] = size;
    save_container(container, folder_ / "broken.pt");
    EXPECT_THAT(message_of([&] { load_checkpoint(folder_ / "broken.pt"); }),
                testing::HasSubstr("the checkpoint's header is not complete, or its values have wrong types"))
        << size;
  }
}

TEST_F(BrokenCheckpoint, AnotherKindOfFileIsNamed) {
  save_container({"dataset", {}, {}}, folder_ / "data.pt");
  EXPECT_THAT(message_of([&] { load_checkpoint(folder_ / "data.pt"); }),
              testing::HasSubstr("is a fercli dataset, where a checkpoint is needed"));
}

/// A foreign network during whose reading another takes its file's place.
const Register<StoredModel> overtaken{{"overtaken",
                                       [](const nlohmann::json& header, const std::map<std::string, torch::Tensor>&,
                                          bool) -> std::shared_ptr<const ForeignModel> {
                                         write_file(header.at("file").get<std::string>(), "the next network");
                                         return nullptr;
                                       }}};

TEST_F(BrokenCheckpoint, AFileThatIsReplacedWhileItIsReadIsRefused) {
  const auto file = folder_ / "model.pt";
  Container container = load_container(file, "checkpoint");
  container.header["foreign"] = {{"kind", "overtaken"}, {"file", file.string()}};
  save_container(container, file);
  EXPECT_THAT(message_of([&] { load_checkpoint(file); }),
              testing::HasSubstr("model.pt: was changed while it was read"));
}

TEST(Weights, OfATorchvisionStateDictionaryAreTakenByName) {
  const test::ScratchFolder folder;
  c10::Dict<std::string, torch::Tensor> state;
  state.insert("features.0.weight", torch::full({8, 3, 3, 3}, 0.5));
  state.insert("classifier.6.bias", torch::ones({1000}));
  const auto bytes = torch::pickle_save(state);
  write_file(folder / "vgg16.pth", {bytes.data(), bytes.size()});
  const auto network = make_network("vgg16", {3, 64, 7, {{"width", 8}}}, 0);
  EXPECT_THAT(load_weights(*network, folder / "vgg16.pth"), testing::HasSubstr("1 of the network's"));
  EXPECT_TRUE(at::equal(network->named_parameters()["features.0.weight"], torch::full({8, 3, 3, 3}, 0.5)));
  EXPECT_THAT(message_of([&] { load_weights(*make_network("small-cnn", {}, 0), folder / "vgg16.pth"); }),
              testing::HasSubstr("none of its 2 tensors fits"));
}

TEST(MakeNetwork, RefusesSettingsOutOfRange) {
  const auto message = [](const std::string& name, double value) {
    return message_of([&] { make_network("resnet", {1, 48, 7, {{name, value}}}, 0); });
  };
  for (const double width : {0.0, -3.0, 0.5, 1e300}) {
    EXPECT_THAT(message("width", width), testing::HasSubstr("in [1, 4096]")) << width;
  }
  EXPECT_EQ(message("dropout", 2), "architecture resnet: dropout=2: must be in [0, 1)");
}

TEST(SmallestSide, IsWhatThePoolingLeavesAPixelOf) {
  EXPECT_EQ(smallest_side("small-cnn", {1, 48, 7, {{"width", 4}}}), 8);
  EXPECT_EQ(smallest_side("emobot", {1, 48, 7, {}}), 16);
}

TEST(MakeNetwork, NamesUnknownSettings) {
  EXPECT_THAT(message_of([] {
                make_network("resnet", {1, 48, 7, {{"widht", 3}}}, 0);
              }),
              testing::HasSubstr("architecture resnet: there is no parameter 'widht'; did you mean width?"));
}

}  // namespace

}  // namespace fercli
