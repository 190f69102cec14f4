#include "live/live_attack.hpp"

#include <chrono>

#include "data/dataset.hpp"
#include "eval/campaign/faces.hpp"
#include "faces/face_reader.hpp"

namespace fercli {

LiveAttack::LiveAttack(const Classifier& classifier, const Classifier* defender, LiveAttackSettings settings)
    : classifier_(classifier), defender_(defender), settings_(std::move(settings)) {}

torch::Tensor LiveAttack::warm_start(const std::vector<Face>& faces, const std::vector<size_t>& rows,
                                     const torch::Tensor& x) {
  auto start = x.clone();
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto found = deltas_.find(faces[rows[i]].id);
    if (found != deltas_.end()) start[static_cast<int64_t>(i)].add_(found->second).clamp_(0, 1);
  }
  return start;
}

void LiveAttack::attack_rows(const std::vector<Face>& faces, const std::vector<size_t>& rows,
                             std::vector<PerturbedFace>& perturbed) {
  std::vector<torch::Tensor> crops;
  std::vector<int64_t> labels;
  for (const size_t row : rows) {
    crops.push_back(faces[row].crop);
    labels.push_back(top_of(faces[row].probabilities));
  }
  const auto pixels = torch::stack(crops), x = to_float(pixels);
  Trial trial;
  trial.attacks = {"pgd"};
  trial.ladder = {{"", settings_.eps}};
  trial.goal = settings_.goal;
  trial.settings.set("steps", settings_.steps);
  trial.start = warm_start(faces, rows, x);
  const auto found = attack_faces(classifier_, pixels, torch::tensor(labels), trial);
  const auto changes = to_float(found.stored) - x;
  std::map<int64_t, torch::Tensor> deltas;
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto row = static_cast<int64_t>(i);
    PerturbedFace& face = perturbed[rows[i]];
    face.success = found.verdict.reached[row].item<bool>();
    face.adversarial = found.stored[row];
    face.after = found.verdict.of(row);
    face.largest_change = (changes[row].abs().max() * 255).round().item<int64_t>();
    deltas[face.id] = changes[row];
    ++tally_.faces;
    tally_.successes += face.success;
  }
  deltas_ = std::move(deltas);
  tally_.forward += found.forward;
  tally_.backward += found.backward;
}

void LiveAttack::ask_defender(std::vector<PerturbedFace>& perturbed) {
  if (defender_ == nullptr || perturbed.empty()) return;
  std::vector<torch::Tensor> crops;
  for (const auto& face : perturbed) crops.push_back(face.original);
  for (const auto& face : perturbed) crops.push_back(face.adversarial);
  const auto probabilities = read_crops(*defender_, torch::stack(crops));
  for (size_t i = 0; i < perturbed.size(); ++i) {
    perturbed[i].robust_before = probabilities[i];
    perturbed[i].robust_after = probabilities[perturbed.size() + i];
    if (!perturbed[i].concerned) continue;
    tally_.defended += top_of(perturbed[i].robust_before) == top_of(perturbed[i].robust_after);
  }
}

std::vector<PerturbedFace> LiveAttack::perturb(const std::vector<Face>& faces) {
  const auto start = std::chrono::steady_clock::now();
  std::vector<PerturbedFace> perturbed;
  std::vector<size_t> rows;
  for (size_t i = 0; i < faces.size(); ++i) {
    PerturbedFace face;
    face.id = faces[i].id;
    face.original = face.adversarial = faces[i].crop;
    face.before = face.after = faces[i].probabilities;
    face.concerned = settings_.goal.concerns(top_of(face.before));
    if (face.concerned) rows.push_back(i);
    perturbed.push_back(std::move(face));
  }
  if (!rows.empty()) attack_rows(faces, rows, perturbed);
  ask_defender(perturbed);
  tally_.milliseconds = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  return perturbed;
}

}  // namespace fercli
