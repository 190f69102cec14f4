#include "data/valence_arousal.hpp"

namespace fercli {
namespace {

TEST(DerivedValenceAndArousal, AreThePublishedValuesOfASureVerdict) {
  const LabelSet classes = LabelSet::fer2013();
  std::vector<double> sure(7, 0);
  sure[static_cast<size_t>(classes.index("Happy"))] = 1;
  const auto happy = derived_valence_arousal(sure, classes);
  ASSERT_TRUE(happy);
  EXPECT_DOUBLE_EQ(happy->valence, 0.81);
  EXPECT_DOUBLE_EQ(happy->arousal, 0.51);
}

TEST(DerivedValenceAndArousal, AreTheMeanOverTheProbabilities) {
  const auto half = derived_valence_arousal({0.5, 0.5}, LabelSet({"sadness", "neutral"}));
  ASSERT_TRUE(half);
  EXPECT_DOUBLE_EQ(half->valence, -0.315);
  EXPECT_DOUBLE_EQ(half->arousal, -0.135);
  EXPECT_TRUE(derived_valence_arousal({0.5, 0.5}, LabelSet({"contempt", "happy"})));
}

TEST(DerivedValenceAndArousal, AreNotMadeUpForOtherClasses) {
  EXPECT_FALSE(derived_valence_arousal({0.5, 0.5}, LabelSet({"pain", "neutral"})));
}

}  // namespace
}  // namespace fercli
