#include "data/votes.hpp"

#include "core/files.hpp"
#include "data/formats/reader.hpp"
#include "data/formats/writer.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/data/sample_data.hpp"

namespace fercli {
namespace {

using test::user_error;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kHeader =
    "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n";

/// FER2013 rows and FER+'s votes for them.
class Votes : public ::testing::Test {
 protected:
  Votes() {
    write_file(
        scratch_ / "fer.csv",
        "emotion,pixels,Usage\n3,1 2 3 4,Training\n4,5 6 7 8,Training\n0,1 1 1 1,PublicTest\n6,9 9 9 9,Training\n");
  }
  Dataset read(const std::string& rows, const ReadOptions& asked = {}) {
    write_file(scratch_ / "fer2013new.csv", kHeader + rows);
    ReadOptions options = asked;
    options.size = 2;
    options.votes = (scratch_ / "fer2013new.csv").string();
    return read_dataset((scratch_ / "fer.csv").string(), options);
  }

  test::ScratchFolder scratch_;
  const std::string rows_ =
      "Training,fer0000000.png,0,5,0,0,0,0,0,5,0,0\n"    // a tie: FER2013's own label stays
      "Training,fer0000001.png,1,0,0,2,0,0,0,6,1,0\n"    // contempt
      "PublicTest,fer0000002.png,0,0,0,1,8,0,0,0,1,0\n"  // anger
      "Training,,0,0,0,0,0,0,0,0,0,10\n";                // no face
};

TEST_F(Votes, JoinTheRowsOfTheCsv) {
  const Dataset data = read(rows_);
  EXPECT_THAT(data.ids, ElementsAre("row-1", "row-2", "row-3"));
  EXPECT_EQ(data.dropped, 1);
  ASSERT_EQ(data.classes.size(), 8);
  const auto name = [&](int64_t row) { return data.classes.name(data.labels[row].item<int64_t>()); };
  EXPECT_EQ(name(0), "Happy");
  EXPECT_EQ(name(1), "Contempt");
  EXPECT_EQ(name(2), "Angry");
  EXPECT_NEAR(data.votes[1][data.classes.index("contempt")].item<double>(), 6.0 / 9, 1e-6);
  EXPECT_NEAR(data.votes[1][data.classes.index("sad")].item<double>(), 2.0 / 9, 1e-6);
  EXPECT_NEAR(data.votes.sum().item<double>(), 3, 1e-6);
}

TEST_F(Votes, BlankLinesOfTheCsvAreNoRows) {
  write_file(scratch_ / "fer.csv", "emotion,pixels,Usage\n\n4,5 6 7 8,Training\n \n0,1 1 1 1,PublicTest\n");
  const Dataset data =
      read("Training,,0,0,0,9,0,0,0,0,0,0\nPublicTest,,0,0,0,0,9,0,0,0,0,0\nTraining,,0,9,0,0,0,0,0,0,0,0\n");
  EXPECT_THAT(data.ids, ElementsAre("row-1", "row-2"));
  EXPECT_EQ(data.votes[0][data.classes.index("sad")].item<double>(), 1);
  EXPECT_EQ(data.votes[1][data.classes.index("angry")].item<double>(), 1);
}

TEST_F(Votes, FollowTheClassesThatAreDroppedAndJoined) {
  ReadOptions options;
  options.classes.map = ClassRules::parse_map("contempt=drop,sad=low,fear=low");
  const Dataset data = read(rows_, options);
  EXPECT_THAT(data.ids, ElementsAre("row-1", "row-3"));
  EXPECT_NEAR(data.votes[0][data.classes.index("happy")].item<double>(), 1, 1e-6);
  EXPECT_NEAR(data.votes[1][data.classes.index("low")].item<double>(), 1.0 / 9, 1e-6);
}

TEST_F(Votes, MakeTheLabelAfterClassesAreJoined) {
  ReadOptions options;
  options.classes.map = ClassRules::parse_map("contempt=drop,sad=low,fear=low");
  const std::string rows =
      "Training,,0,4,0,3,0,0,2,0,0,0\n"    // happiness has the most; low has 5
      "Training,,0,4,0,3,0,0,1,0,0,0\n"    // low has as many: the label stays
      "PublicTest,,0,0,0,3,0,0,3,4,0,0\n"  // contempt has the most; low has 6
      "Training,,0,0,0,0,0,0,0,0,0,10\n";
  for (const bool packed : {false, true}) {
    Dataset data = read(rows, packed ? ReadOptions() : options);
    if (packed) {
      write_dataset(data, scratch_ / "voted.ferpack");
      options.size = 2;
      data = read_dataset((scratch_ / "voted.ferpack").string(), options);
    }
    std::vector<std::string> labels;
    for (int64_t row = 0; row < data.size(); ++row)
      labels.push_back(data.classes.name(data.labels[row].item<int64_t>()));
    EXPECT_THAT(labels, ElementsAre("low", "Happy", "low"));
  }
}

TEST_F(Votes, StayInAPackedFile) {
  const Dataset data = read(rows_);
  write_dataset(data, scratch_ / "voted.ferpack");
  ReadOptions options;
  options.size = 2;
  const Dataset again = read_dataset((scratch_ / "voted.ferpack").string(), options);
  EXPECT_TRUE(torch::equal(again.votes, data.votes));
  EXPECT_EQ(again.digest(), data.digest());
}

TEST_F(Votes, OfOtherRowsAreRefused) {
  EXPECT_THAT(user_error([&] { read("Training,a.png,1,0,0,0,0,0,0,0,0,0\n"); }),
              HasSubstr("has no votes for image row-2, of 1 rows"));
  const std::string row = ",,1,0,0,0,0,0,0,0,0,0\n";
  EXPECT_THAT(user_error([&] { read("PublicTest" + row + "Training" + row + "Training" + row + "Training" + row); }),
              HasSubstr("says that image row-1 is of PublicTest, where"));
  EXPECT_THAT(user_error([&] { read("Training,,x,0,0,0,0,0,0,0,0,0\n"); }),
              HasSubstr("fer2013new.csv:2: 'x' must be a number of votes from 0 to 1000000000"));
  for (const char* votes : {"inf", "1e300", "3e38", "-1", "nan"}) {
    EXPECT_THAT(user_error([&] { read(fmt::format("Training,,{},0,0,0,0,0,0,0,0,0\n", votes)); }),
                HasSubstr(fmt::format("fer2013new.csv:2: '{}' must be a number of votes", votes)));
  }
}

}  // namespace
}  // namespace fercli
