// One small network as each kind of Keras file.
#include "core/files.hpp"
#include "core/random.hpp"
#include "tests/contract/model_sample.hpp"
#include "tests/models/formats/keras/keras_file.hpp"

namespace fercli::test {

namespace {

namespace fs = std::filesystem;

const char* const kNetwork =
    R"({"keras_version": "2.11.0", "class_name": "Sequential", "config": {"name": "net", "layers": [
        {"class_name": "InputLayer", "config": {"name": "input", "batch_input_shape": [null, 16, 16, 1]}},
        {"class_name": "Flatten", "config": {"name": "flatten"}},
        {"class_name": "Dense", "config": {"name": "dense", "units": 7, "use_bias": false, "activation": "linear"}}]}})";

torch::Tensor kernel() {
  return uniform_rows(Rng(1), {0}, {16 * 16, 7})[0];
}

fs::path write_h5(const fs::path& folder, const std::string& configuration) {
  write_keras_h5(folder / "net.h5", configuration, {{"flatten", {}}, {"dense", {{"kernel", kernel()}}}});
  return folder / "net.h5";
}

const Register<ModelSample> whole{{"keras", [](const fs::path& folder) { return write_h5(folder, kNetwork); }}};

const Register<ModelSample> configuration{{"keras-json", [](const fs::path& folder) {
                                             write_h5(folder, "");
                                             write_file(folder / "net.json", kNetwork);
                                             return folder / "net.json";
                                           }}};

const Register<ModelSample> zip{
    {"keras-zip", [](const fs::path& folder) {
       write_keras_zip(folder / "net.keras", kNetwork, {{"layers/dense", {{"0", kernel()}}}});
       return folder / "net.keras";
     }}};

}  // namespace

}  // namespace fercli::test
