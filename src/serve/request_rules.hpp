#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "serve/rate_limiter.hpp"

namespace fercli {

/// The parts of a request's head that decide whether its body is read. Texts are "" where a field is missing.
struct RequestFacts {
  std::string method, path, peer;
  bool has_host = false;
  std::string repeated;  ///< a field that may be given once and is given more often
  bool is_http_1_0 = false, has_transfer_encoding = false, has_origin = false;
  size_t target_bytes = 0;
  std::string host;  ///< of the whole address, else of the field Host; with its port
  std::string authorization, origin, fetch_site, content_length, content_encoding, expect;
  std::string asked_method;  ///< of a browser that asks before it sends what a page of another site wants to send
};

struct RuleSettings {
  std::string host;   ///< where the server listens
  std::string token;  ///< "": none is asked for
  int64_t most_bytes = 0;
  double rate = 0;
  std::vector<std::string> origins =
      {};  ///< of other sites whose pages may use the server, as `parse_origin` gives them
};

/// Who may ask for what. Any number of threads.
class RequestRules {
 public:
  explicit RequestRules(const RuleSettings& settings) : settings_(settings), limiter_(settings.rate) {}

  /// Throws RequestError: 429 too many requests, 400 no Host or more than one, 403 a foreign host or a page of another
  /// site, 414 a long address, 404 an unknown one, 405 another method, 401 no token, and what `check_body` throws.
  void check(const RequestFacts& facts);

  /// Whether pages of this origin were let in, besides the server's own.
  bool lets_in(const std::string& origin) const;

  /// Whether this request only asks whether such a page may send another.
  bool is_preflight(const RequestFacts& facts) const;

 private:
  void check_host(const RequestFacts& facts) const;
  void check_site(const RequestFacts& facts) const;
  void check_token(const RequestFacts& facts) const;
  void check_body(const RequestFacts& facts, bool is_post) const;  ///< 411, 413, 415, 400, 417

  RuleSettings settings_;
  RateLimiter limiter_;
};

/// An origin as browsers write it: "http://localhost:3000", "null" for pages opened from files. Throws UserError with
/// what is wrong for anything else.
std::string parse_origin(const std::string& text);

/// True for 127.0.0.0/8, ::1 and localhost, in any case; in brackets or not.
bool is_loopback(const std::string& host);

/// "localhost:7860" -> "localhost", "[::1]:7860" -> "::1"; "" where it is malformed or names a user.
std::string host_part(const std::string& authority);

}  // namespace fercli
