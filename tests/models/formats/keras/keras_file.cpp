#include "tests/models/formats/keras/keras_file.hpp"

#include <fmt/format.h>
#include <hdf5.h>
#include <zip.h>

#include <stdexcept>

#include "core/files.hpp"

namespace fercli::test {

namespace {

void check_done(int64_t result) {
  if (result < 0) throw std::runtime_error("writing the test's HDF5 file failed");
}

/// h5py writes Python strings as scalar variable-length text.
void write_text(hid_t object, const char* name, const std::string& text) {
  const hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
  H5Tset_size(type, H5T_VARIABLE);
  H5Tset_cset(type, H5T_CSET_UTF8);
  const hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  const char* value = text.c_str();
  check_done(H5Awrite(attribute, type, &value));
  H5Aclose(attribute), H5Sclose(space), H5Tclose(type);
}

/// Lists of names are arrays of fixed-length text.
void write_texts(hid_t object, const char* name, const std::vector<std::string>& texts) {
  size_t length = 1;
  for (const auto& text : texts) length = std::max(length, text.size());
  std::string buffer;
  for (const auto& text : texts) buffer += text + std::string(length - text.size(), '\0');
  const hsize_t count = texts.size();
  const hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate_simple(1, &count, nullptr);
  H5Tset_size(type, length);
  H5Tset_strpad(type, H5T_STR_NULLPAD);
  const hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  if (count > 0) check_done(H5Awrite(attribute, type, buffer.data()));
  H5Aclose(attribute), H5Sclose(space), H5Tclose(type);
}

void write_data(hid_t file, const std::string& path, const torch::Tensor& value) {
  const auto plain = value.contiguous();
  std::vector<hsize_t> sides(plain.sizes().begin(), plain.sizes().end());
  const hid_t links = H5Pcreate(H5P_LINK_CREATE);
  H5Pset_create_intermediate_group(links, 1);
  const hid_t space = H5Screate_simple(static_cast<int>(sides.size()), sides.data(), nullptr);
  const hid_t data = H5Dcreate2(file, path.c_str(), H5T_IEEE_F32LE, space, links, H5P_DEFAULT, H5P_DEFAULT);
  check_done(H5Dwrite(data, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, plain.data_ptr()));
  H5Dclose(data), H5Sclose(space), H5Pclose(links);
}

hid_t create_file(const std::filesystem::path& path) {
  std::filesystem::create_directories(path.parent_path());
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  check_done(file);
  return file;
}

}  // namespace

void write_keras_h5(const std::filesystem::path& path, const std::string& model_config,
                    const std::vector<KerasLayerWeights>& layers, const std::string& version) {
  const hid_t file = create_file(path);
  const std::string root = model_config.empty() ? "" : "/model_weights";
  if (!model_config.empty()) {
    write_text(file, "keras_version", version);
    write_text(file, "backend", "tensorflow");
    write_text(file, "model_config", model_config);
    H5Gclose(H5Gcreate2(file, root.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  }
  std::vector<std::string> layer_names;
  for (const auto& layer : layers) {
    const std::string place = root + "/" + layer.layer;
    const hid_t group = H5Gcreate2(file, place.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    std::vector<std::string> names;
    for (const auto& [name, value] : layer.weights) {
      names.push_back(name.find('/') == std::string::npos ? layer.layer + "/" + name + ":0" : name + ":0");
      write_data(file, place + "/" + names.back(), value);
    }
    write_texts(group, "weight_names", names);
    H5Gclose(group);
    layer_names.push_back(layer.layer);
  }
  const hid_t group = root.empty() ? H5Gopen2(file, "/", H5P_DEFAULT) : H5Gopen2(file, root.c_str(), H5P_DEFAULT);
  write_texts(group, "layer_names", layer_names);
  H5Gclose(group);
  H5Fclose(file);
}

void list_weights(const std::filesystem::path& path, const std::string& layer, const std::vector<std::string>& names) {
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  check_done(file);
  const hid_t group = H5Gopen2(file, ("/model_weights/" + layer).c_str(), H5P_DEFAULT);
  check_done(H5Adelete(group, "weight_names"));
  write_texts(group, "weight_names", names);
  H5Gclose(group), H5Fclose(file);
}

void write_keras_zip(const std::filesystem::path& path, const std::string& config,
                     const std::vector<KerasLayerWeights>& layers) {
  const auto weights = path.parent_path() / "weights-of-zip.h5";
  const hid_t file = create_file(weights);
  for (const auto& layer : layers) {
    for (size_t i = 0; i < layer.weights.size(); ++i) {
      write_data(file, fmt::format("/{}/vars/{}", layer.layer, i), layer.weights[i].second);
    }
  }
  H5Fclose(file);
  const std::string contents[] = {R"({"keras_version": "3.3.3", "date_saved": "2024-05-01@10:00:00"})", config,
                                  read_file(weights)};
  const char* names[] = {"metadata.json", "config.json", "model.weights.h5"};
  zip_t* archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, nullptr);
  for (size_t i = 0; i < 3; ++i) {
    zip_source_t* source = zip_source_buffer(archive, contents[i].data(), contents[i].size(), 0);
    const zip_int64_t entry = zip_file_add(archive, names[i], source, ZIP_FL_ENC_UTF_8);
    check_done(entry);
    zip_set_file_compression(archive, static_cast<zip_uint64_t>(entry), ZIP_CM_STORE, 0);
  }
  check_done(zip_close(archive));
  std::filesystem::remove(weights);
}

}  // namespace fercli::test
