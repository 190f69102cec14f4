// Random points of the ball, the weakest attack there is: a floor for others. A complete attack with a parameter of its
// own. It could stand among fercli's as attacks/random_points.cpp; here it is a plug-in.
#include "attacks/engine/search.hpp"

namespace fercli::random_points_attack {

namespace {

class RandomPoints : public Attack {
 public:
  using Attack::Attack;

 private:
  void perturb(Search& search) const override {
    auto x_adv = search.start();
    search.offer(x_adv);
    for (int64_t draw = 0; draw < values().whole("draws") && search.size() > 0; ++draw) {
      x_adv = search.ball().random_point(search.rng().split(static_cast<uint64_t>(draw)), search.index());
      search.offer(x_adv);
    }
  }
};

const Register<AttackEntry> registered{
    {"random-points",
     "random points of the ball",
     Access::Scores,
     {Norm::Linf, Norm::L2},
     true,
     true,
     "draws + 1 forward, until solved",
     "none",
     [](const AttackSetup& setup) -> std::unique_ptr<Attack> { return std::make_unique<RandomPoints>(setup); },
     {Parameter::whole("draws", "10", between(1, 1e6), "points for each start"), shared_parameter("restarts"),
      shared_parameter("random-start")}}};

}  // namespace

}  // namespace fercli::random_points_attack
