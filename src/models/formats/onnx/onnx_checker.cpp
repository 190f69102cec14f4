#include "models/formats/onnx/onnx_checker.hpp"

#include "models/files/onnx_proto.hpp"
#if FERCLI_USES_ONNX_CHECKER
#include <onnx/checker.h>
#include <onnx/shape_inference/implementation.h>
#endif

namespace fercli {

#if FERCLI_USES_ONNX_CHECKER

bool has_onnx_checker() {
  return true;
}

namespace {

int64_t newest_known_opset() {
  const auto& versions = onnx::OpSchemaRegistry::DomainToVersionRange::Instance().Map();
  const auto found = versions.find("");
  return found == versions.end() ? 0 : found->second.second;
}

}  // namespace

std::string onnx_fault(const std::string& bytes, bool types) {
  onnx::ModelProto model;
  if (!model.ParseFromString(bytes)) return "is no ONNX file";
  for (const auto& set : model.opset_import()) {
    if (set.domain().empty() && set.version() > newest_known_opset()) return "";
  }
  try {
    onnx::checker::check_model(model);
    if (types) {
      onnx::shape_inference::InferShapes(model, onnx::OpSchemaRegistry::Instance(),
                                         onnx::ShapeInferenceOptions(/*check_type=*/true, /*strict_mode=*/1));
    }
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

#else

bool has_onnx_checker() {
  return false;
}

std::string onnx_fault(const std::string&, bool) {
  return "";
}

#endif

}  // namespace fercli
