// Square against AutoAttack's, on the correctly classified ones among the first 100 reference images, in numbers of
// queries; the tolerances are those of the reference: broken images within 4 of the mean over its five seeds, mean
// queries of all images within 10 %, of the broken ones within 25 %. Its squares are shared by the whole batch, ours
// are not.
//
// To save time only the case where every image breaks is run; FERCLI_FULL_REFERENCE=1 runs all three and prints the
// table of experiments/square-reference.md.

#include "tests/attacks/reference_models.hpp"

namespace fercli::test {

namespace {

constexpr int64_t kQueries = 5000, kQuick = 300;

struct Case {
  std::string model, eps;
  double levels;
};

struct Counts {
  int64_t images;
  double broken, mean, mean_broken;
};

/// The attacked images to compare, as places among them.
torch::Tensor places(const Case& c) {
  const auto queries = reference_file("square_" + c.model + ".pt").at("square_linf." + c.eps + ".n_queries");
  return (full() ? queries.amax(0).ge(0) : queries.amax(0).le(kQuick)).nonzero().squeeze(1);
}

Counts reference_counts(const Case& c) {
  const auto file = reference_file("square_" + c.model + ".pt");
  const auto value = [&](const char* name) {
    return file.at("square_linf." + c.eps + "." + name).index_select(1, places(c));
  };
  const auto broken = value("broken");
  const auto queries = value("n_queries").to(torch::kFloat64);
  return {broken.size(1), broken.sum(1).to(torch::kFloat64).mean().item<double>(), queries.mean().item<double>(),
          queries.masked_select(broken).mean().item<double>()};
}

Counts our_counts(const Case& c, uint64_t seed) {
  const auto rows = reference_file("square_" + c.model + ".pt")
                        .at("square_linf." + c.eps + ".index")
                        .to(torch::kInt64)
                        .index_select(0, places(c));
  const auto all = reference_images("200");
  const ReferenceImages images{all.pixels.index_select(0, rows), all.x.index_select(0, rows),
                               all.y.index_select(0, rows)};
  auto looks = torch::zeros({rows.size(0)}, torch::kFloat64);
  AttackSettings settings;
  settings.pixel_grid = false;
  settings.set("queries", kQueries + 1);  // the reference does not count the look at the original
  settings.trace = [&](const torch::Tensor& seen, const torch::Tensor&, const torch::Tensor&) {
    looks.index_add_(0, seen, torch::ones({seen.size(0)}, torch::kFloat64));
  };
  const auto result =
      make_attack("square", settings, Norm::Linf, false)
          ->run(reference_model(c.model), {Norm::Linf, c.levels / 255}, reference_input(images), Rng(seed));
  const auto queries = torch::where(result.success, looks - 1, torch::full_like(looks, kQueries + 1));
  return {rows.size(0), result.success.sum().item<double>(), queries.mean().item<double>(),
          queries.masked_select(result.success).mean().item<double>()};
}

void compare(const Case& c, uint64_t seed) {
  const Counts expected = reference_counts(c), found = our_counts(c, seed);
  EXPECT_EQ(found.images, expected.images);
  EXPECT_NEAR(found.broken, expected.broken, 4) << c.model << " " << c.eps;
  EXPECT_NEAR(found.mean, expected.mean, 0.1 * expected.mean) << c.model << " " << c.eps;
  EXPECT_NEAR(found.mean_broken, expected.mean_broken, 0.25 * expected.mean_broken) << c.model << " " << c.eps;
  if (!full()) return;
  fmt::print("| {} | {:g}/255 | {} | {} | {:.1f} | {:.0f} | {:.1f} | {:.1f} | {:.1f} | {:.1f} |\n", c.model, c.levels,
             seed, found.images, expected.broken, found.broken, expected.mean, found.mean, expected.mean_broken,
             found.mean_broken);
}

TEST(SquareReference, BreaksAsManyImagesWithAsManyQueries) {
  compare({"std", "eps8", 8}, 1);
  if (!full()) return;
  compare({"std", "eps8", 8}, 2);
  compare({"std", "eps2", 2}, 1);
  compare({"at", "eps8", 8}, 1);
}

}  // namespace

}  // namespace fercli::test
