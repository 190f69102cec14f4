#include <fmt/format.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "core/files.hpp"
#include "core/text.hpp"
#include "data/formats/reader.hpp"
#include "data/image.hpp"
#include "live/video/video_source.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/live/variable_rate_video.hpp"

namespace fercli::test {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kVideo = "synthetic:faces=2,fps=10,seconds=1";

class LiveCommand : public testing::Test {
 protected:
  static ProgramResult live(std::vector<std::string> words) {
    words.insert(words.begin(), {"live", "--no-window", "--threads", "1", "--precision", "fp32"});
    return run_in_process(words);
  }

  std::string out(const std::string& name) const { return (out_ / name).string(); }

  static std::vector<std::vector<std::string>> rows(const std::string& csv) {
    std::vector<std::vector<std::string>> table;
    std::istringstream lines(csv);
    for (std::string line; std::getline(lines, line);) {
      std::vector<std::string> row(1);
      for (const char letter : line) {
        if (letter == ',') {
          row.emplace_back();
        } else {
          row.back() += letter;
        }
      }
      table.push_back(row);
    }
    return table;
  }

  ScratchFolder out_;
};

TEST_F(LiveCommand, LinksAreFollowedByRecordingsAsByLogs) {
  for (const std::string name : {"film.avi", "log.csv"}) {
    write_file(out_ / "there" / name, "old");
    fs::create_symlink(out_ / "there" / name, out_ / name);
  }
  const auto result = live({"--source", "synthetic:faces=1,size=320x240,fps=5,seconds=1", "--record", out("film.avi"),
                            "--csv", out("log.csv"), "--force"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  for (const char* name : {"film.avi", "log.csv"}) EXPECT_TRUE(fs::is_symlink(out_ / name)) << name;
  EXPECT_EQ(open_video((out_ / "there" / "film.avi").string())->length(), 5);
  EXPECT_EQ(rows(read_file(out_ / "there" / "log.csv")).size(), 6u);
  fs::create_symlink(out_ / "there" / "log.csv", out_ / "link.avi");
  EXPECT_EQ(live({"--source", kVideo, "--record", out("link.avi"), "--force"}).exit_code, 2) << "it is no recording's";
}

TEST_F(LiveCommand, ALogWhoseFolderIsRemovedMeanwhileIsALoss) {
  for (const std::string kind : {"csv", "jsonl"}) {
    const fs::path log = out_ / "gone" / ("log." + kind);
    const auto written = [&] {
      std::error_code error;
      if (!fs::exists(log, error) || fs::file_size(log, error) == 0) return false;
      fs::remove_all(log.parent_path(), error);
      return true;
    };
    constexpr int kInterrupt = 2;
    const auto result = run_fercli({"live", "--no-window", "--threads", "1", "--source",
                                    "synthetic:faces=1,fps=30,size=320x240", "--" + kind, log.string()},
                                   written, kInterrupt);
    EXPECT_EQ(result.exit_code, 1) << result.err;
    EXPECT_THAT(result.err, testing::HasSubstr("log." + kind + ": was removed or replaced while it was being written"));
  }
}

TEST_F(LiveCommand, ASessionLeavesDataVideosAndASummary) {
  const auto result = live({"--source", kVideo, "--csv", out("s.csv"), "--jsonl", out("s.jsonl"), "--record",
                            out("clean.mp4"), "--record-annotated", out("drawn.mp4"), "--out", out("session")});
  ASSERT_EQ(result.exit_code, 0) << result.err;

  const auto table = rows(read_file(out("s.csv")));
  EXPECT_EQ(join(table[0], ","),
            "time,frame,track,x,y,width,height,emotion,confidence,p_Angry,p_Disgust,p_Fear,p_Happy,p_Sad,p_Surprise,"
            "p_Neutral,smoothed,ms,score,roll,yaw,pitch,derived_valence,derived_arousal");
  std::set<std::string> tracks, frames;
  for (size_t i = 1; i < table.size(); ++i) {
    ASSERT_EQ(table[i].size(), table[0].size());
    frames.insert(table[i][1]);
    if (!table[i][2].empty()) tracks.insert(table[i][2]);
  }
  EXPECT_EQ(frames.size(), 10u);
  EXPECT_EQ(tracks, (std::set<std::string>{"1", "2"}));

  std::istringstream lines(read_file(out("s.jsonl")));
  int64_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const json frame = json::parse(line);
    EXPECT_EQ(frame["frame"], count);
    for (const auto& face : frame["faces"]) EXPECT_EQ(face["probabilities"].size(), 7u);
  }
  EXPECT_EQ(count, 10);

  const json session = json::parse(read_file(fs::path(out("session")) / "session.json"));
  EXPECT_EQ(session["frames"]["analysed"], 10);
  EXPECT_EQ(session["faces"], 2);
  EXPECT_EQ(read_image(fs::path(out("session")) / "timeline.png", 3).size(0), 3);

  for (const auto& [file, width] : {std::pair{"clean.mp4", 640}, std::pair{"drawn.mp4", 970}}) {
    const auto video = open_video(out(file));
    Frame frame;
    ASSERT_TRUE(video->read(frame)) << file;
    EXPECT_EQ(frame.bgr.size(1), width);
    EXPECT_EQ(video->length(), 10);
  }
}

TEST_F(LiveCommand, ARecordedFileGivesTheSameFacesAsTheVideoItWasMadeFrom) {
  const std::string video = "synthetic:faces=1,fps=10,size=320x240,seconds=2";
  ASSERT_EQ(live({"--source", video, "--record", out("clean.avi"), "--csv", out("first.csv")}).exit_code, 0);
  ASSERT_EQ(live({"--source", out("clean.avi"), "--csv", out("second.csv")}).exit_code, 0);
  const auto first = rows(read_file(out("first.csv"))), second = rows(read_file(out("second.csv")));
  // Compression moves a few pixels: a face may be found a frame earlier or later, an unsure verdict may tip.
  std::map<std::string, std::string> emotions;
  for (const auto& row : first) emotions[row[1] + " " + row[2]] = row[7];
  size_t known = 0, equal = 0;
  for (const auto& row : second) {
    const auto found = emotions.find(row[1] + " " + row[2]);
    known += found != emotions.end();
    equal += found != emotions.end() && found->second == row[7];
  }
  EXPECT_GT(known, second.size() * 9 / 10);
  EXPECT_GT(equal, second.size() * 8 / 10);
}

TEST_F(LiveCommand, EveryFrameOfAFileThatDoesNotSayItsLengthIsAnalysed) {
  std::vector<uint64_t> stamps;
  for (uint64_t i = 0; i < 20; ++i) stamps.push_back(4 * i);  // faster than anything looks for faces
  const std::vector<torch::Tensor> frames(stamps.size(), torch::full({480, 640, 3}, 90, torch::kUInt8));
  write_variable_rate_video(out_ / "browser.mkv", frames, stamps);
  EXPECT_EQ(open_video(out("browser.mkv"))->length(), 0);
  const auto result = live({"--source", out("browser.mkv"), "--out", out("session")});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json counts = json::parse(read_file(out_ / "session" / "session.json"))["frames"];
  EXPECT_EQ(counts, json::parse(R"({"captured": 20, "analysed": 20, "dropped": 0})"));
}

TEST_F(LiveCommand, TheCourseLinesAreExact) {
  const auto result = live({"--source", "synthetic:faces=1,fps=5,seconds=9", "--duration", "3", "--course"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, testing::MatchesRegex("Reading video stream \\.\\.\\.\n\n"
                                                "(Preprocessing \\.\\.\\.\n"
                                                "00:00:0[012]s : ([A-Z][a-z]+ , [0-9]+%|no face)\n\n)+"));
  EXPECT_THAT(result.out, testing::HasSubstr("00:00:02s : Happy , "));
}

TEST_F(LiveCommand, EachPictureOfAFolderIsAStill) {
  const auto people = [](int seed) {
    return read_dataset(fmt::format("synthetic:n=1,seed={},classes=happy,size=48", seed)).images[0];
  };
  fs::create_directory(out("people"));
  for (const int seed : {1, 2}) write_png(people(seed), fs::path(out("people")) / fmt::format("{}.png", seed));
  const auto folder = live({"--source", out("people")});
  EXPECT_THAT(folder.out, testing::MatchesRegex("00:00:00s : [A-Z].*\n00:00:01s : [A-Z].*\n"));
  const auto one = live({"--source", (fs::path(out("people")) / "2.png").string(), "--jsonl", "-"});
  ASSERT_EQ(one.exit_code, 0) << one.err;
  EXPECT_EQ(json::parse(one.out)["faces"].size(), 1u);
  EXPECT_THAT(live({"--source", out("nobody.png")}).err, testing::HasSubstr("nobody.png: no such file"));
}

TEST_F(LiveCommand, FacesAreExportedOnceASecondAsTheNetworkSeesThem) {
  const auto result = live({"--source", "synthetic:faces=1,fps=10,size=320x240,seconds=3", "--export-faces",
                            out("faces"), "--every", "0.5s", "--jsonl", "-"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  for (int i = 0; i < 5; ++i) {
    const auto face = read_image(fs::path(out("faces")) / ("image" + std::to_string(i) + ".png"), 1);
    EXPECT_EQ(face.sizes(), (std::vector<int64_t>{1, 48, 48}));
  }
  EXPECT_FALSE(fs::exists(fs::path(out("faces")) / "image6.png"));
  EXPECT_EQ(open_video((fs::path(out("faces")) / "input_video.mp4").string())->length(), 30);
  EXPECT_EQ(json::parse(result.out.substr(0, result.out.find('\n')))["frame"], 0);
}

TEST_F(LiveCommand, TheAttackViewReportsBothVerdicts) {
  const auto result = live({"--source", "synthetic:faces=1,fps=10,size=320x240,seconds=9", "--max-frames", "8",
                            "--attack", "untargeted", "--eps", "8/255", "--defend", "standard", "--jsonl", "-",
                            "--record-annotated", out("drawn.avi"), "--lang", "fr"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  std::istringstream lines(result.out);
  int64_t attacked = 0;
  for (std::string line; std::getline(lines, line);) {
    const json frame = json::parse(line);
    for (const auto& face : frame["faces"]) {
      ++attacked;
      EXPECT_LE(face["attack"]["linf_255"], 8);
      if (face["attack"]["success"]) {
        EXPECT_NE(face["attack"]["emotion"], face["emotion"]);
      }
    }
  }
  EXPECT_GT(attacked, 3);
  EXPECT_THAT(result.err, testing::HasSubstr("attack success: "));
}

TEST_F(LiveCommand, WithoutACameraTheSyntheticSourceIsNamed) {
  const auto result = run_fercli({"live", "--no-window", "--source", "63", "nowhere.mp4"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, testing::HasSubstr("no camera 63"));
  EXPECT_THAT(result.err, testing::HasSubstr("nowhere.mp4: no such file"));
  EXPECT_THAT(result.err, testing::HasSubstr("--source synthetic"));
}

TEST_F(LiveCommand, TheFileIsTakenWhenThereIsNoCamera) {
  const auto result = live({"--source", "63", "synthetic:faces=0,seconds=0.2,size=160x120", "--csv", "-"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(rows(result.out).size(), 7u);
}

TEST_F(LiveCommand, WithoutAScreenTheLogsStayAsTheyWere) {
  for (const char* variable : {"DISPLAY", "WAYLAND_DISPLAY"}) unsetenv(variable);
  write_file(out_ / "log.csv", "mine");
  const auto result =
      run_in_process({"live", "--source", kVideo, "--csv", out("log.csv"), "--force", "--threads", "1"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, testing::HasSubstr("there is no screen for a window"));
  EXPECT_EQ(read_file(out_ / "log.csv"), "mine");
}

TEST_F(LiveCommand, WrongUseIsExplained) {
  const auto both = live({"--source", kVideo, "--csv", "-", "--jsonl", "-"});
  EXPECT_EQ(both.exit_code, 2);
  EXPECT_THAT(both.err, testing::HasSubstr("stdout is taken by --csv -"));
  const auto twice = live({"--source", kVideo, "--csv", out("log"), "--jsonl", out("./log")});
  EXPECT_EQ(twice.exit_code, 2);
  EXPECT_THAT(twice.err, testing::HasSubstr("is the file of --csv too"));
  write_file(out_ / "precious.mp4", "a film");
  const auto own = live({"--source", out("precious.mp4"), "--record", out("precious.mp4")});
  EXPECT_EQ(own.exit_code, 2);
  EXPECT_THAT(own.err, testing::HasSubstr("would overwrite the input"));
  EXPECT_EQ(read_file(out_ / "precious.mp4"), "a film");
  EXPECT_THAT(live({"--source", kVideo, "--every", "soon"}).err, testing::HasSubstr("must be a time over 0"));
  EXPECT_THAT(live({"--source", kVideo, "--attack", "hapy-to-sad"}).err, testing::HasSubstr("did you mean happy?"));
}

}  // namespace

}  // namespace fercli::test
