#include "models/graph/operator.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/reason.hpp"
#include "core/tensor_list.hpp"
#include "models/graph/attributes.hpp"

namespace fercli {

const torch::Tensor& OperatorCall::operator[](size_t i) const {
  if (!has(i)) fail(fmt::format("input {} is missing", i + 1));
  return inputs_[i];
}

int64_t OperatorCall::integer(const char* attribute, int64_t otherwise) const {
  return whole_attribute(node_, attribute, otherwise);
}

double OperatorCall::number(const char* attribute, double otherwise) const {
  return given(attribute) ? node_.attributes.at(attribute).get<double>() : otherwise;
}

std::string OperatorCall::word(const char* attribute, const std::string& otherwise) const {
  return given(attribute) ? node_.attributes.at(attribute).get<std::string>() : otherwise;
}

std::vector<int64_t> OperatorCall::integers(const char* attribute, std::vector<int64_t> otherwise) const {
  return whole_attributes(node_, attribute, std::move(otherwise));
}

std::vector<int64_t> OperatorCall::integers(size_t input, const char* attribute, std::vector<int64_t> otherwise) const {
  if (!has(input)) return integers(attribute, std::move(otherwise));
  return list_of(inputs_[input]);
}

void OperatorCall::allow(torch::IntArrayRef shape) const {
  int64_t elements = 1;
  for (const int64_t side : shape) {
    if (side < 0) fail(fmt::format("would have the impossible shape ({})", fmt::join(shape, ",")));
    if (side > 0 && elements > most_elements_ / side) {
      fail(fmt::format("would have the shape ({}), larger than any network's", fmt::join(shape, ",")));
    }
    elements *= side;
  }
}

void OperatorCall::allow_pads(torch::IntArrayRef pads) const {
  constexpr int64_t kMost = 1 << 20;
  for (const int64_t pad : pads) {
    if (pad < -kMost || pad > kMost) fail("has impossible pads");
  }
}

int64_t OperatorCall::axis(int64_t given, int64_t dim) const {
  if (given < -dim || given >= dim) fail(fmt::format("axis {} of a value with {} axes", given, dim));
  return given < 0 ? given + dim : given;
}

std::vector<int64_t> OperatorCall::broadcast(torch::IntArrayRef a, torch::IntArrayRef b) const {
  const auto &longer = a.size() >= b.size() ? a : b, &shorter = a.size() >= b.size() ? b : a;
  const size_t more = longer.size() - shorter.size();
  auto shape = longer.vec();
  for (size_t d = 0; d < shorter.size(); ++d) {
    int64_t& side = shape[more + d];
    if (side != shorter[d] && side != 1 && shorter[d] != 1) {
      fail(fmt::format(
          "values of the shapes ({}) and ({}) do not fit together: from the last axis on, sides must be equal "
          "or 1",
          fmt::join(a, ","), fmt::join(b, ",")));
    }
    if (side == 1) side = shorter[d];
  }
  allow(shape);
  return shape;
}

void OperatorCall::fail(const std::string& message) const {
  throw UserError(fmt::format("node '{}' ({}): {}", node_.name, node_.op, message));
}

bool GraphOperator::understands(const std::string& attribute) const {
  return std::any_of(attributes.begin(), attributes.end(), [&](const auto& known) { return known.name == attribute; });
}

int64_t reduced_numbers(const GraphNode& /*node*/, const Tensors& inputs, const torch::Tensor& result) {
  return inputs[0].numel() / std::max<int64_t>(result.numel(), 1);
}

Tensors run_node(const GraphNode& node, Tensors inputs, int64_t most_elements) {
  const OperatorCall call(node, std::move(inputs), most_elements);
  try {
    return Registry<GraphOperator>::instance().get(node.op).run(call);
  } catch (const UserError&) {
    throw;
  } catch (const std::exception& error) {
    call.fail(reason_of(error));
  }
}

void refuse_training(const GraphNode& node) {
  throw UserError(
      fmt::format("node '{}' ({}) is in training mode; export the model for inference", node.name, node.op));
}

}  // namespace fercli
