#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "attacks/threat/emotion_goal.hpp"
#include "serve/served_models.hpp"

namespace fercli {

/// What `POST /attack` and `POST /smallest` ask for.
struct AttackOrder {
  const ServedModel* model;  ///< the network that is attacked
  EmotionGoal goal;
  std::string attack;
  double eps;
  int64_t steps;         ///< 0: the attack takes no steps
  std::string language;  ///< "en" or "fr"
};

/// Reads the fields model, goal, attack, eps, steps and lang. Throws RequestError 400: unknown names, values out of
/// range, and `steps` for an attack on which it has no effect.
AttackOrder read_order(const std::map<std::string, std::string>& fields, const ServedModels& models,
                       int64_t most_steps);

/// The attacks that a server offers: in Linf, by gradients, without thousands of queries. {"name", "summary",
/// "targeted", "untargeted", "steps"}.
nlohmann::ordered_json offered_attacks();
nlohmann::json offered_attacks_schema();

/// Attacks one face, uint8 (1,C,S,S): both verdicts of every network on the stored 8-bit image, norms and pictures.
/// The passes are those of the attack.
nlohmann::ordered_json attack_face(const AttackOrder& order, const torch::Tensor& face, const ServedModels& models,
                                   uint64_t seed);
shape::Members attacked_face_members();
shape::Members sometimes_of_attacked_face();  ///< those that are there where the goal concerns the face

/// The smallest eps at which the attack reaches its goal on this face: {"attacked", "smallest_eps" or null,
/// "smallest_255", "searched_to"}. `order.eps` has no effect.
nlohmann::ordered_json smallest_eps_of_face(const AttackOrder& order, const torch::Tensor& face, uint64_t seed);
shape::Members smallest_eps_members();

}  // namespace fercli
