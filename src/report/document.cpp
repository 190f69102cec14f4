#include "report/document.hpp"

namespace fercli {

Text plain(const std::string& words) {
  return {Span{words}};
}

Text strong(Text text) {
  for (auto& span : text) span.style = Span::Style::Strong;
  return text;
}

Text operator+(Text left, const Text& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

std::string characters(const Text& text) {
  std::string all;
  for (const auto& span : text) all += span.text;
  return all;
}

}  // namespace fercli
