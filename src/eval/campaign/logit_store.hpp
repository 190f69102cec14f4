#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>

#include "models/classifier.hpp"

namespace fercli {

class Division;
struct Container;

/// The logits of one network, by image: shards keep them, and when they are merged the network need not be run again.
/// It is run on an image that is not in it.
class LogitStore {
 public:
  /// `identity`: by name, what must be the same in all shards: the network first of all.
  explicit LogitStore(nlohmann::json identity);
  ~LogitStore();

  /// The same classifier, with the store before its network. It has no gradients.
  Classifier before(const Classifier& classifier) const;

  /// Takes what the shards of `division` have kept, where it merges them. Throws UserError: a shard is of another run,
  /// naming what differs, or its file is damaged.
  void take_from(const Division& division);

  /// Keeps the logits for the merge, where `division` makes a shard.
  void keep_in(const Division& division) const;

 private:
  void add(const Container& file, const std::filesystem::path& path);

  struct Contents;
  std::shared_ptr<Contents> contents_;
};

}  // namespace fercli
