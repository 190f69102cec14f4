#include "core/instruction_set.hpp"

#include <gtest/gtest.h>

namespace fercli {

namespace {

const std::string kSapphireRapids =
    "sse4_1 avx avx2 avx_vnni avx512f avx512bw avx512_vnni avx512_bf16 avx512_fp16 amx_bf16 amx_tile";
const std::string kZen4 = "sse4_1 avx avx2 avx512f avx512bw avx512_vnni avx512_bf16";
const std::string kLaptop = "sse4_1 avx avx2";

TEST(InstructionSet, IsTheWidestOfTheCpu) {
  EXPECT_EQ(instruction_set_of(kSapphireRapids, ""), "avx512_core_amx");
  EXPECT_EQ(instruction_set_of(kZen4, ""), "avx512_core_bf16");
  EXPECT_EQ(instruction_set_of(kLaptop, ""), "avx2");
  EXPECT_EQ(instruction_set_of("", ""), "");
}

TEST(InstructionSet, IsHeldBelowItByOneDnnsLimitInAnyCase) {
  EXPECT_EQ(instruction_set_of(kSapphireRapids, "AVX2"), "avx2");
  EXPECT_EQ(instruction_set_of(kSapphireRapids, "avx512_core_vnni"), "avx512_core_vnni");
  EXPECT_EQ(instruction_set_of(kSapphireRapids, "AVX512_CORE_BF16"), "avx512_core_bf16");
  EXPECT_EQ(instruction_set_of(kSapphireRapids, "SSE41"), "sse41");
  EXPECT_EQ(instruction_set_of(kZen4, "AVX512_MIC"), "avx2");
}

TEST(InstructionSet, AWordThatOneDnnDoesNotKnowIsNoLimitAndAWiderOneAddsNothing) {
  for (const char* limit : {"ALL", "DEFAULT", "something"}) {
    EXPECT_EQ(instruction_set_of(kSapphireRapids, limit), "avx512_core_amx");
  }
  EXPECT_EQ(instruction_set_of(kLaptop, "AVX512_CORE_AMX"), "avx2");
}

TEST(InstructionSet, Bfloat16NeedsMoreThanVnni) {
  for (const char* name : {"avx512_core_bf16", "avx512_core_fp16", "avx512_core_amx", "avx512_core_amx_fp16"}) {
    EXPECT_TRUE(multiplies_bfloat16(name)) << name;
  }
  for (const char* name : {"", "avx2", "avx2_vnni", "avx512_core", "avx512_core_vnni"}) {
    EXPECT_FALSE(multiplies_bfloat16(name)) << name;
  }
}

}  // namespace

}  // namespace fercli
