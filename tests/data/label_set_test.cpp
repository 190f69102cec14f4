#include "data/label_set.hpp"

#include "tests/data/sample_data.hpp"

namespace fercli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct AliasCase {
  const char* word;
  const char* name;
};

class Alias : public ::testing::TestWithParam<AliasCase> {};

TEST_P(Alias, NamesTheEmotion) {
  const Emotion* emotion = find_emotion(GetParam().word);
  ASSERT_NE(emotion, nullptr) << GetParam().word;
  EXPECT_EQ(emotion->name, GetParam().name);
}

INSTANTIATE_TEST_SUITE_P(
    LabelSet, Alias,
    ::testing::Values(AliasCase{"Angry", "Angry"}, AliasCase{"ANGER", "Angry"}, AliasCase{"colere", "Angry"},
                      AliasCase{"Colère", "Angry"}, AliasCase{"COLÈRE", "Angry"}, AliasCase{"cole\xcc\x80re", "Angry"},
                      AliasCase{"En colère", "Angry"}, AliasCase{"degout", "Disgust"}, AliasCase{"dégoût", "Disgust"},
                      AliasCase{"Dégoûté", "Disgust"}, AliasCase{"disgusted", "Disgust"}, AliasCase{"peur", "Fear"},
                      AliasCase{"Fearful", "Fear"}, AliasCase{"happiness", "Happy"}, AliasCase{"joie", "Happy"},
                      AliasCase{"Heureux", "Happy"}, AliasCase{"bonheur", "Happy"}, AliasCase{"triste", "Sad"},
                      AliasCase{"Sadness", "Sad"}, AliasCase{"surpris", "Surprise"}, AliasCase{"Surprised", "Surprise"},
                      AliasCase{"neutre", "Neutral"}, AliasCase{" neutral ", "Neutral"}));

TEST(LabelSet, UnknownWordIsNoEmotion) {
  EXPECT_EQ(find_emotion("happyy"), nullptr);
  EXPECT_EQ(find_emotion(""), nullptr);
}

TEST(LabelSet, NoAliasStandsForTwoEmotions) {
  for (const auto& emotion : emotions()) {
    for (const auto& alias : emotion.aliases) EXPECT_EQ(find_emotion(alias)->name, emotion.name) << alias;
  }
}

TEST(LabelSet, EmotionsFollowFer2013sNumbers) {
  std::vector<std::string> names;
  for (const auto& emotion : emotions()) names.push_back(emotion.name);
  EXPECT_EQ(names.back(), "Contempt");
  names.pop_back();
  EXPECT_EQ(names, LabelSet::fer2013().names());
}

TEST(LabelSet, OrdersAreConvertedByName) {
  EXPECT_THAT(LabelSet::fer2013().mapping_from(LabelSet::alphabetical()), ElementsAre(0, 1, 2, 3, 6, 4, 5));
  EXPECT_THAT(LabelSet::fer2013().mapping_from(LabelSet::raf_db()), ElementsAre(5, 2, 1, 3, 4, 0, 6));
  EXPECT_THAT(LabelSet::alphabetical().mapping_from(LabelSet::fer2013()), ElementsAre(0, 1, 2, 3, 5, 6, 4));
}

TEST(LabelSet, MappingMarksAMissingClass) {
  EXPECT_THAT(LabelSet({"Happy", "Sad"}).mapping_from(LabelSet({"Sad", "Fear", "joie"})), ElementsAre(1, -1, 0));
}

TEST(LabelSet, FindsAClassUnderAnotherSpelling) {
  EXPECT_EQ(LabelSet({"anger", "happiness"}).index("Happy"), 1);
  EXPECT_EQ(LabelSet::fer2013().index("SAD"), 4);
}

TEST(LabelSet, UnknownNameGetsTheNearestSuggested) {
  EXPECT_THAT(test::user_error([] { LabelSet::fer2013().index("Hapy"); }),
              HasSubstr("unknown emotion 'Hapy'; did you mean Happy? (known: Angry, Disgust, Fear"));
}

TEST(LabelSet, ParsesOrdersAndLists) {
  EXPECT_EQ(LabelSet::parse("fer2013"), LabelSet::fer2013());
  EXPECT_EQ(LabelSet::parse("alphabetical"), LabelSet::alphabetical());
  EXPECT_EQ(LabelSet::parse("raf-db"), LabelSet::raf_db());
  EXPECT_THAT(LabelSet::parse("ferplus").names(),
              ElementsAre("Neutral", "Happy", "Surprise", "Sad", "Angry", "Disgust", "Fear", "Contempt"));
  EXPECT_THAT(LabelSet::parse("affectnet8").names(),
              ElementsAre("Neutral", "Happy", "Sad", "Surprise", "Fear", "Disgust", "Angry", "Contempt"));
  EXPECT_EQ(LabelSet::parse("affectnet7"), LabelSet::parse("affectnet"));
  EXPECT_THAT(LabelSet::parse("joie, contempt,triste").names(), ElementsAre("Happy", "Contempt", "Sad"));
}

TEST(LabelSet, RefusesAListThatIsNoOrder) {
  EXPECT_THAT(test::user_error([] { LabelSet::parse("happy"); }), HasSubstr("at least two class names"));
  EXPECT_THAT(test::user_error([] { LabelSet::parse("happy,joie"); }), HasSubstr("names Happy twice"));
  EXPECT_THAT(test::user_error([] { LabelSet::parse("happy,,sad"); }), HasSubstr("a class name is empty"));
}

TEST(LabelSet, ShowsFrenchNames) {
  EXPECT_EQ(display_name("Happy", "fr"), "Heureux");
  EXPECT_EQ(display_name("Happy", "en"), "Happy");
  EXPECT_EQ(display_name("contempt", "fr"), "Méprisant");
  EXPECT_EQ(display_name("pain", "fr"), "pain");
}

}  // namespace
}  // namespace fercli
