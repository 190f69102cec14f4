#pragma once

#include <map>
#include <string>

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
  bool ended();  ///< waits until the other side closes or sends

  /// One request with a Content-Length where there is a body. `headers`: whole lines, each ended with \r\n.
  HttpAnswer request(const std::string& method, const std::string& target, const std::string& headers = "",
                     const std::string& body = "");

 private:
  int socket_;
};

/// A form with one file and some fields.
std::string multipart(const std::string& boundary, const std::string& file,
                      const std::map<std::string, std::string>& fields = {});

}  // namespace fercli::test
