// The FER2013 robustness figures published before this project were taken so: FGSM at eps 0.02 (5.1/255) on one
// network, its images saved as JPEG, read back, and shown to every other network. Here the same protocol stands beside
// adaptive ones, in which each network is attacked itself and the images are stored without loss.
//
//     published_protocol FER2013 OUT MODEL…      the static images are made on the first MODEL, a shipped name or a
//     file
//
// On PublicTest. AutoAttack looks at LIMIT images (environment, default 500; 0: all), each class in proportion. Writes
// OUT/published-protocol.md and .json (`fercli schema published-protocol`), and keeps the attacks' states there:
// interrupted, it goes on where it was.
#include <cstdio>
#include <cstdlib>

#include "core/files.hpp"
#include "core/json_text.hpp"
#include "core/text.hpp"
#include "data/formats/reader.hpp"
#include "data/image.hpp"
#include "eval/campaign/campaign.hpp"
#include "eval/evaluate.hpp"
#include "eval/experiment_records.hpp"
#include "eval/measures/subset.hpp"
#include "models/checkpoint.hpp"
#include "models/formats/import.hpp"

namespace {

using namespace fercli;
namespace fs = std::filesystem;

constexpr double kEps = 0.02;     // the published code's default
constexpr int64_t kQuality = 75;  // what image libraries write when nobody asks
constexpr int64_t kBatch = 256;

struct Model {
  std::string name, digest;
  Classifier classifier;

  /// The float32 network: judges of stored images see no other.
  Classifier judge() const { return classifier.with_precision(Precision::Float32); }
};

Model load(const std::string& name) {
  const fs::path file = resolve_model(name);
  const Checkpoint checkpoint = load_model(file);
  return {file.stem().string(), checkpoint.digest, make_classifier(checkpoint, {})};
}

/// x + eps·sign of the gradient of the cross-entropy in x, cut to [0,1], for every image (Goodfellow et al., 2015):
/// those that the network gets wrong are moved too, as the published protocol has it.
torch::Tensor fgsm(const Classifier& classifier, const Dataset& images) {
  std::vector<torch::Tensor> parts;
  for (int64_t begin = 0; begin < images.size(); begin += kBatch) {
    const auto x = to_float(images.images.slice(0, begin, begin + kBatch));
    const auto lin = classifier.linearize(x);
    auto dlogits = lin.logits.softmax(1);
    dlogits.sub_(torch::one_hot(images.labels.slice(0, begin, begin + kBatch), dlogits.size(1)));
    parts.push_back((x + kEps * lin.pullback(dlogits).sign()).clamp(0, 1));
  }
  return torch::cat(parts);
}

Dataset with_images(const Dataset& dataset, const torch::Tensor& images) {
  Dataset changed = dataset;
  changed.images = images;
  return changed;
}

torch::Tensor as_jpeg(const torch::Tensor& images) {
  std::vector<torch::Tensor> back;
  for (const auto& image : images.unbind(0))
    back.push_back(decode_image(encode_jpeg(image, kQuality), image.size(0), "a JPEG just written"));
  return torch::stack(back);
}

Metric accuracy_on(const Classifier& judge, const Dataset& images) {
  const auto predictions = predict(judge, images, kBatch);
  return proportion(predicted_classes(predictions.probabilities).eq(images.labels).sum().item<int64_t>(),
                    images.size());
}

/// Robust accuracy of an attack on the model itself, stored in 8 bits without loss.
Metric adaptive(const Model& model, const std::string& attack, const Dataset& images, const fs::path& state) {
  Trial plan;
  plan.attacks = {attack};
  plan.ladder = parse_ladder("0.02", plan.norm);
  plan.goal.name = "untargeted";
  if (attack == "pgd") plan.settings.set("steps", 20);
  CampaignOptions options;
  options.state = state;
  ProgressObserver observer;
  const auto found = run_campaign({model.classifier, images, model.digest}, plan, options, observer);
  return proportion(found.answers(found.attacks.front(), 0).eq(found.labels).sum().item<int64_t>(), found.size());
}

int64_t image_limit() {
  const char* text = std::getenv("LIMIT");
  return text == nullptr ? 500 : parse_integer(text);
}

int run(const fs::path& data, const fs::path& out, const std::vector<std::string>& names) {
  fs::create_directories(out);
  prepare_machine({});
  const Dataset images = read_dataset(data.string()).only(Split::PublicTest).relabelled(LabelSet::fer2013());
  const Dataset few = subset(images, image_limit());
  std::vector<Model> models;
  for (const auto& name : names) models.push_back(load(name));
  const auto moved = fgsm(models.front().judge(), images);
  const Dataset lossless = with_images(images, to_8bit(moved));
  const Dataset jpeg = with_images(images, as_jpeg(lossless.images));

  std::string text = fmt::format(
      "FER2013 PublicTest, eps 0.02 = 5.1/255 in Linf; accuracy in % with 95 % intervals, n = {} (AutoAttack: {}).\n"
      "\"Static\" images are made once by FGSM on {}; the other columns attack each network itself, from images stored "
      "in 8 bits.\n\n"
      "| network | clean | static, JPEG (published protocol) | static, lossless | FGSM | PGD-20 | AutoAttack |\n"
      "|---|---|---|---|---|---|---|\n",
      images.size(), few.size(), models.front().name);
  PublishedProtocol found{kEps, kQuality, models.front().name, 0, {}};
  for (const auto& model : models) {
    const auto state = [&](const char* attack) { return out / fmt::format("{}-{}.state", model.name, attack); };
    const ProtocolRow row{model.name,
                          model.digest,
                          accuracy_on(model.judge(), images),
                          accuracy_on(model.judge(), jpeg),
                          accuracy_on(model.judge(), lossless),
                          adaptive(model, "fgsm", images, state("fgsm")),
                          adaptive(model, "pgd", images, state("pgd")),
                          adaptive(model, "autoattack", few, state("autoattack"))};
    text += "| " + row.name + " |";
    for (const Metric& metric : {row.clean, row.static_jpeg, row.static_lossless, row.fgsm, row.pgd20, row.autoattack})
      text += " " + format_share(metric) + " |";
    text += "\n";
    found.models.push_back(row);
  }
  write_file(out / "published-protocol.md", text);
  write_file(out / "published-protocol.json", pretty_json(write_record(found)) + "\n");
  fmt::print("{}", text);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    fmt::print(stderr, "usage: published_protocol FER2013 OUT MODEL…\n");
    return 2;
  }
  show_notices();
  try {
    return run(argv[1], argv[2], {argv + 3, argv + argc});
  } catch (const std::exception& error) {
    fmt::print(stderr, "published_protocol: {}\n", error.what());
    return 1;
  }
}
