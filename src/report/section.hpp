#pragma once

#include <string>
#include <vector>

#include "core/registry.hpp"
#include "report/document.hpp"
#include "report/page.hpp"

namespace fercli {

/// One section of a report, registered with its texts by its own file in report/sections/. `name` is its anchor and, as
/// "NAME.title", the key of its title (no title: above the first section).
struct Section {
  static constexpr const char* kKind = "report section";
  std::string name;
  int order;                                      ///< its place in the report
  std::vector<Block> (*write)(const Page& page);  ///< no blocks: left out
};

/// Appends.
void add(std::vector<Block>& blocks, std::vector<Block> more);

/// Where the report is about several models, the blocks of one begin with its name.
void add_model(std::vector<Block>& blocks, const Page& page, const std::string& model, std::vector<Block> more);

/// The text "PART.intro", and of each model that has this part the blocks that `of_model` writes; none without a model.
std::vector<Block> write_models(const Page& page, const std::string& part,
                                std::vector<Block> (*of_model)(const Page& page, const ModelView& model));

}  // namespace fercli
