#include "serve/routes.hpp"

#include <fmt/format.h>

#include "serve/api.hpp"
#include "serve/upload.hpp"

namespace fercli {

std::string method_of(const std::string& path) {
  const auto found = Api::routes().find(path);
  if (found != Api::routes().end()) return found->second.method;
  return page_file_at(path) != nullptr ? "GET" : "";
}

std::string check_route(const std::string& path, const std::string& method) {
  const std::string allowed = method_of(path);
  if (allowed.empty()) throw RequestError(404, "there is nothing at this address");
  if (method != allowed && !(method == "HEAD" && allowed == "GET")) {
    throw RequestError(405, fmt::format("{} takes {} only", path, allowed));
  }
  return allowed;
}

bool is_open(const std::string& path) {
  const auto found = Api::routes().find(path);
  return page_file_at(path) != nullptr || (found != Api::routes().end() && found->second.open);
}

const PageFile* page_file_at(const std::string& path) {
  if (path == "/") return find_page_file("index.html");
  if (path == "/docs") return find_page_file("docs.html");
  return path.empty() ? nullptr : find_page_file(path.substr(1));
}

}  // namespace fercli
