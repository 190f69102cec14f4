// Square attack: random search over squares, from the logits alone.
// Andriushchenko, Croce, Flammarion and Hein, "Square attack: a query-efficient black-box adversarial attack via random
// search", arXiv:1912.00049.
//
// A start is stripes of +-eps (Linf), or a pattern of bumps (L2); each query repaints one square and the image keeps it
// when the loss falls. Loss: the margin of the goal, for true labels and for targets (the paper's targeted variant
// takes cross-entropy: `loss` ce). Defaults: 5000 queries and the paper's schedule of square sizes from p = 0.8, its
// switches at fixed queries as in AutoAttack, not stretched to the budget. The look at the original and the start count
// as queries; none is asked beyond the budget.
//
// In L2 the authors' code (AutoAttack's too) differs in two ways: it brings each half of a bump to norm 1 before the
// whole, where here only the whole is, which weighs the halves of odd sides otherwise; and its first pattern of bumps
// begins (H - 5 side) / 2 pixels from the corner, where here it begins in the corner.
//
// Deviations, on purpose: each image has squares of its own instead of one for the whole batch, so that results depend
// on no company; squares reach the last row and column too; with a mask, squares touch it. The acceptance of a square
// follows the search's own arithmetic (bfloat16 where it is), success the float32 network.
#include <cmath>

#include "attacks/engine/search.hpp"

namespace fercli::square_attack {

namespace {

constexpr int64_t kPart = 100;  ///< queries between two points at which an interrupted run can go on
/// From these queries on the share of the image that a square covers is halved.
constexpr int64_t kSwitches[] = {10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000};
constexpr int64_t kBumpsPerSide = 5, kSmallestBump = 3;

/// The side of the square of update number `step`; the first covers this share of the image.
int64_t square_side(double share, int64_t step, int64_t height, int64_t width) {
  for (const int64_t place : kSwitches) share /= step > place ? 2 : 1;
  const auto side = std::lround(std::sqrt(share * static_cast<double>(height * width)));
  return std::min({std::max<int64_t>(1, side), height, width});
}

struct Corner {
  int64_t top, left;
};

/// A square of this side, evenly placed; with a mask ((C,H,W) values), one that touches it.
Corner draw_corner(Rng& rng, int64_t side, const torch::Tensor& like, const float* mask) {
  const int64_t height = like.size(2), width = like.size(3);
  if (mask == nullptr) return {rng.below(height - side + 1), rng.below(width - side + 1)};
  std::vector<int64_t> places;
  for (int64_t i = 0; i < height * width; ++i) {
    if (mask[i] > 0) places.push_back(i);
  }
  if (places.empty()) return {0, 0};
  const int64_t place = places[static_cast<size_t>(rng.below(static_cast<int64_t>(places.size())))];
  const auto shifted = [&](int64_t at, int64_t length) {
    return std::min(std::max<int64_t>(0, at - rng.below(side)), length - side);
  };
  return {shifted(place / width, height), shifted(place % width, width)};
}

/// The bump of the L2 attack (the paper's eta, fig. 3): two stacked or neighbouring pyramids of opposite sign, of
/// norm 1.
torch::Tensor bump(int64_t side, bool turned) {
  auto values = torch::zeros({side, side}, torch::kFloat64);
  const auto raise = [&](int64_t top, int64_t rows, double sign) {
    auto part = values.narrow(0, top, rows);
    const int64_t centre_y = rows / 2, centre_x = side / 2;
    for (int64_t reach = 0; reach <= std::max(centre_x, centre_y); ++reach) {
      const int64_t y0 = std::max<int64_t>(0, centre_y - reach), y1 = std::min(rows, centre_y + reach + 1);
      const int64_t x0 = std::max<int64_t>(0, centre_x - reach), x1 = std::min(side, centre_x + reach + 1);
      part.slice(0, y0, y1).slice(1, x0, x1).add_(sign / static_cast<double>((reach + 1) * (reach + 1)));
    }
  };
  raise(0, side / 2, 1);
  raise(side / 2, side - side / 2, -1);
  values = values / values.norm().clamp_min(1e-30);
  return (turned ? values.t().contiguous() : values).to(torch::kFloat32);
}

class Square : public Attack {
 public:
  explicit Square(const AttackSetup& setup)
      : Attack(setup), loss_(find_goal_loss(values().word("loss"))), p_(values().number("p")) {}

 private:
  int64_t updates() const { return values().whole("queries") - 2; }  ///< a query is for the original, one for the start

  int64_t parts(Norm, bool, int64_t) const override { return std::max<int64_t>(1, (updates() + kPart - 1) / kPart); }

  void perturb(Search& search) const override {
    if (updates() < 0) return;
    auto best = search.recalled("best"), lowest = search.recalled("square lowest");
    if (search.part() == 0) {
      best = first_point(search);
      if (updates() == 0) return search.offer(best);
      lowest = torch::full({search.size()}, std::numeric_limits<float>::infinity());
      improve(search, best, best, lowest);
    }
    const int64_t begin = search.part() * kPart, end = std::min(updates(), begin + kPart);
    for (int64_t step = begin; step < end && search.size() > 0; ++step) {
      auto candidate = search.ball().norm() == Norm::Linf ? next_linf(search, best, step) : next_l2(search, best, step);
      if (step + 1 == updates()) return search.offer(candidate);
      improve(search, candidate, best, lowest);
    }
    search.remember("best", best);
    search.remember("square lowest", lowest);
  }

  /// Keeps the candidate where its loss is lower.
  void improve(Search& search, torch::Tensor candidate, torch::Tensor& best, torch::Tensor& lowest) const {
    const auto logits = search.scores(candidate, {&best, &lowest});
    const auto value = loss_(logits, search.goal()).value;
    const auto better = value.lt(lowest);
    best = torch::where(better.view({-1, 1, 1, 1}), candidate, best);
    lowest = torch::where(better, value, lowest);
  }

  /// The given start of an image where there is one, else the paper's.
  static torch::Tensor first_point(const Search& search) {
    const auto& ball = search.ball();
    const auto fresh = ball.norm() == Norm::Linf ? stripes(search) : bumps(search);
    if (!search.given_start().defined()) return fresh;
    const auto given = search.start();
    return torch::where(given.ne(ball.x()).flatten(1).any(1).view({-1, 1, 1, 1}), given, fresh);
  }

  static Rng image_rng(const Search& search, const char* label, int64_t row) {
    return search.rng().split(label).split(static_cast<uint64_t>(search.index()[static_cast<size_t>(row)]));
  }

  static torch::Tensor stripes(const Search& search) {
    const auto& ball = search.ball();
    auto signs = uniform_rows(search.rng().split("stripes"), search.index(), {ball.x().size(1), 1, ball.x().size(3)});
    signs = torch::where(signs.ge(0), torch::ones_like(signs), -torch::ones_like(signs));
    return ball.project(ball.x() + signs * ball.eps().view({-1, 1, 1, 1}).to(torch::kFloat32));
  }

  static torch::Tensor bumps(const Search& search) {
    const auto& x = search.ball().x();
    const int64_t side = std::max<int64_t>(1, std::min(x.size(2), x.size(3)) / kBumpsPerSide);
    const torch::Tensor shapes[] = {bump(side, false), bump(side, true)};
    auto delta = torch::zeros_like(x);
    for (int64_t row = 0; row < search.size(); ++row) {
      Rng rng = image_rng(search, "bumps", row);
      for (int64_t top = 0; top + side <= x.size(2); top += side) {
        for (int64_t left = 0; left + side <= x.size(3); left += side) {
          const auto& shape = shapes[rng.below(2)];
          for (int64_t c = 0; c < x.size(1); ++c) {
            delta[row][c].narrow(0, top, side).narrow(1, left, side).copy_(rng.chance(0.5) ? shape : -shape);
          }
        }
      }
    }
    return on_sphere(search.ball(), delta);
  }

  /// x + delta stretched to the length eps, in [0,1].
  static torch::Tensor on_sphere(const Ball& ball, const torch::Tensor& delta) {
    return ball.stretch(ball.x() + delta);
  }

  static const float* mask_of(const torch::Tensor& mask, int64_t row) {
    return mask.defined() ? mask.data_ptr<float>() + row * mask.stride(0) : nullptr;
  }

  /// One square of each image, all its pixels to x + eps or x - eps, a sign for each channel.
  torch::Tensor next_linf(const Search& search, const torch::Tensor& best, int64_t step) const {
    const auto& ball = search.ball();
    const auto x = ball.x().contiguous(), eps_rows = ball.eps().contiguous();
    const double* eps = eps_rows.data_ptr<double>();
    const auto mask = ball.mask().defined() ? ball.mask().contiguous() : ball.mask();
    const int64_t height = x.size(2), width = x.size(3), side = square_side(p_, step, height, width);
    auto next = best.clone(at::MemoryFormat::Contiguous);
    for (int64_t row = 0; row < search.size(); ++row) {
      Rng rng = image_rng(search, "square", row).split(static_cast<uint64_t>(step));
      const Corner corner = draw_corner(rng, side, x, mask_of(mask, row));
      const auto radius = static_cast<float>(eps[row]);
      for (int64_t c = 0; c < x.size(1); ++c) {
        const float shift = rng.chance(0.5) ? radius : -radius;
        const int64_t plane = (row * x.size(1) + c) * height * width;
        for (int64_t y = corner.top; y < corner.top + side; ++y) {
          const int64_t begin = plane + y * width + corner.left;
          const float* from = x.data_ptr<float>() + begin;
          float* to = next.data_ptr<float>() + begin;
          for (int64_t i = 0; i < side; ++i) to[i] = std::min(1.f, std::max(0.f, from[i] + shift));
        }
      }
    }
    return mask.defined() ? torch::where(mask.gt(0), next, x) : next;
  }

  /// The paper's algorithm 3: a new bump in one window, paid for by what another window and the slack of the ball hold.
  torch::Tensor next_l2(const Search& search, const torch::Tensor& best, int64_t step) const {
    const auto& ball = search.ball();
    const auto& x = ball.x();
    const auto mask = ball.mask().defined() ? ball.mask().contiguous() : ball.mask();
    const int64_t least = std::min({kSmallestBump, x.size(2), x.size(3)});
    int64_t side = std::max(least, square_side(p_, step, x.size(2), x.size(3)));
    side = std::min({side + (side % 2 == 0 ? 1 : 0), x.size(2), x.size(3)});
    const torch::Tensor shapes[] = {bump(side, false), bump(side, true)};
    auto delta = (best - x).contiguous();
    for (int64_t row = 0; row < search.size(); ++row) {
      Rng rng = image_rng(search, "square", row).split(static_cast<uint64_t>(step));
      const Corner to = draw_corner(rng, side, x, mask_of(mask, row));
      const Corner from = draw_corner(rng, side, x, mask_of(mask, row));
      const double eps = ball.eps()[row].item<double>();
      const double slack = std::max(0.0, eps * eps - squares(delta[row])) / static_cast<double>(x.size(1));
      const auto& shape = shapes[rng.below(2)];
      for (int64_t c = 0; c < x.size(1); ++c) {
        move_mass(delta[row][c], to, from, rng.chance(0.5) ? shape : -shape, slack);
      }
    }
    return on_sphere(ball, delta);
  }

  static double squares(const torch::Tensor& values) {
    return values.to(torch::kFloat64).square().sum(-1).sum().item<double>();
  }

  /// One channel: the window `from` is emptied; the window `to` gets the bump added to its old content, with the mass
  /// of both windows and `slack`.
  static void move_mass(torch::Tensor delta, Corner to, Corner from, const torch::Tensor& shape, double slack) {
    const int64_t side = shape.size(0);
    const auto window = [&](Corner at) { return delta.narrow(0, at.top, side).narrow(1, at.left, side); };
    const auto old = window(to).clone();
    window(to).zero_();
    const double old_mass = squares(old), mass = old_mass + squares(window(from)) + slack;
    window(from).zero_();
    const auto update = shape + old / std::max(1e-12, std::sqrt(old_mass));
    window(to).copy_(update * (std::sqrt(mass) / std::max(1e-12, std::sqrt(squares(update)))));
  }

  GoalLossFunction loss_;
  double p_;
};

const Register<AttackEntry> registered{
    {"square",
     "random search over squares; needs the logits alone",
     Access::Scores,
     {Norm::Linf, Norm::L2},
     true,
     true,
     "up to 5000 forward, until solved",
     "Andriushchenko et al., arXiv:1912.00049",
     [](const AttackSetup& setup) -> std::unique_ptr<Attack> { return std::make_unique<Square>(setup); },
     {shared_parameter("restarts"), shared_parameter("loss", "margin"), shared_parameter("queries", "5000"),
      Parameter::number("p", "0.8", {0, 1, true}, "share of the image that the first squares cover"),
      confidence_parameter()}}};

}  // namespace

}  // namespace fercli::square_attack
