// Damaged and hostile model files: each loads, or is refused with a message that names it. Every file is opened in a
// process of its own, so that a crash, a hang or a gluttonous read is a result like any other.
// FERCLI_FUZZ_ROUNDS sets how many files of each format are tried, FERCLI_FUZZ_KEEP a folder for those that failed.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <torch/csrc/jit/serialization/pickle.h>
#include <unistd.h>
#include <zip.h>

#include <cstdlib>
#include <fstream>

#include "core/container.hpp"
#include "core/files.hpp"
#include "core/pickle.hpp"
#include "core/random.hpp"
#include "core/zip_file.hpp"
#include "models/files/onnx_proto.hpp"
#include "models/formats/export.hpp"
#include "models/formats/import.hpp"
#include "models/graph/operator.hpp"
#include "models/networks/network.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/models/formats/keras/keras_file.hpp"
#include "tests/precompiled_tests.hpp"
#include "tests/user_error.hpp"

namespace fercli {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::ScratchFolder;

constexpr int64_t kUsualRounds = 8;  // of each kind; the fuzz program tries more
constexpr unsigned kMostSeconds = 20;
constexpr int64_t kMostMegabytes = 1500;            // of memory beyond what the tests have
constexpr rlim_t kAddressSpace = rlim_t{10} << 30;  // so that a failure does not take the machine along

#ifdef __SANITIZE_ADDRESS__
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

// ---- What becomes of a file

const std::string kRefused = "refused: ";

bool is_refused(const std::string& outcome) {
  return outcome.compare(0, kRefused.size(), kRefused) == 0;
}

int64_t status_megabytes(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.compare(0, key.size(), key) == 0) return std::atoll(line.c_str() + key.size() + 1) / 1024;
  }
  return 0;
}

/// "" when the file loads and takes an image, or is refused by a message that names it; else what happened.
std::string try_file(const fs::path& path, const ImportOptions& options) {
  try {
    const Checkpoint checkpoint = load_model(path, options);
    const auto& input = checkpoint.preprocessing;
    make_classifier(checkpoint, {1, "fp32"}).logits(torch::full({1, input.channels, 12, 12}, 0.5));
    return "loaded";
  } catch (const UserError& error) {
    const std::string message = error.what();
    return message.find("victim") == std::string::npos ? "a message without the file's name: " + message
                                                       : kRefused + message;
  } catch (const std::exception& error) {
    return std::string("an exception that is no UserError: ") + error.what();
  }
}

[[noreturn]] void run_child(const fs::path& path, const ImportOptions& options, int answer) {
  alarm(kMostSeconds);
  if (!kSanitized) {
    const int nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, 1), dup2(nowhere, 2);
    const rlimit space{kAddressSpace, kAddressSpace};
    setrlimit(RLIMIT_AS, &space);
  }
  const int64_t before = status_megabytes("VmRSS:");
  std::string result = try_file(path, options);
  const int64_t grown = status_megabytes("VmHWM:") - before;
  if (!kSanitized && grown > kMostMegabytes) result = fmt::format("{} MB were taken, then {}", grown, result);
  const auto written = write(answer, result.data(), result.size());
  _exit(written == static_cast<ssize_t>(result.size()) ? 0 : 1);
}

std::string outcome(const fs::path& path, const ImportOptions& options) {
  int ends[2];
  if (pipe(ends) != 0) throw std::runtime_error("no pipe");
  const pid_t child = fork();
  if (child == 0) run_child(path, options, ends[1]);
  close(ends[1]);
  std::string answer(1 << 16, '\0');
  size_t length = 0;
  for (ssize_t got = 1; got > 0 && length < answer.size(); length += static_cast<size_t>(std::max<ssize_t>(got, 0)))
    got = read(ends[0], answer.data() + length, answer.size() - length);
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  answer.resize(length);
  if (WIFSIGNALED(status)) return fmt::format("killed by signal {}", WTERMSIG(status));
  return WEXITSTATUS(status) == 0 ? answer : fmt::format("exit code {}", WEXITSTATUS(status));
}

// ---- Damage to bytes

size_t pick(Rng& rng, size_t bound) {
  return static_cast<size_t>(rng.below(static_cast<int64_t>(std::max<size_t>(bound, 1))));
}

/// Headers lie at the beginning, a zip's directory at the end.
size_t place_in(const std::string& bytes, Rng& rng) {
  const size_t reach = std::min<size_t>(bytes.size(), 512);
  const double where = rng.uniform();
  if (where < 0.3) return pick(rng, reach);
  if (where < 0.5) return bytes.size() - reach + pick(rng, reach);
  return pick(rng, bytes.size());
}

uint64_t extreme_number(Rng& rng) {
  static const uint64_t values[] = {
      0,          1,          0x7f,       0xff,       0xffff, 0x7fffffff, 0x80000000, 0xffffffff,        0xfffffff0,
      1ULL << 32, 1ULL << 40, ~0ULL >> 1, 1ULL << 63, ~0ULL,  1ULL << 20, 1ULL << 28, 0x4000000000000000};
  return values[pick(rng, std::size(values))];
}

std::string extreme_text(Rng& rng) {
  static const char* values[] = {"0",     "-1",         "1",          "2",
                                 "65536", "1000000007", "4294967296", "9223372036854775807",
                                 "1e9",   "-1e400",     "0.5",        "99999999999999999999"};
  return values[pick(rng, std::size(values))];
}

/// Writes another number over one in the text.
void change_number(std::string& bytes, Rng& rng) {
  size_t begin = bytes.find_first_of("0123456789", place_in(bytes, rng));
  if (begin == std::string::npos) return;
  const size_t end = std::min(bytes.find_first_not_of("0123456789", begin), bytes.size());
  bytes.replace(begin, end - begin, extreme_text(rng));
}

void damage_once(std::string& bytes, Rng& rng) {
  if (bytes.empty()) return;
  const size_t place = place_in(bytes, rng), length = 1 + pick(rng, std::min<size_t>(bytes.size(), 200));
  switch (rng.below(8)) {
    case 0:
      bytes[place] = static_cast<char>(bytes[place] ^ (1 << rng.below(8)));
      break;
    case 1:
      bytes[place] = static_cast<char>(rng.below(256));
      break;
    case 2:
      bytes.resize(place);
      break;
    case 3:
      bytes.insert(place_in(bytes, rng), bytes.substr(place, length));
      break;
    case 4:
      bytes.erase(place, length);
      break;
    case 5: {
      const uint64_t number = extreme_number(rng);
      const size_t width = rng.chance(0.5) ? 4 : 8;
      if (place + width <= bytes.size()) std::memcpy(bytes.data() + place, &number, width);
      break;
    }
    case 6:
      change_number(bytes, rng);
      break;
    default:
      for (int64_t i = 0; i < 8; ++i) bytes[place_in(bytes, rng)] = static_cast<char>(rng.below(256));
  }
}

std::string damaged(std::string bytes, Rng& rng) {
  for (int64_t left = 1 + rng.below(3); left > 0; --left) damage_once(bytes, rng);
  return bytes;
}

// ---- Damage to structures, so that the layers behind checksums and parsers are reached

std::vector<json::json_pointer> places_in(const json& value) {
  std::vector<json::json_pointer> places;
  const json flat = value.flatten();
  for (const auto& entry : flat.items()) {
    for (json::json_pointer place(entry.key()); !place.empty(); place = place.parent_pointer()) places.push_back(place);
  }
  return places;
}

json strange_value(const json& document, const std::vector<json::json_pointer>& places, Rng& rng) {
  switch (rng.below(5)) {
    case 0:
      return document.at(places[pick(rng, places.size())]);
    case 1:
      return static_cast<int64_t>(extreme_number(rng));
    case 2:
      return -rng.below(5);
    case 3:
      return json::array({rng.below(5) - 1, rng.below(5) - 1});
    default:
      return rng.chance(0.5) ? json() : json(rng.uniform(-1, 300));
  }
}

json damaged_json(json document, Rng& rng) {
  for (int64_t left = 1 + rng.below(3); left > 0; --left) {
    const auto places = places_in(document);
    if (places.empty()) return document;
    const auto place = places[pick(rng, places.size())];
    if (rng.chance(0.2) && document.at(place.parent_pointer()).is_object()) {
      document.at(place.parent_pointer()).erase(place.back());
    } else {
      document.at(place) = strange_value(document, places, rng);
    }
  }
  return document;
}

using Entries = std::vector<std::pair<std::string, std::string>>;

void write_zip(const Entries& entries, const fs::path& path) {
  zip_t* archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, nullptr);
  for (const auto& [name, content] : entries) {
    zip_source_t* source = zip_source_buffer(archive, content.data(), content.size(), 0);
    const auto entry = zip_file_add(archive, name.c_str(), source, ZIP_FL_ENC_UTF_8);
    if (entry >= 0) zip_set_file_compression(archive, static_cast<zip_uint64_t>(entry), ZIP_CM_STORE, 0);
  }
  if (zip_close(archive) != 0) throw std::runtime_error("the test's zip file cannot be written");
}

/// Checksums are right again afterwards.
void damage_zip(const std::string& bytes, const fs::path& path, Rng& rng) {
  const ZipFile zip(bytes, "sample");
  Entries entries;
  for (const auto& name : zip.names()) entries.emplace_back(name, zip.read(name));
  auto& [name, content] = entries[pick(rng, entries.size())];
  const double kind = rng.uniform();
  if (kind < 0.1) {
    content = entries[pick(rng, entries.size())].second;
  } else if (kind < 0.15) {
    name += "x";
  } else {
    // Weights are many and forgiving; what describes them is damaged more often.
    auto* target = &content;
    for (auto& entry : entries) {
      const auto ending = fs::path(entry.first).extension();
      if ((ending == ".pkl" || ending == ".py") && rng.chance(0.3)) target = &entry.second;
    }
    const auto document = json::parse(*target, nullptr, /*allow_exceptions=*/false);
    *target = document.is_discarded() ? damaged(*target, rng) : damaged_json(document, rng).dump();
  }
  write_zip(entries, path);
}

/// A checkpoint with another header and other shapes, whose digest fits.
void damage_checkpoint(const fs::path& whole, const fs::path& path, Rng& rng) {
  Container container = load_container(whole, "checkpoint");
  if (rng.chance(0.8)) {
    container.header = damaged_json(container.header, rng);
  } else {
    auto entry = std::next(container.tensors.begin(), static_cast<int64_t>(pick(rng, container.tensors.size())));
    entry->second = rng.chance(0.5) ? entry->second.flatten() : entry->second.to(torch::kInt64);
  }
  save_container(container, path);
}

void damage_attribute(onnx::NodeProto& node, Rng& rng) {
  if (node.attribute_size() == 0) return;
  auto& attribute = *node.mutable_attribute(static_cast<int>(rng.below(node.attribute_size())));
  const auto number = rng.chance(0.5) ? static_cast<int64_t>(extreme_number(rng)) : rng.below(6) - 1;
  if (attribute.ints_size() > 0) {
    attribute.set_ints(static_cast<int>(rng.below(attribute.ints_size())), number);
  } else {
    attribute.set_i(number), attribute.set_f(static_cast<float>(number));
  }
}

void damage_node(onnx::GraphProto& graph, Rng& rng) {
  auto& node = *graph.mutable_node(static_cast<int>(rng.below(graph.node_size())));
  const auto& other = graph.node(static_cast<int>(rng.below(graph.node_size())));
  const auto operators = Registry<GraphOperator>::instance().names();
  switch (rng.below(5)) {
    case 0:
      node.set_op_type(operators[pick(rng, operators.size())]);
      break;
    case 1:
      if (node.input_size() > 0 && other.output_size() > 0)
        node.set_input(static_cast<int>(rng.below(node.input_size())), other.output(0));
      break;
    case 2:
      if (node.input_size() > 0 && graph.initializer_size() > 0)
        node.set_input(static_cast<int>(rng.below(node.input_size())),
                       graph.initializer(static_cast<int>(rng.below(graph.initializer_size()))).name());
      break;
    case 3:
      if (node.input_size() > 0) node.mutable_input()->RemoveLast();
      break;
    default:
      damage_attribute(node, rng);
  }
}

/// Sides change places, or become others with as many values.
void damage_weight(onnx::TensorProto& tensor, Rng& rng) {
  if (tensor.dims_size() == 0) return;
  const int a = static_cast<int>(rng.below(tensor.dims_size())), b = static_cast<int>(rng.below(tensor.dims_size()));
  const int64_t sides[] = {tensor.dims(a), tensor.dims(b)};
  if (rng.chance(0.5)) {
    tensor.set_dims(a, sides[1]), tensor.set_dims(b, sides[0]);
  } else if (a != b) {
    tensor.set_dims(a, sides[0] * sides[1]), tensor.set_dims(b, 1);
  } else {
    tensor.set_dims(a, static_cast<int64_t>(extreme_number(rng)));
  }
}

std::string damaged_onnx(const std::string& bytes, Rng& rng) {
  onnx::ModelProto model;
  model.ParseFromString(bytes);
  auto& graph = *model.mutable_graph();
  for (int64_t left = 1 + rng.below(3); left > 0; --left) {
    if (rng.chance(0.8)) {
      damage_node(graph, rng);
    } else if (rng.chance(0.5)) {
      damage_weight(*graph.mutable_initializer(static_cast<int>(rng.below(graph.initializer_size()))), rng);
    } else {
      graph.mutable_input(0)
          ->mutable_type()
          ->mutable_tensor_type()
          ->mutable_shape()
          ->mutable_dim(1 + static_cast<int>(rng.below(3)))
          ->set_dim_value(static_cast<int64_t>(extreme_number(rng)));
    }
  }
  return model.SerializeAsString();
}

/// The header of a safetensors file, with its length set right.
std::string damaged_safetensors(const std::string& bytes, Rng& rng) {
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  const std::string header = damaged_json(json::parse(bytes.substr(sizeof length, length)), rng).dump();
  std::string whole(sizeof length, '\0');
  const uint64_t now = header.size();
  std::memcpy(whole.data(), &now, sizeof now);
  return whole + header + bytes.substr(sizeof length + length);
}

// ---- Small files of every format

constexpr int64_t kSide = 12;

Checkpoint small_network() {
  Checkpoint checkpoint;
  checkpoint.arch = "small-cnn";
  checkpoint.options = Registry<Architecture>::instance().get("small-cnn").defaults();
  checkpoint.options.settings["width"] = 2;
  checkpoint.options.size = 48;
  checkpoint.classes = LabelSet::fer2013();
  checkpoint.network = make_network(checkpoint.arch, checkpoint.options, 3);
  checkpoint.preprocessing = {1, 48, {0.5}, {0.25}};
  checkpoint.network->eval();
  return checkpoint;
}

torch::Tensor draw(std::vector<int64_t> shape) {
  return normal_rows(Rng(5), {0}, shape)[0];
}

json keras_configuration() {
  const auto layer = [](const char* class_name, const char* name, json config) {
    config["name"] = name;
    return json{{"class_name", class_name}, {"config", config}};
  };
  const json layers = {
      layer("Conv2D", "conv",
            {{"batch_input_shape", {nullptr, kSide, kSide, 1}},
             {"kernel_size", {3, 3}},
             {"strides", {1, 1}},
             {"padding", "same"},
             {"dilation_rate", {1, 1}},
             {"use_bias", true},
             {"activation", "relu"}}),
      layer("MaxPooling2D", "pool", {{"pool_size", {2, 2}}, {"strides", {2, 2}}, {"padding", "valid"}}),
      layer("DepthwiseConv2D", "depthwise", {{"strides", {2, 2}}, {"padding", "same"}, {"use_bias", false}}),
      layer("ZeroPadding2D", "pad", {{"padding", {{1, 0}, {0, 1}}}}),
      layer("UpSampling2D", "up", {{"size", {2, 2}}, {"interpolation", "bilinear"}}),
      layer("Reshape", "reshape", {{"target_shape", {4, 16, 2}}}),
      layer("Flatten", "flatten", json::object()),
      layer("Dense", "dense", {{"units", 7}, {"use_bias", true}, {"activation", "softmax"}})};
  return {{"class_name", "Sequential"}, {"config", {{"name", "net"}, {"layers", layers}}}};
}

std::vector<test::KerasLayerWeights> keras_weights(bool numbered) {
  std::vector<test::KerasLayerWeights> layers = {{"conv", {{"kernel", draw({3, 3, 1, 2})}, {"bias", draw({2})}}},
                                                 {"depthwise", {{"depthwise_kernel", draw({3, 3, 2, 1})}}},
                                                 {"dense", {{"kernel", draw({128, 7})}, {"bias", draw({7})}}}};
  const char* places[] = {"layers/conv2d", "layers/depthwise_conv2d", "layers/dense"};
  for (size_t i = 0; numbered && i < layers.size(); ++i) layers[i].layer = places[i];
  return layers;
}

void save_pickle(const Network& network, const fs::path& path) {
  c10::Dict<std::string, torch::Tensor> tensors;
  for (const auto& entry : network.named_parameters()) tensors.insert(entry.key(), entry.value().detach().clone());
  for (const auto& entry : network.named_buffers()) tensors.insert(entry.key(), entry.value().clone());
  const auto bytes = torch::jit::pickle_save(tensors);
  write_file(path, std::string_view(bytes.data(), bytes.size()));
}

ImportOptions small_architecture() {
  ImportOptions options;
  options.arch = "small-cnn";
  options.settings = {{"width", 2}};
  return options;
}

/// Writes a sound file, and damages it. Each round draws from its own stream.
struct Format {
  std::string name, file;
  ImportOptions options;
  std::function<void(const fs::path&)> make;
  std::function<void(const fs::path& whole, const fs::path& victim, Rng&)> damage;  ///< beyond damage to bytes
};

std::vector<Format> formats() {
  const auto damage_text = [](auto function) {
    return [function](const fs::path& whole, const fs::path& victim, Rng& rng) {
      write_file(victim, function(read_file(whole), rng));
    };
  };
  const auto damage_entries = [](const fs::path& whole, const fs::path& victim, Rng& rng) {
    damage_zip(read_file(whole), victim, rng);
  };
  const auto damage_keras = [](const fs::path&, const fs::path& victim, Rng& rng) {
    test::write_keras_h5(victim, damaged_json(keras_configuration(), rng).dump(), keras_weights(false));
  };
  const auto damage_beside = [](const fs::path& whole, const fs::path& victim, Rng& rng) {
    write_file(victim, damaged_json(json::parse(read_file(whole)), rng).dump());
    const auto weights = victim.parent_path() / "victim.h5";
    test::write_keras_h5(weights, "", keras_weights(false));
    if (rng.chance(0.3)) write_file(weights, damaged(read_file(weights), rng));
  };
  const auto graph_checkpoint = [](const fs::path& path) {
    const auto source = path.parent_path() / "source.onnx";
    export_model(small_network(), "onnx", source);
    save_checkpoint(load_model(source), path);
  };
  return {
      {"checkpoint",
       "victim.pt",
       {},
       [](const fs::path& path) { save_checkpoint(small_network(), path); },
       damage_checkpoint},
      {"imported_checkpoint", "victim.pt", {}, graph_checkpoint, damage_checkpoint},
      {"zip_of_a_checkpoint", "victim.pt", {}, graph_checkpoint, damage_entries},
      {"onnx",
       "victim.onnx",
       {},
       [](const fs::path& path) { export_model(small_network(), "onnx", path); },
       damage_text(damaged_onnx)},
      {"keras_hdf5",
       "victim.h5",
       {},
       [](const fs::path& path) { test::write_keras_h5(path, keras_configuration().dump(), keras_weights(false)); },
       damage_keras},
      {"keras_zip",
       "victim.keras",
       {},
       [](const fs::path& path) { test::write_keras_zip(path, keras_configuration().dump(), keras_weights(true)); },
       damage_entries},
      {"keras_json",
       "victim.json",
       {},
       [](const fs::path& path) {
         write_file(path, keras_configuration().dump());
         test::write_keras_h5(path.parent_path() / "victim.h5", "", keras_weights(false));
       },
       damage_beside},
      {"torchscript",
       "victim.pt",
       {},
       [](const fs::path& path) { export_model(small_network(), "torchscript", path); },
       damage_entries},
      {"state_dictionary", "victim.pth", small_architecture(),
       [](const fs::path& path) { save_pickle(*small_network().network, path); }, damage_entries},
      {"safetensors", "victim.safetensors", small_architecture(),
       [](const fs::path& path) { export_model(small_network(), "safetensors", path); },
       damage_text(damaged_safetensors)},
  };
}

int64_t rounds() {
  const char* wanted = std::getenv("FERCLI_FUZZ_ROUNDS");
  return wanted == nullptr ? kUsualRounds : std::atoll(wanted);
}

void keep(const fs::path& victim, const std::string& name) {
  const char* folder = std::getenv("FERCLI_FUZZ_KEEP");
  if (folder == nullptr) return;
  make_folder(fs::path(folder) / name);
  fs::copy(victim.parent_path(), fs::path(folder) / name,
           fs::copy_options::recursive | fs::copy_options::overwrite_existing);
}

/// Children of a process that has used threads wait for them for ever. The tests are run in a process that has not:
/// false where that was done, and there is nothing left to do.
bool in_fresh_process() {
  if (std::getenv("FERCLI_FUZZ_FRESH") != nullptr) return true;
  const ScratchFolder folder;
  const auto* test = testing::UnitTest::GetInstance()->current_test_info();
  const std::string log = (folder / "log").string();
  const std::string command =
      fmt::format("FERCLI_FUZZ_FRESH=1 OMP_NUM_THREADS=1 /proc/{}/exe --gtest_filter={}.{} > {} 2>&1", getpid(),
                  test->test_suite_name(), test->name(), log);
  const int status = std::system(command.c_str());
  EXPECT_EQ(status, 0) << read_file(log);
  return false;
}

void try_format(const Format& format) {
  const ScratchFolder folder;
  fs::create_directories(folder / "sound");
  fs::create_directories(folder / "hostile");
  const fs::path whole = folder / "sound" / format.file, victim = folder / "hostile" / format.file;
  format.make(whole);
  fs::copy(folder / "sound", folder / "hostile", fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  ASSERT_EQ(outcome(victim, format.options), "loaded");
  int64_t refused = 0;
  for (int64_t round = 0; round < rounds(); ++round) {
    Rng rng = Rng(7).split(format.name).split(static_cast<uint64_t>(round));
    if (round % 2 == 0) {
      write_file(victim, damaged(read_file(whole), rng));
    } else {
      format.damage(whole, victim, rng);
    }
    const std::string result = outcome(victim, format.options);
    refused += is_refused(result) ? 1 : 0;
    if (is_refused(result) || result == "loaded") continue;
    ADD_FAILURE() << format.name << ", round " << round << ": " << result;
    keep(victim, fmt::format("{}-{}", format.name, round));
  }
  EXPECT_GT(refused, rounds() / 4);
}

TEST(HostileFiles, LoadOrAreRefusedByName) {
  if (!in_fresh_process()) return;
  for (const auto& format : formats()) {
    SCOPED_TRACE(format.name);
    try_format(format);
  }
}

/// A sound checkpoint's zip file whose directory claims another size for every entry.
TEST(HostileFiles, EntriesOfFalseSizesAreRefused) {
  if (!in_fresh_process()) return;
  const ScratchFolder folder;
  const auto path = folder / "victim.pt";
  save_checkpoint(small_network(), path);
  const std::string whole = read_file(path);
  for (const uint32_t size : {0U, 1U, 0x7fffffffU, 0xfffffff0U}) {
    std::string bytes = whole;
    for (size_t at = bytes.find("PK\x01\x02"); at != std::string::npos; at = bytes.find("PK\x01\x02", at + 4)) {
      std::memcpy(bytes.data() + at + 20, &size, sizeof size);  // packed
      std::memcpy(bytes.data() + at + 24, &size, sizeof size);  // unpacked
    }
    write_file(path, bytes);
    EXPECT_TRUE(is_refused(outcome(path, {}))) << size;
  }
}

/// A text of a megabyte, remembered once and recalled again and again.
TEST(HostileFiles, RecalledTextTakesNoMemory) {
  if (!in_fresh_process()) return;
  const ScratchFolder folder;
  const uint32_t length = 1 << 20;
  std::string pickle = std::string("\x80\x02X", 3) +
                       std::string(reinterpret_cast<const char*>(&length), sizeof length) + std::string(length, 'a') +
                       std::string("q\0", 2);
  for (int i = 0; i < 4000; ++i) pickle.append("h\0", 2);
  write_zip({{"archive/data.pkl", pickle + "."}}, folder / "victim.pt");
  const std::string result = outcome(folder / "victim.pt", small_architecture());
  EXPECT_TRUE(is_refused(result)) << result;
}

TEST(HostileFiles, PicklesOfEndlessValuesAreRefused) {
  const auto message = [](const std::string& instructions) -> std::string {
    try {
      PickleRecords records;
      records.size = [](const std::string&) { return uint64_t{0}; };
      const Pickle pickle("\x80\x02" + instructions, records);
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(message(std::string(3 << 20, 'N')), "the pickle holds more values than any model");
  EXPECT_EQ(message(std::string(3 << 20, '(')), "the pickle holds more values than any model");
  const uint32_t far = 5 << 20;
  EXPECT_EQ(message("Nr" + std::string(reinterpret_cast<const char*>(&far), sizeof far) + std::string(6 << 20, 'N')),
            "the pickle remembers more values than it has");
}

TEST(HostileFiles, DeepNestingIsRefused) {
  if (!in_fresh_process()) return;
  const ScratchFolder folder;
  const std::string deep(1 << 20, '[');
  write_file(folder / "victim.json", R"({"class_name": "Sequential", "config": )" + deep);
  test::write_keras_h5(folder / "victim.h5", "", keras_weights(false));
  EXPECT_TRUE(is_refused(outcome(folder / "victim.json", {})));
  const std::string header = R"({"a": )" + deep;
  const uint64_t length = header.size();
  write_file(folder / "victim.safetensors",
             std::string(reinterpret_cast<const char*>(&length), sizeof length) + header + "  ");
  EXPECT_TRUE(is_refused(outcome(folder / "victim.safetensors", small_architecture())));
  export_model(small_network(), "torchscript", folder / "victim.pt");
  const ZipFile zip(folder / "victim.pt");
  Entries entries;
  for (const auto& name : zip.names()) {
    std::string content = zip.read(name);
    if (fs::path(name).extension() == ".py")
      content.insert(content.find("return "), "x = " + std::string(100000, '(') + "\n    ");
    entries.emplace_back(name, content);
  }
  write_zip(entries, folder / "victim.pt2");
  EXPECT_TRUE(is_refused(outcome(folder / "victim.pt2", {})));
}

}  // namespace

}  // namespace fercli
