// The page of a session: from the tables of predict and live.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/escape.hpp"
#include "core/files.hpp"
#include "report/session.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/hostile_names.hpp"
#include "tests/report/without_gnuplot.hpp"
#include "tests/user_error.hpp"

namespace fercli::test {

namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr const char* kHead =
    "file,frame,time,face,x,y,width,height,emotion,confidence,p_Happy,p_Sad,derived_valence\n";

/// A row of talk.mp4.
std::string row(int frame, double time, const std::string& face, const std::string& emotion, double confidence = 0.9) {
  if (face.empty()) return fmt::format("talk.mp4,{},{},,,,,,,,,,\n", frame, time);
  const double happy = emotion == "Happy" ? confidence : 1 - confidence;
  return fmt::format("talk.mp4,{},{},{},10,10,50,50,{},{},{},{},{}\n", frame, time, face, emotion, confidence, happy,
                     1 - happy, 0.5);
}

class SessionReport : public testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text) const {
    write_file(folder_ / name, text);
    return (folder_ / name).string();
  }

  json session(const std::string& rows) const { return read_session({write("talk.csv", kHead + rows)}); }

  ScratchFolder folder_;
};

TEST_F(SessionReport, ARowStandsUntilTheNextFrame) {
  const json talk = session(row(0, 0, "1", "Happy") + row(0, 0, "2", "Sad") + row(1, 2, "1", "Happy") +
                            row(2, 2.5, "", "") + row(3, 4, "1", "Sad") + row(4, 5, "1", "Sad"));
  EXPECT_EQ(talk["frames"], 5);
  EXPECT_EQ(talk["frames_with_faces"], 4);
  EXPECT_DOUBLE_EQ(talk["seconds"].get<double>(), 6.25) << "the last frame stands as long as frames do on average";
  const json one = talk["people"][0], two = talk["people"][1];
  EXPECT_EQ(one["name"], "#1");
  EXPECT_DOUBLE_EQ(one["seconds"].get<double>(), 2 + 0.5 + 1 + 1.25);
  EXPECT_DOUBLE_EQ(one["shares"]["Happy"]["share"].get<double>(), 2.5 / 4.75);
  EXPECT_EQ(one["shares"]["Sad"]["frames"], 2);
  EXPECT_DOUBLE_EQ(two["seconds"].get<double>(), 2);
  EXPECT_DOUBLE_EQ(one["derived"]["valence"].get<double>(), 0.5);
  EXPECT_TRUE(one["pose"]["roll"].is_null());
  ASSERT_EQ(one["stretches"].size(), 2u);
  EXPECT_EQ(one["stretches"][0], (json{{"from", 0.0}, {"to", 2.5}, {"emotion", "Happy"}}));
  EXPECT_EQ(one["stretches"][1], (json{{"from", 4.0}, {"to", 6.25}, {"emotion", "Sad"}}));
}

TEST_F(SessionReport, AByteOrderMarkHidesNoColumn) {
  const json talk = read_session({write("talk.csv", "\xef\xbb\xbf" + (kHead + row(0, 0, "1", "Happy")))});
  EXPECT_EQ(talk["videos"], json({"talk.mp4"}));
}

TEST_F(SessionReport, RowsOutOfOrderAreRefused) {
  EXPECT_THAT(message_of([&] { session(row(1, 1, "1", "Happy") + row(0, 0, "1", "Sad")); }),
              HasSubstr("talk.mp4: frame 0 comes after frame 1; a session has its rows in the order of the frames"));
}

TEST_F(SessionReport, TwoVideosOfOneNameAreRefusedAndPartsOfOneAreNot) {
  const std::string one = write("one.csv", kHead + row(0, 0, "1", "Happy") + row(1, 1, "1", "Happy")),
                    two = write("two.csv", kHead + row(1, 0, "1", "Sad")),
                    rest = write("rest.csv", kHead + row(2, 2, "1", "Sad"));
  const char* problem = "the video talk.mp4 has ended before, and begins again with frame ";
  EXPECT_THAT(message_of([&] { read_session({one, two}); }), HasSubstr("two.csv: " + (problem + std::string("1; "))));
  EXPECT_THAT(message_of([&] { read_session({one, one}); }), HasSubstr("one.csv: " + (problem + std::string("0; "))));
  EXPECT_EQ(read_session({one, rest})["frames"], 3);
}

TEST_F(SessionReport, AChangeCountsUnlessNobodySawIt) {
  const json talk = session(row(0, 0, "1", "Happy") + row(1, 1, "1", "Sad") + row(2, 2, "1", "Sad") +
                            row(3, 3, "", "") + row(4, 9, "1", "Happy") + row(5, 10, "1", "Sad"));
  EXPECT_EQ(talk["transitions"]["n"], 2) << "Happy after six seconds out of sight is none";
  EXPECT_EQ(talk["transitions"]["counts"], (json{{"Happy", {{"Sad", 2}}}}));
  EXPECT_EQ(talk["people"][0]["changes"], 2);
}

TEST_F(SessionReport, LiveAndPredictAreReadAlike) {
  const std::string source = "synthetic:faces=2,fps=5,seconds=2,size=320x240";
  const auto live = run_in_process({"live", "--no-window", "--source", source, "--csv", write("l.csv", ""), "--jsonl",
                                    write("l.jsonl", ""), "--force", "--threads", "1"});
  ASSERT_EQ(live.exit_code, 0) << live.err;
  const json table = read_session({(folder_ / "l.csv").string()}),
             lines = read_session({(folder_ / "l.jsonl").string()});
  EXPECT_EQ(table["frames"], 10);
  EXPECT_EQ(table["labels"], "smoothed");
  ASSERT_EQ(table["people"].size(), lines["people"].size());
  for (size_t i = 0; i < table["people"].size(); ++i) {
    EXPECT_EQ(table["people"][i]["shares"], lines["people"][i]["shares"]);
    EXPECT_EQ(table["people"][i]["stretches"], lines["people"][i]["stretches"]);
  }
  EXPECT_EQ(table["transitions"], lines["transitions"]);
}

TEST_F(SessionReport, SaysWhereOnlySomeLabelsAreSmoothed) {
  const std::string raw = write("raw.csv", kHead + row(0, 0, "1", "Happy")),
                    smoothed = write("smoothed.csv",
                                     "file,frame,time,track,emotion,smoothed,confidence,p_Happy,p_Sad\n"
                                     "walk.mp4,0,0,1,Happy,Sad,0.9,0.9,0.1\n");
  EXPECT_EQ(read_session({raw})["labels"], "raw");
  EXPECT_EQ(read_session({smoothed})["labels"], "smoothed");
  const json mixed = read_session({smoothed, raw});
  EXPECT_EQ(mixed["labels"], "mixed");
  const WithoutGnuplot texts_only;
  write_session_report(mixed, {}, folder_.path());
  EXPECT_THAT(read_file(folder_ / "report.md"), HasSubstr("Labels of some files are smoothed over time"));
}

TEST_F(SessionReport, NamesOfAnyKindComeBack) {
  auto names = hostile_names();
  names.insert(names.end(), {"+c", "'+c", "a\"b"});
  std::string header = "file,frame,time,face,emotion,confidence", rows, shares;
  for (auto& name : names) {
    name = printable(name);
    header += "," + csv_field("p_" + name);
    shares += ",0";
  }
  for (size_t i = 0; i < names.size(); ++i)
    rows += fmt::format("{},{},{},1,{},0.5{}\n", csv_field("-talk.mp4"), i, i, csv_field(names[i]), shares);
  const json session = read_session({write("talk.csv", header + "\n" + rows)});
  EXPECT_EQ(session["videos"], json({"-talk.mp4"}));
  EXPECT_EQ(session["classes"], json(names));
  for (const auto& name : names) EXPECT_EQ(session["everybody"]["shares"][name]["frames"], 1) << name;
}

TEST_F(SessionReport, FiguresBeyondTheirLimitsAreRefusedInTablesAndLines) {
  struct Case {
    const char *frame, *time, *track, *share, *yaw, *problem;
  };
  const auto row = [](const Case& c) {
    return fmt::format("{},{},{},Sad,{},{}\n", c.frame, c.time, c.track, c.share, c.yaw);
  };
  const auto line = [](const Case& c) {
    return fmt::format(R"({{"frame":{},"time":{},"faces":[{{"track":{},"smoothed":"Sad",)"
                       R"("probabilities":{{"Sad":{}}},"pose":{{"yaw":{}}}}}]}})"
                       "\n",
                       c.frame, c.time, c.track, c.share, c.yaw);
  };
  const Case good{"0", "0", "1", "0.5", "0", ""};
  for (const Case& bad : {Case{"1e12", "1", "1", "0.5", "0", "frame is 1e+12, must be in [0, 1000000000]"},
                          Case{"-1", "1", "1", "0.5", "0", "frame is -1, must be in [0, 1000000000]"},
                          Case{"1", "1e12", "1", "0.5", "0", "time is 1e+12, must be in [-1000000000, 1000000000]"},
                          Case{"1", "1", "1e12", "0.5", "0", "track is 1e+12, must be in [0, 1000000000]"},
                          Case{"1", "1", "1.5", "0.5", "0", "track is 1.5, must be a whole number"},
                          Case{"1", "1", "1", "5", "0", "p_Sad is 5, must be in [0, 1]"},
                          Case{"1", "1", "1", "-7", "0", "p_Sad is -7, must be in [0, 1]"},
                          Case{"1", "1", "1", "0.5", "1e9", "yaw is 1e+09, must be in [-180, 180]"}}) {
    const std::string table = write("s.csv", "frame,time,track,emotion,p_Sad,yaw\n" + row(good) + row(bad));
    const std::string lines = write("s.jsonl", line(good) + line(bad));
    EXPECT_THAT(message_of([&] { read_session({table}); }), HasSubstr(fmt::format("s.csv:3: {}", bad.problem)));
    EXPECT_THAT(message_of([&] { read_session({lines}); }), HasSubstr(fmt::format("s.jsonl:2: {}", bad.problem)));
    const auto out = folder_ / "report";
    EXPECT_EQ(run_in_process({"report", lines, "--out", out.string()}).exit_code, 2);
    EXPECT_FALSE(std::filesystem::exists(out));
  }
  EXPECT_THAT(message_of([&] { session("talk.mp4,0,0,1,10,10,50,50,Happy,-7,0.5,0.5,0\n"); }),
              HasSubstr("talk.csv:2: confidence is -7, must be in [0, 1]"));
}

TEST_F(SessionReport, ClassesAreAtMostAThousandAndThoseOfEveryFace) {
  const auto face = [](int classes) {
    json shares = json::object();
    for (int k = 0; k < classes; ++k) shares[fmt::format("c{}", k)] = 0.5;
    return json{{"frame", 0}, {"time", 0}, {"faces", {{{"track", 1}, {"smoothed", "c0"}, {"probabilities", shares}}}}};
  };
  const auto lines = [&](const std::vector<int>& classes) {
    std::string text;
    for (const int count : classes) text += face(count).dump() + "\n";
    return message_of([&] { read_session({write("s.jsonl", text)}); });
  };
  EXPECT_EQ(lines({1000, 1000}), "");
  EXPECT_THAT(lines({1001}), HasSubstr("s.jsonl:1: more than 1000 classes are named"));
  EXPECT_THAT(lines({3, 2}), HasSubstr("s.jsonl:2: a face has probabilities of other classes than those before"));
  std::string header = "frame,time,track,emotion";
  for (int k = 0; k <= 1000; ++k) header += fmt::format(",p_c{}", k);
  EXPECT_THAT(message_of([&] { read_session({write("s.csv", header + "\n")}); }),
              HasSubstr("s.csv:1: more than 1000 classes are named"));
}

TEST_F(SessionReport, ThePageNeedsNothingElseAndHasEveryNumberOfTheJson) {
  const std::string file =
      write("talk <b>.csv", kHead + row(0, 0, "1", "Happy") + row(1, 1, "1", "Sad") + row(2, 2, "2", "Happy"));
  for (const char* language : {"en", "fr"}) {
    const auto run = run_in_process({"report", file, "--out", (folder_ / language).string(), "--lang", language});
    ASSERT_EQ(run.exit_code, 0) << run.err;
    const std::string page = read_file(folder_ / language / "report.html");
    EXPECT_THAT(page, HasSubstr(language == std::string("en") ? "Session report: talk.mp4" : "Rapport de séance"));
    EXPECT_THAT(page, HasSubstr("data:image/svg+xml;base64,"));
    EXPECT_THAT(page, testing::Not(HasSubstr("<script")));
    EXPECT_THAT(page, HasSubstr("data-json=\"/people/0/shares/Happy/share\""));
    EXPECT_THAT(page, HasSubstr("Russell"));
  }
}

TEST_F(SessionReport, OtherFilesAreRefusedInASentence) {
  const auto complaint = [&](const std::string& text) {
    return message_of([&] { read_session({write("other.csv", text)}); });
  };
  EXPECT_THAT(complaint("a,b\n1,2\n"),
              HasSubstr("is no session of predict --csv or live --csv: it has no column time"));
  EXPECT_THAT(complaint(kHead), HasSubstr("has no frame of a video"));
  EXPECT_THAT(complaint(std::string(kHead) + "face.png,,,1,0,0,48,48,Happy,1,1,0,0.5\n"),
              HasSubstr("has no frame of a video"));
  EXPECT_THAT(complaint(kHead + row(0, 0, "1", "Happy") + "talk.mp4,1,soon,,,,,,,,,,\n"),
              HasSubstr("line 3 is none of a session"));
  EXPECT_THAT(complaint(kHead + row(0, 0, "1", "Bliss")),
              HasSubstr("other.csv:2: the label 'Bliss' is none of the classes with probabilities (Happy, Sad)"));
  EXPECT_THAT(complaint(kHead + row(0, 1e300, "1", "Happy")),
              HasSubstr("other.csv:2: time is 1e+300, must be in [-1000000000, 1000000000]"));
  const std::string line =
      R"({"frame":0,"time":0,"faces":[{"track":1,"smoothed":"Bored","probabilities":{"Happy":0.9,"Sad":0.1}}]})";
  EXPECT_THAT(message_of([&] { read_session({write("other.jsonl", line)}); }),
              HasSubstr("other.jsonl:1: the label 'Bored' is none of the classes with probabilities (Happy, Sad)"));
  EXPECT_THAT(message_of([&] { read_session({write("other.jsonl", "{\"time\": 1}\n")}); }),
              HasSubstr("line 1 is none of a session"));
  const auto mixed = run_in_process({"report", write("a.csv", kHead + row(0, 0, "1", "Happy")), "result.json"});
  EXPECT_EQ(mixed.exit_code, 2);
  EXPECT_THAT(mixed.err, HasSubstr("result.json: does not go with the session"));
}

}  // namespace

}  // namespace fercli::test
