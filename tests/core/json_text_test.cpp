#include "core/json_text.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace fercli {

namespace {

TEST(PrettyJson, KeepsOnOneLineWhatFits) {
  EXPECT_EQ(pretty_json({{"a", 1}, {"b", {true, "x"}}}), R"({"a":1,"b":[true,"x"]})");
}

TEST(PrettyJson, KeepsAListOfNumbersOnOneLineHoweverLong) {
  const std::vector<int> numbers(100, 7);
  const auto text = pretty_json({{"numbers", numbers}});
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
}

TEST(PrettyJson, WhatIsNotUtf8IsReplaced) {
  EXPECT_EQ(pretty_json({{"caf\xe9", "caf\xe9"}}), "{\"caf\ufffd\":\"caf\ufffd\"}");
}

TEST(DifferingKeys, AreThoseOfEitherSide) {
  EXPECT_EQ(differing_keys({{"a", 1}, {"b", 2}, {"c", 3}}, {{"b", 2}, {"c", 4}, {"d", 5}}),
            (std::set<std::string>{"a", "c", "d"}));
  EXPECT_TRUE(differing_keys({{"a", 1}}, {{"a", 1}}).empty());
}

TEST(PrettyJson, ReadsBackTheSame) {
  nlohmann::ordered_json document = {{"z", {{"text", std::string(120, 'x')}, {"list", {1.5, 2, "three"}}}},
                                     {"a", nullptr}};
  EXPECT_EQ(nlohmann::ordered_json::parse(pretty_json(document)), document);
}

}  // namespace

}  // namespace fercli
