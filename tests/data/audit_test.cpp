#include "data/audit.hpp"

#include "core/files.hpp"
#include "data/formats/reader.hpp"
#include "data/image.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/data/sample_data.hpp"

namespace fercli {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// Row `to` gets the picture of row `from`.
void copy_image(Dataset& data, int64_t from, int64_t to) {
  data.images[to].copy_(data.images[from]);
}

TEST(Audit, DifferentImagesGiveNoGroups) {
  const DuplicateReport report = find_equal_pixels(test::sample_dataset(50));
  EXPECT_THAT(report.groups, IsEmpty());
  EXPECT_THAT(report.leaks, IsEmpty());
}

TEST(Audit, GroupsEqualImages) {
  Dataset data = test::sample_dataset(12);
  copy_image(data, 1, 4);
  copy_image(data, 1, 7);
  copy_image(data, 2, 11);
  const DuplicateReport report = find_equal_pixels(data);
  ASSERT_EQ(report.groups.size(), 2u);
  EXPECT_THAT(report.groups[0].rows, ElementsAre(1, 4, 7));
  EXPECT_THAT(report.groups[1].rows, ElementsAre(2, 11));
  EXPECT_EQ(report.redundant, 3);
  EXPECT_EQ(report.across_splits, 0) << "rows three apart share a split";
}

TEST(Audit, FindsConflictingLabels) {
  Dataset data = test::sample_dataset(12);
  copy_image(data, 0, 3);  // labels 0 and 3
  copy_image(data, 1, 8);  // labels 1 and 1
  copy_image(data, 2, 5);
  data.labels[5] = -1;  // no label contradicts none
  EXPECT_EQ(find_equal_pixels(data).conflicting, 1);
}

TEST(Audit, CountsImagesThatLeakBetweenSplits) {
  Dataset data = test::sample_dataset(30);
  data.labels.fill_(3);
  copy_image(data, 0, 1);  // Training -> PublicTest
  copy_image(data, 3, 4);  // again, with another label
  data.labels[4] = 5;
  copy_image(data, 6, 8);  // Training -> PrivateTest
  const DuplicateReport report = find_equal_pixels(data);
  ASSERT_EQ(report.leaks.size(), 2u);
  EXPECT_EQ(report.leaks[0].from, Split::PublicTest);
  EXPECT_EQ(report.leaks[0].into, Split::Training);
  EXPECT_EQ(report.leaks[0].images, 2);
  EXPECT_EQ(report.leaks[0].other_label, 1);
  EXPECT_EQ(report.leaks[0].total, 10);
  EXPECT_EQ(report.leaks[1].from, Split::PrivateTest);
  EXPECT_EQ(report.leaks[1].images, 1);
  EXPECT_EQ(report.across_splits, 3);
}

TEST(Audit, ImageWithCopiesUnderBothLabelsCountsAsRelabelled) {
  Dataset data = test::sample_dataset(9);
  data.labels.fill_(3);
  copy_image(data, 0, 1);
  copy_image(data, 0, 3);
  data.labels[3] = 4;
  EXPECT_EQ(find_equal_pixels(data).leaks.at(0).other_label, 1);
}

TEST(Audit, ACopyWithoutALabelIsUnderNoOther) {
  Dataset data = test::sample_dataset(9);
  copy_image(data, 0, 1);
  data.labels[1] = -1;
  copy_image(data, 3, 4);
  data.labels[3] = -1;
  const Leak leak = find_equal_pixels(data).leaks.at(0);
  EXPECT_EQ(leak.images, 2);
  EXPECT_EQ(leak.other_label, 0);
}

TEST(Audit, FilesOfEqualPixelsMayDiffer) {
  const test::ScratchFolder folder;
  const torch::Tensor image = test::sample_dataset(1).images[0];
  write_png(image, folder / "a.png");
  write_png(image, folder / "b.png");
  std::string pgm = "P5 48 48 255\n";
  pgm.append(reinterpret_cast<const char*>(image.data_ptr<uint8_t>()), static_cast<size_t>(image.numel()));
  write_file(folder / "c.pgm", pgm);
  const Dataset data = read_dataset(folder.path().string());
  EXPECT_THAT(find_equal_files(data, folder.path().string()).groups.at(0).rows, ElementsAre(0, 1));
  EXPECT_THAT(find_equal_pixels(data).groups.at(0).rows, ElementsAre(0, 1, 2));
}

TEST(Audit, FindsConstantAndNearlyConstantFrames) {
  Dataset data = test::sample_dataset(5);
  data.images[1].fill_(0);
  data.images[3].fill_(128);
  data.images[3][0][5][5] = 140;
  EXPECT_THAT(find_blank(data), ElementsAre(1, 3));
}

}  // namespace
}  // namespace fercli
