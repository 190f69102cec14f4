#include "core/container.hpp"

#include <caffe2/serialize/inline_container.h>
#include <fmt/format.h>
#include <torch/csrc/jit/serialization/pickler.h>

#include <exception>
#include <set>

#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/files.hpp"
#include "core/json_limits.hpp"
#include "core/json_text.hpp"
#include "core/large_bytes.hpp"
#include "core/pickle.hpp"
#include "core/zip_file.hpp"

namespace fercli {

namespace {

constexpr int kFormatVersion = 1;

std::map<std::string, torch::Tensor> tensors_of(const PickleValue& dictionary) {
  if (dictionary.kind != PickleValue::Kind::Dictionary) throw std::runtime_error("not a dictionary");
  std::map<std::string, torch::Tensor> tensors;
  std::set<const PickleValue*> seen;  // each is copied and digested: this program writes none under two names
  for (size_t i = 0; i < dictionary.parts.size(); i += 2) {
    const PickleValue &name = *dictionary.parts[i], &value = *dictionary.parts[i + 1];
    if (name.kind != PickleValue::Kind::Text || value.kind != PickleValue::Kind::Tensor) {
      throw std::runtime_error("not a dictionary of tensors");
    }
    if (!seen.insert(&value).second) throw std::runtime_error("a tensor of two names");
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

/// As it goes into a file: a clone, because a view would drag its whole storage along; what is large and has a storage
/// of its own is not copied.
torch::Tensor storable(const torch::Tensor& tensor) {
  torch::Tensor plain = tensor.detach().cpu().contiguous();
  const auto bytes = static_cast<int64_t>(plain.nbytes());
  if (bytes <= kMostInMemory) return plain.clone(torch::MemoryFormat::Contiguous);
  if (plain.storage().nbytes() == plain.nbytes()) return plain;
  return make_bytes(bytes).view(plain.scalar_type()).view(plain.sizes()).copy_(plain);
}

/// What `torch::pickle_save` gives, piece by piece: the whole is never in memory. What `write` throws is thrown when
/// all is done, since PyTorch's writer cannot stop halfway.
void write_pickle(const c10::IValue& value, const std::function<void(std::string_view)>& write) {
  constexpr size_t kFewestToCompress = 200;  // PyTorch's
  std::string pickle;
  torch::jit::Pickler pickler([&](const char* bytes, size_t count) { pickle.append(bytes, count); });
  pickler.protocol();
  pickler.pushIValue(value);
  pickler.stop();
  std::exception_ptr problem;
  caffe2::serialize::PyTorchStreamWriter archive([&](const void* bytes, size_t count) {
    try {
      if (!problem) write({static_cast<const char*>(bytes), count});
    } catch (...) {
      problem = std::current_exception();
    }
    return count;
  });
  archive.writeRecord("data.pkl", pickle.data(), pickle.size(), pickle.size() > kFewestToCompress);
  size_t number = 0;
  for (const auto& tensor : pickler.tensorData()) {
    const auto data = torch::jit::getWriteableTensorData(tensor);
    archive.writeRecord(fmt::format("data/{}", number++), data.data(), data.sizeInBytes());
  }
  archive.writeEndOfFile();
  if (problem) std::rethrow_exception(problem);
}

void write_container(const Container& container, const std::function<void(std::string_view)>& write) {
  const nlohmann::json header = {{"format", kFormatVersion}, {"kind", container.kind}, {"content", container.header}};
  const std::string text = compact_json(header);
  std::map<std::string, torch::Tensor> tensors;
  c10::Dict<std::string, torch::Tensor> stored;
  for (const auto& [name, tensor] : container.tensors) {
    tensors[name] = storable(tensor);
    stored.insert(name, tensors[name]);
  }
  c10::impl::GenericDict file(c10::StringType::get(), c10::AnyType::get());
  file.insert("fercli", text);
  file.insert("tensors", stored);
  file.insert("sha256", digest_of(text, tensors));
  write_pickle(file, write);
}

/// What the archive holds. Throws as `load_container`.
Container container_of_zip(const ZipFile& file, const std::string& kind) {
  const std::string& name = file.name();
  Container container;
  std::string text, digest;
  try {
    const Pickle pickle = read_torch_pickle(file);
    const auto *about = pickle.root().find("fercli"), *sum = pickle.root().find("sha256"),
               *tensors = pickle.root().find("tensors");
    if (about == nullptr) {
      throw UserError(fmt::format("{}: is a PyTorch file, but not a fercli {}", name, kind));
    }
    if (sum == nullptr || tensors == nullptr) throw std::runtime_error("incomplete");
    text = about->text;
    digest = sum->text;
    container.tensors = tensors_of(*tensors);
    if (is_nested_too_deeply(text)) throw std::runtime_error("nested too deeply");
    const auto header = nlohmann::json::parse(text);  // with real numbers of any size: wholes are read by whole_of
    if (const int64_t format = whole_of(header.at("format")); format > kFormatVersion) {
      throw UserError(fmt::format("{}: was written by a newer fercli (format {}, this one reads {})", name, format,
                                  kFormatVersion));
    }
    container.kind = header.at("kind");
    container.header = header.at("content");
  } catch (const UserError&) {
    throw;
  } catch (const RunError&) {
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

}  // namespace

std::string container_bytes(const Container& container) {
  std::string bytes;
  write_container(container, [&](std::string_view piece) { bytes += piece; });
  return bytes;
}

void save_container(const Container& container, const std::filesystem::path& path) {
  replace_file(path, [&](const std::filesystem::path& temporary) {
    OutputFile file(temporary, path);
    write_container(container, [&](std::string_view piece) { file.write(piece); });
    file.close();
  });
}

Container load_container(const std::filesystem::path& path, const std::string& kind) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(path, error);
  if (!error && bytes > static_cast<uintmax_t>(kMostInMemory)) return container_of_zip(ZipFile(path), kind);
  return read_container(read_file(path), path.string(), kind);
}

Container read_container(const std::string& bytes, const std::string& name, const std::string& kind) {
  if (bytes.compare(0, 4, "PK\x03\x04") != 0) {
    throw UserError(
        fmt::format("{}: is not a fercli {} (no zip signature; the file has {} bytes)", name, kind, bytes.size()));
  }
  return container_of_zip({bytes, name}, kind);
}

}  // namespace fercli
