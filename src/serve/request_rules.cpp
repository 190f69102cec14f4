#include "serve/request_rules.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/text.hpp"
#include "serve/routes.hpp"
#include "serve/upload.hpp"

namespace fercli {

namespace {

constexpr size_t kMostTarget = 8192;
constexpr int64_t kLargestPort = 65535;

/// In a time that does not tell how much of it was right.
bool same_secret(const std::string& a, const std::string& b) {
  unsigned char difference = a.size() == b.size() ? 0 : 1;
  for (size_t i = 0; i < a.size(); ++i)
    difference |= static_cast<unsigned char>(a[i] ^ b[i % std::max<size_t>(1, b.size())]);
  return difference == 0;
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

/// Without the port that goes without saying.
std::string plain_authority(const std::string& authority, const std::string& scheme) {
  const std::string lower = to_lower(authority), port = scheme == "https" ? ":443" : ":80";
  return ends_with(lower, port) ? lower.substr(0, lower.size() - port.size()) : lower;
}

}  // namespace

std::string host_part(const std::string& authority) {
  if (authority.find('@') != std::string::npos) return "";
  if (authority.empty() || authority[0] != '[') return authority.substr(0, authority.find(':'));
  const size_t end = authority.find(']');
  return end == std::string::npos ? "" : authority.substr(1, end - 1);
}

std::string parse_origin(const std::string& text) {
  std::string lower = to_lower(text);
  const size_t scheme = lower.find("://");
  const std::string name = lower.substr(0, scheme);
  const std::string authority = scheme == std::string::npos ? "" : lower.substr(scheme + 3);
  const std::string port = authority.substr(std::min(authority.size(), authority.rfind(':') + 1));
  const bool sendable = authority.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-._:[]") == std::string::npos;
  const bool has_port =
      authority.find(':') == std::string::npos || authority.back() == ']' ||
      (!port.empty() && port.size() <= 5 && port.find_first_not_of("0123456789") == std::string::npos &&
       parse_integer(port) <= kLargestPort);
  if (lower == "null") return lower;
  if ((name != "http" && name != "https") || host_part(authority).empty() || !sendable || !has_port) {
    throw UserError("must be an origin such as https://example.org or http://localhost:3000, without a path, or null");
  }
  return name + "://" + plain_authority(authority, name);
}

bool is_loopback(const std::string& host) {
  const bool in_brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  const std::string name = to_lower(in_brackets ? host.substr(1, host.size() - 2) : host);
  in_addr address{};
  in6_addr address6{};
  if (inet_pton(AF_INET, name.c_str(), &address) == 1) return ntohl(address.s_addr) >> 24 == 127;
  if (inet_pton(AF_INET6, name.c_str(), &address6) == 1) {
    return IN6_IS_ADDR_LOOPBACK(&address6) || (IN6_IS_ADDR_V4MAPPED(&address6) && address6.s6_addr[12] == 127);
  }
  return name == "localhost" || name == "localhost.";  // 127.example.com is none
}

void RequestRules::check(const RequestFacts& facts) {
  if (!limiter_.allows(facts.peer)) throw RequestError(429, "too many requests, slow down");
  check_host(facts);
  if (facts.target_bytes > kMostTarget) throw RequestError(414, "the address is too long");
  if (is_preflight(facts)) {  // without token, which browsers keep back
    check_route(facts.path, facts.asked_method);
    return check_body(facts, false);
  }
  const bool is_post = check_route(facts.path, facts.method) == "POST";
  check_token(facts);
  if (is_post) check_site(facts);
  check_body(facts, is_post);
}

bool RequestRules::lets_in(const std::string& origin) const {
  return std::find(settings_.origins.begin(), settings_.origins.end(), to_lower(origin)) != settings_.origins.end();
}

bool RequestRules::is_preflight(const RequestFacts& facts) const {
  return facts.method == "OPTIONS" && !facts.asked_method.empty() && lets_in(facts.origin);
}

/// A page of another site, whose name was made to point here, must not reach a server without token.
void RequestRules::check_host(const RequestFacts& facts) const {
  if (!facts.repeated.empty()) throw RequestError(400, "the request has more than one header " + facts.repeated);
  if (!facts.has_host && !facts.is_http_1_0) throw RequestError(400, "the header Host is missing");
  if (facts.host.empty() && facts.is_http_1_0) return;  // no browser
  if (settings_.token.empty() && is_loopback(settings_.host) && !is_loopback(host_part(facts.host))) {
    throw RequestError(403, "this server answers on localhost only");
  }
}

/// A page of another site may have a browser send a form without asking. Browsers say so: the newer ones with
/// Sec-Fetch-Site, which no page can set, all of them with Origin. Other programs send neither.
void RequestRules::check_site(const RequestFacts& facts) const {
  if (lets_in(facts.origin)) return;
  bool own = facts.fetch_site == "same-origin" || facts.fetch_site == "none";
  if (facts.fetch_site.empty()) {
    const size_t scheme = facts.origin.find("://");
    const std::string name = to_lower(facts.origin.substr(0, scheme));
    own = (!facts.has_origin && facts.origin.empty()) ||
          (scheme != std::string::npos &&
           plain_authority(facts.origin.substr(scheme + 3), name) == plain_authority(facts.host, name));
  }
  if (!own) throw RequestError(403, "pages of other sites may not use this server");
}

void RequestRules::check_token(const RequestFacts& facts) const {
  if (settings_.token.empty() || is_open(facts.path)) return;
  const std::string& given = facts.authorization;
  const bool bearer = to_lower(given.substr(0, 7)) == "bearer ";
  if (!bearer || !same_secret(trim(given.substr(7)), trim(settings_.token))) {
    throw RequestError(401, "the header Authorization: Bearer TOKEN is missing or wrong");
  }
}

void RequestRules::check_body(const RequestFacts& facts, bool is_post) const {
  const std::string& length = facts.content_length;
  if (facts.has_transfer_encoding || (is_post && length.empty())) {
    throw RequestError(411, "the body needs a Content-Length");
  }
  if (!facts.content_encoding.empty() && to_lower(facts.content_encoding) != "identity") {
    throw RequestError(415, "packed bodies are not taken");
  }
  if (!facts.expect.empty() && to_lower(facts.expect) != "100-continue") {
    throw RequestError(417, "of the header Expect only 100-continue is understood");
  }
  if (length.empty()) return;
  if (length.size() > 18 || length.find_first_not_of("0123456789") != std::string::npos) {
    throw RequestError(400, "the Content-Length is not a number");
  }
  if (std::stoll(length) > settings_.most_bytes) {
    throw RequestError(413, fmt::format("the body has {} bytes, more than {}", length, settings_.most_bytes));
  }
}

}  // namespace fercli
