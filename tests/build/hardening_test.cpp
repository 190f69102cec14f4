// What the release build of the program and of its start says of its protection, read from its ELF headers.
#include <elf.h>

#include <cstring>
#include <set>

#include "core/files.hpp"
#include "tests/precompiled_tests.hpp"

namespace fercli {

namespace {

class Hardening : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
#ifndef FERCLI_HARDENED
    GTEST_SKIP() << "this build is not hardened: only release builds are";
#endif
    bytes_ = read_file(GetParam());
    header_ = at<Elf64_Ehdr>(0);
    for (int i = 0; i < header_.e_phnum; ++i) {
      segments_.push_back(at<Elf64_Phdr>(header_.e_phoff + static_cast<uint64_t>(i) * sizeof(Elf64_Phdr)));
    }
    for (int i = 0; i < header_.e_shnum; ++i) {
      sections_.push_back(at<Elf64_Shdr>(header_.e_shoff + static_cast<uint64_t>(i) * sizeof(Elf64_Shdr)));
    }
  }

  template <class Record>
  Record at(uint64_t place) const {
    Record record;
    if (place + sizeof record > bytes_.size()) throw std::runtime_error("the program is no whole ELF file");
    std::memcpy(&record, bytes_.data() + place, sizeof record);
    return record;
  }

  const Elf64_Phdr* segment(uint32_t type) const {
    for (const auto& segment : segments_) {
      if (segment.p_type == type) return &segment;
    }
    return nullptr;
  }

  /// The functions that other libraries are asked for.
  std::set<std::string> imports() const {
    std::set<std::string> names;
    for (const auto& section : sections_) {
      if (section.sh_type != SHT_DYNSYM) continue;
      const uint64_t texts = sections_.at(section.sh_link).sh_offset;
      for (uint64_t place = 0; place < section.sh_size; place += sizeof(Elf64_Sym)) {
        const auto symbol = at<Elf64_Sym>(section.sh_offset + place);
        if (symbol.st_shndx == SHN_UNDEF) names.insert(bytes_.c_str() + texts + symbol.st_name);
      }
    }
    return names;
  }

  bool binds_now() const {
    for (const auto& section : sections_) {
      if (section.sh_type != SHT_DYNAMIC) continue;
      for (uint64_t place = 0; place < section.sh_size; place += sizeof(Elf64_Dyn)) {
        const auto entry = at<Elf64_Dyn>(section.sh_offset + place);
        if (entry.d_tag == DT_BIND_NOW || (entry.d_tag == DT_FLAGS && (entry.d_un.d_val & DF_BIND_NOW) != 0) ||
            (entry.d_tag == DT_FLAGS_1 && (entry.d_un.d_val & DF_1_NOW) != 0)) {
          return true;
        }
      }
    }
    return false;
  }

  std::string bytes_;
  Elf64_Ehdr header_{};
  std::vector<Elf64_Phdr> segments_;
  std::vector<Elf64_Shdr> sections_;
};

TEST_P(Hardening, TheProgramIsPositionIndependent) {
  EXPECT_EQ(header_.e_type, ET_DYN);
  EXPECT_NE(segment(PT_INTERP), nullptr);
}

TEST_P(Hardening, RelocationsAreReadOnlyBeforeMainRuns) {
  EXPECT_NE(segment(PT_GNU_RELRO), nullptr);
  EXPECT_TRUE(binds_now());
}

TEST_P(Hardening, TheStackIsGuardedAndNotExecutable) {
  EXPECT_EQ(imports().count("__stack_chk_fail"), 1u);
  const Elf64_Phdr* stack = segment(PT_GNU_STACK);
  ASSERT_NE(stack, nullptr);
  EXPECT_EQ(stack->p_flags & PF_X, 0u);
}

TEST_P(Hardening, CopiesAreChecked) {
  const auto names = imports();
  if (GetParam() == std::string(FERCLI_START)) GTEST_SKIP() << "all it copies are strings of the C++ library";
  EXPECT_TRUE(std::any_of(names.begin(), names.end(), [](const std::string& name) {
    return name.size() > 6 && name.compare(0, 2, "__") == 0 && name.compare(name.size() - 4, 4, "_chk") == 0;
  }));
}

INSTANTIATE_TEST_SUITE_P(Programs, Hardening, testing::Values(FERCLI_PROGRAM, FERCLI_START));

}  // namespace

}  // namespace fercli
