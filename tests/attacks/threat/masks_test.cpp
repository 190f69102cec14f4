#include "attacks/threat/masks.hpp"

#include "attacks/engine/transfer.hpp"
#include "data/drawn/geometry.hpp"
#include "data/image.hpp"
#include "models/networks/network.hpp"
#include "tests/attacks/linear_network.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/user_error.hpp"

namespace fercli::test {

namespace {

constexpr int64_t kSide = 48;

TEST(Masks, RegionsAreNamedAndUnited) {
  const auto eyes = face_region("eyes", kSide, kSide), mouth = face_region("mouth", kSide, kSide);
  const auto both = parse_masks("Eyes, mouth", 1, kSide, kSide);
  EXPECT_EQ(both.sizes(), (std::vector<int64_t>{1, kSide, kSide}));
  EXPECT_TRUE(both[0].equal((eyes + mouth).clamp_max(1)));
  EXPECT_TRUE(parse_masks("face,background", 3, 20, 30).eq(1).all().item<bool>());
  EXPECT_EQ((face_region("face", kSide, kSide) * face_region("background", kSide, kSide)).sum().item<float>(), 0);
}

TEST(Masks, RegionsAreMirrorImages) {
  for (const auto& name : face_region_names()) {
    const auto region = face_region(name, kSide, kSide);
    EXPECT_TRUE(region.equal(region.flip({1}))) << name;
    EXPECT_GT(region.sum().item<float>(), 0) << name;
  }
}

TEST(Masks, EyesNoseAndMouthHaveHardlyAPixelInCommon) {
  const auto eyes = face_region("eyes", kSide, kSide), mouth = face_region("mouth", kSide, kSide);
  EXPECT_EQ((eyes * mouth).sum().item<float>(), 0);
  EXPECT_EQ((mouth * face_region("brows", kSide, kSide)).sum().item<float>(), 0);
}

TEST(Masks, AnImageFileIsAMaskWhereItIsLight) {
  const ScratchFolder folder;
  auto image = torch::zeros({1, 8, 8}, torch::kUInt8);
  image.slice(2, 0, 4).fill_(255);
  write_png(image, folder / "left.png");
  const auto mask = parse_masks((folder / "left.png").string(), 1, 8, 8);
  EXPECT_TRUE(mask.equal(image.ge(128).to(torch::kFloat32)));
  const auto larger = parse_masks((folder / "left.png").string(), 1, 16, 16);
  EXPECT_EQ(larger.sum().item<float>(), 128);
  write_png(torch::zeros({1, 8, 8}, torch::kUInt8), folder / "black.png");
  EXPECT_THAT(message_of([&] { parse_masks((folder / "black.png").string(), 1, 8, 8); }),
              testing::HasSubstr("nothing in it may change"));
}

TEST(Masks, UnknownNamesAreReportedWithTheNearest) {
  EXPECT_THAT(message_of([] { parse_masks("eyes,moth", 1, 8, 8); }),
              testing::AllOf(testing::HasSubstr("'moth'"), testing::HasSubstr("did you mean mouth?")));
  EXPECT_THAT(message_of([] { parse_masks("", 1, 8, 8); }), testing::HasSubstr("known: eyes"));
  EXPECT_NE(message_of([] { parse_masks("nowhere/mask.png", 1, 8, 8); }), "");
}

TEST(Masks, ALinearMarginChangesByEpsTimesTheWeightsInsideAlone) {
  const int64_t side = 16;
  const auto weight = uniform_rows(Rng(5), {0, 1}, {side * side});
  const auto classifier = linear_classifier(weight, torch::tensor({50.0f, 0.0f}), side);
  auto input = make_input(classifier, test_images(3, side, 100, 150), true);
  const auto mask = parse_masks("eyes,mouth", 1, side, side);
  input.mask = mask.expand_as(input.x);
  const ThreatModel threat{Norm::Linf, 3 / 255.0};
  const auto result = make_attack("pgd", {}, Norm::Linf, true)->run(classifier, threat, input, Rng(1));
  EXPECT_TRUE((result.x_adv - input.x).masked_select(input.mask.eq(0)).eq(0).all().item<bool>());
  const auto difference = [&](const torch::Tensor& x) {
    const auto logits = classifier.logits(x);
    return logits.select(1, 0) - logits.select(1, 1);
  };
  const double best = threat.eps * ((weight[0] - weight[1]) * mask.flatten()).abs().sum().item<double>();
  EXPECT_LT((difference(input.x) - difference(result.x_adv)).sub(best).abs().max().item<double>(), 1e-4);
}

/// Which pixels of a 48x48 drawing show the eyes (between the lids) and the mouth (within the lips' outer edges).
struct DrawnFeatures {
  torch::Tensor eyes = torch::zeros({kSide, kSide}), mouth = torch::zeros({kSide, kSide});
};

DrawnFeatures drawn_features(const FaceParameters& parameters) {
  const drawn::FaceGeometry face(parameters);
  const auto& pose = parameters.pose;
  const double half = 2.85 / pose.zoom, eye_level = 0.385;  // the crop's window, see drawn_raster.cpp
  const double sine = std::sin(pose.roll * drawn::kDegree), cosine = std::cos(pose.roll * drawn::kDegree);
  DrawnFeatures features;
  for (int64_t row = 0; row < kSide; ++row) {
    for (int64_t column = 0; column < kSide; ++column) {
      const double u = ((static_cast<double>(column) + 0.5) / kSide * 2 - 1) * half - pose.shift_x;
      const double v = ((static_cast<double>(row) + 0.5) / kSide - eye_level) * 2 * half - pose.shift_y - 0.8;
      const auto place =
          face.locate(static_cast<float>(cosine * u + sine * v), static_cast<float>(cosine * v - sine * u + 0.8));
      const int side = place.x > 0 ? 1 : 0;
      const auto& eye = face.eye[side];
      const float across = (std::abs(place.x) - face.eye_x) / eye.half_width;
      const float along = place.x / face.mouth.half_width;
      const bool in_eye = std::abs(across) < 1 && place.y > eye.upper.at(across) && place.y < eye.lower.at(across);
      const bool in_mouth =
          std::abs(along) < 1 && place.y > face.mouth.upper_out.at(along) && place.y < face.mouth.lower_out.at(along);
      features.eyes.data_ptr<float>()[row * kSide + column] = in_eye ? 1 : 0;
      features.mouth.data_ptr<float>()[row * kSide + column] = in_mouth ? 1 : 0;
    }
  }
  return features;
}

struct Cover {
  double eyes, mouth;
};

/// Of the pixels that show eyes or mouth of 70 drawn faces, the share that the regions cover.
Cover covered_shares(bool posed) {
  const auto eyes = face_region("eyes", kSide, kSide), mouth = face_region("mouth", kSide, kSide);
  double painted_eyes = 0, painted_mouths = 0;
  Cover covered{0, 0};
  uint64_t seed = 0;
  for (const auto& emotion : emotions()) {
    for (int i = 0; i < 10; ++i) {
      auto face = random_face(emotion.name, Rng(seed++));
      if (!posed) face.pose = {};
      const auto features = drawn_features(face);
      painted_eyes += features.eyes.sum().item<double>();
      painted_mouths += features.mouth.sum().item<double>();
      covered.eyes += (features.eyes * eyes).sum().item<double>();
      covered.mouth += (features.mouth * mouth).sum().item<double>();
    }
  }
  return {covered.eyes / painted_eyes, covered.mouth / painted_mouths};
}

TEST(Masks, EyesAndMouthCoverThoseOfDrawnFaces) {
  for (const bool posed : {false, true}) {
    const Cover cover = covered_shares(posed);
    EXPECT_GT(cover.eyes, posed ? 0.97 : 0.99);
    EXPECT_GT(cover.mouth, posed ? 0.92 : 0.94);
    RecordProperty(posed ? "posed" : "straight", fmt::format("eyes {:.3f}, mouth {:.3f}", cover.eyes, cover.mouth));
  }
  EXPECT_LT(face_region("eyes", kSide, kSide).mean().item<double>(), 0.09);
  EXPECT_LT(face_region("mouth", kSide, kSide).mean().item<double>(), 0.11);
}

/// What became of images made on one network and shown to another.
struct Transferred {
  AttackResult result;
  torch::Tensor surrogate_success;  ///< (N) bool: the surrogate is fooled
};

Transferred transfer(const Attack& attack, const Classifier& surrogate, const Classifier& classifier,
                     const ThreatModel& threat, const AttackInput& input) {
  AttackInput on_surrogate = input;
  on_surrogate.goal = goal_on_surrogate(input.goal, classifier.classes(), surrogate.classes());
  Transferred made{attack.run(surrogate, threat, on_surrogate, Rng(1)), {}};
  made.surrogate_success = made.result.success;
  show_transferred(classifier, threat.norm, attack.setup().pixel_grid, input, made.result);
  return made;
}

TEST(Transfer, IsJudgedByTheNetworkAttackedInItsOwnClassNumbers) {
  const int64_t side = 16;
  const auto classifier = confident_cnn(side);
  const auto input = make_input(classifier, test_images(6, side, 0, 255), false);
  const auto attack = make_attack("pgd", transfer_settings({}), Norm::Linf, false);
  const ThreatModel threat{Norm::Linf, 8 / 255.0};
  // The network as its own surrogate: the attack in its full strength.
  const auto own = transfer(*attack, classifier, classifier, threat, input);
  EXPECT_TRUE(own.result.success.equal(own.surrogate_success));
  EXPECT_TRUE(own.result.success.equal(input.goal.reached(classifier.logits(own.result.x_adv))));
  EXPECT_LE(own.result.distance.max().item<double>(), threat.eps + 1e-6);
  // The same network with its classes in another order is the same surrogate.
  const auto shuffled = LabelSet::alphabetical();
  const auto order = torch::tensor(LabelSet::fer2013().mapping_from(shuffled), torch::kInt64);
  auto network = make_network("small-cnn", classifier.options(), 3);
  const torch::NoGradGuard no_grad;
  const auto source = classifier.network();
  for (const auto& item : network->named_parameters()) {
    const auto value = source->named_parameters()[item.key()];
    const bool head = item.key().compare(0, 5, "head.") == 0;
    item.value().copy_(head ? value.index_select(0, order) : value);
  }
  NetworkSpec spec = classifier.spec();
  spec.classes = shuffled;
  const Classifier reordered(network, spec);
  const auto through = transfer(*attack, reordered, classifier, threat, input);
  EXPECT_TRUE(through.result.x_adv.equal(own.result.x_adv));
}

TEST(Transfer, ASurrogateWithoutTheClassIsRejected) {
  const auto classifier = confident_cnn(16);
  const auto other = linear_classifier(uniform_rows(Rng(5), {0, 1}, {256}), torch::zeros({2}), 16);
  const auto input = make_input(classifier, test_images(2, 16, 0, 255), false);
  const auto attack = make_attack("pgd", {}, Norm::Linf, false);
  EXPECT_THAT(message_of([&] {
                transfer(*attack, other, classifier, {Norm::Linf, 0.1}, input);
              }),
              testing::HasSubstr("--surrogate: the network has no class"));
}

}  // namespace

}  // namespace fercli::test
