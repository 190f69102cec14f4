#include "models/formats/import.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "core/claim.hpp"
#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/files.hpp"
#include "core/notice.hpp"
#include "core/random.hpp"
#include "core/reason.hpp"
#include "core/untrusted.hpp"
#include "core/zip_file.hpp"
#include "models/files/limits.hpp"
#include "models/files/state_dict.hpp"
#include "models/networks/weights.hpp"

namespace fercli {

namespace fs = std::filesystem;

namespace {

constexpr size_t kHead = 4096;  ///< of FileProbe::head
constexpr int64_t kUsualSize = 48;

bool is_checkpoint(const FileProbe& file) {
  return is_state_dictionary(file) && ZipFile(file.path).read_ending("data.pkl").find("fercli") < 64;
}

/// Two images of noise, as the network sees them.
torch::Tensor trial_images(const Preprocessing& input) {
  const auto noise = uniform_rows(Rng(1).split("trial"), {0, 1}, {input.channels, input.size, input.columns()});
  return input.normalised((noise + 1) / 2, torch::kFloat32);
}

/// Its outputs for two images. Throws UserError when they are none, or no logits.
torch::Tensor try_network(const Model& model, const Preprocessing& input, const fs::path& path) {
  const torch::NoGradGuard no_grad;
  const std::string shape = fmt::format("{}x{}x{}", input.size, input.columns(), input.channels);
  torch::Tensor logits;
  try {
    logits = model.executor()->logits(trial_images(input));
  } catch (const UserError&) {
    throw;
  } catch (const std::exception& error) {
    throw UserError(fmt::format("{}: the network does not take {} images; give the right --input HxWxC ({})",
                                path.string(), shape, reason_of(error)));
  }
  if (logits.dim() != 2 || logits.size(0) != 2 || logits.size(1) < 2) {
    throw UserError(
        fmt::format("{}: for two {} images the network gives an output of shape ({}), where (2, classes) is "
                    "needed",
                    path.string(), shape, fmt::join(logits.sizes(), ",")));
  }
  return logits.to(torch::kFloat32);
}

constexpr double kSameProbability = 1e-4, kSumOfOne = 1e-3;

/// Shares of 1, or of 100.
bool are_probabilities(const torch::Tensor& outputs) {
  const auto add_up_to = [&](double whole) {
    return (outputs.sum(1) / whole - 1).abs().max().item<double>() < kSumOfOne;
  };
  return outputs.min().item<double>() >= 0 && (add_up_to(1) || add_up_to(100));
}

constexpr const char* kProbabilities =
    "the network's outputs are probabilities, not logits: a softmax is kept, under which gradients vanish and "
    "confidences come out too low";

/// The model without the softmax at its end, if its softmax is what the file says; else with it.
std::shared_ptr<const ForeignModel> settled_model(const ImportedModel& imported, const Preprocessing& input,
                                                  const fs::path& path) {
  if (!imported.with_softmax) return imported.model;
  const auto wanted = try_network(*imported.with_softmax, input, path);
  const auto logits = try_network(*imported.model, input, path);
  const bool same = logits.sizes() == wanted.sizes() &&
                    (at::softmax(logits, 1) - wanted).abs().max().item<double>() < kSameProbability;
  return same ? imported.model : imported.with_softmax;
}

LabelSet choose_labels(const ImportOptions& options, int64_t outputs, const fs::path& path,
                       std::vector<std::string>& assumed) {
  if (options.labels.size() == outputs) return options.labels;
  if (options.labels.size() > 0) {
    throw UserError(fmt::format("--labels: names {} classes, but {} has {} outputs", options.labels.size(),
                                path.string(), outputs));
  }
  if (outputs != LabelSet::fer2013().size() && options.number_outputs) {
    std::vector<std::string> names;
    for (int64_t k = 0; k < outputs; ++k) names.push_back(fmt::format("output {}", k));
    return LabelSet(names);
  }
  if (outputs != LabelSet::fer2013().size()) {
    throw UserError(fmt::format(
        "{}: has {} outputs; name them in order with --labels {}A,B,C,… (`fercli import` keeps the names in a "
        "checkpoint)",
        path.string(), outputs, outputs == LabelSet::ferplus().size() ? "ferplus, affectnet8 or " : ""));
  }
  assumed.push_back("--labels fer2013");
  return LabelSet::fer2013();
}

/// What networks of this side are usually cut from: those for FER2013 from its 48 pixels, larger ones from 8/7 of their
/// side (224 of 256).
int64_t usual_crop(int64_t side) {
  return side < kUsualSize ? kUsualSize : (side * 8 + 3) / 7;
}

Preprocessing choose_input(const ImportOptions& options, const ImportedModel& imported, const fs::path& path,
                           std::vector<std::string>& assumed) {
  Preprocessing input{1, kUsualSize, {0.0}, {1.0}};
  const auto differs = [](int64_t wanted, int64_t fixed) { return wanted > 0 && fixed > 0 && wanted != fixed; };
  if (differs(options.channels, imported.channels) || differs(options.height, imported.height) ||
      differs(options.width, imported.width)) {
    throw UserError(fmt::format("--input {}x{}x{}: {} was made for {}x{}x{} images", options.height, options.width,
                                options.channels, path.string(), imported.height, imported.width, imported.channels));
  }
  const auto choose = [&](int64_t wanted, int64_t fixed, int64_t usual) {
    return wanted > 0 ? wanted : fixed > 0 ? fixed : usual;
  };
  input.channels = choose(options.channels, imported.channels, 1);
  input.size = choose(options.height, imported.height, kUsualSize);
  input.width = choose(options.width, imported.width, input.size);
  if (input.width == input.size) input.width = 0;
  if ((input.channels != 1 && input.channels != 3) || std::max(input.size, input.columns()) > kLargestSide) {
    throw UserError(
        fmt::format("{}: takes {}x{}x{}, where images of 1 or 3 channels and at most {} pixels a side are needed; "
                    "--input HxWxC says what a file leaves open",
                    path.string(), input.size, input.columns(), input.channels, kLargestSide));
  }
  if (options.height == 0 && (imported.height == 0 || imported.channels == 0)) {
    assumed.push_back(fmt::format("--input {}x{}x{}", input.size, input.columns(), input.channels));
  }
  if (options.mean.empty() && options.std.empty()) {
    assumed.push_back(imported.whole_pixels ? "--scale 0,255" : "--scale 0,1");
    if (imported.whole_pixels) input.std = {1.0 / 255};
  }
  if (options.crop_input) input.crop_from = usual_crop(std::max(input.size, input.columns()));
  if (!options.mean.empty()) input.mean = options.mean;
  if (!options.std.empty()) input.std = options.std;
  for (const auto* values : {&input.mean, &input.std}) {
    const auto count = static_cast<int64_t>(values->size());
    if (count != 1 && count != input.channels) {
      throw UserError(fmt::format("--mean and --std: {} values for {} input channels", count, input.channels));
    }
  }
  return input;
}

Checkpoint import_foreign(const fs::path& path, const ModelFormat& format, const ImportOptions& options) {
  if (!options.arch.empty() || !options.settings.empty()) {
    throw UserError(fmt::format("{}: brings its own architecture; leave --arch and --set out", path.string()));
  }
  const std::string digest = file_sha256_hex(path);
  const fs::path weights = format.beside == nullptr ? fs::path() : format.beside(path);
  const std::string of_weights = weights.empty() ? "" : file_sha256_hex(weights);
  const ImportedModel imported = format.read(path, options);
  require_unchanged(path, digest);
  if (!weights.empty()) require_unchanged(weights, of_weights);
  Checkpoint checkpoint;
  checkpoint.digest = weights.empty() ? digest : sha256_hex(digest + of_weights);
  std::vector<std::string> assumed;
  checkpoint.arch = format.name;
  checkpoint.preprocessing = choose_input(options, imported, path, assumed);
  checkpoint.foreign = settled_model(imported, checkpoint.preprocessing, path);
  const auto trial = try_network(*checkpoint.foreign, checkpoint.preprocessing, path);
  const int64_t outputs = trial.size(1);
  checkpoint.classes = choose_labels(options, outputs, path, assumed);
  checkpoint.options = {checkpoint.preprocessing.channels, checkpoint.preprocessing.size, outputs, {}};
  checkpoint.training = {{"imported", {{"file", path.filename().string()}, {"sha256", digest}}}};
  if (!weights.empty()) checkpoint.training["imported"]["weights_sha256"] = of_weights;
  if (are_probabilities(trial)) checkpoint.warnings.emplace_back(kProbabilities);
  if (imported.rounds) {
    checkpoint.warnings.emplace_back(
        "the network rounds to 8-bit numbers inside (QuantizeLinear): gradients pass the rounding as if it were not "
        "there (straight-through), so that white-box attacks may look weaker than they are");
  }
  if (!assumed.empty()) inform(fmt::format("{}: assumed {}", path.string(), fmt::join(assumed, " ")));
  return checkpoint;
}

std::vector<double> finite_numbers(const std::string& text) {
  std::vector<double> numbers;
  for (const auto& piece : split(text, ',')) {
    numbers.push_back(parse_number(piece));
    if (!std::isfinite(numbers.back())) throw std::invalid_argument(piece + " is no number");
  }
  return numbers;
}

/// The options, and what `fercli export` wrote beside the weights where they leave something open.
ImportOptions with_metadata(ImportOptions options, const fs::path& path) {
  const auto metadata = read_metadata(path);
  for (const char* key : {"arch", "settings", "classes", "input", "mean", "std"}) {
    if (metadata.count(key) == 0) return options;  // another program's
  }
  try {
    const auto sides = split(metadata.at("input"), 'x');
    if (sides.size() != 3) throw std::invalid_argument("input must be HEIGHTxWIDTHxCHANNELS");
    std::vector<int64_t> shape;
    shape.reserve(sides.size());
    for (const auto& side : sides) shape.push_back(parse_integer(side));
    if (*std::min_element(shape.begin(), shape.end()) < 1) throw std::invalid_argument("input must be above 0");
    if (options.height == 0) options.height = shape[0], options.width = shape[1], options.channels = shape[2];
    const auto mean = finite_numbers(metadata.at("mean")), std = finite_numbers(metadata.at("std"));
    if (std::find(std.begin(), std.end(), 0) != std.end()) throw std::invalid_argument("std must not be 0");
    if (options.mean.empty()) options.mean = mean;
    if (options.std.empty()) options.std = std;
    if (metadata.count("crop_from") > 0) options.crop_input = true;
    if (metadata.count("window") > 0) options.window = parse_integer(metadata.at("window"));
    if (options.labels.size() == 0) options.labels = LabelSet::parse(metadata.at("classes"));
    if (options.arch.empty() || options.arch == metadata.at("arch")) {
      const auto settings = parse_untrusted_json(metadata.at("settings")).get<std::map<std::string, double>>();
      require_fitting_settings(settings, read_state_dict(path), path.string());
      options.settings.insert(settings.begin(), settings.end());
      options.arch = metadata.at("arch");
    }
  } catch (const UserError&) {
    throw;
  } catch (const std::exception& error) {
    throw UserError(fmt::format("{}: its metadata is damaged ({})", path.string(), reason_of(error)));
  }
  return options;
}

/// Weights without a graph, into one of the program's architectures.
Checkpoint import_weights(const FileProbe& probe, const ImportOptions& given) {
  const fs::path& path = probe.path;
  Checkpoint checkpoint;
  checkpoint.digest = file_sha256_hex(path);
  const ImportOptions options = is_safetensors(probe) ? with_metadata(given, path) : given;
  if (options.arch.empty()) {
    throw UserError(fmt::format("{}: holds weights only; --arch must name their architecture ({})", path.string(),
                                join(Registry<Architecture>::instance().names(), ", ")));
  }
  std::vector<std::string> assumed;
  const auto& usual = Registry<Architecture>::instance().get(options.arch).defaults();
  ImportedModel file;
  if (options.height == 0) file = {nullptr, usual.channels, usual.size, usual.size};
  checkpoint.arch = options.arch;
  checkpoint.preprocessing = choose_input(options, file, path, assumed);
  const LabelSet labels = options.labels.size() > 0 ? options.labels : LabelSet::fer2013();
  if (options.labels.size() == 0) assumed.push_back("--labels fer2013");
  checkpoint.classes = labels;
  checkpoint.options = {checkpoint.preprocessing.channels, checkpoint.preprocessing.size, labels.size(),
                        complete_settings(options.arch, options.settings)};
  checkpoint.network = make_unfilled_network(checkpoint.arch, checkpoint.options);
  checkpoint.window = usable_window(options.window, checkpoint);
  load_all_weights(*checkpoint.network, path);
  require_unchanged(path, checkpoint.digest);
  checkpoint.training = {{"imported", {{"file", path.filename().string()}, {"sha256", checkpoint.digest}}}};
  if (!assumed.empty()) inform(fmt::format("{}: assumed {}", path.string(), fmt::join(assumed, " ")));
  return checkpoint;
}

}  // namespace

bool ImportOptions::empty() const {
  return channels == 0 && mean.empty() && std.empty() && labels.size() == 0 && strip_softmax && output.empty() &&
         format.empty() && !crop_input && arch.empty() && settings.empty();
}

FileProbe probe_file(const fs::path& path) {
  require_file(path);
  FileProbe file{path, "", {}};
  std::ifstream stream(path, std::ios::binary);
  file.head.resize(kHead);
  stream.read(file.head.data(), kHead);
  file.head.resize(static_cast<size_t>(stream.gcount()));
  if (file.head.empty()) throw UserError(fmt::format("{}: is empty", path.string()));
  if (file.starts_with("PK\x03\x04")) file.entries = ZipFile(path).names();
  return file;
}

bool FileProbe::starts_with(std::string_view magic) const {
  return head.compare(0, magic.size(), magic) == 0;
}

bool FileProbe::has_entry(std::string_view ending) const {
  return std::any_of(entries.begin(), entries.end(), [&](const std::string& entry) {
    return entry.size() >= ending.size() && entry.compare(entry.size() - ending.size(), ending.size(), ending) == 0;
  });
}

namespace {

/// An imported network is tried, as when it was imported.
Checkpoint load_own(const fs::path& path, bool trust_code) {
  Checkpoint checkpoint = load_checkpoint(path, trust_code);
  if (!checkpoint.foreign) return checkpoint;
  const auto trial = try_network(*checkpoint.foreign, checkpoint.preprocessing, path);
  if (trial.size(1) != checkpoint.classes.size()) {
    throw UserError(
        fmt::format("{}: names {} classes, which its network does not have", path.string(), checkpoint.classes.size()));
  }
  if (checkpoint.warnings.empty() && are_probabilities(trial)) checkpoint.warnings.emplace_back(kProbabilities);
  return checkpoint;
}

/// Formats that are known by sight, and the way from them to one that is read.
void refuse_known_stranger(const fs::path& path, const FileProbe& file) {
  const auto refuse = [&](const char* words) { throw UserError(fmt::format("{}: is {}", path.string(), words)); };
  if (file.head.size() >= 8 && file.head.compare(4, 4, "TFL3") == 0) {
    refuse(
        "a TensorFlow Lite file, which is not read; convert it: python -m tf2onnx.convert --tflite OLD --output "
        "NEW.onnx");
  }
  if (file.starts_with("{") && (file.head.find("layers-model") != std::string::npos ||
                                file.head.find("TensorFlow.js Converter") != std::string::npos)) {
    refuse(
        "a TensorFlow.js model, which is not read; convert it: tensorflowjs_converter --input_format "
        "tfjs_layers_model --output_format keras OLD NEW.h5");
  }
}

Checkpoint load_any(const fs::path& path, const ImportOptions& options) {
  const FileProbe file = probe_file(path);
  refuse_known_stranger(path, file);
  if (is_checkpoint(file)) {
    if (!options.empty()) {
      throw UserError(fmt::format(
          "{}: is a fercli checkpoint, which says input, labels and architecture itself; leave "
          "--input, --crop-input, --scale, --mean, --std, --labels, --output, --model-format, --arch, --set and "
          "--no-strip-softmax out",
          path.string()));
    }
    return load_own(path, options.trust_code);
  }
  std::vector<std::string> known{"fercli checkpoint"};
  const auto* format = claimant<ModelFormat>(file, path.string(), options.format, "--model-format");
  if (format != nullptr) return import_foreign(path, *format, options);
  for (const auto& each : Registry<ModelFormat>::instance().all()) known.push_back(each.summary);
  if (is_state_dictionary(file) || is_safetensors(file)) return import_weights(file, options);
  if (file.starts_with("\x80\x02")) {
    throw UserError(
        fmt::format("{}: is in PyTorch's format of before version 1.6, which is not read; write it anew with PyTorch "
                    "1.6 or later: torch.save(torch.load('OLD', map_location='cpu'), 'NEW')",
                    path.string()));
  }
  throw UserError(
      fmt::format("{}: is none of the known model formats ({}, PyTorch state dictionary, safetensors), or is "
                  "damaged",
                  path.string(), join(known, ", ")));
}

/// What `work` with the file gives; what it throws names the file.
template <class Work>
auto with_name(const fs::path& path, const Work& work) {
  try {
    return work();
  } catch (const UserError& error) {
    const std::string message = error.what();
    if (message.find(path.filename().string()) != std::string::npos) throw;
    throw UserError(fmt::format("{}: {}", path.string(), message));
  } catch (const std::bad_alloc&) {
    throw UserError(fmt::format("{}: needs more memory than there is", path.string()));
  } catch (const std::exception& error) {
    throw UserError(fmt::format("{}: is damaged ({})", path.string(), reason_of(error)));
  }
}

}  // namespace

Checkpoint load_model(const fs::path& path, const ImportOptions& options) {
  return with_name(path, [&] { return load_any(path, options); });
}

std::vector<fs::path> files_of_model(const fs::path& path) {
  return with_name(path, [&] {
    std::vector<fs::path> files{path};
    const FileProbe file = probe_file(path);
    for (const auto& format : Registry<ModelFormat>::instance().all()) {
      if (format.beside != nullptr && format.recognises(file)) files.push_back(format.beside(path));
    }
    return files;
  });
}

}  // namespace fercli
