#include "models/files/state_dict.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/pickle.hpp"
#include "core/reason.hpp"
#include "core/untrusted.hpp"
#include "core/zip_file.hpp"

namespace fercli {

namespace fs = std::filesystem;

namespace {

constexpr size_t kLengthBytes = 8;
constexpr const char* kMetadata = "__metadata__";

const std::map<std::string, torch::ScalarType>& safetensors_types() {
  static const std::map<std::string, torch::ScalarType> types = {
      {"F64", torch::kFloat64}, {"F32", torch::kFloat32}, {"F16", torch::kFloat16}, {"BF16", torch::kBFloat16},
      {"I64", torch::kInt64},   {"I32", torch::kInt32},   {"I16", torch::kInt16},   {"I8", torch::kInt8},
      {"U8", torch::kUInt8},    {"BOOL", torch::kBool}};
  return types;
}

uint64_t header_length(std::string_view bytes) {
  uint64_t length = 0;
  if (bytes.size() >= kLengthBytes) std::memcpy(&length, bytes.data(), kLengthBytes);
  return length;
}

nlohmann::json safetensors_header(const std::string& bytes) {
  const uint64_t length = header_length(bytes);
  if (bytes.size() < kLengthBytes || length > bytes.size() - kLengthBytes) throw std::runtime_error("is truncated");
  return parse_untrusted_json(bytes.substr(kLengthBytes, length));
}

StateDict parse_safetensors(const std::string& bytes) {
  const auto header = safetensors_header(bytes);
  const size_t start = kLengthBytes + header_length(bytes), available = bytes.size() - start;
  StateDict tensors;
  size_t taken = 0;
  for (const auto& [name, entry] : header.items()) {
    if (name == kMetadata) continue;
    const auto type = safetensors_types().find(entry.at("dtype").get<std::string>());
    if (type == safetensors_types().end()) throw std::runtime_error("has the unknown type " + entry.at("dtype").dump());
    const auto shape = entry.at("shape").get<std::vector<int64_t>>();
    const auto range = entry.at("data_offsets").get<std::vector<int64_t>>();
    size_t count = torch::elementSize(type->second);
    for (const int64_t side : shape) {
      const auto pieces = static_cast<size_t>(side);
      if (side < 0 || pieces > bytes.size() || (side > 0 && count > bytes.size() / pieces)) {
        throw std::runtime_error("has an impossible shape in " + name);
      }
      count *= pieces;
    }
    const auto end = static_cast<int64_t>(available);
    if (range.size() != 2 || range[0] < 0 || range[0] > range[1] || range[1] > end ||
        static_cast<size_t>(range[1] - range[0]) != count) {
      throw std::runtime_error("has data offsets out of place in " + name);
    }
    taken += count;
    if (taken > available) throw std::runtime_error("has tensors that overlap");
    auto tensor = torch::empty(shape, type->second);
    std::memcpy(tensor.data_ptr(), bytes.data() + start + static_cast<size_t>(range[0]), count);
    if (type->second == torch::kBool) tensor.view(torch::kUInt8).ne_(0);
    tensors[name] = tensor;
  }
  return tensors;
}

/// The dictionary that holds the tensors: the outermost, or the one that training scripts wrap.
const PickleValue& find_tensors(const PickleValue& value) {
  if (value.kind != PickleValue::Kind::Dictionary) throw std::runtime_error("is no dictionary");
  for (const char* wrapper : {"state_dict", "model_state_dict", "model", "net", "tensors"}) {
    const PickleValue* inner = value.find(wrapper);
    if (inner != nullptr && inner->kind == PickleValue::Kind::Dictionary) return *inner;
  }
  return value;
}

StateDict read_pickle(const std::string& bytes, const std::string& name) {
  const Pickle pickle = read_torch_pickle(ZipFile(bytes, name));
  const auto& parts = find_tensors(pickle.root()).parts;
  StateDict tensors;
  std::map<const PickleValue*, torch::Tensor> copies;  // one of each, however many names share it
  for (size_t i = 0; i < parts.size(); i += 2) {
    if (parts[i]->kind != PickleValue::Kind::Text || parts[i + 1]->kind != PickleValue::Kind::Tensor) continue;
    std::string key(parts[i]->text);
    if (key.compare(0, 7, "module.") == 0) key.erase(0, 7);  // nn.DataParallel's
    torch::Tensor& copy = copies[parts[i + 1]];
    if (!copy.defined()) copy = parts[i + 1]->tensor.clone();
    tensors[key] = copy;
  }
  return tensors;
}

}  // namespace

bool is_state_dictionary(const FileProbe& file) {
  return file.has_entry("data.pkl") && !file.has_entry("constants.pkl");
}

bool is_safetensors(const FileProbe& file) {
  std::error_code error;
  const auto size = fs::file_size(file.path, error);
  return !error && file.head.size() > kLengthBytes && file.head[kLengthBytes] == '{' && header_length(file.head) < size;
}

StateDict read_state_dict(const fs::path& path) {
  const std::string bytes = read_file(path);
  StateDict tensors;
  try {
    tensors = bytes.compare(0, 4, "PK\x03\x04") == 0 ? read_pickle(bytes, path.string()) : parse_safetensors(bytes);
  } catch (const UserError&) {
    throw;
  } catch (const std::exception& error) {
    throw UserError(
        fmt::format("{}: is no zip-format PyTorch state dictionary and no safetensors file, or is damaged ({})",
                    path.string(), reason_of(error)));
  }
  if (tensors.empty()) throw UserError(fmt::format("{}: holds no tensors", path.string()));
  return tensors;
}

std::map<std::string, std::string> read_metadata(const fs::path& path) {
  try {
    return safetensors_header(read_file(path)).value(kMetadata, std::map<std::string, std::string>());
  } catch (const UserError&) {
    throw;
  } catch (const std::exception&) {
    throw UserError(fmt::format("{}: its metadata is damaged (must be texts by name)", path.string()));
  }
}

void write_safetensors(const StateDict& tensors, const std::map<std::string, std::string>& metadata,
                       const fs::path& path) {
  nlohmann::json header = {{kMetadata, metadata}};
  std::string data;
  for (const auto& [name, tensor] : tensors) {
    const auto plain = tensor.detach().cpu().contiguous();
    std::string type;
    for (const auto& [word, scalar] : safetensors_types()) {
      if (scalar == plain.scalar_type()) type = word;
    }
    header[name] = {
        {"dtype", type}, {"shape", plain.sizes().vec()}, {"data_offsets", {data.size(), data.size() + plain.nbytes()}}};
    data.append(static_cast<const char*>(plain.data_ptr()), plain.nbytes());
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // so that the data is aligned
  const uint64_t length = text.size();
  write_file(path, std::string(reinterpret_cast<const char*>(&length), kLengthBytes) + text + data);
}

}  // namespace fercli
