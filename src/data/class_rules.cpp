#include "data/class_rules.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/edit_distance.hpp"
#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/text.hpp"

namespace fercli {

namespace {

constexpr const char* kDrop = "drop";
constexpr const char* kEveryOther = "*";

std::vector<bool> occurrence(const Dataset& data) {
  std::vector<bool> occurs(static_cast<size_t>(data.classes.size()));
  const torch::Tensor labels = data.labels.contiguous();
  for (int64_t row = 0; row < data.size(); ++row) {
    const int64_t label = labels.data_ptr<int64_t>()[row];
    if (label >= 0) occurs.at(static_cast<size_t>(label)) = true;
  }
  return occurs;
}

bool is_class_number(const std::string& name) {
  return !name.empty() && name.size() <= 6 && name.find_first_not_of("0123456789") == std::string::npos;
}

/// Emotions in their order, then numbers by value, then the others by their letters.
bool comes_before(const std::string& one, const std::string& other) {
  const auto rank = [](const std::string& name) {
    const Emotion* emotion = find_emotion(name);
    if (emotion != nullptr) return emotion - emotions().data();
    return static_cast<std::ptrdiff_t>(emotions().size()) + (is_class_number(name) ? std::stoi(name) : 1'000'000);
  };
  return rank(one) != rank(other) ? rank(one) < rank(other) : one < other;
}

/// The name a class of the source gets; "" where its images are dropped.
class Renaming {
 public:
  explicit Renaming(const ClassRules& rules) : rules_(rules), base_(rules.base()) {}

  std::string operator()(const std::string& name) const {
    const std::string* target = nullptr;
    for (const auto& [from, to] : rules_.map) {
      if (from == kEveryOther ? target == nullptr : LabelSet({from}).find(name).has_value()) target = &to;
    }
    if (target == nullptr) return name;
    return *target == kDrop ? "" : canonical(*target);
  }

 private:
  /// As the base spells it, else as emotions are spelt.
  std::string canonical(const std::string& target) const {
    if (const auto known = base_.find(target)) return base_.name(*known);
    if (rules_.has_own_classes() && !rules_.wanted && !rules_.numbering->find(target)) {
      throw UserError(fmt::format("--map: '{}' is none of the classes that --data-labels names ({})", target,
                                  join(rules_.numbering->names(), ", ")));
    }
    const Emotion* emotion = find_emotion(target);
    return emotion != nullptr ? emotion->name : printable(target);
  }

  const ClassRules& rules_;
  LabelSet base_;
};

/// A class on the right of the map that is nearly a known one is a slip; short names are not judged ("bad", "Sad").
void require_meant_targets(const Dataset& data, const ClassRules& rules) {
  constexpr size_t kShortestCompared = 5;
  LabelSet known = rules.base();
  for (const auto& emotion : emotions()) add_class(known, emotion.name);
  const LabelSet present = occurring_classes(data);
  for (const auto& [from, to] : rules.map) {
    if (to == kDrop || known.find(to) || present.find(to)) continue;
    for (const auto& name : known.names()) {
      if (name.size() < kShortestCompared || edit_distance(to_lower(to), to_lower(name)) > 1) continue;
      throw UserError(
          fmt::format("--map {}={}: '{}' is no known class; did you mean {}? (--data-labels names classes of "
                      "your own)",
                      from, to, to, name));
    }
  }
}

/// A name on the left of the map that neither occurs nor is an emotion is a slip.
void require_known_sources(const Dataset& data, const ClassRules& rules) {
  ClassRules unmapped = rules;
  unmapped.map.clear();
  const LabelSet present = occurring_classes(data), usual = unmapped.recognised();
  for (const auto& [from, to] : rules.map) {
    if (from == kEveryOther || present.find(from) || usual.find(from)) continue;
    throw UserError(fmt::format("--map {}={}: {} has no images of class '{}'{} (it has {})", from, to, data.name, from,
                                did_you_mean(from, present.names()), join(present.names(), ", ")));
  }
}

void add_once(std::vector<std::string>& names, const std::string& name) {
  if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

/// The classes at the end: the base as the map leaves it, then what else has images.
std::vector<std::string> names_at_the_end(const Dataset& data, const ClassRules& rules, const Renaming& renamed) {
  std::vector<std::string> names, others;
  if (rules.wanted) {
    names = rules.wanted->names();
  } else if (!rules.as_found) {
    const LabelSet base = rules.base();
    for (const auto& name : data.classes.names())
      if (base.find(name) || !rules.recognised().find(name)) add_once(names, renamed(name));
  }
  const auto occurs = occurrence(data);
  for (size_t k = 0; k < occurs.size(); ++k)
    if (occurs[k]) add_once(others, renamed(data.classes.names()[k]));
  if (rules.as_found) std::sort(others.begin(), others.end(), comes_before);
  for (const auto& name : others) add_once(names, name);
  return names;
}

/// Of images with votes the label is the class with most of them once classes are joined, of equals the label so far.
/// A class whose images are dropped is joined with none.
torch::Tensor labels_by_joined_votes(const Dataset& data, const Renaming& renamed) {
  constexpr double kRounding = 1e-6;  // of the shares
  std::vector<std::string> names;
  std::vector<int64_t> first;  // of the classes that become one
  for (const auto& name : data.classes.names()) {
    names.push_back(renamed(name));
    const auto same = std::find(names.begin(), names.end(), names.back()) - names.begin();
    first.push_back(names.back().empty() ? static_cast<int64_t>(first.size()) : same);
  }
  const auto group = torch::tensor(first, torch::kInt64);
  const auto joined = torch::zeros_like(data.votes).index_add_(1, group, data.votes);
  const auto most = joined.ge(joined.amax(1, true) - kRounding);
  const auto of_label = group.index_select(0, data.labels.clamp_min(0)).unsqueeze(1);
  const auto stays = data.labels.lt(0).logical_or(most.gather(1, of_label).squeeze(1));
  return torch::where(stays, data.labels, most.to(torch::kInt64).argmax(1));
}

}  // namespace

std::vector<std::pair<std::string, std::string>> ClassRules::parse_map(const std::string& text) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const auto& piece : fercli::split(text, ',')) {
    const auto equals = piece.find('=');
    const std::string from = trim(piece.substr(0, equals));
    std::string to = equals == std::string::npos ? "" : trim(piece.substr(equals + 1));
    if (to_lower(to) == kDrop) to = kDrop;
    if (from.empty() || to.empty() || to == kEveryOther || to.find('=') != std::string::npos) {
      throw UserError(
          fmt::format("--map {}: '{}' must be NAME=CLASS or NAME=drop, as in happiness=Happy", text, piece));
    }
    for (const auto& [earlier, target] : pairs) {
      if (earlier == from || (from != kEveryOther && earlier != kEveryOther && LabelSet({earlier}).find(from)))
        throw UserError(fmt::format("--map {}: names {} twice", text, from));
    }
    pairs.emplace_back(from, to);
  }
  return pairs;
}

bool ClassRules::has_own_classes() const {
  return numbering && !numbering->has_same_names(LabelSet::fer2013());
}

LabelSet ClassRules::base() const {
  if (wanted) return *wanted;
  return has_own_classes() ? *numbering : LabelSet::fer2013();
}

LabelSet ClassRules::recognised() const {
  LabelSet known = has_own_classes() ? *numbering : base();
  if (!has_own_classes()) {
    for (const auto& emotion : emotions()) add_class(known, emotion.name);
  }
  for (const auto& [from, to] : map) {
    if (from != kEveryOther) add_class(known, from);
  }
  return known;
}

bool ClassRules::any_name() const {
  const auto is_star = [](const auto& pair) { return pair.first == kEveryOther; };
  return as_found || std::any_of(map.begin(), map.end(), is_star);
}

std::string ClassRules::allowed() const {
  const std::string names = join(recognised().names(), ", ");
  if (has_own_classes()) return fmt::format("--data-labels names {}; --map NAME=drop leaves images out", names);
  return fmt::format("{}: {}; --classes folder takes other names as classes, --map NAME=CLASS renames them",
                     wanted ? "known" : "emotions", names);
}

int64_t add_class(LabelSet& classes, const std::string& name) {
  if (const auto known = classes.find(name)) return *known;
  auto names = classes.names();
  names.push_back(name);
  classes = LabelSet(std::move(names));
  return classes.size() - 1;
}

LabelSet occurring_classes(const Dataset& data) {
  const auto occurs = occurrence(data);
  std::vector<std::string> names;
  for (size_t k = 0; k < occurs.size(); ++k)
    if (occurs[k]) names.push_back(data.classes.names()[k]);
  return LabelSet(std::move(names));
}

Dataset settled(Dataset data, const ClassRules& rules) {
  require_known_sources(data, rules);
  require_meant_targets(data, rules);
  const Renaming renamed(rules);
  if (data.votes.defined() && !rules.map.empty()) data.labels = labels_by_joined_votes(data, renamed);
  const LabelSet classes(names_at_the_end(data, rules, renamed));
  if (classes == data.classes && rules.map.empty()) return data;
  std::vector<int64_t> mapping;
  for (const auto& name : data.classes.names()) {
    const std::string target = renamed(name);
    const auto place = std::find(classes.names().begin(), classes.names().end(), target);
    mapping.push_back(place == classes.names().end() ? -1 : place - classes.names().begin());
  }
  return data.recoded(classes, mapping);
}

}  // namespace fercli
