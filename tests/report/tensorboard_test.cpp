#include "report/tensorboard.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "core/error.hpp"
#include "core/files.hpp"
#include "report/proto/tensorboard_event.pb.h"
#include "tests/cli/run_program.hpp"

namespace fercli {

namespace {

using tensorboard::Event;

template <class Number>
Number number_at(const std::string& bytes, size_t place) {
  Number number = 0;
  std::memcpy(&number, bytes.data() + place,
              sizeof(Number));  // the format is little-endian, and so is every CPU we know
  return number;
}

uint32_t mask(uint32_t crc) {
  return ((crc >> 15) | (crc << 17)) + 0xA282EAD8;
}

/// The events of a file, every CRC checked.
std::vector<Event> read_events(const std::filesystem::path& path) {
  const std::string bytes = read_file(path);
  std::vector<Event> events;
  for (size_t place = 0; place < bytes.size();) {
    const auto length = number_at<uint64_t>(bytes, place);
    EXPECT_EQ(number_at<uint32_t>(bytes, place + 8), mask(crc32c(bytes.substr(place, 8))));
    const std::string data = bytes.substr(place + 12, length);
    EXPECT_EQ(number_at<uint32_t>(bytes, place + 12 + length), mask(crc32c(data)));
    Event event;
    EXPECT_TRUE(event.ParseFromString(data));
    events.push_back(event);
    place += 16 + length;
  }
  return events;
}

TEST(Crc32c, HasTheKnownCheckValue) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(crc32c(""), 0u);
}

TEST(TensorBoardWriter, WritesEventsThatProtobufReadsBack) {
  const test::ScratchFolder scratch;
  TensorBoardWriter writer(scratch / "logs");
  writer.scalar("loss/train", 3, 0.25);
  writer.scalar("accuracy/validation", 4, 0.5);
  const auto events = read_events(writer.path());
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].file_version(), "brain.Event:2");
  EXPECT_GT(events[0].wall_time(), 1e9);
  EXPECT_EQ(events[1].step(), 3);
  EXPECT_EQ(events[1].summary().value(0).tag(), "loss/train");
  EXPECT_EQ(events[1].summary().value(0).simple_value(), 0.25f);
  EXPECT_EQ(events[2].summary().value(0).tag(), "accuracy/validation");
}

TEST(TensorBoardWriter, HasTheBytesOfTheOfficialMessages) {
  Event event;
  event.set_step(5);
  auto* value = event.mutable_summary()->add_value();
  value->set_tag("a");
  value->set_simple_value(1);
  EXPECT_EQ(event.SerializeAsString(), std::string("\x10\x05\x2A\x0A\x0A\x08\x0A\x01"
                                                   "a\x15\x00\x00\x80\x3F",
                                                   14));
}

TEST(TensorBoardWriter, TakesANewFileForEachRunInTheSameFolder) {
  const test::ScratchFolder scratch;
  TensorBoardWriter first(scratch.path()), second(scratch.path());
  EXPECT_NE(first.path(), second.path());
  EXPECT_THAT(second.path().filename().string(), testing::HasSubstr("tfevents"));
  EXPECT_LT(first.path().filename(), second.path().filename());
}

TEST(TensorBoardWriter, SaysWhereItCannotWrite) {
  const test::ScratchFolder scratch;
  write_file(scratch / "file", "in the way");
  try {
    TensorBoardWriter writer(scratch / "file" / "logs");
    FAIL() << "no error";
  } catch (const UserError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("file/logs"));
  }
}

}  // namespace

}  // namespace fercli
