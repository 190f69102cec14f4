#pragma once

#include <string>

namespace fercli {

/// A file of the web page, built into the program from src/serve/page.
struct PageFile {
  const char* name;  ///< "index.html"
  const char* content_type;
  const unsigned char* data;
  size_t size;
};

/// nullptr when there is none of this name.
const PageFile* find_page_file(const std::string& name);

}  // namespace fercli
