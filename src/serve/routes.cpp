#include "serve/routes.hpp"

#include <fmt/format.h>

#include <map>

#include "serve/upload.hpp"

namespace fercli {

namespace {

/// Besides the files of the page.
const std::map<std::string, std::string>& methods() {
  static const std::map<std::string, std::string> table{
      {"/", "GET"},          {"/docs", "GET"},    {"/test", "GET"},    {"/labels", "GET"},   {"/model", "GET"},
      {"/models", "GET"},    {"/samples", "GET"}, {"/metrics", "GET"}, {"/predict", "POST"}, {"/attack", "POST"},
      {"/smallest", "POST"}, {"/healthz", "GET"}, {"/readyz", "GET"}};
  return table;
}

}  // namespace

std::string method_of(const std::string& path) {
  const auto found = methods().find(path);
  if (found != methods().end()) return found->second;
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
  return path == "/test" || path == "/healthz" || path == "/readyz" || page_file_at(path) != nullptr;
}

const PageFile* page_file_at(const std::string& path) {
  if (path == "/") return find_page_file("index.html");
  if (path == "/docs") return find_page_file("docs.html");
  return path.empty() ? nullptr : find_page_file(path.substr(1));
}

}  // namespace fercli
