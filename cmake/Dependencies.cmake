# Every outside library, gathered in one interface target.
find_package(Threads REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(Boost CONFIG REQUIRED COMPONENTS program_options)  # and Beast, which is headers only: the HTTP server
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(OpenCV REQUIRED COMPONENTS core imgproc imgcodecs calib3d dnn objdetect videoio highgui)
# Pictures are decoded under limits, which OpenCV's own readers do not have.
find_package(JPEG REQUIRED)
find_package(PNG REQUIRED)
find_package(TIFF REQUIRED)
find_path(FERCLI_WEBP_INCLUDE webp/decode.h REQUIRED)
find_library(FERCLI_WEBP webp REQUIRED)
find_package(Freetype REQUIRED)  # letters in pictures
find_package(Protobuf REQUIRED)
# Foreign model files: Keras (HDF5, zip), ONNX (its protobuf definition only).
find_path(FERCLI_HDF5_INCLUDE hdf5.h PATH_SUFFIXES hdf5/serial REQUIRED)
find_library(FERCLI_HDF5 NAMES hdf5_serial hdf5 REQUIRED)  # FindHDF5 would need the C language enabled
find_path(FERCLI_ZIP_INCLUDE zip.h REQUIRED)
find_library(FERCLI_ZIP zip REQUIRED)  # Debian's CMake package refers to programs that are not installed
find_path(FERCLI_ONNX_INCLUDE onnx/onnx_pb.h REQUIRED)
find_library(FERCLI_ONNX_PROTO onnx_proto REQUIRED)
# ONNX's own checker, where its library can be linked: no export is written that it refuses.
find_library(FERCLI_ONNX onnx)
set(FERCLI_USES_ONNX_CHECKER 0)
if(FERCLI_ONNX)
  include(CheckCXXSourceCompiles)
  set(CMAKE_REQUIRED_INCLUDES ${FERCLI_ONNX_INCLUDE} ${Protobuf_INCLUDE_DIRS})
  set(CMAKE_REQUIRED_DEFINITIONS -DONNX_ML=1 -DONNX_NAMESPACE=onnx)
  set(CMAKE_REQUIRED_LIBRARIES ${FERCLI_ONNX} ${FERCLI_ONNX_PROTO} protobuf::libprotobuf)
  check_cxx_source_compiles("
    #include <onnx/onnx_pb.h>
    #include <onnx/checker.h>
    #include <onnx/shape_inference/implementation.h>
    int main() {
      onnx::ModelProto model;
      onnx::checker::check_model(model);
      onnx::shape_inference::InferShapes(model, onnx::OpSchemaRegistry::Instance(), onnx::ShapeInferenceOptions(true, 1));
      return onnx::OpSchemaRegistry::DomainToVersionRange::Instance().Map().empty();
    }" FERCLI_ONNX_CHECKER_LINKS)
  unset(CMAKE_REQUIRED_INCLUDES)
  unset(CMAKE_REQUIRED_DEFINITIONS)
  unset(CMAKE_REQUIRED_LIBRARIES)
endif()
if(FERCLI_ONNX_CHECKER_LINKS)
  set(FERCLI_USES_ONNX_CHECKER 1)
  message(STATUS "fercli: ONNX's checker at ${FERCLI_ONNX}")
else()
  set(FERCLI_ONNX "")
  message(STATUS "fercli: exports are not checked (no libonnx)")
endif()

# LibTorch: the official archive and the one inside a Python wheel bring TorchConfig.cmake (found through
# CMAKE_PREFIX_PATH); Debian's libtorch-dev has it too, but its exported CUDA and Kineto references are broken on some
# releases, so a plain look-up of headers and libraries is the fallback.
add_library(fercli_dependencies INTERFACE)
find_package(Torch QUIET)
if(Torch_FOUND AND TORCH_LIBRARIES)
  target_link_libraries(fercli_dependencies INTERFACE ${TORCH_LIBRARIES})
  separate_arguments(FERCLI_TORCH_FLAGS UNIX_COMMAND "${TORCH_CXX_FLAGS}")
  target_compile_options(fercli_dependencies INTERFACE ${FERCLI_TORCH_FLAGS})
  message(STATUS "fercli: LibTorch ${Torch_VERSION} (CMake package)")
else()
  find_path(FERCLI_TORCH_INCLUDE torch/csrc/api/include/torch/torch.h REQUIRED)
  find_library(FERCLI_TORCH torch REQUIRED)
  find_library(FERCLI_TORCH_CPU torch_cpu REQUIRED)
  find_library(FERCLI_C10 c10 REQUIRED)
  target_include_directories(fercli_dependencies SYSTEM INTERFACE
    ${FERCLI_TORCH_INCLUDE} ${FERCLI_TORCH_INCLUDE}/torch/csrc/api/include)
  target_link_libraries(fercli_dependencies INTERFACE ${FERCLI_TORCH} ${FERCLI_TORCH_CPU} ${FERCLI_C10})
  message(STATUS "fercli: LibTorch at ${FERCLI_TORCH_CPU}")
endif()
target_include_directories(fercli_dependencies SYSTEM INTERFACE ${OpenCV_INCLUDE_DIRS} ${Protobuf_INCLUDE_DIRS}
  ${FERCLI_WEBP_INCLUDE} ${FERCLI_HDF5_INCLUDE} ${FERCLI_ZIP_INCLUDE} ${FERCLI_ONNX_INCLUDE})
target_link_libraries(fercli_dependencies INTERFACE
  ${OpenCV_LIBS} JPEG::JPEG PNG::PNG TIFF::TIFF ${FERCLI_WEBP} ${FREETYPE_LIBRARIES} Boost::program_options
  fmt::fmt nlohmann_json::nlohmann_json OpenSSL::Crypto protobuf::libprotobuf ${FERCLI_ZIP} ${FERCLI_HDF5} ${FERCLI_ONNX}
  ${FERCLI_ONNX_PROTO} Threads::Threads OpenMP::OpenMP_CXX)

# oneDNN, called directly for convolutions on the CPU. Only where LibTorch itself loads the same shared library (as
# Debian's does): a LibTorch with its own copy inside would have its calls mixed up with those of another version.
# Looked up by hand, since the package's CMake file also demands OpenCL, which nothing here uses.
set(FERCLI_USES_ONEDNN 0)
if(FERCLI_ONEDNN)
  find_path(FERCLI_ONEDNN_INCLUDE oneapi/dnnl/dnnl_version.h)
  find_library(FERCLI_ONEDNN_LIBRARY dnnl)
  find_library(FERCLI_TORCH_LIBRARY torch_cpu PATHS ${TORCH_INSTALL_PREFIX}/lib)
  if(FERCLI_ONEDNN_INCLUDE AND FERCLI_ONEDNN_LIBRARY AND FERCLI_TORCH_LIBRARY AND CMAKE_OBJDUMP)
    file(STRINGS ${FERCLI_ONEDNN_INCLUDE}/oneapi/dnnl/dnnl_version.h FERCLI_ONEDNN_DEFINES REGEX "DNNL_VERSION_(MAJOR|MINOR)")
    string(REGEX REPLACE ".*MAJOR ([0-9]+).*MINOR ([0-9]+).*" "\\1.\\2" FERCLI_ONEDNN_VERSION "${FERCLI_ONEDNN_DEFINES}")
    foreach(FERCLI_BINARY TORCH_LIBRARY ONEDNN_LIBRARY)
      execute_process(COMMAND ${CMAKE_OBJDUMP} -p ${FERCLI_${FERCLI_BINARY}} OUTPUT_VARIABLE FERCLI_${FERCLI_BINARY}_FACTS ERROR_QUIET)
    endforeach()
    string(REGEX MATCH "SONAME +(libdnnl\\.so[.0-9]*)" FERCLI_FOUND "${FERCLI_ONEDNN_LIBRARY_FACTS}")
    set(FERCLI_ONEDNN_SONAME "${CMAKE_MATCH_1}")
    if(FERCLI_ONEDNN_VERSION VERSION_GREATER_EQUAL 2.6 AND FERCLI_ONEDNN_VERSION VERSION_LESS 4 AND FERCLI_ONEDNN_SONAME
       AND FERCLI_TORCH_LIBRARY_FACTS MATCHES "NEEDED +${FERCLI_ONEDNN_SONAME}[\n\r]")
      set(FERCLI_USES_ONEDNN 1)
      target_include_directories(fercli_dependencies SYSTEM INTERFACE ${FERCLI_ONEDNN_INCLUDE})
      target_link_libraries(fercli_dependencies INTERFACE ${FERCLI_ONEDNN_LIBRARY})
    endif()
  endif()
  if(FERCLI_USES_ONEDNN)
    message(STATUS "fercli: oneDNN ${FERCLI_ONEDNN_VERSION}")
  else()
    message(STATUS "fercli: convolutions by LibTorch (no oneDNN that LibTorch shares)")
  endif()
endif()
