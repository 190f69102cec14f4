#include "core/json_limits.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/numbers.hpp"

namespace fercli {

namespace {

using nlohmann::json;

TEST(WholeNumbersOfJson, AreReadHoweverTheyAreWritten) {
  EXPECT_EQ(wholes_of(json::parse("[3, -3.0, 1e18]")), (std::vector<int64_t>{3, -3, 1'000'000'000'000'000'000}));
  EXPECT_EQ(whole_of<uint64_t>(0x1p63), uint64_t{1} << 63);
}

TEST(WholeNumbersOfJson, ThatAreNoneAreRefused) {
  for (const json& value : {json(0.5), json(1e19), json(-0x1.1p63), json(kInfinity), json(kNaN), json("3"), json()}) {
    EXPECT_THROW(whole_of(value), json::exception) << value;
  }
  EXPECT_THROW(wholes_of(3), json::exception);
}

}  // namespace

}  // namespace fercli
