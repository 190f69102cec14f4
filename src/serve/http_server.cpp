#include "serve/http_server.hpp"

#include <fmt/format.h>
#include <netinet/tcp.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <limits>
#include <memory>
#include <system_error>
#include <thread>
#include <vector>

#include "core/error.hpp"
#include "core/notice.hpp"
#include "core/reason.hpp"
#include "core/text.hpp"
#include "serve/deadline_stream.hpp"
#include "serve/form.hpp"
#include "serve/request_rules.hpp"
#include "serve/routes.hpp"
#include "serve/upload.hpp"

namespace fercli {

namespace {

namespace http = boost::beast::http;
using HttpError = boost::system::error_code;
using HttpParser = http::request_parser<http::string_body>;
using HttpHead = http::request_header<>;

constexpr double kKeepAliveSeconds = 5;
constexpr double kLingerSeconds = 1;
constexpr size_t kRequestsPerConnection = 1000;
constexpr size_t kSpareThreads = 32;  ///< to turn connections away while all others are busy
constexpr uint32_t kMostHead = 16 << 10;
constexpr size_t kReadAhead = 64 << 10;
constexpr int kPollMilliseconds = 50, kFullMilliseconds = 2;
constexpr int kBacklog = 512;

/// Scripts, styles and pictures come from this server alone; cameras and uploads stay in the page.
constexpr const char* kContentPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A field of the head; "" where there is none.
template <class Name>
std::string header_of(const HttpHead& head, const Name& name) {
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

/// How a request ends.
struct Ending {
  std::string path;
  Clock::time_point start;  ///< when it had arrived
  bool keep, unread;        ///< the connection goes on; something of the request was not read
  std::string origin = "";  ///< of a page of another site that was let in
};

/// Lets the browser show the answer to a page of another site, and says what such a page may send.
void let_in(http::response<http::string_body>& response, const std::string& origin, const std::string& method) {
  response.set(http::field::access_control_allow_origin, origin);
  response.set(http::field::vary, "Origin");
  response.set(http::field::access_control_expose_headers, "Retry-After");
  if (response.result() != http::status::no_content) return;
  response.set(http::field::access_control_allow_methods, method);
  response.set(http::field::access_control_allow_headers, "Authorization, Content-Type");
  response.set("Access-Control-Allow-Private-Network", "true");
  response.set(http::field::access_control_max_age, "600");
}

/// Sends one answer. False when it could not be sent whole.
bool send_answer(DeadlineStream& stream, const HttpHead& head, const Ending& ending, ApiAnswer answer) {
  const std::string methods = method_of(ending.path) == "GET" ? "GET, HEAD" : "POST";
  http::response<http::string_body> response;
  response.result(static_cast<unsigned>(answer.status));
  response.version(head.version() == 10 ? 10 : 11);
  if (!answer.content_type.empty()) response.set(http::field::content_type, answer.content_type);
  response.set("X-Content-Type-Options", "nosniff");
  response.set("Content-Security-Policy", kContentPolicy);
  response.set("Referrer-Policy", "no-referrer");
  response.set(http::field::cache_control, "no-store");
  if (answer.status == 503 || answer.status == 429) response.set(http::field::retry_after, "1");
  if (answer.status == 401) response.set(http::field::www_authenticate, "Bearer");
  if (answer.status == 405) response.set(http::field::allow, methods);
  if (!ending.origin.empty()) let_in(response, ending.origin, methods);
  response.keep_alive(ending.keep);
  if (ending.keep) response.set("Keep-Alive", fmt::format("timeout={:g}", kKeepAliveSeconds));
  response.body() = std::move(answer.body);
  response.prepare_payload();
  if (answer.status == 204) response.erase(http::field::content_length);  // RFC 9110, 8.6
  HttpError error;
  if (head.method() == http::verb::head) {
    http::response_serializer<http::string_body> serializer(response);
    http::write_header(stream, serializer, error);
  } else {
    http::write(stream, response, error);
  }
  return !error;
}

/// Line ends before a request are no part of it (RFC 9112, 2.2).
HttpError skip_line_ends(DeadlineStream& stream, boost::beast::flat_buffer& buffer) {
  for (HttpError error;;) {
    const auto* bytes = static_cast<const char*>(buffer.data().data());
    while (buffer.size() > 0 && (*bytes == '\r' || *bytes == '\n')) {
      buffer.consume(1);
      bytes = static_cast<const char*>(buffer.data().data());
    }
    if (buffer.size() > 0 || error) return error;
    buffer.commit(stream.read_some(buffer.prepare(kReadAhead), error));
  }
}

/// Reads the body of a request that may be served. HTTP/1.0 knows no `100 Continue` (RFC 9110, 10.1.1).
HttpError read_body(DeadlineStream& stream, boost::beast::flat_buffer& buffer, HttpParser& parser) {
  HttpError error;
  if (parser.get().version() > 10 && to_lower(header_of(parser.get(), http::field::expect)) == "100-continue") {
    http::response<http::empty_body> go_on(http::status::continue_, 11);
    http::write(stream, go_on, error);
  }
  if (!error) http::read(stream, buffer, parser, error);
  return error;
}

/// Some clients end a body with a line's end that belongs to nothing (RFC 9112, 2.2).
void skip_empty_lines(boost::beast::flat_buffer& buffer) {
  const auto* bytes = static_cast<const char*>(buffer.data().data());
  size_t count = 0;
  while (count < buffer.size() && (bytes[count] == '\r' || bytes[count] == '\n')) ++count;
  buffer.consume(count);
}

/// The request as the Api takes it. Throws RequestError for a form that is not well formed.
ApiRequest call_of(HttpParser::value_type& request, const RequestTarget& target) {
  const auto method = request.method_string();
  ApiRequest call{{method.data(), method.size()}, target.path,   header_of(request, http::field::content_type),
                  std::move(request.body()),      target.fields, {}};
  const HeaderValue type = parse_header_value(call.content_type);
  if (type.value != "multipart/form-data") return call;
  const auto boundary = type.parameters.find("boundary");
  Form form = parse_multipart(call.body, boundary != type.parameters.end() ? boundary->second : "");
  call.files = std::move(form.files);
  for (auto& [name, value] : form.fields) call.fields[name] = std::move(value);
  return call;
}

/// The facts of a head that the rules ask for.
RequestFacts facts_of(const HttpHead& head, const RequestTarget& target, const std::string& peer) {
  const auto method = head.method_string();
  RequestFacts facts;
  facts.method = {method.data(), method.size()};
  facts.path = target.path;
  facts.peer = peer;
  facts.has_host = head.count(http::field::host) > 0;
  for (const char* once : {"Host", "Origin", "Authorization", "Sec-Fetch-Site", "Content-Length", "Content-Type",
                           "Content-Encoding", "Expect"}) {
    if (head.count(once) > 1) facts.repeated = once;
  }
  facts.is_http_1_0 = head.version() == 10;
  facts.has_transfer_encoding = head.count(http::field::transfer_encoding) > 0;
  facts.target_bytes = head.target().size();
  facts.host = target.authority.empty() ? header_of(head, http::field::host) : target.authority;
  facts.authorization = header_of(head, http::field::authorization);
  facts.has_origin = head.count(http::field::origin) > 0;
  facts.origin = header_of(head, http::field::origin);
  facts.fetch_site = to_lower(header_of(head, "Sec-Fetch-Site"));
  facts.content_length = header_of(head, http::field::content_length);
  facts.content_encoding = header_of(head, http::field::content_encoding);
  facts.expect = header_of(head, http::field::expect);
  facts.asked_method = header_of(head, http::field::access_control_request_method);
  return facts;
}

/// "[::1]" -> "::1".
std::string without_brackets(const std::string& host) {
  const bool in_brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  return in_brackets ? host.substr(1, host.size() - 2) : host;
}

/// A socket that listens at one address, or -1 with errno.
int listen_at(const addrinfo& place) {
  const int socket = ::socket(place.ai_family, place.ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (socket < 0) return -1;
  const int yes = 1;  // not SO_REUSEPORT: two servers would share a port, and each get some of the requests
  setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  if (bind(socket, place.ai_addr, place.ai_addrlen) == 0 && listen(socket, kBacklog) == 0) return socket;
  const int reason = errno;
  close(socket);
  errno = reason;
  return -1;
}

/// Listens at `host`:`port`, where a name has several addresses at the first of version 4. Throws UserError when they
/// cannot be had.
int listening_socket(const std::string& host, int64_t port) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  if (getaddrinfo(without_brackets(host).c_str(), std::to_string(port).c_str(), &hints, &found) != 0) {
    throw UserError(fmt::format("fercli serve: --host {}: is no address, and no name that is known here", host));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, freeaddrinfo);
  int reason = 0;
  for (const bool version_4 : {true, false}) {
    for (const addrinfo* place = found; place != nullptr; place = place->ai_next) {
      if ((place->ai_family == AF_INET) != version_4) continue;
      const int socket = listen_at(*place);
      if (socket >= 0) return socket;
      reason = errno;
    }
  }
  if (reason == EADDRNOTAVAIL) {
    throw UserError(fmt::format("fercli serve: --host {}: is not an address of this machine", host));
  }
  if (reason == EACCES) {
    throw UserError(
        fmt::format("fercli serve: --port {}: only root may listen there; 1024 to 65535 are free to all", port));
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

/// Threads that serve connections. Asio's own pool never ends where one of its threads cannot be had.
class ConnectionThreads {
 public:
  /// Throws RunError.
  explicit ConnectionThreads(size_t count) {
    threads_.reserve(count);
    try {
      while (threads_.size() < count) threads_.emplace_back([this] { context_.run(); });
    } catch (const std::system_error&) {
      const size_t had = threads_.size();
      join();
      throw RunError(fmt::format(
          "fercli serve: the system gives {} of the {} threads for connections; give a smaller --max-connections, or "
          "raise the limit (ulimit -u, or that of a container)",
          had, count));
    }
  }
  ~ConnectionThreads() { join(); }
  ConnectionThreads(const ConnectionThreads&) = delete;
  ConnectionThreads& operator=(const ConnectionThreads&) = delete;

  template <class Work>
  void post(Work work) {
    boost::asio::post(context_, std::move(work));
  }

  /// Waits until all that was posted is done.
  void join() {
    guard_.reset();
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }

 private:
  boost::asio::io_context context_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_{context_.get_executor()};
  std::vector<std::thread> threads_;
};

}  // namespace

struct HttpServer::State {
  State(Api& the_api, const HttpSettings& given)
      : api(the_api),
        settings(given),
        rules({given.host, given.token, given.most_bytes, given.rate, given.origins}),
        threads(static_cast<size_t>(given.most_connections) + kSpareThreads),
        listener(listening_socket(given.host, given.port)) {
    port = port_of(listener);
  }
  ~State() { close_listener(); }

  void close_listener();
  void accept_connections();
  void serve_connection(DeadlineStream& stream);
  void converse(DeadlineStream& stream);
  bool exchange(DeadlineStream& stream, boost::beast::flat_buffer& buffer, const std::string& address, bool is_last);
  void give_up(DeadlineStream& stream, const HttpHead& head, const HttpError& error);
  void turn_away(DeadlineStream& stream);
  bool wait_for_request(const DeadlineStream& stream) const;
  bool finish(DeadlineStream& stream, const HttpHead& head, const Ending& ending, ApiAnswer answer);

  Api& api;
  HttpSettings settings;
  RequestRules rules;
  std::atomic<int64_t> accepted{0}, connections{0};
  std::atomic<bool> draining{false};
  ConnectionThreads threads;
  int listener, port;
};

void HttpServer::State::close_listener() {
  if (listener >= 0) close(listener);
  listener = -1;
}

/// Answers, counts what was answered, and says whether the connection goes on.
bool HttpServer::State::finish(DeadlineStream& stream, const HttpHead& head, const Ending& ending, ApiAnswer answer) {
  const int status = answer.status;
  stream.set_deadline(settings.request_seconds);
  if (!send_answer(stream, head, ending, std::move(answer))) {
    api.metrics().count_undelivered();
    return false;
  }
  api.metrics().count_request(method_of(ending.path).empty() ? "other" : ending.path, status,
                              seconds_since(ending.start));
  if (ending.unread) stream.linger(kLingerSeconds);
  return ending.keep;
}

/// Ends a connection whose request could not be read.
void HttpServer::State::give_up(DeadlineStream& stream, const HttpHead& head, const HttpError& error) {
  ApiAnswer refusal = answer_to(error);
  if (refusal.status != 0) finish(stream, head, {"other", Clock::now(), false, true}, std::move(refusal));
}

/// One request and its answer. False when the connection is to end.
bool HttpServer::State::exchange(DeadlineStream& stream, boost::beast::flat_buffer& buffer, const std::string& address,
                                 bool is_last) {
  HttpParser parser;
  parser.header_limit(kMostHead);
  parser.body_limit(std::numeric_limits<uint64_t>::max());  // the rules have a sentence for it
  stream.set_deadline(settings.request_seconds);
  HttpError error = skip_line_ends(stream, buffer);
  if (!error) http::read_header(stream, buffer, parser, error);
  const HttpHead& head = parser.get();
  if (error) {
    give_up(stream, head, error);
    return false;
  }
  const auto text = head.target();
  const RequestTarget target = parse_target({text.data(), text.size()});
  const RequestFacts facts = facts_of(head, target, address);
  Ending ending{target.path, Clock::now(), false, announces_body(head),
                rules.lets_in(facts.origin) ? facts.origin : ""};
  ApiAnswer answer;
  try {
    rules.check(facts);
    stream.set_deadline(settings.request_seconds);
    error = read_body(stream, buffer, parser);
    if (error) {
      give_up(stream, head, error);
      return false;
    }
    ending.unread = false;
    ending.start = Clock::now();
    answer = rules.is_preflight(facts) ? ApiAnswer{204, "", ""} : api.answer(call_of(parser.get(), target));
  } catch (const RequestError& refusal) {
    answer = {refusal.status(), "application/json", error_json(refusal.what())};
  }
  ending.keep = parser.keep_alive() && !is_last && !draining && !ending.unread;
  return finish(stream, head, ending, std::move(answer));
}

bool HttpServer::State::wait_for_request(const DeadlineStream& stream) const {
  const auto start = Clock::now();
  do {  // also while draining: what has arrived is answered
    if (stream.readable_within(kPollMilliseconds)) return true;
  } while (!draining && seconds_since(start) < kKeepAliveSeconds);
  return false;
}

void HttpServer::State::converse(DeadlineStream& stream) {
  boost::beast::flat_buffer buffer(kMostHead + kReadAhead);
  const std::string address = stream.peer();
  for (size_t served = 1; served <= kRequestsPerConnection; ++served) {
    skip_empty_lines(buffer);
    if (buffer.size() == 0 && !wait_for_request(stream)) return;
    if (!exchange(stream, buffer, address, served == kRequestsPerConnection)) return;
  }
}

void HttpServer::State::turn_away(DeadlineStream& stream) {
  HttpHead nothing;
  nothing.version(11);
  finish(stream, nothing, {"other", Clock::now(), false, true},
         {503, "application/json", error_json("too many connections, try again")});
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
    warn(fmt::format("a connection ends: {}", reason_of(error)));
  }
  --connections;
}

void HttpServer::State::accept_connections() {
  const auto most = settings.most_connections + static_cast<int64_t>(kSpareThreads);
  int last = kBacklog;  // what the system has taken for us is served before the end
  while (!draining || last > 0) {
    if (accepted >= most) {  // all threads are taken: others wait in the system's queue
      std::this_thread::sleep_for(std::chrono::milliseconds(kFullMilliseconds));
      continue;
    }
    pollfd entry{listener, POLLIN, 0};
    if (poll(&entry, 1, draining ? 0 : kPollMilliseconds) <= 0) {
      if (draining) break;
      continue;
    }
    if (draining) --last;
    const int socket = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) {
      // No descriptors are left: the connection waits until another has ended.
      if (errno == EMFILE || errno == ENFILE) std::this_thread::sleep_for(std::chrono::milliseconds(kPollMilliseconds));
      continue;
    }
    const int yes = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    ++accepted;
    threads.post([this, stream = std::make_unique<DeadlineStream>(socket)]() mutable {
      serve_connection(*stream);
      stream.reset();
      --accepted;
    });
  }
  close_listener();
  threads.join();
}

HttpServer::HttpServer(Api& api, const HttpSettings& settings) : state_(std::make_unique<State>(api, settings)) {}

HttpServer::~HttpServer() = default;

int HttpServer::port() const {
  return state_->port;
}

std::string HttpServer::url() const {
  const std::string host = without_brackets(state_->settings.host);
  return fmt::format(host.find(':') == std::string::npos ? "http://{}:{}/" : "http://[{}]:{}/", host, port());
}

void HttpServer::serve() {
  state_->accept_connections();
}

void HttpServer::stop() {
  state_->api.announce_stop();
  state_->draining = true;
}

void HttpServer::serve_connection(int socket) {
  DeadlineStream stream(socket);
  state_->serve_connection(stream);
}

}  // namespace fercli
