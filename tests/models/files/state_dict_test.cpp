// State dictionaries as Python's torch.save writes them, and pickles that lie about their data.
#include "models/files/state_dict.hpp"

#include <ATen/ATen.h>
#include <zip.h>

#include <nlohmann/json.hpp>

#include "core/container.hpp"
#include "core/files.hpp"
#include "models/networks/network.hpp"
#include "models/networks/weights.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/precompiled_tests.hpp"
#include "tests/user_error.hpp"

namespace fercli {

namespace {

using test::message_of;
using test::ScratchFolder;
using testing::HasSubstr;

std::string text(const std::string& word) {
  const auto length = static_cast<uint32_t>(word.size());
  return "X" + std::string(reinterpret_cast<const char*>(&length), sizeof length) + word;
}

const std::string kOrderedDict = "ccollections\nOrderedDict\n)R";

/// The instructions for a tensor of `side` values in a data record.
std::string tensor(char side, char stored, const std::string& record = "0") {
  const std::string storage =
      "(" + text("storage") + "ctorch\nFloatStorage\n" + text(record) + text("cpu") + "K" + stored + "tQ";
  return std::string("ctorch._utils\n_rebuild_tensor_v2\n(") + storage + std::string("K\0K", 3) + side +
         "\x85K\x01\x85\x89" + kOrderedDict + "tR";
}

/// A file with this pickle and a record of the values 1 and 2.
std::filesystem::path write_file_of(const ScratchFolder& folder, const std::string& instructions) {
  const auto path = folder / "weights.pth";
  const std::string pickle = "\x80\x02" + instructions + ".";
  const float values[] = {1, 2};
  zip_t* archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, nullptr);
  zip_file_add(archive, "archive/data.pkl", zip_source_buffer(archive, pickle.data(), pickle.size(), 0), 0);
  zip_file_add(archive, "archive/data/0", zip_source_buffer(archive, values, sizeof values, 0), 0);
  EXPECT_EQ(zip_close(archive), 0);
  return path;
}

/// OrderedDict(…) with the attribute _metadata, as nn.Module.state_dict() returns it.
std::string state_of_a_module(const std::string& entries) {
  return kOrderedDict + "(" + entries + "u}" + text("_metadata") + kOrderedDict + "sb";
}

TEST(StateDictionaries, ThoseOfModulesCarryAttributesThatAreLeftOut) {
  const ScratchFolder folder;
  const std::string entries = text("module.a") + tensor(2, 2) + text("b") + tensor(1, 2);
  for (const auto& instructions :
       {state_of_a_module(entries), "}" + text("state_dict") + state_of_a_module(entries) + "s"}) {
    const auto state = read_state_dict(write_file_of(folder, instructions));
    ASSERT_EQ(state.size(), 2u);
    EXPECT_TRUE(at::equal(state.at("a"), torch::tensor({1.0F, 2.0F})));
    EXPECT_TRUE(at::equal(state.at("b"), torch::tensor({1.0F})));
  }
}

TEST(StateDictionaries, PicklesThatLieAreRefused) {
  const ScratchFolder folder;
  const auto refusal = [&](const std::string& instructions) {
    return message_of([&] { read_state_dict(write_file_of(folder, instructions)); });
  };
  const auto of = [](const std::string& value) { return "}(" + text("a") + value + "u"; };
  EXPECT_THAT(refusal(of(tensor(3, 3))), HasSubstr("'0' is shorter than its description"));
  EXPECT_THAT(refusal(of(tensor(3, 2))), HasSubstr("reaches beyond its data"));
  EXPECT_THAT(refusal(of(tensor(2, 2, std::string("0\0a", 3)))), HasSubstr("impossible name"));
  EXPECT_THAT(refusal("t"), HasSubstr("takes from an empty stack"));
  EXPECT_THAT(refusal("R"), HasSubstr("takes from an empty stack"));
  EXPECT_THAT(refusal("K\x01)R"), HasSubstr("calls something that is no function"));
  EXPECT_THAT(refusal("X\xff\xff\xff\xff"), HasSubstr("is truncated"));
  EXPECT_THAT(refusal("Nr\xff\xff\xff\xff"), HasSubstr("remembers more values than it has"));
  std::string nested = ")";
  for (int i = 0; i < 1000; ++i) nested += "\x85";
  EXPECT_THAT(refusal(nested), HasSubstr("nested too deeply"));
}

TEST(StateDictionaries, ATensorOfTwoNamesIsHeldOnce) {
  const ScratchFolder folder;
  const std::string entries = text("a") + tensor(2, 2) + "q\x01" + text("b") + "h\x01";
  const auto state = read_state_dict(write_file_of(folder, "}(" + entries + "u"));
  EXPECT_TRUE(at::equal(state.at("b"), torch::tensor({1.0F, 2.0F})));
  EXPECT_EQ(state.at("a").data_ptr(), state.at("b").data_ptr());
}

TEST(StateDictionaries, AContainerHoldsNoTensorOfTwoNames) {
  const ScratchFolder folder;
  const std::string entries = text("a") + tensor(2, 2) + "q\x01" + text("b") + "h\x01";
  const std::string header = R"({"format":1,"kind":"checkpoint","content":{}})";
  const auto file = write_file_of(folder, "}(" + text("fercli") + text(header) + text("sha256") + text("0") +
                                              text("tensors") + "}(" + entries + "uu");
  // Before its digest is worked out, which takes as long as all names together.
  EXPECT_THAT(message_of([&] { load_container(file, "checkpoint"); }), HasSubstr("is truncated or damaged"));
}

std::filesystem::path write_safetensors_of(const ScratchFolder& folder, const nlohmann::json& header, size_t bytes) {
  const std::string text = header.dump();
  const uint64_t length = text.size();
  const auto path = folder / "weights.safetensors";
  write_file(path, std::string(reinterpret_cast<const char*>(&length), sizeof length) + text + std::string(bytes, 'x'));
  return path;
}

TEST(Safetensors, TensorsThatShareTheirBytesAreRefused) {
  const ScratchFolder folder;
  const nlohmann::json one = {{"dtype", "U8"}, {"shape", {8}}, {"data_offsets", {0, 8}}};
  EXPECT_EQ(message_of([&] { read_state_dict(write_safetensors_of(folder, {{"a", one}}, 8)); }), "");
  EXPECT_THAT(message_of([&] {
                read_state_dict(write_safetensors_of(folder, {{"a", one}, {"b", one}}, 8));
              }),
              HasSubstr("overlap"));
  const nlohmann::json nothing = {{"dtype", "U8"}, {"shape", {0, int64_t{1} << 60}}, {"data_offsets", {0, 0}}};
  EXPECT_THAT(message_of([&] {
                read_state_dict(write_safetensors_of(folder, {{"a", nothing}}, 8));
              }),
              HasSubstr("impossible shape"));
}

TEST(Safetensors, AnyByteButNoughtIsTrue) {
  const ScratchFolder folder;
  const nlohmann::json flags = {{"dtype", "BOOL"}, {"shape", {8}}, {"data_offsets", {0, 8}}};
  const auto state = read_state_dict(write_safetensors_of(folder, {{"a", flags}}, 8));
  EXPECT_TRUE(at::equal(state.at("a").view(torch::kUInt8), torch::ones({8}, torch::kUInt8)));
}

/// std::regex, which recurses, ended the program here.
TEST(Safetensors, ANameOfAnyLengthIsRead) {
  const ScratchFolder folder;
  const nlohmann::json header = {
      {std::string(100'000, 'a'), {{"dtype", "U8"}, {"shape", {8}}, {"data_offsets", {0, 8}}}}};
  const auto path = write_safetensors_of(folder, header, 8);
  auto network = make_network("resnet18", {1, 48, 7, complete_settings("resnet18", {})}, 1);
  EXPECT_THAT(message_of([&] { load_weights(*network, path); }), HasSubstr("none of its 1 tensors fits"));
}

}  // namespace

}  // namespace fercli
