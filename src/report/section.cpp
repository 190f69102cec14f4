#include "report/section.hpp"

namespace fercli {

void add(std::vector<Block>& blocks, std::vector<Block> more) {
  for (auto& block : more) blocks.push_back(std::move(block));
}

void add_model(std::vector<Block>& blocks, const Page& page, const std::string& model, std::vector<Block> more) {
  if (more.empty()) return;
  if (page.several_models()) blocks.push_back(Heading{plain(model)});
  add(blocks, std::move(more));
}

}  // namespace fercli
