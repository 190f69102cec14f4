#pragma once

#include <string>
#include <vector>

namespace fercli {

/// A shared object that `--plugin FILE.so` has loaded. Its files register attacks, losses, architectures, readers,
/// sections or commands as those of the program do. It is code, and may do whatever its user may.
struct PlugIn {
  static constexpr const char* kKind = "plug-in";
  std::string name;    ///< of its file, without folders
  std::string digest;  ///< SHA-256 of the file
};

constexpr const char* kPlugInOption = "plugin";

/// The words of a command line with the command in front: what comes before it (`fercli --plugin FILE.so eval`) is
/// moved behind. Throws UserError where the file is missing.
std::vector<std::string> command_first(const std::vector<std::string>& words);

/// Loads the plug-ins that the words of a command line name, and those that the lines `plugin = FILE.so` of its INI
/// file do. None of a plug-in's code runs before it is known to be built for this very program. Throws UserError: what
/// `read_file` throws; not a plug-in; built with other headers, for another version, LibTorch or C++ library; cut
/// short; another library that it needs is missing. Where a plug-in fails while it registers itself (a name that is
/// taken), the program ends here with that message and exit code 2: nothing can be unwound out of the loader.
void load_plug_ins(const std::vector<std::string>& words);

}  // namespace fercli
