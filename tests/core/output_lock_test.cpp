#include "core/output_lock.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <string>

#include "core/files.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/user_error.hpp"

namespace fercli::test {

namespace {

namespace fs = std::filesystem;

TEST(OutputLocks, AreTakenTwiceByOneProcess) {
  const ScratchFolder scratch;
  const OutputLock first = OutputLock::of_folder(scratch.path());
  EXPECT_NO_THROW(OutputLock::of_folder(scratch.path()));
  EXPECT_TRUE(fs::exists(scratch / ".fercli.lock"));
}

// Process 1 of one container and process 1 of another, which has the same host name. To the kernel, a descriptor that
// was opened by itself is as good as another process.
TEST(OutputLocks, AreRefusedWhereTheKernelSaysSoThoughTheTextIsThatOfThisProcess) {
  const ScratchFolder scratch;
  const fs::path file = scratch / ".fercli.lock";
  std::string text;
  {
    const OutputLock own = OutputLock::of_folder(scratch.path());
    text = read_file(file);
  }
  write_file(file, text);
  const int other = ::open(file.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_EQ(::flock(other, LOCK_EX | LOCK_NB), 0);
  const std::string message = message_of([&] { OutputLock::of_folder(scratch.path()); });
  EXPECT_THAT(message, testing::HasSubstr(": another fercli (process " + std::to_string(getpid()) + " on "));
  EXPECT_THAT(message, testing::EndsWith(" is writing there; wait for it, choose another place"));
  EXPECT_EQ(read_file(file), text);
  ::close(other);
  EXPECT_NO_THROW(OutputLock::of_folder(scratch.path()));
}

}  // namespace

}  // namespace fercli::test
