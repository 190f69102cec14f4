#include <nlohmann/json.hpp>

#include "core/command.hpp"
#include "core/files.hpp"
#include "data/formats/reader.hpp"
#include "data/formats/writer.hpp"
#include "data/image.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/data/sample_data.hpp"

namespace fercli {
namespace {

using nlohmann::json;
using test::run_fercli;
using test::ScratchFolder;
using ::testing::HasSubstr;
using ::testing::StartsWith;

/// `fercli data ARGUMENTS…` inside this process, which saves starting the program for each test.
test::ProgramResult run_data(const std::vector<std::string>& arguments) {
  test::ProgramResult result;
  ::testing::internal::CaptureStdout();
  try {
    result.exit_code = Registry<Command>::instance().get("data").run(arguments);
  } catch (const UserError& error) {
    result.exit_code = 2;
    result.err = error.what();
  }
  std::fflush(stdout);
  result.out = ::testing::internal::GetCapturedStdout();
  return result;
}

/// A packed file of 21 images: 7 of each split; image 1 (PublicTest) is a copy of 0 (Training); image 2 is blank.
class DataCommand : public ::testing::Test {
 protected:
  DataCommand() : source((folder / "faces.ferpack").string()), place(folder.path().string()) {
    Dataset data = test::sample_dataset(21);
    data.images[1].copy_(data.images[0]);
    data.images[2].fill_(9);
    write_dataset(data, source);
  }
  std::string at(const std::string& name) const { return (folder / name).string(); }

  ScratchFolder folder;
  std::string source, place;
};

TEST_F(DataCommand, StatsPrintsATableAndDrawsIt) {
  const auto run = run_fercli({"data", "stats", source, "--out", place});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("faces.ferpack: 21 images, 48x48 grey"));
  EXPECT_THAT(run.out, HasSubstr("Training  PublicTest  PrivateTest  total  share of 21 (%, 95 % CI)\n"));
  EXPECT_THAT(run.out, HasSubstr("  😄 Happy            1           1            1      3           14.3 (5.0–34.6)\n"));
  EXPECT_GT(std::filesystem::file_size(folder / "distribution_emotions.png"), 1000u);
}

TEST_F(DataCommand, StatsWritesNothingUnasked) {
  const auto here = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  const auto before = std::distance(std::filesystem::directory_iterator("."), {});
  const auto run = run_data({"stats", std::filesystem::absolute(source).string()});
  const auto after = std::distance(std::filesystem::directory_iterator("."), {});
  std::filesystem::current_path(here);
  EXPECT_THAT(run.out, HasSubstr("21 images"));
  EXPECT_EQ(after, before);
}

TEST_F(DataCommand, StatsSpeaksFrench) {
  const auto run = run_data({"stats", source, "--lang", "fr", "--out", place});
  EXPECT_THAT(run.out, HasSubstr("😄 Heureux"));
  EXPECT_THAT(run.out, HasSubstr("😠 En colère"));
}

TEST_F(DataCommand, StatsAsJsonGivesCountsAndIntervals) {
  const auto run = run_data({"stats", source, "--json", "--lang", "fr", "--split", "PublicTest", "--out", place});
  const json result = json::parse(run.out);
  EXPECT_EQ(result.at("n"), 7);
  EXPECT_EQ(result.at("splits"), json({{"PublicTest", 7}}));
  const json happy = result.at("classes").at(3);
  EXPECT_EQ(happy.at("name"), "Happy");
  EXPECT_EQ(happy.at("display"), "Heureux");
  EXPECT_EQ(happy.at("emoji"), "😄");
  EXPECT_EQ(happy.at("counts").at("PublicTest"), 1);
  EXPECT_NEAR(happy.at("share").at("value").get<double>(), 1 / 7.0, 1e-12);
  EXPECT_EQ(happy.at("share").at("n"), 7);
}

TEST_F(DataCommand, AuditReportsLeaksConflictsAndBlanks) {
  const auto run = run_data({"audit", source, "--out", at("pairs.csv")});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, testing::ContainsRegex("PublicTest images also in Training +1  14.3 % .n = 7, 95 % CI 2.6"));
  EXPECT_THAT(run.out, testing::ContainsRegex("of them with a copy under another label +1\n"));
  EXPECT_THAT(run.out, HasSubstr("Blank images: 1\n  image-2\n"));
  EXPECT_EQ(read_file(folder / "pairs.csv"),
            "identical,id,split,label,other_id,other_split,other_label,correlation,right,down\n"
            "pixels,image-0,Training,Angry,image-1,PublicTest,Disgust,1,0,0\n");
}

TEST_F(DataCommand, AuditOfAFolderComparesFilesToo) {
  const torch::Tensor image = test::sample_dataset(1).images[0];
  for (const char* name : {"train/happy/a.png", "test/happy/b,c.png"}) write_png(image, folder / "tree" / name);
  const auto run = run_data({"audit", at("tree"), "--json", "--out", at("pairs.csv")});
  const json result = json::parse(run.out);
  EXPECT_EQ(result.at("byte_identical").at("across_splits"), 1);
  EXPECT_EQ(result.at("pixel_identical").at("leaks").at(0).at("images"), 1);
  EXPECT_EQ(result.at("pixel_identical").at("groups").at(0).at("images").at(0).at("id"), "test/happy/b,c.png");
  EXPECT_THAT(read_file(folder / "pairs.csv"),
              HasSubstr("bytes,\"test/happy/b,c.png\",PrivateTest,Happy,train/happy/a.png,"));
}

TEST_F(DataCommand, AuditShowsNearDuplicatesAndDrawsThem) {
  const torch::Tensor image = read_dataset("synthetic:n=1,seed=5").images[0];
  write_png(image, folder / "tree" / "train/happy/a.png");
  write_png(image.flip({2}), folder / "tree" / "test/sad/b.png");
  const auto run = run_data({"audit", at("tree"), "--json", "--out", at("pairs.csv"), "--sheet", at("pairs.png")});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const json near = json::parse(run.out).at("near_duplicates");
  EXPECT_EQ(near.at("pairs").size(), 1u);
  EXPECT_EQ(near.at("mirrored"), 1);
  EXPECT_EQ(near.at("conflicting"), 1);
  EXPECT_EQ(near.at("leaks").at(0).at("into"), "Training");
  EXPECT_THAT(read_file(folder / "pairs.csv"),
              HasSubstr("mirrored,test/sad/b.png,PrivateTest,Sad,train/happy/a.png,Training,Happy,1.0000,0,0\n"));
  const torch::Tensor sheet = read_image(folder / "pairs.png", 1);
  EXPECT_TRUE(torch::equal(sheet[0].narrow(0, 10, 96).narrow(1, 10, 96),
                           enlarge_image(read_image(folder / "tree" / "test/sad/b.png", 1), 2)[0]));

  EXPECT_THAT(run_data({"audit", at("tree")}).out,
              testing::ContainsRegex("pairs of images +1\n.*of them mirrored +1\n"));
  EXPECT_TRUE(
      json::parse(run_data({"audit", at("tree"), "--json", "--near", "1"}).out).at("near_duplicates").is_null());
  const auto again = run_data({"audit", at("tree"), "--sheet", at("pairs.png")});
  EXPECT_EQ(again.exit_code, 2);
  EXPECT_THAT(again.err, HasSubstr("pairs.png is there already; --force replaces it"));
  EXPECT_THAT(run_data({"audit", at("tree"), "--sheet", at("b.png"), "--near", "1"}).err,
              HasSubstr("has nothing to show with --near 1"));
}

TEST_F(DataCommand, ConvertGoesRoundWithoutLoss) {
  ASSERT_EQ(run_data({"convert", source, at("faces.csv")}).exit_code, 0);
  ASSERT_EQ(run_data({"convert", at("faces.csv"), at("tree")}).exit_code, 0);
  const auto last = run_data({"convert", at("tree"), at("again"), "--format", "packed", "--json"});
  ASSERT_EQ(last.exit_code, 0) << last.err;
  const json stats = json::parse(run_data({"audit", at("again"), "--json"}).out);
  EXPECT_EQ(stats.at("n"), 21);
  EXPECT_EQ(stats.at("pixel_identical").at("leaks").at(0).at("other_label"), 1);
}

TEST_F(DataCommand, AuditDoesNotWriteOverItsSource) {
  write_dataset(read_dataset(source), folder / "faces.csv");
  const auto before = read_file(folder / "faces.csv");
  const auto run = run_data({"audit", at("faces.csv"), "--out", at("./faces.csv")});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.err, HasSubstr("would overwrite the input"));
  EXPECT_EQ(read_file(folder / "faces.csv"), before);
}

TEST_F(DataCommand, TheSheetOfAnAuditTakesNoOtherFilesPlace) {
  const auto before = read_file(source);
  const auto run = run_data({"audit", source, "--sheet", source, "--force"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.err, HasSubstr("--sheet " + source + ": would overwrite the input"));
  EXPECT_EQ(read_file(source), before);
  EXPECT_THAT(run_data({"audit", source, "--out", at("a.png"), "--sheet", at("./a.png")}).err,
              HasSubstr("is the file of --out too"));
}

TEST_F(DataCommand, DrawnFacesKeepTheSizeThatTheirSourceNames) {
  EXPECT_THAT(run_data({"convert", "synthetic:n=7,size=96", at("a.ferpack")}).out, HasSubstr("96x96 grey"));
  EXPECT_THAT(run_data({"convert", "synthetic:n=7,size=96", at("b.ferpack"), "--size", "64"}).out,
              HasSubstr("64x64 grey"));
}

TEST_F(DataCommand, ConvertTakesOneSplit) {
  const auto run = run_data({"convert", source, at("part.csv"), "--split", "validation"});
  EXPECT_THAT(run.out, HasSubstr("part.csv: 7 images, 48x48 grey, 0 left out"));
}

TEST_F(DataCommand, ConvertSaysWhatAFormatDoesNotKeep) {
  Dataset data = test::sample_dataset(7);
  data.votes = torch::full({7, 7}, 1.0F / 7);
  data.groups = {{"site", std::vector<std::string>(7, "north")}};
  write_dataset(data, folder / "voted.ferpack");
  const auto said = [&](const std::string& name) {
    return test::run_in_process({"data", "convert", at("voted.ferpack"), at(name)}).err;
  };
  EXPECT_THAT(said("a.csv"), HasSubstr("a.csv: the images' shares of votes and groups are not in it; a packed file"));
  EXPECT_THAT(said("tree"), HasSubstr("tree: the images' shares of votes are not in it"));
  EXPECT_THAT(said("b.ferpack"), ::testing::Not(HasSubstr("not in it")));
}

TEST_F(DataCommand, ConvertSaysHowClassesThatAreCalledByNumbersAreRead) {
  Dataset data = test::sample_dataset(4);
  data.classes = LabelSet({"0", "1"});
  data.labels = torch::tensor({0, 1, 0, 1}, torch::kInt64);
  write_dataset(data, folder / "own.ferpack");
  for (const char* name : {"own.csv", "tree", "again.ferpack"}) {
    const auto run = test::run_in_process({"data", "convert", at("own.ferpack"), at(name)});
    EXPECT_EQ(run.exit_code, 0) << run.err;
    const bool said = run.err.find("classes called 0, 1 are read as the numbers of emotions") != std::string::npos;
    EXPECT_EQ(said, std::string(name) != "again.ferpack") << name << run.err;
    ReadOptions options;
    options.classes.as_found = true;
    EXPECT_THAT(read_dataset(at(name), options).classes.names(), ::testing::ElementsAre("0", "1")) << name;
  }
}

TEST_F(DataCommand, ConvertDoesNotOverwriteUnlessForced) {
  write_file(folder / "faces.csv", "precious");
  const auto refused = run_data({"convert", source, at("faces.csv")});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("faces.csv exists already; --force replaces it"));
  EXPECT_EQ(read_file(folder / "faces.csv"), "precious");
  EXPECT_EQ(run_data({"convert", source, at("faces.csv"), "--force"}).exit_code, 0);
  EXPECT_THAT(read_file(folder / "faces.csv"), StartsWith("emotion,pixels,Usage\n0,"));
}

TEST_F(DataCommand, ConvertReplacesNoFolderThatHoldsItsSource) {
  ASSERT_EQ(run_data({"convert", source, at("all")}).exit_code, 0);
  const auto run = run_data({"convert", at("all/Training"), at("all"), "--force"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.err, HasSubstr("all is not replaced, because the source"));
  EXPECT_TRUE(std::filesystem::exists(folder / "all" / "PublicTest"));
}

TEST_F(DataCommand, BadRowEndsWithFileAndLine) {
  write_file(folder / "bad.csv", "emotion,pixels\n3,1 2 3 4\n3,1 2 3\n");
  const auto run = run_fercli({"data", "audit", at("bad.csv")});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.err, HasSubstr("bad.csv:3: has 3 pixels, which is no square image"));
  EXPECT_EQ(run.out, "");
}

TEST_F(DataCommand, SkippingBadRowsCountsThem) {
  write_file(folder / "bad.csv", "emotion,pixels\n3,1 2 3 4\n3,1 2 3\n");
  const auto run = run_data({"audit", at("bad.csv"), "--skip-bad", "--size", "8"});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.out, HasSubstr("1 bad entries left out"));
}

TEST_F(DataCommand, LabelOptionSaysWhatNumbersMean) {
  write_file(folder / "raf.csv", "emotion,pixels\n4,1 2 3 4\n");
  for (const char* option : {"--data-labels", "--labels"}) {
    const auto run = run_data({"stats", at("raf.csv"), option, "raf-db", "--json"});
    EXPECT_EQ(json::parse(run.out).at("classes").at(3).at("total"), 1) << option;
  }
  EXPECT_THAT(run_data({"stats", at("raf.csv"), "--labels", "raf-db", "--data-labels", "raf-db"}).err,
              HasSubstr("give one of them"));
}

TEST_F(DataCommand, ALabelOrderMayBeAffectNetsOrAList) {
  write_file(folder / "numbers.csv", "emotion,pixels\n0,1 2 3 4\n1,1 2 3 4\n");
  const std::map<std::string, std::pair<size_t, std::string>> expected{
      {"affectnet", {7, "Angry"}}, {"affectnet8", {8, "Neutral"}}, {"Neutral,Joie,Contempt", {3, "Neutral"}}};
  for (const auto& [order, classes] : expected) {
    const json found = json::parse(run_data({"stats", at("numbers.csv"), "--data-labels", order, "--json"}).out);
    EXPECT_EQ(found.at("classes").size(), classes.first) << order;
    EXPECT_EQ(found.at("classes").at(0).at("name"), classes.second) << order;
    for (const auto& each : found.at("classes")) {
      const bool holds_one = each.at("name") == "Neutral" || each.at("name") == "Happy";
      EXPECT_EQ(each.at("total"), holds_one ? 1 : 0) << order << each.at("name");
    }
  }
}

TEST_F(DataCommand, ClassesAreRenamedJoinedAndDropped) {
  const auto stats = [&](const std::string& map) {
    json counts;
    const json found = json::parse(run_data({"stats", source, "--map", map, "--json"}).out);
    for (const auto& each : found.at("classes")) counts[each.at("name").get<std::string>()] = each.at("total");
    return counts;
  };
  EXPECT_EQ(stats("happy=smiling,*=not smiling"), json({{"smiling", 3}, {"not smiling", 18}}));
  EXPECT_EQ(stats("fear=drop,disgust=anger").value("Angry", 0), 6);
  EXPECT_FALSE(stats("fear=drop").contains("Fear"));
  EXPECT_THAT(run_data({"stats", source, "--map", "Hapy=Happy"}).err,
              HasSubstr("has no images of class 'Hapy'; did you mean Happy?"));
  EXPECT_THAT(run_data({"stats", source, "--map", "happy"}).err, HasSubstr("must be NAME=CLASS or NAME=drop"));
  EXPECT_THAT(run_data({"stats", source, "--map", "joy=Sad,happy=Fear"}).err, HasSubstr("names happy twice"));
}

TEST_F(DataCommand, TheFirstImagesSizeAndColoursAreKept) {
  write_png(test::sample_dataset(1, 3, 60).images[0], folder / "colour" / "happy" / "1.png");
  const json kept = json::parse(run_data({"stats", at("colour"), "--as-stored", "--json"}).out);
  EXPECT_EQ(kept.at("image_size"), 60);
  EXPECT_EQ(kept.at("channels"), 3);
  EXPECT_THAT(run_data({"stats", at("colour"), "--as-stored", "--size", "48"}).err,
              HasSubstr("does not go with --as-stored"));
}

TEST_F(DataCommand, OwnClassesGoThroughEveryFormat) {
  write_png(test::sample_dataset(1).images[0], folder / "own" / "pain" / "1.png");
  write_png(test::sample_dataset(2).images[1], folder / "own" / "no pain" / "1.png");
  for (const char* name : {"own.csv", "own.ferpack", "copied"}) {
    ASSERT_EQ(run_data({"convert", at("own"), at(name), "--classes", "folder"}).exit_code, 0) << name;
    const auto run = run_data({"stats", at(name), "--classes", "folder", "--json"});
    const json classes = json::parse(run.out).at("classes");
    ASSERT_EQ(classes.size(), 2u) << name;
    EXPECT_EQ(classes.at(1).at("name"), "pain") << name;
    EXPECT_EQ(classes.at(1).at("total"), 1) << name;
  }
}

TEST_F(DataCommand, ALabelOrderThatChangesNothingIsRefused) {
  write_file(folder / "names.csv", "emotion,pixels\nhappy,1 2 3 4\n");
  write_png(test::sample_dataset(1).images[0], folder / "named" / "happy" / "1.png");
  for (const auto& place : {at("names.csv"), at("named"), source, std::string("synthetic:n=7")}) {
    const auto run = run_data({"stats", place, "--data-labels", "raf-db"});
    EXPECT_EQ(run.exit_code, 2) << place;
    EXPECT_THAT(run.err, HasSubstr("so an order of label numbers (--data-labels) changes nothing; leave it out"));
  }
}

TEST_F(DataCommand, NumberedFoldersTakeTheOrderThatIsGiven) {
  write_png(test::sample_dataset(1).images[0], folder / "numbered" / "1" / "1.png");
  const auto run = run_data({"stats", at("numbered"), "--data-labels", "affectnet", "--json"});
  EXPECT_EQ(json::parse(run.out).at("classes").at(3).at("total"), 1);
}

TEST_F(DataCommand, QuietPrintsOneLine) {
  for (const char* what : {"stats", "audit"}) {
    const auto run = run_data({what, source, "-q"});
    EXPECT_EQ(std::count(run.out.begin(), run.out.end(), '\n'), 1) << what;
    EXPECT_THAT(run.out, HasSubstr("faces.ferpack: 21 images")) << what;
  }
}

TEST_F(DataCommand, TablesComeAsCsvToo) {
  EXPECT_THAT(run_data({"stats", source, "--format", "csv"}).out, HasSubstr(",Happy,Training,1,,,\n"));
  EXPECT_THAT(run_data({"audit", source, "--format", "csv"}).out,
              HasSubstr("Pixel-identical images,redundant copies,number,1,,,\n"));
  EXPECT_THAT(run_data({"stats", source, "--format", "csv", "--json"}).err, HasSubstr("does not go with --json"));
}

TEST_F(DataCommand, UnknownSubcommandGetsASuggestion) {
  const auto run = run_data({"stat", source});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_EQ(run.err, "fercli data: unknown subcommand 'stat'; did you mean stats? (known: stats, audit, convert)");
  EXPECT_EQ(run_data({}).err, "fercli data: needs a subcommand (stats, audit, convert)");
}

TEST_F(DataCommand, MissingSplitSaysWhichThereAre) {
  write_file(folder / "one.csv", "pixels\n1 2 3 4\n");
  const auto run = run_data({"audit", at("one.csv"), "--split", "train"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.err, HasSubstr("has no images of split Training (it has 1 images without a split)"));
}

}  // namespace
}  // namespace fercli
