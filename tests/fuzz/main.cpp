// libFuzzer's entry: FERCLI_FUZZ_TARGET names the border. See run.sh.
#include <c10/util/Logging.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "core/files.hpp"
#include "tests/fuzz/targets.hpp"

namespace {

namespace fs = std::filesystem;

const fercli::test::FuzzTarget* target = nullptr;
fs::path scratch;

void remove_scratch() {
  std::error_code ignored;
  fs::remove_all(scratch, ignored);
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  const char* name = std::getenv("FERCLI_FUZZ_TARGET");
  try {
    target = &fercli::test::fuzz_target(name == nullptr ? "" : name);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "FERCLI_FUZZ_TARGET: %s\n", error.what());
    std::exit(2);
  }
  c10::SetStackTraceFetcher([] { return std::string(); });  // LibTorch's errors look up each frame's name
  scratch = fs::temp_directory_path() / ("fercli-fuzz-" + std::to_string(getpid()));
  fs::create_directories(scratch);
  std::atexit(remove_scratch);
  if (const char* corpus = std::getenv("FERCLI_FUZZ_SEEDS")) {
    int number = 0;
    for (const auto& seed : target->seeds(scratch)) {
      fercli::write_file(fs::path(corpus) / ("seed-" + std::to_string(number++)), seed);
    }
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  target->run(std::string(reinterpret_cast<const char*>(data), size), scratch);
  return 0;
}
