#include "serve/http_server.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <limits>
#include <memory>
#include <thread>

#include "core/error.hpp"
#include "core/progress.hpp"
#include "core/text.hpp"
#include "serve/deadline_stream.hpp"
#include "serve/form.hpp"
#include "serve/rate_limiter.hpp"
#include "serve/upload.hpp"

namespace fercli {

namespace {

namespace http = boost::beast::http;
using HttpError = boost::system::error_code;
using HttpParser = http::request_parser<http::string_body>;
using HttpHead = http::request_header<>;

constexpr double kKeepAliveSeconds = 5;
constexpr double kTurnAwaySeconds = 1;
constexpr double kLingerSeconds = 0.5;
constexpr size_t kRequestsPerConnection = 1000;
constexpr size_t kSpareThreads = 8;  ///< to turn connections away while all others are busy
constexpr size_t kMostTarget = 8192;
constexpr uint32_t kMostHead = 16 << 10;
constexpr size_t kReadAhead = 64 << 10;
constexpr int kPollMilliseconds = 50;
constexpr int kBacklog = 512;

/// Scripts, styles and pictures come from this server alone; cameras and uploads stay in the page.
constexpr const char* kContentPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// In a time that does not tell how much of it was right.
bool same_secret(const std::string& a, const std::string& b) {
  unsigned char difference = a.size() == b.size() ? 0 : 1;
  for (size_t i = 0; i < a.size(); ++i)
    difference |= static_cast<unsigned char>(a[i] ^ b[i % std::max<size_t>(1, b.size())]);
  return difference == 0;
}

/// "localhost:7860" -> "localhost", "[::1]:7860" -> "::1".
std::string host_part(const std::string& header) {
  if (!header.empty() && header[0] == '[') return header.substr(1, header.find(']') - 1);
  return header.substr(0, header.find(':'));
}

/// A field of the head; "" where there is none.
std::string header_of(const HttpHead& head, http::field name) {
  const auto value = head[name];
  return {value.data(), value.size()};
}

bool announces_body(const HttpHead& head) {
  const std::string length = header_of(head, http::field::content_length);
  return head.count(http::field::transfer_encoding) > 0 || length.find_first_not_of('0') != std::string::npos;
}

/// What to answer to a head or body that cannot be read. Status 0: nobody is there to be answered.
ApiAnswer answer_to(const HttpError& error) {
  const auto refusal = [](int status, const char* sentence) {
    return ApiAnswer{status, "application/json", error_json(sentence)};
  };
  if (error == boost::system::errc::timed_out) return refusal(408, "the request took too long to arrive");
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return refusal(431, "the head of the request is too long");
  }
  if (error == http::error::end_of_stream || error == http::error::partial_message ||
      error.category() != make_error_code(http::error::bad_method).category()) {
    return ApiAnswer{0, "", ""};
  }
  return refusal(400, "the request is not well formed");
}

/// Sends one answer. False when it could not be sent whole, or `keep` is: the connection is to end.
bool send_answer(DeadlineStream& stream, const HttpHead& head, ApiAnswer answer, bool keep) {
  http::response<http::string_body> response;
  response.result(static_cast<unsigned>(answer.status));
  response.version(head.version() == 10 ? 10 : 11);
  response.set(http::field::content_type, answer.content_type);
  response.set("X-Content-Type-Options", "nosniff");
  response.set("Content-Security-Policy", kContentPolicy);
  response.set("Referrer-Policy", "no-referrer");
  response.set(http::field::cache_control, "no-store");
  if (answer.status == 503 || answer.status == 429) response.set(http::field::retry_after, "1");
  response.keep_alive(keep);
  response.body() = std::move(answer.body);
  response.prepare_payload();
  HttpError error;
  if (head.method() == http::verb::head) {
    http::response_serializer<http::string_body> serializer(response);
    http::write_header(stream, serializer, error);
  } else {
    http::write(stream, response, error);
  }
  return keep && !error;
}

/// Reads the body of a request that may be served.
HttpError read_body(DeadlineStream& stream, boost::beast::flat_buffer& buffer, HttpParser& parser) {
  HttpError error;
  if (to_lower(header_of(parser.get(), http::field::expect)) == "100-continue") {
    http::response<http::empty_body> go_on(http::status::continue_, 11);
    http::write(stream, go_on, error);
  }
  if (!error) http::read(stream, buffer, parser, error);
  return error;
}

/// The request as the Api takes it. Throws RequestError for a form that is not well formed.
ApiRequest call_of(HttpParser::value_type& request, const RequestTarget& target) {
  const auto method = request.method_string();
  ApiRequest call{{method.data(), method.size()},
                  target.path,
                  header_of(request, http::field::content_type),
                  std::move(request.body()),
                  target.fields,
                  false,
                  ""};
  const HeaderValue type = parse_header_value(call.content_type);
  if (type.value != "multipart/form-data") return call;
  const auto boundary = type.parameters.find("boundary");
  for (auto& [name, part] : parse_multipart(call.body, boundary != type.parameters.end() ? boundary->second : "")) {
    if (name == "file") {
      call.has_file = true;
      call.file = std::move(part);
    } else {
      call.fields[name] = std::move(part);
    }
  }
  return call;
}

/// Listens at `host`:`port`. Throws UserError when they cannot be had.
int listening_socket(const std::string& host, int64_t port) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) == 0) {
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, freeaddrinfo);
    for (const addrinfo* place = found; place != nullptr; place = place->ai_next) {
      const int socket = ::socket(place->ai_family, place->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
      if (socket < 0) continue;
      const int yes = 1;  // not SO_REUSEPORT: two servers would share a port, and each get some of the requests
      setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
      if (bind(socket, place->ai_addr, place->ai_addrlen) == 0 && listen(socket, kBacklog) == 0) return socket;
      close(socket);
    }
  }
  throw UserError(fmt::format("fercli serve: {}:{} cannot be had; is another server running there?", host, port));
}

int port_of(int socket) {
  sockaddr_storage address{};
  socklen_t length = sizeof(address);
  getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length);
  const bool is_v6 = address.ss_family == AF_INET6;
  return ntohs(is_v6 ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                     : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

}  // namespace

bool is_loopback(const std::string& host) {
  in_addr address{};
  const bool is_number = inet_pton(AF_INET, host.c_str(), &address) == 1;  // 127.example.com is none
  return host == "localhost" || host == "::1" || (is_number && ntohl(address.s_addr) >> 24 == 127);
}

struct HttpServer::State {
  State(Api& the_api, const HttpSettings& given)
      : api(the_api), settings(given), limiter(given.rate), listener(listening_socket(given.host, given.port)) {
    port = port_of(listener);
  }
  ~State() { close_listener(); }

  void close_listener();
  void accept_connections();
  void serve_connection(DeadlineStream& stream);
  void converse(DeadlineStream& stream);
  bool exchange(DeadlineStream& stream, boost::beast::flat_buffer& buffer, const std::string& address, bool is_last);
  void give_up(DeadlineStream& stream, const HttpHead& head, const HttpError& error);
  void turn_away(DeadlineStream& stream) const;
  bool wait_for_request(const DeadlineStream& stream) const;
  void refuse_early(const HttpHead& head, const std::string& path, const std::string& address);
  void check_body(const HttpHead& head, bool is_post) const;

  Api& api;
  HttpSettings settings;
  RateLimiter limiter;
  int listener, port;
  std::atomic<int64_t> connections{0};
  std::atomic<bool> draining{false};
};

void HttpServer::State::close_listener() {
  if (listener >= 0) close(listener);
  listener = -1;
}

void HttpServer::State::check_body(const HttpHead& head, bool is_post) const {
  const std::string length = header_of(head, http::field::content_length);
  if (head.count(http::field::transfer_encoding) > 0 || (is_post && length.empty())) {
    throw RequestError(411, "the body needs a Content-Length");
  }
  if (head.count(http::field::content_encoding) > 0) throw RequestError(415, "packed bodies are not taken");
  if (length.empty()) return;
  if (length.size() > 18 || length.find_first_not_of("0123456789") != std::string::npos) {
    throw RequestError(400, "the Content-Length is not a number");
  }
  if (std::stoll(length) > settings.most_bytes) {
    throw RequestError(413, fmt::format("the body has {} bytes, more than {}", length, settings.most_bytes));
  }
}

void HttpServer::State::refuse_early(const HttpHead& head, const std::string& path, const std::string& address) {
  if (!limiter.allows(address)) throw RequestError(429, "too many requests, slow down");
  // A page of another site, whose name was made to point here, must not reach a server without token.
  if (settings.token.empty() && is_loopback(settings.host) &&
      !is_loopback(host_part(header_of(head, http::field::host)))) {
    throw RequestError(403, "this server answers on localhost only");
  }
  if (head.target().size() > kMostTarget) throw RequestError(414, "the address is too long");
  const std::string allowed = Api::method_of(path);
  if (allowed.empty()) throw RequestError(404, "there is nothing at this address");
  if (head.method_string() != allowed && !(head.method() == http::verb::head && allowed == "GET")) {
    throw RequestError(405, fmt::format("{} takes {} only", path, allowed));
  }
  if (!settings.token.empty() && !Api::is_open(path) &&
      !same_secret(header_of(head, http::field::authorization), "Bearer " + settings.token)) {
    throw RequestError(401, "the header Authorization: Bearer TOKEN is missing or wrong");
  }
  check_body(head, allowed == "POST");
}

/// Ends a connection whose request could not be read.
void HttpServer::State::give_up(DeadlineStream& stream, const HttpHead& head, const HttpError& error) {
  ApiAnswer refusal = answer_to(error);
  if (refusal.status == 0) return;
  api.metrics().count_request("other", refusal.status, 0);
  stream.set_deadline(kTurnAwaySeconds);
  send_answer(stream, head, std::move(refusal), false);
  stream.linger(kLingerSeconds);
}

/// One request and its answer. False when the connection is to end.
bool HttpServer::State::exchange(DeadlineStream& stream, boost::beast::flat_buffer& buffer, const std::string& address,
                                 bool is_last) {
  HttpParser parser;
  parser.header_limit(kMostHead);
  parser.body_limit(std::numeric_limits<uint64_t>::max());  // check_body has a sentence for it
  stream.set_deadline(settings.request_seconds);
  HttpError error;
  http::read_header(stream, buffer, parser, error);
  const HttpHead& head = parser.get();
  if (error) {
    give_up(stream, head, error);
    return false;
  }
  const auto text = head.target();
  const RequestTarget target = parse_target({text.data(), text.size()});
  bool unread = announces_body(head);
  ApiAnswer answer;
  try {
    refuse_early(head, target.path, address);
    error = read_body(stream, buffer, parser);
    if (error) {
      give_up(stream, head, error);
      return false;
    }
    unread = false;
    answer = api.answer(call_of(parser.get(), target));
  } catch (const RequestError& refusal) {
    answer = {refusal.status(), "application/json", error_json(refusal.what())};
    const std::string path = Api::method_of(target.path).empty() ? "other" : target.path;
    api.metrics().count_request(path, refusal.status(), 0);
  }
  stream.set_deadline(settings.request_seconds);
  const bool keep =
      send_answer(stream, head, std::move(answer), parser.keep_alive() && !is_last && !draining && !unread);
  if (unread) stream.linger(kLingerSeconds);
  return keep;
}

bool HttpServer::State::wait_for_request(const DeadlineStream& stream) const {
  const auto start = Clock::now();
  while (!draining && seconds_since(start) < kKeepAliveSeconds) {
    if (stream.readable_within(kPollMilliseconds)) return true;
  }
  return false;
}

void HttpServer::State::converse(DeadlineStream& stream) {
  boost::beast::flat_buffer buffer(kMostHead + kReadAhead);
  const std::string address = stream.peer();
  for (size_t served = 1; served <= kRequestsPerConnection; ++served) {
    if (buffer.size() == 0 && !wait_for_request(stream)) return;
    if (!exchange(stream, buffer, address, served == kRequestsPerConnection)) return;
  }
}

void HttpServer::State::turn_away(DeadlineStream& stream) const {
  stream.set_deadline(kTurnAwaySeconds);
  HttpHead nothing;
  nothing.version(11);
  send_answer(stream, nothing, {503, "application/json", error_json("too many connections, try again")}, false);
  stream.linger(kLingerSeconds);
}

/// Serves one connection from its beginning to its end.
void HttpServer::State::serve_connection(DeadlineStream& stream) {
  const int64_t open = ++connections;
  try {
    if (open > settings.most_connections) {
      turn_away(stream);
    } else {
      converse(stream);
    }
  } catch (const std::exception& error) {  // no memory left, for one
    warn(fmt::format("a connection ends: {}", error.what()));
  }
  --connections;
}

void HttpServer::State::accept_connections() {
  boost::asio::thread_pool threads(static_cast<size_t>(settings.most_connections) + kSpareThreads);
  while (!draining) {
    pollfd entry{listener, POLLIN, 0};
    if (poll(&entry, 1, kPollMilliseconds) <= 0) continue;
    const int socket = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) {
      // No descriptors are left: the connection waits until another has ended.
      if (errno == EMFILE || errno == ENFILE) std::this_thread::sleep_for(std::chrono::milliseconds(kPollMilliseconds));
      continue;
    }
    const int yes = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    boost::asio::post(threads,
                      [this, stream = std::make_shared<DeadlineStream>(socket)] { serve_connection(*stream); });
  }
  close_listener();
  threads.join();
}

HttpServer::HttpServer(Api& api, const HttpSettings& settings) : state_(std::make_unique<State>(api, settings)) {}

HttpServer::~HttpServer() = default;

int HttpServer::port() const {
  return state_->port;
}

void HttpServer::serve() {
  state_->accept_connections();
}

void HttpServer::stop() {
  state_->draining = true;
}

}  // namespace fercli
