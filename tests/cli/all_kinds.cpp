// A plug-in outside the tree with one entry of each kind but attacks, of which experiments/plugin is the example: a
// loss, an architecture, a reader, a writer of networks, a section of reports with its texts, and a command.
#include <ATen/ATen.h>

#include "core/command.hpp"
#include "core/escape.hpp"
#include "core/files.hpp"
#include "data/formats/reader.hpp"
#include "models/formats/export.hpp"
#include "models/networks/layers.hpp"
#include "models/networks/network.hpp"
#include "report/section.hpp"
#include "train/training_loss.hpp"

namespace fercli::all_kinds {

namespace {

LossOutput squared_error(const TrainingModel& model, const TrainingBatch& batch) {
  const auto logits = model.logits(batch.x);
  const auto error = (logits.softmax(1) - batch.target).square().sum(1);
  return {(error * batch.weight).mean(), logits.detach()};
}

const Register<TrainingLoss> loss{{"squared-error", "squared error of the probabilities", squared_error}};

/// A linear function of the mean of each channel.
class MeanGrey : public Network {
 public:
  explicit MeanGrey(const NetworkOptions& options)
      : head_(
            register_module("head", std::make_shared<Dense>(options.channels, options.classes, Dense::Role::Output))) {}

  torch::Tensor forward(const torch::Tensor& x) override { return head_->forward(global_average(x)); }

 private:
  std::shared_ptr<Dense> head_;
};

const Register<Architecture> architecture{
    {"mean-grey",
     "a dense layer on the mean of each channel",
     "Nothing is simpler.",
     {1, 48, 7, {}},
     {},
     [](const NetworkOptions& options) -> std::shared_ptr<Network> { return std::make_shared<MeanGrey>(options); },
     true}};

constexpr std::string_view kGreys = "greys:";

/// "greys:N": N different images, each of nearly one grey that tells its class, in every split.
Dataset read_greys(const std::string& source, const ReadOptions& options) {
  const int64_t n = parse_integer(source.substr(kGreys.size()));
  Dataset data;
  data.name = source;
  data.classes = LabelSet::fer2013();
  data.labels = at::arange(n, torch::kInt64).remainder(7);
  data.images = (30 * (data.labels + 1)).to(torch::kUInt8).view({n, 1, 1, 1});
  data.images = data.images.repeat({1, options.channels, options.size, options.size});
  for (int64_t i = 0; i < n; ++i) {
    data.images[i].select(1, 0).fill_(i);
    data.splits.push_back(static_cast<Split>(1 + i % 3));
    data.ids.push_back(fmt::format("grey-{}", i));
  }
  return data;
}

const Register<DatasetReader> reader{
    {"greys", "greys:N", [](const std::string& source) { return source.compare(0, kGreys.size(), kGreys) == 0; },
     read_greys}};

const Register<ModelWriter> writer{
    {"name", "holds the architecture's name", [](const Checkpoint& checkpoint, const std::filesystem::path& path) {
       write_file(path, checkpoint.arch + "\n");
     }}};

const RegisterTexts texts{{"plugged.title", {"From a plug-in", "D’un greffon"}},
                          {"plugged.words", {"A section from outside.", "Une section venue d’ailleurs."}}};

const Register<Section> section{
    {"plugged", 1000, [](const Page& page) -> std::vector<Block> { return {Paragraph{page.say("plugged.words")}}; }}};

int greet(const std::vector<std::string>& arguments) {
  OptionSet options("greet", "", "Greet.");
  if (!options.parse(arguments)) return 0;
  print_text("hello\n");
  return 0;
}

const Register<Command> command{{"greet", "says hello", greet}};

}  // namespace

}  // namespace fercli::all_kinds
