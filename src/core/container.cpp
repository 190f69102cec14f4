#include "core/container.hpp"

#include <fmt/format.h>
#include <torch/serialize.h>

#include <fstream>

#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/files.hpp"
#include "core/json_text.hpp"
#include "core/pickle.hpp"
#include "core/untrusted.hpp"
#include "core/zip_file.hpp"

namespace fercli {

namespace {

constexpr int kFormatVersion = 1;

std::map<std::string, torch::Tensor> tensors_of(const PickleValue& dictionary) {
  if (dictionary.kind != PickleValue::Kind::Dictionary) throw std::runtime_error("not a dictionary");
  std::map<std::string, torch::Tensor> tensors;
  for (size_t i = 0; i < dictionary.parts.size(); i += 2) {
    const PickleValue &name = *dictionary.parts[i], &value = *dictionary.parts[i + 1];
    if (name.kind != PickleValue::Kind::Text || value.kind != PickleValue::Kind::Tensor) {
      throw std::runtime_error("not a dictionary of tensors");
    }
    tensors[std::string(name.text)] = value.tensor.contiguous();
  }
  return tensors;
}

std::string digest_of(const std::string& header, const std::map<std::string, torch::Tensor>& tensors) {
  Digest digest;
  digest.add(header);
  for (const auto& [name, tensor] : tensors) {
    digest.add(name).add(c10::toString(tensor.scalar_type())).add(fmt::format("{}", fmt::join(tensor.sizes(), "x")));
    digest.add(tensor.data_ptr(), tensor.nbytes());
  }
  return digest.hex();
}

}  // namespace

std::string container_bytes(const Container& container) {
  const nlohmann::json header = {{"format", kFormatVersion}, {"kind", container.kind}, {"content", container.header}};
  const std::string text = compact_json(header);
  std::map<std::string, torch::Tensor> tensors;
  c10::Dict<std::string, torch::Tensor> stored;
  for (const auto& [name, tensor] : container.tensors) {
    // A clone, because a view would drag its whole storage into the file.
    tensors[name] = tensor.detach().cpu().clone(torch::MemoryFormat::Contiguous);
    stored.insert(name, tensors[name]);
  }
  c10::impl::GenericDict file(c10::StringType::get(), c10::AnyType::get());
  file.insert("fercli", text);
  file.insert("tensors", stored);
  file.insert("sha256", digest_of(text, tensors));
  const std::vector<char> bytes = torch::pickle_save(file);
  return {bytes.data(), bytes.size()};
}

void save_container(const Container& container, const std::filesystem::path& path) {
  write_file(path, container_bytes(container));
}

Container load_container(const std::filesystem::path& path, const std::string& kind) {
  return read_container(read_file(path), path.string(), kind);
}

Container read_container(const std::string& bytes, const std::string& name, const std::string& kind) {
  if (bytes.compare(0, 4, "PK\x03\x04") != 0) {
    throw UserError(
        fmt::format("{}: is not a fercli {} (no zip signature; the file has {} bytes)", name, kind, bytes.size()));
  }
  Container container;
  std::string text, digest;
  try {
    const Pickle pickle = read_torch_pickle(ZipFile(bytes, name));
    const auto *about = pickle.root().find("fercli"), *sum = pickle.root().find("sha256"),
               *tensors = pickle.root().find("tensors");
    if (about == nullptr) {
      throw UserError(fmt::format("{}: is a PyTorch file, but not a fercli {}", name, kind));
    }
    if (sum == nullptr || tensors == nullptr) throw std::runtime_error("incomplete");
    text = about->text;
    digest = sum->text;
    container.tensors = tensors_of(*tensors);
    const auto header = parse_untrusted_json(text);
    if (header.at("format").get<int>() > kFormatVersion) {
      throw UserError(fmt::format("{}: was written by a newer fercli (format {}, this one reads {})", name,
                                  header.at("format").get<int>(), kFormatVersion));
    }
    container.kind = header.at("kind");
    container.header = header.at("content");
  } catch (const UserError&) {
    throw;
  } catch (const std::exception&) {
    throw UserError(fmt::format("{}: is truncated or damaged, or not a fercli {}", name, kind));
  }
  if (digest != digest_of(text, container.tensors)) {
    throw UserError(fmt::format("{}: is damaged (its SHA-256 does not match its content)", name));
  }
  if (container.kind != kind) {
    throw UserError(fmt::format("{}: is a fercli {}, where a {} is needed", name, container.kind, kind));
  }
  return container;
}

}  // namespace fercli
