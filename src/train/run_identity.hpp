#pragma once

#include <filesystem>
#include <map>

#include "record/fields.hpp"

namespace fercli {

/// What must be the same when a run goes on.
struct RunIdentity {
  nlohmann::json options;  ///< of TrainOptions::to_json
  std::string data, arch;
  std::map<std::string, double> settings;
  nlohmann::json weights;

  /// Throws UserError that names what differs from the run that `file` was written by.
  void require_same(const RunIdentity& then, const std::filesystem::path& file) const;
};

template <class Visitor>
void visit_fields(Visitor& field, RunIdentity& run) {
  field("options", run.options, "that shape the weights", shape::open_object({}));
  field("data", run.data, "digests of the training and the validation images");
  field("arch", run.arch, "the network's architecture");
  field("settings", run.settings, "of the architecture");
  field.defaulted("weights", run.weights, "file and SHA-256 of the initial weights; null when they were random",
                  shape::or_null(shape::open_object({})));
}

}  // namespace fercli
