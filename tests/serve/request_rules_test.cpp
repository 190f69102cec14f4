#include "serve/request_rules.hpp"

#include "serve/upload.hpp"

namespace fercli::test {

namespace {

RequestFacts post_facts() {
  RequestFacts facts;
  facts.method = "POST";
  facts.path = "/predict";
  facts.has_host = true;
  facts.host = "localhost:7860";
  facts.content_length = "10";
  return facts;
}

/// 0 where nothing is refused.
int refusal(const RequestFacts& facts, const RuleSettings& settings = {"127.0.0.1", "", 1000, 0}) {
  try {
    RequestRules(settings).check(facts);
  } catch (const RequestError& error) {
    return error.status();
  }
  return 0;
}

int refusal_from(const std::string& origin, const std::string& fetch_site, const std::string& host = "localhost:7860") {
  RequestFacts facts = post_facts();
  facts.origin = origin;
  facts.fetch_site = fetch_site;
  facts.host = host;
  return refusal(facts);
}

TEST(RequestRules, PostsOfOtherSitesAreRefused) {
  EXPECT_EQ(refusal_from("", ""), 0);
  EXPECT_EQ(refusal_from("http://localhost:7860", ""), 0);
  EXPECT_EQ(refusal_from("HTTP://LocalHost:7860", ""), 0);
  EXPECT_EQ(refusal_from("http://localhost", "", "localhost:80"), 0);
  for (const char* origin : {"http://evil.example", "http://localhost:3000", "http://localhost", "null",
                             "http://localhost:7860.evil.example", "http://127.0.0.1:7860", "evil"}) {
    EXPECT_EQ(refusal_from(origin, ""), 403) << origin;
  }
}

TEST(RequestRules, AnEmptyOriginIsNotTheServersOwn) {
  RequestFacts facts = post_facts();
  facts.has_origin = true;
  EXPECT_EQ(refusal(facts), 403);
  facts.fetch_site = "same-origin";
  EXPECT_EQ(refusal(facts), 0);
}

TEST(RequestRules, PagesOfSitesThatWereLetInMayPostAndAskBefore) {
  RuleSettings settings{"127.0.0.1", "", 1000, 0};
  settings.origins = {"http://localhost:3000"};
  RequestFacts facts = post_facts();
  facts.origin = "http://LOCALHOST:3000";
  facts.fetch_site = "same-site";
  EXPECT_EQ(refusal(facts, settings), 0);
  facts.method = "OPTIONS";
  facts.content_length = "";
  EXPECT_EQ(refusal(facts, settings), 405) << "that asks for nothing";
  facts.asked_method = "POST";
  EXPECT_EQ(refusal(facts, settings), 0);
  facts.asked_method = "DELETE";
  EXPECT_EQ(refusal(facts, settings), 405);
  facts.asked_method = "POST";
  facts.host = "evil.example";
  EXPECT_EQ(refusal(facts, settings), 403) << "no name but localhost leads here";
}

TEST(RequestRules, WhatTheBrowserSaysOfThePageCountsMore) {
  EXPECT_EQ(refusal_from("", "same-origin"), 0);
  EXPECT_EQ(refusal_from("", "none"), 0);
  EXPECT_EQ(refusal_from("http://front.example", "same-origin"), 0);  // a proxy gave the server another Host
  EXPECT_EQ(refusal_from("", "cross-site"), 403);
  EXPECT_EQ(refusal_from("", "same-site"), 403);
}

TEST(RequestRules, ATokenDoesNotOpenTheServerToOtherSites) {
  RequestFacts facts = post_facts();
  facts.authorization = "bearer open sesame";
  const RuleSettings settings{"0.0.0.0", "open sesame", 1000, 0};
  EXPECT_EQ(refusal(facts, settings), 0);
  facts.fetch_site = "cross-site";
  EXPECT_EQ(refusal(facts, settings), 403);
}

TEST(RequestRules, ReadingIsOpenToLinksOfOtherSites) {
  RequestFacts facts = post_facts();
  facts.method = "GET";
  facts.path = "/";
  facts.content_length = "";
  facts.fetch_site = "cross-site";
  EXPECT_EQ(refusal(facts), 0);
}

TEST(RequestRules, ARequestNamesOneHost) {
  RequestFacts facts = post_facts();
  facts.repeated = "Host";
  EXPECT_EQ(refusal(facts), 400);
  facts.repeated = "";
  facts.has_host = false;
  facts.host = "";
  EXPECT_EQ(refusal(facts), 400);
  facts.is_http_1_0 = true;
  EXPECT_EQ(refusal(facts), 0) << "no browser sends this";
}

TEST(RequestRules, LoopbackHasManyNames) {
  for (const char* host : {"localhost", "LocalHost", "LOCALHOST", "127.0.0.1", "127.1.2.3", "::1", "[::1]",
                           "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "localhost."}) {
    EXPECT_TRUE(is_loopback(host)) << host;
  }
  for (const char* host : {"", "127.example.com", "0.0.0.0", "::", "localhost.evil.example", "10.0.0.1", "[::1", "1"}) {
    EXPECT_FALSE(is_loopback(host)) << host;
  }
}

TEST(RequestRules, TheHostIsTakenFromItsPort) {
  EXPECT_EQ(host_part("localhost:7860"), "localhost");
  EXPECT_EQ(host_part("[::1]:7860"), "::1");
  EXPECT_EQ(host_part("[::1"), "");
}

TEST(RequestRules, AHostWithAUserIsRefused) {
  EXPECT_EQ(host_part("localhost:x@evil.example"), "");
  EXPECT_EQ(host_part("[::1]@evil.example"), "");
  EXPECT_EQ(refusal_from("", "", "localhost:x@evil.example"), 403);
}

TEST(RequestRules, UnknownExpectationsAreRefused) {
  RequestFacts facts = post_facts();
  facts.expect = "100-Continue";
  EXPECT_EQ(refusal(facts), 0);
  facts.expect = "miracles";
  EXPECT_EQ(refusal(facts), 417);
}

}  // namespace

}  // namespace fercli::test
