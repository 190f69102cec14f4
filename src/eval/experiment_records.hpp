#pragma once

#include "eval/ladder_figures.hpp"
#include "eval/measures/mcnemar.hpp"

namespace fercli {

/// An attack on a network of a robustness table.
struct TableAttack {
  LadderCurves curves;
  nlohmann::json settings;
  int64_t n = 0;
  Metric accuracy, balanced_accuracy;
  std::vector<std::string> eps;
  std::vector<ClassUnderAttack> by_class;
};

template <class Visitor>
void visit_fields(Visitor& field, TableAttack& attack) {
  visit_fields(field, attack.curves);
  field("settings", attack.settings, "as it ran, at the largest eps", shape::open_object({}));
  field("n", attack.n, "images");
  field("accuracy", attack.accuracy, "of these images, without an attack");
  field("balanced_accuracy", attack.balanced_accuracy, "mean over the classes, without an attack");
  field("eps", attack.eps, "as given, ascending");
  field("by_class", attack.by_class);
}

/// Happy faces turned Sad.
struct TableFlips {
  std::string eps;
  double min_confidence = 0;
  std::optional<Metric> success_8bit;
};

template <class Visitor>
void visit_fields(Visitor& field, TableFlips& flips) {
  field("eps", flips.eps);
  field("min_confidence", flips.min_confidence, "of the network, in the faces that were attacked", shape::share());
  field("success_8bit", flips.success_8bit, "read back from 8-bit files; null: it is so sure of no Happy face");
}

struct TableTraining {
  int64_t epochs = 0;
  double seconds = 0;
};

template <class Visitor>
void visit_fields(Visitor& field, TableTraining& training) {
  field("epochs", training.epochs);
  field("seconds", training.seconds);
}

struct TableModel {
  std::string name, digest, arch;
  nlohmann::json settings;
  std::vector<TableAttack> attacks;
  std::vector<TableFlips> happy_to_sad;
  Metric median_minimal_eps;
  std::optional<TableTraining> training;
};

template <class Visitor>
void visit_fields(Visitor& field, TableModel& model) {
  field("name", model.name);
  field("digest", model.digest, "SHA-256 of its file");
  field("arch", model.arch);
  field("settings", model.settings, "of the architecture", shape::open_object({}));
  field("attacks", model.attacks);
  field("happy_to_sad", model.happy_to_sad);
  field("median_minimal_eps", model.median_minimal_eps, "that turns a Happy face Sad");
  field("training", model.training, "null: there is no history of it");
}

/// Two networks under one attack, on the images that both were measured on.
struct TablePair {
  std::string first, second, attack, eps;
  PairedOutcomes images;
  Metric difference;
  double p = 0, p_holm = 0;
};

template <class Visitor>
void visit_fields(Visitor& field, TablePair& pair) {
  field("first", pair.first, "network");
  field("second", pair.second, "network");
  field("attack", pair.attack);
  field("eps", pair.eps);
  field("both", pair.images.both, "images that both networks get right");
  field("only_first", pair.images.only_first);
  field("only_second", pair.images.only_second);
  field("neither", pair.images.neither);
  field("difference", pair.difference, "robust accuracy of the first minus that of the second");
  field("p", pair.p, "exact McNemar");
  field("p_holm", pair.p_holm, "after Holm's correction for the tests of this list");
}

/// Networks under the same attacks: what experiments/robust_table.cpp makes of results.
struct RobustnessTable {
  static constexpr const char* kSchema = "fercli-robustness-table/1";
  nlohmann::json data;
  std::string norm;
  uint64_t seed = 0;
  Metric constant_answer;
  std::vector<TableModel> models;
  std::vector<TablePair> pairs;
};

template <class Visitor>
void visit_fields(Visitor& field, RobustnessTable& table) {
  using namespace shape;
  field.constant("schema", RobustnessTable::kSchema, "of this document");
  field("data", table.data, "the images",
        open_object({{"name", text()}, {"split", text()}, {"classes", list(text())}}));
  field("norm", table.norm);
  field("seed", table.seed, "of every random number");
  field("constant_answer", table.constant_answer, "accuracy of always answering the most frequent class");
  field("models", table.models);
  field("pairs", table.pairs);
}

/// A network under the protocol of published figures and under adaptive attacks.
struct ProtocolRow {
  std::string name, digest;
  Metric clean, static_jpeg, static_lossless, fgsm, pgd20, autoattack;
};

template <class Visitor>
void visit_fields(Visitor& field, ProtocolRow& row) {
  field("name", row.name);
  field("digest", row.digest, "SHA-256 of its file");
  field("clean", row.clean, "accuracy without an attack");
  field("static_jpeg", row.static_jpeg, "of images that FGSM made once on one network, stored as JPEG");
  field("static_lossless", row.static_lossless, "of the same images, stored without loss");
  field("fgsm", row.fgsm, "under FGSM on the network itself, stored without loss, as the next two");
  field("pgd20", row.pgd20);
  field("autoattack", row.autoattack);
}

/// What experiments/published_protocol.cpp finds.
struct PublishedProtocol {
  static constexpr const char* kSchema = "fercli-published-protocol/1";
  double eps = 0;
  int64_t jpeg_quality = 0;
  std::string made_on;
  uint64_t seed = 0;
  std::vector<ProtocolRow> models;
};

template <class Visitor>
void visit_fields(Visitor& field, PublishedProtocol& found) {
  field.constant("schema", PublishedProtocol::kSchema, "of this document");
  field("eps", found.eps, "in Linf, pixels in [0,1]");
  field("jpeg_quality", found.jpeg_quality);
  field("made_on", found.made_on, "the network on which the static images were made");
  field("seed", found.seed, "of every random number");
  field("models", found.models);
}

}  // namespace fercli
