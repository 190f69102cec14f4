#include "report/texts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace fercli {

namespace {

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

TEST(ReportTexts, MessagesHaveTheSameValuesInBothLanguages) {
  for (const auto& [key, wording] : message_wordings()) {
    EXPECT_EQ(places_in(wording.french).size(), places_in(wording.english).size()) << key;
    EXPECT_STRNE(wording.french, wording.english);
  }
  const Message message = Message::of("zero-gradients.found-saturated", 3, 32, 1, "1.5e+03");
  EXPECT_EQ(message.values, (std::vector<std::string>{"3", "32", "1", "1.5e+03"}));
  EXPECT_EQ(message.text,
            "the gradient is zero at 3 of 32 images, that of the float32 cross-entropy at 1 (logits up to 1.5e+03)");
  EXPECT_EQ(words_of(message, "en"), message.text);
  EXPECT_EQ(words_of(message, "fr"),
            "le gradient est nul en 3 images sur 32, celui de l’entropie croisée en float32 en 1 (logits jusqu’à "
            "1,5e+03)");
}

TEST(ReportTexts, MessagesWriteDecimalsAsTheLanguageDoesAndLeaveNamesAlone) {
  EXPECT_EQ(words_of(Message::of("softmax-output.found", "-0.25", "8"), "fr"),
            "les sorties sont dans [-0,25\u202f; 8]");
  EXPECT_THAT(words_of(Message::of("transfer-left-out", "net-1.5, other"), "fr"),
              testing::HasSubstr("entre net-1.5, other est omis"));
}

TEST(ReportTexts, OfAMessageWithoutWordingOrItsValuesTheTextIsShown) {
  for (const Message& message : {Message{"", {}, "careful"}, Message{"of a later version", {"3"}, "careful"},
                                 Message{"zero-gradients.found", {"3"}, "careful"}}) {
    EXPECT_EQ(words_of(message, "fr"), "careful") << message.key;
  }
  EXPECT_THROW(Message::of("no such message"), std::out_of_range);
}

}  // namespace

}  // namespace fercli
