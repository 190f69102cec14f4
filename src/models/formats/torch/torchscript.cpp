// TorchScript files (torch.jit.save). A network that can be traced runs as a graph like any other; else LibTorch's own
// interpreter runs it. TorchScript is deprecated since PyTorch 2.11: nothing but this file and trace.* knows of it.
#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/runtime/jit_exception.h>
#include <torch/csrc/jit/serialization/import.h>

#include <atomic>
#include <cstring>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/notice.hpp"
#include "core/random.hpp"
#include "models/formats/torch/script_archive.hpp"
#include "models/formats/torch/trace.hpp"
#include "models/graph/graph.hpp"

namespace fercli::torchscript_format {

namespace {

constexpr const char* kKind = "torchscript";
constexpr const char* kBytes = "torchscript";
constexpr int64_t kUsualSize = 48;
constexpr const char* kRaises = "the TorchScript network's code raises an error";
constexpr double kTolerance = 1e-4;  // of a traced network's logits, relative to the largest

/// The tensors that a network returned, by name: those of a dictionary by their keys, others by their places.
struct Returned {
  std::vector<std::string> names;
  std::vector<torch::Tensor> tensors;

  void add(const std::string& name, const c10::IValue& value) {
    if (!value.isTensor()) return;
    names.push_back(name);
    tensors.push_back(value.toTensor());
  }
};

Returned returned_tensors(const c10::IValue& value) {
  Returned returned;
  if (value.isTensor()) returned.add("0", value);
  if (value.isTuple()) {
    int64_t place = 0;
    for (const auto& element : value.toTupleRef().elements()) {
      const bool nested = place == 0 && element.isTuple() && !element.toTupleRef().elements().empty();
      returned.add(std::to_string(place++), nested ? element.toTupleRef().elements()[0] : element);
    }
  }
  if (value.isTensorList()) {
    for (const auto& tensor : value.toTensorVector()) returned.add(std::to_string(returned.names.size()), tensor);
  }
  if (value.isGenericDict()) {
    for (const auto& entry : value.toGenericDict()) {
      if (entry.key().isString()) returned.add(entry.key().toStringRef(), entry.value());
    }
  }
  if (returned.tensors.empty()) {
    throw UserError("the TorchScript network returns neither a tensor nor tensors in a tuple, list or dictionary");
  }
  return returned;
}

/// The one of this name; "": the first.
torch::Tensor chosen_tensor(const c10::IValue& value, const std::string& output) {
  const Returned returned = returned_tensors(value);
  if (output.empty()) return returned.tensors.front();
  for (size_t i = 0; i < returned.names.size(); ++i) {
    if (returned.names[i] == output) return returned.tensors[i];
  }
  throw UserError(fmt::format("--output {}: must be an output of the TorchScript network ({})", output,
                              join(returned.names, ", ")));
}

class TorchScriptExecutor : public AutogradExecutor {
 public:
  TorchScriptExecutor(const torch::jit::Module& module, std::string output)
      : module_(module), output_(std::move(output)) {}

  torch::Tensor forward(const torch::Tensor& input) const override {
    // Without it the interpreter specialises itself after some calls, and roundings change.
    const torch::jit::GraphOptimizerEnabledGuard unspecialised(false);
    const auto value = run(input.contiguous());
    if (output_.empty() && !announced_.exchange(true)) say_choice(returned_tensors(value).names);
    return chosen_tensor(value, output_);
  }

 private:
  c10::IValue run(const torch::Tensor& input) const {
    try {
      return module_.forward({input});
    } catch (const torch::jit::JITException&) {  // whose text is the file's
      throw UserError(fmt::format("{} on images of {}x{}x{}; --input HxWxC gives another size", kRaises, input.size(2),
                                  input.size(3), input.size(1)));
    }
  }

  static void say_choice(const std::vector<std::string>& names) {
    if (names.size() < 2) return;
    inform(fmt::format("the TorchScript network has {} outputs ({}); '{}' is taken, --output NAME takes another",
                       names.size(), join(names, ", "), names.front()));
  }

  mutable torch::jit::Module module_;
  std::string output_;
  mutable std::atomic<bool> announced_{false};
};

class TorchScriptModel : public ForeignModel {
 public:
  /// Throws std::runtime_error or UserError when the file has what LibTorch would stumble over, or code that needs
  /// trust.
  TorchScriptModel(const std::string& bytes, const std::string& name, bool trust_code, std::string output)
      : name_(name),
        output_(std::move(output)),
        bytes_(checked_script_archive(bytes, name, trust_code ? CodeRule::Anything : CodeRule::TensorOperators)) {}

  std::shared_ptr<const Executor> interpreted(torch::Device device) const {
    std::istringstream stream(bytes_);
    try {
      auto module = torch::jit::load(stream, device);
      module.eval();
      for (auto parameter : module.parameters()) parameter.set_requires_grad(false);
      return std::make_shared<TorchScriptExecutor>(module, output_);
    } catch (const std::exception&) {
      refuse_damaged_script(name_);
    }
  }

  std::string kind() const override { return kKind; }

  void store(nlohmann::json& header, std::map<std::string, torch::Tensor>& tensors) const override {
    auto bytes = torch::empty({static_cast<int64_t>(bytes_.size())}, torch::kUInt8);
    std::memcpy(bytes.data_ptr(), bytes_.data(), bytes_.size());
    tensors[kBytes] = bytes;
    header["output"] = output_;
  }

 private:
  std::string name_, output_, bytes_;
};

/// The same network as a graph, if it gives the same logits on images of noise: with control flow that depends on the
/// image it would not. Throws when it cannot be had.
ImportedModel as_graph(const Executor& script, const std::string& file, const ImportOptions& options) {
  const torch::NoGradGuard no_grad;
  const auto or_else = [](int64_t given, int64_t usual) { return given > 0 ? given : usual; };
  const std::vector<int64_t> shape{or_else(options.channels, 1), or_else(options.height, kUsualSize),
                                   or_else(options.width, kUsualSize)};
  const Graph graph = Trace([&](const torch::Tensor& x) { return script.logits(x); }, shape).graph();
  const auto noise = uniform_rows(Rng(0), {0, 1, 2}, shape);
  const auto expected = script.logits(noise);
  check_graph(graph, file);
  const auto found = GraphModel(graph).executor()->logits(noise);
  const double difference = (found - expected).abs().max().item<double>();
  if (!(difference <= kTolerance * std::max(1.0, expected.abs().max().item<double>()))) {
    throw UserError("its control flow depends on the image");
  }
  return import_graph(graph, file, options);
}

void inform_of_interpreter(const std::filesystem::path& path, const std::string& reason) {
  inform(fmt::format("{}: run by LibTorch's interpreter, in float32 and with a softmax if it has one ({})",
                     path.string(), reason));
}

ImportedModel read(const std::filesystem::path& path, const ImportOptions& options) {
  const auto script =
      std::make_shared<TorchScriptModel>(read_file(path), path.string(), options.trust_code, options.output);
  const auto interpreted = script->interpreted(torch::kCPU);
  try {
    return as_graph(*interpreted, path.string(), options);
  } catch (const UserError& error) {
    const std::string message = error.what();
    if (message.rfind("--output", 0) == 0 || message.rfind(kRaises, 0) == 0) throw;
    inform_of_interpreter(path, message);
    return ImportedModel{script};
  } catch (const std::exception&) {
    inform_of_interpreter(path, "it has no equal graph");
    return ImportedModel{script};
  }
}

const Register<StoredModel> stored{
    {kKind,
     [](const nlohmann::json& header, const std::map<std::string, torch::Tensor>& tensors,
        bool trust_code) -> std::shared_ptr<const ForeignModel> {
       const auto found = tensors.find(kBytes);
       if (found == tensors.end()) throw UserError("the TorchScript network is missing");
       const std::string bytes(static_cast<const char*>(found->second.data_ptr()), found->second.nbytes());
       return std::make_shared<TorchScriptModel>(bytes, "the TorchScript network in it", trust_code,
                                                 header.value("output", ""));
     }}};

const Register<ExecutorEntry> interpreter{
    {"torchscript", "TorchScript that is no graph, by LibTorch's interpreter in fp32", 10,
     [](const Model& model, const Execution& execution) {
       return dynamic_cast<const TorchScriptModel*>(&model) != nullptr && execution.precision == Precision::Float32;
     },
     [](const Model& model, const Execution& execution) {
       return dynamic_cast<const TorchScriptModel&>(model).interpreted(execution.device);
     }}};

const Register<ModelFormat> registered{
    {"torchscript", "TorchScript",
     [](const FileProbe& file) { return file.has_entry("constants.pkl") && file.has_entry("data.pkl"); }, read}};

}  // namespace

}  // namespace fercli::torchscript_format
