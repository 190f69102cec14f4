#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/parameters.hpp"
#include "data/dataset.hpp"
#include "eval/campaign/campaign.hpp"
#include "models/classifier.hpp"

namespace fercli {

class Division;

/// One of the networks that a report is about.
struct StudyModel {
  std::string name;                   ///< short, unique in the report
  nlohmann::json description;         ///< see `describe_model`
  std::string digest;                 ///< of its file
  Classifier judge, search;           ///< in float32, and in the arithmetic of the attacks
  Dataset images;                     ///< what it is measured on, labels in the order of its classes
  Dataset faces;                      ///< drawn ones, for the gallery
  std::vector<std::string> warnings;  ///< about the file
};

/// How much is measured.
struct StudyPlan {
  std::string mode;                               ///< "quick" or "full"
  std::vector<std::string> parts;                 ///< names; none: all
  std::vector<Budget> ladder, autoattack_ladder;  ///< Linf
  std::vector<Budget> l2_ladder;                  ///< for the comparison with what is certified
  Budget at;                                      ///< Linf: vulnerability, transfer, calibration under attack, gallery
  std::map<std::string, Given> given = {};        ///< parameters, by the parts' names
  bool include_images = false;                    ///< a gallery of the user's images too
  std::optional<std::vector<int64_t>> unseen = {};  ///< rows of the images whose pixels do not occur in Training
  uint64_t seed = 0;
  int64_t batch_size = 64;  ///< changes no figure

  static StudyPlan quick();  ///< minutes on the 500 images of `kQuickImages`
  static StudyPlan full();

  bool wants(const std::string& part) const;

  /// A parameter of a part: the given one, else that of this mode. Throws std::invalid_argument, see `Values`.
  int64_t budget(const std::string& part, const std::string& parameter) const;
};

constexpr int64_t kQuickImages = 500;

/// Measures every part that is not yet in the folder `cache`, and returns "models", "parts", "outcomes", "invariants"
/// and "warnings" of the report (`fercli schema result`); the caller adds data set and options. All models must have
/// the same images and classes. A full study says first what it will take; every one says how far it is. Throws
/// UserError on unknown parts; Interrupted on Ctrl-C: the same call goes on from the cache.
///
/// With a division the parts that attack images are divided by image; the others are measured by the process that
/// leads, or each by one of the shards. Returns null where only ledgers are wanted.
nlohmann::json run_study(const std::vector<StudyModel>& models, const StudyPlan& plan,
                         const std::filesystem::path& cache, Observer& observer = Observer::none(),
                         Division* division = nullptr);

/// What a study will take: all of it, and the part that is not divided among processes.
struct StudyCost {
  double seconds = 0, serial = 0;
  int64_t sampled = 0;  ///< images per model that tell
};

/// Tells the observer part by part. Nothing is kept.
StudyCost estimate_study(const std::vector<StudyModel>& models, const StudyPlan& plan,
                         const std::filesystem::path& cache, Observer& observer = Observer::none());

/// By name, what must be the same for two studies to be shards of one.
nlohmann::json study_identity(const std::vector<StudyModel>& models, const StudyPlan& plan);

}  // namespace fercli
