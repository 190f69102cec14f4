#pragma once

#include <torch/types.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace fercli::test {

/// A layer's weights in Keras' order: name ("kernel") and value.
struct KerasLayerWeights {
  std::string layer;  ///< "conv2d", or for model.weights.h5 a path "layers/conv2d"
  std::vector<std::pair<std::string, torch::Tensor>> weights;
};

/// Writes an HDF5 file laid out as Keras 2's model.save("….h5") does: root attributes keras_version, backend and
/// model_config, group model_weights with layer_names, and in each layer's group the attribute weight_names and the
/// data sets LAYER/NAME:0. Without a configuration: as save_weights, the layers at the root.
void write_keras_h5(const std::filesystem::path& path, const std::string& model_config,
                    const std::vector<KerasLayerWeights>& layers, const std::string& version = "2.11.0");

/// Writes weight_names of a layer in such a file (with a configuration) anew, whether there are such data sets or not.
void list_weights(const std::filesystem::path& path, const std::string& layer, const std::vector<std::string>& names);

/// Writes a .keras file as Keras 3 does: a zip with metadata.json, config.json and model.weights.h5, in which each
/// layer's weights are data sets PATH/vars/0, 1, ….
void write_keras_zip(const std::filesystem::path& path, const std::string& config,
                     const std::vector<KerasLayerWeights>& layers);

}  // namespace fercli::test
