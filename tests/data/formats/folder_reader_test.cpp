#include <ATen/Parallel.h>

#include "core/files.hpp"
#include "data/formats/reader.hpp"
#include "data/image.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/data/sample_data.hpp"

namespace fercli {
namespace {

using test::ScratchFolder;
using test::user_error;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A folder of images at these places, each with other pixels.
class Folder : public ::testing::Test {
 protected:
  void put(const std::vector<std::string>& names) {
    for (const auto& name : names) {
      ++count_;
      write_png(test::sample_dataset(count_).images[count_ - 1], root() / name);
    }
  }
  std::filesystem::path root() const { return scratch_ / "set"; }
  Dataset read(const ReadOptions& options = {}) const { return read_dataset(root().string(), options); }

  /// "Happy" for the first image and so on; "-" where there is no label.
  std::vector<std::string> labels(const Dataset& data) const {
    std::vector<std::string> names;
    for (int64_t i = 0; i < data.size(); ++i) {
      const int64_t label = data.labels[i].item<int64_t>();
      names.push_back(label < 0 ? "-" : data.classes.name(label));
    }
    return names;
  }

  ScratchFolder scratch_;
  int64_t count_ = 0;
};

TEST_F(Folder, ClassIsTheFoldersNameInAnyCaseOrLanguage) {
  put({"ANGRY/1.png", "Joie/2.png", "dégoût/3.png", "happiness/4.png", "triste/5.png"});
  const Dataset data = read();
  EXPECT_THAT(data.ids, ElementsAre("ANGRY/1.png", "Joie/2.png", "dégoût/3.png", "happiness/4.png", "triste/5.png"));
  EXPECT_THAT(labels(data), ElementsAre("Angry", "Happy", "Disgust", "Happy", "Sad"));
}

TEST_F(Folder, LinksToItsParentAddNoImages) {
  put({"happy/1.png", "sad/2.png"});
  std::filesystem::create_directory_symlink("..", root() / "happy" / "up");
  std::filesystem::create_directory_symlink("..", root() / "sad" / "up");
  EXPECT_THAT(read().ids, ElementsAre("happy/1.png", "sad/2.png"));
}

TEST_F(Folder, LinksBetweenFoldersAddNoImages) {
  put({"happy/1.png", "sad/2.png"});
  std::filesystem::create_directory_symlink("../sad", root() / "happy" / "a");
  std::filesystem::create_directory_symlink("../happy", root() / "sad" / "b");
  EXPECT_THAT(read().ids, ElementsAre("happy/1.png", "sad/2.png"));
}

TEST_F(Folder, ALinkedFolderIsReadUnderTheLinksNameWhereItLiesOutside) {
  write_png(test::sample_dataset(1).images[0], scratch_ / "elsewhere" / "1.png");
  put({"sad/2.png"});
  std::filesystem::create_directory_symlink("../elsewhere", root() / "happy");
  EXPECT_THAT(labels(read()), ElementsAre("Happy", "Sad"));
}

TEST_F(Folder, NumbersOneToSevenAreRafDbs) {
  put({"1/a.png", "2/a.png", "3/a.png", "4/a.png", "5/a.png", "6/a.png", "7/a.png"});
  EXPECT_THAT(labels(read()), ElementsAre("Surprise", "Fear", "Disgust", "Happy", "Sad", "Angry", "Neutral"));
}

TEST_F(Folder, AFolderZeroMeansFer2013sNumbers) {
  put({"0/a.png", "3/a.png", "6/a.png"});
  EXPECT_THAT(labels(read()), ElementsAre("Angry", "Happy", "Neutral"));
}

TEST_F(Folder, NumbersMeanWhatTheCallerSays) {
  put({"4/a.png", "5/a.png"});
  ReadOptions options;
  options.classes.numbering = LabelSet::alphabetical();
  EXPECT_THAT(labels(read(options)), ElementsAre("Neutral", "Sad"));
}

TEST_F(Folder, NumbersZeroToSevenNeedAnOrder) {
  put({"0/a.png", "7/a.png"});
  EXPECT_THAT(user_error([&] { read(); }),
              HasSubstr("folder 7 is no class number from 0 to 6; --data-labels says what numbers mean"));
  ReadOptions options;
  options.classes.numbering = LabelSet::affectnet8();
  EXPECT_THAT(labels(read(options)), ElementsAre("Neutral", "Contempt"));
}

TEST_F(Folder, ContemptIsAnEighthClassWhereItOccurs) {
  put({"happy/a.png", "contempt/a.png"});
  EXPECT_EQ(read().classes.size(), 8);
  EXPECT_THAT(labels(read()), ElementsAre("Contempt", "Happy"));
}

TEST_F(Folder, OtherNamesAreClassesWhereThatIsAskedFor) {
  put({"train/pain/a.png", "train/nopain/p1/a.png", "test/pain/b.png"});
  EXPECT_THAT(user_error([&] { read(); }), HasSubstr("--classes folder takes other names as classes"));
  ReadOptions options;
  options.classes.as_found = true;
  const Dataset data = read(options);
  EXPECT_THAT(data.classes.names(), ElementsAre("nopain", "pain"));
  EXPECT_THAT(labels(data), ElementsAre("pain", "nopain", "pain"));
  EXPECT_THAT(data.splits, ElementsAre(Split::PrivateTest, Split::Training, Split::Training));
}

TEST_F(Folder, NamedClassesAreTheOnlyOnes) {
  put({"happy/a.png", "sad/a.png"});
  ReadOptions options;
  options.classes.numbering = LabelSet::parse("sad,happy");
  EXPECT_THAT(read(options).classes.names(), ElementsAre("Sad", "Happy"));
  put({"fear/a.png"});
  EXPECT_THAT(user_error([&] { read(options); }),
              HasSubstr("folder fear is neither a class nor a split (--data-labels names Sad, Happy; --map NAME=drop"));
}

TEST_F(Folder, SlipsInTheMapAreNoNewClasses) {
  put({"happy/a.png", "sad/a.png"});
  const auto mapped = [&](const std::string& map) {
    ReadOptions options;
    options.classes.map = ClassRules::parse_map(map);
    return read(options);
  };
  for (const char* slip : {"Happyy", "hapy", "hpapy", "hoppy"}) {
    EXPECT_THAT(user_error([&] { mapped(std::string("happy=") + slip); }),
                HasSubstr(std::string("'") + slip + "' is no known class; did you mean Happy?"));
  }
  for (const char* map : {"happy=sad=fear", "happy=*"})
    EXPECT_THAT(user_error([&] { mapped(map); }), HasSubstr("must be NAME=CLASS or NAME=drop"));
  EXPECT_THAT(labels(mapped("happy=Drop")), ElementsAre("Sad"));
  EXPECT_THAT(labels(mapped("happy=unhappy,sad=bad")), ElementsAre("unhappy", "bad"));
}

TEST_F(Folder, GroupsLieBesideTheImages) {
  put({"happy/a.png", "happy/b.png", "sad/a.png"});
  write_file(root() / "groups.csv", "file,glasses\nhappy/a.png,yes\nsad/a.png,no\n");
  const Dataset data = read();
  ASSERT_EQ(data.groups.size(), 1u);
  EXPECT_EQ(data.groups[0].name, "glasses");
  EXPECT_THAT(data.groups[0].values, ElementsAre("yes", "", "no"));
}

TEST_F(Folder, SplitComesFromTheFolder) {
  put({"Training/happy/a.png", "happy/val/a.png", "test/sad/a.png", "fear/a.png"});
  EXPECT_THAT(read().splits, ElementsAre(Split::Training, Split::None, Split::PublicTest, Split::PrivateTest));
}

TEST_F(Folder, SplitInFileNamesWinsOverTheFolder) {
  put({"test/sad/PrivateTest_1.png", "test/sad/PublicTest_2.png", "train/sad/Training_3.png"});
  EXPECT_THAT(read().splits, ElementsAre(Split::PrivateTest, Split::PublicTest, Split::Training));
}

TEST_F(Folder, SourceItselfMayBeTheSplitOrTheClass) {
  put({"train/happy/a.png"});
  EXPECT_THAT(read_dataset((root() / "train").string()).splits, ElementsAre(Split::Training));
  EXPECT_THAT(labels(read_dataset((root() / "train" / "happy").string() + "/")), ElementsAre("Happy"));
}

TEST_F(Folder, FlatFolderHasNoLabels) {
  put({"b.png", "a.png"});
  const Dataset data = read();
  EXPECT_THAT(data.ids, ElementsAre("a.png", "b.png"));
  EXPECT_THAT(labels(data), ElementsAre("-", "-"));
}

TEST_F(Folder, OneImageIsADataSetOfOne) {
  put({"a.png"});
  const Dataset data = read_dataset((root() / "a.png").string());
  EXPECT_THAT(data.ids, ElementsAre("a.png"));
  EXPECT_TRUE(torch::equal(data.images[0], test::sample_dataset(1).images[0]));
}

TEST_F(Folder, SubfoldersOfAClassBelongToIt) {
  put({"happy/person 12/a.png"});
  EXPECT_THAT(labels(read()), ElementsAre("Happy"));
}

TEST_F(Folder, HiddenAndOtherFilesAreIgnored) {
  put({"sad/a.png", "sad/.b.png", ".cache/happy/c.png"});
  write_file(root() / "sad" / "readme.txt", "text");
  write_file(root() / "Thumbs.db", "text");
  EXPECT_THAT(read().ids, ElementsAre("sad/a.png"));
}

TEST_F(Folder, ColourOfAnySizeIsFitted) {
  write_png(test::sample_dataset(1, 3, 100).images[0], root() / "sad" / "colour.png");
  ReadOptions rgb;
  rgb.size = 32;
  rgb.channels = 3;
  EXPECT_EQ(read().images.sizes(), (torch::IntArrayRef{1, 1, 48, 48}));
  EXPECT_EQ(read(rgb).images.sizes(), (torch::IntArrayRef{1, 3, 32, 32}));
}

TEST_F(Folder, ReadingDoesNotDependOnThreads) {
  std::vector<std::string> names;
  for (int i = 0; i < 60; ++i) names.push_back(fmt::format("sad/{}.png", i));
  put(names);
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const std::string digest = read().digest();
  at::set_num_threads(4);
  EXPECT_EQ(read().digest(), digest);
  at::set_num_threads(threads);
}

TEST_F(Folder, UnknownClassFolderGetsASuggestion) {
  put({"train/happy/a.png", "train/hapiness/b.png"});
  EXPECT_THAT(
      user_error([&] { read(); }),
      HasSubstr(
          "set: folder train/hapiness is neither an emotion nor a split; did you mean happiness? (emotions: Angry,"));
}

TEST_F(Folder, NumberOutOfRangeIsUnknown) {
  put({"1/a.png", "8/a.png"});
  EXPECT_THAT(user_error([&] { read(); }),
              HasSubstr("folder 8 is no class number from 1 to 7; --data-labels says what numbers mean"));
}

TEST_F(Folder, EmptyFolderIsRefused) {
  make_folder(root());
  EXPECT_THAT(user_error([&] { read(); }), HasSubstr("set: the folder holds no images"));
}

TEST_F(Folder, EmptyClassFolderIsRefused) {
  put({"happy/a.png"});
  make_folder(root() / "fear");
  EXPECT_THAT(user_error([&] { read(); }), HasSubstr("set/fear: the class folder holds no images"));
}

TEST_F(Folder, UnreadableImageIsNamed) {
  put({"happy/a.png"});
  write_file(root() / "happy" / "broken.jpg", "not an image");
  EXPECT_THAT(user_error([&] { read(); }), HasSubstr("set/happy/broken.jpg: is not a readable image"));
}

TEST_F(Folder, SkippingCountsEveryBadEntry) {
  put({"happy/a.png", "hapiness/b.png", "sad/c.png"});
  make_folder(root() / "fear");
  write_file(root() / "happy" / "broken.jpg", "");
  ReadOptions options;
  options.skip_bad = true;
  const Dataset data = read(options);
  EXPECT_THAT(data.ids, ElementsAre("happy/a.png", "sad/c.png"));
  EXPECT_EQ(data.skipped, 3);
}

TEST_F(Folder, NothingButBadEntriesIsAnError) {
  write_file(root() / "happy" / "broken.jpg", "");
  ReadOptions options;
  options.skip_bad = true;
  EXPECT_THAT(user_error([&] { read(options); }), HasSubstr("set: not one entry is readable (1 bad)"));
}

TEST(Reader, MissingSourceIsNamed) {
  EXPECT_THAT(user_error([] { read_dataset("nowhere"); }), HasSubstr("nowhere: no such file or folder"));
}

TEST(Reader, UnknownFormatListsTheKnownOnes) {
  const ScratchFolder folder;
  write_file(folder / "notes.txt", "hello");
  EXPECT_THAT(user_error([&] { read_dataset((folder / "notes.txt").string()); }),
              HasSubstr("notes.txt: is none of the known data formats (a CSV file with a column pixels;"));
}

}  // namespace
}  // namespace fercli
