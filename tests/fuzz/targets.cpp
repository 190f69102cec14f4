#include "tests/fuzz/targets.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/serialize.h>

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "core/container.hpp"
#include "core/error.hpp"
#include "core/files.hpp"
#include "core/json_text.hpp"
#include "core/options.hpp"
#include "core/text.hpp"
#include "core/untrusted.hpp"
#include "core/zip_file.hpp"
#include "data/formats/reader.hpp"
#include "data/formats/writer.hpp"
#include "data/image.hpp"
#include "eval/result.hpp"
#include "eval/study/saved.hpp"
#include "models/files/state_dict.hpp"
#include "models/formats/export.hpp"
#include "models/formats/import.hpp"
#include "models/networks/network.hpp"
#include "serve/upload.hpp"

namespace fercli::test {

namespace {

namespace fs = std::filesystem;
using Seeds = std::vector<std::string>;

constexpr int64_t kMostPixels = 1 << 20;

Checkpoint sound_checkpoint() {
  Checkpoint checkpoint;
  checkpoint.arch = "small-cnn";
  checkpoint.options = {1, 12, 7, complete_settings("small-cnn", {{"width", 2}})};
  checkpoint.preprocessing.size = 12;
  checkpoint.classes = LabelSet::fer2013();
  checkpoint.network = make_network("small-cnn", checkpoint.options, 1);
  checkpoint.training = nlohmann::json::object();
  return checkpoint;
}

Dataset sound_dataset() {
  Dataset data;
  data.name = "seed";
  data.classes = LabelSet::fer2013();
  data.images = torch::arange(2 * 48 * 48).remainder(251).to(torch::kUInt8).view({2, 1, 48, 48});
  data.labels = torch::tensor({3, 5}, torch::kInt64);
  data.ids = {"a", "b"};
  data.splits = {Split::Training, Split::PublicTest};
  return data;
}

void write_raw(const fs::path& path, const std::string& bytes) {
  write_file(path, bytes);
}

/// A file of the name, read by `read`; refusals end it.
void as_file(const std::string& bytes, const fs::path& path, const std::function<void(const fs::path&)>& read) {
  write_raw(path, bytes);
  try {
    read(path);
  } catch (const UserError&) {
  }
}

ImportOptions small_weights() {
  ImportOptions options;
  options.arch = "small-cnn";
  options.settings = {{"width", 2}};
  options.channels = 1;
  options.height = options.width = 12;
  return options;
}

FuzzTarget model_target(const std::string& name, const std::string& file, const std::string& format) {
  return {name,
          [file](const std::string& bytes, const fs::path& folder) {
            as_file(bytes, folder / file, [](const fs::path& path) { load_model(path); });
          },
          [format](const fs::path& folder) {
            const fs::path path = folder / "seed";
            export_model(sound_checkpoint(), format, path);
            return Seeds{read_file(path)};
          }};
}

FuzzTarget data_target(const std::string& name, const std::string& file) {
  return {name,
          [file](const std::string& bytes, const fs::path& folder) {
            as_file(bytes, folder / file, [](const fs::path& path) {
              ReadOptions options;
              options.skip_bad = true;
              read_dataset(path.string(), options);
            });
          },
          [file](const fs::path& folder) {
            write_dataset(sound_dataset(), (folder / file).string());
            return Seeds{read_file(folder / file)};
          }};
}

/// The header of a checkpoint; digest and checksums are made anew around it.
FuzzTarget checkpoint_target() {
  return {"checkpoint",
          [](const std::string& bytes, const fs::path& folder) {
            static const fs::path whole = [&] {
              save_checkpoint(sound_checkpoint(), folder / "whole.pt");
              return folder / "whole.pt";
            }();
            static const Container container = load_container(whole, "checkpoint");
            Container damaged = container;
            damaged.header = nlohmann::json::parse(bytes, nullptr, /*allow_exceptions=*/false);
            if (damaged.header.is_discarded()) return;
            save_container(damaged, folder / "victim.pt");
            try {
              load_model(folder / "victim.pt");
            } catch (const UserError&) {
            }
          },
          [](const fs::path& folder) {
            save_checkpoint(sound_checkpoint(), folder / "seed.pt");
            return Seeds{load_container(folder / "seed.pt", "checkpoint").header.dump()};
          }};
}

/// The pickle of a state dictionary, with records beside it and right checksums around it.
FuzzTarget pickle_target() {
  return {"state-dict",
          [](const std::string& bytes, const fs::path& folder) {
            static const std::string record(4096, '\x3c');
            const std::string file = make_zip({{"archive/data.pkl", bytes},
                                               {"archive/data/0", record},
                                               {"archive/data/1", record},
                                               {"archive/version", "3\n"}});
            as_file(file, folder / "victim.pt", [](const fs::path& path) { read_state_dict(path); });
            as_file(file, folder / "victim.pt", [](const fs::path& path) { load_model(path, small_weights()); });
          },
          [](const fs::path&) {
            c10::Dict<std::string, torch::Tensor> tensors;
            tensors.insert("weight", torch::ones({4, 8}));
            tensors.insert("bias", torch::ones({4}));
            const auto saved = torch::pickle_save(tensors);
            const std::string bytes(saved.begin(), saved.end());
            return Seeds{ZipFile(bytes, "seed").read_ending("data.pkl")};
          }};
}

/// The code of a TorchScript network, in a sound archive.
FuzzTarget torchscript_target() {
  return {"torchscript",
          [](const std::string& bytes, const fs::path& folder) {
            static const auto entries = [&] {
              export_model(sound_checkpoint(), "torchscript", folder / "whole.pt");
              const ZipFile zip(folder / "whole.pt");
              std::vector<std::pair<std::string, std::string>> all;
              for (const auto& name : zip.names()) all.emplace_back(name, zip.read(name));
              return all;
            }();
            auto damaged = entries;
            for (auto& [name, content] : damaged) {
              if (content.find("def forward") != std::string::npos) content = bytes;
            }
            as_file(make_zip(damaged), folder / "victim.pt", [](const fs::path& path) { load_model(path); });
          },
          [](const fs::path& folder) {
            export_model(sound_checkpoint(), "torchscript", folder / "seed.pt");
            const ZipFile zip(folder / "seed.pt");
            Seeds seeds;
            for (const auto& name : zip.names()) {
              const std::string content = zip.read(name);
              if (content.find("def forward") != std::string::npos) seeds.push_back(content);
            }
            return seeds;
          }};
}

/// A model.json of Keras without its weights, and the bytes of an HDF5 file.
FuzzTarget keras_target() {
  return {"keras",
          [](const std::string& bytes, const fs::path& folder) {
            const bool hdf5 = bytes.compare(0, 4, "\x89HDF") == 0;
            as_file(bytes, folder / (hdf5 ? "victim.h5" : "victim.json"),
                    [](const fs::path& path) { load_model(path); });
          },
          [](const fs::path&) {
            const nlohmann::json layers = {
                {{"class_name", "InputLayer"}, {"config", {{"name", "in"}, {"batch_input_shape", {nullptr, 4, 4, 1}}}}},
                {{"class_name", "Flatten"}, {"config", {{"name", "flat"}}}},
                {{"class_name", "Activation"}, {"config", {{"name", "act"}, {"activation", "relu"}}}}};
            return Seeds{
                nlohmann::json{{"class_name", "Sequential"}, {"config", {{"name", "net"}, {"layers", layers}}}}.dump()};
          }};
}

FuzzTarget result_target() {
  return {"result",
          [](const std::string& bytes, const fs::path& folder) {
            as_file(bytes, folder / "victim.json", [](const fs::path& path) { read_result(path); });
            as_file(bytes, folder / "victim.json", [](const fs::path& path) { read_report(path); });
          },
          [](const fs::path&) {
            Result result;
            result.command = "eval";
            return Seeds{format_result(result)};
          }};
}

FuzzTarget ini_target() {
  return {"ini",
          [](const std::string& bytes, const fs::path& folder) {
            as_file(bytes, folder / "victim.ini", [](const fs::path& path) {
              double eps = 0.1;
              int64_t steps = 3;
              std::string word;
              std::vector<std::string> words;
              bool flag = false;
              OptionSet options("fuzz", "", "Reads one file.");
              options.section("All kinds");
              options.number("eps", &eps, "0.1", between(0, 1), "number");
              options.integer("steps", &steps, at_least(0), "integer");
              options.text("word", &word, "WORD", "text");
              options.texts("words", &words, "WORD", "texts");
              options.flag("flag", &flag, "flag");
              options.parse({"--config", path.string()});
            });
          },
          [](const fs::path&) { return Seeds{"eps = 8/255\nsteps = 4\nword = a\nwords = a b\nflag = true\n"}; }};
}

FuzzTarget picture_target() {
  return {"picture",
          [](const std::string& bytes, const fs::path&) {
            try {
              decode_upload(bytes, kMostPixels);
            } catch (const RequestError&) {
            }
            const ImageHeader header = read_image_header(bytes);
            if (header.width * header.height == 0 || header.width * header.height > kMostPixels) return;
            try {
              decode_image(bytes, 3, "picture");
            } catch (const UserError&) {
            }
          },
          [](const fs::path&) {
            const auto image = torch::arange(3 * 16 * 16).remainder(251).to(torch::kUInt8).view({3, 16, 16});
            return Seeds{encode_png(image), encode_jpeg(image, 80)};
          }};
}

}  // namespace

const std::vector<FuzzTarget>& fuzz_targets() {
  static const std::vector<FuzzTarget> all = [] {
    FuzzTarget safetensors = model_target("safetensors", "victim.safetensors", "safetensors");
    return std::vector<FuzzTarget>{data_target("csv", "victim.csv"),
                                   data_target("ferpack", "victim.ferpack"),
                                   checkpoint_target(),
                                   keras_target(),
                                   model_target("onnx", "victim.onnx", "onnx"),
                                   torchscript_target(),
                                   safetensors,
                                   pickle_target(),
                                   ini_target(),
                                   result_target(),
                                   picture_target()};
  }();
  return all;
}

const FuzzTarget& fuzz_target(const std::string& name) {
  std::vector<std::string> names;
  for (const auto& target : fuzz_targets()) {
    if (target.name == name) return target;
    names.push_back(target.name);
  }
  throw std::invalid_argument(fmt::format("'{}' is no fuzz target; there are {}", name, join(names, ", ")));
}

}  // namespace fercli::test
