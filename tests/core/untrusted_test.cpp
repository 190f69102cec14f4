#include "core/untrusted.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/clock.hpp"
#include "core/files.hpp"
#include "tests/cli/run_program.hpp"

namespace fercli {

namespace {

std::string nested(size_t depth, const std::string& core) {
  return std::string(depth, '[') + core + std::string(depth, ']');
}

TEST(UntrustedJson, NestingThatRecursiveReadersCannotBearIsRefused) {
  EXPECT_NO_THROW(parse_untrusted_json(nested(200, "1")));
  EXPECT_THROW(parse_untrusted_json(nested(300, "1")), std::runtime_error);
  EXPECT_THROW(parse_untrusted_json("{\"a\":" + nested(400000, "{}") + "}"), std::runtime_error);
}

TEST(UntrustedJson, BracketsInTextsAreNoNesting) {
  const std::string text = R"("\"[{\\)" + std::string(1000, '[') + '"';
  EXPECT_EQ(parse_untrusted_json(nested(200, text)).dump(), nested(200, text));
}

TEST(UntrustedJson, SideBySideIsNoNesting) {
  std::string row = "[]";
  for (int i = 0; i < 1000; ++i) row += ",{}";
  EXPECT_EQ(parse_untrusted_json("[" + row + "]").size(), 1001U);
}

TEST(UntrustedJson, LongArraysOfObjectsCostInProportion) {
  const auto cost = [](size_t count) {
    std::string text = "[{}";
    for (size_t i = 0; i < count; ++i) text += ",{}";
    text += ']';
    const auto start = Clock::now();
    parse_untrusted_json(text);
    return seconds_since(start);
  };
  const double small = cost(20000), large = cost(80000);
  EXPECT_LT(large, 10 * std::max(small, 1e-2)) << small << " s, then " << large << " s";
}

TEST(UntrustedJson, ANumberThatNoWholeNumberHoldsIsRefused) {
  for (const char* number : {"1e19", "-2.2e54", "9223372036854775808.0"}) {
    EXPECT_THROW(parse_untrusted_json(number), std::runtime_error) << number;
    EXPECT_THROW(parse_untrusted_json(fmt::format(R"({{"a":[0,{}]}})", number)), std::runtime_error) << number;
  }
  for (const char* number : {"1e18", "-9.2e18", "1e-300", "18446744073709551615"}) {
    EXPECT_NO_THROW(parse_untrusted_json(number)) << number;
  }
}

TEST(UntrustedJson, AFileThatIsNoneOrNestedTooDeeplyIsDiscarded) {
  const test::ScratchFolder folder;
  const auto file = folder.path() / "some.json";
  for (const auto& text : {std::string("{ broken"), nested(400000, "1"), std::string("[1e30]")}) {
    write_file(file, text);
    EXPECT_TRUE(read_untrusted_json(file).is_discarded());
  }
  write_file(file, "[1]");
  EXPECT_EQ(read_untrusted_json(file), nlohmann::json({1}));
}

}  // namespace

}  // namespace fercli
