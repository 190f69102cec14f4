#include "eval/campaign/ledger.hpp"

#include <fmt/format.h>

#include <set>

#include "core/container.hpp"
#include "core/error.hpp"
#include "core/json_limits.hpp"
#include "core/json_text.hpp"
#include "core/tensor_list.hpp"

namespace fercli {

namespace {

using nlohmann::json;

constexpr const char* kLedgerKind = "ledger";
constexpr const char* kOpen = "open/";

torch::Tensor begun(const AttackRecord& record) {
  return record.leg.gt(0).nonzero().squeeze(1);
}

json cost_json(const AttackRecord& record) {
  json budgets = json::array();
  for (const auto& stages : record.cost) {
    json& list = budgets.emplace_back(json::array());
    for (const auto& stage : stages) list.push_back({stage.images, stage.forward, stage.backward});
  }
  return budgets;
}

void read_cost(const json& budgets, AttackRecord& record) {
  for (const auto& stages : budgets) {
    auto& list = record.cost.emplace_back();
    for (const auto& stage : stages)
      list.push_back({whole_of(stage.at(0)), whole_of(stage.at(1)), whole_of(stage.at(2))});
  }
}

json facts_of(const AttackRecord& record) {
  return {{"name", record.name},
          {"minimum_norm", record.minimum_norm},
          {"single_step", record.single_step},
          {"transferred", record.transferred},
          {"stages", record.stages},
          {"settings", record.settings},
          {"legs", record.legs},
          {"forward", record.forward},
          {"backward", record.backward},
          {"cost", cost_json(record)},
          {"seconds", record.seconds}};
}

AttackRecord record_of(const json& facts) {
  AttackRecord record;
  record.name = facts.at("name");
  record.access = Registry<AttackEntry>::instance().get(record.name).access;
  record.minimum_norm = facts.at("minimum_norm");
  record.single_step = facts.at("single_step");
  record.transferred = facts.at("transferred");
  record.stages = facts.at("stages").get<std::vector<std::string>>();
  record.settings = facts.at("settings");
  record.legs = whole_of(facts.at("legs"));
  record.forward = wholes_of(facts.at("forward"));
  record.backward = wholes_of(facts.at("backward"));
  read_cost(facts.at("cost"), record);
  record.seconds = facts.at("seconds").get<std::vector<double>>();
  return record;
}

/// What is known between two legs, of the images that are there.
void add_open(const AttackRecord& record, std::map<std::string, torch::Tensor>& tensors) {
  const auto places = begun(record);
  if (places.size(0) == 0) return;
  for (const auto& [name, values] : record.open.select(places).columns()) {
    tensors[record.name + "/" + kOpen + name] = values;
  }
}

void read_open(AttackRecord& record, const std::map<std::string, torch::Tensor>& tensors) {
  const std::string prefix = record.name + "/" + kOpen;
  Findings kept;
  for (const auto& [name, values] : tensors) {
    if (name.compare(0, prefix.size(), prefix) == 0) kept.set_column(name.substr(prefix.size()), values);
  }
  if (!kept.x_adv.defined()) return;
  record.open = Findings::like(kept, record.leg.size(0));
  record.open.put(begun(record), kept);
}

/// Throws std::out_of_range for an image beyond the last run or leg, which would never be through, and for costs that
/// are not those of each budget and stage.
void check_counts(const AttackRecord& record) {
  const auto fine = record.leg.ge(0).logical_and(record.leg.lt(record.legs)).logical_and(record.settled.ge(0));
  if (!fine.logical_and(record.settled.le(record.runs())).all().item<bool>()) throw std::out_of_range(record.name);
  bool fits = record.cost.size() == record.forward.size();
  for (const auto& stages : record.cost) fits = fits && stages.size() == record.stages.size();
  if (!fits) throw std::out_of_range(record.name);
}

/// Sum of two lists, place by place.
template <class Number>
void add_to(std::vector<Number>& sum, const std::vector<Number>& more) {
  for (size_t i = 0; i < sum.size(); ++i) sum[i] += more.at(i);
}

/// The counts and seconds of `more`, which a part of the images has cost.
void add_record_cost(AttackRecord& sum, const AttackRecord& more) {
  add_to(sum.forward, more.forward);
  add_to(sum.backward, more.backward);
  add_to(sum.seconds, more.seconds);
  for (size_t budget = 0; budget < sum.cost.size(); ++budget) {
    for (size_t s = 0; s < sum.cost[budget].size(); ++s) sum.cost[budget][s].add(more.cost.at(budget).at(s));
  }
}

Container container_of(const Ledger& ledger) {
  Container container;
  container.kind = kLedgerKind;
  container.header = {{"identity", ledger.identity}, {"attacks", json::array()}};
  container.tensors = {{"rows", torch::tensor(ledger.rows, torch::kInt64)},
                       {"labels", ledger.labels},
                       {"verdict", ledger.verdict},
                       {"attacked", ledger.attacked}};
  for (auto record : ledger.attacks) {
    container.header["attacks"].push_back(facts_of(record));
    for (const auto& [name, tensor] : record.columns()) container.tensors[record.name + "/" + name] = *tensor;
    add_open(record, container.tensors);
  }
  return container;
}

/// `name` is for messages.
Ledger ledger_of(const Container& container, const std::string& name) {
  try {
    Ledger ledger;
    ledger.identity = container.header.at("identity");
    ledger.rows = list_of(container.tensors.at("rows"));
    ledger.labels = container.tensors.at("labels");
    ledger.verdict = container.tensors.at("verdict");
    ledger.attacked = container.tensors.at("attacked");
    for (const auto& facts : container.header.at("attacks")) {
      AttackRecord record = record_of(facts);
      const auto stored = container.tensors.find(record.name + "/adversarial");
      if (stored != container.tensors.end()) record.adversarial = stored->second;
      for (const auto& [column, tensor] : record.columns()) *tensor = container.tensors.at(record.name + "/" + column);
      check_counts(record);
      read_open(record, container.tensors);
      ledger.attacks.push_back(std::move(record));
    }
    return ledger;
  } catch (const std::exception&) {
    throw UserError(fmt::format("{}: is incomplete; remove it", name));
  }
}

std::string shard_name(const json& shard) {
  return fmt::format("{}/{}", whole_of(shard.at(0)) + 1, whole_of(shard.at(1)));
}

/// Throws UserError unless these are all shards of one run, each there once and finished.
void check_shards(const std::vector<Ledger>& shards) {
  if (shards.empty()) throw UserError("merge: no shards are given");
  std::set<json> there;
  json first = shards.front().identity;
  for (const auto& ledger : shards) {
    const json shard = ledger.identity.at("shard");
    first["shard"] = shard;
    const auto different = differing_keys(first, ledger.identity);
    if (!different.empty()) {
      throw UserError(fmt::format("merge: shard {} is of another run, which differs in {}", shard_name(shard),
                                  fmt::join(different, ", ")));
    }
    if (!ledger.finished()) throw UserError(fmt::format("merge: shard {} is not finished", shard_name(shard)));
    if (!there.insert(shard).second) throw UserError(fmt::format("merge: shard {} is there twice", shard_name(shard)));
  }
  const int64_t of = whole_of(shards.front().identity.at("shard").at(1));
  for (int64_t index = 0; index < of; ++index) {
    const json shard{index, of};
    if (there.count(shard) == 0) throw UserError(fmt::format("merge: shard {} is missing", shard_name(shard)));
  }
  if (static_cast<int64_t>(there.size()) != of) throw UserError("merge: the shards are of different divisions");
}

}  // namespace

void StageCost::add(const StageCost& more) {
  images += more.images;
  forward += more.forward;
  backward += more.backward;
}

std::vector<std::pair<const char*, torch::Tensor*>> AttackRecord::columns() {
  std::vector<std::pair<const char*, torch::Tensor*>> all{
      {"broken", &broken},   {"logits", &logits}, {"distance", &distance}, {"stage", &stage}, {"float", &float_success},
      {"settled", &settled}, {"leg", &leg}};
  if (adversarial.defined()) all.emplace_back("adversarial", &adversarial);
  return all;
}

torch::Tensor Ledger::answers(const AttackRecord& attack, int64_t budget) const {
  return torch::where(right().logical_and(attack.broken.le(budget)), attack.answer(), verdict);
}

AttackRecord Ledger::worst() const {
  AttackRecord worst = attacks.front();
  worst.name = kWorstCase;
  worst.stages.clear();
  for (const auto& attack : attacks) {
    const auto better = attack.broken.lt(worst.broken);
    worst.broken = torch::where(better, attack.broken, worst.broken);
    worst.logits = torch::where(better.unsqueeze(1), attack.logits, worst.logits);
    worst.distance = torch::where(better, attack.distance, worst.distance);
    if (worst.adversarial.defined()) {
      worst.adversarial = torch::where(better.view({-1, 1, 1, 1}), attack.adversarial, worst.adversarial);
    }
  }
  return worst;
}

int64_t Ledger::steps() const {
  int64_t sum = 0;
  for (const auto& record : attacks) sum += record.runs() * record.legs;
  return sum * attacked.sum().item<int64_t>();
}

int64_t Ledger::done() const {
  int64_t sum = 0;
  for (const auto& record : attacks) {
    sum += (record.settled * record.legs + record.leg).masked_select(attacked).sum().item<int64_t>();
  }
  return sum;
}

torch::Tensor Ledger::through() const {
  auto all = torch::ones({size()}, torch::kBool);
  for (const auto& record : attacks) all = all.logical_and(record.settled.eq(record.runs()));
  return all.logical_or(attacked.logical_not());
}

Ledger Ledger::select(const torch::Tensor& places) const {
  Ledger part = *this;
  part.rows.clear();
  const auto list = places.contiguous();
  for (int64_t i = 0; i < list.size(0); ++i) part.rows.push_back(rows[static_cast<size_t>(list[i].item<int64_t>())]);
  for (auto* column : {&part.labels, &part.verdict, &part.attacked}) *column = column->index_select(0, places);
  for (auto& record : part.attacks) {
    for (const auto& [name, column] : record.columns()) *column = column->index_select(0, places);
    if (record.open.x_adv.defined()) record.open = record.open.select(places);
    std::fill(record.forward.begin(), record.forward.end(), 0);
    std::fill(record.backward.begin(), record.backward.end(), 0);
    std::fill(record.seconds.begin(), record.seconds.end(), 0.0);
    for (auto& stages : record.cost) std::fill(stages.begin(), stages.end(), StageCost{});
  }
  return part;
}

void Ledger::put(const torch::Tensor& places, const Ledger& part) {
  for (size_t i = 0; i < attacks.size(); ++i) {
    AttackRecord& record = attacks[i];
    AttackRecord found = part.attacks.at(i);
    const auto columns = record.columns(), found_columns = found.columns();
    for (size_t c = 0; c < columns.size(); ++c) columns[c].second->index_copy_(0, places, *found_columns.at(c).second);
    if (found.leg.any().item<bool>()) {
      if (!record.open.x_adv.defined()) record.open = Findings::like(found.open, size());
      record.open.put(places, found.open);
    }
    add_record_cost(record, found);
  }
}

std::string Ledger::bytes() const {
  return container_bytes(container_of(*this));
}

Ledger Ledger::from_bytes(const std::string& bytes) {
  const std::string name = "what another process sent";
  return ledger_of(read_container(bytes, name, kLedgerKind), name);
}

void Ledger::save(const std::filesystem::path& path) const {
  save_container(container_of(*this), path);
}

Ledger Ledger::load(const std::filesystem::path& path) {
  return ledger_of(load_container(path, kLedgerKind), path.string());
}

Ledger Ledger::load(const std::filesystem::path& path, const json& identity) {
  Ledger ledger = load(path);
  const auto different = differing_keys(ledger.identity, identity);
  if (!different.empty()) {
    throw UserError(fmt::format("{}: belongs to a run that differs in {}; remove it or choose another --out",
                                path.string(), fmt::join(different, ", ")));
  }
  return ledger;
}

Ledger Ledger::merge(const std::vector<Ledger>& shards) {
  check_shards(shards);
  Ledger whole = shards.front();
  whole.identity["shard"] = {0, 1};
  whole.rows.clear();
  for (const auto& shard : shards) whole.rows.insert(whole.rows.end(), shard.rows.begin(), shard.rows.end());
  const auto order = torch::tensor(whole.rows, torch::kInt64).argsort();
  std::sort(whole.rows.begin(), whole.rows.end());
  const auto joined = [&](const auto& column_of) {
    std::vector<torch::Tensor> parts;
    for (const auto& shard : shards) parts.push_back(column_of(shard));
    return torch::cat(parts).index_select(0, order);
  };
  whole.labels = joined([](const Ledger& shard) { return shard.labels; });
  whole.verdict = joined([](const Ledger& shard) { return shard.verdict; });
  whole.attacked = joined([](const Ledger& shard) { return shard.attacked; });
  for (size_t i = 0; i < whole.attacks.size(); ++i) {
    AttackRecord& record = whole.attacks[i];
    const auto columns = record.columns();
    for (size_t c = 0; c < columns.size(); ++c) {
      *columns[c].second = joined([&](Ledger shard) { return *shard.attacks.at(i).columns().at(c).second; });
    }
    for (size_t part = 1; part < shards.size(); ++part) add_record_cost(record, shards[part].attacks.at(i));
  }
  return whole;
}

}  // namespace fercli
