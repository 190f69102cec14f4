#include "attacks/engine/findings.hpp"

#include <limits>
#include <stdexcept>

namespace fercli {

namespace {

constexpr const char* kMemory = "memory/";

const std::vector<std::pair<const char*, torch::Tensor Findings::*>>& fixed_columns() {
  static const std::vector<std::pair<const char*, torch::Tensor Findings::*>> list{
      {"x_adv", &Findings::x_adv},   {"logits", &Findings::logits},   {"distance", &Findings::distance},
      {"margin", &Findings::margin}, {"success", &Findings::success}, {"float_success", &Findings::float_success},
      {"done", &Findings::done},     {"stage", &Findings::stage}};
  return list;
}

torch::Tensor zero_rows(const torch::Tensor& like, int64_t n) {
  auto shape = like.sizes().vec();
  shape[0] = n;
  return torch::zeros(shape, like.options());
}

}  // namespace

Findings Findings::none(const torch::Tensor& x, int64_t classes) {
  const int64_t n = x.size(0);
  const auto no = torch::zeros({n}, torch::kBool);
  return {x.clone(),
          torch::zeros({n, classes}),
          torch::full({n}, std::numeric_limits<double>::infinity(), torch::kFloat64),
          torch::full({n}, std::numeric_limits<float>::infinity()),
          no.clone(),
          no.clone(),
          no.clone(),
          torch::full({n}, -1, torch::kInt64)};
}

Findings Findings::like(const Findings& part, int64_t n) {
  Findings all;
  for (const auto& [name, values] : part.columns()) all.set_column(name, zero_rows(values, n));
  return all;
}

std::vector<std::pair<std::string, torch::Tensor>> Findings::columns() const {
  std::vector<std::pair<std::string, torch::Tensor>> all;
  for (const auto& [name, member] : fixed_columns()) all.emplace_back(name, this->*member);
  for (const auto& [name, values] : memory) all.emplace_back(kMemory + name, values);
  return all;
}

void Findings::set_column(const std::string& name, const torch::Tensor& values) {
  const std::string prefix = kMemory;
  if (name.compare(0, prefix.size(), prefix) == 0) {
    memory[name.substr(prefix.size())] = values;
    return;
  }
  for (const auto& [known, member] : fixed_columns()) {
    if (name == known) {
      this->*member = values;
      return;
    }
  }
  throw std::out_of_range(name);
}

Findings Findings::select(const torch::Tensor& rows) const {
  Findings part;
  for (const auto& [name, values] : columns()) part.set_column(name, values.index_select(0, rows));
  return part;
}

void Findings::remember(const std::string& name, const torch::Tensor& rows, const torch::Tensor& values) {
  auto& kept = memory[name];
  if (!kept.defined()) kept = zero_rows(values, done.size(0));
  kept.index_copy_(0, rows, values);
}

void Findings::put(const torch::Tensor& rows, const Findings& part) {
  for (const auto& [name, member] : fixed_columns()) (this->*member).index_copy_(0, rows, part.*member);
  for (const auto& [name, values] : part.memory) remember(name, rows, values);
}

}  // namespace fercli
