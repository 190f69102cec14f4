#pragma once

#include <string>

namespace torch::jit {
struct Module;
}

namespace fercli {

/// What code an archive of torch.jit.save may bring.
enum class CodeRule {
  Declarations,     ///< classes with attributes, and nothing that runs
  TensorOperators,  ///< what computes with tensors and numbers, by an allow-list
  Anything          ///< --trust-code
};

/// The archive made anew, from what `ZipFile` extracts: code, pickles and data records, and nothing else that LibTorch
/// might look for. Code and pickles are checked before anything of them runs; loading runs code too. `name` is for
/// messages. Throws UserError that names what is not allowed, and UserError or std::runtime_error where the archive is
/// damaged.
std::string checked_script_archive(const std::string& bytes, const std::string& name, CodeRule rule);

/// A second check, of the instructions that LibTorch made of the code, in all methods and functions. Throws UserError
/// under the rule TensorOperators when there is one that the allow-list does not have.
void check_compiled(const torch::jit::Module& module, const std::string& name, CodeRule rule);

/// "aten::conv2d" and its like may run without trust.
bool is_tensor_operator(const std::string& qualified_name);

}  // namespace fercli
