#pragma once

#include <string>

namespace fercli {

/// What code an archive of torch.jit.save may bring.
enum class CodeRule {
  Declarations,     ///< classes with attributes, and nothing that runs
  TensorOperators,  ///< what computes with tensors and numbers, by an allow-list
  Anything          ///< --trust-code
};

/// The archive made anew, from what `ZipFile` extracts: code, pickles and data records, and nothing else that LibTorch
/// might look for. Code and pickles are checked before anything of them runs; loading runs code too. The words of the
/// code are checked first, then, under the rule TensorOperators, the instructions that LibTorch makes of it. `name` is
/// for messages. Throws UserError that names what is not allowed, and UserError or std::runtime_error where the archive
/// is damaged.
std::string checked_script_archive(const std::string& bytes, const std::string& name, CodeRule rule);

/// Throws UserError.
[[noreturn]] void refuse_damaged_script(const std::string& name);

/// "aten::conv2d" and its like may run without trust.
bool is_tensor_operator(const std::string& qualified_name);

}  // namespace fercli
