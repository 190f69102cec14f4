#include "data/formats/writer.hpp"

#include "core/container.hpp"
#include "core/files.hpp"
#include "data/formats/reader.hpp"
#include "data/image.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/data/sample_data.hpp"
#include "tests/hostile_names.hpp"

namespace fercli {
namespace {

namespace fs = std::filesystem;
using test::sample_dataset;
using test::ScratchFolder;
using test::user_error;
using ::testing::HasSubstr;

/// Rows in the order of their ids, because folders are read in the order of their names.
Dataset by_id(const Dataset& data) {
  std::map<std::string, int64_t> rows;
  for (int64_t i = 0; i < data.size(); ++i) rows[fs::path(data.ids[static_cast<size_t>(i)]).stem().string()] = i;
  std::vector<int64_t> order;
  for (const auto& [id, row] : rows) order.push_back(row);
  return data.select(order);
}

TEST(Writer, CsvComesBackUnchanged) {
  const ScratchFolder folder;
  const Dataset data = sample_dataset(20);
  write_dataset(data, folder / "a.csv");
  test::expect_same_content(data, read_dataset((folder / "a.csv").string()));
}

TEST(Writer, CsvKeepsMissingLabelsAndSplits) {
  const ScratchFolder folder;
  Dataset data = sample_dataset(4);
  data.labels[2] = -1;
  data.splits[3] = Split::None;
  write_dataset(data, folder / "mixed.csv");
  test::expect_same_content(data, read_dataset((folder / "mixed.csv").string()));
  data.labels.fill_(-1);
  data.splits.assign(4, Split::None);
  write_dataset(data, folder / "bare.csv");
  EXPECT_EQ(read_file(folder / "bare.csv").substr(0, 7), "pixels\n");
  test::expect_same_content(data, read_dataset((folder / "bare.csv").string()));
}

TEST(Writer, CsvNumbersFollowFer2013WhateverTheOrderWas) {
  const ScratchFolder folder;
  const Dataset data = sample_dataset(7);
  write_dataset(data.relabelled(LabelSet::alphabetical()), folder / "a.csv");
  test::expect_same_content(data, read_dataset((folder / "a.csv").string()));
}

TEST(Writer, CsvKeepsNamesOfAnyKind) {
  const ScratchFolder folder;
  auto names = test::hostile_names();
  names.insert(names.end(), {"=x", "'=x", "'tis", "a\"b", "\"quoted\""});
  Dataset data = sample_dataset(static_cast<int64_t>(names.size()));
  data.classes = LabelSet(names);
  data.labels = torch::arange(data.size(), torch::kInt64);
  ReadOptions options;
  options.classes.as_found = true;
  for (const char* file : {"a.csv", "b.csv"}) {
    write_dataset(data, folder / file);
    const Dataset back = read_dataset((folder / file).string(), options);
    for (int64_t i = 0; i < data.size(); ++i) {
      EXPECT_EQ(back.classes.name(back.labels[i].item<int64_t>()), data.classes.name(data.labels[i].item<int64_t>()));
    }
    data = back;
  }
}

TEST(Writer, CsvRefusesColour) {
  const ScratchFolder folder;
  EXPECT_THAT(user_error([&] { write_dataset(sample_dataset(1, 3), folder / "a.csv"); }),
              HasSubstr("a CSV holds grey images only"));
  EXPECT_FALSE(fs::exists(folder / "a.csv"));
}

TEST(Writer, FolderComesBackUnchangedInGreyAndColour) {
  const ScratchFolder folder;
  for (const int64_t channels : {1, 3}) {
    const Dataset data = sample_dataset(30, channels);
    const fs::path place = folder / fmt::format("tree{}", channels);
    ReadOptions options;
    options.channels = channels;
    write_dataset(data, place);
    EXPECT_TRUE(fs::exists(place / "PublicTest" / "disgust" / "image-1.png"));
    test::expect_same_content(by_id(data), by_id(read_dataset(place.string(), options)));
  }
}

TEST(Writer, FolderKeepsMissingLabelsAndSplits) {
  const ScratchFolder folder;
  Dataset data = sample_dataset(4);
  data.labels[2] = -1;
  data.splits[2] = data.splits[3] = Split::None;
  write_dataset(data, folder / "tree");
  EXPECT_TRUE(fs::exists(folder / "tree" / "image-2.png"));
  test::expect_same_content(by_id(data), by_id(read_dataset((folder / "tree").string())));
}

TEST(Writer, FolderKeepsImagesApartWhoseNamesCollide) {
  Dataset data = sample_dataset(15).select({0, 7, 14});
  data.splits.assign(3, Split::Training);
  // In the second list one is named as another would be numbered.
  for (const auto& ids :
       std::vector<std::vector<std::string>>{{"a/1.png", "b/1.png", "b/1.jpg"}, {"p/a-2.png", "q/a.png", "r/a.png"}}) {
    const ScratchFolder folder;
    data.ids = ids;
    write_dataset(data, folder / "tree");
    EXPECT_EQ(read_dataset((folder / "tree").string()).size(), 3);
  }
}

TEST(Writer, FolderKeepsTheSplitOfAFileThatIsNamedAfterAnother) {
  const ScratchFolder folder;
  Dataset data = sample_dataset(4);  // of Training, PublicTest, PrivateTest, Training
  data.splits[2] = Split::None;
  data.ids = {"PublicTest_1.jpg", "PublicTest_2.jpg", "Training_3.jpg", "a/Training_4.jpg"};
  write_dataset(data, folder / "tree");
  const Dataset again = read_dataset((folder / "tree").string());
  EXPECT_EQ(std::count(again.splits.begin(), again.splits.end(), Split::Training), 2);
  EXPECT_EQ(std::count(again.splits.begin(), again.splits.end(), Split::PublicTest), 1);
  EXPECT_EQ(std::count(again.splits.begin(), again.splits.end(), Split::None), 1);
}

TEST(Writer, FolderRefusesAClassThatIsCalledAsASplit) {
  const ScratchFolder folder;
  Dataset data = sample_dataset(4);
  data.classes = LabelSet({"Happy", "Sad", "None", "Fear", "test"});  // of the last there are no images
  EXPECT_THAT(user_error([&] { write_dataset(data, folder / "tree"); }),
              HasSubstr("tree: a folder for class None would be read as a part of the data set; --map None=NAME"));
  EXPECT_FALSE(fs::exists(folder / "tree"));
}

TEST(Writer, TheFolderThatTheProgramRunsInIsNotReplaced) {
  const ScratchFolder folder;
  write_dataset(sample_dataset(4), folder / "tree");
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder / "tree");
  for (const char* name : {".", "..", "./"}) {
    EXPECT_THAT(user_error([&] { write_dataset(sample_dataset(2), name); }),
                HasSubstr("because the program runs in it"));
  }
  std::filesystem::current_path(before);
  EXPECT_EQ(read_dataset((folder / "tree").string()).size(), 4);
}

TEST(Writer, FolderIsReplacedAsAWhole) {
  const ScratchFolder folder;
  write_dataset(sample_dataset(10), folder / "tree");
  write_dataset(sample_dataset(2), folder / "tree");
  EXPECT_EQ(read_dataset((folder / "tree").string()).size(), 2);
}

TEST(Writer, FolderWithOtherFilesIsNotReplaced) {
  const ScratchFolder folder;
  write_file(folder / "tree" / "thesis.tex", "years of work");
  EXPECT_THAT(user_error([&] { write_dataset(sample_dataset(2), folder / "tree"); }),
              HasSubstr("tree: is not replaced, because it holds other files than PNG images"));
  EXPECT_EQ(read_file(folder / "tree" / "thesis.tex"), "years of work");
}

TEST(Writer, FolderDoesNotReplaceAFile) {
  const ScratchFolder folder;
  write_file(folder / "tree", "x");
  EXPECT_THAT(user_error([&] { write_dataset(sample_dataset(2), folder / "tree"); }),
              HasSubstr("tree: is a file, not a folder"));
}

TEST(Writer, PackedFileComesBackUnchangedWithItsIds) {
  const ScratchFolder folder;
  const Dataset data = sample_dataset(20, 3).relabelled(LabelSet::alphabetical());
  write_dataset(data, folder / "a.ferpack");
  ReadOptions options;
  options.channels = 3;
  const Dataset back = read_dataset((folder / "a.ferpack").string(), options);
  test::expect_same_content(data, back);
  EXPECT_EQ(back.ids, data.ids);
  EXPECT_EQ(back.classes, LabelSet::alphabetical());
  EXPECT_EQ(back.digest(), data.digest());
}

TEST(Writer, PackedFileKeepsMissingLabels) {
  const ScratchFolder folder;
  Dataset data = sample_dataset(4);
  data.labels[2] = -1;
  write_dataset(data, folder / "a.ferpack");
  const Dataset back = read_dataset((folder / "a.ferpack").string());
  EXPECT_TRUE(back.labels.equal(data.labels));
}

TEST(Writer, PackedFileIsRecognisedByContentAndFitted) {
  const ScratchFolder folder;
  write_dataset(sample_dataset(3, 3, 64), folder / "data", "packed");
  EXPECT_EQ(read_dataset((folder / "data").string()).images.sizes(), (torch::IntArrayRef{3, 1, 48, 48}));
}

TEST(Writer, DamagedPackedFileIsRefused) {
  const ScratchFolder folder;
  write_dataset(sample_dataset(3), folder / "a.ferpack");
  const std::string bytes = read_file(folder / "a.ferpack");
  write_file(folder / "short.ferpack", bytes.substr(0, bytes.size() / 2));
  EXPECT_THAT(user_error([&] { read_dataset((folder / "short.ferpack").string()); }),
              HasSubstr("truncated or damaged"));
}

TEST(Writer, AnotherKindOfFileIsRefused) {
  const ScratchFolder folder;
  save_container({"checkpoint", {}, {{"w", torch::zeros({1})}}}, folder / "model.pt");
  EXPECT_THAT(user_error([&] { read_dataset((folder / "model.pt").string()); }),
              HasSubstr("is a fercli checkpoint, where a dataset is needed"));
}

TEST(Writer, PackedFileWithMissingOrOddPartsIsRefused) {
  const ScratchFolder folder;
  const auto error_of = [&](const Container& container) {
    save_container(container, folder / "odd.ferpack");
    return user_error([&] { read_dataset((folder / "odd.ferpack").string()); });
  };
  Container container{"dataset", {{"classes", {"Happy", "Sad"}}, {"ids", {"a", "b"}}}, {}};
  EXPECT_THAT(error_of(container), HasSubstr("a part of the packed data set is missing"));
  container.tensors = {{"images", torch::zeros({2, 1, 48, 48}, torch::kUInt8)},
                       {"labels", torch::full({2}, 2, torch::kInt64)},
                       {"splits", torch::zeros({2}, torch::kUInt8)}};
  EXPECT_THAT(error_of(container), HasSubstr("do not fit together"));
  for (const auto& shape : {std::vector<int64_t>{2, 1}, {1, 2}}) {
    container.tensors["labels"] = torch::zeros(shape, torch::kInt64);
    EXPECT_THAT(error_of(container), HasSubstr("odd.ferpack: the parts of the packed data set do not fit together"));
  }
  container.tensors["labels"] = torch::zeros({2}, torch::kInt64);
  for (const auto& [shape, words] : {std::pair{std::vector<int64_t>{2, 4, 48, 48}, "4 channels and 48x48 pixels"},
                                     {{2, 7, 48, 48}, "7 channels and 48x48 pixels"},
                                     {{2, 1, 0, 0}, "1 channels and 0x0 pixels"}}) {
    container.tensors["images"] = torch::zeros(shape, torch::kUInt8);
    EXPECT_THAT(error_of(container), HasSubstr(std::string("odd.ferpack: images of ") + words));
  }
}

TEST(Writer, PackedFileRefusesNamesThatAreNotUtf8) {
  const ScratchFolder folder;
  Dataset data = sample_dataset(1);
  data.ids[0] = "d\xe9go\xfbt.png";
  EXPECT_THAT(user_error([&] { write_dataset(data, folder / "a.ferpack"); }), HasSubstr("are not UTF-8"));
}

TEST(Writer, UnknownExtensionListsTheKnownOnes) {
  EXPECT_THAT(user_error([] { write_dataset(sample_dataset(1), "a.xlsx"); }),
              HasSubstr("a.xlsx: no data format has the extension .xlsx (known: .csv, .ferpack; none means a folder)"));
}

TEST(Writer, NothingIsLeftBesideTheDestination) {
  const ScratchFolder folder;
  write_dataset(sample_dataset(2), folder / "a.csv");
  write_dataset(sample_dataset(2), folder / "a.ferpack");
  write_dataset(sample_dataset(2), folder / "tree");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()), 3);
}

}  // namespace
}  // namespace fercli
