#pragma once

#include <filesystem>
#include <string>

#include "models/architecture.hpp"

namespace fercli {

/// Copies into `network` every tensor of the file that has the name and shape of one of its parameters or buffers. The
/// file is a fercli checkpoint or a PyTorch state dictionary (`torch.save(model.state_dict(), …)`, zip format; names as
/// in torchvision for vgg16). Returns a line that says how many were taken, for the log. Throws UserError when the file
/// is unreadable or nothing fits.
std::string load_weights(Network& network, const std::filesystem::path& path);

}  // namespace fercli
