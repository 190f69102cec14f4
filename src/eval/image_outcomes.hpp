#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "record/shape.hpp"

namespace fercli {

/// An entry of `per_image`: of a clean evaluation, of attacks on a grid, of an attack that keeps its images.
struct ImageFigures {
  std::string id, label, pixels, predicted;
  std::vector<double> probabilities;
  std::map<std::string, std::vector<std::string>> answers;
  std::map<std::string, double> distance;  ///< not finite: none found
  std::map<std::string, std::optional<std::string>> stage;
  std::string clean_class, adversarial_class;
  std::vector<double> clean_probabilities, adversarial_probabilities;
  std::optional<double> linf, l2, psnr, ssim, minimal_eps;
  std::optional<int64_t> linf_255;
  std::optional<bool> sure, success, success_float;
  std::optional<std::optional<std::string>> file, minimal_file;  ///< inner: none was kept
};

template <class Visitor>
void visit_fields(Visitor& field, ImageFigures& image) {
  field.open();
  field("id", image.id);
  field("label", image.label);
  field.unless_empty("pixels", image.pixels, "shape and digest");
  field.unless_empty("predicted", image.predicted, "without an attack");
  field.unless_empty("probabilities", image.probabilities, "of the classes, in their order");
  field.unless_empty("answers", image.answers, "under each attack, at each eps");
  field.unless_empty("distance", image.distance, "of each attack's image; null: none found");
  field.unless_empty("stage", image.stage, "of each cascade, that found it");
  field.unless_empty("clean_class", image.clean_class, "");
  field.unless_empty("clean_probabilities", image.clean_probabilities, "");
  field.unless_empty("adversarial_class", image.adversarial_class, "");
  field.unless_empty("adversarial_probabilities", image.adversarial_probabilities, "");
  field.optional("linf", image.linf, "between the two, with pixels in [0,1]");
  field.optional("linf_255", image.linf_255, "in levels of 255");
  field.optional("l2", image.l2, "");
  field.optional("psnr", image.psnr, "");
  field.optional("ssim", image.ssim, "");
  field.optional("sure", image.sure, "classified rightly, with the confidence that the attack asks for");
  field.optional("success", image.success, "of the stored image");
  field.optional("success_float", image.success_float, "of it, or of a point off the pixel grid");
  field.optional("file", image.file, "null: not kept");
  field.optional("minimal_eps", image.minimal_eps, "null: none found");
  field.optional("minimal_file", image.minimal_file, "null: not kept");
}

/// What makes a threat model another one than any change of any pixel that leaves an 8-bit image.
struct Restrictions {
  std::optional<std::string> goal, mask, surrogate;
  std::optional<bool> pixel_grid;
};

template <class Visitor>
void visit_fields(Visitor& field, Restrictions& restrictions) {
  field.optional("goal", restrictions.goal, "absent: untargeted");
  field.optional("mask", restrictions.mask, "digest; absent: none");
  field.optional("surrogate", restrictions.surrogate, "digest; absent: none");
  field.optional("pixel_grid", restrictions.pixel_grid, "absent: true");
}

/// What one attack made of images.
struct AttackedRows {
  std::string attack, norm;
  std::vector<std::string> eps;
  std::vector<int64_t> rows, broken;  ///< see `visit_fields`
  nlohmann::json settings;            ///< null: not known
  Restrictions restrictions;

  /// Whether the image in this place of `rows` is right under attack at this eps.
  bool robust(size_t place, size_t budget) const { return broken.at(place) > static_cast<int64_t>(budget); }
};

template <class Visitor>
void visit_fields(Visitor& field, AttackedRows& attacked) {
  field.open();
  field("attack", attacked.attack);
  field("norm", attacked.norm);
  field("eps", attacked.eps);
  field("rows", attacked.rows, "places in `ids`");
  field("broken", attacked.broken,
        "-1: misclassified as it is; else the first eps that breaks the image, or their number");
  field.optional("settings", attacked.settings, "", shape::open_object({}));
  visit_fields(field, attacked.restrictions);
}

struct CertifiedRows {
  double sigma = 0;
  std::vector<int64_t> rows;
  std::vector<double> radius;  ///< NaN: none
};

template <class Visitor>
void visit_fields(Visitor& field, CertifiedRows& certified) {
  field("sigma", certified.sigma);
  field("rows", certified.rows, "places in `ids`");
  field("radius", certified.radius, "null: not certified to be right");
}

/// What became of each image with one network.
struct ImageOutcomes {
  std::vector<std::string> ids;
  std::vector<int64_t> labels;
  std::vector<std::string> pixels;  ///< see `describe_pixels`; empty: not known
  std::vector<int64_t> answers;     ///< empty: not known
  std::vector<AttackedRows> attacks;
  std::vector<CertifiedRows> certified;
};

template <class Visitor>
void visit_fields(Visitor& field, ImageOutcomes& outcomes) {
  field("ids", outcomes.ids);
  field("labels", outcomes.labels, "numbers of classes");
  field.unless_empty("pixels", outcomes.pixels, "shape and digest of each image");
  field.unless_empty("answers", outcomes.answers, "on the images as they are, numbers of classes");
  field.unless_empty("attacks", outcomes.attacks, "");
  field.unless_empty("certified", outcomes.certified, "");
}

}  // namespace fercli
