#include "serve/samples.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/base64.hpp"
#include "core/files.hpp"
#include "core/json_text.hpp"
#include "data/formats/reader.hpp"
#include "data/image.hpp"
#include "faces/face_reader.hpp"
#include "record/document_kind.hpp"
#include "record/shape.hpp"

namespace fercli {

namespace {

constexpr size_t kSamplesPerClass = 2;
constexpr const char* kDrawnFaces = "synthetic:n=70,seed=1";

/// Rows of this class, those of which the network is surest first.
std::vector<size_t> surest_rows(const Dataset& faces, const std::vector<std::vector<double>>& readings, int64_t label) {
  std::vector<size_t> rows;
  for (size_t row = 0; row < readings.size(); ++row) {
    if (faces.labels[static_cast<int64_t>(row)].item<int64_t>() == label) rows.push_back(row);
  }
  const auto place = static_cast<size_t>(label);
  std::stable_sort(rows.begin(), rows.end(),
                   [&](size_t a, size_t b) { return readings[a][place] > readings[b][place]; });
  rows.resize(std::min(rows.size(), kSamplesPerClass));
  return rows;
}

nlohmann::json samples_schema() {
  using namespace shape;
  return object({{"samples", list(titled(object({{"name", text()},
                                                 {"label", text()},
                                                 {"confidence", share()},
                                                 {"image", described(text(), "PNG in base64")}}),
                                         "Sample"))}});
}

const Register<DocumentKind> samples_document{{"serve-samples", "answer of serve to GET /samples", samples_schema}};

}  // namespace

std::string sample_faces_json(const Classifier& classifier) {
  const auto shipped = find_shipped("faces");
  const Dataset all = read_dataset(shipped.empty() ? kDrawnFaces : shipped.string());
  const LabelSet& classes = classifier.classes();
  const Dataset faces = all.recoded(classes, classes.mapping_from(all.classes));
  if (faces.size() == 0) return compact_json({{"samples", nlohmann::json::array()}});
  const auto readings = read_crops(classifier, faces.images);
  nlohmann::ordered_json samples = nlohmann::ordered_json::array();
  for (int64_t label = 0; label < classes.size(); ++label) {
    for (const size_t row : surest_rows(faces, readings, label)) {
      samples.push_back({{"name", faces.ids[row]},
                         {"label", classes.name(label)},
                         {"confidence", std::round(1e6 * readings[row][static_cast<size_t>(label)]) / 1e6},
                         {"image", encode_base64(encode_png(faces.images[static_cast<int64_t>(row)]))}});
    }
  }
  return compact_json({{"samples", samples}});
}

}  // namespace fercli
