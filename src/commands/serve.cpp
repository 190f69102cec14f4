// fercli serve: the network over HTTP, with a web page.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "commands/options/model_options.hpp"
#include "core/command.hpp"
#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/files.hpp"
#include "core/interrupt.hpp"
#include "core/notice.hpp"
#include "core/options.hpp"
#include "core/progress.hpp"
#include "core/text.hpp"
#include "models/formats/import.hpp"
#include "serve/http_server.hpp"
#include "serve/request_rules.hpp"

namespace fercli::serve_command {

namespace {

constexpr auto kNap = std::chrono::milliseconds(50);
constexpr size_t kShortestToken = 8, kLongestToken = 1024;
constexpr const char* kTokenVariable = "FERCLI_TOKEN";

struct Arguments {
  ModelOptions model;
  ApiSettings api;
  HttpSettings http;
  std::string token_file;
  std::vector<std::string> origins;
  int64_t workers = 0;
  bool insecure = false, quiet = false;
  double most_megabytes = 16, most_megapixels = 16;
};

void declare(OptionSet& options, Arguments& a) {
  options.section("Network");
  a.model.model = "standard,robust";
  options.text("model,m", &a.model.model, "MODEL",
               "the networks served, separated by commas: shipped ones, checkpoints, foreign files; requests that name "
               "none mean the first");
  options.text("detector", &a.api.detector, "haar|FILE", "OpenCV's cascade, another cascade (.xml), or YuNet (.onnx)");
  options.number(
      "min-face", &a.api.smallest_face.pixels, "", at_least(24),
      "smallest face looked for, in pixels; without it a fortieth of the picture's shorter side, but at least 24");
  a.model.declare_foreign(options);
  options.section("Server");
  options.text("host", &a.http.host, "ADDRESS", "where to listen; other addresses than 127.0.0.1 ask for --token");
  options.integer("port,p", &a.http.port, between(0, 65535), "0: any free port, which is printed");
  options.text(
      "token", &a.http.token, "TOKEN",
      "clients must send the header `Authorization: Bearer TOKEN`; other users of this machine can see an option");
  options.text("token-file", &a.token_file, "FILE", "the same from the first line of a file; or set FERCLI_TOKEN");
  options.flag("insecure", &a.insecure, "listen on other addresses without a token");
  options.texts("cors", &a.origins, "ORIGIN",
                "let pages of this site use the server (https://example.org, http://localhost:3000; null: pages opened "
                "from files); without it none but the server's own");
  options.integer("workers", &a.workers, between(0, 1024),
                  "pictures worked on at the same time; 0: as many as --threads. They share the threads");
  options.section("Limits");
  options.number("max-body", &a.most_megabytes, "16", {0, 1024, true}, "size of a request in MiB");
  options.number("max-pixels", &a.most_megapixels, "16", {0, 400, true}, "size of an image in millions of pixels");
  options.integer("max-connections", &a.http.most_connections, between(1, 4096), "at the same time");
  options.number("rate", &a.http.rate, "200", at_least(0), "requests per second and client address; 0: no limit");
  options.number("timeout", &a.http.request_seconds, "20", above(0),
                 "seconds each for the head of a request, for its body, and for its answer to leave");
  options.number(
      "work-timeout", &a.api.work_seconds, "30", above(0),
      "seconds for the work on a request, the wait for its turn included; what would take longer is answered 503");
  options.flag("quiet,q", &a.quiet, "no remarks");
  a.model.declare_runtime(options, &a.api.runtime);
}

/// From --token, --token-file or the environment, in this order; "" when there is none.
std::string find_token(const Arguments& a, const OptionSet& options) {
  if (options.given("token") && options.given("token-file")) {
    options.fail("token-file", "goes not with --token; give one of them");
  }
  const char* variable = std::getenv(kTokenVariable);
  if (options.given("token-file")) {
    const std::string content = read_file(a.token_file);
    return trim(content.substr(0, content.find('\n')));
  }
  return options.given("token") || variable == nullptr ? a.http.token : variable;
}

void check_token(const std::string& token, const OptionSet& options) {
  const bool given = options.given("token") || options.given("token-file");
  if (token.empty() && !given) return;
  const bool sendable = std::all_of(token.begin(), token.end(), [](char c) { return c >= ' ' && c <= '~'; });
  if (token.size() >= kShortestToken && token.size() <= kLongestToken && sendable) return;
  const std::string allowed =
      fmt::format("must have {} to {} characters, all of them printable ASCII", kShortestToken, kLongestToken);
  if (options.given("token-file")) options.fail("token-file", "the token in its first line " + allowed);
  if (options.given("token")) options.fail("token", allowed);
  throw UserError(fmt::format("fercli serve: the token in {} {}", kTokenVariable, allowed));
}

void check(Arguments& a, const OptionSet& options) {
  a.http.token = find_token(a, options);
  check_token(a.http.token, options);
  if (!is_loopback(a.http.host) && a.http.token.empty() && !a.insecure) {
    options.fail("host",
                 "anyone who reaches this address could use the server; give --token-file FILE, set FERCLI_TOKEN, or "
                 "give --insecure");
  }
  a.http.most_bytes = static_cast<int64_t>(a.most_megabytes * (1 << 20));
  a.api.most_pixels = static_cast<int64_t>(a.most_megapixels * 1e6);
  for (const auto& origin : a.origins) {
    try {
      a.http.origins.push_back(parse_origin(origin));
    } catch (const UserError& error) {
      throw UserError(fmt::format("fercli serve: --cors {}: {}", origin, error.what()));
    }
  }
  // One thread per lane: many small requests gain more from lanes than from threads in each.
  const auto cores = std::max<int64_t>(1, static_cast<int64_t>(std::thread::hardware_concurrency()));
  const int64_t threads = a.api.runtime.threads > 0 ? a.api.runtime.threads : cores;
  a.api.lanes = a.workers > 0 ? a.workers : threads;
  a.api.runtime.threads = std::max<int64_t>(1, threads / a.api.lanes);
  // Of every connection a form of pictures; what may wait is bounded by its time.
  a.api.longest_queue = static_cast<size_t>(a.http.most_connections) * kMostFormParts;
}

/// The options about foreign files hold for each.
std::vector<NamedCheckpoint> load_models(const ModelOptions& given, const OptionSet& options) {
  std::vector<NamedCheckpoint> checkpoints;
  for (const auto& name : model_names(given.model)) {
    if (name.empty()) options.fail("model", "has an empty name in it");
    ModelOptions one = given;
    one.model = name;
    checkpoints.push_back({name, one.load_and_warn()});
  }
  return checkpoints;
}

int run(const std::vector<std::string>& arguments) {
  Arguments a;
  OptionSet options("serve", "", "Serve networks over HTTP, with a web page for camera and files.");
  declare(options, a);
  if (!options.parse(arguments)) return 0;
  check(a, options);
  silence_progress(a.quiet);
  prepare_machine(a.api.runtime);

  Api api(load_models(a.model, options), a.api);
  HttpServer server(api, a.http);
  print_text("fercli serve: {}\n", server.url());
  std::fflush(stdout);
  std::thread listener([&server] { server.serve(); });
  while (!interrupted()) std::this_thread::sleep_for(kNap);
  inform("finishing the requests in hand");
  server.stop();
  listener.join();
  return 0;
}

const Register<Command> registered{{"serve", "a network over HTTP, with a web page", run}};

}  // namespace

}  // namespace fercli::serve_command
