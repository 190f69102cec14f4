#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "record/shape.hpp"

namespace fercli {

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
  bool stands(size_t place, size_t budget) const { return broken.at(place) > static_cast<int64_t>(budget); }
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
