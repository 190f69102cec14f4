#include "models/formats/torch/trace.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <sstream>

#include <set>

#include "core/error.hpp"
#include "core/files.hpp"
#include "models/formats/torch/trace_operator.hpp"

namespace fercli {

namespace {

using torch::jit::Node;
using torch::jit::Value;

/// "aten::relu_" writes into its input; in a trace nobody else reads that any more.
std::string operator_name(const Node& node) {
  std::string name = node.kind().toQualString();
  if (name.size() > 1 && name.back() == '_') name.pop_back();
  return name;
}

bool is_structure(const Node& node) {
  return node.kind() == c10::prim::Constant || node.kind() == c10::prim::ListConstruct;
}

}  // namespace

struct Trace::Record {
  std::function<torch::Tensor(const torch::Tensor&)> network;
  std::vector<int64_t> shape;  // (C,H,W)
  std::shared_ptr<torch::jit::Graph> graph;

  torch::Tensor images(int64_t n) const {
    std::vector<int64_t> sizes{n};
    sizes.insert(sizes.end(), shape.begin(), shape.end());
    return torch::zeros(sizes);
  }

  std::shared_ptr<torch::jit::Graph> run(int64_t n) const {
    const torch::NoGradGuard no_grad;
    const auto forward = [&](torch::jit::Stack inputs) -> torch::jit::Stack {
      return {network(inputs.at(0).toTensor())};
    };
    const auto name_of = [](const torch::autograd::Variable&) { return std::string(); };
    return torch::jit::tracer::trace({images(n)}, forward, name_of, /*strict=*/true, /*force_outplace=*/true, nullptr,
                                     {"input"})
        .first->graph;
  }
};

Trace::Trace(std::function<torch::Tensor(const torch::Tensor&)> network, const std::vector<int64_t>& shape)
    : record_(std::make_unique<Record>()) {
  record_->network = std::move(network);
  record_->shape = shape;
  record_->graph = record_->run(kTracedBatch);
}

Trace::~Trace() = default;

Graph Trace::graph() const {
  std::set<std::string> unsupported;
  for (const Node* node : record_->graph->nodes()) {
    const std::string name = operator_name(*node);
    if (!is_structure(*node) && Registry<TraceOperator>::instance().find(name) == nullptr) unsupported.insert(name);
  }
  if (!unsupported.empty()) {
    throw UserError(fmt::format("LibTorch operators without a counterpart: {}", fmt::join(unsupported, ", ")));
  }
  Graph graph;
  TraceCall::Values values;
  graph.input = "input";
  values[record_->graph->inputs().at(0)] = graph.input;
  for (const Node* node : record_->graph->nodes()) {
    if (node->kind() == c10::prim::Constant && node->output()->type()->isSubtypeOf(*c10::TensorType::get())) {
      const auto tensor = torch::jit::toIValue(node->output())->toTensor();
      values[node->output()] = graph.constant("weight", tensor.detach().clone(torch::MemoryFormat::Contiguous));
    }
    if (is_structure(*node)) continue;
    TraceCall call(*node, graph, values);
    values[node->output(0)] = Registry<TraceOperator>::instance().get(operator_name(*node)).lower(call);
  }
  graph.output = values.at(record_->graph->outputs().at(0));
  return graph;
}

namespace {

constexpr int64_t kOtherBatch = 13;  // whatever differs between this trace and the first depends on the batch

/// Makes a trace hold for any number of images: constants that differ from those of a trace with another number are
/// computed from the input's size.
class BatchFreeing {
 public:
  explicit BatchFreeing(torch::jit::Graph& graph) : graph_(graph) {}

  void run(torch::jit::Graph& other) {
    torch::jit::EliminateDeadCode(graph_.block());  // shapes that were read while tracing
    torch::jit::EliminateDeadCode(other.block());
    std::vector<Node*> nodes(graph_.nodes().begin(), graph_.nodes().end());
    auto twin = other.nodes().begin();
    for (Node* node : nodes) {
      if (twin == other.nodes().end() || twin->kind() != node->kind()) refuse();
      if (node->kind() == c10::prim::Constant) compare(*node, **twin);
      ++twin;
    }
    if (twin != other.nodes().end()) refuse();
  }

 private:
  [[noreturn]] static void refuse() {
    throw UserError(
        "the network does other things for other numbers of images, which TorchScript cannot say; "
        "export it as onnx");
  }

  void compare(Node& node, const Node& twin) {
    const auto here = torch::jit::toIValue(node.output()), there = torch::jit::toIValue(twin.output());
    if (!here || !there || here->tagKind() != there->tagKind()) refuse();
    if (here->isInt() && here->toInt() != there->toInt()) {
      replace(node, of_batch(node, here->toInt(), there->toInt()));
    } else if (here->isIntList() && here->toIntVector() != there->toIntVector()) {
      replace(node, list(node, here->toIntVector(), there->toIntVector()));
    } else if (here->isDouble() && here->toDouble() != there->toDouble()) {
      refuse();
    } else if (here->isTensor() && !at::equal(here->toTensor(), there->toTensor())) {
      refuse();
    }
  }

  static void replace(Node& node, Value* value) { node.output()->replaceAllUsesWith(value); }

  /// The number that is `here` for the one batch and `there` for the other: a multiple of the batch and a rest.
  Value* of_batch(Node& node, int64_t here, int64_t there) {
    constexpr int64_t kStep = kOtherBatch - kTracedBatch;
    if ((there - here) % kStep != 0) refuse();
    const int64_t factor = (there - here) / kStep, rest = here - factor * kTracedBatch;
    const torch::jit::WithInsertPoint before(&node);
    Value* value = batch();
    if (factor != 1) value = number(c10::aten::mul, {value, graph_.insertConstant(factor)});
    if (rest != 0) value = number(c10::aten::add, {value, graph_.insertConstant(rest)});
    return value;
  }

  Value* list(Node& node, const std::vector<int64_t>& here, const std::vector<int64_t>& there) {
    if (here.size() != there.size()) refuse();
    std::vector<Value*> elements;
    for (size_t i = 0; i < here.size(); ++i) {
      const torch::jit::WithInsertPoint before(&node);
      elements.push_back(here[i] == there[i] ? graph_.insertConstant(here[i]) : of_batch(node, here[i], there[i]));
    }
    const torch::jit::WithInsertPoint before(&node);
    return graph_.insertNode(graph_.createList(c10::IntType::get(), elements))->output();
  }

  Value* number(c10::Symbol op, torch::ArrayRef<Value*> inputs) {
    Node* made = graph_.insertNode(graph_.create(op, inputs));
    made->output()->setType(c10::IntType::get());
    return made->output();
  }

  Value* batch() {
    if (batch_ == nullptr) {
      const torch::jit::WithInsertPoint first(graph_.block()->nodes().front());
      Value* axis = graph_.insertConstant(0);
      batch_ = number(c10::aten::size, {graph_.inputs().at(0), axis});
    }
    return batch_;
  }

  torch::jit::Graph& graph_;
  Value* batch_ = nullptr;
};

}  // namespace

void Trace::save_torchscript(const std::filesystem::path& path) const {
  torch::jit::Module module("FercliNetwork");
  auto graph = record_->graph->copy();
  BatchFreeing(*graph).run(*record_->run(kOtherBatch));
  graph->insertInput(0, "self")->setType(module._ivalue()->type());
  const auto function = module._ivalue()->compilation_unit()->create_function(
      c10::QualifiedName(*module.type()->name(), "forward"), graph);
  module.type()->addMethod(function);
  module.eval();
  std::ostringstream content;
  module.save(content);
  write_file(path, content.str());
}

std::string TraceCall::value(size_t i) const {
  const auto found = values_.find(node_.input(i));
  if (found == values_.end()) fail(fmt::format("its input {} is no tensor of the network", i + 1));
  return found->second;
}

std::vector<std::string> TraceCall::values(size_t i) const {
  std::vector<std::string> names;
  for (const Value* element : node_.input(i)->node()->inputs()) {
    const auto found = values_.find(element);
    if (found == values_.end()) fail("a list holds something other than tensors of the network");
    names.push_back(found->second);
  }
  return names;
}

c10::IValue TraceCall::constant(size_t i) const {
  const Value* input = node_.inputs().at(i);
  if (const auto value = torch::jit::toIValue(input)) return *value;
  fail(fmt::format("its argument {} is computed", i + 1));
}

bool TraceCall::is_none(size_t i) const {
  if (i >= size()) return true;
  const auto value = torch::jit::toIValue(node_.input(i));
  return value && value->isNone();
}

std::vector<int64_t> TraceCall::integers(size_t i) const {
  const Value* input = node_.inputs().at(i);
  if (const auto value = torch::jit::toIValue(input)) {
    if (value->isInt()) return {value->toInt()};
    return value->toIntVector();
  }
  std::vector<int64_t> numbers;
  for (const Value* element : input->node()->inputs()) {
    const auto value = torch::jit::toIValue(element);
    if (!value || !value->isInt()) fail(fmt::format("its argument {} is computed", i + 1));
    numbers.push_back(value->toInt());
  }
  return numbers;
}

std::vector<int64_t> TraceCall::pair(size_t i) const {
  auto numbers = integers(i);
  if (numbers.size() == 1) numbers.push_back(numbers[0]);
  return numbers;
}

std::vector<int64_t> TraceCall::input_sizes(size_t i) const {
  if (const auto value = torch::jit::toIValue(node_.input(i)); value && value->isTensor()) {
    return value->toTensor().sizes().vec();
  }
  const auto type = node_.input(i)->type()->cast<c10::TensorType>();
  const auto sizes = type ? type->sizes().concrete_sizes() : c10::optional<std::vector<int64_t>>();
  if (!sizes) fail("its input's shape is not known");
  return *sizes;
}

torch::Tensor TraceCall::tensor(size_t i) const {
  const auto value = constant(i);
  if (!value.isTensor()) fail(fmt::format("its input {} is no weight", i + 1));
  return value.toTensor();
}

std::string TraceCall::add(const std::string& op, std::vector<std::string> inputs, nlohmann::json attributes) {
  return graph_.add(op, fmt::format("{}_{}", op, graph_.nodes.size()), std::move(inputs), std::move(attributes));
}

std::string TraceCall::operand(size_t i) {
  if (values_.count(node_.input(i)) > 0) return value(i);
  return add_constant(torch::tensor(static_cast<float>(number(i))));
}

std::vector<int64_t> TraceCall::free_batch(std::vector<int64_t> shape) const {
  if (shape.empty() || shape[0] != kTracedBatch) return shape;
  const bool other_open = std::find(shape.begin() + 1, shape.end(), -1) != shape.end();
  shape[0] = other_open ? 0 : -1;
  return shape;
}

void TraceCall::fail(const std::string& message) const {
  throw UserError(fmt::format("{}: {}", node_.kind().toQualString(), message));
}

}  // namespace fercli
