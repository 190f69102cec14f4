// What users start as `fercli`. It answers --version and requests for help itself, since LibTorch takes half a second
// to load, and becomes the program proper (src/main.cpp) for all else.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <clocale>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "core/build_info.hpp"
#include "core/error.hpp"
#include "core/standard_output.hpp"

namespace {

namespace fs = std::filesystem;

constexpr int kFailed = 1;

int fail(const std::string& message) {
  fmt::print(stderr, "fercli: {}\n", message);
  return kFailed;
}

/// Where the program proper may be: in a build folder, and installed.
std::vector<fs::path> places_of_program() {
  std::error_code error;
  const auto folder = fs::read_symlink("/proc/self/exe", error).parent_path();
  return {folder / "program" / "fercli", folder / ".." / FERCLI_LIBRARY_FOLDER / "fercli"};
}

bool is_help(const std::string& word) {
  return word == "--help" || word == "-h";
}

/// The page of help that the words ask for and nothing else: "fercli", "attack", "data audit"; "" where they ask more.
std::string page_asked_for(std::vector<std::string> words) {
  if (words.empty()) return "";
  if (words.front() == "help") {
    words.erase(words.begin());
  } else if (is_help(words.back())) {
    words.pop_back();
  } else {
    return "";
  }
  std::string page;
  for (const auto& word : words) {
    const bool plain = !word.empty() && word[0] != '-' && std::all_of(word.begin(), word.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    });
    if (!plain) return "";
    page += (page.empty() ? "" : " ") + word;
  }
  return page.empty() ? "fercli" : page;
}

/// What can be said without the program proper; "" where it is needed.
std::string answer(const std::vector<std::string>& words, const fs::path& program) {
  if (words.size() == 1 && (words[0] == "--version" || words[0] == "-V" || words[0] == "version"))
    return fercli::version_text();
  const auto page = page_asked_for(words);
  if (page.empty()) return "";
  std::ifstream file(program.parent_path() / "help" / page, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

int main(int argc, char** argv) {
  std::setlocale(LC_CTYPE, "");
  const auto places = places_of_program();
  const auto program = std::find_if(places.begin(), places.end(), [](const fs::path& place) {
    std::error_code error;
    return fs::is_regular_file(place, error);
  });
  if (program == places.end()) {
    return fail(fmt::format("the installation is not whole: neither {} nor {} is there", places.front().string(),
                            places.back().string()));
  }
  if (const auto text = answer({argv + 1, argv + argc}, *program); !text.empty()) {
    try {
      fercli::print_out(text);
      fercli::finish_standard_output();
      return 0;
    } catch (const fercli::RunError& error) {
      return fail(error.what());
    }
  }
  execv(program->c_str(), argv);
  return fail(fmt::format("{}: cannot be started ({})", program->string(), std::strerror(errno)));
}
