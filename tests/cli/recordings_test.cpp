// predict and live on videos: which frames, which faces, under which numbers.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "core/files.hpp"
#include "core/text.hpp"
#include "data/image.hpp"
#include "draw/overlay.hpp"
#include "faces/face_reader.hpp"
#include "live/video/recorder.hpp"
#include "live/video/video_source.hpp"
#include "record/document_kind.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/cli/tiny_network.hpp"
#include "tests/live/variable_rate_video.hpp"
#include "tests/schema_fault.hpp"

namespace fercli::test {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

using Row = std::map<std::string, std::string>;

/// The lines of a CSV without quotes, by the names of its columns.
std::vector<Row> rows_of(const std::string& csv) {
  std::vector<Row> rows;
  std::vector<std::string> names;
  for (const auto& line : split_lines(csv)) {
    const auto fields = split(line + ",", ',');
    if (names.empty()) {
      names = fields;
      continue;
    }
    EXPECT_EQ(fields.size(), names.size()) << line;
    rows.emplace_back();
    for (size_t i = 0; i < std::min(fields.size(), names.size()); ++i) rows.back()[names[i]] = fields[i];
  }
  return rows;
}

/// A row as the schema has it: numbers, and null for what is empty.
json as_document(const Row& row, const json& schema) {
  json document;
  for (const auto& [name, value] : row) {
    if (name.empty()) continue;  // behind the last comma
    const json& rule =
        schema["properties"].contains(name) ? schema["properties"][name] : schema["additionalProperties"];
    const bool text = rule["type"] == "string" || (rule["type"].is_array() && rule["type"][0] == "string");
    document[name] = value.empty() ? json() : text ? json(value) : json::parse(value);
  }
  return document;
}

class Recordings : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<ScratchFolder>();
    save_tiny_network(*folder_ / "model.pt", 3, 400);
  }
  static void TearDownTestSuite() { folder_.reset(); }

  static std::string file(const std::string& name) { return (*folder_ / name).string(); }

  /// Frames of drawn people as a file.
  static std::string record(const std::string& name, const std::string& options) {
    const auto video = open_video("synthetic:" + options);
    std::unique_ptr<VideoRecorder> recorder;
    for (Frame frame; video->read(frame);) {
      if (!recorder) {
        recorder = std::make_unique<VideoRecorder>(*folder_ / name, frame.bgr.size(1), frame.bgr.size(0), video->fps());
      }
      recorder->add(frame.bgr, frame.time);
    }
    return file(name);
  }

  /// Three seconds, the middle one without a face, at times of their own.
  static std::string variable_rate() {
    const auto video = open_video("synthetic:faces=1,size=320x240,fps=10,seconds=2");
    Frame person;
    video->read(person);
    const auto wall = torch::full({240, 320, 3}, 120, torch::kUInt8);
    write_variable_rate_video(*folder_ / "variable.mkv",
                              {person.bgr, person.bgr, wall, wall, wall, person.bgr, person.bgr},
                              {0, 300, 1000, 1200, 1900, 2050, 2750});
    return file("variable.mkv");
  }

  static ProgramResult run(std::vector<std::string> words, const std::vector<std::string>& more) {
    words.insert(words.end(), more.begin(), more.end());
    words.insert(words.end(), {"--model", file("model.pt"), "--threads", "1", "--precision", "fp32"});
    return run_in_process(words);
  }

  static std::vector<Row> predict(const std::vector<std::string>& words) {
    const auto result = run({"predict", "--csv"}, words);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return rows_of(result.out);
  }

  static std::vector<std::string> column(const std::vector<Row>& rows, const std::string& name) {
    std::vector<std::string> values;
    for (const auto& row : rows) values.push_back(row.at(name));
    return values;
  }

  static std::unique_ptr<ScratchFolder> folder_;
};

std::unique_ptr<ScratchFolder> Recordings::folder_;

TEST_F(Recordings, EachFrameHasARowAtItsOwnTimeThoughNoFaceIsInIt) {
  const auto rows = predict({variable_rate()});
  EXPECT_EQ(join(column(rows, "time"), " "), "0.000 0.300 1.000 1.200 1.900 2.050 2.750");
  EXPECT_EQ(join(column(rows, "frame"), " "), "0 1 2 3 4 5 6");
  EXPECT_EQ(join(column(rows, "face"), "|"), "1|1||||2|2") << "behind two cuts it is somebody else";
  EXPECT_EQ(rows[2].at("emotion") + rows[2].at("x") + rows[2].at("p_Happy") + rows[2].at("derived_valence"), "");

  const auto live = run({"live", "--no-window", "--csv", "-"}, {"--source", variable_rate()});
  ASSERT_EQ(live.exit_code, 0) << live.err;
  EXPECT_EQ(column(rows_of(live.out), "time"), column(rows, "time"));
}

TEST_F(Recordings, OnlySomeFramesAreLookedAtWhenAsked) {
  const std::string video = record("ten.avi", "faces=1,size=320x240,fps=10,seconds=3");
  EXPECT_EQ(join(column(predict({video, "--every", "1s"}), "time"), " "), "0.000 1.000 2.000");
  EXPECT_EQ(join(column(predict({video, "--every", "8"}), "frame"), " "), "0 8 16 24");
  EXPECT_EQ(join(column(predict({video, "--from", "0:01", "--to", "1.35s"}), "frame"), " "), "10 11 12 13");
  EXPECT_EQ(join(column(predict({video, "--from", "2.5", "--every", "0.2s"}), "time"), " "), "2.500 2.700 2.900");
  const auto beyond = run({"predict"}, {video, "--from", "100"});
  EXPECT_EQ(beyond.exit_code, 2);
  EXPECT_THAT(beyond.err, testing::HasSubstr(": has no frame in the part that --from and --to choose"));
  const auto live = run({"live", "--no-window", "--csv", "-", "--every", "1s", "--from", "1"}, {"--source", video});
  ASSERT_EQ(live.exit_code, 0) << live.err;
  EXPECT_EQ(join(column(rows_of(live.out), "time"), " "), "1.000 2.000");
  EXPECT_THAT(live.err, testing::HasSubstr("20 frames, 20 analysed"));
}

TEST_F(Recordings, PeopleKeepTheirNumbersWhenTheyWalkPastEachOther) {
  const std::string video = record("crossing.avi", "faces=2,size=640x240,fps=15,seconds=4,cross=4");
  std::map<std::string, std::pair<double, double>> first_and_last;
  for (const auto& row : predict({video})) {
    if (row.at("face").empty()) continue;
    const double x = std::stod(row.at("x"));
    first_and_last.emplace(row.at("face"), std::pair{x, x}).first->second.second = x;
  }
  ASSERT_EQ(first_and_last.size(), 2u) << "two people, two numbers";
  for (const auto& [number, x] : first_and_last) EXPECT_GT(std::abs(x.second - x.first), 200) << "person " << number;
}

TEST_F(Recordings, BehindAHardCutNumbersAreNewAndThePictureShowsThem) {
  const std::string video = record("cut.avi", "faces=1,size=320x240,fps=10,seconds=2,cut=1");
  const auto rows = predict({video, "--annotate", file("annotated")});
  std::map<bool, std::set<std::string>> numbers;
  for (const auto& row : rows) {
    if (!row.at("face").empty()) numbers[std::stod(row.at("time")) >= 1].insert(row.at("face"));
  }
  EXPECT_EQ(numbers[false], std::set<std::string>{"1"});
  EXPECT_EQ(numbers[true], std::set<std::string>{"2"});
  EXPECT_EQ(open_video((fs::path(file("annotated")) / "cut.mp4").string())->length(), 20);
}

TEST_F(Recordings, ThePictureShowsTheNumbersOfTheTable) {
  const auto crowd = open_video("synthetic:faces=2,size=640x480");
  Frame frame;
  crowd->read(frame);
  write_png(image_of_bgr(frame.bgr), *folder_ / "two.png");
  const auto rows = predict({file("two.png"), "--annotate", file("boxes")});
  EXPECT_EQ(join(column(rows, "face"), " "), "1 2");
  const auto drawn = read_image(fs::path(file("boxes")) / "two.png", 3);
  auto bare = frame.bgr.clone();
  const Classifier network = make_classifier(load_checkpoint(file("model.pt")), {1, "fp32"});
  const auto boxes = make_face_detector("haar")->find_all(make_picture(frame.bgr));
  const auto readings = read_faces(network, make_picture(frame.bgr), boxes);
  Overlay overlay(network.classes().names(), "en");
  std::vector<FaceView> views;
  for (size_t i = 0; i < readings.size(); ++i) {
    views.push_back({static_cast<int64_t>(i) + 1, readings[i].box, readings[i].top(), readings[i].probabilities});
  }
  overlay.draw_faces(bare, views, true);
  EXPECT_TRUE(torch::equal(drawn, image_of_bgr(bare)));
}

TEST_F(Recordings, OnlyTheLargestFacesAreKeptAndSureOnesWhenAsked) {
  const std::string video = record("three.avi", "faces=3,size=640x240,fps=5,seconds=1");
  EXPECT_EQ(predict({video}).size(), 15u);
  const auto rows = predict({video, "--max-faces", "1"});
  EXPECT_EQ(rows.size(), 5u);
  for (const auto& row : rows) EXPECT_EQ(row.at("face"), "1") << "three of a size do not take turns";
  for (const auto& row : predict({video, "--detector-threshold", "1000"})) EXPECT_TRUE(row.at("face").empty());
  const auto wrong = run({"predict", "--csv"}, {video, "--detector-threshold", "0.7"});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_THAT(wrong.err, testing::HasSubstr("--detector-threshold 0.7: of a cascade it is a number of neighbouring"));
}

TEST_F(Recordings, SeveralProcessesSeeWhatOneSees) {
  const std::string one = record("one.avi", "faces=1,size=320x240,fps=5,seconds=1"),
                    two = record("two.avi", "faces=2,size=320x240,fps=5,seconds=0.6,seed=2");
  write_file(*folder_ / "broken.mp4", "this is no video");
  for (const char* format : {"--csv", "--json"}) {
    std::vector<std::string> words{"predict",   one, file("broken.mp4"), two,   "--model", file("model.pt"), format,
                                   "--threads", "1", "--precision",      "fp32"};
    const auto alone = run_fercli(words);
    words.insert(words.end(), {"--processes", "2", "--annotate", file(format + std::string("-shared"))});
    const auto shared = run_fercli(words);
    EXPECT_EQ(shared.exit_code, 2);
    EXPECT_EQ(shared.out, alone.out);
    EXPECT_EQ(shared.err, alone.err);
    EXPECT_THAT(shared.err, testing::HasSubstr("broken.mp4: is not a readable video"));
    for (const char* name : {"one.mp4", "two.mp4"}) {
      EXPECT_EQ(open_video((fs::path(file(format + std::string("-shared"))) / name).string())->length(),
                name == std::string("one.mp4") ? 5 : 3);
    }
  }
}

TEST_F(Recordings, ColumnsAreDocumentedAndRowsFitTheirSchema) {
  const std::string video = record("rows.avi", "faces=1,size=320x240,fps=5,seconds=1");
  const auto live = run({"live", "--no-window", "--csv", "-"}, {"--source", video});
  const std::map<std::string, std::vector<Row>> tables{{"predict", predict({video})}, {"live", rows_of(live.out)}};
  for (const auto& [command, rows] : tables) {
    const std::string kind = command == "live" ? "session-row" : "predict-row";
    const json schema = schema_document(Registry<DocumentKind>::instance().get(kind));
    const std::string columns = run_in_process({command, "--columns"}).out;
    ASSERT_FALSE(rows.empty());
    for (const auto& row : rows) EXPECT_EQ(schema_fault(schema, as_document(row, schema)), "");
    for (const auto& [name, value] : rows[0]) {
      if (name.empty()) continue;
      const std::string shown = name.compare(0, 2, "p_") == 0 ? "p_CLASS" : name;
      EXPECT_THAT(columns, testing::ContainsRegex("\n?" + shown + " ")) << command;
    }
    EXPECT_THAT(columns, testing::HasSubstr("Russell and Mehrabian (1977)"));
  }
}

/// Changes what a Motion-JPEG AVI of one frame says of its size, in the container and in the JPEG.
void declare_size(const fs::path& avi, uint32_t side) {
  std::string bytes = read_file(avi);
  const size_t header = bytes.find("avih"), format = bytes.find("strf"), frame = bytes.find("\xff\xc0");
  for (const size_t place : {header + 40, header + 44, format + 12, format + 16}) {
    for (size_t i = 0; i < 4; ++i) bytes[place + i] = static_cast<char>(side >> 8 * i);
  }
  for (const size_t place : {frame + 5, frame + 7}) {
    for (size_t i = 0; i < 2; ++i) bytes[place + i] = static_cast<char>(side >> 8 * (1 - i));
  }
  write_file(avi, bytes);
}

TEST_F(Recordings, FramesHaveNoMorePixelsThanPicturesMayHave) {
  const std::string video = record("large.avi", "faces=1,size=320x240,fps=5,seconds=0.2");
  declare_size(video, 16000);
  for (const auto& words :
       {std::vector<std::string>{"predict", "--csv", video}, {"live", "--no-window", "--source", video}}) {
    const auto result = run(words, {});
    EXPECT_EQ(result.exit_code, 2) << words[0];
    EXPECT_THAT(result.err, testing::HasSubstr("large.avi: has frames of 16000x16000 pixels, more than 128 million"));
  }
}

TEST_F(Recordings, AFileThatLeadsToOthersIsNoVideo) {
  const std::string video = record("secret.avi", "faces=1,size=320x240,fps=5,seconds=0.2");
  const std::string zero(1, '\0');
  for (const std::string& list :
       {"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n" + video + "\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#" + zero + "\n#EXTINF:1,\n" + video + "\n", "ffconcat version 1.0\nfile '" + video + "'\n",
        std::string("v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 26\n"),
        std::string("<?xml version=\"1.0\"?>\n<MPD profiles=\"urn:mpeg:dash:profile:isoff-live:2011\"></MPD>\n"),
        std::string("# VobSub index file, v7\n")}) {
    write_file(*folder_ / "innocent.mp4", list);
    for (const auto& words : {std::vector<std::string>{"predict", "--csv", file("innocent.mp4")},
                              {"live", "--no-window", "--source", file("innocent.mp4")}}) {
      const auto result = run(words, {});
      EXPECT_EQ(result.exit_code, 2) << words[0] << list;
      EXPECT_THAT(result.err, testing::HasSubstr("innocent.mp4: is not a readable video: it is text")) << list;
    }
  }
}

TEST_F(Recordings, WrongTimesAreExplained) {
  const auto message = [&](const std::vector<std::string>& words) {
    auto all = words;
    all.insert(all.begin(), file("model.pt"));
    const auto result = run({"predict"}, all);
    EXPECT_EQ(result.exit_code, 2);
    return result.err;
  };
  EXPECT_THAT(message({"--every", "often"}), testing::HasSubstr("--every often: must be a time over 0 such as 1s"));
  EXPECT_THAT(message({"--from", "noon"}), testing::HasSubstr("--from noon: must be a time such as 90"));
  EXPECT_THAT(message({"--from", "2", "--to", "1"}), testing::HasSubstr("--to 1: must be later than --from"));
}

}  // namespace

}  // namespace fercli::test
