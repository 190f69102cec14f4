#include "attacks/threat/emotion_goal.hpp"

#include "core/error.hpp"

namespace fercli::test {

namespace {

std::string message_of(const std::string& text, const LabelSet& classes = LabelSet::fer2013()) {
  try {
    parse_emotion_goal(text, classes);
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

TEST(EmotionGoalTest, SourceAndTargetAreClassesByName) {
  const auto goal = parse_emotion_goal("happy-to-sad", LabelSet::alphabetical());
  EXPECT_EQ(*goal.source, 3);
  EXPECT_EQ(*goal.target, 5);
  EXPECT_EQ(goal.name, "happy-to-sad");
  EXPECT_TRUE(goal.concerns(3));
  EXPECT_FALSE(goal.concerns(0));
}

TEST(EmotionGoalTest, FrenchNamesAndAliasesAreUnderstoodInAnyCase) {
  for (const char* text : {"joie-to-tristesse", "Heureux-TO-Triste", "HAPPINESS-to-sadness"}) {
    EXPECT_EQ(parse_emotion_goal(text, LabelSet::fer2013()).name, "happy-to-sad") << text;
  }
}

TEST(EmotionGoalTest, NamesOfClassesMayHoldTheSeparator) {
  const LabelSet classes({"face-to-face", "not happy"});
  const EmotionGoal goal = parse_emotion_goal("face-to-face-to-not happy", classes);
  EXPECT_EQ(goal.source, 0);
  EXPECT_EQ(goal.target, 1);
}

TEST(EmotionGoalTest, AnySourceConcernsAllButTheTarget) {
  const auto goal = parse_emotion_goal("any-to-sad", LabelSet::fer2013());
  EXPECT_FALSE(goal.source.has_value());
  EXPECT_TRUE(goal.concerns(0));
  EXPECT_FALSE(goal.concerns(4));
}

TEST(EmotionGoalTest, UntargetedConcernsEveryImage) {
  for (const char* text : {"untargeted", "any-to-any"}) {
    const auto goal = parse_emotion_goal(text, LabelSet::fer2013());
    EXPECT_FALSE(goal.targeted());
    EXPECT_TRUE(goal.concerns(4));
    EXPECT_EQ(goal.name, "untargeted");
  }
}

TEST(EmotionGoalTest, SourceToAnyIsUntargetedForOneClass) {
  const auto goal = parse_emotion_goal("happy-to-any", LabelSet::fer2013());
  EXPECT_FALSE(goal.targeted());
  EXPECT_TRUE(goal.concerns(3));
  EXPECT_FALSE(goal.concerns(4));
}

TEST(EmotionGoalTest, TargetEqualToSourceIsRefused) {
  EXPECT_EQ(message_of("joie-to-happy"), "joie-to-happy: source and target are the same emotion, Happy");
}

TEST(EmotionGoalTest, AnUnknownEmotionIsNamedWithTheNearest) {
  EXPECT_THAT(message_of("hapy-to-sad"), testing::HasSubstr("unknown emotion 'hapy'; did you mean happy?"));
  EXPECT_THAT(message_of("happy-to-tristess"), testing::HasSubstr("did you mean tristesse?"));
}

TEST(EmotionGoalTest, AnEmotionTheModelLacksIsNamed) {
  EXPECT_EQ(message_of("happy-to-disgust", LabelSet({"Happy", "Sad"})),
            "happy-to-disgust: the model has no class Disgust (it has Happy, Sad)");
}

TEST(EmotionGoalTest, AnotherFormIsExplained) {
  EXPECT_THAT(message_of("happy"), testing::HasSubstr("must be SOURCE-to-TARGET, any-to-TARGET or untargeted"));
}

}  // namespace

}  // namespace fercli::test
