#include "data/formats/image_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "data/each_image.hpp"
#include "data/image.hpp"
#include "data/image_store.hpp"

namespace fercli {

namespace {

constexpr int64_t kLargestStored = 256;

/// The whole picture, or the square around its box, cut where the picture ends.
torch::Tensor read_face(const ImageFile& file, int64_t channels) {
  const torch::Tensor image = read_image(file.path, channels);
  if (!file.box) return image;
  const double side = std::max(file.box->width, file.box->height);
  const auto cut = [&](double middle, int64_t length) {
    const auto begin = std::clamp<int64_t>(std::llround(middle - side / 2), 0, length);
    return std::pair(begin, std::clamp<int64_t>(std::llround(middle + side / 2), 0, length));
  };
  const auto [left, right] = cut(file.box->x + file.box->width / 2, image.size(2));
  const auto [top, bottom] = cut(file.box->y + file.box->height / 2, image.size(1));
  if (left >= right || top >= bottom) {
    throw UserError(fmt::format("{}: the face's box lies outside the picture of {}x{} pixels", file.path.string(),
                                image.size(2), image.size(1)));
  }
  return image.slice(1, top, bottom).slice(2, left, right).contiguous();
}

/// A failure leaves its message.
std::vector<std::string> decode_all(const std::vector<ImageFile>& files, torch::Tensor images, Observer& observer) {
  std::vector<std::string> failures(files.size());
  const int64_t channels = images.size(1);
  const auto decode = [&](int64_t i) {
    try {
      put_image(read_face(files[static_cast<size_t>(i)], channels), images[i]);
    } catch (const UserError& error) {
      failures[static_cast<size_t>(i)] = error.what();
    }
  };
  for_each_image("Reading", static_cast<int64_t>(files.size()), 16, decode, observer);
  return failures;
}

/// Size and channels of the first readable image, cut down to what a face crop may have.
void take_shape_of_first(const std::vector<ImageFile>& files, ReadOptions& options) {
  for (const auto& file : files) {
    try {
      const auto image = read_face(file, 3);
      options.size = std::min({image.size(1), image.size(2), kLargestStored});
      options.channels = image[0].equal(image[1]) && image[0].equal(image[2]) ? 1 : 3;
      return;
    } catch (const UserError&) {  // reported when it is its turn
    }
  }
}

}  // namespace

void Problems::report(const std::string& message) {
  if (!skip_) throw UserError(message);
  ++count_;
}

Dataset read_image_files(const std::string& name, const std::vector<ImageFile>& files, const LabelSet& classes,
                         ReadOptions options, Problems& problems) {
  if (options.native) take_shape_of_first(files, options);
  Dataset data;
  data.name = name;
  data.classes = classes;
  const auto n = static_cast<int64_t>(files.size());
  data.images = make_images(n, options.channels, options.size);
  data.labels = torch::empty({n}, torch::kInt64);
  const auto failures = decode_all(files, data.images, *options.observer);
  std::vector<int64_t> good;
  for (int64_t i = 0; i < n; ++i) {
    const ImageFile& file = files[static_cast<size_t>(i)];
    data.labels.data_ptr<int64_t>()[i] = file.label;
    data.splits.push_back(file.split);
    data.ids.push_back(file.id);
    const auto& failure = failures[static_cast<size_t>(i)];
    if (failure.empty()) {
      good.push_back(i);
    } else {
      problems.report(failure);
    }
  }
  if (good.empty()) throw UserError(fmt::format("{}: not one entry is readable ({} bad)", name, problems.count()));
  if (static_cast<int64_t>(good.size()) < n) data = data.select(good);
  data.skipped = problems.count();
  return data;
}

}  // namespace fercli
