#include "core/files.hpp"
#include "data/formats/reader.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/data/sample_data.hpp"

namespace fercli {
namespace {

using test::ScratchFolder;
using test::user_error;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;

std::string pixels_of(const Dataset& data, int64_t row) {
  const torch::Tensor flat = data.images[row].reshape(-1);
  std::string text;
  for (int64_t i = 0; i < flat.numel(); ++i) text += fmt::format("{} ", flat.data_ptr<uint8_t>()[i]);
  text.pop_back();
  return text;
}

/// A CSV written line by line, and what the reader makes of it.
class Csv : public ::testing::Test {
 protected:
  Dataset read(const std::string& text, const ReadOptions& options = {}) {
    write_file(path(), text);
    return read_dataset(path().string(), options);
  }
  std::string error(const std::string& text) {
    return user_error([&] { read(text); });
  }
  std::filesystem::path path() const { return scratch_ / "faces.csv"; }

  ScratchFolder scratch_;
  ReadOptions tiny_ = [] {
    ReadOptions options;
    options.size = 2;
    return options;
  }();
};

TEST_F(Csv, ThreeHundredRowsInFer2013sDialect) {
  const Dataset original = test::sample_dataset(300);
  std::string text = "emotion,pixels,Usage\n";
  for (int64_t i = 0; i < 300; ++i) {
    text +=
        fmt::format("{},{},{}\n", i % 7, pixels_of(original, i), to_string(original.splits[static_cast<size_t>(i)]));
  }
  const Dataset data = read(text);
  test::expect_same_content(original, data);
  EXPECT_EQ(data.ids.front(), "row-1");
  EXPECT_EQ(data.ids.back(), "row-300");
}

TEST_F(Csv, ThreeHundredRowsInTheDialectWithSpaces) {
  const Dataset original = test::sample_dataset(300);
  std::string text = "emotion, Usage, pixels\n";
  for (int64_t i = 0; i < 300; ++i) {
    text +=
        fmt::format("{}, {}, {}\n", i % 7, to_string(original.splits[static_cast<size_t>(i)]), pixels_of(original, i));
  }
  test::expect_same_content(original, read(text));
}

TEST_F(Csv, ThreeHundredRowsWithoutUsage) {
  Dataset original = test::sample_dataset(300);
  original.splits.assign(300, Split::None);
  std::string text = "emotion,pixels\n";
  for (int64_t i = 0; i < 300; ++i) text += fmt::format("{},{}\n", i % 7, pixels_of(original, i));
  test::expect_same_content(original, read(text));
}

TEST_F(Csv, ThreeHundredRowsOfPixelsAlone) {
  Dataset original = test::sample_dataset(300);
  original.splits.assign(300, Split::None);
  original.labels.fill_(-1);
  std::string text = "pixels\n";
  for (int64_t i = 0; i < 300; ++i) text += pixels_of(original, i) + "\n";
  test::expect_same_content(original, read(text));
}

TEST_F(Csv, QuotesCarriageReturnsAndByteOrderMarkDoNotMatter) {
  const Dataset data =
      read("\xef\xbb\xbf\"emotion\",\"pixels\",\"Usage\"\r\n\"3\",\"1 2 3 4\",\"PublicTest\"\r\n4,\"5 6 7 8\",Training",
           tiny_);
  EXPECT_TRUE(torch::equal(data.images.reshape(-1), torch::arange(1, 9, torch::kInt64).to(torch::kUInt8)));
  EXPECT_THAT(data.splits, ElementsAre(Split::PublicTest, Split::Training));
  EXPECT_EQ(data.labels[1].item<int64_t>(), 4);
}

TEST_F(Csv, BlankLinesAndSeveralSpacesAreIgnored) {
  EXPECT_EQ(read("pixels\n\n  1  2 3\t4 \n\n", tiny_).size(), 1);
}

TEST_F(Csv, EmotionMayBeAName) {
  const Dataset data = read("emotion,pixels\njoie,1 2 3 4\nSad,1 2 3 4\n,1 2 3 4\n", tiny_);
  EXPECT_EQ(data.labels[0].item<int64_t>(), 3);
  EXPECT_EQ(data.labels[1].item<int64_t>(), 4);
  EXPECT_EQ(data.labels[2].item<int64_t>(), -1) << "an empty field means no label";
}

TEST_F(Csv, NumbersMeanWhatTheCallerSays) {
  ReadOptions raf = tiny_, alphabetical = tiny_;
  raf.classes.numbering = LabelSet::raf_db();
  alphabetical.classes.numbering = LabelSet::alphabetical();
  const std::string text = "emotion,pixels\n4,1 2 3 4\n";
  EXPECT_EQ(read(text, raf).labels[0].item<int64_t>(), 3);           // RAF-DB counts from 1: Happy
  EXPECT_EQ(read(text, alphabetical).labels[0].item<int64_t>(), 6);  // Neutral
}

TEST_F(Csv, ClassesThatAreCalledByNumbersAreMeantByTheirNames) {
  ReadOptions own = tiny_, mapped = tiny_;
  own.classes.numbering = LabelSet::parse("1,0");
  mapped.classes.map = ClassRules::parse_map("0=Happy,1=Sad");
  const std::string text = "emotion,pixels\n0,1 2 3 4\n1,5 6 7 8\n";
  const auto names = [&](const ReadOptions& options) {
    const Dataset data = read(text, options);
    return std::vector{data.classes.name(data.labels[0].item<int64_t>()),
                       data.classes.name(data.labels[1].item<int64_t>())};
  };
  EXPECT_THAT(names(own), ElementsAre("0", "1"));
  EXPECT_THAT(names(mapped), ElementsAre("Happy", "Sad"));
}

TEST_F(Csv, FieldsMayBeSeparatedBySemicolonsOrTabs) {
  for (const char* text :
       {"emotion;pixels;Usage\n3;1 2 3 4;Training\n", "emotion\tpixels\tUsage\n3\t1 2 3 4\tTraining\n"}) {
    const Dataset data = read(text, tiny_);
    EXPECT_EQ(pixels_of(data, 0), "1 2 3 4") << text;
    EXPECT_EQ(data.labels[0].item<int64_t>(), 3) << text;
    EXPECT_EQ(data.splits.front(), Split::Training) << text;
  }
}

TEST_F(Csv, AHeaderMayBeMissing) {
  const Dataset data = read("3,1 2 3 4,PublicTest\n4,5 6 7 8,Training\n", tiny_);
  EXPECT_THAT(data.ids, ElementsAre("row-1", "row-2"));
  EXPECT_EQ(pixels_of(data, 0), "1 2 3 4");
  EXPECT_EQ(data.labels[1].item<int64_t>(), 4);
  EXPECT_THAT(data.splits, ElementsAre(Split::PublicTest, Split::Training));
  EXPECT_EQ(read("1 2 3 4\n5 6 7 8\n", tiny_).size(), 2);
}

TEST_F(Csv, NumbersToSevenMeanWhatTheCallerSays) {
  ReadOptions plus = tiny_, affect = tiny_;
  plus.classes.numbering = LabelSet::ferplus();
  affect.classes.numbering = LabelSet::affectnet8();
  const std::string text = "emotion,pixels\n7,1 2 3 4\n2,1 2 3 4\n";
  EXPECT_EQ(read(text, plus).classes, LabelSet::ferplus());
  EXPECT_EQ(read(text, plus).labels[1].item<int64_t>(), 2);
  EXPECT_EQ(read(text, affect).classes.name(read(text, affect).labels[1].item<int64_t>()), "Sad");
}

TEST_F(Csv, AnyWordIsAClassWhereThatIsAskedFor) {
  ReadOptions options = tiny_;
  options.classes.as_found = true;
  const Dataset data = read("label,pixels\npain,1 2 3 4\nno pain,1 2 3 4\n", options);
  EXPECT_THAT(data.classes.names(), ElementsAre("no pain", "pain"));
  EXPECT_EQ(data.labels[0].item<int64_t>(), 1);
}

TEST_F(Csv, ImagesOfAnotherSizeAreResized) {
  std::string row;
  for (int i = 0; i < 64 * 64; ++i) row += "9 ";
  const Dataset data = read("pixels\n" + row + "\n");
  EXPECT_EQ(data.images.sizes(), (torch::IntArrayRef{1, 1, 48, 48}));
  EXPECT_EQ(data.images[0][0][20][20].item<int>(), 9);
}

TEST_F(Csv, GreyIsRepeatedForRgb) {
  ReadOptions rgb = tiny_;
  rgb.channels = 3;
  const Dataset data = read("pixels\n1 2 3 4\n", rgb);
  EXPECT_EQ(data.images.sizes(), (torch::IntArrayRef{1, 3, 2, 2}));
  EXPECT_TRUE(torch::equal(data.images[0][0], data.images[0][2]));
}

TEST_F(Csv, IsRecognisedWithoutItsExtension) {
  write_file(scratch_ / "faces", "emotion,pixels\n3,1 2 3 4\n");
  EXPECT_EQ(read_dataset((scratch_ / "faces").string(), tiny_).size(), 1);
}

TEST_F(Csv, IsRecognisedWithoutExtensionAndHeaderByItsPixels) {
  write_file(scratch_ / "faces.txt", "3\t1 2 3 4\tTraining\n0\t5 6 7 8\tPublicTest\n");
  const Dataset data = read_dataset((scratch_ / "faces.txt").string(), tiny_);
  EXPECT_EQ(data.size(), 2);
  EXPECT_EQ(data.splits[1], Split::PublicTest);
  write_file(scratch_ / "notes.txt", "1 2 3 4\n");
  EXPECT_THAT(user_error([&] { read_dataset((scratch_ / "notes.txt").string()); }), HasSubstr("none of the known"));
}

TEST_F(Csv, LinesLongerThanABlockAreRead) {
  std::string row;
  for (int i = 0; i < 1024 * 1024; ++i) row += "255 ";
  EXPECT_EQ(read("pixels\n" + row + "\n" + row, tiny_).size(), 2);
}

TEST_F(Csv, WrongPixelCountIsNamedWithItsLine) {
  EXPECT_THAT(error("emotion,pixels\n3,1 2 3 4\n3,1 2 3\n"),
              EndsWith("faces.csv:3: has 3 pixels, which is no square image"));
  EXPECT_THAT(error("pixels\n1 2 3 4\n1 2 3 4 5 6 7 8 9\n"),
              EndsWith("faces.csv:3: has 9 pixels, the rows before it 4"));
  EXPECT_THAT(error("emotion,pixels\n3,\n"), EndsWith("faces.csv:2: has 0 pixels, which is no square image"));
}

TEST_F(Csv, PixelOutsideItsRangeIsNamed) {
  EXPECT_THAT(error("pixels\n1 2 256 4\n"),
              EndsWith("faces.csv:2: pixel 3 is '256', must be a whole number from 0 to 255"));
  EXPECT_THAT(error("pixels\n1 2 3 -4\n"),
              EndsWith("faces.csv:2: pixel 4 is '-4', must be a whole number from 0 to 255"));
  EXPECT_THAT(error("pixels\n1 2 99999999999 4\n"), HasSubstr("pixel 3 is '99999999999'"));
}

TEST_F(Csv, PixelThatIsNoNumberIsNamed) {
  EXPECT_THAT(error("pixels\n1 two 3 4\n"),
              EndsWith("faces.csv:2: pixel 2 is 'two', must be a whole number from 0 to 255"));
  EXPECT_THAT(error("pixels\n0.5 0.5 0.5 0.5\n"), HasSubstr("pixel 1 is '0.5'"));
}

TEST_F(Csv, MissingColumnIsNamedWithItsLine) {
  EXPECT_THAT(error("emotion,pixels,Usage\n3,1 2 3 4\n"), EndsWith("faces.csv:2: has 2 fields, the header has 3"));
}

TEST_F(Csv, HeaderWithoutPixelsIsRefused) {
  EXPECT_THAT(error("emotion,picture\n3,1 2 3 4\n"),
              EndsWith("faces.csv:1: the header must name a column pixels (and "
                       "may name emotion and Usage), or path where it lists image files, but reads 'emotion,picture'"));
}

TEST_F(Csv, UnknownEmotionIsNamed) {
  EXPECT_THAT(error("emotion,pixels\n7,1 2 3 4\n"),
              EndsWith("faces.csv:2: emotion 7 must be a number from 0 to 6; --data-labels says what numbers mean"));
  EXPECT_THAT(
      error("emotion,pixels\nHapy,1 2 3 4\n"),
      HasSubstr(
          "faces.csv:2: emotion 'Hapy' is neither a number nor a known name; did you mean Happy? (emotions: Angry,"));
}

TEST_F(Csv, UnknownUsageIsNamed) {
  EXPECT_THAT(error("pixels,Usage\n1 2 3 4,Trainin\n"),
              EndsWith("faces.csv:2: Usage 'Trainin' must be Training, PublicTest or PrivateTest"));
}

TEST_F(Csv, OpenQuoteIsNamed) {
  EXPECT_THAT(error("emotion,pixels\n3,\"1 2 3 4\n"), EndsWith("faces.csv:2: a quote is not closed on its line"));
  EXPECT_THAT(error("emotion,pixels\n\"ha\nppy\",1 2 3 4\n"),
              EndsWith("faces.csv:2: a quote is not closed on its line"));
}

TEST_F(Csv, EmptyFilesAreRefused) {
  EXPECT_THAT(error(""), EndsWith("faces.csv: is empty"));
  EXPECT_THAT(error("emotion,pixels\n"), EndsWith("faces.csv: holds no images (0 bad rows)"));
}

TEST_F(Csv, SkippingCountsBadRows) {
  ReadOptions options = tiny_;
  options.skip_bad = true;
  const Dataset data = read("emotion,pixels\n3,1 2 3 4\n3,1 2 3\n9,1 2 3 4\n3\n4,5 6 7 300\n4,5 6 7 8\n", options);
  EXPECT_THAT(data.ids, ElementsAre("row-1", "row-6"));
  EXPECT_EQ(data.skipped, 4);
  EXPECT_EQ(data.images[1][0][1][1].item<int>(), 8);
}

TEST_F(Csv, AColumnThatStandsTwiceIsRefused) {
  EXPECT_THAT(error("emotion,pixels,emotion\n0,1 2 3 4,3\n"),
              HasSubstr("faces.csv:1: the columns 1 and 3 are both the class ('emotion', 'emotion')"));
  EXPECT_THAT(error("emotion,label,pixels\n0,3,1 2 3 4\n"), HasSubstr("are both the class"));
  EXPECT_THAT(error("pixels,emotion,Pixels\n1 2 3 4,0,5 6 7 8\n"), HasSubstr("are both the pixels"));
  EXPECT_THAT(error("Usage,pixels,split\nTraining,1 2 3 4,PublicTest\n"),
              HasSubstr("are both the part of the data set"));
}

}  // namespace
}  // namespace fercli
