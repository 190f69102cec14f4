#include "report/report.hpp"

namespace fercli {

void write_report(const nlohmann::json&, const RenderOptions&, const std::filesystem::path&) {}

}  // namespace fercli
