// What library code says on the side reaches whoever asked for it, and nobody else. Tests of commands see it on stderr.
#include "core/notice.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "core/progress.hpp"

namespace fercli::test {

namespace {

const bool shown = (show_notices(), true);

class Notices : public testing::Test {
 protected:
  ~Notices() override { show_notices(); }

  std::vector<std::pair<Notice, std::string>> heard_;
};

TEST_F(Notices, GoToWhoeverAskedForThem) {
  set_notice_handler([this](Notice kind, const std::string& line) { heard_.emplace_back(kind, line); });
  warn("a");
  inform("b");
  warn_once("Notices.GoToWhoeverAskedForThem", "c");
  warn_once("Notices.GoToWhoeverAskedForThem", "d");
  const std::vector<std::pair<Notice, std::string>> expected{
      {Notice::Warning, "a"}, {Notice::Information, "b"}, {Notice::Warning, "c"}};
  EXPECT_EQ(heard_, expected);
}

TEST_F(Notices, ShowNothingWhereNobodyAsked) {
  testing::internal::CaptureStderr();
  set_notice_handler({});
  warn("a");
  inform("b");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST_F(Notices, AreLinesOnStderrOnceAProgramShowsThem) {
  ASSERT_TRUE(shown);
  testing::internal::CaptureStderr();
  warn("a");
  silence_progress(true);
  inform("not this");
  warn("this");
  silence_progress(false);
  inform("c");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "fercli: warning: a\nfercli: warning: this\nc\n");
}

}  // namespace

}  // namespace fercli::test
