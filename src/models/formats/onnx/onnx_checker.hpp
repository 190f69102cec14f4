#pragma once

#include <string>

namespace fercli {

/// Whether ONNX's own checker is part of this build: it comes with libonnx, which not every system has.
bool has_onnx_checker();

/// What ONNX's own checker finds wrong in a serialised model, in its words, which are for developers; "" when nothing,
/// when this build has no checker, or when the checker is older than the model's opset. `types`: ONNX's shape
/// inference must also agree with every type and shape.
std::string onnx_fault(const std::string& bytes, bool types = false);

}  // namespace fercli
