#pragma once

#include <string>

#include "serve/page_files.hpp"

namespace fercli {

/// The allowed method of an address, "GET" (and so HEAD) or "POST"; "" where there is nothing.
std::string method_of(const std::string& path);

/// The allowed method of an address that `method` may be used at. Throws RequestError 404 or 405.
std::string check_route(const std::string& path, const std::string& method);

/// Whether an address needs no token: the page, the description of the API, and the signs of life.
bool is_open(const std::string& path);

/// The file of the page at an address; nullptr where there is none.
const PageFile* page_file_at(const std::string& path);

}  // namespace fercli
