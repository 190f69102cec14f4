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

std::vector<Block> write_models(const Page& page, const std::string& part,
                                std::vector<Block> (*of_model)(const Page& page, const ModelView& model)) {
  const auto models = page.models(part);
  if (models.empty()) return {};
  std::vector<Block> blocks{Paragraph{page.say(part + ".intro")}};
  for (const auto& model : models) add_model(blocks, page, model.name, of_model(page, model));
  return blocks;
}

}  // namespace fercli
