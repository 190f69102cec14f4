// Foreign networks on the command line: eval, attack, import, export, summary.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/files.hpp"
#include "data/formats/writer.hpp"
#include "data/image.hpp"
#include "models/formats/export.hpp"
#include "models/formats/import.hpp"
#include "models/networks/network.hpp"
#include "tests/attacks/reference_models.hpp"
#include "tests/cli/drawn_faces.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/models/formats/keras/keras_file.hpp"

namespace fercli {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::ProgramResult;
using test::run_in_process;
using test::ScratchFolder;
using testing::HasSubstr;

std::string faces() {
  return test::drawn_once("synthetic:n=70,seed=3");
}

std::string reference(const std::string& name) {
  return (fs::path(FERCLI_TEST_FOLDER) / "golden" / "reference" / "models" / name).string();
}

json eval_json(std::vector<std::string> arguments, const std::string& data = faces()) {
  arguments.insert(arguments.begin(), {"eval", "--data", data, "--split", "all", "--json", "--threads", "1"});
  const auto run = run_in_process(arguments);
  EXPECT_EQ(run.exit_code, 0) << run.err;
  return json::parse(run.out);
}

TEST(Import, EvalReadsForeignFilesAndSaysWhatItAssumed) {
  const auto run = run_in_process({"eval", "--model", reference("std.onnx"), "--data", faces(), "--split", "all"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.err, HasSubstr("assumed --scale 0,1 --labels fer2013"));
  EXPECT_THAT(run.out, HasSubstr("(onnx)"));
}

TEST(Import, ACheckpointMadeOfAForeignFileNeedsNoOptions) {
  const ScratchFolder folder;
  const auto out = (folder / "net.pt").string();
  const auto run =
      run_in_process({"import", reference("std.onnx"), "--scale=0,1", "--labels", "fer2013", "--out", out});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("onnx network for 48x48x1 images"));
  EXPECT_EQ(eval_json({"--model", out})["metrics"], eval_json({"--model", reference("std.onnx")})["metrics"]);
  const auto again = run_in_process({"eval", "--model", out, "--labels", "fer2013", "--data", faces()});
  EXPECT_EQ(again.exit_code, 2);
  EXPECT_THAT(again.err, HasSubstr("is a fercli checkpoint, which says input, labels and architecture itself"));
}

/// The faces on which the reference network is right in 88 % of cases, as a file.
std::string reference_faces(const ScratchFolder& folder) {
  const auto set = test::reference_images("200");
  Dataset dataset;
  dataset.images = set.pixels;
  dataset.labels = set.y;
  dataset.classes = LabelSet::fer2013();
  for (int64_t i = 0; i < set.y.size(0); ++i) {
    dataset.ids.push_back(fmt::format("face-{}", i));
    dataset.splits.push_back(Split::PublicTest);
  }
  const auto path = (folder / "faces.ferpack").string();
  write_dataset(dataset, path);
  return path;
}

TEST(Import, AWrongLabelOrderIsNoticed) {
  const ScratchFolder folder;
  const auto known = reference_faces(folder);
  const auto right = eval_json({"--model", reference("std.onnx")}, known);
  EXPECT_NEAR(right["metrics"]["accuracy"]["value"].get<double>(), 0.88, 1e-9);
  const auto wrong = eval_json({"--model", reference("std.onnx"), "--labels", "raf-db"}, known);
  EXPECT_THAT(wrong["warnings"].dump(), HasSubstr("label order were read as"));
}

TEST(Import, NormalisationIsGivenOnceAndKept) {
  const ScratchFolder folder;
  const auto out = (folder / "net.pt").string();
  run_in_process({"import", reference("std.onnx"), "--scale=-1,1", "--mean", "0.5", "--std", "2", "--out", out});
  const auto input = load_model(out).preprocessing;
  EXPECT_DOUBLE_EQ(input.mean[0], 0.75);  // (2 x - 1 - 0.5) / 2 = (x - 0.75) / 1
  EXPECT_DOUBLE_EQ(input.std[0], 1);
}

TEST(Import, AttackPerturbsTheStoredImageOrTheNetworksInput) {
  const ScratchFolder folder;
  Checkpoint checkpoint;
  checkpoint.arch = "small-cnn";
  checkpoint.options = {1, 64, 7, complete_settings("small-cnn", {{"width", 4}})};
  checkpoint.preprocessing = {1, 64, {0.5}, {0.5}};
  checkpoint.classes = LabelSet::fer2013();
  checkpoint.network = make_network("small-cnn", checkpoint.options, 3);
  checkpoint.network->eval();
  const auto file = (folder / "net.onnx").string();
  export_model(checkpoint, "onnx", file);
  for (const auto& [space, side] : {std::pair{"stored", 48}, {"input", 64}}) {
    const auto out = folder / space;
    const auto run =
        run_in_process({"attack", "untargeted", "--model", file, "--space", space, "--min-confidence", "0", "--data",
                        "synthetic:n=7,seed=2", "--split", "all", "--out", out.string(), "--save-png", "all"});
    EXPECT_LE(run.exit_code, 1) << run.err;
    int64_t pictures = 0;
    for (const auto& entry : fs::recursive_directory_iterator(out / "adversarial")) {
      if (entry.path().extension() != ".png") continue;
      EXPECT_EQ(read_image(entry.path(), 1).size(1), side) << space;
      ++pictures;
    }
    EXPECT_GT(pictures, 0);
  }
}

/// A file of one dense layer on the pixels, with a softmax behind it or not.
std::string dense_network(const ScratchFolder& folder, bool softmax) {
  Graph graph;
  graph.input = "x";
  const auto flat = graph.add("Flatten", "flatten", {"x"});
  graph.output = graph.add("Gemm", "dense", {flat, graph.constant("w", torch::ones({48 * 48, 7}).cumsum(1) / 48 / 48)});
  if (softmax) graph.output = graph.add("Softmax", "softmax", {graph.output});
  write_onnx(graph, {1, 48, 48}, 7, folder / "net.onnx");
  return (folder / "net.onnx").string();
}

TEST(Import, ImagesSmallerThanTheWindowOfSsimHaveNone) {
  const ScratchFolder folder;
  auto graph = Graph();
  graph.input = "x";
  const auto flat = graph.add("Flatten", "flatten", {"x"});
  graph.output = graph.add("Gemm", "dense", {flat, graph.constant("w", torch::ones({10 * 10, 7}).cumsum(1) / 100)});
  write_onnx(graph, {1, 10, 10}, 7, folder / "net.onnx");
  write_png(torch::full({1, 10, 10}, 90, torch::kUInt8), folder / "face.png");
  const auto run =
      run_in_process({"attack", "any-to-sad", "--model", (folder / "net.onnx").string(), "--min-confidence", "0",
                      "--image", (folder / "face.png").string(), "--out", folder.path().string()});
  EXPECT_LE(run.exit_code, 1) << run.err;
  EXPECT_EQ(run.err.find("fercli attack"), std::string::npos) << run.err;
  const auto result = json::parse(read_file(folder / "result.json"));
  EXPECT_TRUE(result["per_image"][0]["ssim"].is_null());
}

TEST(Import, AKeptSoftmaxIsAWarningInTheResult) {
  const ScratchFolder folder;
  const auto file = dense_network(folder, /*softmax=*/true);
  EXPECT_THAT(eval_json({"--model", file, "--no-strip-softmax"})["warnings"].dump(), HasSubstr("a softmax is kept"));
  EXPECT_THAT(eval_json({"--model", file})["warnings"].dump(), testing::Not(HasSubstr("softmax")));
}

TEST(Import, MeasurementsOfANetworkTellImportOptionsApart) {
  const ScratchFolder folder;
  auto graph = Graph();
  graph.input = "x";
  auto y = graph.add("Flatten", "flatten", {"x"});
  y = graph.add("Gemm", "dense", {y, graph.constant("w", torch::ones({48 * 48, 7}))});
  graph.output = graph.add("Softmax", "softmax", {y});
  write_onnx(graph, {1, 48, 48}, 7, folder / "net.onnx");
  const auto described = [&](const ImportOptions& options) {
    return describe_classifier(make_classifier(load_model(folder / "net.onnx", options), {}));
  };
  ImportOptions softmax, darker;
  softmax.strip_softmax = false;
  darker.mean = {0.5};
  EXPECT_EQ(described({}), described({}));
  EXPECT_NE(described({}), described(softmax));
  EXPECT_NE(described({}), described(darker));
}

TEST(Import, ExportWritesWhatItReads) {
  const ScratchFolder folder;
  for (const char* format : {"onnx", "torchscript"}) {
    const auto out = (folder / format).string();
    const auto run = run_in_process({"export", "--model", reference("std.onnx"), "--format", format, "--out", out});
    EXPECT_EQ(run.exit_code, 0) << run.err;
    EXPECT_NEAR(eval_json({"--model", out})["metrics"]["nll"]["value"].get<double>(),
                eval_json({"--model", reference("std.onnx")})["metrics"]["nll"]["value"].get<double>(), 1e-4);
  }
}

TEST(Import, SummaryOfAFileTakesNoSize) {
  const auto run = run_in_process({"summary", "--model", reference("std.onnx"), "--size", "96"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.err, HasSubstr("--size 96: goes with --arch"));
}

TEST(Import, SummaryListsTheOperators) {
  const auto run = run_in_process({"summary", "--model", reference("std.onnx")});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("Gemm (7,576)"));
  EXPECT_THAT(run.out, HasSubstr("Total: "));
}

TEST(Import, SummaryNumbersOutputsWithoutNames) {
  const ScratchFolder folder;
  Graph graph;
  graph.input = "x";
  const auto flat = graph.add("Flatten", "flatten", {"x"});
  graph.output = graph.add("Gemm", "dense", {flat, graph.constant("w", torch::ones({48 * 48, 4}))});
  write_onnx(graph, {1, 48, 48}, 4, folder / "four.onnx");
  const auto file = (folder / "four.onnx").string();
  const auto run = run_in_process({"summary", "--model", file});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("Classes output 0, output 1, output 2, output 3"));
  EXPECT_EQ(run_in_process({"eval", "--model", file, "--data", faces()}).exit_code, 2);
}

TEST(Import, WrongOptionValuesSayWhatIsAllowed) {
  const auto error = [](std::vector<std::string> options) {
    options.insert(options.begin(), {"eval", "--model", reference("std.onnx"), "--data", faces()});
    const auto run = run_in_process(options);
    EXPECT_EQ(run.exit_code, 2);
    return run.err;
  };
  EXPECT_THAT(error({"--arch", "resnet"}), HasSubstr("brings its own architecture; leave --arch and --set out"));
  EXPECT_THAT(error({"--set", "width=4"}), HasSubstr("leave --arch and --set out"));
  EXPECT_THAT(error({"--input", "48"}), HasSubstr("--input 48: must be gray48, rgb224 or HEIGHTxWIDTHxCHANNELS"));
  EXPECT_THAT(error({"--input", "48x48x2"}), HasSubstr("channels must be 1 (grey) or 3 (RGB)"));
  EXPECT_THAT(error({"--scale", "1"}), HasSubstr("--scale 1: must be 2 finite numbers separated by commas"));
  EXPECT_THAT(error({"--scale", "0,inf"}), HasSubstr("--scale 0,inf: must be 2 finite numbers"));
  EXPECT_THAT(error({"--mean", "inf"}), HasSubstr("--mean inf: must be 1 to 3 finite numbers"));
  EXPECT_THAT(error({"--std", "0"}), HasSubstr("--std 0: must not be 0"));
  EXPECT_THAT(error({"--labels", "a,b"}), HasSubstr("--labels: names 2 classes, but"));
}

/// One epoch of a tiny network on 70 drawn faces.
auto train_briefly(const fs::path& out, const std::vector<std::string>& more) {
  std::vector<std::string> arguments = {"train",        "--data",    test::drawn_once("synthetic:n=70,seed=1"),
                                        "--arch",       "small-cnn", "--set",
                                        "width=4",      "--epochs",  "1",
                                        "--threads",    "1",         "--quiet",
                                        "--batch-size", "16",        "--out",
                                        out.string()};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_in_process(arguments);
}

TEST(Import, ATeacherIsLearntFrom) {
  const ScratchFolder folder;
  EXPECT_EQ(train_briefly(folder / "taught", {"--teacher", reference("std.onnx"), "--temperature", "2"}).exit_code, 0);
  EXPECT_EQ(train_briefly(folder / "alone", {}).exit_code, 0);
  const auto record = load_model(folder / "taught" / "best.pt").training.at("options");
  EXPECT_EQ(record.at("teacher").at("temperature"), 2);
  EXPECT_FALSE(load_model(folder / "alone" / "best.pt").training.at("options").contains("teacher"));
}

TEST(Import, FrozenLayersKeepEveryBit) {
  const ScratchFolder folder;
  ASSERT_EQ(train_briefly(folder / "first", {"--ema", "0"}).exit_code, 0);
  ASSERT_EQ(train_briefly(folder / "second",
                          {"--weights", (folder / "first" / "last.pt").string(), "--freeze-until", "2", "--ema", "0"})
                .exit_code,
            0);
  const auto before = load_model(folder / "first" / "last.pt").network,
             after = load_model(folder / "second" / "last.pt").network;
  int64_t same = 0, changed = 0;
  const auto others = after->named_parameters();
  for (const auto& entry : before->named_parameters()) ++(entry.value().equal(others[entry.key()]) ? same : changed);
  EXPECT_GE(same, 2);
  EXPECT_GE(changed, 2);
  EXPECT_THAT(train_briefly(folder / "third", {"--freeze-until", "99"}).err,
              HasSubstr("--freeze-until 99: the network has"));
}

/// A network of nine outputs, which no label order of fercli's has.
fs::path nine_outputs(const ScratchFolder& folder) {
  Graph graph;
  graph.input = "x";
  const auto flat = graph.add("Flatten", "flatten", {"x"});
  graph.output = graph.add("Gemm", "dense", {flat, graph.constant("w", torch::ones({48 * 48, 9}).cumsum(1) / 48 / 48)});
  write_onnx(graph, {1, 48, 48}, 9, folder / "nine.onnx");
  return folder / "nine.onnx";
}

TEST(Import, CommandsThatAskForLabelsTakeThem) {
  const ScratchFolder folder;
  const auto file = nine_outputs(folder).string();
  write_png(torch::full({1, 48, 48}, 90, torch::kUInt8), folder / "face.png");
  const std::vector<std::vector<std::string>> commands = {{"eval", "--model", file, "--data", faces()},
                                                          {"predict", "--model", file, (folder / "face.png").string()}};
  for (auto command : commands) {
    const auto refused = run_in_process(command);
    EXPECT_EQ(refused.exit_code, 2);
    EXPECT_THAT(refused.err, HasSubstr("has 9 outputs; name them in order with --labels"));
    command.insert(command.end(), {"--labels", "a,b,c,d,e,f,g,h,i"});
    EXPECT_THAT(run_in_process(command).err, testing::Not(HasSubstr("with --labels"))) << command[0];
  }
  for (const char* command : {"summary", "predict", "live", "serve", "frame", "eval", "attack", "import", "export"}) {
    for (const char* option : {"--labels", "--output", "--crop-input", "--scale"}) {
      EXPECT_THAT(run_in_process({command, "--help"}).out, HasSubstr(option)) << command;
    }
  }
}

TEST(Import, TheWeightsBesideAModelAreAnInputToo) {
  const ScratchFolder folder;
  const auto model = (folder / "model.json").string(), weights = (folder / "model.h5").string();
  write_file(model, R"({"class_name": "Sequential", "config": {"layers": []}})");
  test::write_keras_h5(weights, "", {});
  const std::string before = read_file(weights);
  for (const auto& words : std::vector<std::vector<std::string>>{{"import", model}, {"export", "--model", model}}) {
    auto command = words;
    command.insert(command.end(), {"--out", (folder / "./model.h5").string(), "--force"});
    const auto run = run_in_process(command);
    EXPECT_EQ(run.exit_code, 2);
    EXPECT_THAT(run.err, HasSubstr("would overwrite the input " + weights)) << words[0];
    EXPECT_EQ(read_file(weights), before) << words[0];
  }
}

TEST(Import, SummaryOfWeightsTakesTheirArchitecture) {
  const ScratchFolder folder;
  Checkpoint checkpoint;
  checkpoint.arch = "small-cnn";
  checkpoint.options = {1, 48, 7, complete_settings("small-cnn", {{"width", 4}})};
  checkpoint.preprocessing = {1, 48, {0.5}, {0.5}};
  checkpoint.classes = LabelSet::fer2013();
  checkpoint.network = make_network("small-cnn", checkpoint.options, 3);
  export_model(checkpoint, "safetensors", folder / "net.safetensors");
  const auto run = run_in_process({"summary", "--model", (folder / "net.safetensors").string(), "--arch", "small-cnn"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
}

TEST(Import, EveryCommandSaysThatASoftmaxIsKept) {
  const ScratchFolder folder;
  const auto file = dense_network(folder, /*softmax=*/true), out = (folder / "out").string(),
             own = (folder / "own.pt").string();
  const auto warned = [](const std::vector<std::string>& command) {
    const auto run = run_in_process(command);
    EXPECT_THAT(run.err, HasSubstr("a softmax is kept")) << command[0] << run.err;
  };
  warned({"import", file, "--no-strip-softmax", "--out", own});
  warned({"export", "--model", file, "--no-strip-softmax", "--out", out});
  warned({"export", "--model", own, "--out", out, "--force"});
  warned({"summary", "--model", own});
  warned({"calibrate", "--model", own, "--out", out, "--force", "--data", faces(), "--split", "all"});
  EXPECT_THAT(eval_json({"--model", own})["warnings"].dump(), HasSubstr("a softmax is kept"));
}

TEST(Import, ACalibrationThatHasNoLayerToScaleIsRefusedBeforeTheImagesAreRead) {
  const ScratchFolder folder;
  const std::string own = (folder / "own.pt").string();
  ASSERT_EQ(run_in_process({"import", dense_network(folder, /*softmax=*/false), "--out", own}).exit_code, 0);
  const auto run = run_in_process({"calibrate", "--model", own, "--data", (folder / "none").string(), "--out",
                                   (folder / "calibrated.pt").string()});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.err, HasSubstr("has no dense output layer of fercli's own to scale"));
}

TEST(Import, FilesOfBeforePyTorch16SayHowToWriteThemAnew) {
  const ScratchFolder folder;
  write_file(folder / "old.pth", std::string("\x80\x02\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19.", 15));
  const auto run = run_in_process({"summary", "--model", (folder / "old.pth").string()});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.err, HasSubstr("torch.save(torch.load('OLD', map_location='cpu'), 'NEW')"));
}

/// Results of a network often lie in a folder of its name.
TEST(Import, AFolderHidesNoShippedNetwork) {
  const ScratchFolder folder;
  std::filesystem::create_directory(folder / "robust");
  std::filesystem::create_directory(folder / "mine");
  const auto here = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  const auto shipped = run_in_process({"summary", "--model", "robust"});
  const auto other = run_in_process({"summary", "--model", "mine"});
  std::filesystem::current_path(here);
  EXPECT_EQ(shipped.exit_code, 0) << shipped.err;
  EXPECT_EQ(other.exit_code, 2);
  EXPECT_THAT(other.err, HasSubstr("is a folder"));
}

}  // namespace

}  // namespace fercli
