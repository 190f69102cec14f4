#pragma once

#include <cmath>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tests/models/formats/onnx/onnx_file.hpp"

namespace fercli::test {

/// What the network answers in each cell of 16 pixels: the box's centre in the cell, its size in cells (logarithm), and
/// the five points, of which the nose is not used.
inline const std::vector<float> kYunetBox = {0.5F, 0.25F, std::log(2.5F), std::log(3.0F)};
inline const std::vector<float> kYunetPoints = {-0.5F, 0, 1.5F, 0.5F, 7, 7, -0.25F, 1.5F, 1.25F, 2};

/// One head: from the picture's cells to (1, cells, values).
inline void add_yunet_head(std::vector<OnnxNode>& nodes, const std::string& name, int64_t stride,
                           const torch::Tensor& weight, const torch::Tensor& bias, bool sigmoid) {
  const std::string raw = name + "_raw", squashed = name + "_squashed", turned = name + "_turned";
  nodes.push_back(
      {"Conv", {"input", weight, bias}, {{"kernel_shape", {stride, stride}}, {"strides", {stride, stride}}}, {raw}});
  if (sigmoid) nodes.push_back({"Sigmoid", {raw}, {}, {squashed}});
  nodes.push_back({"Transpose", {sigmoid ? squashed : raw}, {{"perm", {0, 2, 3, 1}}}, {turned}});
  nodes.push_back({"Reshape", {turned, torch::tensor({int64_t{1}, int64_t{-1}, bias.size(0)})}, {}, {name}});
}

/// A face wherever all 16x16 pixels of a cell are white, in the layout of face_detection_yunet_2023mar.onnx. `away`: by
/// so many cells to the right.
inline void write_yunet(const std::filesystem::path& path, int64_t point_values = 10, double away = 0) {
  std::vector<OnnxNode> nodes;
  std::vector<std::string> outputs;
  for (const std::string kind : {"cls", "obj", "bbox", "kps"}) {
    for (const int64_t stride : {8, 16, 32}) {
      const auto values =
          std::map<std::string, int64_t>{{"cls", 1}, {"obj", 1}, {"bbox", 4}, {"kps", point_values}}[kind];
      auto weight = torch::zeros({values, 3, stride, stride}), bias = torch::zeros({values});
      if (kind == "cls") {
        weight.fill_(stride == 16 ? 40.0 / (3 * 16 * 16 * 255) : 0);
        bias.fill_(-30);  // a sure face at white, none at grey
      } else if (kind == "obj") {
        bias.fill_(20);
      } else {
        const auto& wanted = kind == "bbox" ? kYunetBox : kYunetPoints;
        bias = torch::tensor(wanted).slice(0, 0, values);
        if (kind == "kps") bias.slice(0, 0, values, 2).add_(away);
      }
      const std::string name = kind + "_" + std::to_string(stride);
      add_yunet_head(nodes, name, stride, weight, bias, kind == "cls" || kind == "obj");
      outputs.push_back(name);
    }
  }
  write_onnx({"yunet", 11, "input", {3, 640, 640}, nodes, outputs}, path);
}

}  // namespace fercli::test
