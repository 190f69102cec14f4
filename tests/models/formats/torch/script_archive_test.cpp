// TorchScript of strangers: what computes with tensors loads, anything else is refused by name before it runs.
#include <ATen/ATen.h>

#include "core/files.hpp"
#include "core/zip_file.hpp"
#include "models/formats/export.hpp"
#include "models/formats/import.hpp"
#include "models/formats/torch/script_archive.hpp"
#include "models/networks/network.hpp"
#include "tests/attacks/linear_network.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/contract/executors.hpp"
#include "tests/precompiled_tests.hpp"
#include "tests/user_error.hpp"

namespace fercli {

namespace {

namespace fs = std::filesystem;
using test::ScratchFolder;
using testing::HasSubstr;

Checkpoint tiny_checkpoint() {
  Checkpoint checkpoint;
  checkpoint.arch = "small-cnn";
  checkpoint.options = {1, 48, 7, complete_settings("small-cnn", {{"width", 2}})};
  checkpoint.classes = LabelSet::fer2013();
  checkpoint.network = make_network("small-cnn", checkpoint.options, 1);
  checkpoint.training = nlohmann::json::object();
  return checkpoint;
}

class ScriptArchive : public testing::Test {
 protected:
  ScriptArchive() { export_model(tiny_checkpoint(), "torchscript", whole_); }

  /// The network's file with its code changed; `edit` gets the text of the class that has `forward`.
  fs::path with_code(const std::function<void(std::string&)>& edit) {
    const ZipFile zip(whole_);
    std::vector<std::pair<std::string, std::string>> entries;
    for (const auto& name : zip.names()) {
      std::string content = zip.read(name);
      if (content.find("def forward") != std::string::npos) edit(content);
      entries.emplace_back(name, content);
    }
    write_file(victim_, make_zip(entries));
    return victim_;
  }

  /// These lines run at the beginning of `forward`, whose image is called `input` there.
  fs::path with_line(const std::string& line) {
    return with_code([&](std::string& code) {
      const size_t header = code.find("-> Tensor:", code.find("def forward"));
      code.insert(code.find('\n', header) + 1, "    " + line + "\n");
    });
  }

  static std::string refusal(const fs::path& path, bool trust = false) {
    ImportOptions options;
    options.trust_code = trust;
    return test::message_of([&] { load_model(path, options); });
  }

  ScratchFolder folder_;
  fs::path whole_ = folder_ / "net.pt", victim_ = folder_ / "victim.pt";
};

TEST_F(ScriptArchive, WhatThisProgramExportsLoads) {
  EXPECT_EQ(refusal(whole_), "");
}

TEST_F(ScriptArchive, ComputingCodeLoads) {
  EXPECT_EQ(refusal(with_line("y = torch.mul(torch.relu(input), 2.)")), "");
  EXPECT_EQ(refusal(with_line("y = input.abs().sum().item()")), "");
}

TEST_F(ScriptArchive, CodeThatIsNoGraphIsInterpretedToTheSameInAnyBatch) {
  const auto classifier = make_classifier(load_model(with_line("input = torch.atan(input)")), {0, "fp32"});
  EXPECT_EQ(find_executor(*classifier.model(), {})->name, "torchscript");
  test::expect_same_on_every_executor(classifier, to_float(test::test_images(4, 48, 0, 255)));
}

/// A line that raises for more than so many images, as torch.jit.save writes `raise` and `assert`.
std::string raising_beyond(int64_t images) {
  return fmt::format(
      "if torch.gt(torch.size(input, 0), {}):\n      ops.prim.RaiseException(\"\\033[31mno\", "
      "\"builtins.ValueError\")\n    else:\n      pass",
      images);
}

TEST_F(ScriptArchive, CodeThatRaisesForOtherInputsLoads) {
  EXPECT_EQ(refusal(with_line(raising_beyond(100000))), "");
}

TEST_F(ScriptArchive, CodeThatRaisesForEveryInputIsRefusedInOneSentence) {
  const auto message = refusal(with_line(raising_beyond(0)));
  EXPECT_THAT(message, HasSubstr("victim.pt"));
  EXPECT_THAT(message, HasSubstr("code raises an error on images of 48x48x1"));
  EXPECT_THAT(message, testing::Not(HasSubstr("\n")));
}

TEST_F(ScriptArchive, CodeThatDoesMoreIsRefusedByName) {
  const std::vector<std::pair<std::string, std::string>> kinds = {
      {"torch.save(input, \"loot\")", "aten::save"},
      {"input.save(\"loot\")", "aten::save"},
      {"torch.relu(input).save(\"loot\")", "aten::save"},
      {"(input).save(\"loot\")", "aten::save"},
      {"[input][0].save(\"loot\")", "aten::save"},
      {"ops.aten.save(input, \"loot\")", "aten::save"},
      {"keep = torch.save", "aten::save"},
      {"t = torch\n    t.save(input, \"loot\")", "aten::save"},
      {"x = torch.from_file(\"loot\", True, 16)", "aten::from_file"},
      {"print(input)", "prim::Print"},
      {"p = print", "prim::Print"},
      {"torch.warn(\"text\", 2)", "aten::warn"},
      {"torch.manual_seed(3)", "aten::manual_seed"},
      {"torch.set_grad_enabled(True)", "aten::set_grad_enabled"},
      {"f = fork(torch.relu, input)", "fork"},
      {"x = ops.image.read_file(\"loot\")", "ops.image"},
      {"x = ops.quantized.linear(input, input)", "ops.quantized"},
      {"x = ops.prim.IgnoredPythonOp(input)", "prim::IgnoredPythonOp"},
      {"x = annotate(__torch__.torch.classes.quantized.LinearPackedParamsBase, None)", "torch.classes"},
      {"__torch__ = input\n    __torch__.save(\"loot\")", "__torch__"},
      {"getattr(torch, \"save\")(input, \"loot\")", "aten::save"},
      {"getattr((torch), \"save\")(input, \"loot\")", "aten::save"},
      {"getattr(getattr(ops, \"aten\"), \"save\")(input, \"loot\")", "aten::save"},
      {"getattr(ops.aten, 'save')(input, \"loot\")", "aten::save"},
      {"getattr(ops, \"aten\").save(input, \"loot\")", "aten::save"},
      {"getattr(torch.relu(getattr(self, \"x\")), \"save\")(\"loot\")", "aten::save"},
      {"getattr(torch, \"sa\" \"ve\")(input, \"loot\")", "getattr"},
      {"getattr(torch, \"s\\x61ve\")(input, \"loot\")", "getattr"},
      {"g = getattr\n    g(torch, \"save\")(input, \"loot\")", "getattr"}};
  for (const auto& [line, name] : kinds) {
    const std::string message = refusal(with_line(line));
    EXPECT_THAT(message, HasSubstr(name)) << line;
    EXPECT_THAT(message, HasSubstr("--trust-code")) << line;
    EXPECT_THAT(message, HasSubstr("victim.pt")) << line;
  }
  EXPECT_FALSE(fs::exists("loot"));
}

TEST_F(ScriptArchive, MethodsThatAreNeverCalledAreHeldToTheSameRule) {
  const auto path = with_code([](std::string& code) {
    code += "  def unused(self,\n    x: Tensor) -> NoneType:\n    torch.save(x, \"loot\")\n    return None\n";
  });
  EXPECT_THAT(refusal(path), HasSubstr("aten::save"));
}

TEST_F(ScriptArchive, CodeThatLoadingItselfRunsIsRefusedBeforeItRuns) {
  const auto loot = folder_ / "loot";
  const auto path = with_code([&](std::string& code) {
    code += "  def __setstate__(self,\n    state: Tuple[()]) -> NoneType:\n    torch.save([1], \"" + loot.string() +
            "\")\n    return None\n";
  });
  EXPECT_THAT(refusal(path), HasSubstr("aten::save"));
  EXPECT_FALSE(fs::exists(loot));
}

/// LibTorch works out default values and constants of classes while it loads.
TEST_F(ScriptArchive, NothingIsCalledOutsideOfFunctions) {
  const auto loot = folder_ / "loot";
  const std::string call = "torch.ones([torch.size(torch.ones([1]), 0)])";
  for (const std::string& value : {call, "getattr(torch, \"from_file\")(\"" + loot.string() + "\", True, 6)",
                                   std::string("1 * 2"), "[" + call + "]", std::string("(\"a\")(1)")}) {
    const auto of_argument = with_code([&](std::string& code) {
      const size_t place = code.find(") -> Tensor:", code.find("def forward"));
      code.insert(place, ", more: Optional[Tensor]=" + value);
    });
    EXPECT_THAT(refusal(of_argument), HasSubstr("--trust-code")) << value;
    const auto of_class = with_code(
        [&](std::string& code) { code.insert(code.find("  def "), "  more : Final[Tensor] = " + value + "\n"); });
    EXPECT_THAT(refusal(of_class), HasSubstr("code outside of functions")) << value;
  }
  EXPECT_FALSE(fs::exists(loot));
  const auto plain_class =
      with_code([](std::string& code) { code.insert(code.find("  def "), "  sides : Final[List[int]] = [48, -1]\n"); });
  EXPECT_EQ(refusal(plain_class), "");
  for (const char* plain : {"None", "annotate(Optional[Tensor], None)"}) {
    const auto path = with_code([&](std::string& code) {
      code.insert(code.find(") -> Tensor:", code.find("def forward")),
                  fmt::format(", more: Optional[Tensor]={}", plain));
    });
    EXPECT_EQ(refusal(path), "") << plain;
  }
}

TEST_F(ScriptArchive, AttributesThatAreNoWordsAreReadByGetattr) {
  EXPECT_EQ(refusal(with_line("y = getattr(torch, \"relu\")(input)")), "");
}

/// An alias hides the operator from the check of words; the instructions name it.
TEST_F(ScriptArchive, InstructionsAreCheckedBeforeLoadingRunsThem) {
  const auto path = with_code([&](std::string& code) {
    code +=
        "  def __setstate__(self,\n    state: Tuple[()]) -> NoneType:\n"
        "    if bool((ops).quantized.cat([torch.ones([1])], 0, 1., 0)):\n"
        "      ops.prim.RaiseException(\"no\", \"builtins.ValueError\")\n    else:\n      pass\n    return None\n";
  });
  EXPECT_THAT(refusal(path), HasSubstr("quantized::cat"));
}

TEST_F(ScriptArchive, CodeInFilesThatNobodyAsksForIsHeldToTheSameRule) {
  const ZipFile zip(whole_);
  std::vector<std::pair<std::string, std::string>> entries;
  for (const auto& name : zip.names()) entries.emplace_back(name, zip.read(name));
  const std::string root = entries[0].first.substr(0, entries[0].first.find('/'));
  entries.emplace_back(root + "/code/__torch__/other.py", "def f(x: Tensor) -> NoneType:\n  torch.save(x, \"loot\")\n");
  write_file(victim_, make_zip(entries));
  EXPECT_THAT(refusal(victim_), HasSubstr("aten::save"));
}

TEST_F(ScriptArchive, TrustLetsCodeRun) {
  const auto loot = folder_ / "loot";
  const auto path = with_line("torch.save(input, \"" + loot.string() + "\")");
  EXPECT_EQ(refusal(path, /*trust=*/true), "");
  EXPECT_TRUE(fs::exists(loot));
}

/// Of a network that can be traced the checkpoint holds the operators alone.
TEST_F(ScriptArchive, ACheckpointOfTrustedCodeRunsNoneOfIt) {
  const auto loot = folder_ / "loot";
  const auto path = with_line("torch.save(input, \"" + loot.string() + "\")");
  ImportOptions options;
  options.trust_code = true;
  const auto checkpoint = folder_ / "victim-checkpoint.pt";
  save_checkpoint(load_model(path, options), checkpoint);
  fs::remove(loot);
  EXPECT_EQ(refusal(checkpoint), "");
  EXPECT_FALSE(fs::exists(loot));
}

TEST_F(ScriptArchive, NothingButCodePicklesAndRecordsReachesLibTorch) {
  const ZipFile zip(whole_);
  std::vector<std::pair<std::string, std::string>> entries;
  for (const auto& name : zip.names()) entries.emplace_back(name, zip.read(name));
  const std::string root = entries[0].first.substr(0, entries[0].first.find('/'));
  entries.emplace_back(root + "/model.json", "{}");
  entries.emplace_back(root + "/bytecode.pkl", "x");
  entries.emplace_back(root + "/code/__torch__.py.debug_pkl2", "x");
  const std::string bytes = checked_script_archive(make_zip(entries), "victim", CodeRule::TensorOperators);
  for (const auto& name : ZipFile(bytes, "rebuilt").names()) {
    EXPECT_EQ(name.find("model.json"), std::string::npos);
    EXPECT_EQ(name.find("bytecode"), std::string::npos);
    EXPECT_EQ(name.find("debug_pkl"), std::string::npos);
  }
}

TEST_F(ScriptArchive, AnArchiveOfDeclarationsMayNotBringCode) {
  EXPECT_NE(test::message_of([&] { checked_script_archive(read_file(whole_), "state", CodeRule::Declarations); }), "");
}

TEST_F(ScriptArchive, DeepExpressionsAreRefused) {
  EXPECT_NE(refusal(with_line("y = " + std::string(100000, '-') + "1")), "");
  std::string chain = "1";
  for (int i = 0; i < 50000; ++i) chain += "**1";
  EXPECT_NE(refusal(with_line("y = " + chain)), "");
}

#ifndef __SANITIZE_ADDRESS__  // which has the signal for itself
TEST_F(ScriptArchive, ADivisionOfWholeNumbersByZeroEndsTheProgramInOneSentence) {
  for (const std::string line :
       {"input = torch.mul(input, 1 % 0)", "input = torch.mul(input, torch.remainder(torch.size(input, 0), 0))"}) {
    const auto result = test::run_fercli({"summary", "--model", with_line(line).string()});
    EXPECT_EQ(result.exit_code, 2) << line;
    EXPECT_THAT(result.err, HasSubstr("fercli: the TorchScript network divides a whole number by zero\n")) << line;
  }
}
#endif

TEST_F(ScriptArchive, CodeThatEndsInAnImportIsRefused) {
  for (const std::string ending : {"import", "import x", "import x\n  y"}) {
    for (const bool alone : {true, false}) {
      const auto victim = with_code([&](std::string& code) { code = alone ? ending : code + "\n" + ending; });
      EXPECT_THAT(refusal(victim), HasSubstr("ends in an import")) << ending;
      EXPECT_THAT(refusal(victim, true), HasSubstr("ends in an import")) << ending;
    }
  }
}

TEST_F(ScriptArchive, MembersOfClassesWithoutTypeOrValueAreRefused) {
  const std::string list = "  __parameters__ = []\n";
  for (const std::string line : {"  x = []\n", "  __parameters__: List[str]\n", "  __buffers__: int\n",
                                 "  __annotations__[\"x\"]: int\n", "  x = y = 3\n"}) {
    const auto victim = with_code([&](std::string& code) { code.insert(code.find(list), line); });
    EXPECT_THAT(refusal(victim), HasSubstr("no type or no value")) << line;
    EXPECT_THAT(refusal(victim, true), HasSubstr("no type or no value")) << line;
  }
  const auto tuple =
      with_code([](std::string& code) { code = "class Pair(NamedTuple):\n  __parameters__ = []\n  b : int\n" + code; });
  EXPECT_THAT(refusal(tuple), HasSubstr("no type or no value"));
  const auto typed = with_code([&](std::string& code) {
    code.insert(code.find(list), "  x : Final[int] = 3\n  __annotations__ = []\n  __annotations__[\"0\"] = int\n");
  });
  EXPECT_THAT(refusal(typed), testing::Not(HasSubstr("no type or no value")));
}

TEST(TensorOperators, AreFreeOfFilesOutputAndState) {
  for (const char* name : {"aten::save", "aten::from_file", "prim::Print", "aten::warn", "aten::manual_seed",
                           "aten::set_data", "aten::set_", "prim::fork", "aten::wait", "prim::IgnoredPythonOp",
                           "aten::resize_", "quantized::linear", "aten::record_stream", "aten::set_grad_enabled"}) {
    EXPECT_FALSE(is_tensor_operator(name)) << name;
  }
  for (const char* name : {"aten::conv2d", "aten::relu_", "aten::_convolution", "prim::If", "aten::batch_norm"}) {
    EXPECT_TRUE(is_tensor_operator(name)) << name;
  }
}

}  // namespace

}  // namespace fercli
