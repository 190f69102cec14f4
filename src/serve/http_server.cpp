#include "serve/http_server.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <httplib.h>
#include <poll.h>

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <thread>

#include "core/error.hpp"
#include "core/text.hpp"
#include "serve/upload.hpp"

namespace fercli {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kKeepAliveSeconds = 5;
constexpr size_t kRequestsPerConnection = 1000;
constexpr size_t kMostAddresses = 10000;  ///< remembered for the rate limit
constexpr size_t kSpareThreads = 8;       ///< to turn connections away while all others are busy
constexpr int kPollMilliseconds = 50;

/// Scripts, styles and pictures come from this server alone; cameras and uploads stay in the page.
constexpr const char* kContentPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A socket with one deadline for a whole request, so that nobody holds a thread by sending a byte now and then.
class DeadlineStream : public httplib::Stream {
 public:
  explicit DeadlineStream(socket_t socket) : socket_(socket) {}

  void set_deadline(Clock::time_point deadline) { deadline_ = deadline; }

  bool is_readable() const override { return ready(POLLIN); }
  bool is_writable() const override { return ready(POLLOUT); }

  ssize_t read(char* data, size_t size) override { return is_readable() ? recv(socket_, data, size, 0) : -1; }
  ssize_t write(const char* data, size_t size) override {
    return is_writable() ? send(socket_, data, size, MSG_NOSIGNAL) : -1;
  }

  void get_remote_ip_and_port(std::string& ip, int& port) const override { name(getpeername, ip, port); }
  void get_local_ip_and_port(std::string& ip, int& port) const override { name(getsockname, ip, port); }
  socket_t socket() const override { return socket_; }

  /// Something to read within `milliseconds`?
  bool readable_within(int milliseconds) const {
    pollfd entry{socket_, POLLIN, 0};
    return poll(&entry, 1, milliseconds) > 0;
  }

 private:
  bool ready(short events) const {
    for (;;) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now()).count();
      if (left <= 0) return false;
      pollfd entry{socket_, events, 0};
      const int result = poll(&entry, 1, static_cast<int>(left));
      if (result > 0) return true;
      if (result < 0 && errno != EINTR) return false;
    }
  }

  template <class Get>
  void name(Get get, std::string& ip, int& port) const {
    sockaddr_storage address{};
    socklen_t length = sizeof(address);
    char host[NI_MAXHOST] = "", service[NI_MAXSERV] = "0";
    if (get(socket_, reinterpret_cast<sockaddr*>(&address), &length) != 0) return;
    getnameinfo(reinterpret_cast<sockaddr*>(&address), length, host, sizeof(host), service, sizeof(service),
                NI_NUMERICHOST | NI_NUMERICSERV);
    ip = host;
    port = std::atoi(service);
  }

  socket_t socket_;
  Clock::time_point deadline_ = Clock::time_point::max();
};

/// Whether the connection in hand must end after this answer: set for every refusal, for its body was not read.
thread_local bool close_after_answer = false;

/// httplib's server with limits on connections and time.
class LimitedServer : public httplib::Server {
 public:
  LimitedServer(int64_t most_connections, double request_seconds)
      : most_connections_(most_connections), request_time_(request_seconds) {
    new_task_queue = [most_connections] {
      return new httplib::ThreadPool(static_cast<size_t>(most_connections) + kSpareThreads);
    };
  }

  void drain() { draining_ = true; }

 private:
  bool process_and_close_socket(socket_t socket) override {
    const int64_t open = ++connections_;
    DeadlineStream stream(socket);
    if (open > most_connections_) {
      turn_away(stream);
    } else {
      for (size_t served = 1; wait_for_request(stream) && answer(stream, served >= kRequestsPerConnection); ++served) {
      }
    }
    linger(stream);
    shutdown(socket, SHUT_RDWR);
    close(socket);
    --connections_;
    return true;
  }

  /// False when the connection is to end.
  bool answer(DeadlineStream& stream, bool is_last) {
    stream.set_deadline(Clock::now() + std::chrono::duration_cast<Clock::duration>(request_time_));
    bool closed = false;
    close_after_answer = false;
    // A range is a wish that a server may leave unheard (RFC 9110, 14.2); a thousand overlapping ones are an attack.
    const auto whole = [](httplib::Request& request) { request.ranges.clear(); };
    const bool well = process_request(stream, is_last || draining_, closed, whole);
    return well && !closed && !close_after_answer && !is_last;
  }

  bool wait_for_request(const DeadlineStream& stream) const {
    const auto end = Clock::now() + std::chrono::seconds(kKeepAliveSeconds);
    while (!draining_ && Clock::now() < end) {
      if (stream.readable_within(kPollMilliseconds)) return true;
    }
    return false;
  }

  void turn_away(DeadlineStream& stream) const {
    const std::string body = error_json("too many connections, try again");
    stream.set_deadline(Clock::now() + std::chrono::seconds(1));
    const std::string text = fmt::format(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: {}\r\n"
        "Retry-After: 1\r\nConnection: close\r\n\r\n{}",
        body.size(), body);
    stream.write(text.data(), text.size());
  }

  /// Reads a little of what the sender still sends: closing at once would throw the answer away on its way.
  static void linger(DeadlineStream& stream) {
    if (!close_after_answer) return;
    shutdown(stream.socket(), SHUT_WR);
    stream.set_deadline(Clock::now() + std::chrono::milliseconds(500));
    char waste[4096];
    for (int i = 0; i < 256 && stream.read(waste, sizeof(waste)) > 0; ++i) {
    }
  }

  int64_t most_connections_;
  std::chrono::duration<double> request_time_;
  std::atomic<int64_t> connections_{0};
  std::atomic<bool> draining_{false};
};

/// Token buckets, one per address.
class RateLimiter {
 public:
  explicit RateLimiter(double rate) : rate_(rate) {}

  bool allows(const std::string& address) {
    if (rate_ <= 0) return true;
    const std::lock_guard lock(mutex_);
    if (buckets_.size() >= kMostAddresses) buckets_.clear();
    const auto now = Clock::now();
    const double most = std::max(1.0, 2 * rate_);
    Bucket& bucket = buckets_.try_emplace(address, Bucket{most, now}).first->second;
    const double passed = std::chrono::duration<double>(now - bucket.time).count();
    bucket = {std::min(most, bucket.tokens + passed * rate_), now};
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }

 private:
  struct Bucket {
    double tokens;
    Clock::time_point time;
  };
  double rate_;
  std::mutex mutex_;
  std::map<std::string, Bucket> buckets_;
};

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

const char* status_sentence(int status) {
  switch (status) {
    case 400:
      return "the request is not well formed";
    case 404:
      return "there is nothing at this address";
    case 405:
      return "this method is not allowed here";
    case 413:
      return "the body is too long";
    case 414:
      return "the address is too long";
    case 416:
      return "this range is not available";
    default:
      return "the request cannot be served";
  }
}

}  // namespace

bool is_loopback(const std::string& host) {
  in_addr address{};
  const bool is_number = inet_pton(AF_INET, host.c_str(), &address) == 1;  // 127.example.com is none
  return host == "localhost" || host == "::1" || (is_number && ntohl(address.s_addr) >> 24 == 127);
}

struct HttpServer::State {
  State(Api& the_api, const HttpSettings& given)
      : api(the_api), settings(given), server(given.most_connections, given.request_seconds), limiter(given.rate) {}

  void refuse_early(const httplib::Request& request) const;
  void check_body(const httplib::Request& request) const;
  void answer(const httplib::Request& request, httplib::Response& response);
  static void fill(const ApiAnswer& answer, httplib::Response& response);
  void set_up();

  Api& api;
  HttpSettings settings;
  LimitedServer server;
  mutable RateLimiter limiter;
  int port = 0;
  std::atomic<bool> served{false};
};

void HttpServer::State::fill(const ApiAnswer& answer, httplib::Response& response) {
  response.status = answer.status;
  response.set_content(answer.body, answer.content_type);
  if (answer.status == 503 || answer.status == 429) response.set_header("Retry-After", "1");
}

void HttpServer::State::check_body(const httplib::Request& request) const {
  if (request.has_header("Transfer-Encoding") || !request.has_header("Content-Length")) {
    throw RequestError(411, "the body needs a Content-Length");
  }
  if (request.has_header("Content-Encoding")) throw RequestError(415, "packed bodies are not taken");
  const std::string length = request.get_header_value("Content-Length");
  if (length.empty() || length.size() > 18 || length.find_first_not_of("0123456789") != std::string::npos) {
    throw RequestError(400, "the Content-Length is not a number");
  }
  if (std::stoll(length) > settings.most_bytes) {
    throw RequestError(413, fmt::format("the body has {} bytes, more than {}", length, settings.most_bytes));
  }
}

void HttpServer::State::refuse_early(const httplib::Request& request) const {
  if (!limiter.allows(request.remote_addr)) throw RequestError(429, "too many requests, slow down");
  // A page of another site, whose name was made to point here, must not reach a server without token.
  if (settings.token.empty() && is_loopback(settings.host) &&
      !is_loopback(host_part(request.get_header_value("Host")))) {
    throw RequestError(403, "this server answers on localhost only");
  }
  const std::string allowed = Api::method_of(request.path);
  if (allowed.empty()) throw RequestError(404, status_sentence(404));
  if (request.method != allowed && !(request.method == "HEAD" && allowed == "GET")) {
    throw RequestError(405, fmt::format("{} takes {} only", request.path, allowed));
  }
  if (!settings.token.empty() && !Api::is_open(request.path) &&
      !same_secret(request.get_header_value("Authorization"), "Bearer " + settings.token)) {
    throw RequestError(401, "the header Authorization: Bearer TOKEN is missing or wrong");
  }
  if (allowed == "POST") check_body(request);
}

void HttpServer::State::answer(const httplib::Request& request, httplib::Response& response) {
  ApiRequest call{request.method, request.path, request.get_header_value("Content-Type"), request.body, {}, false, ""};
  for (const auto& [name, value] : request.params) call.fields[name] = value;
  for (const auto& [name, part] : request.files) {
    if (name == "file") {
      call.has_file = true;
      call.file = part.content;
    } else {
      call.fields[name] = part.content;
    }
  }
  fill(api.answer(call), response);
}

void HttpServer::State::set_up() {
  server.set_tcp_nodelay(true);
  // Not httplib's SO_REUSEPORT: two servers would share a port, and each get some of the requests.
  server.set_socket_options([](socket_t socket) {
    const int yes = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  });
  server.set_payload_max_length(static_cast<size_t>(settings.most_bytes));
  server.set_keep_alive_max_count(kRequestsPerConnection);
  server.set_default_headers({{"X-Content-Type-Options", "nosniff"},
                              {"Content-Security-Policy", kContentPolicy},
                              {"Referrer-Policy", "no-referrer"},
                              {"Cache-Control", "no-store"}});
  server.set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
    try {
      refuse_early(request);
      return httplib::Server::HandlerResponse::Unhandled;
    } catch (const RequestError& error) {
      const std::string path = Api::method_of(request.path).empty() ? "other" : request.path;
      api.metrics().count_request(path, error.status(), 0);
      fill({error.status(), "application/json", error_json(error.what())}, response);
      return httplib::Server::HandlerResponse::Handled;
    }
  });
  // Answers of httplib's own (a broken request line, a field without end) have no body yet.
  server.set_error_handler([](const httplib::Request&, httplib::Response& response) {
    close_after_answer = true;
    if (response.body.empty()) response.set_content(error_json(status_sentence(response.status)), "application/json");
  });
  const auto handler = [this](const httplib::Request& request, httplib::Response& response) {
    answer(request, response);
  };
  for (const char* path : {"/", "/page.js", "/page.css", "/openapi.json", "/test", "/labels", "/model", "/metrics"}) {
    server.Get(path, handler);
  }
  for (const char* path : {"/predict", "/attack"}) server.Post(path, httplib::Server::Handler(handler));
}

HttpServer::HttpServer(Api& api, const HttpSettings& settings) : state_(std::make_unique<State>(api, settings)) {
  state_->set_up();
  auto& server = state_->server;
  const bool bound = settings.port > 0 ? server.bind_to_port(settings.host, static_cast<int>(settings.port))
                                       : (state_->port = server.bind_to_any_port(settings.host)) > 0;
  if (!bound) {
    throw UserError(fmt::format("fercli serve: {}:{} cannot be had; is another server running there?", settings.host,
                                settings.port));
  }
  if (settings.port > 0) state_->port = static_cast<int>(settings.port);
}

HttpServer::~HttpServer() = default;

int HttpServer::port() const {
  return state_->port;
}

void HttpServer::serve() {
  state_->server.listen_after_bind();
  state_->served = true;
}

void HttpServer::stop() {
  state_->server.drain();
  // httplib forgets a stop that comes before it has begun to listen.
  while (!state_->server.is_running() && !state_->served) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  state_->server.stop();
}

}  // namespace fercli
