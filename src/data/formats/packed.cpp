// All of a data set in one file (core/container, kind "dataset") that loads in a fraction of a second.
#include "data/formats/packed.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "data/formats/label_order.hpp"
#include "data/formats/reader.hpp"
#include "data/formats/writer.hpp"
#include "data/image.hpp"
#include "data/image_store.hpp"

namespace fercli {

namespace packed_format {

namespace {

void write(const Dataset& data, const std::filesystem::path& destination, Observer& /*observer*/) {
  const Container container = pack(data);
  try {
    static_cast<void>(
        container.header.dump());  // a container would replace what is not UTF-8, and names may fall together
  } catch (const nlohmann::json::type_error&) {
    throw UserError(
        fmt::format("{}: the names of some images are not UTF-8 and cannot be stored", destination.string()));
  }
  save_container(container, destination);
}

/// A zip file: what PyTorch writes. load_container tells what kind it is.
bool recognises(const std::string& source) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(source, error)) return false;
  std::ifstream file(source, std::ios::binary);
  char start[4] = {};
  file.read(start, sizeof start);
  return std::string_view(start, sizeof start) == "PK\x03\x04";
}

/// The images as asked for; those stored are returned as they are when they fit.
torch::Tensor fitted(const torch::Tensor& images, const ReadOptions& options) {
  if (images.size(1) == options.channels && images.size(2) == options.size && images.size(3) == options.size)
    return images;
  torch::Tensor out = make_images(images.size(0), options.channels, options.size);
  for (int64_t i = 0; i < images.size(0); ++i) put_image(convert_channels(images[i], options.channels), out[i]);
  return out;
}

/// Votes, if there are any, for each class.
bool fits(const torch::Tensor& votes, int64_t images, int64_t classes) {
  if (!votes.defined()) return true;
  return votes.scalar_type() == torch::kFloat32 && votes.dim() == 2 && votes.size(0) == images &&
         votes.size(1) == classes && votes.ge(0).all().item<bool>() && votes.le(1).all().item<bool>();
}

void require_consistent(const Dataset& data, const torch::Tensor& splits) {
  const int64_t n = data.size();
  const bool consistent =
      data.images.dim() == 4 && data.images.scalar_type() == torch::kUInt8 && data.images.size(0) == n &&
      data.labels.scalar_type() == torch::kInt64 && data.labels.dim() == 1 && data.labels.numel() == n &&
      splits.scalar_type() == torch::kUInt8 && splits.numel() == n && fits(data.votes, n, data.classes.size()) &&
      std::all_of(data.groups.begin(), data.groups.end(),
                  [n](const GroupColumn& column) { return static_cast<int64_t>(column.values.size()) == n; });
  const bool in_range =
      consistent &&
      (n == 0 || (data.labels.max().item<int64_t>() < data.classes.size() && data.labels.min().item<int64_t>() >= -1 &&
                  splits.max().item<uint8_t>() <= static_cast<uint8_t>(Split::PrivateTest)));
  if (!in_range) throw UserError(fmt::format("{}: the parts of the packed data set do not fit together", data.name));
  if ((data.channels() != 1 && data.channels() != 3) || data.images.size(2) < 1 || data.images.size(3) < 1) {
    throw UserError(
        fmt::format("{}: images of {} channels and {}x{} pixels, where 1 or 3 channels and a pixel are needed",
                    data.name, data.channels(), data.images.size(2), data.images.size(3)));
  }
}

Dataset read(const std::string& source, const ReadOptions& options) {
  if (options.classes.numbering) throw UnusedLabelOrder(source, "the file names its classes");
  Dataset data = unpack(load_container(source, kDatasetKind), source);
  if (!options.native) data.images = fitted(data.images, options);
  return data;
}

const Register<DatasetReader> registered_reader{{"packed", "a packed data set (.ferpack)", recognises, read}};
const Register<DatasetWriter> registered_writer{{"packed", ".ferpack", write, true, true, true}};

}  // namespace

}  // namespace packed_format

Container pack(const Dataset& data) {
  torch::Tensor splits = torch::empty({data.size()}, torch::kUInt8);
  std::transform(data.splits.begin(), data.splits.end(), splits.data_ptr<uint8_t>(),
                 [](Split split) { return static_cast<uint8_t>(split); });
  Container container;
  container.kind = kDatasetKind;
  container.header = {{"name", data.name}, {"classes", data.classes.names()}, {"ids", data.ids}};
  for (const auto& column : data.groups) container.header["groups"].push_back({column.name, column.values});
  container.tensors = {{"images", data.images}, {"labels", data.labels}, {"splits", splits}};
  if (data.votes.defined()) container.tensors["votes"] = data.votes;
  return container;
}

Dataset unpack(const Container& container, const std::string& name) {
  Dataset data;
  data.name = name;
  torch::Tensor splits;
  try {
    data.classes = LabelSet(container.header.at("classes").get<std::vector<std::string>>());
    data.ids = container.header.at("ids").get<std::vector<std::string>>();
    for (const auto& column : container.header.value("groups", nlohmann::json::array()))
      data.groups.push_back({column.at(0).get<std::string>(), column.at(1).get<std::vector<std::string>>()});
    data.images = container.tensors.at("images");
    data.labels = container.tensors.at("labels");
    splits = container.tensors.at("splits");
    if (const auto votes = container.tensors.find("votes"); votes != container.tensors.end())
      data.votes = votes->second;
  } catch (const std::exception&) {
    throw UserError(fmt::format("{}: a part of the packed data set is missing", name));
  }
  packed_format::require_consistent(data, splits);
  const auto* split = splits.data_ptr<uint8_t>();
  std::transform(split, split + data.size(), std::back_inserter(data.splits),
                 [](uint8_t value) { return static_cast<Split>(value); });
  return data;
}

}  // namespace fercli
