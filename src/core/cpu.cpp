#include "core/cpu.hpp"

#include <fmt/format.h>

#include <fstream>
#include <thread>

#include "core/text.hpp"

namespace fercli {

std::string cpuinfo(const std::string& key) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.compare(0, key.size(), key) == 0 && line.find(':') != std::string::npos) {
      return trim(line.substr(line.find(':') + 1));
    }
  }
  return "";
}

std::string cpu_summary() {
  std::string summary = fmt::format("{}, {} cores", cpuinfo("model name"), std::thread::hardware_concurrency());
  const std::string flags = " " + cpuinfo("flags") + " ";
  for (const std::string flag : {"avx2", "avx512f", "avx512_bf16", "amx_bf16"}) {
    if (flags.find(" " + flag + " ") != std::string::npos) summary += " " + flag;
  }
  return summary;
}

}  // namespace fercli
