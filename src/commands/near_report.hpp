#pragma once

#include <nlohmann/json_fwd.hpp>

#include "data/near_duplicates.hpp"
#include "report/printed_table.hpp"

namespace fercli {

/// How `fercli data audit` shows near-duplicates, which correlate by `min_correlation` or more.
PrintedTable near_table(const Dataset& data, const NearReport& report, double min_correlation);

nlohmann::json near_json(const Dataset& data, const NearReport& report, double min_correlation);
nlohmann::json near_schema();

/// The rows of leaks in a table: `words` comes between the two splits' names.
void add_leak_rows(const std::vector<Leak>& leaks, const std::string& words, PrintedTable& table);

nlohmann::json leaks_json(const std::vector<Leak>& leaks);
nlohmann::json leak_schema();

/// {"id", "split", "label"}; the label is "" where there is none.
nlohmann::json image_json(const Dataset& data, int64_t row);
nlohmann::json image_schema();
std::string label_name(const Dataset& data, int64_t row);

/// uint8 (3,H,W): pairs side by side with their correlation, "mirrored" and shift below, the least alike first, at most
/// 60 of them.
torch::Tensor near_sheet(const Dataset& data, const NearReport& report);

}  // namespace fercli
