#include "core/pickle.hpp"

#include <ATen/ATen.h>
#include <torch/serialize.h>

#include <ctime>
#include <functional>

#include "core/files.hpp"
#include "core/zip_file.hpp"
#include "tests/precompiled_tests.hpp"

namespace fercli {

namespace {

using Kind = PickleValue::Kind;

PickleRecords no_records() {
  PickleRecords records;
  records.size = [](const std::string&) -> uint64_t { throw std::runtime_error("no such record"); };
  return records;
}

std::string refusal(const std::string& instructions, PickleRecords::Use use = PickleRecords::Use::Own) {
  auto records = no_records();
  records.use = use;
  try {
    const Pickle pickle("\x80\x02" + instructions, records);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

/// Processor time of this thread, the least of three.
double seconds_of(const std::function<void()>& work) {
  double least = 1e9;
  for (int i = 0; i < 3; ++i) {
    timespec before{}, after{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
    work();
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
    least =
        std::min(least, static_cast<double>(after.tv_sec - before.tv_sec) + 1e-9 * (after.tv_nsec - before.tv_nsec));
  }
  return least;
}

std::string repeated(const std::string& piece, size_t times) {
  std::string text;
  for (size_t i = 0; i < times; ++i) text += piece;
  return text;
}

/// Four times the file may take ten times as long; it would be sixteen times if the cost were quadratic.
void expect_linear(const std::function<std::string(size_t)>& instructions, size_t times) {
  const auto cost = [&](size_t count) {
    const std::string text = instructions(count);
    return seconds_of([&] { refusal(text); });
  };
  const double small = cost(times), large = cost(4 * times);
  EXPECT_LT(large, 10 * std::max(small, 1e-3)) << small << " s, then " << large << " s";
}

TEST(Pickle, GivesBackWhatTorchSaved) {
  const torch::Tensor weight = torch::arange(6, torch::kFloat32).view({2, 3});
  c10::Dict<std::string, torch::Tensor> dictionary;
  dictionary.insert("weight", weight.t());
  dictionary.insert("half", weight.to(torch::kFloat16));
  dictionary.insert("empty", torch::empty({0, 3}));
  const auto saved = torch::pickle_save(dictionary);
  const std::string bytes(saved.begin(), saved.end());
  const ZipFile zip(bytes, "sample");
  const Pickle pickle = read_torch_pickle(zip);
  ASSERT_NE(pickle.root().find("weight"), nullptr);
  EXPECT_TRUE(pickle.root().find("weight")->tensor.equal(weight.t()));
  EXPECT_TRUE(pickle.root().find("half")->tensor.equal(weight.to(torch::kFloat16)));
  EXPECT_EQ(pickle.root().find("empty")->tensor.sizes(), torch::IntArrayRef({0, 3}));
}

TEST(Pickle, ReadsNumbersTextsAndNesting) {
  const Pickle pickle(std::string("\x80\x02}q\x00(X\x01\x00\x00\x00"
                                  "a(K\x07M\x01\x01J\xff\xff\xff\xffG\x3f\xf8\x00\x00\x00\x00\x00\x00N\x88tu.",
                                  37),
                      no_records());
  const PickleValue* tuple = pickle.root().find("a");
  ASSERT_NE(tuple, nullptr);
  ASSERT_EQ(tuple->parts.size(), 6u);
  EXPECT_EQ(tuple->parts[0]->number, 7);
  EXPECT_EQ(tuple->parts[1]->number, 257);
  EXPECT_EQ(tuple->parts[2]->number, -1);
  EXPECT_EQ(tuple->parts[3]->real, 1.5);
  EXPECT_EQ(tuple->parts[4]->kind, Kind::None);
  EXPECT_EQ(tuple->parts[5]->number, 1);
}

TEST(Pickle, CircularListsNeitherLeakNorRecurse) {
  const Pickle pickle(std::string("\x80\x02]q\x00h\x00"
                                  "a.",
                                  9),
                      no_records());
  EXPECT_EQ(pickle.root().parts.at(0), &pickle.root());
}

TEST(Pickle, CallsNothingThatItDoesNotKnow) {
  const Pickle pickle(
      "\x80\x02"
      "cos\nsystem\n)R.",
      no_records());
  EXPECT_EQ(pickle.root().kind, Kind::Object);
  EXPECT_EQ(pickle.root().text, "os.system");
}

TEST(Pickle, LibTorchIsGivenNoOtherFunctionsThanTheHarmless) {
  EXPECT_NE(refusal("cos\nsystem\n)R.", PickleRecords::Use::LibTorch), "");
  EXPECT_NE(refusal("c__torch__.torch.classes.quantized\nConv2dPackedParamsBase\n)\x81.", PickleRecords::Use::LibTorch),
            "");
  EXPECT_EQ(refusal("c__torch__.torch.classes.quantized\nX\n)\x81.", PickleRecords::Use::LibTorchTrusted), "");
  EXPECT_EQ(refusal("c__torch__\nNet\n)\x81}b.", PickleRecords::Use::LibTorch), "");
}

TEST(Pickle, DictionariesMadeByCallsCostInProportion) {
  expect_linear(
      [](size_t n) {
        return "ccollections\nOrderedDict\nq" + std::string("\0(", 2) + repeated(std::string("h\0)R", 4), n) + "t.";
      },
      2000);
}

TEST(Pickle, KeysSetOneByOneCostInProportion) {
  expect_linear([](size_t n) { return "}" + repeated("K\x01K\x02s", n) + "."; }, 20000);
}

TEST(Pickle, LongTextsRecalledOftenCostInProportion) {
  expect_linear(
      [](size_t n) {
        const uint32_t length = static_cast<uint32_t>(4 * n);
        return "(X" + std::string(reinterpret_cast<const char*>(&length), 4) + std::string(length, 'a') +
               std::string("q\0", 2) + repeated(std::string("h\0", 2), n) + "t.";
      },
      20000);
}

TEST(Pickle, TensorsThatShareMoreThanAnyModelAreRefused) {
  constexpr size_t kBytes = 1 << 20;
  PickleRecords records;
  records.size = [](const std::string&) -> uint64_t { return kBytes; };
  records.read = [](const std::string&, void* place) { std::memset(place, 0, kBytes); };
  const auto text = [](const std::string& word) {
    const auto length = static_cast<uint32_t>(word.size());
    return "X" + std::string(reinterpret_cast<const char*>(&length), 4) + word;
  };
  const std::string storage =
      "(" + text("storage") + "ctorch\nByteStorage\n" + text("0") + text("cpu") + std::string("J\0\0\x10\0tQ", 7);
  const std::string tensor =
      "ctorch._utils\n_rebuild_tensor_v2\n(" + storage + std::string("K\0J\0\0\x10\0\x85K\x01\x85\x89)tR", 15);
  EXPECT_NO_THROW(Pickle("\x80\x02(" + repeated(tensor, 4) + "t.", records));
  EXPECT_THROW(Pickle("\x80\x02(" + repeated(tensor, 40) + "t.", records), std::runtime_error);
}

}  // namespace

}  // namespace fercli
