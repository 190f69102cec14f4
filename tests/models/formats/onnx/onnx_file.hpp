#pragma once

#include <torch/types.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <variant>
#include <vector>

namespace fercli::test {

/// One node. An input is a tensor, which becomes a constant; or the name of the network's input or of another node's
/// output; "" is left out.
struct OnnxNode {
  std::string op;
  std::vector<std::variant<std::string, torch::Tensor>> inputs;
  nlohmann::json attributes = nlohmann::json::object();
  std::vector<std::string> outputs = {"y"};
};

/// A network of one input (N, image...) float32.
struct OnnxNetwork {
  std::string name;
  int64_t opset;
  std::string input;
  std::vector<int64_t> image;
  std::vector<OnnxNode> nodes;
  std::vector<std::string> outputs;
};

void write_onnx(const OnnxNetwork& network, const std::filesystem::path& path);

}  // namespace fercli::test
