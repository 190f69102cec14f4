// What every section of a report promises.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/files.hpp"
#include "report/page.hpp"
#include "report/section.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/report/without_gnuplot.hpp"

namespace fercli::test {

namespace {

using nlohmann::json;

json small_report() {
  return json::parse(read_file(std::filesystem::path(FERCLI_TEST_FOLDER) / "report" / "small_report.json"));
}

class ReportSectionContract : public testing::TestWithParam<std::string> {
 protected:
  ReportSectionContract() { testing::internal::CaptureStderr(); }
  ~ReportSectionContract() override { testing::internal::GetCapturedStderr(); }

  std::vector<Block> write(const json& report, const std::string& language) const {
    RenderOptions options;
    options.language = language;
    return Registry<Section>::instance().get(GetParam()).write(Page(report, options, folder_.path()));
  }

  WithoutGnuplot texts_only_;
  ScratchFolder folder_;
};

TEST_P(ReportSectionContract, HasSomethingToSayInEveryLanguageAndAsMuch) {
  const auto report = small_report();
  const auto english = write(report, "en"), french = write(report, "fr");
  EXPECT_FALSE(english.empty());
  ASSERT_EQ(english.size(), french.size());
  for (size_t i = 0; i < english.size(); ++i) EXPECT_EQ(english[i].index(), french[i].index()) << i;
}

TEST_P(ReportSectionContract, AReportWithoutAnyOneOfItsPartsIsNoObstacle) {
  const auto whole = small_report();
  for (const auto& part : whole.at("parts").items()) {
    auto report = whole;
    report["parts"].erase(part.key());
    EXPECT_NO_THROW(write(report, "en")) << part.key();
  }
}

TEST_P(ReportSectionContract, AReportWithoutPartsIsNoObstacle) {
  auto report = small_report();
  report["parts"] = json::object();
  EXPECT_NO_THROW(write(report, "en"));
}

TEST_P(ReportSectionContract, HasAPlaceOfItsOwn) {
  const auto& section = Registry<Section>::instance().get(GetParam());
  for (const auto& other : Registry<Section>::instance().all()) {
    if (other.name == section.name) continue;
    EXPECT_NE(other.order, section.order) << other.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Every, ReportSectionContract, testing::ValuesIn(Registry<Section>::instance().names()),
                         [](const auto& section) { return section.param; });

}  // namespace

}  // namespace fercli::test
