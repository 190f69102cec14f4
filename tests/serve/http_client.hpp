#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/text.hpp"

namespace fercli::test {

struct HttpAnswer {
  int status = 0;                              ///< 0: the connection broke before an answer came
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;
};

/// A connection to 127.0.0.1, as plain as can be: sends bytes, reads answers.
class HttpClient {
 public:
  explicit HttpClient(int port);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  bool send(const std::string& bytes);
  HttpAnswer read();
  std::string rest();  ///< all that comes until the other side closes
  bool ended();        ///< waits until the other side closes or sends

  /// One request with a Content-Length where there is a body. `headers`: whole lines, each ended with \r\n.
  HttpAnswer request(const std::string& method, const std::string& target, const std::string& headers = "",
                     const std::string& body = "");

 private:
  int socket_;
};

/// A form with one file and some fields.
std::string multipart(const std::string& boundary, const std::string& file,
                      const std::map<std::string, std::string>& fields = {});

inline HttpClient::HttpClient(int port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const timeval patience{30, 0};
  setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  if (connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    ::close(socket_);
    throw std::runtime_error("no connection");
  }
}

inline HttpClient::~HttpClient() {
  ::close(socket_);
}

inline bool HttpClient::send(const std::string& bytes) {
  for (size_t sent = 0; sent < bytes.size();) {
    const ssize_t count = ::send(socket_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) return false;
    sent += static_cast<size_t>(count);
  }
  return true;
}

inline HttpAnswer HttpClient::read() {
  std::string text;
  char buffer[65536];
  const auto more = [&] {
    const ssize_t count = recv(socket_, buffer, sizeof(buffer), 0);
    if (count > 0) text.append(buffer, static_cast<size_t>(count));
    return count > 0;
  };
  while (text.find("\r\n\r\n") == std::string::npos) {
    if (!more()) return {};
  }
  const size_t head = text.find("\r\n\r\n");
  HttpAnswer answer;
  answer.status = std::stoi(text.substr(9, 3));
  size_t line = text.find("\r\n") + 2;
  while (line < head + 2) {
    const size_t end = text.find("\r\n", line), colon = text.find(':', line);
    answer.headers[to_lower(text.substr(line, colon - line))] = trim(text.substr(colon + 1, end - colon - 1));
    line = end + 2;
  }
  const auto length = answer.headers.find("content-length");
  const size_t wanted = head + 4 + (length != answer.headers.end() ? std::stoul(length->second) : 0);
  while (text.size() < wanted) {
    if (!more()) return {};
  }
  answer.body = text.substr(head + 4, wanted - head - 4);
  return answer;
}

inline std::string HttpClient::rest() {
  std::string text;
  char buffer[65536];
  for (ssize_t count = 0; (count = recv(socket_, buffer, sizeof(buffer), 0)) > 0;) {
    text.append(buffer, static_cast<size_t>(count));
  }
  return text;
}

inline bool HttpClient::ended() {
  char letter;
  return recv(socket_, &letter, 1, 0) <= 0;
}

inline HttpAnswer HttpClient::request(const std::string& method, const std::string& target, const std::string& headers,
                                      const std::string& body) {
  const std::string length = method == "POST" ? "Content-Length: " + std::to_string(body.size()) + "\r\n" : "";
  const std::string host = headers.find("Host:") == std::string::npos ? "Host: localhost\r\n" : "";
  send(method + " " + target + " HTTP/1.1\r\n" + host + headers + length + "\r\n" + body);
  return read();
}

inline std::string multipart(const std::string& boundary, const std::string& file,
                             const std::map<std::string, std::string>& fields) {
  std::string body;
  for (const auto& [name, value] : fields) {
    body += "--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n";
  }
  body += "--" + boundary +
          "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"../../etc/face.png\"\r\n"
          "Content-Type: image/png\r\n\r\n" +
          file + "\r\n--" + boundary + "--\r\n";
  return body;
}

/// A form with several files, by their names.
inline std::string multipart_of_files(const std::string& boundary,
                                      const std::vector<std::pair<std::string, std::string>>& files) {
  std::string body;
  for (const auto& [name, bytes] : files) {
    body += "--" + boundary + "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" + name + "\"\r\n\r\n" +
            bytes + "\r\n";
  }
  return body + "--" + boundary + "--\r\n";
}

}  // namespace fercli::test
