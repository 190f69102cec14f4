#include <sys/resource.h>

#include <atomic>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "core/base64.hpp"
#include "core/files.hpp"
#include "core/random.hpp"
#include "core/text.hpp"
#include "data/formats/reader.hpp"
#include "data/image.hpp"
#include "live/video/video_source.hpp"
#include "serve/http_server.hpp"
#include "serve/lanes.hpp"
#include "serve/request_rules.hpp"
#include "serve/routes.hpp"
#include "serve/upload.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/schema_fault.hpp"
#include "tests/serve/http_client.hpp"
#include "tests/user_error.hpp"

namespace fercli::test {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// JSON in the answers must fit its schema.
class CheckedClient : public HttpClient {
 public:
  using HttpClient::HttpClient;

  HttpAnswer read() { return checked(HttpClient::read(), ""); }

  HttpAnswer request(const std::string& method, const std::string& target, const std::string& headers = "",
                     const std::string& body = "") {
    return checked(HttpClient::request(method, target, headers, body), target);
  }

 private:
  static HttpAnswer checked(HttpAnswer answer, const std::string& target) {
    const auto type = answer.headers.find("content-type");
    if (type == answer.headers.end() || type->second != "application/json") return answer;
    const std::string path = target.substr(0, target.find('?')), name = path.substr(path.rfind('/') + 1);
    const auto document = json::parse(answer.body, nullptr, false);
    if (answer.status >= 400) expect_document("serve-error", document, target);
    if (answer.status == 200 && !name.empty() && name != "openapi.json")
      expect_document("serve-" + name, document, target);
    return answer;
  }
};

constexpr const char* kPng = "Content-Type: image/png\r\n";
constexpr const char* kJson = "Content-Type: application/json\r\n";
constexpr const char* kForm = "Content-Type: multipart/form-data; boundary=frontier\r\n";

ApiSettings api_settings() {
  ApiSettings settings;
  settings.runtime.threads = 1;
  settings.runtime.precision = "fp32";
  settings.most_pixels = 1'000'000;
  return settings;
}

/// A server in a thread of its own.
class RunningServer {
 public:
  RunningServer(Api& api, HttpSettings settings) : server_(api, with_free_port(settings)) {
    thread_ = std::thread([this] { server_.serve(); });
  }
  ~RunningServer() { stop(); }

  void stop() {
    if (!thread_.joinable()) return;
    server_.stop();
    thread_.join();
  }

  int port() const { return server_.port(); }
  std::string url() const { return server_.url(); }

 private:
  static HttpSettings with_free_port(HttpSettings settings) {
    settings.port = 0;
    return settings;
  }
  HttpServer server_;
  std::thread thread_;
};

class Serving : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    api_ = new Api({{"standard", load_checkpoint(resolve_model("standard"))},
                    {"robust", load_checkpoint(resolve_model("robust"))}},
                   api_settings());
    Frame frame;
    open_video("synthetic:faces=2")->read(frame);
    people_ = new std::string(encode_png(image_of_bgr(frame.bgr)));
    crop_ = new std::string(encode_png(read_dataset("synthetic:n=1,seed=5,classes=happy").images[0]));
  }
  static void TearDownTestSuite() {
    delete api_;
    delete people_;
    delete crop_;
  }

  Serving() : server_(*api_, limits()) {}

  static HttpSettings limits() {
    HttpSettings settings;
    settings.rate = 0;
    settings.most_bytes = 1 << 20;
    settings.request_seconds = 5;
    return settings;
  }

  HttpAnswer request(const std::string& method, const std::string& target, const std::string& headers = "",
                     const std::string& body = "") {
    return CheckedClient(server_.port()).request(method, target, headers, body);
  }

  static torch::Tensor read_png(const json& text) {
    return decode_image(decode_base64(text.get<std::string>()), 1, "answer");
  }

  void expect_refused(const HttpAnswer& answer, int status, const std::string& sentence) {
    EXPECT_EQ(answer.status, status) << answer.body;
    const json body = json::parse(answer.body, nullptr, false);
    ASSERT_TRUE(body.is_object()) << answer.body;
    EXPECT_THAT(body.value("error", ""), testing::HasSubstr(sentence));
  }

  static Api* api_;
  static std::string *people_, *crop_;
  RunningServer server_;
};

Api* Serving::api_ = nullptr;
std::string *Serving::people_ = nullptr, *Serving::crop_ = nullptr;

TEST_F(Serving, PredictsEveryFaceHoweverTheImageIsSent) {
  const json raw = json::parse(request("POST", "/predict", kPng, *people_).body);
  EXPECT_EQ(raw["faces_detected"], 2);
  const json face = raw["predictions"][0];
  EXPECT_EQ(face["emotion"], "Happy");
  EXPECT_GT(face["confidence"].get<double>(), 0.4);
  EXPECT_LE(face["confidence"].get<double>(), 1);
  EXPECT_EQ(face["probabilities"].size(), 7u);
  for (const char* side : {"x", "y", "w", "h"}) EXPECT_TRUE(face["box"][side].is_number_integer());
  EXPECT_EQ(json::parse(request("POST", "/predict", kForm, multipart("frontier", *people_)).body), raw);
  const json wrapped{{"image", "data:image/png;base64," + encode_base64(*people_)}};
  EXPECT_EQ(json::parse(request("POST", "/predict", kJson, wrapped.dump()).body), raw);
}

TEST_F(Serving, GivesTheVerdictsOfThePredictCommand) {
  const ScratchFolder folder;
  write_png(decode_image(*people_, 3, "people"), folder / "people.png");
  const auto command =
      run_in_process({"predict", (folder / "people.png").string(), "--json", "--threads", "1", "--precision", "fp32"});
  const json expected = json::parse(command.out)[0]["faces"];
  const json answer = json::parse(request("POST", "/predict", kPng, *people_).body)["predictions"];
  ASSERT_EQ(answer.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(answer[i]["label"], expected[i]["emotion"]);
    EXPECT_EQ(answer[i]["box"], expected[i]["box"]);
    EXPECT_NEAR(answer[i]["probabilities"]["Sad"].get<double>(), expected[i]["probabilities"]["Sad"].get<double>(),
                1e-6);
  }
}

TEST_F(Serving, SpeaksFrench) {
  const json answer = json::parse(request("POST", "/predict?lang=fr", kPng, *crop_).body)["predictions"][0];
  EXPECT_EQ(answer["emotion"], "Heureux");
  EXPECT_EQ(answer["label"], "Happy");
  EXPECT_TRUE(answer["probabilities"].contains("En colère"));
  expect_refused(request("POST", "/predict?lang=de", kPng, *crop_), 400, "lang must be en or fr");
}

TEST_F(Serving, AttacksAFaceAndSendsTheImageItJudged) {
  const auto body = multipart("frontier", *crop_, {{"goal", "untargeted"}, {"eps", "8/255"}, {"steps", "20"}});
  const auto answer = request("POST", "/attack", kForm, body);
  ASSERT_EQ(answer.status, 200) << answer.body;
  const json out = json::parse(answer.body);
  EXPECT_TRUE(out["success"]);
  EXPECT_EQ(out["original"]["label"], "Happy");
  EXPECT_NE(out["adversarial"]["label"], "Happy");
  const auto before = read_png(out["images"]["original"]), after = read_png(out["images"]["adversarial"]);
  EXPECT_TRUE(torch::equal(before, decode_image(*crop_, 1, "crop")));
  const auto change = (after.to(torch::kInt32) - before.to(torch::kInt32)).abs().max().item<int64_t>();
  EXPECT_EQ(out["norms"]["linf_255"], change);
  EXPECT_LE(change, 8);
  const json again = json::parse(
      request("POST", "/predict", kPng, decode_base64(out["images"]["adversarial"].get<std::string>())).body);
  EXPECT_EQ(again["predictions"][0]["label"], out["adversarial"]["label"]);
}

TEST_F(Serving, AnAttackWithoutAimOrFaceIsExplained) {
  const json same = json::parse(request("POST", "/attack?goal=any-to-happy", kPng, *crop_).body);
  EXPECT_FALSE(same["attacked"]);
  EXPECT_EQ(same["norms"]["linf_255"], 0);
  expect_refused(request("POST", "/attack?goal=hapy-to-sad", kPng, *crop_), 400, "did you mean happy?");
  expect_refused(request("POST", "/attack?eps=8", kPng, *crop_), 400, "eps must be in (0, 1]");
  expect_refused(request("POST", "/attack?steps=1000", kPng, *crop_), 400, "steps must be 1 to 50");
  const std::string wall = encode_png(torch::full({3, 200, 200}, 90, torch::kUInt8));
  expect_refused(request("POST", "/attack", kPng, wall), 422, "there is no face");
}

TEST_F(Serving, TellsWhatItIs) {
  EXPECT_EQ(request("GET", "/test").body, R"({"status":"ok"})");
  EXPECT_EQ(json::parse(request("GET", "/labels").body)["labels"].size(), 7u);
  EXPECT_EQ(json::parse(request("GET", "/model").body)["model"], "standard");
  const json models = json::parse(request("GET", "/models").body);
  EXPECT_EQ(models["models"][0]["model"], "standard");
  EXPECT_EQ(models["models"][1]["model"], "robust");
  EXPECT_EQ(models["limits"]["steps"], 50);
  EXPECT_EQ(models["confidence_unit"], "share");
  EXPECT_EQ(json::parse(request("GET", "/openapi.json").body)["openapi"], "3.1.0");
  const auto metrics = request("GET", "/metrics").body;
  EXPECT_THAT(metrics, testing::HasSubstr("fercli_requests_total{path=\"/test\",status=\"200\"}"));
  EXPECT_THAT(metrics, testing::HasSubstr("fercli_request_seconds_bucket{le=\"+Inf\"}"));
}

TEST_F(Serving, ThePageLoadsNothingFromElsewhere) {
  const auto page = request("GET", "/");
  EXPECT_EQ(page.headers.at("content-type"), "text/html; charset=utf-8");
  EXPECT_THAT(page.headers.at("content-security-policy"), testing::HasSubstr("default-src 'none'"));
  for (const char* path : {"/", "/docs", "/page.js", "/pictures.js", "/server.js", "/storage.js", "/texts.js",
                           "/avatar.js", "/docs.js", "/page.css"}) {
    const auto file = request("GET", path);
    EXPECT_EQ(file.status, 200);
    EXPECT_THAT(file.body, testing::Not(testing::HasSubstr("http://")));
    EXPECT_THAT(file.body, testing::Not(testing::HasSubstr("https://")));
  }
}

TEST_F(Serving, SeveralFilesOfAFormAreReadInOneAnswerEachByItself) {
  const auto answer = request(
      "POST", "/predict?lang=fr", kForm,
      multipart_of_files("frontier", {{"people.png", *people_}, {"notes.txt", "no picture"}, {"crop.png", *crop_}}));
  ASSERT_EQ(answer.status, 200) << answer.body;
  const json pictures = json::parse(answer.body)["pictures"];
  ASSERT_EQ(pictures.size(), 3u);
  EXPECT_EQ(pictures[0]["file"], "people.png");
  EXPECT_EQ(pictures[0]["faces_detected"], 2);
  EXPECT_EQ(pictures[1]["file"], "notes.txt");
  EXPECT_EQ(pictures[1]["status"], 415);
  EXPECT_EQ(pictures[1]["error"], "the image must be PNG, JPEG or WEBP");
  const json alone = json::parse(request("POST", "/predict?lang=fr", kPng, *crop_).body);
  EXPECT_EQ(pictures[2]["predictions"], alone["predictions"]);
  EXPECT_EQ(pictures[2]["predictions"][0]["emotion"], "Heureux");
}

TEST_F(Serving, AnAttackTakesOneFile) {
  const auto form = multipart_of_files("frontier", {{"a.png", *crop_}, {"b.png", *crop_}});
  for (const char* path : {"/attack", "/smallest"}) {
    expect_refused(request("POST", path, kForm, form), 400, "takes one file, and the form has 2");
  }
}

/// What a browser asks before it lets a page of another site post.
constexpr const char* kPreflight =
    "Origin: http://localhost:3000\r\nAccess-Control-Request-Method: POST\r\n"
    "Access-Control-Request-Headers: authorization\r\nSec-Fetch-Site: same-site\r\n";

TEST_F(Serving, PagesOfOtherSitesAreToldNothing) {
  expect_refused(request("OPTIONS", "/predict", kPreflight), 405, "/predict takes POST only");
  const auto read = request("GET", "/models", "Origin: http://localhost:3000\r\n");
  EXPECT_EQ(read.headers.count("access-control-allow-origin"), 0u);
}

TEST_F(Serving, WrongAddressesMethodsAndTypesAreRefused) {
  expect_refused(request("GET", "/nowhere"), 404, "nothing at this address");
  expect_refused(request("GET", "/../../etc/passwd"), 404, "nothing at this address");
  expect_refused(request("GET", "/%2e%2e/%2e%2e/etc/passwd"), 404, "nothing at this address");
  expect_refused(request("GET", "/predict"), 405, "/predict takes POST only");
  expect_refused(request("POST", "/test", kPng, "x"), 405, "/test takes GET only");
  expect_refused(request("POST", "/predict", "Content-Type: text/html\r\n", "<p>"), 415, "the body must be an image");
  expect_refused(request("POST", "/predict", kPng, "GIF89a and more"), 415, "PNG, JPEG or WEBP");
  expect_refused(request("POST", "/predict", kPng, ""), 400, "no image");
  expect_refused(request("POST", "/predict", kJson, "[1]"), 400, "not a JSON object");
  expect_refused(request("POST", "/predict", kJson, R"({"image":"%%%"})"), 400, "not valid base64");
  expect_refused(request("POST", "/predict", kForm, "--frontier--\r\n"), 400, "");
  for (const char* host : {"evil.example", "127.evil.example", "127.0.0.1.evil.example"}) {
    expect_refused(request("GET", "/test", fmt::format("Host: {}\r\n", host)), 403, "localhost only");
  }
}

TEST_F(Serving, JsonMayHoldTextsAndNumbersOnly) {
  expect_refused(request("POST", "/predict", kJson, R"({"image":[[[[]]]]})"), 400, "texts and numbers only");
  expect_refused(request("POST", "/predict", kJson, R"({"image":{"a":1}})"), 400, "texts and numbers only");
  expect_refused(request("POST", "/predict", kJson, R"({"image":"AAAA")"), 400, "not a JSON object");
  std::string many = R"({"image":"AAAA")";
  for (int i = 0; i < 40; ++i) many += fmt::format(R"(,"{}":1)", i);
  expect_refused(request("POST", "/predict", kJson, many + "}"), 400, "more than 32 fields");
  const json order{
      {"image", encode_base64(*crop_)}, {"goal", "any-to-sad"}, {"eps", 0.03}, {"steps", 2}, {"face", nullptr}};
  const auto answer = json::parse(request("POST", "/attack", kJson, order.dump()).body);
  EXPECT_DOUBLE_EQ(answer.at("eps").get<double>(), 0.03);
}

TEST_F(Serving, UnknownFieldsAreRefusedHoweverTheyAreSent) {
  const std::string sentence = "unknown field 'gaol'; did you mean goal?";
  expect_refused(request("POST", "/attack?gaol=any-to-sad", kPng, *crop_), 400, sentence);
  expect_refused(request("POST", "/attack", kForm, multipart("frontier", *crop_, {{"gaol", "any-to-sad"}})), 400,
                 sentence);
  for (const json& value : {json("any-to-sad"), json(nullptr)}) {
    const json order{{"image", encode_base64(*crop_)}, {"gaol", value}};
    expect_refused(request("POST", "/attack", kJson, order.dump()), 400, sentence);
  }
  expect_refused(request("POST", "/predict?eps=8/255", kPng, *crop_), 400, "unknown field 'eps'");
  expect_refused(request("POST", "/smallest?eps=8/255", kPng, *crop_), 400, "unknown field 'eps'");
  const std::string boolean = R"({"image":"AAAA","face":true})";
  expect_refused(request("POST", "/attack", kJson, boolean), 400, "texts and numbers only");
}

TEST_F(Serving, OneAnswerHasTheVerdictsOfEveryNetwork) {
  const json both = json::parse(request("POST", "/predict?model=all", kPng, *people_).body);
  EXPECT_EQ(both["confidence_unit"], "share");
  ASSERT_EQ(both["predictions"].size(), 2u);
  for (const json& face : both["predictions"]) {
    EXPECT_EQ(face["verdicts"]["standard"]["confidence"], face["confidence"]);
    EXPECT_NE(face["verdicts"]["robust"]["confidence"], face["confidence"]);
    EXPECT_TRUE(face["square"]["w"].is_number_integer());
  }
  const json robust = json::parse(request("POST", "/predict?model=ROBUST", kPng, *people_).body);
  EXPECT_EQ(robust["model"], "robust");
  EXPECT_EQ(robust["predictions"][0]["confidence"], both["predictions"][0]["verdicts"]["robust"]["confidence"]);
  expect_refused(request("POST", "/predict?model=robsut", kPng, *people_), 400, "did you mean robust?");
}

TEST_F(Serving, AnAttackIsMadeOnTheNetworkNamedAndShownToAll) {
  const json out = json::parse(request("POST", "/attack?model=robust&goal=any-to-sad&eps=16/255", kPng, *crop_).body);
  EXPECT_EQ(out["model"], "robust");
  EXPECT_EQ(out["adversarial"], out["verdicts"]["robust"]["adversarial"]);
  const std::string png = decode_base64(out["images"]["adversarial"].get<std::string>());
  const json seen = json::parse(request("POST", "/predict?model=all", kPng, png).body)["predictions"][0]["verdicts"];
  for (const char* name : {"standard", "robust"}) EXPECT_EQ(seen[name], out["verdicts"][name]["adversarial"]) << name;
}

TEST_F(Serving, TheFaceAttackedIsTheOneAskedFor) {
  const json faces = json::parse(request("POST", "/predict", kPng, *people_).body)["predictions"];
  for (const int place : {1, 2}) {
    const auto path = fmt::format("/attack?steps=1&face={}", place);
    const json out = json::parse(request("POST", path, kPng, *people_).body);
    EXPECT_EQ(out["face"], place);
    EXPECT_EQ(out["box"], faces[static_cast<size_t>(place - 1)]["box"]);
  }
  const json all = json::parse(request("POST", "/attack?steps=1&face=all", kPng, *people_).body);
  ASSERT_EQ(all["faces"].size(), 2u);
  EXPECT_EQ(all["faces"][1]["box"], faces[1]["box"]);
  expect_refused(request("POST", "/attack?face=3", kPng, *people_), 422, "face 3: the image has 2 faces");
  for (const char* face : {"0", "-1", "left"}) {
    expect_refused(request("POST", fmt::format("/attack?face={}", face), kPng, *people_), 400, "face must be a number");
  }
}

TEST_F(Serving, TheSmallestEpsSufficesAndALevelLessDoesNot) {
  const std::string query = "?goal=any-to-sad&steps=8";
  const json found = json::parse(request("POST", "/smallest" + query, kPng, *crop_).body);
  const auto levels = found["smallest_255"].get<int64_t>();
  ASSERT_GT(levels, 1);
  EXPECT_NEAR(found["smallest_eps"].get<double>(), static_cast<double>(levels) / 255, 1e-9);
  const auto succeeds = [&](int64_t eps) {
    return json::parse(request("POST", fmt::format("/attack{}&eps={}/255", query, eps), kPng, *crop_).body)["success"];
  };
  EXPECT_EQ(succeeds(levels), true);
  EXPECT_EQ(succeeds(levels - 1), false);
  const json same = json::parse(request("POST", "/smallest?goal=any-to-happy", kPng, *crop_).body);
  EXPECT_FALSE(same["attacked"]);
  EXPECT_TRUE(same["smallest_eps"].is_null());
}

TEST_F(Serving, AttacksAreNamedInAnyCaseAndRefusedWhereTheyDoNotFit) {
  EXPECT_EQ(json::parse(request("POST", "/attack?attack=FGSM", kPng, *crop_).body)["attack"], "fgsm");
  expect_refused(request("POST", "/attack?attack=fgms", kPng, *crop_), 400, "did you mean fgsm?");
  expect_refused(request("POST", "/attack?attack=square", kPng, *crop_), 400, "attack 'square' is not offered here");
  expect_refused(request("POST", "/attack?attack=cw", kPng, *crop_), 400, "attack 'cw' is not offered here");
  expect_refused(request("POST", "/attack?attack=fgsm&steps=5", kPng, *crop_), 400, "steps has no effect on fgsm");
  expect_refused(request("POST", "/attack?attack=apgd-t&goal=any-to-sad", kPng, *crop_), 400,
                 "attack apgd-t takes untargeted goals only");
  expect_refused(request("POST", "/attack?steps=2.5", kPng, *crop_), 400, "a whole number");
}

TEST_F(Serving, EveryAttackThatIsOfferedRuns) {
  const json models = json::parse(request("GET", "/models").body);
  EXPECT_GE(models["attacks"].size(), 8u);
  for (const json& attack : models["attacks"]) {
    const std::string steps = attack["steps"].get<bool>() ? "&steps=3" : "";
    const std::string goal = attack["untargeted"].get<bool>() ? "untargeted" : "any-to-sad";
    const auto path = fmt::format("/attack?attack={}&goal={}{}", attack["name"].get<std::string>(), goal, steps);
    EXPECT_EQ(request("POST", path, kPng, *crop_).status, 200) << path;
  }
}

TEST_F(Serving, OffersTwoSampleFacesOfEachEmotionThatTheNetworkReadsRight) {
  const json samples = json::parse(request("GET", "/samples").body)["samples"];
  ASSERT_EQ(samples.size(), 14u);
  const json first = samples[6];
  const std::string png = decode_base64(first["image"].get<std::string>());
  const json read = json::parse(request("POST", "/predict", kPng, png).body)["predictions"][0];
  EXPECT_EQ(first["label"], "Happy");
  EXPECT_EQ(read["label"], first["label"]);
  EXPECT_EQ(read["confidence"], first["confidence"]);
}

TEST_F(Serving, TheDescriptionOfTheApiNamesEveryFieldAndPath) {
  const json api = json::parse(request("GET", "/openapi.json").body);
  for (const auto& [path, methods] : api["paths"].items()) {
    EXPECT_EQ(to_lower(method_of(path)), methods.begin().key()) << path;
    EXPECT_TRUE(methods.front()["responses"].contains("default"))
        << path << " may be refused, as for too many requests";
  }
  EXPECT_EQ(api["security"][0], json::parse(R"({"token":[]})"));
}

TEST_F(Serving, TheFieldsDescribedAreThoseThatTheServerTakes) {
  const json api = json::parse(request("GET", "/openapi.json").body);
  const auto at = [&](json part) {
    return part.contains("$ref") ? api.at(json::json_pointer(part["$ref"].get<std::string>().substr(1))) : part;
  };
  for (const auto& [path, route] : Api::routes()) {
    if (route.method != "POST") continue;
    const json post = api["paths"][path]["post"];
    std::set<std::string> in_address;
    for (const auto& each : post["parameters"]) in_address.insert(at(each)["name"].get<std::string>());
    EXPECT_EQ(in_address, route.fields) << path;
    for (const auto& [type, image] : {std::pair{"multipart/form-data", "file"}, {"application/json", "image"}}) {
      std::set<std::string> names;
      const json body = at(at(post["requestBody"])["content"][type]["schema"]);
      for (const auto& [name, schema] : body["properties"].items()) names.insert(name);
      EXPECT_EQ(names.erase(image), 1u) << path;
      EXPECT_EQ(names, route.fields) << path << " " << type;
    }
  }
}

TEST_F(Serving, TheDescriptionOfTheApiHoldsTheSchemasOfTheAnswers) {
  const json api = json::parse(request("GET", "/openapi.json").body);
  for (const auto& [path, methods] : api["paths"].items()) {
    const json answer = methods.front()["responses"]["200"];
    const auto* document = Registry<DocumentKind>::instance().find("serve-" + path.substr(1));
    EXPECT_EQ(document == nullptr, path == "/metrics") << path;
    if (document == nullptr) continue;
    EXPECT_EQ(answer["content"]["application/json"]["schema"], document->schema()) << path;
  }
}

TEST(ServedModelsTest, FilesOfOneNameAreToldApartByTheirFolders) {
  const Checkpoint checkpoint = load_checkpoint(resolve_model("standard"));
  const ServedModels models({{"a/best.pt", checkpoint}, {"b/best.pt", checkpoint}, {"c/x.pt", checkpoint}}, {});
  EXPECT_EQ(models.all()[0].name, "a/best.pt");
  EXPECT_EQ(models.all()[1].name, "b/best.pt");
  EXPECT_EQ(models.all()[2].name, "x");
  EXPECT_THAT(message_of([&] {
                ServedModels({{"standard", checkpoint}, {"standard", checkpoint}}, {});
              }),
              testing::HasSubstr("--model standard: is given twice"));
}

TEST(ServedModelsTest, ClassesThatFrenchCallsAlikeKeepTheirNames) {
  const LabelSet classes({"neutral", "calm", "Happy"});
  const Verdict verdict = verdict_of(classes, {0.2, 0.5, 0.3}, "fr");
  EXPECT_EQ(json(write_record(verdict))["probabilities"],
            json::parse(R"({"neutral": 0.2, "calm": 0.5, "Heureux": 0.3})"));
  EXPECT_EQ(verdict.emotion, "calm");
  EXPECT_EQ(labels_of(classes)[1]["french"], "calm");
}

TEST(ServedModelsTest, NamesThatDifferInCaseAloneAreToldApart) {
  const Checkpoint checkpoint = load_checkpoint(resolve_model("standard"));
  const ServedModels models({{"Net.pt", checkpoint}, {"net.pt", checkpoint}, {"Other.pt", checkpoint}}, {});
  EXPECT_EQ(models.get("net").name, "net");
  EXPECT_EQ(models.get("Net").name, "Net");
  EXPECT_EQ(models.get("other").name, "Other");
  EXPECT_EQ(models.chosen("Net,net").size(), 2u);
  EXPECT_THROW(models.get("NET"), RequestError);
}

TEST(ServedModelsTest, ANetworkCalledAllDoesNotStandForAll) {
  const Checkpoint checkpoint = load_checkpoint(resolve_model("standard"));
  const ServedModels models({{"x.pt", checkpoint}, {"All.pt", checkpoint}}, {});
  EXPECT_EQ(models.chosen("all").size(), 2u);
  EXPECT_EQ(models.chosen("All.pt").front()->name, "All.pt");
  EXPECT_THAT(message_of([&] {
                ServedModels({{"all", checkpoint}}, {});
              }),
              testing::HasSubstr("--model all: by this name requests ask for all networks"));
}

TEST_F(Serving, RangesAreNotServed) {
  const auto whole = request("GET", "/page.js");
  for (const char* range : {"bytes=0-10", "bytes=0-,0-,0-,0-,0-,0-"}) {
    const auto answer = request("GET", "/page.js", fmt::format("Range: {}\r\n", range));
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, whole.body);
  }
}

TEST_F(Serving, TwoServersDoNotShareAPort) {
  HttpSettings same = limits();
  same.port = server_.port();
  EXPECT_THAT(message_of([&] { HttpServer(*api_, same); }), testing::HasSubstr("is another server running there?"));
}

TEST_F(Serving, BodiesOfUnknownPackedOrTooGreatLengthAreRefusedUnread) {
  CheckedClient chunked(server_.port());
  chunked.send("POST /predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
  expect_refused(chunked.read(), 411, "Content-Length");
  CheckedClient large(server_.port());
  large.send("POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n");
  expect_refused(large.read(), 413, "the body has 99999999999 bytes");
  EXPECT_TRUE(large.ended());
  expect_refused(request("POST", "/predict", "Content-Encoding: gzip\r\n", "x"), 415, "packed bodies");
}

/// The check sum of a PNG's chunk.
uint32_t png_sum(const std::string& bytes) {
  uint32_t sum = 0xffffffff;
  for (const char byte : bytes) {
    sum ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) sum = sum >> 1 ^ (0xedb88320 & (0 - (sum & 1)));
  }
  return ~sum;
}

TEST_F(Serving, DecompressionBombsAreRefusedByTheirHeader) {
  std::string bomb = encode_png(torch::zeros({1, 16, 16}, torch::kUInt8));
  bomb[18] = '\x4e';  // 20,000 pixels wide
  bomb[19] = '\x20';
  bomb[22] = '\x4e';
  bomb[23] = '\x20';
  const uint32_t sum = png_sum(bomb.substr(12, 17));
  for (int i = 0; i < 4; ++i) bomb[static_cast<size_t>(29 + i)] = static_cast<char>(sum >> (24 - 8 * i));
  expect_refused(request("POST", "/predict", kPng, bomb), 413, "20000x20000 pixels");
  expect_refused(request("POST", "/predict", kPng, people_->substr(0, people_->size() / 2)), 400, "cut short");
}

TEST_F(Serving, KeepsAConnectionForTheNextRequest) {
  CheckedClient client(server_.port());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.request("GET", "/test").status, 200);
}

TEST_F(Serving, ARefusalWithoutBodyKeepsTheConnection) {
  CheckedClient client(server_.port());
  const auto refused = client.request("GET", "/nowhere");
  EXPECT_EQ(refused.status, 404);
  EXPECT_EQ(refused.headers.count("connection"), 0u);
  EXPECT_EQ(client.request("GET", "/test").status, 200);
}

TEST_F(Serving, ARefusalBeforeTheBodyWasReadSaysThatTheConnectionEnds) {
  CheckedClient client(server_.port());
  const auto refused = client.request("POST", "/nowhere", kPng, "some bytes");
  EXPECT_EQ(refused.status, 404);
  EXPECT_EQ(refused.headers.at("connection"), "close");
  EXPECT_TRUE(client.ended());
}

TEST_F(Serving, TheBodyOfAGetIsNotTakenAsTheNextRequest) {
  CheckedClient client(server_.port());
  const std::string smuggled = "GET /model HTTP/1.1\r\nHost: localhost\r\n\r\n";
  client.send(
      fmt::format("GET /test HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{}", smuggled.size(), smuggled));
  EXPECT_EQ(client.read().body, R"({"status":"ok"})");
  EXPECT_EQ(client.request("GET", "/labels").body.substr(0, 10), R"({"labels":)");
}

TEST_F(Serving, RefusesABodyBeforeItAsksForIt) {
  CheckedClient client(server_.port());
  client.send("POST /predict HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n\r\n");
  expect_refused(client.read(), 413, "the body has 99999999 bytes");
}

TEST_F(Serving, AnOldClientIsNotAskedForItsBody) {
  CheckedClient client(server_.port());
  client.send("POST /predict HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc");
  expect_refused(client.read(), 415, "the image must be PNG, JPEG or WEBP");
}

TEST_F(Serving, HeadGivesTheHeadersOfGet) {
  CheckedClient client(server_.port());
  client.send("HEAD /test HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  const std::string text = client.rest();
  EXPECT_THAT(text, testing::HasSubstr("Content-Length: 15\r\n"));
  EXPECT_THAT(text, testing::EndsWith("\r\n\r\n"));
}

TEST_F(Serving, WholeAddressesAsProxiesSendThemAreUnderstood) {
  EXPECT_EQ(request("GET", "http://localhost/test").body, R"({"status":"ok"})");
}

TEST_F(Serving, AHeadThatIsTooLongIsRefused) {
  expect_refused(request("GET", "/test", "X-Long: " + std::string(20000, 'a') + "\r\n"), 431,
                 "the head of the request is too long");
  expect_refused(request("GET", "/" + std::string(9000, 'a')), 414, "the address is too long");
}

TEST_F(Serving, ASecondDifferentContentLengthIsRefused) {
  CheckedClient client(server_.port());
  client.send("POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd");
  expect_refused(client.read(), 400, "not well formed");
}

TEST_F(Serving, PicturesOfOtherFormatsAreRefused) {
  for (const char* start : {"BM", "P5 9 9 255\n", "II*", "RIFF....WAVE"}) {
    expect_refused(request("POST", "/predict", kPng, start), 415, "PNG, JPEG or WEBP");
  }
}

TEST_F(Serving, APictureTooSmallForAFaceIsRefused) {
  const std::string tiny = encode_png(torch::zeros({1, 7, 9}, torch::kUInt8));
  expect_refused(request("POST", "/predict", kPng, tiny), 400, "smaller than 8x8 pixels");
}

TEST_F(Serving, AnswersSayWhichMethodAndTokenTheyMiss) {
  EXPECT_EQ(request("GET", "/predict").headers.at("allow"), "POST");
  EXPECT_EQ(request("POST", "/test", kPng, "x").headers.at("allow"), "GET, HEAD");
  HttpSettings settings = limits();
  settings.token = "open sesame";
  RunningServer server(*api_, settings);
  EXPECT_EQ(CheckedClient(server.port()).request("GET", "/model").headers.at("www-authenticate"), "Bearer");
}

TEST_F(Serving, PagesOfOtherSitesMayNotPost) {
  const std::string foreign = std::string(kPng) + "Origin: http://evil.example\r\n";
  expect_refused(request("POST", "/predict", foreign, *crop_), 403, "pages of other sites");
  expect_refused(request("POST", "/predict", std::string(kPng) + "Origin:\r\n", *crop_), 403, "pages of other sites");
  expect_refused(request("POST", "/predict", std::string(kPng) + "sec-fetch-site: Cross-Site\r\n", *crop_), 403, "");
  EXPECT_EQ(request("POST", "/predict", std::string(kPng) + "Origin: http://localhost\r\n", *crop_).status, 200);
}

TEST_F(Serving, AWholeAddressNamesTheHostThatCounts) {
  expect_refused(request("GET", "http://evil.example/test"), 403, "localhost only");
  EXPECT_EQ(request("GET", "HTTP://LOCALHOST/test", "Host: LocalHost\r\n").status, 200);
}

TEST_F(Serving, ARequestThatAsksTwoHostsIsRefused) {
  expect_refused(request("GET", "/test", "Host: localhost\r\nHost: localhost\r\n"), 400, "more than one");
  const auto origins = "Host: localhost\r\nOrigin: http://localhost\r\norigin: http://evil.example\r\n";
  expect_refused(request("GET", "/test", origins), 400, "more than one header Origin");
  CheckedClient client(server_.port());
  client.send("GET /test HTTP/1.1\r\n\r\n");
  expect_refused(client.read(), 400, "Host is missing");
}

TEST_F(Serving, ListensOnTheSixthVersionOfTheProtocolToo) {
  HttpSettings settings = limits();
  settings.host = "[::1]";
  RunningServer server(*api_, settings);
  EXPECT_EQ(server.url(), fmt::format("http://[::1]:{}/", server.port()));
}

TEST_F(Serving, AHostThatIsNoneIsSaid) {
  HttpSettings settings = limits();
  settings.host = "no such host";
  EXPECT_THAT(message_of([&] { HttpServer(*api_, settings); }),
              testing::HasSubstr("--host no such host: is no address"));
  settings.host = "192.0.2.1";
  EXPECT_THAT(message_of([&] { HttpServer(*api_, settings); }), testing::HasSubstr("not an address of this machine"));
}

TEST_F(Serving, StoppingFinishesTheRequestInHand) {
  RunningServer server(*api_, limits());
  CheckedClient client(server.port());
  client.send("POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nExpect: 100-continue\r\n" +
              fmt::format("Content-Length: {}\r\n\r\n", people_->size()));
  EXPECT_EQ(client.read().status, 100);
  std::thread stopper([&] { server.stop(); });
  client.send(*people_);
  EXPECT_EQ(client.read().status, 200);
  stopper.join();
  EXPECT_THROW(CheckedClient(server.port()).request("GET", "/test"), std::runtime_error);
}

TEST_F(Serving, WhatHasArrivedBeforeTheStopIsAnswered) {
  for (int i = 0; i < 4; ++i) {
    RunningServer server(*api_, limits());
    CheckedClient kept(server.port()), fresh(server.port());
    EXPECT_EQ(kept.request("GET", "/test").status, 200);
    kept.send("GET /test HTTP/1.1\r\nHost: localhost\r\n\r\n");
    fresh.send("GET /test HTTP/1.1\r\nHost: localhost\r\n\r\n");
    server.stop();
    EXPECT_EQ(kept.read().status, 200);
    EXPECT_EQ(fresh.read().status, 200);
  }
}

TEST_F(Serving, ALinesEndAfterABodyIsNoRequest) {
  CheckedClient client(server_.port());
  EXPECT_EQ(client.request("POST", "/predict", kPng, *crop_).status, 200);
  client.send("\r\n");
  EXPECT_EQ(client.request("GET", "/test").status, 200);
}

TEST_F(Serving, ManyClientsAtOnceAllGetTheRightAnswer) {
  const std::string expected = request("POST", "/predict", kPng, *crop_).body;
  std::atomic<int> right{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 64; ++i) {
    clients.emplace_back([&] {
      CheckedClient client(server_.port());
      for (int k = 0; k < 2; ++k) right += client.request("POST", "/predict", kPng, *crop_).body == expected;
    });
  }
  for (auto& client : clients) client.join();
  EXPECT_EQ(right, 64 * 2);
}

/// Bytes changed, cut out, doubled and cut off by a keyed generator.
std::string mutated(const std::string& body, Rng& rng) {
  std::string out = body;
  const int64_t changes = 1 + rng.below(20);
  for (int64_t i = 0; i < changes && out.size() > 4; ++i) {
    const auto place = static_cast<size_t>(rng.below(static_cast<int64_t>(out.size())));
    const auto length = static_cast<size_t>(1 + rng.below(64));
    switch (rng.below(5)) {
      case 0:
        out[place] = static_cast<char>(rng.below(256));
        break;
      case 1:
        out.erase(place, length);
        break;
      case 2:
        out.insert(place, out.substr(place, length));
        break;
      case 3:
        out.resize(std::max<size_t>(place, 4));
        break;
      default:
        out[static_cast<size_t>(rng.below(std::min<int64_t>(64, static_cast<int64_t>(out.size()))))] ^=
            static_cast<char>(1 << rng.below(8));
    }
  }
  return out;
}

TEST_F(Serving, HostileBodiesGetAnAnswerAndHarmNothing) {
  Rng rng(7);
  const std::vector<std::pair<std::string, std::string>> seeds{
      {kPng, *crop_},
      {"Content-Type: image/jpeg\r\n", std::string("\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01", 13) + *crop_},
      {"Content-Type: image/webp\r\n", std::string("RIFF\x40\x00\x00\x00WEBPVP8 ", 16) + *crop_},
      {kJson, json{{"image", encode_base64(*crop_)}, {"goal", "any-to-sad"}, {"eps", "8/255"}}.dump()},
      {kForm, multipart("frontier", *crop_, {{"goal", "any-to-sad"}, {"steps", "2"}})}};
  for (int64_t i = 0; i < 500; ++i) {
    const auto& [headers, body] = seeds[static_cast<size_t>(i) % seeds.size()];
    const auto answer = request("POST", i % 3 == 0 ? "/attack?steps=1" : "/predict", headers, mutated(body, rng));
    EXPECT_TRUE(answer.status == 200 || (answer.status >= 400 && answer.status < 500)) << i << ": " << answer.status;
    EXPECT_TRUE(json::accept(answer.body)) << i;
  }
  EXPECT_EQ(request("GET", "/test").status, 200);
}

TEST_F(Serving, BrokenRequestLinesHarmNothing) {
  const std::vector<std::string> lines{"\r\n\r\n",
                                       "GET\r\n\r\n",
                                       std::string("\0\0\0\0\r\n\r\n", 8),
                                       "GET /test HTTP/9.9\r\n\r\n",
                                       "GET " + std::string(20000, 'a') + " HTTP/1.1\r\n\r\n",
                                       "GET /test HTTP/1.1\r\n" + std::string(20000, 'h') + "\r\n\r\n"};
  HttpSettings settings = limits();
  settings.request_seconds = 0.5;  // how long it waits for more behind blank lines
  const RunningServer server(*api_, settings);
  for (const auto& line : lines) {
    CheckedClient client(server.port());
    client.send(line);
    const auto answer = client.read();
    EXPECT_TRUE(answer.status == 0 || answer.status >= 400) << answer.status;
  }
  EXPECT_EQ(CheckedClient(server.port()).request("GET", "/test").status, 200);
}

class ServingWithLimits : public Serving {};

TEST_F(ServingWithLimits, ATokenIsAskedForEverythingButThePage) {
  HttpSettings settings = limits();
  settings.token = "open sesame";
  RunningServer server(*api_, settings);
  for (const char* path : {"/", "/page.js", "/docs", "/openapi.json", "/test"}) {
    EXPECT_EQ(CheckedClient(server.port()).request("GET", path).status, 200) << path;
  }
  for (const char* path : {"/models", "/samples", "/metrics"}) {
    expect_refused(CheckedClient(server.port()).request("GET", path), 401, "Authorization: Bearer TOKEN");
  }
  expect_refused(CheckedClient(server.port()).request("GET", "/model"), 401, "Authorization: Bearer TOKEN");
  expect_refused(CheckedClient(server.port()).request("GET", "/model", "Authorization: Bearer open sesamf\r\n"), 401,
                 "");
  EXPECT_EQ(CheckedClient(server.port()).request("GET", "/model", "Authorization: Bearer open sesame\r\n").status, 200);
}

TEST_F(ServingWithLimits, PagesOfASiteThatWasLetInMayAskAndPost) {
  HttpSettings settings = limits();
  settings.origins = {"http://localhost:3000", "null"};
  settings.token = "open sesame";
  const RunningServer server(*api_, settings);
  const auto ask = [&](const std::string& method, const std::string& path, const std::string& headers,
                       const std::string& body = "") {
    return CheckedClient(server.port()).request(method, path, headers, body);
  };
  const auto asked = ask("OPTIONS", "/predict", kPreflight);
  EXPECT_EQ(asked.status, 204);
  EXPECT_EQ(asked.body, "");
  EXPECT_EQ(asked.headers.at("access-control-allow-origin"), "http://localhost:3000");
  EXPECT_EQ(asked.headers.at("access-control-allow-methods"), "POST");
  EXPECT_EQ(asked.headers.at("access-control-allow-headers"), "Authorization, Content-Type");
  EXPECT_EQ(asked.headers.at("vary"), "Origin");
  EXPECT_EQ(ask("OPTIONS", "/elsewhere", kPreflight).status, 404);

  for (const std::string origin : {"http://localhost:3000", "null"}) {
    const std::string from = "Origin: " + origin + "\r\nSec-Fetch-Site: cross-site\r\n" + kPng;
    const auto read = ask("POST", "/predict", from + "Authorization: Bearer open sesame\r\n", *crop_);
    EXPECT_EQ(read.status, 200) << read.body;
    EXPECT_EQ(read.headers.at("access-control-allow-origin"), origin);
    const auto unknown = ask("POST", "/predict", from, *crop_);
    EXPECT_EQ(unknown.status, 401);
    EXPECT_EQ(unknown.headers.at("access-control-allow-origin"), origin) << "the page has to see why";
  }
  for (const char* origin : {"http://localhost:3001", "https://localhost:3000", "http://localhost:3000.evil.example"}) {
    const std::string from = fmt::format("Origin: {}\r\nSec-Fetch-Site: cross-site\r\n", origin);
    const auto read = ask("POST", "/predict", from + kPng + "Authorization: Bearer open sesame\r\n", *crop_);
    EXPECT_EQ(read.status, 403) << origin;
    EXPECT_EQ(read.headers.count("access-control-allow-origin"), 0u) << origin;
    EXPECT_EQ(ask("OPTIONS", "/predict", from + "Access-Control-Request-Method: POST\r\n").status, 405) << origin;
  }
}

TEST_F(ServingWithLimits, AServerSaysThatItLivesAndWhetherItTakesWork) {
  Api api(load_checkpoint(resolve_model("standard")), api_settings());
  RunningServer server(api, limits());
  CheckedClient client(server.port());
  EXPECT_EQ(client.request("GET", "/healthz").body, client.request("GET", "/test").body);
  const auto working = client.request("GET", "/readyz");
  ASSERT_EQ(working.status, 200) << working.body;
  EXPECT_EQ(json::parse(working.body), json({{"status", "ready"}, {"waiting", 0}, {"workers", 1}}));
  api.announce_stop();
  const auto answer = client.request("GET", "/readyz");
  EXPECT_EQ(answer.status, 503);
  EXPECT_THAT(answer.body, testing::HasSubstr("the server is stopping"));
  EXPECT_EQ(client.request("GET", "/healthz").status, 200);
}

TEST_F(ServingWithLimits, TooManyRequestsAreSlowedDown) {
  HttpSettings settings = limits();
  settings.rate = 1;
  RunningServer server(*api_, settings);
  std::vector<int> statuses;
  for (int i = 0; i < 4; ++i) statuses.push_back(CheckedClient(server.port()).request("GET", "/test").status);
  EXPECT_EQ(statuses[0], 200);
  EXPECT_EQ(statuses[3], 429);
}

TEST_F(ServingWithLimits, ASlowRateStillLetsTheFirstRequestThrough) {
  HttpSettings settings = limits();
  settings.rate = 0.1;
  RunningServer server(*api_, settings);
  EXPECT_EQ(CheckedClient(server.port()).request("GET", "/test").status, 200);
  EXPECT_EQ(CheckedClient(server.port()).request("GET", "/test").status, 429);
}

TEST_F(ServingWithLimits, ConnectionsBeyondTheLimitAreTurnedAway) {
  HttpSettings settings = limits();
  settings.most_connections = 1;
  RunningServer server(*api_, settings);
  CheckedClient first(server.port());
  EXPECT_EQ(first.request("GET", "/test").status, 200);
  CheckedClient second(server.port());
  expect_refused(second.read(), 503, "too many connections");
}

TEST_F(ServingWithLimits, ConnectionsThatWaitForAThreadAtTheStopAreAnswered) {
  HttpSettings settings = limits();
  settings.most_connections = 1;
  RunningServer server(*api_, settings);
  const auto connected = [&](int count) {
    std::vector<std::unique_ptr<CheckedClient>> clients;
    for (int i = 0; i < count; ++i) clients.push_back(std::make_unique<CheckedClient>(server.port()));
    return clients;
  };
  auto held = connected(1);
  EXPECT_EQ(held[0]->request("GET", "/test").status, 200);
  held[0]->send("GET /test HTTP/1.1\r\n");
  const auto lingering = connected(32);  // each takes a spare thread for a second
  for (const auto& client : lingering) EXPECT_EQ(client->read().status, 503);
  auto waiting = connected(40);
  for (const auto& client : waiting) client->send("GET /test HTTP/1.1\r\nHost: localhost\r\n\r\n");
  std::thread stopper([&] { server.stop(); });
  int answered = 0;
  for (auto& client : waiting) {
    try {
      answered += client->read().status == 503;
    } catch (const std::runtime_error&) {  // reset
    }
    client.reset();
  }
  held.clear();
  stopper.join();
  EXPECT_EQ(answered, 40);
}

TEST_F(ServingWithLimits, ARequestThatTricklesInIsGivenUp) {
  HttpSettings settings = limits();
  settings.request_seconds = 0.3;
  RunningServer server(*api_, settings);
  CheckedClient client(server.port());
  client.send("POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc");
  expect_refused(client.read(), 408, "took too long to arrive");
  EXPECT_TRUE(client.ended());
}

TEST_F(ServingWithLimits, AHeadSentByteByByteDoesNotPutTheDeadlineOff) {
  HttpSettings settings = limits();
  settings.request_seconds = 0.3;
  RunningServer server(*api_, settings);
  CheckedClient client(server.port());
  client.send("GET /test HTTP/1.1\r\nX-Long: ");
  for (int i = 0; i < 10; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    client.send("a");
  }
  expect_refused(client.read(), 408, "took too long to arrive");
}

TEST_F(ServingWithLimits, AnAnswerThatTakesLongerThanTheRequestMayTakeStillArrives) {
  HttpSettings settings = limits();
  settings.request_seconds = 0.05;
  RunningServer server(*api_, settings);
  const auto answer =
      CheckedClient(server.port()).request("POST", "/attack?goal=any-to-disgust&eps=1/255&steps=50", kPng, *crop_);
  EXPECT_EQ(answer.status, 200) << answer.body;
}

TEST_F(ServingWithLimits, WorkThatTakesTooLongIsEndedAndCounted) {
  ApiSettings hasty = api_settings();
  hasty.work_seconds = 0.5;  // the attack needs more; a busy machine turns nothing away before
  hasty.most_steps = 100000;
  Api api(load_checkpoint(resolve_model("standard")), hasty);
  RunningServer server(api, limits());
  const auto answer =
      CheckedClient(server.port()).request("POST", "/attack?goal=any-to-disgust&eps=1/255&steps=100000", kPng, *crop_);
  expect_refused(answer, 503, "took longer than 0.5 seconds");
  EXPECT_EQ(answer.headers.at("retry-after"), "1");
  CheckedClient client(server.port());
  std::string metrics;
  const std::string line = "fercli_requests_total{path=\"/attack\",status=\"503\"} 1";
  for (int i = 0; i < 1000 && metrics.find(line) == std::string::npos; ++i) {
    metrics = client.request("GET", "/metrics").body;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_THAT(metrics, testing::HasSubstr(line));
  EXPECT_THAT(metrics, testing::Not(testing::HasSubstr("path=\"/attack\",status=\"200\"")));
}

TEST_F(ServingWithLimits, TimesBeyondAnyClockAreNoLimit) {
  ApiSettings patient = api_settings();
  patient.work_seconds = 1e10;
  HttpSettings settings = limits();
  settings.request_seconds = 1e10;
  Api api(load_checkpoint(resolve_model("standard")), patient);
  RunningServer server(api, settings);
  EXPECT_EQ(CheckedClient(server.port()).request("POST", "/predict", kPng, *crop_).status, 200);
}

TEST_F(ServingWithLimits, ThreeHundredConnectionsAtOnceAreAllAnswered) {
  std::atomic<int> answered{0};
  std::vector<std::unique_ptr<CheckedClient>> clients;
  for (int i = 0; i < 320; ++i) clients.push_back(std::make_unique<CheckedClient>(server_.port()));
  for (auto& client : clients) client->send("GET /test HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  for (auto& client : clients) {
    const int status = client->read().status;
    answered += status == 200 || status == 503;
    client.reset();
  }
  EXPECT_EQ(answered, 320);
}

/// While it lives, this process gets no more memory than for some threads.
class FewThreads {
 public:
  FewThreads() {
    getrlimit(RLIMIT_AS, &before_);
    std::ifstream file("/proc/self/statm");
    rlim_t pages = 0;
    file >> pages;
    rlimit now = before_;
    now.rlim_cur = pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE)) + (64 << 20);
    setrlimit(RLIMIT_AS, &now);
  }
  ~FewThreads() { setrlimit(RLIMIT_AS, &before_); }
  FewThreads(const FewThreads&) = delete;
  FewThreads& operator=(const FewThreads&) = delete;

 private:
  rlimit before_{};
};

TEST_F(ServingWithLimits, AServerThatGetsTooFewThreadsSaysSo) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer ends the program where it gets no memory";
#endif
  HttpSettings settings = limits();
  settings.port = 0;
  settings.most_connections = 512;
  std::string said;
  try {
    const FewThreads limit;
    const HttpServer server(*api_, settings);
  } catch (const RunError& error) {
    said = error.what();
  }
  EXPECT_THAT(said, testing::HasSubstr("of the 544 threads for connections; give a smaller --max-connections"));
}

TEST(LanesTest, WorkThatWouldBeLateIsTurnedAwayBeforeItStarts) {
  LaneSettings settings;
  settings.work_seconds = 0.4;
  Lanes lanes(settings);
  const auto nap = [](double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); };
  lanes.run("work", [&](FaceDetector&) { nap(0.25); });  // what is usual from now on
  std::atomic<int> started{0}, turned_away{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&] {
      try {
        lanes.run("work", [&](FaceDetector&) {
          ++started;
          while (static_cast<int>(lanes.waiting()) + turned_away < 3) nap(0.001);  // until the others have come
          nap(0.25);
        });
      } catch (const RequestError& error) {
        turned_away += error.status() == 503;
      }
    });
  }
  for (auto& client : clients) client.join();
  EXPECT_EQ(started, 1);
  EXPECT_EQ(turned_away, 3);
}

TEST(LanesTest, SeveralWorksShareTheLanesAndEachFailsAlone) {
  LaneSettings settings;
  settings.count = 2;
  settings.runtime.threads = 1;
  Lanes lanes(settings);
  std::atomic<int> inside{0}, most{0};
  std::vector<Lanes::Work> works;
  for (int i = 0; i < 6; ++i) {
    works.emplace_back([&, i](FaceDetector&) {
      const int now = ++inside;
      for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(30));
      --inside;
      if (i == 3) throw RequestError(400, "the fourth");
    });
  }
  const auto failures = lanes.run_all("pictures", works);
  EXPECT_EQ(most, 2);
  for (size_t i = 0; i < failures.size(); ++i) EXPECT_EQ(failures[i] != nullptr, i == 3) << i;
}

TEST(LanesTest, AFreeLaneTriesWorkHoweverLongItsLikeTook) {
  LaneSettings settings;
  settings.work_seconds = 0.05;
  Lanes lanes(settings);
  int runs = 0;
  for (int i = 0; i < 3; ++i) {
    lanes.run("work", [&](FaceDetector&) {
      ++runs;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    });
  }
  EXPECT_EQ(runs, 3);
}

TEST(ServeCommand, ASignalLetsTheAttackInHandComeToItsEnd) {
  const int port = 17860 + static_cast<int>(getpid() % 4000);
  const std::string crop = encode_png(read_dataset("synthetic:n=1,seed=5,classes=happy").images[0]);
  std::unique_ptr<CheckedClient> client;
  const auto sent = [&] {
    try {
      client = std::make_unique<CheckedClient>(port);
    } catch (const std::runtime_error&) {
      return false;  // not up yet
    }
    EXPECT_EQ(client->request("GET", "/test").status, 200);
    client->send(
        fmt::format("POST /attack?goal=any-to-disgust&eps=1/255&steps=50 HTTP/1.1\r\nHost: localhost\r\n"
                    "Content-Type: image/png\r\nContent-Length: {}\r\n\r\n{}",
                    crop.size(), crop));
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    return true;
  };
  const auto run = run_fercli(
      {"serve", "--model", "robust", "--port", std::to_string(port), "--threads", "1", "--work-timeout", "600"}, sent,
      SIGTERM);
  EXPECT_EQ(run.exit_code, 0) << run.err;
  const auto answer = client->read();
  EXPECT_EQ(answer.status, 200) << answer.body;
}

TEST(ServeCommand, AnOriginIsASiteWithoutPathOrStar) {
  for (const char* origin : {"*", "localhost:3000", "http://localhost:3000/", "ftp://a.example", "http://",
                             "http://a:b", "http://a.example:99999", "https://*.example.org"}) {
    const auto run = run_in_process({"serve", "--cors", origin});
    EXPECT_EQ(run.exit_code, 2) << origin;
    EXPECT_THAT(run.err, testing::HasSubstr(fmt::format("fercli serve: --cors {}: must be an origin such as", origin)));
  }
  EXPECT_EQ(parse_origin("HTTPS://Example.org:443"), "https://example.org");
  EXPECT_EQ(parse_origin("http://[::1]:3000"), "http://[::1]:3000");
  EXPECT_EQ(parse_origin("null"), "null");
}

TEST(ServeCommand, OtherHostsDemandATokenOrAWord) {
  const auto result = run_in_process({"serve", "--host", "0.0.0.0"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, testing::HasSubstr("give --token-file FILE, set FERCLI_TOKEN, or give --insecure"));
}

TEST(ServeCommand, ATokenHasEightCharactersWhereverItComesFrom) {
  const ScratchFolder folder;
  write_file(folder / "token", "short\nand much more below\n");
  const std::string file = (folder / "token").string();
  EXPECT_THAT(run_in_process({"serve", "--token", "short"}).err, testing::HasSubstr("must have 8 to 1024 characters"));
  EXPECT_THAT(run_in_process({"serve", "--token-file", file}).err, testing::HasSubstr("in its first line must have 8"));
  setenv("FERCLI_TOKEN", "short", 1);
  EXPECT_THAT(run_in_process({"serve"}).err, testing::HasSubstr("the token in FERCLI_TOKEN must have 8"));
  unsetenv("FERCLI_TOKEN");
  EXPECT_THAT(run_in_process({"serve", "--token-file", "nowhere"}).err, testing::HasSubstr("nowhere: no such file"));
  EXPECT_THAT(run_in_process({"serve", "--token-file", file, "--token", "long enough"}).err,
              testing::HasSubstr("give one of them"));
}

TEST(ServeCommand, TheTokenOfAFileIsAskedFor) {
  const ScratchFolder folder;
  write_file(folder / "token", "open sesame\r\n");
  const int port = 21860 + static_cast<int>(getpid() % 4000);
  std::vector<int> statuses;
  const auto asked = [&] {
    try {
      CheckedClient client(port);
      statuses.push_back(client.request("GET", "/model").status);
      statuses.push_back(client.request("GET", "/model", "Authorization: Bearer open sesame\r\n").status);
      return true;
    } catch (const std::runtime_error&) {
      return false;  // not up yet
    }
  };
  run_fercli({"serve", "--token-file", (folder / "token").string(), "--port", std::to_string(port)}, asked, SIGTERM);
  EXPECT_EQ(statuses, (std::vector<int>{401, 200}));
}

TEST(ServeCommand, AFormOfManyPicturesNeedsOneConnection) {
  const int port = 25860 + static_cast<int>(getpid() % 4000);
  const std::string crop = encode_png(read_dataset("synthetic:n=1,seed=5,classes=happy").images[0]);
  std::vector<std::pair<std::string, std::string>> files;
  for (int i = 0; i < 12; ++i) files.emplace_back(std::to_string(i) + ".png", crop);
  HttpAnswer answer;
  const auto sent = [&] {
    try {
      CheckedClient client(port);
      answer = client.request("POST", "/predict", kForm, multipart_of_files("frontier", files));
      return true;
    } catch (const std::runtime_error&) {
      return false;  // not up yet
    }
  };
  run_fercli({"serve", "--model", "standard", "--port", std::to_string(port), "--threads", "1", "--max-connections",
              "2", "--work-timeout", "600"},
             sent, SIGTERM);
  ASSERT_EQ(answer.status, 200) << answer.body;
  const json answered = json::parse(answer.body);
  for (const auto& picture : answered.at("pictures")) {
    EXPECT_TRUE(picture.contains("predictions")) << picture;
  }
}

TEST(ServedNames, AreCutBeforeTheyAreEscaped) {
  EXPECT_EQ(shown_name("two\nlines"), "two\\u000alines");
  const std::string shown = shown_name("x" + std::string(9'000'000, '\x1b'));
  EXPECT_LT(shown.size(), 4100u);
  EXPECT_EQ(shown.substr(0, 7), "x\\u001b");
  EXPECT_EQ(shown.substr(shown.size() - 3), "…");
}

}  // namespace

}  // namespace fercli::test
