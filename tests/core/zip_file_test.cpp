#include "core/zip_file.hpp"

#include <cstring>

#include "tests/precompiled_tests.hpp"
#include "tests/user_error.hpp"

namespace fercli {

namespace {

std::string sample() {
  return make_zip({{"archive/data.pkl", "pickle"}, {"archive/version", "3\n"}});
}

std::string refusal(const std::string& bytes) {
  return test::message_of([&] { const ZipFile zip(bytes, "file.pt"); });
}

template <class Number>
void put(std::string& bytes, size_t place, Number value) {
  std::memcpy(bytes.data() + place, &value, sizeof value);
}

constexpr size_t kEnd = 22;  // of the end record

TEST(ZipFile, GivesBackWhatMakeZipWasGiven) {
  const std::string bytes = sample();
  const ZipFile zip(bytes, "file.pt");
  EXPECT_EQ(zip.names(), (std::vector<std::string>{"archive/data.pkl", "archive/version"}));
  EXPECT_EQ(zip.read("archive/data.pkl"), "pickle");
}

TEST(ZipFile, AnArchiveBehindAnotherIsRefused) {
  EXPECT_THAT(refusal(make_zip({{"archive/data.pkl", "another"}}) + sample()),
              testing::HasSubstr("two archives in one"));
}

TEST(ZipFile, AnArchiveBeforeAnotherIsRefusedAlsoWithShiftedPlaces) {
  const std::string first = make_zip({{"archive/data.pkl", "another"}});
  std::string second = sample();
  const size_t end = second.size() - kEnd;
  uint32_t directory = 0;
  std::memcpy(&directory, second.data() + end + 16, sizeof directory);
  put<uint32_t>(second, end + 16, directory + static_cast<uint32_t>(first.size()));
  for (size_t place = directory; place < end && second.compare(place, 4, "PK\x01\x02", 4) == 0;) {
    uint16_t name = 0, extra = 0, comment = 0;
    uint32_t offset = 0;
    std::memcpy(&name, second.data() + place + 28, 2);
    std::memcpy(&extra, second.data() + place + 30, 2);
    std::memcpy(&comment, second.data() + place + 32, 2);
    std::memcpy(&offset, second.data() + place + 42, 4);
    put<uint32_t>(second, place + 42, offset + static_cast<uint32_t>(first.size()));
    place += 46u + name + extra + comment;
  }
  EXPECT_THAT(refusal(first + second), testing::HasSubstr("two archives in one"));
}

TEST(ZipFile, ACommentThatHoldsAnEndRecordIsRefused) {
  std::string bytes = sample();
  const std::string end = bytes.substr(bytes.size() - kEnd);
  put<uint16_t>(bytes, bytes.size() - 2, static_cast<uint16_t>(kEnd));
  EXPECT_THAT(refusal(bytes + end), testing::HasSubstr("two archives in one"));
}

TEST(ZipFile, BytesBehindTheEndAreRefused) {
  EXPECT_THAT(refusal(sample() + "x"), testing::HasSubstr("no whole zip file"));
}

TEST(ZipFile, BytesBeforeTheFirstEntryAreRefused) {
  EXPECT_THAT(refusal("x" + sample()), testing::HasSubstr("bytes outside its zip archive"));
}

TEST(ZipFile, TwoHeadersThatDisagreeAboutANameAreRefused) {
  std::string bytes = sample();
  bytes[bytes.find("data.pkl")] = 'D';
  EXPECT_THAT(refusal(bytes), testing::HasSubstr("in different ways"));
}

TEST(ZipFile, EntriesThatOverlapAreRefused) {
  std::string bytes = sample();
  const size_t second = bytes.find("PK\x01\x02", bytes.find("PK\x01\x02") + 4);
  put<uint32_t>(bytes, second + 42, 1u);  // the second entry is told to be inside the first
  EXPECT_THAT(refusal(bytes), testing::HasSubstr("entries that overlap"));
}

TEST(ZipFile, ALongEndRecordThatDisagreesWithTheShortOneIsRefused) {
  std::string bytes = sample(), record(56, '\0'), locator(20, '\0');
  const std::string end = bytes.substr(bytes.size() - kEnd);
  bytes.resize(bytes.size() - kEnd);
  record.replace(0, 4, "PK\x06\x06"), locator.replace(0, 4, "PK\x06\x07");
  put<uint64_t>(record, 4, 44u);
  put<uint64_t>(record, 24, 1u), put<uint64_t>(record, 32, 1u);
  put<uint64_t>(locator, 8, bytes.size()), put<uint32_t>(locator, 16, 1u);
  EXPECT_EQ(refusal(bytes + record + locator + end), "file.pt: has two end records that do not agree");
}

TEST(ZipFile, ATruncatedArchiveIsRefused) {
  const std::string bytes = sample();
  for (size_t length = 0; length < bytes.size(); length += 7) {
    EXPECT_THAT(refusal(bytes.substr(0, length)), testing::HasSubstr("no whole zip file")) << length;
  }
}

}  // namespace

}  // namespace fercli
