// Text attributes of HDF5 files, which Keras cuts into pieces, and which may all be in one place of a file.
#include "models/files/hdf5_file.hpp"

#include <hdf5.h>

#include <cstring>

#include "core/files.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/precompiled_tests.hpp"

namespace fercli {

namespace {

using test::ScratchFolder;

/// Attributes NAME0, NAME1, … of the root, of one text of variable length each.
void write_pieces(const std::filesystem::path& path, const std::string& name, const std::vector<std::string>& pieces) {
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
  H5Tset_size(type, H5T_VARIABLE);
  for (size_t i = 0; i < pieces.size(); ++i) {
    const std::string numbered = name + std::to_string(i);
    const hid_t attribute = H5Acreate2(file, numbered.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT);
    const char* text = pieces[i].c_str();
    ASSERT_GE(H5Awrite(attribute, type, &text), 0);
    H5Aclose(attribute);
  }
  H5Sclose(space), H5Tclose(type), H5Fclose(file);
}

/// Lets all texts of a file be the longest of them. Each stands as its length, where its heap is, and its number there.
void refer_to_the_longest(const std::filesystem::path& path) {
  constexpr size_t kLength = 4, kReference = 16;
  std::string bytes = read_file(path), longest(kReference, '\0');
  std::vector<size_t> places;
  const auto length_of = [](const char* reference) {
    uint32_t length = 0;
    std::memcpy(&length, reference, sizeof length);
    return length;
  };
  for (size_t i = 0; i + kReference <= bytes.size(); ++i) {
    uint64_t heap = 0;
    std::memcpy(&heap, bytes.data() + i + kLength, sizeof heap);
    if (heap >= bytes.size() || bytes.compare(heap, 4, "GCOL") != 0) continue;
    places.push_back(i);
    if (length_of(bytes.data() + i) > length_of(longest.data())) longest = bytes.substr(i, kReference);
  }
  ASSERT_GT(places.size(), 1U);
  for (const size_t place : places) bytes.replace(place, kReference, longest);
  write_file(path, bytes);
}

TEST(Hdf5Texts, PiecesAreJoinedAndATextIsTheFirst) {
  const ScratchFolder folder;
  write_pieces(folder / "a.h5", "names", {"first", "second", "third"});
  const Hdf5File file(folder / "a.h5");
  EXPECT_EQ(file.texts("/", "names"), (std::vector<std::string>{"first", "second", "third"}));
  EXPECT_EQ(file.text("/", "names"), "first");
  EXPECT_FALSE(file.text("/", "others").has_value());
}

TEST(Hdf5Texts, PiecesInOnePlaceAreNoLongerThanTheFile) {
  const ScratchFolder folder;
  const std::string text(100'000, 'a');
  std::vector<std::string> pieces(20, "x");
  pieces.front() = text;
  write_pieces(folder / "a.h5", "names", pieces);
  refer_to_the_longest(folder / "a.h5");
  EXPECT_EQ(Hdf5File(folder / "a.h5").texts("/", "names"), std::vector<std::string>{text});
  EXPECT_EQ(Hdf5File(folder / "a.h5").text("/", "names"), text);
}

}  // namespace

}  // namespace fercli
