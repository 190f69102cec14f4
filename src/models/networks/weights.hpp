#pragma once

#include <filesystem>
#include <string>

#include "models/files/state_dict.hpp"
#include "models/networks/architecture.hpp"

namespace fercli {

/// Copies into `network` every tensor of the file that has the name and shape of one of its parameters or buffers. The
/// file is a fercli checkpoint, a PyTorch state dictionary or a safetensors file (names as in torchvision for vgg16 and
/// resnet18). Returns a line that says how many were taken, for the log. Throws UserError when the file is unreadable
/// or nothing fits.
std::string load_weights(Network& network, const std::filesystem::path& path);

/// The same, but every parameter and buffer must be there. Throws UserError that lists those that are not.
void load_all_weights(Network& network, const std::filesystem::path& path);

/// Widths and numbers of layers that a file gives cannot exceed what it holds: a wrong one would build a network
/// without end. Throws UserError.
void require_fitting_settings(const std::map<std::string, double>& settings, const StateDict& tensors,
                              const std::string& path);

}  // namespace fercli
