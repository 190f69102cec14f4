#pragma once

#include <filesystem>
#include <vector>

#include "models/checkpoint.hpp"
#include "models/graph/foreign_model.hpp"

namespace fercli {

/// A model from any file: a fercli checkpoint, or a foreign network (formats are recognised by content). `options` says
/// what a foreign file leaves open; what remains open is assumed, and the assumptions are printed on stderr. Throws
/// UserError: unreadable or unknown format, unsupported operators (all of them), an input or label order that does not
/// fit, or options given for a checkpoint, which explains itself.
Checkpoint load_model(const std::filesystem::path& path, const ImportOptions& options = {});

/// The model's file, and what is read with it. Throws UserError: unreadable, or what belongs beside it is missing.
std::vector<std::filesystem::path> files_of_model(const std::filesystem::path& path);

}  // namespace fercli
