#include "report/texts.hpp"

#include <gtest/gtest.h>

#include <set>

#include "record/stored_sentence.hpp"

namespace fercli {

namespace {

/// "{} of {} images" with values: "#1 of #2 images".
std::string with_values(std::string form) {
  int value = 0;
  for (size_t open = form.find('{'); open != std::string::npos; open = form.find('{')) {
    form.replace(open, form.find('}') + 1 - open, "#" + std::to_string(++value));
  }
  return form;
}

TEST(ReportTexts, BothLanguagesHaveTheSamePlaces) {
  for (const auto& key : text_keys()) {
    std::vector<std::multiset<std::string>> places;
    for (const char* language : {"en", "fr"}) {
      const auto found = places_in(text_template(key, language));
      places.emplace_back(found.begin(), found.end());
      EXPECT_NE(text_template(key, language), "") << key;
    }
    EXPECT_EQ(places[0], places[1]) << key;
  }
  EXPECT_THROW(words_of("no such text", "en"), std::logic_error);
  EXPECT_THROW(words_of("report.title", "en"), std::logic_error) << "a place without a value";
}

TEST(ReportTexts, AKeyHasOneText) {
  EXPECT_THROW((RegisterTexts{{"regions.title", {"Parts of the face", "Parties du visage"}}}), std::logic_error);
  EXPECT_EQ(words_of("regions.title", "en"), "What matters in the face");
}

TEST(ReportTexts, StoredSentencesOfEachFormAreSaidInFrenchWithTheSameValues) {
  std::set<std::string> french;
  for (const auto& [key, wording] : stored_sentences()) {
    const std::string stored = with_values(wording.english), said = translate(stored, "fr");
    EXPECT_EQ(translate(stored, "en"), stored);
    EXPECT_NE(said, stored) << key;
    EXPECT_TRUE(french.insert(said).second) << key << " is taken for another sentence: " << said;
    const size_t values = places_in(wording.english).size();
    EXPECT_EQ(places_in(wording.french).size(), values) << key;
    size_t place = 0;
    for (size_t i = 1; i <= values && place != std::string::npos; ++i)
      place = said.find("#" + std::to_string(i), place);
    EXPECT_NE(place, std::string::npos) << said << " has not the values of: " << stored;
  }
}

TEST(ReportTexts, OtherSentencesOfTheJsonStayAsTheyAre) {
  for (const char* other : {"now", "", "the gradient is zero", "something else: 3 of 32 images"}) {
    EXPECT_EQ(translate(other, "fr"), other);
  }
  EXPECT_EQ(translate("outputs lie in [0, 1] and sum to 1", "fr"), "les sorties sont dans [0, 1] et leur somme est 1");
}

}  // namespace

}  // namespace fercli
