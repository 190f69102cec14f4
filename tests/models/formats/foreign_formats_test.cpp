// ONNX, TorchScript, state dictionaries and safetensors: known files, round trips, and files that are broken.
#include <ATen/ATen.h>
#include <torch/csrc/jit/serialization/import.h>
#include <torch/serialize.h>
#include <zip.h>

#include <opencv2/dnn.hpp>

#include "core/files.hpp"
#include "models/files/state_dict.hpp"
#include "models/formats/export.hpp"
#include "models/formats/import.hpp"
#include "models/formats/torch/trace.hpp"
#include "models/networks/network.hpp"
#include "models/networks/weights.hpp"
#include "tests/attacks/reference_models.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/models/formats/onnx/onnx_exports.hpp"
#include "tests/models/formats/onnx/onnx_file.hpp"
#include "tests/precompiled_tests.hpp"
#include "tests/user_error.hpp"

namespace fercli {

namespace {

namespace fs = std::filesystem;
using test::message_of;
using test::ScratchFolder;
using testing::HasSubstr;

fs::path reference(const std::string& name) {
  return fs::path(FERCLI_TEST_FOLDER) / "golden" / "reference" / "models" / name;
}

torch::Tensor random_images(int64_t n, const Preprocessing& input) {
  std::vector<int64_t> index;
  for (int64_t i = 0; i < n; ++i) index.push_back(i);
  return (uniform_rows(Rng(11), index, {input.channels, input.size, input.columns()}) + 1) / 2;
}

double difference(const torch::Tensor& a, const torch::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

/// A network of the program's own with BatchNorm statistics as after training.
Checkpoint own_network(const std::string& arch) {
  Checkpoint checkpoint;
  const auto& defaults = Registry<Architecture>::instance().get(arch).defaults();
  checkpoint.arch = arch;
  checkpoint.options = defaults;
  if (checkpoint.options.settings.count("width")) checkpoint.options.settings["width"] = 8;
  if (checkpoint.options.settings.count("dense")) checkpoint.options.settings["dense"] = 32;
  if (checkpoint.options.size > 64) checkpoint.options.size = 64;
  checkpoint.classes = LabelSet::fer2013();
  checkpoint.network = make_network(arch, checkpoint.options, 3);
  checkpoint.preprocessing = {checkpoint.options.channels, checkpoint.options.size, {0.5}, {0.25}};
  const torch::NoGradGuard no_grad;
  for (auto& entry : checkpoint.network->named_buffers()) {
    entry.value().add_(0.3 * uniform_rows(Rng(9).split(entry.key()), {0}, entry.value().sizes())[0].abs());
  }
  checkpoint.network->eval();
  return checkpoint;
}

TEST(ForeignFormats, OnnxAndTorchScriptOfOneNetworkGiveTheSameLogitsAndGradients) {
  const auto onnx = make_classifier(load_model(reference("std.onnx")), {0, "fp32"});
  const auto script = make_classifier(load_model(reference("std.ts.pt")), {0, "fp32"});
  const auto x = random_images(5, onnx.preprocessing());
  EXPECT_LT(difference(onnx.logits(x), script.logits(x)), 1e-4);
  const auto dlogits = torch::ones({5, 7}).cumsum(1) - 3;
  const auto gradient = onnx.linearize(x).pullback(dlogits);
  EXPECT_LT(difference(gradient, script.linearize(x).pullback(dlogits)), 1e-4 * gradient.abs().max().item<double>());
}

TEST(ForeignFormats, TheReferenceNetworkGivesItsPublishedLogits) {
  const auto classifier = make_classifier(load_model(reference("std.onnx")), {0, "fp32"});
  const auto logits = classifier.logits(test::reference_images("24").x);
  EXPECT_LT(difference(logits, test::reference_file("cases_std.pt").at("logits")), 1e-4);
}

class Exports : public testing::TestWithParam<std::string> {};

/// Of one image, by OpenCV's reader of ONNX.
torch::Tensor logits_by_opencv(const fs::path& onnx, const torch::Tensor& image) {
  const auto x = image.contiguous();
  auto net = cv::dnn::readNetFromONNX(onnx.string());
  const int sides[] = {1, static_cast<int>(x.size(1)), static_cast<int>(x.size(2)), static_cast<int>(x.size(3))};
  net.setInput(cv::Mat(4, sides, CV_32F, x.data_ptr()));
  const cv::Mat output = net.forward();
  return torch::from_blob(output.data, {1, 7}).clone();
}

TEST_P(Exports, OpenCvReadsTheOnnxFileWithTheSameLogits) {
  const ScratchFolder folder;
  const Checkpoint checkpoint = own_network(GetParam());
  export_model(checkpoint, "onnx", folder / "net.onnx");
  const auto x = random_images(1, checkpoint.preprocessing);
  EXPECT_LT(difference(make_classifier(checkpoint, {0, "fp32"}).logits(x), logits_by_opencv(folder / "net.onnx", x)),
            1e-4);
}

TEST_P(Exports, TheOnnxFileIsValidAndComesBackWithTheSameLogits) {
  const ScratchFolder folder;
  const Checkpoint checkpoint = own_network(GetParam());
  export_model(checkpoint, "onnx", folder / "net.onnx");
  test::expect_valid_export(GetParam(), folder / "net.onnx", checkpoint);
  const Checkpoint back = load_model(folder / "net.onnx");
  EXPECT_EQ(back.preprocessing.channels, checkpoint.preprocessing.channels);
  EXPECT_EQ(back.preprocessing.size, checkpoint.preprocessing.size);
  const auto x = random_images(3, checkpoint.preprocessing);
  EXPECT_LT(
      difference(make_classifier(checkpoint, {0, "fp32"}).logits(x), make_classifier(back, {0, "fp32"}).logits(x)),
      1e-4);
}

TEST_P(Exports, TheTorchScriptFileComesBackWithTheSameLogitsForAnyBatch) {
  const ScratchFolder folder;
  const Checkpoint checkpoint = own_network(GetParam());
  export_model(checkpoint, "torchscript", folder / "net.pt");
  ImportOptions options;
  options.channels = checkpoint.preprocessing.channels;
  options.height = options.width = checkpoint.preprocessing.size;
  const Checkpoint back = load_model(folder / "net.pt", options);
  EXPECT_EQ(back.arch, "torchscript");
  for (const int64_t n : {2, 5}) {
    const auto x = random_images(n, checkpoint.preprocessing);
    EXPECT_LT(
        difference(make_classifier(checkpoint, {0, "fp32"}).logits(x), make_classifier(back, {0, "fp32"}).logits(x)),
        1e-4);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Exports, testing::Values("resnet", "mini-xception", "small-cnn", "resnet18", "vgg16"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

/// Their widths are fixed, so that one network each must do for all.
class LargeExports : public testing::TestWithParam<std::string> {};

TEST_P(LargeExports, OnnxOpenCvAndLibTorchReadThemWithTheSameLogits) {
  const ScratchFolder folder;
  const Checkpoint checkpoint = own_network(GetParam());
  const auto x = random_images(1, checkpoint.preprocessing);
  const auto logits = make_classifier(checkpoint, {0, "fp32"}).logits(x);
  export_model(checkpoint, "onnx", folder / "net.onnx");
  test::expect_valid_export(GetParam(), folder / "net.onnx", checkpoint);
  EXPECT_LT(difference(logits, logits_by_opencv(folder / "net.onnx", x)), 1e-4);
  export_model(checkpoint, "torchscript", folder / "net.pt");
  auto script = torch::jit::load((folder / "net.pt").string());
  EXPECT_LT(difference(logits, script.forward({x}).toTensor()), 1e-4);
}

INSTANTIATE_TEST_SUITE_P(All, LargeExports, testing::Values("fer-vgg", "emobot"), [](const auto& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(ForeignExports, ShippedAndImportedNetworksAreValidFiles) {
  const ScratchFolder folder;
  const fs::path shipped = fs::path(FERCLI_TEST_FOLDER).parent_path() / "results" / "models";
  for (const auto& file :
       {shipped / "standard.pt", shipped / "robust.pt", reference("std.onnx"), reference("std.ts.pt")}) {
    const Checkpoint checkpoint = load_model(file);
    export_model(checkpoint, "onnx", folder / "net.onnx");
    test::expect_valid_export(file.filename().string(), folder / "net.onnx", checkpoint);
    EXPECT_LT(difference(make_classifier(load_model(folder / "net.onnx"), {0, "fp32"})
                             .logits(random_images(2, checkpoint.preprocessing)),
                         make_classifier(checkpoint, {0, "fp32"}).logits(random_images(2, checkpoint.preprocessing))),
              1e-4);
  }
}

/// Sizes are read from the image, computed with, and used as shapes; axes are squeezed by number.
void write_sized_network(const fs::path& path) {
  const auto whole = [](std::vector<int64_t> values) { return torch::tensor(values, torch::kInt64); };
  const auto weight = normal_rows(Rng(3), {0}, {4, 1, 3, 3})[0], dense = normal_rows(Rng(4), {0}, {4 * 36, 7})[0] / 12;
  test::write_onnx({"sized",
                    13,
                    "x",
                    {1, 6, 6},
                    {{"Conv", {"x", weight}, {{"pads", {1, 1, 1, 1}}}, {"c"}},
                     {"Shape", {"c"}, {}, {"shape"}},
                     {"Gather", {"shape", torch::tensor(int64_t{0})}, {{"axis", 0}}, {"n"}},
                     {"Unsqueeze", {"n", whole({0})}, {}, {"n1"}},
                     {"Mul", {"n1", whole({2})}, {}, {"n2"}},
                     {"Concat", {"n2", whole({2, 36})}, {{"axis", 0}}, {"halves"}},
                     {"Reshape", {"c", "halves"}, {}, {"h"}},
                     {"Relu", {"h"}, {}, {"r"}},
                     {"Concat", {"n1", whole({4 * 36, 1, 1})}, {{"axis", 0}}, {"flat"}},
                     {"Reshape", {"r", "flat"}, {}, {"f"}},
                     {"Squeeze", {"f", whole({2, 3})}, {}, {"s"}},
                     {"Gemm", {"s", dense}, {}, {"logits"}}},
                    {"logits"}},
                   path);
}

TEST(ForeignExports, TorchScriptRunsAtOtherBatchesThanItWasTracedWith) {
  const ScratchFolder folder;
  write_sized_network(folder / "net.onnx");
  const Checkpoint checkpoint = load_model(folder / "net.onnx");
  export_model(checkpoint, "torchscript", folder / "net.pt");
  auto script = torch::jit::load((folder / "net.pt").string());
  for (const int64_t n : {1, 2, 7, 11, 16}) {
    const auto x = random_images(n, checkpoint.preprocessing);
    EXPECT_LT(difference(make_classifier(checkpoint, {0, "fp32"}).logits(x), script.forward({x}).toTensor()), 1e-5)
        << n;
  }
  export_model(checkpoint, "onnx", folder / "again.onnx");
  test::expect_valid_export("sized", folder / "again.onnx", checkpoint);
}

TEST(ForeignExports, WhatGoesByTheNumberOfImagesIsNoTorchScript) {
  const ScratchFolder folder;
  const auto network = [](const torch::Tensor& x) {
    const auto flat = x.flatten(1).slice(1, 0, 7);
    return x.size(0) > 12 ? flat.relu() : flat;
  };
  EXPECT_THAT(message_of([&] {
                Trace(network, {1, 4, 4}).save_torchscript(folder / "net.pt");
              }),
              HasSubstr("does other things for other numbers of images"));
  EXPECT_FALSE(fs::exists(folder / "net.pt"));
}

TEST(ForeignExports, SqueezesOfAnyFormAreTraced) {
  const ScratchFolder folder;
  const auto weight = normal_rows(Rng(5), {0}, {7, 1, 3, 3})[0];
  const auto pooled = [=](const torch::Tensor& x) { return at::conv2d(x, weight).mean({2, 3}, true); };
  const std::vector<std::function<torch::Tensor(const torch::Tensor&)>> networks = {
      [=](const torch::Tensor& x) { return pooled(x).squeeze(); },
      [=](const torch::Tensor& x) { return pooled(x).squeeze(3).squeeze(-1); },
      [=](const torch::Tensor& x) { return pooled(x).squeeze(2).squeeze(0).squeeze(); }};
  ImportOptions options;
  options.channels = 1, options.height = options.width = 8;
  const auto x = random_images(5, {1, 8, {0.0}, {1.0}});
  for (const auto& network : networks) {
    const Trace trace(network, {1, 8, 8});
    trace.save_torchscript(folder / "net.pt");
    write_onnx(simplify(trace.graph()), {1, 8, 8}, 7, folder / "net.onnx");
    for (const char* file : {"net.pt", "net.onnx"}) {
      const Checkpoint checkpoint = load_model(folder / file, options);
      EXPECT_LT(difference(make_classifier(checkpoint, {0, "fp32"}).logits(x), network(x)), 1e-5) << file;
      EXPECT_LT(
          difference(make_classifier(checkpoint, {0, "fp32"}).logits(x.slice(0, 0, 1)), network(x).slice(0, 0, 1)),
          1e-5)
          << file;
    }
  }
}

TEST(ForeignExports, BothFormsOfGeluAreWritten) {
  const ScratchFolder folder;
  for (const char* form : {"none", "tanh"}) {
    Graph graph;
    graph.input = "x";
    const auto y = graph.add("Gelu", "gelu", {"x"}, {{"approximate", form}});
    graph.output = graph.add("Flatten", "flat", {y});
    Checkpoint checkpoint;
    checkpoint.arch = "onnx";
    checkpoint.foreign = std::make_shared<GraphModel>(graph);
    checkpoint.preprocessing = {1, 3, {0.5}, {0.1}};
    checkpoint.classes = LabelSet({"a", "b", "c", "d", "e", "f", "g", "h", "i"});
    export_model(checkpoint, "onnx", folder / "net.onnx");
    test::expect_valid_export(std::string("gelu-") + form, folder / "net.onnx", checkpoint);
    ImportOptions options;
    options.labels = checkpoint.classes;
    const auto x = random_images(2, checkpoint.preprocessing), z = ((x - 0.5) / 0.1).flatten(1);
    const auto logits = make_classifier(load_model(folder / "net.onnx", options), {0, "fp32"}).logits(x);
    EXPECT_LT(difference(logits, at::gelu(z, form)), 1e-4) << form;
  }
}

TEST(ForeignFormats, TracedResizingKeepsItsSizeWhateverTheRatio) {
  constexpr int64_t kSide = 12;
  const ScratchFolder folder;
  const auto x = random_images(3, {1, kSide, {0.0}, {1.0}});
  ImportOptions options;
  options.channels = 1, options.height = options.width = kSide;
  for (const int64_t side : {24, 25, 28, 40, 56}) {
    for (const bool smooth : {true, false}) {
      const auto weight = normal_rows(Rng(5), {0}, {side * side, 7})[0] / static_cast<double>(side);
      const auto network = [&](const torch::Tensor& image) {
        const auto large =
            smooth ? at::upsample_bilinear2d(image, {side, side}, false) : at::upsample_nearest2d(image, {side, side});
        return large.flatten(1).matmul(weight);
      };
      const Trace trace(network, {1, kSide, kSide});
      trace.save_torchscript(folder / "net.pt");
      write_onnx(simplify(trace.graph()), {1, kSide, kSide}, 7, folder / "net.onnx");
      for (const char* file : {"net.pt", "net.onnx"}) {
        const auto logits = make_classifier(load_model(folder / file, options), {0, "fp32"}).logits(x);
        EXPECT_LT(difference(logits, network(x)), 1e-4) << side << " " << smooth << " " << file;
      }
    }
  }
}

TEST(ForeignFormats, SafetensorsHoldTheWeightsAndWhatTheyAreOf) {
  const ScratchFolder folder;
  const Checkpoint checkpoint = own_network("small-cnn");
  export_model(checkpoint, "safetensors", folder / "net.safetensors");
  EXPECT_THAT(read_file(folder / "net.safetensors"), HasSubstr(R"("arch":"small-cnn")"));
  const auto x = random_images(2, checkpoint.preprocessing);
  const auto back = load_model(folder / "net.safetensors");
  EXPECT_EQ(back.classes.names(), checkpoint.classes.names());
  EXPECT_TRUE(
      at::equal(make_classifier(checkpoint, {0, "fp32"}).logits(x), make_classifier(back, {0, "fp32"}).logits(x)));
}

TEST(ForeignFormats, SafetensorsSayThatTheMiddleOfAnImageIsTheInput) {
  const ScratchFolder folder;
  Checkpoint checkpoint = own_network("small-cnn");
  checkpoint.preprocessing.crop_from = 55;  // of 48 pixels, as --crop-input has it
  export_model(checkpoint, "safetensors", folder / "net.safetensors");
  EXPECT_EQ(load_model(folder / "net.safetensors").preprocessing.crop_from, 55);
}

TEST(ForeignFormats, SafetensorsSayHowLargeTheWindowsOfTrainingWere) {
  const ScratchFolder folder;
  Checkpoint checkpoint = own_network("resnet");
  checkpoint.window = 40;
  export_model(checkpoint, "safetensors", folder / "net.safetensors");
  const Checkpoint back = load_model(folder / "net.safetensors");
  EXPECT_EQ(back.window, 40);
  save_checkpoint(back, folder / "net.pt");
  EXPECT_EQ(load_model(folder / "net.pt").window, 40);
}

TEST(ForeignFormats, OptionsComeBeforeWhatSafetensorsSay) {
  const ScratchFolder folder;
  Checkpoint checkpoint = own_network("small-cnn");
  checkpoint.classes = LabelSet::alphabetical();
  export_model(checkpoint, "safetensors", folder / "net.safetensors");
  ImportOptions options;
  options.mean = {0}, options.std = {1};
  options.labels = LabelSet::raf_db();
  const auto back = load_model(folder / "net.safetensors", options);
  EXPECT_EQ(back.preprocessing.mean, options.mean);
  EXPECT_EQ(back.preprocessing.std, options.std);
  EXPECT_EQ(back.classes.names(), LabelSet::raf_db().names());
  EXPECT_EQ(load_model(folder / "net.safetensors").classes.names(), LabelSet::alphabetical().names());
}

TEST(ForeignFormats, SafetensorsThatLieAreRefused) {
  const ScratchFolder folder;
  const auto file = folder / "net.safetensors";
  const Checkpoint checkpoint = own_network("small-cnn");
  export_model(checkpoint, "safetensors", file);
  const auto tensors = read_state_dict(file);
  const auto metadata = read_metadata(file);
  for (const auto& [key, value, message] : std::vector<std::array<const char*, 3>>{
           {"arch", "no-such", "unknown architecture 'no-such'"},
           {"settings", "[1", "its metadata is damaged"},
           {"settings", R"({"width": 1e18})", "the setting width = 1e+18 does not fit its tensors"},
           {"settings", R"({"depth": 1})", "there is no parameter 'depth'"},
           {"classes", "Happy", "must be fer2013, ferplus, alphabetical"},
           {"input", "48x-48x1", "its metadata is damaged (input must be above 0)"},
           {"input", "48", "its metadata is damaged (input must be HEIGHTxWIDTHxCHANNELS)"},
           {"input", "99999x48x1", "at most 4096 pixels a side"},
           {"mean", "0.1,0.2", "--mean and --std: 2 values for 1 input channels"},
           {"mean", "nan", "its metadata is damaged"},
           {"std", "0", "its metadata is damaged (std must not be 0)"}}) {
    auto lies = metadata;
    lies[key] = value;
    write_safetensors(tensors, lies, file);
    const std::string told = message_of([&] { load_model(file); });
    EXPECT_THAT(told, HasSubstr(message));
    EXPECT_THAT(told, HasSubstr("net.safetensors: "));
  }
  const std::string header = R"({"__metadata__":{"arch":[1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})";
  const uint64_t length = header.size();
  write_file(file, std::string(reinterpret_cast<const char*>(&length), sizeof length) + header + "x");
  EXPECT_THAT(message_of([&] { load_model(file); }), HasSubstr("net.safetensors: its metadata is damaged"));
}

/// torchvision's names for the tensors of resnet18.
StateDict torchvision_names(const Network& network) {
  StateDict renamed;
  const auto put = [&](std::string name, const torch::Tensor& value) {
    const size_t dot = name.rfind('.');
    std::string layer = name.substr(0, dot), part = name.substr(dot + 1);
    const bool norm = part == "scale" || part == "shift" || part == "running_mean" || part == "running_var";
    if (layer.size() > 10 && layer.compare(layer.size() - 10, 10, "downsample") == 0) {
      layer += norm ? ".1" : ".0";
    } else if (norm) {
      layer.replace(layer.rfind("conv"), 4, "bn");
    }
    if (part == "scale") part = "weight";
    if (part == "shift") part = "bias";
    renamed["module." + layer + "." + part] = value;
  };
  for (const auto& entry : network.named_parameters()) put(entry.key(), entry.value().detach());
  for (const auto& entry : network.named_buffers()) put(entry.key(), entry.value());
  return renamed;
}

void save_pickle(const StateDict& tensors, const fs::path& path) {
  c10::Dict<std::string, torch::Tensor> dictionary;
  for (const auto& [name, value] : tensors) dictionary.insert(name, value.clone(torch::MemoryFormat::Contiguous));
  const auto bytes = torch::pickle_save(dictionary);
  write_file(path, std::string_view(bytes.data(), bytes.size()));
}

TEST(ForeignFormats, AStateDictionaryWithTorchvisionsNamesFillsResnet18) {
  const ScratchFolder folder;
  const Checkpoint checkpoint = own_network("resnet18");
  const auto names = torchvision_names(*checkpoint.network);
  EXPECT_EQ(names.count("module.layer2.0.downsample.1.running_var"), 1u);
  EXPECT_EQ(names.count("module.layer1.0.bn2.weight"), 1u);
  save_pickle(names, folder / "resnet18.pth");
  ImportOptions options;
  options.arch = "resnet18";
  options.settings = {{"width", 8}};
  options.channels = 3, options.height = options.width = 64;
  options.mean = {0.5}, options.std = {0.25};
  const auto x = random_images(2, checkpoint.preprocessing);
  EXPECT_TRUE(at::equal(make_classifier(load_model(folder / "resnet18.pth", options), {0, "fp32"}).logits(x),
                        make_classifier(checkpoint, {0, "fp32"}).logits(x)));
}

TEST(ForeignFormats, WeightsWithoutAnArchitectureAskForOne) {
  EXPECT_THAT(message_of([&] { load_model(reference("std.state.pt")); }),
              HasSubstr("--arch must name their architecture"));
}

TEST(ForeignFormats, MissingWeightsAreListed) {
  ImportOptions options;
  options.arch = "resnet18";
  options.settings = {{"width", 16}};
  EXPECT_THAT(message_of([&] { load_model(reference("std.state.pt"), options); }),
              HasSubstr("tensors 97 are missing or of another shape: conv1.weight, layer1.0.conv1.weight"));
}

TEST(ForeignFormats, AnImportedNetworkSurvivesACheckpoint) {
  const ScratchFolder folder;
  for (const char* file : {"std.onnx", "std.ts.pt"}) {
    const Checkpoint foreign = load_model(reference(file));
    save_checkpoint(foreign, folder / "net.pt");
    const Checkpoint back = load_model(folder / "net.pt");
    const auto x = random_images(3, foreign.preprocessing);
    EXPECT_EQ(back.arch, foreign.arch);
    EXPECT_TRUE(
        at::equal(make_classifier(foreign, {0, "fp32"}).logits(x), make_classifier(back, {0, "fp32"}).logits(x)));
  }
}

TEST(ForeignFormats, AnImportedNetworkIsNotTrainable) {
  const auto classifier = make_classifier(load_model(reference("std.onnx")), {0, "fp32"});
  EXPECT_THAT(message_of([&] { classifier.network(); }), HasSubstr("has no trainable network"));
}

TEST(ForeignFormats, OptionsThatDoNotFitAreRefused) {
  ImportOptions shape;
  shape.channels = 3, shape.height = shape.width = 48;
  EXPECT_THAT(message_of([&] { load_model(reference("std.onnx"), shape); }), HasSubstr("was made for 48x48x1 images"));
  EXPECT_THAT(message_of([&] { load_model(reference("std.ts.pt"), shape); }),
              HasSubstr("does not take 48x48x3 images"));
  ImportOptions labels;
  labels.labels = LabelSet({"sad", "happy"});
  EXPECT_THAT(message_of([&] { load_model(reference("std.onnx"), labels); }), HasSubstr("names 2 classes, but"));
}

TEST(ForeignFormats, AZipBombIsRefusedUnopened) {
  const ScratchFolder folder;
  const std::string zeros(size_t{80} << 20, '\0');
  zip_t* archive = zip_open((folder / "bomb.pt").c_str(), ZIP_CREATE, nullptr);
  zip_file_add(archive, "archive/data.pkl", zip_source_buffer(archive, zeros.data(), zeros.size(), 0), 0);
  ASSERT_EQ(zip_close(archive), 0);
  EXPECT_THAT(message_of([&] { load_model(folder / "bomb.pt"); }), HasSubstr("would unpack to"));
}

TEST(ForeignFormats, TextIsNoModel) {
  const ScratchFolder folder;
  write_file(folder / "notes.txt", "nothing of use");
  EXPECT_THAT(message_of([&] { load_model(folder / "notes.txt"); }), HasSubstr("is none of the known model formats"));
}

TEST(ForeignFormats, TruncatedFilesAreRefusedAtAnyLength) {
  const ScratchFolder folder;
  export_model(own_network("small-cnn"), "safetensors", folder / "net.safetensors");
  ImportOptions arch;
  arch.arch = "small-cnn";
  arch.settings = {{"width", 8}};
  for (const auto& [path, options] : {std::pair{reference("std.onnx"), ImportOptions()},
                                      {reference("std.ts.pt"), ImportOptions()},
                                      {reference("std.state.pt"), arch},
                                      {folder / "net.safetensors", arch}}) {
    const std::string whole = read_file(path);
    for (const double share : {0.01, 0.3, 0.7, 0.99}) {
      write_file(folder / ("cut-" + path.filename().string()),
                 whole.substr(0, static_cast<size_t>(whole.size() * share)));
      EXPECT_NE(message_of([&] { load_model(folder / ("cut-" + path.filename().string()), options); }), "")
          << path << " " << share;
    }
  }
}

/// Bytes of a file are changed at random: it must load or be refused with a message, and never crash. The addresses
/// that hostile tensors claim are found by the sanitizer build.
TEST(ForeignFormats, DamagedFilesLoadOrAreRefused) {
  const ScratchFolder folder;
  export_model(own_network("small-cnn"), "safetensors", folder / "net.safetensors");
  ImportOptions arch;
  arch.arch = "small-cnn";
  arch.settings = {{"width", 8}};
  int refused = 0;
  for (const auto& [path, options] : {std::pair{reference("std.onnx"), ImportOptions()},
                                      {reference("std.state.pt"), arch},
                                      {folder / "net.safetensors", arch}}) {
    const std::string whole = read_file(path);
    for (int64_t round = 0; round < 40; ++round) {
      std::string damaged = whole;
      const auto draws = (uniform_rows(Rng(7).split(static_cast<uint64_t>(round)), {0}, {24})[0] + 1) / 2;
      const size_t reach = round % 2 == 0 ? std::min<size_t>(whole.size(), 4096) : whole.size();
      for (int64_t i = 0; i < 12; ++i) {
        damaged[static_cast<size_t>(draws[2 * i].item<double>() * static_cast<double>(reach - 1))] =
            static_cast<char>(draws[2 * i + 1].item<double>() * 255);
      }
      write_file(folder / "damaged", damaged);
      refused += message_of([&] { load_model(folder / "damaged", options); }).empty() ? 0 : 1;
    }
  }
  EXPECT_GT(refused, 40);
}

}  // namespace

}  // namespace fercli
