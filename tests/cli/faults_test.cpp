// What a full disk, a second writer, a killed run, a pipe in place of a file or a closed terminal do to a run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "core/files.hpp"
#include "core/output_folder.hpp"
#include "core/output_lock.hpp"
#include "core/output_part.hpp"
#include "data/image.hpp"
#include "tests/cli/surroundings.hpp"
#include "tests/cli/tiny_network.hpp"
#include "tests/data/sample_data.hpp"
#include "tests/user_error.hpp"

namespace fercli::test {

namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr const char* kFaultFaces = "synthetic:n=14,seed=3";

std::string quoted_word(const std::string& word) {
  return "'" + word + "'";  // no test has a quote in its words
}

Surroundings with_files_up_to(int64_t bytes) {
  return {"", "", std::to_string(bytes)};
}

class Faults : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    shared_ = new ScratchFolder;
    save_tiny_network(model(), 3, 400);
    write_png(sample_dataset(1).images[0], *shared_ / "face.png");
  }
  static void TearDownTestSuite() { delete shared_; }

  static fs::path model() { return *shared_ / "model.pt"; }
  static std::string face() { return (*shared_ / "face.png").string(); }

  static std::vector<std::string> eval_words(std::vector<std::string> more) {
    more.insert(more.begin(), {"eval", "-m", model().string(), "-d", kFaultFaces, "--split", "all", "--threads", "1"});
    return more;
  }

  std::string place(const std::string& name) const { return (scratch_ / name).string(); }

  /// Names in a folder, hidden ones too, sorted.
  std::vector<std::string> names_in(const std::string& name) const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(scratch_ / name)) names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }

  static ScratchFolder* shared_;
  ScratchFolder scratch_;
};

ScratchFolder* Faults::shared_ = nullptr;

// ---- full disks -----------------------------------------------------------------------------------------------------

TEST_F(Faults, EveryCommandThatPrintsOnAFullDiskExitsWithOneAndSaysSo) {
  const std::vector<std::vector<std::string>> commands{{"--help"},
                                                       {"--version"},
                                                       {"attacks"},
                                                       {"data", "stats", kFaultFaces},
                                                       {"data", "audit", kFaultFaces, "--json"},
                                                       {"summary", "--arch", "small-cnn"},
                                                       {"predict", "-m", model().string(), face()},
                                                       {"predict", "-m", model().string(), face(), "--csv"},
                                                       eval_words({"--json"}),
                                                       eval_words({})};
  for (const auto& words : commands) {
    const auto result = run_fercli({"/dev/full", "", ""}, words);
    EXPECT_EQ(result.exit_code, 1) << words[0];
    EXPECT_THAT(result.err, HasSubstr("standard output: cannot be written (No space left on device)")) << words[0];
  }
}

TEST_F(Faults, NoMoreIsReadOnceNobodyTakesWhatIsPrinted) {
  fs::create_directories(scratch_ / "in");
  for (int i = 0; i < 70; ++i) fs::copy_file(face(), scratch_ / "in" / (std::to_string(i) + ".png"));
  write_file(scratch_ / "in" / "last.png", "this is no image");
  const auto result = run_fercli({"/dev/full", "", ""}, {"predict", "-m", model().string(), place("in"), "--csv"});
  EXPECT_EQ(result.exit_code, 1) << result.err;
  EXPECT_THAT(result.err, HasSubstr("standard output: cannot be written (No space left on device)"));
  EXPECT_THAT(result.err, testing::Not(HasSubstr("last.png")));
}

TEST_F(Faults, WarningsThatCannotBeWrittenEndNoRun) {
  EXPECT_EQ(run_fercli({"", "/dev/full", ""}, {"data", "stats", kFaultFaces}).exit_code, 0);
}

TEST_F(Faults, AFileThatGrowsOverItsLimitExitsWithOneAndIsNotLeftHalfWritten) {
  for (const char* name : {"set.csv", "set.ferpack", "set"}) {
    const auto result = run_fercli(with_files_up_to(512), {"data", "convert", kFaultFaces, place(name)});
    EXPECT_EQ(result.exit_code, 1) << name << ": " << result.err;
    EXPECT_THAT(result.err, HasSubstr("cannot be written (File too large)")) << name;
    EXPECT_THAT(names_in(""), testing::IsEmpty()) << name;
  }
}

TEST_F(Faults, AnEvaluationThatCannotBeWrittenLeavesTheEarlierOne) {
  ASSERT_EQ(run_fercli(eval_words({"-q", "--out", place("out")})).exit_code, 0);
  const auto names = names_in("out");
  const std::string before = read_file(scratch_ / "out" / "result.json");
  const auto result = run_fercli(with_files_up_to(2048), eval_words({"-q", "--limit", "7", "--out", place("out")}));
  EXPECT_EQ(result.exit_code, 1) << result.err;
  EXPECT_EQ(names_in("out"), names);
  EXPECT_EQ(read_file(scratch_ / "out" / "result.json"), before);
}

TEST_F(Faults, ARecordingThatIsLostExitsWithOneAndSaysHowMuch) {
  for (const char* name : {"film.avi", "film.mp4"}) {
    const auto result = run_fercli(with_files_up_to(4096),
                                   {"live", "-m", model().string(), "--no-window", "--threads", "1", "--source",
                                    "synthetic:faces=1,fps=10,size=320x240,seconds=3", "--record", place(name)});
    EXPECT_EQ(result.exit_code, 1) << name << ": " << result.err;
    EXPECT_THAT(result.err, HasSubstr("lost")) << name;
    EXPECT_THAT(result.err, HasSubstr(name));
  }
}

TEST_F(Faults, ALogThatCannotGrowEndsTheSessionWithOne) {
  for (const std::string kind : {"csv", "jsonl"}) {
    const auto result = run_fercli(
        with_files_up_to(1024), {"live", "-m", model().string(), "--no-window", "--threads", "1", "--source",
                                 "synthetic:faces=1,fps=10,size=320x240,seconds=3", "--" + kind, place("log." + kind)});
    EXPECT_EQ(result.exit_code, 1) << kind << ": " << result.err;
    EXPECT_THAT(result.err, HasSubstr("log." + kind + ": cannot be written (File too large)")) << kind;
  }
}

TEST_F(Faults, AnEvaluationListsOnlyPicturesThatWereDrawn) {
  std::string line = "PATH=/nowhere " + quoted_word(FERCLI_PROGRAM);  // no gnuplot there
  for (const auto& word : eval_words({"--out", place("out")})) line += " " + quoted_word(word);
  const auto run = run_program("/bin/sh", {"-c", line});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.err, HasSubstr("confusion_matrix.png is not drawn"));
  EXPECT_THAT(run.err, HasSubstr("written to " + place("out") + ": result.json, per_image.csv\n"));
}

TEST_F(Faults, AReaderThatGoesAwayCostsNoResult) {
  std::string line = quoted_word(FERCLI_PROGRAM);
  for (const auto& word : eval_words({"--out", place("out")})) line += " " + quoted_word(word);
  const auto run = run_program("/bin/sh", {"-c", line + " 2>&1 | true"});
  EXPECT_EQ(run.err, "");
  EXPECT_THAT(names_in("out"), testing::Contains("result.json"));
}

// ---- two writers, killed runs ---------------------------------------------------------------------------------------

TEST_F(Faults, ASecondWriterIsRefusedWhateverItsCommand) {
  const OutputLock other = OutputLock::of_folder(scratch_ / "out");
  const OutputLock other_file = OutputLock::of_file(scratch_ / "net.onnx");
  const std::string out = place("out"), net = model().string();
  const std::vector<std::vector<std::string>> commands{
      {"train", "-d", kFaultFaces, "--arch", "small-cnn", "-e", "1", "--out", out},
      eval_words({"--out", out}),
      {"attack", "untargeted", "-m", net, "--out", out},
      {"report", "-m", net, "-d", kFaultFaces, "--parts", "clean", "--out", out},
      {"predict", "-m", net, face(), "--annotate", out},
      {"export", "-m", net, "--out", place("net.onnx")},
      {"import", net, "--out", place("net.onnx")},
      {"calibrate", "-m", net, "-d", kFaultFaces, "--out", place("net.onnx")},
      {"compare", "a.json", "b.json", "--out", place("net.onnx")},
      {"summary", "--arch", "small-cnn", "--out", out},
      {"data", "audit", kFaultFaces, "--out", place("net.onnx")},
      eval_words({"--attacks", "fgsm", "--save-adv", place("net.onnx")}),
      {"data", "convert", kFaultFaces, place("net.onnx"), "--format", "csv"}};
  for (const auto& words : commands) {
    const auto result = run_fercli(words);
    EXPECT_EQ(result.exit_code, 2) << words[0] << result.err;
    EXPECT_THAT(result.err, HasSubstr(fmt::format("another fercli (process {} on ", getpid()))) << words[0];
  }
}

TEST_F(Faults, ALockLeftBehindByADeadProcessIsNoneAtAll) {
  fs::create_directories(scratch_ / "out");
  write_file(scratch_ / "out" / ".fercli.lock", "999999999 elsewhere\n");
  EXPECT_EQ(run_fercli(eval_words({"-q", "--out", place("out")})).exit_code, 0);
  EXPECT_FALSE(fs::exists(scratch_ / "out" / ".fercli.lock"));
}

TEST_F(Faults, WhatAKilledRunLeftIsSweptAndWhatALivingOneWritesStays) {
  fs::create_directories(scratch_ / "out" / ".results.999999999.part");
  write_file(scratch_ / "out" / ".result.999999999.part.json", "{");
  const OutputPart film(scratch_ / "out" / "film.mp4");
  std::ofstream(film.path()) << "frames";
  ASSERT_EQ(run_fercli(eval_words({"-q", "--out", place("out")})).exit_code, 0);
  EXPECT_THAT(names_in("out"),
              testing::ElementsAre(testing::EndsWith(".part.lock"), ".fercli.json", film.path().filename().string(),
                                   "confusion_matrix.png", "per_image.csv", "reliability.png", "result.json"));
}

TEST_F(Faults, PicturesOfAnEarlierAttackMakeRoomAndOtherFilesStay) {
  const auto attack = [&](const std::string& faces) {
    return run_fercli({"attack", "untargeted", "-m", model().string(), "-d", faces, "--split", "all",
                       "--min-confidence", "0", "--attack", "fgsm", "--save-png", "all", "--threads", "1", "-q",
                       "--out", place("out")});
  };
  const auto first = attack("synthetic:n=14,seed=3");
  ASSERT_LE(first.exit_code, 1) << first.err;
  write_file(scratch_ / "out" / "notes.txt", "mine");
  write_file(scratch_ / "out" / "adversarial" / "mine.png", "mine");
  const auto before = read_file(scratch_ / "out" / "result.json");
  const auto second = attack("synthetic:n=7,seed=8");
  ASSERT_LE(second.exit_code, 1) << second.err;
  ASSERT_NE(read_file(scratch_ / "out" / "result.json"), before);
  const auto result = nlohmann::json::parse(read_file(scratch_ / "out" / "result.json"));
  std::set<std::string> expected{place("out/adversarial/mine.png")}, found;
  for (const auto& image : result.at("per_image")) expected.insert(image.at("file").get<std::string>());
  for (const auto& entry : fs::recursive_directory_iterator(scratch_ / "out" / "adversarial")) {
    if (entry.is_regular_file()) found.insert(entry.path().string());
  }
  EXPECT_EQ(found, expected);
  EXPECT_EQ(read_file(scratch_ / "out" / "notes.txt"), "mine");
}

TEST_F(Faults, TheResultsOfAnotherCommandAreNotTouched) {
  ASSERT_EQ(run_fercli(eval_words({"-q", "--out", place("out")})).exit_code, 0);
  const auto result = run_fercli({"report", "-m", model().string(), "-d", kFaultFaces, "--out", place("out")});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("holds results of fercli eval; choose another folder"));
}

TEST_F(Faults, AFileThatIsThereIsReplacedOnlyWithForce) {
  const std::string net = model().string(), out = place("file.avi");
  const std::vector<std::string> live{"live", "--no-window", "-m", net, "--source", "synthetic"};
  const auto live_with = [&](const char* option) {
    auto words = live;
    words.insert(words.end(), {option, out});
    return words;
  };
  const std::vector<std::vector<std::string>> commands{{"export", "-m", net, "--out", out},
                                                       {"import", net, "--out", out},
                                                       {"calibrate", "-m", net, "-d", kFaultFaces, "--out", out},
                                                       {"compare", "a.json", "b.json", "--out", out},
                                                       {"data", "audit", kFaultFaces, "--out", out},
                                                       {"data", "convert", kFaultFaces, out, "--format", "csv"},
                                                       live_with("--record"),
                                                       live_with("--record-annotated"),
                                                       live_with("--csv"),
                                                       live_with("--jsonl")};
  write_file(out, "mine");
  for (const auto& words : commands) {
    const auto result = run_in_process(words);
    EXPECT_EQ(result.exit_code, 2) << words[0] << " " << words[1] << ": " << result.err;
    EXPECT_THAT(result.err, HasSubstr("already; --force replaces it")) << words[0] << " " << words[1];
    EXPECT_EQ(read_file(out), "mine") << words[0] << " " << words[1];
  }
  EXPECT_EQ(run_in_process({"export", "-m", net, "--out", out, "--force"}).exit_code, 0);
  EXPECT_NE(read_file(out), "mine");
}

TEST_F(Faults, NoCommandReplacesWhatItReads) {
  const std::string input = place("input.md"), link = place("link.md"), net = place("net.json");
  write_file(input, "mine");
  fs::create_symlink(input, link);
  fs::copy_file(model(), net);
  const std::vector<std::pair<std::string, std::vector<std::string>>> commands{
      {input, {"compare", input, "b.json", "--out", link}},
      {input, {"leaderboard", input, "--out", place("./input.md")}},
      {input, {"data", "convert", input, link, "--format", "csv"}},
      {input, {"data", "convert", kFaultFaces, link, "--format", "csv", "--votes", input}},
      {input, {"data", "audit", kFaultFaces, "--votes", input, "--out", link}},
      {input, {"calibrate", "-m", net, "-d", input, "--out", link}},
      {net, {"calibrate", "-m", net, "-d", kFaultFaces, "--split", "all", "--out", place("net.pt")}},
      {net, {"import", net, "--out", place("./net.json")}},
      {net, {"export", "-m", net, "--out", net}}};
  for (auto [file, words] : commands) {
    words.emplace_back("--force");
    const auto before = read_file(file);
    const auto result = run_in_process(words);
    EXPECT_EQ(result.exit_code, 2) << words[0] << ": " << result.err;
    EXPECT_THAT(result.err, HasSubstr("would overwrite the input " + file)) << words[0];
    EXPECT_EQ(read_file(file), before) << words[0];
  }
}

TEST_F(Faults, TheCardOfACalibratedNetworkReplacesNothingUnasked) {
  write_file(place("net.json"), "mine");
  const auto result = run_in_process(
      {"calibrate", "-m", model().string(), "-d", kFaultFaces, "--split", "all", "--out", place("net.pt")});
  EXPECT_EQ(result.exit_code, 2) << result.err;
  EXPECT_THAT(result.err, HasSubstr("net.json is there already; --force replaces it"));
}

TEST_F(Faults, ADeviceTakesWhatItIsGiven) {
  EXPECT_EQ(run_in_process({"export", "-m", model().string(), "--out", "/dev/null"}).exit_code, 0);
  EXPECT_EQ(run_in_process({"data", "convert", kFaultFaces, "/dev/null", "--format", "csv"}).exit_code, 0);
}

TEST_F(Faults, SavedAdversarialImagesTakeThePlaceOfEarlierOnesAlone) {
  write_file(place("thesis.ferpack"), "mine");
  auto result = run_in_process(eval_words({"--attacks", "fgsm", "--save-adv", place("thesis.ferpack")}));
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("is there already, and holds no adversarial images; choose another name"));
  EXPECT_EQ(read_file(place("thesis.ferpack")), "mine");
  for (int time = 0; time < 2; ++time) {
    result = run_in_process(eval_words({"-q", "--attacks", "fgsm", "--save-adv", place("worst.ferpack")}));
    EXPECT_EQ(result.exit_code, 0) << result.err;
  }
  const std::string worst = place("worst.ferpack");
  result = run_in_process({"eval", "-m", model().string(), "-d", worst, "--attacks", "fgsm", "--save-adv", worst});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("would overwrite the input"));
}

TEST_F(Faults, ARecordingOfAnotherKindIsRefusedBeforeTheVideoIsOpened) {
  const auto result = run_in_process(
      {"live", "--no-window", "-m", model().string(), "--source", "nothing.mp4", "--record", place("film.gif")});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("film.gif: a recording must be named .mp4 or .avi"));
}

TEST(OutputFolders, GiveUpWhatWasNotCompletedAndAreRemovedWhenTheyWereMadeForIt) {
  const ScratchFolder scratch;
  {
    const OutputFolder folder(scratch / "out", "eval");
    write_file(folder.work() / "result.json", "{}");
  }
  EXPECT_FALSE(fs::exists(scratch / "out"));
}

TEST(OutputFolders, RemoveNothingThatADamagedListNamesOutsideThem) {
  const ScratchFolder scratch;
  write_file(scratch / "precious.txt", "mine");
  write_file(scratch / "out" / ".fercli.json", R"({"command": "eval", "files": ["../precious.txt", "/etc/nothing"]})");
  OutputFolder folder(scratch / "out", "eval");
  write_file(folder.work() / "result.json", "{}");
  folder.complete();
  EXPECT_EQ(read_file(scratch / "precious.txt"), "mine");
}

TEST(OutputFolders, FollowNoLinksOutOfThem) {
  const ScratchFolder scratch;
  write_file(scratch / "elsewhere" / "precious.txt", "mine");
  write_file(scratch / "out" / ".fercli.json", R"({"command": "eval", "files": ["link/precious.txt"]})");
  fs::create_directory_symlink("../elsewhere", scratch / "out" / "link");
  {
    OutputFolder folder(scratch / "out", "eval");
    write_file(folder.work() / "result.json", "{}");
    folder.complete();
  }
  EXPECT_EQ(read_file(scratch / "elsewhere" / "precious.txt"), "mine");
  OutputFolder folder(scratch / "out", "eval");
  write_file(folder.work() / "link" / "precious.txt", "new");
  EXPECT_THAT(message_of([&] { folder.complete(); }), HasSubstr("link: is a link, where a folder of results goes"));
  EXPECT_EQ(read_file(scratch / "elsewhere" / "precious.txt"), "mine");
  EXPECT_EQ(read_file(scratch / "out" / "unfinished" / "link" / "precious.txt"), "new");
}

TEST(OutputFolders, TakeNoPartOfAKilledMemberForAResult) {
  const ScratchFolder scratch;
  {
    OutputFolder folder(scratch / "out", "predict");
    write_file(folder.work() / "film.mp4", "frames");
    std::ofstream(folder.work() / ".film.5.part.mp4") << "frames";
    folder.complete();
  }
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(scratch / "out")) names.insert(entry.path().filename().string());
  EXPECT_EQ(names, (std::set<std::string>{".fercli.json", "film.mp4"}));
}

TEST(OutputFolders, KeepWhatIsDoneOfARunThatEndsEarlyBesideEarlierResults) {
  const ScratchFolder scratch;
  for (const fs::path& place : {scratch / "out", scratch / "out" / "unfinished"}) {
    OutputFolder folder(scratch / "out", "predict");
    write_file(folder.work() / "one.png", place.string());
    const auto kept = folder.keep();
    EXPECT_EQ(kept.files, 1);
    EXPECT_EQ(kept.folder.string(), place.string());
    EXPECT_EQ(read_file(place / "one.png"), place.string());
  }
  EXPECT_EQ(read_file(scratch / "out" / "one.png"), (scratch / "out").string());
  EXPECT_EQ(OutputFolder(scratch / "empty", "predict").keep().files, 0);
}

TEST(OutputFolders, KeepWhatAKilledRunHadDoneWhereEachFileIsGoodByItself) {
  using Leftovers = OutputFolder::Leftovers;
  const ScratchFolder scratch;
  for (const auto leftovers : {Leftovers::Swept, Leftovers::Kept}) {
    {
      OutputFolder folder(scratch / "out", "predict", leftovers);
      write_file(folder.work() / "one.png", "done");
      fs::rename(folder.work(), scratch / "out" / (".results.5.part" + folder.work().extension().string()));
    }
    const OutputFolder next(scratch / "out", "predict", leftovers);
    EXPECT_EQ(fs::exists(scratch / "out" / "unfinished" / "one.png"), leftovers == Leftovers::Kept);
    EXPECT_FALSE(fs::exists(scratch / "out" / ".results.5.part.part"));
  }
}

TEST(OutputFolders, KeepFinishedWorkThatCannotTakeItsPlace) {
  const ScratchFolder scratch;
  write_file(scratch / "out" / "result.json" / "mine.txt", "mine");  // a folder in the file's place
  for (const char* kept : {"unfinished", "unfinished2"}) {
    OutputFolder folder(scratch / "out", "eval");
    write_file(folder.work() / "result.json", "{}");
    EXPECT_THAT(message_of([&] { folder.complete(); }), testing::EndsWith((scratch / "out" / kept).string()));
  }
  EXPECT_EQ(read_file(scratch / "out" / "unfinished" / "result.json"), "{}");
}

// ---- signals --------------------------------------------------------------------------------------------------------

TEST_F(Faults, AClosedTerminalSavesTheTrainingAsSigtermDoes) {
  const auto state = scratch_ / "run" / "training.state";
  const auto result = run_fercli(
      {"train", "-d", "synthetic:n=70,seed=1", "--arch", "small-cnn", "-e", "500", "-b", "8", "--save-every", "0",
       "--threads", "1", "--out", place("run")},
      [&] { return fs::exists(state); }, SIGHUP);
  EXPECT_EQ(result.exit_code, 130) << result.err;
  EXPECT_THAT(result.err, HasSubstr("the state is saved"));
  EXPECT_FALSE(fs::exists(scratch_ / "run" / ".fercli.lock"));
}

TEST_F(Faults, CtrlCWhileAPageIsDrawnLeavesTheEarlierPage) {
  const std::string once = quoted_word(place("once"));
  write_file(scratch_ / "bin" / "gnuplot",
             "#!/bin/sh\n[ -e " + once + " ] || kill -INT $PPID\n: > " + once + "\necho picture\n");
  fs::permissions(scratch_ / "bin" / "gnuplot", fs::perms::owner_all);
  write_file(scratch_ / "talk.csv",
             "file,frame,time,face,emotion,confidence,p_Sad\na.mp4,0,0,1,Sad,0.9,0.9\na.mp4,1,1,1,Sad,0.9,0.9\n");
  write_file(scratch_ / "out" / "report.html", "earlier");
  const auto run = run_program(
      "/usr/bin/env", {"PATH=" + place("bin"), FERCLI_PROGRAM, "report", place("talk.csv"), "--out", place("out")});
  EXPECT_EQ(run.exit_code, 130) << run.err;
  EXPECT_EQ(read_file(scratch_ / "out" / "report.html"), "earlier");
}

TEST_F(Faults, NohupIsHeeded) {
  const std::string line = "trap '' HUP; " + quoted_word(FERCLI_PROGRAM) + " data stats " + quoted_word(kFaultFaces) +
                           " & kill -HUP $!; wait $!";
  const auto result = run_program("/bin/sh", {"-c", line});
  EXPECT_EQ(result.exit_code, 0) << result.err;
}

// ---- what is no file ------------------------------------------------------------------------------------------------

TEST_F(Faults, APipeInPlaceOfAFileIsRefusedAtOnceByEveryOption) {
  ASSERT_EQ(mkfifo(place("pipe.png").c_str(), 0600), 0);
  const std::string net = model().string(), pipe = place("pipe.png");
  const std::vector<std::vector<std::string>> commands{
      {"eval", "--config", pipe},
      {"eval", "-m", pipe, "-d", kFaultFaces},
      {"eval", "-m", net, "-d", pipe},
      {"data", "audit", pipe},
      {"attack", "untargeted", "-m", net, "--json", "--image", pipe},
      {"attack", "untargeted", "-m", net, "--json", "--image", face(), "--min-confidence", "0", "--mask", pipe},
      {"attack", "untargeted", "-m", net, "--json", "--surrogate", pipe},
      {"import", pipe, "--out", place("x.pt")},
      {"summary", "-m", pipe},
      {"frame", "untargeted", "-m", net, "--json", "--image", pipe},
      {"compare", pipe, pipe},
      {"report", pipe, "--out", place("report")},
      {"verify", pipe},
      {"train", "-d", kFaultFaces, "--arch", "small-cnn", "--weights", pipe, "--out", place("run")},
      {"live", "--no-window", "-m", net, "--source", pipe}};
  for (const auto& words : commands) {
    const auto result = run_in_process(words);
    EXPECT_EQ(result.exit_code, 2) << words[0] << " " << words[1] << ": " << result.err;
    EXPECT_THAT(result.err, HasSubstr("is a pipe, not a file")) << words[0] << " " << words[1];
  }
}

TEST_F(Faults, DevicesAndSocketsAreRefusedBehindLinksToo) {
  ASSERT_EQ(mkfifo(place("pipe").c_str(), 0600), 0);
  fs::create_symlink("/dev/zero", scratch_ / "zero.png");
  fs::create_symlink(place("pipe"), scratch_ / "link.png");
  for (const auto& [name, kind] :
       {std::pair{"zero.png", "is a device, not a file"}, {"link.png", "is a pipe, not a file"}}) {
    EXPECT_THAT(message_of([&] { read_file(scratch_ / name); }), HasSubstr(kind));
    EXPECT_THAT(run_fercli({"data", "stats", place(name)}).err, HasSubstr(kind));
    const auto predicted = run_fercli({"predict", "-m", model().string(), place(name)});
    EXPECT_EQ(predicted.exit_code, 2);
    EXPECT_THAT(predicted.err, HasSubstr(kind));
  }
}

TEST_F(Faults, APipeAmongThePicturesOfAFolderIsNamed) {
  write_png(sample_dataset(1).images[0], scratch_ / "set" / "happy" / "a.png");
  ASSERT_EQ(mkfifo((scratch_ / "set" / "happy" / "b.png").c_str(), 0600), 0);
  const auto result = run_fercli({"data", "stats", place("set")});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("b.png: is a pipe, not a file"));
  EXPECT_EQ(run_fercli({"data", "stats", place("set"), "--skip-bad"}).exit_code, 0);
}

}  // namespace

}  // namespace fercli::test
