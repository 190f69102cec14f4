#include "live/tracker.hpp"

namespace fercli {
namespace {

Box face_at(double x) {
  return {x, 100, 80, 80};
}

std::vector<int64_t> ids(const Tracker& tracker) {
  std::vector<int64_t> out;
  for (const auto& track : tracker.tracks()) out.push_back(track.id);
  return out;
}

TEST(TheTracker, NumbersAFaceOnceItWasSeenOftenEnough) {
  Tracker tracker;
  for (int64_t i = 1; i < Tracker::kConfirm; ++i) tracker.update({face_at(50)}, 0);
  EXPECT_EQ(ids(tracker), std::vector<int64_t>{0});
  tracker.update({face_at(50)}, 0);
  EXPECT_EQ(ids(tracker), std::vector<int64_t>{1});
}

TEST(TheTracker, AFalseAlarmOfOneFrameUsesNoNumber) {
  Tracker tracker;
  tracker.update({face_at(300)}, 0);
  for (int i = 0; i < 5; ++i) tracker.update({face_at(50)}, 0);
  EXPECT_EQ(ids(tracker), std::vector<int64_t>{1});
  EXPECT_EQ(tracker.born(), 1);
}

TEST(TheTracker, MovingFacesKeepTheirNumbersWhateverTheOrderOfDetections) {
  Tracker tracker;
  for (int i = 0; i < 40; ++i) {
    const double left = 50 + 3.0 * i, right = 400 - 2.0 * i;
    tracker.update(i % 2 == 0 ? std::vector<Sighting>{face_at(left), face_at(right)}
                              : std::vector<Sighting>{face_at(right), face_at(left)},
                   0);
  }
  ASSERT_EQ(tracker.tracks().size(), 2u);
  EXPECT_EQ(tracker.born(), 2);
  EXPECT_NEAR(tracker.tracks()[0].box.x, 50 + 3.0 * 39, 1e-9);
  EXPECT_EQ(tracker.tracks()[0].id, 1);
}

TEST(TheTracker, AFaceThatIsMissedForAWhileComesBackUnderItsNumber) {
  Tracker tracker;
  for (int i = 0; i < 5; ++i) tracker.update({face_at(50)}, 0);
  for (int64_t i = 0; i < Tracker::kForget; ++i) tracker.update({}, 0);
  tracker.update({face_at(60)}, 0);
  EXPECT_EQ(ids(tracker), std::vector<int64_t>{1});
  for (int64_t i = 0; i <= Tracker::kForget; ++i) tracker.update({}, 0);
  for (int64_t i = 0; i < Tracker::kConfirm; ++i) tracker.update({face_at(60)}, 0);
  EXPECT_EQ(ids(tracker), std::vector<int64_t>{2});
}

TEST(TheTracker, ASteadyBoxFollowsHalfway) {
  Tracker tracker;
  tracker.update({face_at(50)}, 0.5);
  tracker.update({face_at(60)}, 0.5);
  EXPECT_DOUBLE_EQ(tracker.tracks()[0].box.x, 55);
}

/// One of a person all in one colour.
Sighting sighting_of(double x, size_t colour) {
  Appearance look{};
  look[colour] = 1;
  return {Detection{face_at(x)}, look};
}

TEST(TheTracker, PeopleWhoWalkPastEachOtherKeepTheirNumbersThoughOneIsHidden) {
  Tracker tracker;
  for (int i = 0; i <= 100; ++i) {
    const double left = 50 + 4.0 * i, right = 450 - 4.0 * i;
    std::vector<Sighting> seen{sighting_of(left, 1)};
    if (std::abs(left - right) > 60) seen.push_back(sighting_of(right, 2));  // hidden behind the other
    tracker.update(seen, 0);
  }
  ASSERT_EQ(tracker.tracks().size(), 2u);
  EXPECT_EQ(tracker.born(), 2);
  for (const auto& track : tracker.tracks()) {
    EXPECT_EQ(track.look[1] > 0.5F, track.box.x > 250) << "person " << track.id;
    EXPECT_NEAR(track.box.x, track.id == (track.look[1] > 0.5F ? 1 : 2) ? track.look[1] > 0.5F ? 450 : 50 : -1, 1e-9);
  }
}

TEST(TheTracker, SomebodyElseInTheSamePlaceLaterIsSomebodyElse) {
  Tracker tracker;
  for (int i = 0; i < 5; ++i) tracker.update({sighting_of(50, 1)}, 0);
  for (int i = 0; i < 20; ++i) tracker.update({}, 0);
  for (int i = 0; i < 5; ++i) tracker.update({sighting_of(170, 2)}, 0);
  EXPECT_EQ(tracker.born(), 2);
}

TEST(TheTracker, AtAHardCutEverybodyIsSomebodyElse) {
  Tracker tracker(1);
  tracker.update({face_at(50)}, 0);
  tracker.update({face_at(50)}, 0);
  EXPECT_EQ(ids(tracker), std::vector<int64_t>{1});
  tracker.forget_all();
  tracker.update({face_at(50)}, 0);
  EXPECT_EQ(ids(tracker), std::vector<int64_t>{2});
}

TEST(TheTracker, SomebodyWhoIsSeenOnceASecondIsFollowed) {
  Tracker tracker(1);
  for (int i = 0; i < 8; ++i) tracker.update({sighting_of(50 + 120.0 * i, 1), sighting_of(1000 - 60.0 * i, 2)}, 0, 1);
  EXPECT_EQ(tracker.born(), 2);
}

}  // namespace
}  // namespace fercli
