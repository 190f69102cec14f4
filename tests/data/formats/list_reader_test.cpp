#include "core/files.hpp"
#include "data/formats/reader.hpp"
#include "data/image.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/data/sample_data.hpp"

namespace fercli {
namespace {

using test::user_error;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A list of images, and the images where it says.
class ImageList : public ::testing::Test {
 protected:
  void put(const std::string& name, int64_t grey, int64_t side = 40) {
    write_png(torch::full({1, side, side}, grey, torch::kUInt8), scratch_ / name);
  }
  Dataset read(const std::string& name, const std::string& text, const ReadOptions& options = {}) {
    write_file(scratch_ / name, text);
    return read_dataset((scratch_ / name).string(), options);
  }
  static std::string label(const Dataset& data, int64_t row) {
    return data.classes.name(data.labels[row].item<int64_t>());
  }

  test::ScratchFolder scratch_;
};

TEST_F(ImageList, NamesFilesAndLabels) {
  put("a.png", 10);
  put("images/b.png", 20);
  const Dataset data = read("faces.csv", "path;label;split\na.png;happy;train\nimages/b.png;4;test\n");
  EXPECT_THAT(data.ids, ElementsAre("a.png", "images/b.png"));
  EXPECT_EQ(label(data, 0), "Happy");
  EXPECT_EQ(label(data, 1), "Sad");
  EXPECT_THAT(data.splits, ElementsAre(Split::Training, Split::PrivateTest));
  EXPECT_EQ(data.images[1][0][7][7].item<int>(), 20);
}

TEST_F(ImageList, RafDbsListOfPartitionsIsReadWhereItsFoldersLie) {
  put("Image/aligned/train_00001_aligned.jpg.png", 0);  // no image of the list
  for (const char* name : {"train_00001", "train_00002", "test_0001"}) {
    write_file(scratch_ / "Image" / "aligned" / (std::string(name) + "_aligned.jpg"),
               encode_jpeg(torch::full({3, 100, 100}, 90, torch::kUInt8), 95));
  }
  const Dataset data =
      read("EmoLabel/list_patition_label.txt", "train_00001.jpg 5\ntrain_00002.jpg 7\ntest_0001.jpg 4\n");
  EXPECT_EQ(label(data, 0), "Sad");
  EXPECT_EQ(label(data, 1), "Neutral");
  EXPECT_EQ(label(data, 2), "Happy");
  EXPECT_THAT(data.splits, ElementsAre(Split::Training, Split::Training, Split::PrivateTest));
}

TEST_F(ImageList, AffectNetsBoxesCutTheFaceOut) {
  torch::Tensor picture = torch::zeros({3, 60, 80}, torch::kUInt8);
  picture.slice(1, 10, 30).slice(2, 40, 60).fill_(200);
  write_png(picture, scratch_ / "Manually_Annotated_Images" / "1" / "x.png");
  const std::string header =
      "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal\n";
  const Dataset data = read("lists/training.csv", header + "1/x.png,40,10,20,20,1;2;3,7,-0.5,0.1\n");
  EXPECT_EQ(label(data, 0), "Contempt");
  EXPECT_EQ(data.splits.front(), Split::Training);
  EXPECT_EQ(data.images.min().item<int>(), 200);
  EXPECT_THAT(user_error([&] { read("lists/training.csv", header + "1/x.png,90,10,20,20,,1,0,0\n"); }),
              HasSubstr("the face's box lies outside the picture of 80x60 pixels"));
  EXPECT_THAT(
      user_error([&] { read("lists/training.csv", header + "1/x.png,40,10,20,20,,10,0,0\n"); }),
      HasSubstr("training.csv:2: emotion 10 must be a number from 0 to 7 (AffectNet's 10 is No-Face; --skip-bad"));
}

TEST_F(ImageList, BoxesHaveOtherNamesToo) {
  torch::Tensor picture = torch::zeros({1, 60, 80}, torch::kUInt8);
  picture.slice(1, 10, 30).slice(2, 40, 60).fill_(200);
  write_png(picture, scratch_ / "x.png");
  for (const char* names : {"x,y,w,h", "X,Y,Width,Height"}) {
    const std::string header = fmt::format("path,{},label\n", names);
    EXPECT_EQ(read("l.csv", header + "x.png,40,10,20,20,happy\n").images.min().item<int>(), 200) << names;
  }
  // The sides of the image, which are no box.
  EXPECT_EQ(read("l.csv", "path,width,height,label\nx.png,80,60,happy\n").images.min().item<int>(), 0);
}

TEST_F(ImageList, PartOfABoxIsRefused) {
  put("a.png", 10);
  EXPECT_THAT(user_error([&] { read("l.csv", "path,face_x,face_y,label\na.png,1,1,happy\n"); }),
              HasSubstr("face_width and face_height, and not all are here"));
}

TEST_F(ImageList, AMissingFirstImageIsLeftOutLikeAnyOther) {
  put("images/a.png", 10);
  ReadOptions options;
  options.skip_bad = true;
  const Dataset data = read("l.txt", "missing.png,sad\na.png,happy\n", options);
  EXPECT_THAT(data.ids, ElementsAre("a.png"));
  EXPECT_EQ(data.skipped, 1);
}

TEST_F(ImageList, TextThatIsNoUtf8IsSaid) {
  put("a.png", 10);
  using namespace std::string_literals;
  EXPECT_THAT(user_error([&] { read("l.csv", "path,label\na\0b.png,happy\n"s); }),
              HasSubstr("l.csv:2: holds a NUL byte"));
  EXPECT_THAT(user_error([&] { read("l.csv", "\xff\xfep\0a\0t\0h\0\n\0"s); }),
              HasSubstr("l.csv: is text in UTF-16; save it as UTF-8"));
}

TEST_F(ImageList, BadRowsAreNamedOrSkipped) {
  put("a.png", 10);
  const std::string text = "a.png,happy\nmissing.png,sad\na.png,what\n";
  EXPECT_THAT(user_error([&] { read("l.txt", text); }), HasSubstr("l.txt:3: emotion 'what' is neither"));
  ReadOptions options;
  options.skip_bad = true;
  const Dataset data = read("l.txt", text, options);
  EXPECT_THAT(data.ids, ElementsAre("a.png"));
  EXPECT_EQ(data.skipped, 2);
  EXPECT_THAT(user_error([&] { read("l.txt", "nowhere.png,happy\n"); }),
              HasSubstr("image nowhere.png is not found beside the list"));
}

}  // namespace
}  // namespace fercli
