#include "core/reason.hpp"

#include <c10/util/Exception.h>

#include <map>
#include <new>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "tests/precompiled_tests.hpp"

namespace fercli {

namespace {

std::string reason_for(const std::function<void()>& action) {
  try {
    action();
  } catch (const std::exception& error) {
    return reason_of(error);
  }
  return "nothing was thrown";
}

TEST(Reason, TheProgramsOwnWordsStay) {
  EXPECT_EQ(reason_for([] { throw UserError("no such file"); }), "no such file");
  EXPECT_EQ(reason_for([] { throw std::runtime_error("a tensor has no data"); }), "a tensor has no data");
  EXPECT_EQ(reason_for([] { throw std::invalid_argument("not a number"); }), "not a number");
}

TEST(Reason, LibrariesAreTranslated) {
  EXPECT_EQ(reason_for([] { nlohmann::json::object().at("n"); }),
            "an entry is missing, or its value is of the wrong type");
  EXPECT_EQ(reason_for([] { const auto json = nlohmann::json::parse("{"); }), "it is no JSON");
  EXPECT_EQ(reason_for([] { std::map<int, int>().at(1); }), "a part is missing, or a number is out of range");
  EXPECT_EQ(reason_for([] { TORCH_CHECK(false, "INTERNAL ASSERT FAILED"); }),
            "LibTorch refuses these numbers or shapes");
  EXPECT_EQ(reason_for([] { throw std::bad_alloc(); }), "out of memory");
}

TEST(Reason, ALackOfMemorySaysHowMuchWasAskedFor) {
  EXPECT_EQ(reason_for([] {
              TORCH_CHECK(false, "DefaultCPUAllocator: can't allocate memory: you tried to allocate 400 bytes.");
            }),
            "out of memory (400 bytes were asked for)");
}

}  // namespace

}  // namespace fercli
