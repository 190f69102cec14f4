#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "core/error.hpp"
#include "core/random.hpp"
#include "data/dataset.hpp"

namespace fercli::test {

/// n different images of noise with labels 0, 1, 2, … of FER2013 and splits in turn Training, PublicTest, PrivateTest.
inline Dataset sample_dataset(int64_t n, int64_t channels = 1, int64_t size = 48) {
  Dataset data;
  data.name = "sample";
  data.classes = LabelSet::fer2013();
  data.images = torch::empty({n, channels, size, size}, torch::kUInt8);
  data.labels = torch::empty({n}, torch::kInt64);
  for (int64_t i = 0; i < n; ++i) {
    Rng rng = Rng(7).split(static_cast<uint64_t>(i));
    uint8_t* pixel = data.images[i].data_ptr<uint8_t>();
    for (int64_t p = 0; p < channels * size * size; ++p) pixel[p] = static_cast<uint8_t>(rng.below(256));
    data.labels[i] = i % 7;
    data.splits.push_back(static_cast<Split>(1 + i % 3));
    data.ids.push_back(fmt::format("image-{}", i));
  }
  return data;
}

/// The message of the UserError that this throws; fails the test when it throws none.
inline std::string user_error(const std::function<void()>& action) {
  try {
    action();
  } catch (const UserError& error) {
    return error.what();
  }
  ADD_FAILURE() << "no UserError was thrown";
  return "";
}

/// Same pixels, labels by name, and splits.
inline void expect_same_content(const Dataset& a, const Dataset& b) {
  ASSERT_EQ(a.size(), b.size());
  EXPECT_TRUE(torch::equal(a.images, b.images));
  EXPECT_TRUE(torch::equal(a.labels, b.relabelled(a.classes).labels));
  EXPECT_EQ(a.splits, b.splits);
}

}  // namespace fercli::test
