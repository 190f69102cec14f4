#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "data/dataset.hpp"

namespace fercli {

/// What the labels of a source mean, and which classes its images get.
struct ClassRules {
  std::optional<LabelSet> numbering;                     ///< --data-labels; unset: what is usual for the format
  std::optional<LabelSet> wanted;                        ///< a network's classes, which the images are for
  bool as_found = false;                                 ///< --classes folder: every name in the source is a class
  std::vector<std::pair<std::string, std::string>> map;  ///< --map: name in the source, class or "drop"

  /// "happiness=Happy,contempt=drop" into pairs; "*" on the left is every class that no other pair names. Throws
  /// UserError.
  static std::vector<std::pair<std::string, std::string>> parse_map(const std::string& text);

  /// The classes that are kept without images too, in their order: those wanted, else those of `numbering` where they
  /// are not FER2013's seven, else FER2013's seven.
  LabelSet base() const;

  /// The names that a reader takes for classes: with other than FER2013's seven in `numbering` those alone, else the
  /// base and all emotions; always what `map` names on its left.
  LabelSet recognised() const;

  bool any_name() const;         ///< a reader takes names beyond `recognised` too, as `add_class`
  bool has_own_classes() const;  ///< `numbering` names other classes than FER2013's seven, and so says more than order
  std::string allowed() const;   ///< for messages: "emotions: Angry, …", and how to have other classes
};

/// The number of the class of this name among `classes`; a new one at the end where there is none.
int64_t add_class(LabelSet& classes, const std::string& name);

/// Applies the map to what a reader gave: classes renamed, joined, dropped with their images; then no class is left
/// beyond the base but those with images. With `as_found` emotions come first, then the other classes, sorted. Throws
/// UserError where the map names what does not occur, a target that --data-labels does not name, or one that is a slip
/// of a known class.
Dataset settled(Dataset data, const ClassRules& rules);

/// The classes that have images, in their order.
LabelSet occurring_classes(const Dataset& data);

}  // namespace fercli
