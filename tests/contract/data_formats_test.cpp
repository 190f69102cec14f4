// What holds for every data format: a new reader or writer is tested here without a new line.
#include <ATen/Parallel.h>

#include <set>

#include "data/formats/reader.hpp"
#include "data/formats/writer.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/data/sample_data.hpp"
#include "tests/user_error.hpp"

namespace fercli {
namespace {

/// Sources of every format: the sample that it brings, or what its writer makes.
class DataFormat : public ::testing::TestWithParam<std::string> {
 protected:
  std::string source() {
    const std::filesystem::path place = folder_ / "data";
    if (const auto sample = Registry<DatasetReader>::instance().get(GetParam()).sample) return sample(folder_.path());
    write_dataset(test::sample_dataset(14, 1, 40), place, GetParam());
    return place.string();
  }
  test::ScratchFolder folder_;
};

std::vector<std::string> reader_names() {
  return Registry<DatasetReader>::instance().names();
}

TEST_P(DataFormat, GivesTheShapeThatWasAskedFor) {
  const std::string place = source();
  for (const int64_t channels : {1, 3}) {
    ReadOptions options;
    options.size = 32;
    options.channels = channels;
    const Dataset data = read_dataset(place, options);
    EXPECT_EQ(data.images.sizes(), (torch::IntArrayRef{14, channels, 32, 32}));
    EXPECT_EQ(data.images.scalar_type(), torch::kUInt8);
  }
}

TEST_P(DataFormat, KeepsRowsInStep) {
  const Dataset data = read_dataset(source());
  EXPECT_EQ(data.labels.sizes(), torch::IntArrayRef{14});
  EXPECT_EQ(data.labels.scalar_type(), torch::kInt64);
  EXPECT_EQ(data.splits.size(), 14u);
  EXPECT_EQ(std::set<std::string>(data.ids.begin(), data.ids.end()).size(), 14u);
  EXPECT_GE(data.labels.min().item<int64_t>(), -1);
  EXPECT_LT(data.labels.max().item<int64_t>(), data.classes.size());
  EXPECT_EQ(data.skipped, 0);
}

TEST_P(DataFormat, ReadsTheSameWithAnyNumberOfThreads) {
  const std::string place = source();
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const std::string digest = read_dataset(place).digest();
  at::set_num_threads(3);
  EXPECT_EQ(read_dataset(place).digest(), digest);
  at::set_num_threads(threads);
}

TEST_P(DataFormat, IsRecognisedByItselfAlone) {
  const std::string place = source();
  const auto& own = Registry<DatasetReader>::instance().get(GetParam());
  EXPECT_TRUE(own.recognises(place));
  for (const auto& reader : Registry<DatasetReader>::instance().all()) {
    if (reader.name == own.name || !reader.recognises(place)) continue;
    EXPECT_LT(reader.priority, own.priority) << reader.name;
  }
}

TEST_P(DataFormat, CanBeNamedInsteadOfRecognised) {
  ReadOptions named, other;
  named.format = GetParam();
  EXPECT_EQ(read_dataset(source(), named).digest(), read_dataset(source()).digest());
  other.format = "no-such-format";
  EXPECT_THAT(test::message_of([&] { read_dataset(source(), other); }), testing::HasSubstr("no-such-format"));
}

INSTANTIATE_TEST_SUITE_P(Every, DataFormat, ::testing::ValuesIn(reader_names()),
                         [](const auto& format) { return format.param; });

TEST(DataFormats, EveryWriterHasItsReader) {
  for (const auto& name : Registry<DatasetWriter>::instance().names()) {
    EXPECT_NE(Registry<DatasetReader>::instance().find(name), nullptr) << name;
  }
}

}  // namespace
}  // namespace fercli
