#include "tests/fuzz/targets.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <torch/serialize.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>
#include <memory>
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
#include "serve/form.hpp"
#include "serve/http_server.hpp"
#include "serve/request_rules.hpp"
#include "serve/upload.hpp"

namespace fercli::test {

namespace {

namespace fs = std::filesystem;
using Seeds = std::vector<std::string>;

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

void read_leniently(const fs::path& path) {
  ReadOptions options;
  options.skip_bad = true;
  read_dataset(path.string(), options);
}

FuzzTarget data_target(const std::string& name, const std::string& file) {
  return {name,
          [file](const std::string& bytes, const fs::path& folder) { as_file(bytes, folder / file, read_leniently); },
          [file](const fs::path& folder) {
            write_dataset(sound_dataset(), (folder / file).string());
            return Seeds{read_file(folder / file)};
          }};
}

/// Discarded where the bytes are no JSON, or nested so deeply that no writer would have made it.
nlohmann::json json_of(const std::string& bytes) {
  try {
    return parse_untrusted_json(bytes);
  } catch (const std::exception&) {
    return nlohmann::json(nlohmann::json::value_t::discarded);
  }
}

/// Damages what a container holds, behind its digest and checksums, which are made anew: JSON in place of the header,
/// or, after a byte 0, a safetensors file in place of the tensors. Empty parts stay sound. The header is discarded
/// where it is no JSON.
Container with_damage(const Container& sound, const std::string& bytes, const fs::path& folder) {
  const size_t end = std::min(bytes.find('\0'), bytes.size());
  Container damaged{sound.kind, end > 0 ? json_of(bytes.substr(0, end)) : sound.header, {}};
  if (damaged.header.is_discarded()) return damaged;
  if (end + 1 >= bytes.size()) {
    damaged.tensors = sound.tensors;
    return damaged;
  }
  as_file(bytes.substr(end + 1), folder / "tensors.safetensors",
          [&](const fs::path& path) { damaged.tensors = read_state_dict(path); });
  return damaged;
}

/// The header alone, and the tensors alone.
Seeds container_seeds(const Container& sound, const fs::path& folder) {
  write_safetensors(sound.tensors, {}, folder / "tensors.safetensors");
  return {sound.header.dump(), std::string(1, '\0') + read_file(folder / "tensors.safetensors")};
}

/// A file whose content is a container: damaged from outside where the bytes are a zip archive, else from inside.
FuzzTarget container_target(const std::string& name, const std::string& file, const std::string& kind,
                            const std::function<void(const fs::path&)>& make,
                            const std::function<void(const fs::path&)>& read) {
  const auto sound = std::make_shared<Container>();  // of the first execution, for all
  return {name,
          [=](const std::string& bytes, const fs::path& folder) {
            const fs::path victim = folder / file;
            if (bytes.compare(0, 4, "PK\x03\x04") == 0) {
              as_file(bytes, victim, read);
              return;
            }
            if (sound->kind.empty()) {
              make(victim);
              *sound = load_container(victim, kind);
            }
            const Container damaged = with_damage(*sound, bytes, folder);
            if (!damaged.header.is_discarded()) as_file(container_bytes(damaged), victim, read);
          },
          [=](const fs::path& folder) {
            make(folder / file);
            auto seeds = container_seeds(load_container(folder / file, kind), folder);
            seeds.push_back(read_file(folder / file));
            return seeds;
          }};
}

FuzzTarget checkpoint_target() {
  return container_target(
      "checkpoint", "victim.pt", "checkpoint", [](const fs::path& path) { save_checkpoint(sound_checkpoint(), path); },
      [](const fs::path& path) { load_model(path); });
}

FuzzTarget ferpack_target() {
  return container_target(
      "ferpack", "victim.ferpack", "dataset",
      [](const fs::path& path) { write_dataset(sound_dataset(), path.string()); }, read_leniently);
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
            const bool sound = as_file(file, folder / "victim.pt", [](const fs::path& path) { read_state_dict(path); });
            if (!sound) return;  // `load_model` would make a network, and be refused by the same reader
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

FuzzTarget picture_target() {
  return {"picture",
          [](const std::string& bytes, const fs::path&) {
            try {
              decode_upload(bytes, small_pictures().most_pixels);
            } catch (const RequestError&) {
            }
            for (const int64_t channels : {1, 3}) {
              try {
                decode_image(bytes, channels, "picture", small_pictures());
              } catch (const PictureRefused&) {
              }
            }
          },
          [](const fs::path&) {
            const auto image = torch::arange(3 * 16 * 16).remainder(251).to(torch::kUInt8).view({3, 16, 16});
            const std::string head("BM\0\0\0\0\0\0\0\0\x3e\0\0\0\x28\0\0\0\x04\0\0\0\x01\0\0\0\x01\0\x04\0\x02\0\0\0",
                                   34);
            return Seeds{encode_png(image), encode_jpeg(image, 80), "P3 1 1 255 7 8 9", "P5 2 1 255\n\x01\x02",
                         head + std::string(28, '\x01') + std::string("\x04\x01\0\x01", 4)};
          }};
}

/// The head of a request as the server's rules see it; a line each: target, Host, Origin, Authorization,
/// Content-Length.
FuzzTarget head_target() {
  return {"head",
          [](const std::string& bytes, const fs::path&) {
            auto lines = split(bytes, '\n');
            lines.resize(5);
            const RequestTarget target = parse_target(lines[0]);
            RequestFacts facts;
            facts.method = "POST";
            facts.path = target.path;
            facts.has_host = true;
            facts.target_bytes = lines[0].size();
            facts.host = target.authority.empty() ? lines[1] : target.authority;
            facts.origin = lines[2];
            facts.authorization = lines[3];
            facts.content_length = lines[4];
            for (const char* token : {"", "open sesame"}) {
              try {
                RequestRules({"127.0.0.1", token, 1000, 0}).check(facts);
              } catch (const RequestError&) {
              }
            }
          },
          [](const fs::path&) {
            return Seeds{"/predict?lang=fr&x=%C3%A9\n[::1]:7860\nhttp://[::1]:7860\nBearer open sesame\n100",
                         "http://localhost:80/attack#x\nlocalhost\nnull\n\n99999999999999999999"};
          }};
}

/// A whole conversation with the server: what a client sends, and then closes.
FuzzTarget request_target() {
  return {
      "request",
      [](const std::string& bytes, const fs::path&) {
        static Api api(sound_checkpoint(), [] {
          ApiSettings settings;
          settings.runtime.threads = 1;
          settings.most_pixels = 1 << 14;
          settings.most_steps = 2;
          return settings;
        }());
        static HttpServer server(api, [] {
          HttpSettings settings;
          settings.port = 0;
          settings.rate = 0;
          return settings;
        }());
        int ends[2];
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return;
        const std::string sent = bytes.substr(0, 100'000);  // the socket takes it at once
        const bool whole = write(ends[0], sent.data(), sent.size()) == static_cast<ssize_t>(sent.size());
        shutdown(ends[0], SHUT_WR);
        static boost::asio::thread_pool client(1);  // making a thread takes longer than most conversations
        auto answers = boost::asio::post(client, boost::asio::use_future([socket = ends[0]] {
                                           char waste[4096];
                                           while (read(socket, waste, sizeof(waste)) > 0) {
                                           }
                                         }));
        server.serve_connection(ends[1]);
        answers.get();
        close(ends[0]);
        if (!whole) throw std::runtime_error("the socket was too small");
      },
      [](const fs::path&) {
        const std::string picture = "P5 12 12 255\n" + std::string(144, '\x50');
        const auto post = [](const std::string& path, const std::string& type, const std::string& body) {
          return fmt::format("POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n{}",
                             path, type, body.size(), body);
        };
        return Seeds{"GET /model HTTP/1.1\r\nHost: localhost\r\n\r\nHEAD /labels HTTP/1.0\r\n\r\n",
                     post("/predict?lang=fr", "image/x-portable-graymap", picture),
                     post("/attack", "multipart/form-data; boundary=b",
                          "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n" + picture +
                              "\r\n--b\r\nContent-Disposition: form-data; name=steps\r\n\r\n1\r\n--b--"),
                     post("/attack", "application/json", R"({"image": "UDUgMSAxIDI1NQoB", "eps": "0.1", "steps": 1})")};
      }};
}

}  // namespace

const std::vector<FuzzTarget>& fuzz_targets() {
  static const std::vector<FuzzTarget> all = [] {
    auto targets = plain_targets();
    for (auto& target : {data_target("csv", "victim.csv"), ferpack_target(), checkpoint_target(), keras_target(),
                         model_target("onnx", "victim.onnx", "onnx"), torchscript_target(),
                         model_target("safetensors", "victim.safetensors", "safetensors"), pickle_target(),
                         result_target(), picture_target(), head_target(), request_target()}) {
      targets.push_back(target);
    }
    return targets;
  }();
  return all;
}

}  // namespace fercli::test
