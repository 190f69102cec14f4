#include "core/base64.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

#include "core/random.hpp"

namespace fercli {

namespace {

TEST(Base64, GoesThereAndBack) {
  Rng rng(3);
  for (size_t length = 0; length < 20; ++length) {
    std::string bytes;
    for (size_t i = 0; i < length; ++i) bytes += static_cast<char>(rng.below(256));
    EXPECT_EQ(decode_base64(encode_base64(bytes)), bytes);
  }
  EXPECT_EQ(encode_base64("any carnal pleas"), "YW55IGNhcm5hbCBwbGVhcw==");
  EXPECT_EQ(decode_base64("_-\r\n8"), decode_base64("/+8="));
  EXPECT_EQ(decode_base64("YQ"), "a");
  for (const char* wrong : {"a", "ab!c", "=abc", "YQ==YQ==", " YQ=", "YQ =", "Y\tQ="})
    EXPECT_THROW(decode_base64(wrong), std::invalid_argument) << wrong;
}

}  // namespace

}  // namespace fercli
