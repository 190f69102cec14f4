#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/text.hpp"

namespace fercli {

/// The entries of one kind (commands, attacks, architectures, readers, losses), each registered by its own file.
/// `Entry` is a struct with a `std::string name` and `static constexpr const char* kKind` ("attack", …).
template <class Entry>
class Registry {
 public:
  static Registry& instance() {
    static Registry registry;
    return registry;
  }

  /// Throws std::logic_error when the name is taken: of two entries one would never be found.
  void add(Entry entry) {
    if (find(entry.name))
      throw std::logic_error(fmt::format("two entries are called {} '{}'", Entry::kKind, entry.name));
    const auto place = std::lower_bound(entries_.begin(), entries_.end(), entry,
                                        [](const Entry& a, const Entry& b) { return a.name < b.name; });
    entries_.insert(place, std::move(entry));
  }

  const std::vector<Entry>& all() const { return entries_; }  ///< sorted by name

  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& entry : entries_) names.push_back(entry.name);
    return names;
  }

  const Entry* find(const std::string& name) const {
    for (const auto& entry : entries_) {
      if (entry.name == name) return &entry;
    }
    return nullptr;
  }

  /// Throws UserError that lists the known names, but those of hidden entries, and suggests the nearest.
  const Entry& get(const std::string& name) const {
    if (const Entry* entry = find(name)) return *entry;
    std::vector<std::string> known;
    for (const auto& entry : entries_)
      if (!is_hidden(entry, 0)) known.push_back(entry.name);
    throw UserError(
        fmt::format("unknown {} '{}'{} (known: {})", Entry::kKind, name, did_you_mean(name, known), join(known, ", ")));
  }

 private:
  /// Entries may have a member `hidden`: found by name, and in no list.
  template <class Any>
  static auto is_hidden(const Any& entry, int) -> decltype(entry.hidden) {
    return entry.hidden;
  }
  template <class Any>
  static bool is_hidden(const Any&, long) {
    return false;
  }

  std::vector<Entry> entries_;
};

/// `const Register<Command> registered{{"eval", …}};` at file scope in the entry's own .cpp.
template <class Entry>
struct Register {
  explicit Register(Entry entry) { Registry<Entry>::instance().add(std::move(entry)); }
};

}  // namespace fercli
