#pragma once

#include <memory>
#include <string>

#include "serve/api.hpp"

namespace fercli {

struct HttpSettings {
  std::string host = "127.0.0.1";
  int64_t port = 7860;  ///< 0: any free one
  std::string token;    ///< "": none is asked for
  int64_t most_bytes = 16 << 20;
  int64_t most_connections = 96;
  std::vector<std::string> origins;  ///< of other sites whose pages may use the server, as `parse_origin` gives them
  double rate = 200;                 ///< requests per second and address, twice as many in a burst; 0: without limit
  double request_seconds = 20;       ///< each for a head to arrive, for a body, and for an answer to leave
};

/// The HTTP/1.1 face of an Api. Everything about a request that can be refused is refused before its body is read:
/// unknown addresses, missing tokens, too many requests, bodies that are too long, packed or of unknown length. No
/// file is read or written.
class HttpServer {
 public:
  /// The api must outlive the server. Throws UserError when the host or port cannot be had, RunError when its threads
  /// cannot.
  HttpServer(Api& api, const HttpSettings& settings);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  int port() const;
  std::string url() const;  ///< "http://127.0.0.1:7860/", "http://[::1]:7860/"

  /// Serves until `stop`; then finishes the requests it has begun.
  void serve();

  void stop();  ///< from any thread, before `serve` or during it

  /// Serves one connected socket to its end, as `serve` does those that it accepts, and closes it.
  void serve_connection(int socket);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fercli
