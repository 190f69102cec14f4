// The borders that need no network: a small program of their own, which is built in seconds (CMakeLists.txt).
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "core/base64.hpp"
#include "core/error.hpp"
#include "core/files.hpp"
#include "core/options.hpp"
#include "core/text.hpp"
#include "core/untrusted.hpp"
#include "core/zip_file.hpp"
#include "data/pictures/decoders.hpp"
#include "serve/form.hpp"
#include "serve/upload.hpp"
#include "tests/fuzz/targets.hpp"

namespace fercli::test {

namespace fs = std::filesystem;

bool as_file(const std::string& bytes, const fs::path& path, const std::function<void(const fs::path&)>& read) {
  OutputFile file(path, path);
  file.write(bytes);
  file.close();
  try {
    read(path);
    return true;
  } catch (const UserError&) {
    return false;
  }
}

DecodeLimits small_pictures() {
  DecodeLimits limits;
  limits.most_pixels = 1 << 12;
  limits.most_scan_pixels = 1 << 16;
  return limits;
}

namespace {

using Words = std::vector<std::string>;

FuzzTarget ini_target() {
  return {"ini",
          [](const std::string& bytes, const fs::path& folder) {
            as_file(bytes, folder / "victim.ini", [](const fs::path& path) {
              double eps = 0.1;
              int64_t steps = 3;
              std::string word;
              std::vector<std::string> words;
              bool flag = false;
              OptionSet options("fuzz", "", "Reads one file.");
              options.section("All kinds");
              options.number("eps", &eps, "0.1", between(0, 1), "number");
              options.integer("steps", &steps, at_least(0), "integer");
              options.text("word", &word, "WORD", "text");
              options.texts("words", &words, "WORD", "texts");
              options.flag("flag", &flag, "flag");
              options.parse({"--config", path.string()});
            });
          },
          [](const fs::path&) { return Words{"eps = 8/255\nsteps = 4\nword = a\nwords = a b\nflag = true\n"}; }};
}

FuzzTarget form_target() {
  return {"form",
          [](const std::string& bytes, const fs::path&) {
            const size_t line = std::min(bytes.find('\n'), bytes.size());
            const auto type = parse_header_value(bytes.substr(0, line));
            const auto boundary = type.parameters.find("boundary");
            try {
              parse_multipart(bytes.substr(line), boundary != type.parameters.end() ? boundary->second : "b");
            } catch (const RequestError&) {
            }
          },
          [](const fs::path&) {
            return Words{
                "multipart/form-data; charset=utf-8; boundary=\"b\"\n\r\n--b\r\nContent-Disposition: form-data; "
                "name=\"file\";\r\n filename=a.png\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n"
                "--b \r\nContent-Disposition: form-data; name=goal\r\n\r\nany-to-sad\r\n--b--"};
          }};
}

/// Each decoder by itself, whatever the bytes look like.
FuzzTarget decoder_target() {
  return {
      "decoder",
      [](const std::string& bytes, const fs::path&) {
        for (const auto decode :
             {decode_jpeg, decode_png, decode_webp, decode_tiff, decode_bmp, decode_pnm, decode_gif}) {
          for (const int64_t channels : {1, 3}) {
            try {
              decode(bytes, channels, small_pictures());
            } catch (const PictureRefused&) {
            }
          }
        }
      },
      [](const fs::path&) {
        // PNG of 8 bits, of 16 with alpha, and of 2 with a palette; the JPEGs are in tests/corpus.
        return Words{
            decode_base64("iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAAAAABX3VL4AAAADklEQVR4nGMQaGD4YAwABGkBtHopidoAAAAASUVO"
                          "RK5CYII="),
            decode_base64("iVBORw0KGgoAAAANSUhEUgAAAAIAAAABEAYAAACksqPJAAAAGUlEQVR4nGNgYGRiZmFlY+fg5OLm4eXjBwACuQB5"
                          "zIx+7AAAAABJRU5ErkJggg=="),
            decode_base64("iVBORw0KGgoAAAANSUhEUgAAAAQAAAABAgMAAACEUudeAAAADFBMVEUAAQIDBAUGBwgJCgvcTDicAAAAAnRSTlMAgJsr"
                          "ThgAAAAKSURBVHicY5AGAAAdAByO9PUhAAAAAElFTkSuQmCC"),
            "P5 2 2 255\n\x01\x02\x03\x04",
            "P3 1 1 255 7 8 9",
            "P1 2 1 0 1",
            std::string("BM\0\0\0\0\0\0\0\0\x3e\0\0\0\x28\0\0\0\x04\0\0\0\x01\0\0\0\x01\0\x04\0\x02\0\0\0", 34) +
                std::string(28, '\x01') + std::string("\x04\x01\0\x01", 4),
            std::string("II*\0\x08\0\0\0\0\0", 10)};
      }};
}

/// The structure of an archive, and every entry that its list names.
FuzzTarget zip_target() {
  return {"zip",
          [](const std::string& bytes, const fs::path&) {
            try {
              const ZipFile zip(bytes, "victim");
              for (const auto& name : zip.names()) {
                if (zip.size(name) < 1 << 20) zip.read(name);
              }
            } catch (const UserError&) {
            }
          },
          [](const fs::path&) {
            return Words{make_zip({{"archive/data.pkl", "\x80\x02}."}, {"archive/version", "3\n"}})};
          }};
}

FuzzTarget json_target() {
  return {"json",
          [](const std::string& bytes, const fs::path&) {
            try {
              parse_untrusted_json(bytes);
            } catch (const nlohmann::json::exception&) {  // no JSON
            } catch (const std::runtime_error&) {         // nested too deeply
            }
          },
          [](const fs::path&) { return Words{R"({"a": [1, -2.5e3, "\u00e9", null, true], "b": {"c": {}}})"}; }};
}

}  // namespace

std::vector<FuzzTarget> plain_targets() {
  return {ini_target(), form_target(), decoder_target(), zip_target(), json_target()};
}

const FuzzTarget& fuzz_target(const std::string& name) {
  std::vector<std::string> names;
  for (const auto& target : fuzz_targets()) {
    if (target.name == name) return target;
    names.push_back(target.name);
  }
  throw std::invalid_argument(fmt::format("'{}' is no fuzz target; there are {}", name, join(names, ", ")));
}

}  // namespace fercli::test
