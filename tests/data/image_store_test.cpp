// Images beyond what memory shall hold lie in a mapped file; the limit is set to nothing here.
#include "data/image_store.hpp"

#include <gmock/gmock.h>
#include <stdlib.h>

#include <fstream>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/zip_file.hpp"
#include "data/formats/reader.hpp"
#include "data/formats/writer.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/data/sample_data.hpp"

namespace fercli::test {

namespace {

using testing::HasSubstr;
using testing::Not;

constexpr int64_t kNothing = 0;

std::string mappings() {
  std::ifstream file("/proc/self/maps");
  return {std::istreambuf_iterator<char>(file), {}};
}

/// TMPDIR as long as this.
class TemporaryFolderIs {
 public:
  explicit TemporaryFolderIs(const std::string& folder) {
    if (const char* now = getenv("TMPDIR")) before_ = now;
    setenv("TMPDIR", folder.c_str(), 1);
  }
  ~TemporaryFolderIs() {
    if (before_) setenv("TMPDIR", before_->c_str(), 1);
    if (!before_) unsetenv("TMPDIR");
  }

 private:
  std::optional<std::string> before_;
};

TEST(ImageStore, LargeImagesLieInANamelessFileThatGoesWithThem) {
  const ScratchFolder scratch;
  const TemporaryFolderIs here(scratch.path().string());
  const std::string file = scratch.path().string() + "/fercli-";
  {
    torch::Tensor images = make_images(5, 3, 8, kNothing);
    EXPECT_EQ(images.sizes(), (std::vector<int64_t>{5, 3, 8, 8}));
    EXPECT_THAT(mappings(), HasSubstr(file));
    EXPECT_TRUE(std::filesystem::is_empty(scratch.path())) << "it has no name";
    for (int64_t i = 0; i < 5; ++i) images[i].fill_(i);
    EXPECT_EQ(images.sum().item<int64_t>(), 10 * 3 * 64);
    const torch::Tensor small = make_images(5, 3, 8);
    EXPECT_EQ(small.sizes(), images.sizes());
  }
  EXPECT_THAT(mappings(), Not(HasSubstr(file)));
}

TEST(ImageStore, SelectedImagesAreTheSameWhereverTheyLie) {
  const Dataset data = sample_dataset(5);
  for (const std::vector<int64_t>& rows : {std::vector<int64_t>{2, 3, 4}, {4, 0, 2}, {}}) {
    const torch::Tensor expected = data.images.index_select(0, torch::tensor(rows, torch::kInt64));
    EXPECT_TRUE(images_at(data.images, rows).equal(expected));
    EXPECT_TRUE(images_at(data.images, rows, kNothing).equal(expected));
  }
  EXPECT_TRUE(images_at(data.images, {2, 3, 4}, kNothing).is_alias_of(data.images)) << "a view";
  EXPECT_FALSE(images_at(data.images, {2, 3, 4}).is_alias_of(data.images));
  EXPECT_FALSE(images_at(data.images, {4, 0, 2}, kNothing).is_alias_of(data.images));
}

TEST(ImageStore, AFolderWithoutRoomIsNamed) {
  const TemporaryFolderIs here("/nonexistent");
  try {
    make_images(5, 3, 8, kNothing);
    FAIL() << "there is no such folder";
  } catch (const RunError& error) {
    EXPECT_THAT(error.what(), HasSubstr("/nonexistent: has no room for 0.0 GiB of images (No such file"));
    EXPECT_THAT(error.what(), HasSubstr("TMPDIR names another folder"));
  }
}

TEST(ImageStore, PackedFilesAreReadFromTheirPlaceAsFromMemory) {
  const ScratchFolder scratch;
  write_dataset(sample_dataset(3), scratch / "faces.ferpack");
  const ZipFile placed(scratch / "faces.ferpack");
  const std::string bytes = read_file(scratch / "faces.ferpack");
  const ZipFile in_memory(bytes, "faces");
  ASSERT_EQ(placed.names(), in_memory.names());
  for (const auto& name : placed.names()) {
    std::string content(placed.size(name), '\0');
    placed.read_into(name, content.data());
    EXPECT_EQ(content, in_memory.read(name)) << name;
  }
}

}  // namespace

}  // namespace fercli::test
