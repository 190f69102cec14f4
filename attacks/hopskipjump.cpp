// HopSkipJump: the nearest image of the goal, from the network's decisions alone.
// Chen, Jordan and Wainwright, "HopSkipJumpAttack: a query-efficient decision-based attack", arXiv:1904.02144.
//
// A start in the goal class is drawn towards the original until it is at the border (bisection); there the normal
// of the border is estimated from the decisions at random probes, a step is taken along it, and the point is drawn
// back. Round t takes 100 sqrt(t) probes and a first step of distance / sqrt(t), as in the paper. Default: 5000
// queries.
//
// The start: the image given (`AttackInput::start`) where there is one; else drawn faces of the target emotion
// (untargeted: of other emotions), then even noise, until one is in the goal class. An image for which none is found
// stays unsolved; give a photograph of the target class as start.
//
// Deviations: probes are never shorter than 1/255 a value (root mean square), because shorter ones vanish when the
// image is rounded to 8 bits; bisection takes 10 queries and the step search at most 6, for all images
// alike, so that results depend on no company. No query beyond the budget, the original's included; `steps` is not
// used.
//
// Searches in float32: every query asks on which side of the boundary a point beside it lies.
#include <cmath>

#include "attacks/engine/search.hpp"
#include "data/drawn/face.hpp"
#include "data/image.hpp"

namespace fercli::hopskipjump_attack {

namespace {

constexpr int64_t kStartTries = 20, kFaceTries = 10, kBisections = 10, kStepTries = 6;
constexpr int64_t kLeastProbes = 10;
constexpr double kFirstProbe = 0.1, kLeastProbe = 1 / 255.0;
constexpr int64_t kSmallestFace = 16;

torch::Tensor spread(const torch::Tensor& rows) {
  return rows.view({-1, 1, 1, 1}).to(torch::kFloat32);
}

/// One start on the images of a search.
class Walk {
 public:
  Walk(Search& search, const Values& values)
      : search_(search),
        first_probes_(values.whole("probes")),
        left_(values.whole("queries") - 1),
        at_(search.ball().x()),
        found_(torch::zeros({search.size()}, torch::kBool)) {}

  void run() {
    find_start();
    draw_in();
    for (int64_t round = 1; search_.size() > 0; ++round) {
      const auto wanted =
          static_cast<int64_t>(static_cast<double>(first_probes_) * std::sqrt(static_cast<double>(round)));
      const int64_t probes = std::min(wanted, left_ - kStepTries - kBisections);
      if (probes < kLeastProbes) return;
      leap(border_normal(probes, round), round);
      draw_in();
    }
  }

 private:
  const Ball& ball() const { return search_.ball(); }

  torch::Tensor distance() const { return ball().distance(at_); }

  torch::Tensor allowed(const torch::Tensor& image) const {
    const auto inside = image.clamp(0, 1);
    return ball().mask().defined() ? torch::where(ball().mask().gt(0), inside, ball().x()) : inside;
  }

  /// (M) bool: which candidates the network puts into the goal class. One query each.
  torch::Tensor ask(torch::Tensor& candidate, std::vector<torch::Tensor*> state = {}) {
    --left_;
    std::vector<torch::Tensor> unused(kStateSlots, torch::empty({search_.size(), 0}));
    for (size_t i = state.size(); i < kStateSlots; ++i) state.push_back(&unused[i]);
    const auto logits = search_.scores(candidate, {&at_, &found_, state[0], state[1], state[2], state[3], state[4]});
    return search_.goal().reached(logits);
  }

  void move_to(const torch::Tensor& candidate, const torch::Tensor& chosen) {
    at_ = torch::where(chosen.view({-1, 1, 1, 1}), candidate, at_);
    found_ = found_.logical_or(chosen);
  }

  void find_start() {
    const int64_t tries = std::min(kStartTries, std::max<int64_t>(1, left_ / 4));
    for (int64_t attempt = 0; attempt < tries && left_ > 0 && search_.size() > 0; ++attempt) {
      auto candidate = allowed(proposal(attempt));
      const auto reached = ask(candidate);
      move_to(candidate, reached.logical_and(found_.logical_not()));
    }
  }

  /// Images that may be in the goal class; those of rows that have a start already are of no use and drawn quickly.
  torch::Tensor proposal(int64_t attempt) const {
    const Rng rng = search_.rng().split("start").split(static_cast<uint64_t>(attempt));
    const auto& x = ball().x();
    auto image = (uniform_rows(rng, search_.index(), x.sizes().slice(1)) + 1) / 2;
    if (attempt < kFaceTries && x.size(2) == x.size(3) && x.size(2) >= kSmallestFace) draw_faces(rng, attempt, image);
    if (attempt > 0 || !search_.given_start().defined()) return image;
    const auto& given = search_.given_start();
    return torch::where(given.ne(x).flatten(1).any(1).view({-1, 1, 1, 1}), given, image);
  }

  void draw_faces(const Rng& rng, int64_t attempt, torch::Tensor& image) const {
    const auto& names = search_.class_names();
    for (int64_t row = 0; row < search_.size(); ++row) {
      if (found_[row].item<bool>()) continue;
      const int64_t label = search_.goal().labels()[row].item<int64_t>();
      const int64_t shift = 1 + attempt % std::max<int64_t>(1, names.size() - 1);
      const int64_t wanted = search_.goal().is_targeted() ? label : (label + shift) % names.size();
      if (find_emotion(names.name(wanted)) == nullptr) continue;
      const Rng face_rng = rng.split(static_cast<uint64_t>(search_.index()[static_cast<size_t>(row)]));
      const auto face = draw_face(random_face(names.name(wanted), face_rng), image.size(2), image.size(1));
      image[row].copy_(face.to(torch::kFloat32) / 255);
    }
  }

  /// At this share of the way from the original. L2: on the straight line; Linf: cut to that distance.
  torch::Tensor blended(const torch::Tensor& far, const torch::Tensor& share) const {
    const auto& x = ball().x();
    if (ball().norm() == Norm::L2) return x + (far - x) * spread(share);
    const auto radius = spread(share * row_norms(far - x, Norm::Linf));
    return torch::minimum(torch::maximum(far, x - radius), x + radius);
  }

  /// To the border, between the original and the point now held.
  void draw_in() {
    auto far = at_, low = torch::zeros({search_.size()}, torch::kFloat64), high = torch::ones_like(low);
    for (int64_t i = 0; i < kBisections && left_ > 0 && search_.size() > 0; ++i) {
      auto middle = (low + high) / 2;
      auto candidate = blended(far, middle);
      const auto reached = ask(candidate, {&far, &low, &high, &middle});
      high = torch::where(reached, middle, high);
      low = torch::where(reached, low, middle);
      move_to(candidate, reached);
    }
  }

  /// The direction in which the goal class lies, of length 1 (L2) or as signs (Linf): the mean of the probes, each with
  /// the sign of its decision less the mean sign (the paper's eq. 16).
  torch::Tensor border_normal(int64_t probes, int64_t round) {
    const double values = static_cast<double>(at_[0].numel());
    const auto paper = round == 1 ? torch::full_like(distance(), kFirstProbe) : distance() / values;
    auto length = paper.clamp_min(kLeastProbe * std::sqrt(values));
    auto signed_sum = torch::zeros_like(at_), plain_sum = torch::zeros_like(at_),
         decisions = torch::zeros({at_.size(0)});
    auto base = ball().rounded(at_);
    for (int64_t probe = 0; probe < probes && search_.size() > 0; ++probe) {
      const Rng rng =
          search_.rng().split("round").split(static_cast<uint64_t>(round)).split(static_cast<uint64_t>(probe));
      const auto shape = base.sizes().slice(1);
      const auto noise = ball().norm() == Norm::L2 ? normal_rows(rng, search_.index(), shape)
                                                   : uniform_rows(rng, search_.index(), shape);
      const auto unit = noise / spread(row_norms(noise, Norm::L2).clamp_min(1e-30));
      auto candidate = ball().rounded(allowed(base + unit * spread(length)));
      const auto reached = ask(candidate, {&signed_sum, &plain_sum, &decisions, &base, &length});
      const auto sign = reached.to(torch::kFloat32) * 2 - 1;
      const auto step = candidate - base;
      signed_sum = signed_sum + step * spread(sign);
      plain_sum = plain_sum + step;
      decisions = decisions + sign;
    }
    const auto mean = decisions / static_cast<double>(probes);
    const auto all_alike = mean.abs().eq(1);
    const auto normal = signed_sum - plain_sum * spread(torch::where(all_alike, torch::zeros_like(mean), mean));
    if (ball().norm() == Norm::Linf) return normal.sign();
    return normal / spread(row_norms(normal, Norm::L2).clamp_min(1e-30));
  }

  /// The longest step along the normal, halved from distance / sqrt(round), that stays in the goal class.
  void leap(torch::Tensor normal, int64_t round) {
    auto length = distance() / std::sqrt(static_cast<double>(round));
    auto from = at_;
    auto moved = torch::zeros({search_.size()}, torch::kBool);
    for (int64_t i = 0; i < kStepTries && left_ > 0 && search_.size() > 0; ++i) {
      auto candidate = allowed(from + normal * spread(length));
      const auto reached = ask(candidate, {&normal, &length, &from, &moved}).logical_and(moved.logical_not());
      move_to(candidate, reached);
      moved = moved.logical_or(reached);
      length = length / 2;
    }
  }

  static constexpr size_t kStateSlots = 5;
  Search& search_;
  int64_t first_probes_, left_;
  torch::Tensor at_, found_;
};

class HopSkipJump : public Attack {
 public:
  explicit HopSkipJump(const AttackSetup& setup) : Attack(setup, Reach::Anywhere) {}

 private:
  void perturb(Search& search) const override { Walk(search, values()).run(); }
};

const Register<AttackEntry> registered{
    {"hopskipjump",
     "walks along the border of the classes; needs the decisions alone",
     Access::Decisions,
     {Norm::L2, Norm::Linf},
     true,
     true,
     "5000 forward",
     "Chen et al., arXiv:1904.02144",
     [](const AttackSetup& setup) -> std::unique_ptr<Attack> { return std::make_unique<HopSkipJump>(setup); },
     {shared_parameter("queries", "5000"), shared_parameter("restarts"),
      Parameter::whole("probes", "100", between(1, 1e6), "of the first round; round t takes sqrt(t) times as many")}}};

}  // namespace

}  // namespace fercli::hopskipjump_attack
