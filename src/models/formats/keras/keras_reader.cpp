// Keras files: HDF5 with the model's configuration (.h5, .hdf5), a configuration (model.json) with weights beside it,
// and Keras 3's zip files (.keras).
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <tuple>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/interrupt.hpp"
#include "core/json_limits.hpp"
#include "core/reason.hpp"
#include "core/untrusted.hpp"
#include "core/zip_file.hpp"
#include "models/files/hdf5_file.hpp"
#include "models/formats/keras/keras_layer.hpp"

namespace fercli {

namespace fs = std::filesystem;

namespace {

constexpr int kDeepest = 8;                       // models within models
constexpr int64_t kMostCalls = 100000;            // of layers, with those in models that are called again
constexpr int64_t kMostGiven = int64_t{1} << 31;  // elements of weights, as often as layers take them

using json = nlohmann::json;

/// Where a layer stands: the layers around it and itself, by name, and by class as Keras 3 counts them.
struct Place {
  std::vector<std::string> names;
  std::string counted;  ///< "layers/functional/layers/conv2d_1"

  Place inside(const std::string& name, const std::string& class_name) const {
    Place place = *this;
    place.names.push_back(name);
    place.counted += (place.counted.empty() ? "layers/" : "/layers/") + class_name;
    return place;
  }
};

/// The weights of a whole file.
class WeightFile {
 public:
  virtual ~WeightFile() = default;

  /// Read once: the calls of a layer, and layers that the file does not tell apart, share it.
  std::optional<torch::Tensor> find(const Place& place, const std::string& name, int64_t number) const {
    const auto [at, is_new] = found_.try_emplace(address(place, name, number));
    if (is_new) at->second = look_up(place, name, number);
    if (at->second) given_ += at->second->numel();
    if (given_ > kMostGiven) throw UserError("its layers are called too often for the size of their weights");
    return at->second;
  }

 private:
  /// All that `look_up` goes by.
  virtual std::vector<std::string> address(const Place& place, const std::string& name, int64_t number) const = 0;
  virtual std::optional<torch::Tensor> look_up(const Place& place, const std::string& name, int64_t number) const = 0;

  mutable std::map<std::vector<std::string>, std::optional<torch::Tensor>> found_;  // by address
  mutable int64_t given_ = 0;
};

std::vector<std::string> pieces(const std::string& path) {
  auto parts = split(path.substr(0, path.rfind(':') == std::string::npos ? path.size() : path.rfind(':')), '/');
  return parts;
}

/// Keras 2, and Keras 3 on .h5: a group for each outer layer, whose attribute weight_names lists its data sets
/// ("conv2d_1/kernel:0"; for a model within the model "block1/conv2d/kernel:0").
class NamedWeights : public WeightFile {
 public:
  NamedWeights(std::shared_ptr<const Hdf5File> file)
      : file_(std::move(file)), root_(file_->has("/model_weights") ? "/model_weights" : "") {}

 private:
  using Names = std::vector<std::string>;

  /// Paths of data sets in the file's order, by the name of the weight, and again by those of its layer and of itself.
  using Listing = std::map<Names, std::vector<std::string>>;

  Names address(const Place& place, const std::string& name, int64_t) const override {
    auto names = place.names;
    names.push_back(name);
    return names;
  }

  std::optional<torch::Tensor> look_up(const Place& place, const std::string& name, int64_t) const override {
    const std::string group = root_ + "/" + place.names.front();
    const auto& listing = listing_of(group);
    const bool outer = place.names.size() == 1;  // the group is its own, whatever the paths in it say
    const auto paths = listing.find(outer ? Names{name} : Names{place.names.back(), name});
    if (paths == listing.end()) return {};
    const auto fit = [&](const std::string& path) {
      auto scopes = pieces(path);
      scopes.pop_back();
      return fit_of(scopes, place.names);
    };
    const auto worse = [&](const std::string& one, const std::string& other) { return fit(one) < fit(other); };
    return file_->tensor(group + "/" + *std::max_element(paths->second.begin(), paths->second.end(), worse));
  }

  /// Made once for all weights of the group.
  const Listing& listing_of(const std::string& group) const {
    const auto [at, is_new] = listings_.try_emplace(group);
    if (!is_new) return at->second;
    for (const auto& path : file_->texts(group, "weight_names")) {
      const auto parts = pieces(path);
      for (size_t last = 1; last <= 2 && last <= parts.size(); ++last) {
        at->second[Names(parts.end() - static_cast<int64_t>(last), parts.end())].push_back(path);
      }
    }
    return at->second;
  }

  /// How many scopes are those of the layer, counted from the inside, and then how few others stand around them: the
  /// models in a model may have layers of one name.
  static std::pair<int64_t, int64_t> fit_of(const std::vector<std::string>& scopes,
                                            const std::vector<std::string>& names) {
    const auto [scope, layer] = std::mismatch(scopes.rbegin(), scopes.rend(), names.rbegin(), names.rend());
    return {scope - scopes.rbegin(), scope - scopes.rend()};
  }

  std::shared_ptr<const Hdf5File> file_;
  std::string root_;
  mutable std::map<std::string, Listing> listings_;  // by group
};

/// Keras 3's model.weights.h5: layers by class and number, weights by number. Early versions write
/// "_layer_checkpoint_dependencies" for "layers".
class NumberedWeights : public WeightFile {
 public:
  explicit NumberedWeights(std::shared_ptr<const Hdf5File> file) : file_(std::move(file)) {}

 private:
  std::vector<std::string> address(const Place& place, const std::string&, int64_t number) const override {
    return {place.counted, std::to_string(number)};
  }

  std::optional<torch::Tensor> look_up(const Place& place, const std::string&, int64_t number) const override {
    for (const bool early : {false, true}) {
      std::string path = "/" + place.counted + fmt::format("/vars/{}", number);
      if (early) path = "/_layer_checkpoint_dependencies" + path.substr(path.find('/', 1));
      if (file_->has(path)) return file_->tensor(path);
    }
    return {};
  }

  std::shared_ptr<const Hdf5File> file_;
};

class LayerWeights : public KerasWeights {
 public:
  LayerWeights(const WeightFile& file, Place place) : file_(file), place_(std::move(place)) {}
  std::optional<torch::Tensor> find(const std::string& name, int64_t number) const override {
    return file_.find(place_, name, number);
  }

 private:
  const WeightFile& file_;
  Place place_;
};

/// As Keras names groups: "SeparableConv2D" is "separable_conv2d", "PReLU" is "p_re_lu".
std::string snake_case(const std::string& name) {
  std::string text;
  for (size_t i = 0; i < name.size(); ++i) {
    const auto at = [&](size_t k) { return static_cast<unsigned char>(name[k]); };
    const bool upper = std::isupper(at(i)) != 0;
    const bool starts_word = upper && i + 1 < name.size() && std::islower(at(i + 1)) != 0;
    const bool after_lower = upper && i > 0 && std::islower(at(i - 1)) != 0;
    if (i > 0 && (starts_word || after_lower)) text += '_';
    text += static_cast<char>(std::tolower(at(i)));
  }
  return text;
}

bool is_model(const std::string& class_name) {
  return class_name == "Model" || class_name == "Functional" || class_name == "Sequential";
}

const json& layers_of(const json& config) {
  return config.is_array() ? config : config.at("layers");  // Keras before 2.2.3 wrote Sequential as a list
}

/// A reference to an output of a layer: its name, which of its calls, and which of that call's outputs.
struct Reference {
  std::string layer;
  int64_t call = 0, output = 0;

  bool operator<(const Reference& other) const {
    return std::tie(layer, call, output) < std::tie(other.layer, other.call, other.output);
  }
};

/// All references in the arguments of one call, in order: Keras 2 writes ["name", call, output, {}], Keras 3
/// {"class_name": "__keras_tensor__", "config": {"keras_history": ["name", call, output]}}.
void collect_references(const json& value, std::vector<Reference>& found) {
  if (value.is_array() && value.size() >= 3 && value[0].is_string() && value[1].is_number() && value[2].is_number()) {
    found.push_back({value[0].get<std::string>(), value[1].get<int64_t>(), value[2].get<int64_t>()});
  } else if (value.is_array()) {
    for (const auto& part : value) collect_references(part, found);
  } else if (value.is_object() && value.value("class_name", "") == "__keras_tensor__") {
    collect_references(value.at("config").at("keras_history"), found);
  } else if (value.is_object() && value.contains("args")) {
    collect_references(value.at("args"), found);
  }
}

std::vector<Reference> references(const json& value) {
  std::vector<Reference> found;
  collect_references(value, found);
  return found;
}

/// The named arguments of one call, in which a layer may be told to do something else. `value`: as for references.
void check_named_arguments(const json& value, const std::string& layer) {
  if (value.is_array() && value.size() == 4 && value[0].is_string() && value[3].is_object()) {
    for (const auto& [name, argument] : value[3].items()) {
      const bool idle = argument.is_null() || (name == "training" && !(argument.is_boolean() && argument.get<bool>()));
      if (!idle) {
        throw UserError(
            fmt::format("layer '{}': is called with {} = {}, which is not supported", layer, name, argument.dump()));
      }
    }
  } else if (value.is_array()) {
    for (const auto& part : value) check_named_arguments(part, layer);
  } else if (value.is_object() && value.contains("args")) {
    check_named_arguments(json::array({layer, 0, 0, value.value("kwargs", json::object())}), layer);
  }
}

/// Keras counts the calls of a layer from 0, but those of a model within the model from 1: its own making is call 0.
/// Which it is, is read off the references in `config`: the lowest call of each layer that anything refers to.
std::map<std::string, int64_t> lowest_calls(const json& config) {
  std::map<std::string, int64_t> lowest;
  const auto note = [&](const json& value) {
    for (const auto& reference : references(value)) {
      auto& call = lowest.emplace(reference.layer, reference.call).first->second;
      call = std::min(call, reference.call);
    }
  };
  note(config.at("output_layers"));
  for (const auto& layer : layers_of(config)) note(layer.value("inbound_nodes", json::array()));
  return lowest;
}

/// The shape in the configuration of an input, without the batch; 0 where it is left open.
std::optional<std::vector<int64_t>> declared_shape(const json& config) {
  for (const char* key : {"batch_input_shape", "batch_shape", "build_input_shape"}) {
    const auto shape = config.find(key);
    if (shape == config.end() || !shape->is_array() || shape->size() != 4) continue;
    std::vector<int64_t> sides;
    for (size_t d = 1; d < 4; ++d) sides.push_back(shape->at(d).is_null() ? 0 : shape->at(d).get<int64_t>());
    return sides;
  }
  return {};
}

class KerasReading {
 public:
  KerasReading(const WeightFile& weights, bool keras3, std::string file)
      : weights_(weights), keras3_(keras3), file_(std::move(file)) {}

  ImportedModel run(const json& model, const ImportOptions& options) {
    std::set<std::string> unsupported;
    list_unsupported(model, unsupported, 0);
    if (!unsupported.empty()) {
      throw UserError(fmt::format("{}: Keras layers that are not supported: {}", file_, fmt::join(unsupported, "; ")));
    }
    const auto image = input_image(model.at("config"), options);
    graph_.input = image.name;
    const auto outputs = read_model(model, {image.value()}, {}, 0);
    std::vector<std::string> names;
    names.reserve(outputs.size());
    for (const auto& output : outputs) names.push_back(output.name);
    graph_.output = choose_output(names, output_names(model), options, file_);
    ImportedModel imported = import_graph(std::move(graph_), file_, options);
    imported.height = image.sides[0], imported.width = image.sides[1], imported.channels = image.channels;
    imported.whole_pixels = whole_pixels_;
    return imported;
  }

 private:
  void list_unsupported(const json& model, std::set<std::string>& list, int depth) const {
    if (depth > kDeepest) throw UserError(fmt::format("{}: models are nested more than {} deep", file_, kDeepest));
    if (!is_model(model.at("class_name").get<std::string>())) {
      throw UserError(fmt::format(
          "{}: is a model of the class {}; only Functional and Sequential models are in their files entirely", file_,
          model.at("class_name").dump()));
    }
    for (const auto& layer : layers_of(model.at("config"))) {
      const std::string name = layer.at("class_name");
      if (is_model(name)) {
        list_unsupported(layer, list, depth + 1);
      } else if (name != "InputLayer" && Registry<KerasLayer>::instance().find(name) == nullptr) {
        list.insert(fmt::format("{} ({})", name, layer.at("config").value("name", "?")));
      }
    }
  }

  /// The layers that make the outputs.
  static std::vector<std::string> output_names(const json& model) {
    std::vector<std::string> names;
    if (model.at("class_name") == "Sequential") return names;
    for (const auto& output : references(model.at("config").at("output_layers"))) names.push_back(output.layer);
    return names;
  }

  /// Its sides; the user's where the file leaves them open. Channels are the last axis, unless only the first can be.
  KerasImage input_image(const json& config, const ImportOptions& options) const {
    const auto sides = shape_in(config).value_or(std::vector<int64_t>{0, 0, 0});
    const auto is_channels = [](int64_t side) { return side == 1 || side == 3; };
    const bool first = is_channels(sides[0]) && !is_channels(sides[2]);
    KerasImage image{"input", {}, first ? sides[0] : sides[2], first};
    image.sides = first ? std::vector<int64_t>{sides[1], sides[2]} : std::vector<int64_t>{sides[0], sides[1]};
    const auto settle = [&](int64_t& side, int64_t wanted) {
      if (side == 0) side = wanted;
      if (side >= 1 && side <= 4096) return;
      throw UserError(fmt::format("{}: leaves the shape of its input open; give --input HxWxC", file_));
    };
    settle(image.sides[0], options.height);
    settle(image.sides[1], options.width);
    settle(image.channels, options.channels);
    return image;
  }

  /// The first that is declared, in a model that is a layer too.
  static std::optional<std::vector<int64_t>> shape_in(const json& config) {
    for (const auto& layer : layers_of(config)) {
      const bool model = is_model(layer.at("class_name").get<std::string>());
      if (auto shape = model ? shape_in(layer.at("config")) : declared_shape(layer.at("config"))) return shape;
    }
    return config.is_object() ? declared_shape(config) : std::nullopt;
  }

  std::vector<KerasValue> read_model(const json& model, const std::vector<KerasValue>& inputs, const Place& place,
                                     int depth) {
    const auto& config = model.at("config");
    const bool sequential = model.at("class_name") == "Sequential";
    std::map<std::string, int64_t> counted;  // classes, as Keras 3 numbers them
    std::map<Reference, KerasValue> values;
    std::vector<Reference> entries;
    const auto lowest = sequential ? std::map<std::string, int64_t>() : lowest_calls(config);
    if (!sequential) entries = references(config.at("input_layers"));
    for (size_t i = 0; i < entries.size() && i < inputs.size(); ++i) values[entries[i]] = inputs[i];
    if (!sequential && entries.size() != inputs.size()) {
      throw UserError(fmt::format("{}: a model with {} inputs is given {}", file_, entries.size(), inputs.size()));
    }
    KerasValue last = inputs.at(0);
    std::vector<Waiting> waiting;
    for (const auto& layer : layers_of(config)) {
      std::string name = snake_case(layer.at("class_name"));
      if (const int64_t number = counted[name]++; number > 0) name += fmt::format("_{}", number);
      const Place inner = place.inside(layer.at("config").at("name"), name);
      if (layer.at("class_name") == "InputLayer") {
        read_input_type(layer.at("config"));
        continue;
      }
      if (sequential) {
        last = read_call(layer, {last}, inner, depth);
      } else {
        const std::string called = layer.value("name", inner.names.back());
        const auto found = lowest.find(called);
        const bool is_inner = is_model(layer.at("class_name")) && found != lowest.end();
        waiting.push_back({&layer, inner, is_inner ? std::min<int64_t>(found->second, 1) : 0});
      }
    }
    if (sequential) return {last};
    settle(waiting, values, depth);
    std::vector<KerasValue> outputs;
    for (const auto& output : references(config.at("output_layers"))) {
      const auto found = values.find(output);
      if (found == values.end()) {
        throw UserError(fmt::format("{}: its output {} of the layer '{}' (call {}) is made by nothing", file_,
                                    output.output, output.layer, output.call));
      }
      outputs.push_back(found->second);
    }
    if (outputs.empty()) throw UserError(fmt::format("{}: a model has no output", file_));
    return outputs;
  }

  struct Waiting {
    const json* layer;
    Place place;
    int64_t first;       ///< number of its first call
    size_t next = 0;     ///< place of the call that is to be put into the graph next
    size_t lacking = 0;  ///< how many of that call's inputs are not there yet
  };

  /// Each call of each layer as soon as its inputs are there; what never gets them is in a cycle. A layer is tried
  /// again when the last value comes that it lacked, so that the order in the file does not matter.
  void settle(std::vector<Waiting>& layers, std::map<Reference, KerasValue>& values, int depth) {
    std::map<Reference, std::vector<size_t>> lacking;
    for (size_t first = 0; first < layers.size(); ++first) {
      for (std::vector<size_t> ready{first}; !ready.empty();) {
        const size_t i = ready.back();
        ready.pop_back();
        std::vector<Reference> made;
        const auto missing = try_calls(layers[i], values, depth, made);
        for (const auto& source : missing) lacking[source].push_back(i);
        layers[i].lacking = missing.size();
        for (const auto& key : made) {
          const auto found = lacking.find(key);
          if (found == lacking.end()) continue;
          for (const size_t reader : found->second) {
            if (--layers[reader].lacking == 0) ready.push_back(reader);
          }
          lacking.erase(found);
        }
      }
    }
    for (const auto& layer : layers) {
      if (layer.lacking == 0) continue;
      throw UserError(
          fmt::format("{}: the layer '{}' waits for inputs that nothing makes: the graph has a cycle or is incomplete",
                      file_, layer.place.names.back()));
    }
  }

  /// The inputs of its next call that are not there yet; none when all its calls are done. `made` gets what it gave.
  std::vector<Reference> try_calls(Waiting& waiting, std::map<Reference, KerasValue>& values, int depth,
                                   std::vector<Reference>& made) {
    const json& layer = *waiting.layer;
    const Place& place = waiting.place;
    const std::string name = layer.value("name", place.names.back());
    const auto& nodes = layer.at("inbound_nodes");
    for (; waiting.next < nodes.size(); ++waiting.next) {
      Reference key{name, static_cast<int64_t>(waiting.next) + waiting.first, 0};
      if (values.count(key) > 0) continue;
      const json& node = nodes[waiting.next];
      std::vector<KerasValue> inputs;
      std::vector<Reference> missing;
      for (const auto& source : references(node)) {
        const auto found = values.find(source);
        if (found == values.end()) {
          missing.push_back(source);
        } else {
          inputs.push_back(found->second);
        }
      }
      if (!missing.empty()) return missing;
      check_named_arguments(node, join(place.names, "/"));
      for (const auto& output : read_outputs(layer, inputs, place, depth)) {
        values[key] = output;
        made.push_back(key);
        ++key.output;
      }
    }
    return {};
  }

  /// An input of whole numbers is given pixels of 0 to 255.
  void read_input_type(const json& config) {
    const auto& type = config.value("dtype", json());
    const std::string name = type.is_string() ? type.get<std::string>() : "";
    whole_pixels_ = whole_pixels_ || name.compare(0, 3, "int") == 0 || name.compare(0, 4, "uint") == 0;
  }

  /// Models that call models multiply.
  void count_call() {
    throw_if_interrupted();
    if (++calls_ <= kMostCalls) return;
    throw UserError(fmt::format("{}: its layers are called more than {} times", file_, kMostCalls));
  }

  std::vector<KerasValue> read_outputs(const json& layer, const std::vector<KerasValue>& inputs, const Place& place,
                                       int depth) {
    if (is_model(layer.at("class_name"))) {
      count_call();
      return read_model(layer, inputs, place, depth + 1);
    }
    return {read_call(layer, inputs, place, depth)};
  }

  KerasValue read_call(const json& layer, const std::vector<KerasValue>& inputs, const Place& place, int depth) {
    const std::string class_name = layer.at("class_name");
    count_call();
    if (is_model(class_name)) return read_model(layer, inputs, place, depth + 1).at(0);
    const LayerWeights weights(weights_, place);
    KerasCall call{join(place.names, "/"), layer.at("config"), inputs, weights, graph_, keras3_};
    return lower_layer(class_name, call);
  }

  const WeightFile& weights_;
  bool keras3_, whole_pixels_ = false;
  std::string file_;
  int64_t calls_ = 0;
  Graph graph_;
};

ImportedModel read_configured(const std::string& text, const WeightFile& weights, bool keras3, const fs::path& path,
                              const ImportOptions& options) {
  try {
    return KerasReading(weights, keras3, path.string()).run(parse_untrusted_json(text), options);
  } catch (const UserError& error) {
    const std::string message = error.what();
    if (message.compare(0, path.string().size(), path.string()) == 0) throw;
    throw UserError(fmt::format("{}: {}", path.string(), message));
  } catch (const Interrupted&) {
    throw;
  } catch (const Late&) {
    throw;
  } catch (const std::exception& error) {
    throw UserError(fmt::format("{}: the model's configuration is damaged ({})", path.string(), reason_of(error)));
  }
}

ImportedModel read_hdf5(const fs::path& path, const ImportOptions& options) {
  const auto file = std::make_shared<Hdf5File>(path);
  const auto config = file->text("/", "model_config");
  if (!config) {
    throw UserError(fmt::format(
        "{}: holds weights only; give its model.json (of model.to_json()) with the weights beside it as --model",
        path.string()));
  }
  const bool keras3 = file->text("/", "keras_version").value_or("2").compare(0, 2, "3.") == 0;
  return read_configured(*config, NamedWeights(file), keras3, path, options);
}

ImportedModel read_zip(const fs::path& path, const ImportOptions& options) {
  const ZipFile zip(path);
  const auto weights =
      std::make_shared<Hdf5File>(zip.read("model.weights.h5"), path.filename().string() + "/model.weights.h5");
  return read_configured(zip.read("config.json"), NumberedWeights(weights), true, path, options);
}

/// The HDF5 file beside a configuration: of the same name, or the only one.
fs::path weights_beside(const fs::path& path) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(path.parent_path().empty() ? "." : path.parent_path())) {
    const std::string extension = to_lower(entry.path().extension().string());
    if (extension != ".h5" && extension != ".hdf5") continue;
    if (entry.path().stem() == path.stem()) return entry.path();
    found.push_back(entry.path());
  }
  if (found.size() == 1) return found.front();
  throw UserError(fmt::format("{}: needs its weights beside it, as {}.h5 or as the only HDF5 file there ({} found)",
                              path.string(), path.stem().string(), found.size()));
}

ImportedModel read_json(const fs::path& path, const ImportOptions& options) {
  const auto weights = std::make_shared<Hdf5File>(weights_beside(path));
  const std::string text = read_file(path);
  const bool keras3 =
      text.find("\"keras_version\": \"3.") != std::string::npos || text.find("__keras_tensor__") != std::string::npos;
  return weights->has("/layers") ? read_configured(text, NumberedWeights(weights), true, path, options)
                                 : read_configured(text, NamedWeights(weights), keras3, path, options);
}

const Register<ModelFormat> hdf5{
    {"keras", "Keras HDF5", [](const FileProbe& file) { return file.starts_with("\x89HDF\r\n\x1a\n"); }, read_hdf5}};

const Register<ModelFormat> zip{
    {"keras-zip", "Keras 3 .keras",
     [](const FileProbe& file) { return file.has_entry("model.weights.h5") && file.has_entry("config.json"); },
     read_zip}};

const Register<ModelFormat> configuration{
    {"keras-json", "Keras model.json with weights beside it",
     [](const FileProbe& file) { return file.head[0] == '{' && file.head.find("class_name") != std::string::npos; },
     read_json, 0, weights_beside}};

}  // namespace

const KerasValue& KerasCall::input() const {
  if (inputs.size() != 1) fail(fmt::format("has {} inputs, where one is needed", inputs.size()));
  return inputs.front();
}

torch::Tensor KerasCall::weight(const std::string& name, const std::string& other_name) {
  const int64_t place = taken++;
  if (const auto found = weights.find(name, place)) return *found;
  if (const auto found = other_name.empty() ? std::nullopt : weights.find(other_name, place)) return *found;
  fail(fmt::format("its weight '{}' is missing in the file", name));
}

nlohmann::json KerasCall::setting(const char* key) const {
  read.insert(key);
  return config.value(key, nlohmann::json());
}

bool KerasCall::flag(const char* key, bool otherwise) const {
  const auto value = setting(key);
  return value.is_null() ? otherwise : value.get<bool>();
}

int64_t KerasCall::whole(const char* key, const nlohmann::json& value) const {
  constexpr int64_t kMost = 1 << 20;
  const int64_t number = whole_of(value);
  if (number >= -kMost && number <= kMost) return number;
  fail(fmt::format("its setting {} = {} must be in [{}, {}]", key, number, -kMost, kMost));
}

int64_t KerasCall::integer(const char* key, int64_t otherwise) const {
  const auto value = setting(key);
  return value.is_null() ? otherwise : whole(key, value);
}

double KerasCall::number(const char* key, double otherwise) const {
  const auto value = setting(key);
  if (value.is_null()) return otherwise;
  return value.is_array() || value.is_object() ? value.at("value").get<double>() : value.get<double>();
}

std::string KerasCall::choice(const char* key, const std::vector<std::string>& allowed) const {
  const auto value = setting(key);
  if (value.is_null()) return allowed.front();
  for (const auto& word : allowed) {
    if (value == word) return word;
  }
  fail(fmt::format("its setting {} = {} is not supported ({} are)", key, value.dump(), join(allowed, ", ")));
}

std::vector<int64_t> KerasCall::pair(const char* key, std::vector<int64_t> otherwise) const {
  const auto value = setting(key);
  if (value.is_null()) return otherwise;
  if (value.is_number()) return {whole(key, value), whole(key, value)};
  std::vector<int64_t> values;
  for (const auto& part : value.get_ref<const nlohmann::json::array_t&>()) values.push_back(whole(key, part));
  if (values.size() != 2) fail(fmt::format("{} must have two values", key));
  return values;
}

KerasValue KerasCall::add(const std::string& op, std::vector<std::string> from, std::vector<int64_t> shape,
                          nlohmann::json attributes) {
  return {graph.add(op, layer, std::move(from), std::move(attributes)), std::move(shape)};
}

KerasValue KerasCall::map(const std::string& op, const KerasValue& x, const std::vector<std::string>& more,
                          nlohmann::json attributes) {
  std::vector<std::string> from{x.name};
  from.insert(from.end(), more.begin(), more.end());
  return {graph.add(op, layer, std::move(from), std::move(attributes)), x.shape, x.turned};
}

std::string KerasCall::constant(const std::string& name, const torch::Tensor& value) {
  return graph.constant(layer + "/" + name, value);
}

KerasValue KerasCall::plain(KerasValue value) {
  if (!value.turned) return value;
  return add("Transpose", {value.name}, value.shape, {{"perm", {0, 2, 3, 1}}});
}

KerasValue KerasCall::turned(KerasValue value) {
  if (!value.is_image() || value.turned) return value;
  auto y = add("Transpose", {value.name}, value.shape, {{"perm", {0, 3, 1, 2}}});
  y.turned = true;
  return y;
}

void KerasCall::fail(const std::string& message) const {
  throw UserError(fmt::format("layer '{}': {}", layer, message));
}

}  // namespace fercli
