#include "commands/options/model_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/notice.hpp"
#include "core/options.hpp"
#include "models/formats/import.hpp"

namespace fercli {

namespace {

constexpr int64_t kLargestInput = 2048;

std::vector<double> parse_numbers(const std::string& option, const std::string& text, size_t least, size_t most) {
  std::vector<double> numbers;
  try {
    for (const auto& piece : split(text, ',')) numbers.push_back(parse_number(piece));
  } catch (const std::invalid_argument&) {
    numbers.clear();
  }
  const bool finite = std::all_of(numbers.begin(), numbers.end(), [](double number) { return std::isfinite(number); });
  if (!finite || numbers.size() < least || numbers.size() > most) {
    throw UserError(fmt::format("--{} {}: must be {} finite numbers separated by commas", option, text,
                                least == most ? fmt::format("{}", least) : fmt::format("{} to {}", least, most)));
  }
  return numbers;
}

int64_t parse_side(const std::string& text, const std::string& whole) {
  try {
    const int64_t side = parse_integer(text);
    if (side >= 1 && side <= kLargestInput) return side;
  } catch (const std::invalid_argument&) {
  }
  throw UserError(fmt::format("--input {}: '{}' must be a whole number from 1 to {}", whole, text, kLargestInput));
}

/// The network sees (s - mean) / std of s = a + (b - a) x; the same as (x - m) / d with these m and d.
void set_normalisation(const ModelOptions& given, ImportOptions& options) {
  if (given.scale.empty() && given.mean.empty() && given.std.empty()) return;
  const auto scale = parse_numbers("scale", given.scale.empty() ? "0,1" : given.scale, 2, 2);
  auto mean = given.mean.empty() ? std::vector<double>{0} : parse_numbers("mean", given.mean, 1, 3);
  auto std = given.std.empty() ? std::vector<double>{1} : parse_numbers("std", given.std, 1, 3);
  const double low = scale[0], span = scale[1] - scale[0];
  if (span == 0) throw UserError(fmt::format("--scale {}: the two ends must differ", given.scale));
  for (double& value : mean) value = (value - low) / span;
  for (double& value : std) {
    if (value == 0) throw UserError(fmt::format("--std {}: must not be 0", given.std));
    value /= span;
  }
  options.mean = mean;
  options.std = std;
}

}  // namespace

void parse_input_shape(const std::string& text, ImportOptions& options) {
  if (text.empty()) return;
  const std::string word = to_lower(text);
  for (const auto& [prefix, channels] : {std::pair{"gray", 1}, {"grey", 1}, {"rgb", 3}}) {
    const size_t length = std::string_view(prefix).size();
    if (word.compare(0, length, prefix) != 0) continue;
    options.channels = channels;
    options.height = options.width = parse_side(word.substr(length), text);
    return;
  }
  const auto sides = split(word, 'x');
  if (sides.size() != 3)
    throw UserError(fmt::format("--input {}: must be gray48, rgb224 or HEIGHTxWIDTHxCHANNELS", text));
  options.height = parse_side(sides[0], text);
  options.width = parse_side(sides[1], text);
  options.channels = parse_side(sides[2], text);
  if (options.channels != 1 && options.channels != 3) {
    throw UserError(fmt::format("--input {}: channels must be 1 (grey) or 3 (RGB)", text));
  }
}

std::map<std::string, double> arch_settings(const std::vector<std::string>& words, const Given& given) {
  std::map<std::string, double> values;
  for (const auto& word : words) {
    const auto parts = split(word, '=');
    try {
      if (parts.size() != 2) throw std::invalid_argument("no =");
      values[parts[0]] = parse_number(parts[1]);
    } catch (const std::invalid_argument&) {
      throw UserError(fmt::format("--set: '{}' must be NAME=NUMBER", word));
    }
  }
  for (const auto& [name, value] : given) values[name] = parse_number(value);
  return values;
}

void ModelOptions::declare(OptionSet& options) {
  options.text(
      "model,m", &model, "MODEL",
      "checkpoint, the name of a shipped model, or a foreign file: Keras, ONNX, TorchScript, state dictionary");
}

void ModelOptions::declare_foreign(OptionSet& options, bool with_arch) {
  options.section("Foreign model files (what they do not say)");
  options.text("input", &input, "SHAPE", "input of the network: gray48, rgb224 or HEIGHTxWIDTHxCHANNELS");
  options.flag("crop-input", &crop_input,
               "cut the network's input out of the middle of the image, where it would be resized as a whole: inputs "
               "under 48 pixels out of 48x48, larger ones out of 8/7 of their side (224 of 256)");
  options.text("scale", &scale, "A,B", "values that black and white pixels take; without it 0,1");
  options.text("mean", &mean, "M,…", "subtracted after scaling, one value or one per channel");
  options.text("std", &std, "S,…", "divided by after that");
  options.text("labels", &labels, "ORDER",
               fmt::format("order of the outputs: {}, or names separated by commas", kLabelOrders));
  options.text("output", &output, "NAME", "which output has the logits, where there are several; without it the first");
  auto formats = Registry<ModelFormat>::instance().names();
  formats.insert(formats.begin(), "auto");
  options.choice("model-format", &format, formats, "what kind of file it is; auto: what recognises it");
  options.flag("no-strip-softmax", &keep_softmax, "keep a softmax at the end of the network");
  if (with_arch)
    options.plug_in<Architecture>("arch", &arch, &arch_given,
                                  "architecture, for files of weights only; with settings as in resnet:width=96");
  options.texts("set", &settings, "NAME=VALUE", "settings of that architecture, as after its name");
  declare_trust(options, &trust_code);
}

void declare_trust(OptionSet& options, bool* trust_code) {
  options.flag("trust-code", trust_code,
               "run TorchScript that does more than compute with tensors: it can read and write your files");
  options.only_by_hand();
}

void ModelOptions::declare_space(OptionSet& options) {
  options.choice("space", &space, {"stored", "input"},
                 "what of a foreign network is perturbed: the image as stored, before resize and normalisation, or the "
                 "network's input");
}

void ModelOptions::declare_tta(OptionSet& options) {
  options.choice(
      "tta", &tta, {"none", "flip", "ten-crop"},
      "test-time augmentation: logits averaged over 2 or 10 views of each face; ten-crop: windows as large as "
      "in training");
}

Classifier ModelOptions::classifier(const Checkpoint& checkpoint, const Runtime& runtime) const {
  return make_classifier(checkpoint, runtime).with_tta(parse_tta(tta));
}

void ModelOptions::declare_runtime(OptionSet& options, Runtime* runtime) {
  options.runtime(runtime);
  std::vector<std::string> names{"auto"}, explained;
  for (const auto& entry : Registry<ExecutorEntry>::instance().all()) {
    names.push_back(entry.name);
    explained.push_back(fmt::format("{} ({})", entry.name, entry.summary));
  }
  options.choice("executor", &executor, names,
                 fmt::format("what computes the network: {}; auto: the fastest that can", join(explained, ", ")));
}

std::vector<std::string> model_names(const std::string& text) {
  return std::filesystem::exists(text) ? std::vector<std::string>{text} : split(text, ',');
}

Checkpoint load_named_model(const std::string& model, const std::string& option, bool trust_code) {
  ImportOptions options;
  options.trust_code = trust_code;
  return load_model(resolve_model(model, option), options);
}

ImportOptions ModelOptions::import_options() const {
  ImportOptions options;
  parse_input_shape(input, options);
  set_normalisation(*this, options);
  if (!labels.empty()) options.labels = LabelSet::parse(labels);
  options.number_outputs = number_outputs;
  options.strip_softmax = !keep_softmax;
  options.output = output;
  if (format != "auto") options.format = format;
  options.crop_input = crop_input;
  options.trust_code = trust_code;
  options.arch = arch;
  options.settings = arch_settings(settings, arch_given);
  return options;
}

Checkpoint ModelOptions::load() const {
  Checkpoint checkpoint = load_model(resolve_model(model), import_options());
  checkpoint.executor = executor;
  return checkpoint;
}

Checkpoint ModelOptions::load_and_warn() const {
  Checkpoint checkpoint = load();
  for (const auto& line : checkpoint.warnings) warn(line);
  return checkpoint;
}

void ModelOptions::fit(ReadOptions& read, const Checkpoint& checkpoint) const {
  if (!checkpoint.foreign && space != "stored") {
    throw UserError("--space input: is for foreign networks; images come to fercli's own in the size of its input");
  }
  if (checkpoint.preprocessing.crop_from > 0 && space == "input") {
    throw UserError("--space input: the network sees the middle of the image alone; use --space stored");
  }
  read.classes.wanted = checkpoint.classes;
  read.native = checkpoint.foreign != nullptr && space == "stored";
  read.size = checkpoint.preprocessing.size;
  read.channels = checkpoint.preprocessing.channels;
  if (!read.native && checkpoint.preprocessing.columns() != read.size) {
    throw UserError("--space input: the network's input is not square; use --space stored");
  }
}

}  // namespace fercli
