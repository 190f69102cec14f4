#include "core/output_part.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <set>
#include <string>

#include "core/files.hpp"
#include "core/output_lock.hpp"
#include "tests/cli/run_program.hpp"

namespace fercli::test {

namespace {

namespace fs = std::filesystem;

std::set<std::string> all_in(const ScratchFolder& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder.path())) names.insert(entry.path().filename().string());
  return names;
}

TEST(OutputParts, AreSweptWhenTheirLockIsFreeWhateverTheirNumberSays) {
  const ScratchFolder scratch;
  for (const int64_t number : {int64_t{getpid()}, int64_t{1}, int64_t{999999999}}) {
    const std::string mark = "." + std::to_string(number) + ".part";
    std::ofstream(scratch / (".table" + mark + ".csv")) << "lines";
    fs::create_directories(scratch / (".results" + mark) / "adversarial");
    std::ofstream(scratch / (".fercli" + mark + ".lock"));  // of a killed run: the kernel holds it no more
  }
  std::ofstream(scratch / ".table.5.part.csv") << "lines";  // without a lock file
  fs::create_directories(scratch / ".set.6.part.old");
  std::ofstream(scratch / "film.7.part.avi") << "somebody's";
  sweep_parts(scratch.path());
  EXPECT_EQ(all_in(scratch), (std::set<std::string>{".set.6.part.old", "film.7.part.avi"}));
}

TEST(OutputParts, ThatAreVideosOfKilledRunsAreKeptUnderNamesThatAreFree) {
  const ScratchFolder scratch;
  write_file(scratch / "film.unfinished.avi", "mine");
  std::ofstream(scratch / ".film.5.part.avi") << "frames";
  std::ofstream(scratch / ".film.6.part.mp4") << "others";
  std::ofstream(scratch / ".film.7.part.avi");  // nothing was recorded
  testing::internal::CaptureStderr();
  sweep_parts(scratch.path());
  EXPECT_NE(
      testing::internal::GetCapturedStderr().find("film.unfinished2.avi: what a run that was killed had recorded"),
      std::string::npos);
  EXPECT_EQ(all_in(scratch),
            (std::set<std::string>{"film.unfinished.avi", "film.unfinished.mp4", "film.unfinished2.avi"}));
  EXPECT_EQ(read_file(scratch / "film.unfinished.avi"), "mine");
  EXPECT_EQ(read_file(scratch / "film.unfinished2.avi"), "frames");
}

TEST(OutputParts, OfKeptResultsLeaveWhatIsCompleteAndVideos) {
  const ScratchFolder scratch;
  const fs::path work = scratch / ".results.5.part.kept";
  fs::create_directories(work);
  for (const char* name : {"one.png", ".two.6.part.png", ".film.7.part.avi"}) std::ofstream(work / name) << "content";
  fs::create_directories(scratch / ".results.8.part.kept");  // of a run that had nothing yet
  testing::internal::CaptureStderr();
  sweep_parts(scratch.path());
  EXPECT_NE(testing::internal::GetCapturedStderr().find("unfinished: what a run that was killed had completed"),
            std::string::npos);
  EXPECT_EQ(all_in(scratch), (std::set<std::string>{"unfinished"}));
  std::set<std::string> kept;
  for (const auto& entry : fs::directory_iterator(scratch / "unfinished"))
    kept.insert(entry.path().filename().string());
  EXPECT_EQ(kept, (std::set<std::string>{"film.unfinished.avi", "one.png"}));
}

TEST(OutputParts, StayWhileTheirWriterHoldsTheirLock) {
  const ScratchFolder scratch;
  const OutputPart file(scratch / "film.avi"), same(scratch / "film.avi"), folder(scratch / "results");
  EXPECT_NE(file.path().string(), same.path().string());
  EXPECT_EQ(file.path().extension().string(), ".avi");
  std::ofstream(file.path()) << "frames";
  fs::create_directories(folder.path());
  write_file(folder.path() / "result.json", "{}");
  const auto before = all_in(scratch);
  EXPECT_EQ(before.size(), 5u);  // a file, a folder, three locks
  sweep_parts(scratch.path());
  EXPECT_EQ(all_in(scratch), before);
  EXPECT_EQ(read_file(folder.path() / "result.json"), "{}");
}

TEST(OutputParts, LeaveNothingButWhatIsPutInPlace) {
  const ScratchFolder scratch;
  {
    const OutputPart kept(scratch / "film.avi"), dropped(scratch / "other.avi");
    for (const auto& part : {kept.path(), dropped.path()}) std::ofstream(part) << "frames";
    kept.put_in_place();
  }
  EXPECT_EQ(all_in(scratch), (std::set<std::string>{"film.avi"}));
}

TEST(OutputParts, TakeANameAsLongAsAFileCanHave) {
  const ScratchFolder scratch;
  std::string accents;
  for (int i = 0; i < 120; ++i) accents += "\u00e9";
  for (const auto& name : {std::string(251, 'n') + ".png", "n" + accents + ".ferpack", "n." + std::string(253, 'x')}) {
    const fs::path place = scratch / name;
    {
      const OutputLock lock = OutputLock::of_file(place);
      const OutputPart part(place);
      EXPECT_EQ(part.path().extension().string(), name[1] == '.' ? ".part" : place.extension().string());
      EXPECT_NE(final_name(part.path()), part.path());
      std::ofstream(part.path()) << "content";
      const auto before = all_in(scratch);
      sweep_parts(scratch.path());
      EXPECT_EQ(all_in(scratch), before);
      part.put_in_place();
    }
    EXPECT_EQ(read_file(place), "content");
    fs::remove(place);
    EXPECT_EQ(all_in(scratch), std::set<std::string>());
  }
}

TEST(OutputParts, AreShownByTheNamesThatTheyWillHave) {
  EXPECT_EQ(final_name("out/.results.41.part/adversarial/.a.b.42.part.png").string(), "out/adversarial/a.b.png");
  EXPECT_EQ(final_name("out/.results.41.part.kept/.a.42.part.avi").string(), "out/a.avi");
  EXPECT_EQ(final_name("/data/.set.43.part/train").string(), "/data/set/train");
  EXPECT_EQ(final_name("out/film.7.part.avi").string(), "out/film.7.part.avi");
}

}  // namespace

}  // namespace fercli::test
