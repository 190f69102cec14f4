#include "attacks/universal.hpp"

#include <fmt/format.h>

#include "attacks/engine/annealing.hpp"
#include "attacks/engine/set_learning.hpp"
#include "attacks/threat/ball.hpp"
#include "attacks/threat/losses.hpp"
#include "core/container.hpp"
#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "data/dataset.hpp"
#include "data/image.hpp"

namespace fercli {

namespace {

constexpr const char* kUniversalLoss = "margin";
constexpr const char* kPerturbationKind = "perturbation";
/// The perturbation is kept as an image around this grey, so that the balls of images serve it too.
constexpr int kCentre = 128;
constexpr double kUniversalStep = 0.25, kUniversalMomentum = 0.9;

Ball ball_around_grey(const ThreatModel& threat, const torch::Tensor& like, const torch::Tensor& mask) {
  const auto grey = to_float(torch::full_like(like, kCentre, torch::kUInt8)).unsqueeze(0);
  return Ball(threat.norm, grey, threat.eps_rows(1), true, mask.defined() ? mask.unsqueeze(0) : mask);
}

torch::Tensor levels_of(const torch::Tensor& point) {
  return ((point.squeeze(0) * 255).round() - kCentre).to(torch::kInt16);
}

struct Pull {
  torch::Tensor gradient;  ///< (C,H,W): of the summed losses in the perturbation
  double loss;             ///< mean
};

Pull pull_of(const Classifier& classifier, const GoalLossFunction& loss, const torch::Tensor& images, const Goal& goal,
             const torch::Tensor& levels) {
  const auto moved = images.to(torch::kInt16) + levels;
  const auto line = classifier.linearize(to_float(moved.clamp(0, 255).to(torch::kUInt8)));
  const auto lost = loss_of_the_unfinished(loss, line.logits, goal);
  const auto free = moved.ge(0).logical_and(moved.le(255)).to(torch::kFloat32);
  const auto gradient = line.pullback(lost.gradient) * free;
  return {gradient.to(torch::kFloat64).sum(0), lost.value.to(torch::kFloat64).mean().item<double>()};
}

/// In the perturbation's own norm, pixels in [0,1].
double length_of(const UniversalPerturbation& perturbation) {
  const double levels =
      row_norms(perturbation.levels.to(torch::kFloat64).unsqueeze(0), perturbation.norm).item<double>();
  return perturbation.norm == Norm::L0 ? levels : levels / 255;
}

UniversalPerturbation read_universal(const std::filesystem::path& file) {
  const Container container = load_container(file, kPerturbationKind);
  try {
    const auto& header = container.header;
    const auto levels = container.tensors.at("levels");
    if (levels.dim() != 3 || levels.numel() == 0 || levels.scalar_type() != torch::kInt16) {
      throw std::out_of_range("levels");
    }
    const auto mask = container.tensors.find("mask");
    const bool masked = mask != container.tensors.end();
    if (masked && (mask->second.sizes() != levels.sizes() || mask->second.scalar_type() != torch::kFloat32)) {
      throw std::out_of_range("mask");
    }
    return {levels,
            parse_norm(header.at("norm").get<std::string>()),
            header.at("eps").get<double>(),
            header.at("goal").get<std::string>(),
            header.at("model").get<std::string>(),
            header.at("model_digest").get<std::string>(),
            masked ? mask->second : torch::Tensor()};
  } catch (const std::logic_error&) {
  } catch (const nlohmann::json::exception&) {
  }
  throw UserError(fmt::format("{}: holds no universal perturbation", file.string()));
}

}  // namespace

UniversalPerturbation learn_universal(const Classifier& classifier, const ThreatModel& threat,
                                      const UniversalSettings& settings, const torch::Tensor& images, const Goal& goal,
                                      const Rng& rng) {
  if (images.size(0) == 0) throw UserError("universal: there are no images to learn from");
  const auto loss = find_goal_loss(settings.loss.empty() ? kUniversalLoss : settings.loss);
  const Ball ball = ball_around_grey(threat, images[0], settings.mask);
  const double first = settings.alpha > 0 ? settings.alpha : kUniversalStep * threat.eps;
  ImageOrder order(images.size(0), settings.images_per_step, rng);
  auto point = ball.x();
  auto momentum = torch::zeros(point.sizes(), torch::kFloat64);
  for (int64_t step = 0; step < settings.steps; ++step) {
    throw_if_interrupted();
    const auto batch = torch::tensor(order.next(), torch::kInt64);
    const auto pull =
        pull_of(classifier, loss, images.index_select(0, batch), goal.select(batch), levels_of(ball.exportable(point)));
    momentum = momentum * kUniversalMomentum +
               pull.gradient / row_norms(pull.gradient.unsqueeze(0), Norm::L1).clamp_min(1e-300);
    const double alpha = annealed(first, 0, step, settings.steps);
    point = ball.step(point, momentum.to(torch::kFloat32), torch::full({1}, alpha, torch::kFloat64));
    if (settings.progress) settings.progress(step, pull.loss);
  }
  return {levels_of(ball.exportable(point)), threat.norm, threat.eps, "", "", "", settings.mask};
}

torch::Tensor add_universal(const torch::Tensor& images, const torch::Tensor& levels) {
  return (images.to(torch::kInt16) + levels).clamp(0, 255).to(torch::kUInt8);
}

torch::Tensor random_levels(const UniversalPerturbation& like, const Rng& rng) {
  const Ball ball = ball_around_grey({like.norm, like.eps}, like.levels, like.mask);
  const auto noise = normal_rows(rng, {0}, like.levels.sizes());
  return levels_of(ball.exportable(ball.step(ball.x(), noise, ball.eps())));
}

void save_universal(const UniversalPerturbation& perturbation, const std::filesystem::path& file) {
  Container container{kPerturbationKind,
                      {{"norm", to_string(perturbation.norm)},
                       {"eps", perturbation.eps},
                       {"goal", perturbation.goal},
                       {"model", perturbation.model},
                       {"model_digest", perturbation.digest}},
                      {{"levels", perturbation.levels}}};
  if (perturbation.mask.defined()) container.tensors["mask"] = perturbation.mask;
  save_container(container, file);
  write_png((perturbation.levels + kCentre).clamp(0, 255).to(torch::kUInt8),
            std::filesystem::path(file).replace_extension(".png"));
}

UniversalPerturbation load_universal(const std::filesystem::path& file) {
  UniversalPerturbation loaded = read_universal(file);
  if (within(length_of(loaded), loaded.eps, true)) return loaded;
  throw UserError(fmt::format("{}: the perturbation is larger than the eps that the file states, {:g} in {}",
                              file.string(), loaded.eps, to_string(loaded.norm)));
}

}  // namespace fercli
