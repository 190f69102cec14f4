#include "eval/campaign/shard_folder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iomanip>
#include <map>

#include "core/build_info.hpp"
#include "core/error.hpp"
#include "core/files.hpp"
#include "core/json_text.hpp"
#include "core/text.hpp"
#include "core/untrusted.hpp"
#include "record/document_kind.hpp"
#include "record/fields.hpp"

namespace fercli {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kShards = "shards";
constexpr const char* kRunFile = "run.json";
constexpr const char* kFinished = "finished";
constexpr const char* kStateEnd = ".state";

std::string folder_name(const Shard& shard) {
  return fmt::format("{}-of-{}", shard.index + 1, shard.of);
}

/// "2-of-3"; none for any other name.
std::optional<Shard> shard_of(const std::string& name) {
  const auto middle = name.find("-of-");
  if (middle == std::string::npos) return {};
  try {
    const Shard shard{parse_integer(name.substr(0, middle)) - 1, parse_integer(name.substr(middle + 4))};
    if (shard.index >= 0 && shard.index < shard.of) return shard;
  } catch (const std::invalid_argument&) {
  }
  return {};
}

/// What a campaign is called in the folder of a shard: where it keeps its state below `out`.
std::string campaign_name(const fs::path& out, const CampaignOptions& options) {
  fs::path place = options.state->lexically_relative(out);
  if (place.empty() || *place.begin() == "..") place = options.state->filename();
  std::string name = place.string();
  std::replace(name.begin(), name.end(), '/', '.');
  const auto end = name.rfind(kStateEnd);
  return end == std::string::npos ? name : name.erase(end, std::string(kStateEnd).size());
}

std::string ledger_name(const std::string& campaign) {
  return campaign + ".ledger";
}

/// What must be the same in all shards. `of_part`: where the images themselves depend on the shard.
json common_part(json identity, bool of_part) {
  identity.erase("shard");
  for (const char* key : {"data set", "start"}) {
    if (of_part) identity.erase(key);
  }
  return identity;
}

/// A shard that was refused has left an empty folder.
bool has_begun(const fs::path& folder) {
  return std::any_of(fs::directory_iterator(folder), fs::directory_iterator(),
                     [](const auto& entry) { return entry.path().filename().string().front() != '.'; });
}

}  // namespace

constexpr const char* kShardsSchema = "fercli-shards/1";

template <class Visitor>
void visit_fields(Visitor& field, ShardedRun& run) {
  field.constant("schema", kShardsSchema, "of this document");
  field("command", run.command, "which is divided");
  field("arguments", run.arguments, "of the command, without --shard, --out and what only a person gives");
  field("identity", run.identity, "what all shards share, by name", shape::open_object({}));
}

namespace {

const Register<DocumentKind> shards_document{
    {"shards", "shards/run.json of eval, attack and report with --shard", schema_of_record<ShardedRun>}};

json read_object(const fs::path& file) {
  json value = read_untrusted_json(file);
  if (!value.is_object()) throw UserError(fmt::format("{}: is damaged", file.string()));
  return value;
}

}  // namespace

std::string to_string(const Shard& shard) {
  return fmt::format("{}/{}", shard.index + 1, shard.of);
}

ShardedRun ShardedRun::read(const fs::path& out) {
  const fs::path file = out / kShards / kRunFile;
  if (!fs::exists(file)) {
    throw UserError(fmt::format(
        "{}: holds no shards; `fercli eval`, `attack`, `report`, `verify` and `universal` write them with --shard",
        out.string()));
  }
  ShardedRun run;
  run.out = out;
  try {
    const json document = read_object(file);
    if (document.value("schema", json(kShardsSchema)) != kShardsSchema) {
      throw UserError(
          fmt::format("{}: is of another schema than {}, which this fercli reads", file.string(), kShardsSchema));
    }
    read_record(document, run);
  } catch (const json::exception&) {
    throw UserError(fmt::format("{}: is damaged", file.string()));
  }
  if (!run.identity.is_object()) throw UserError(fmt::format("{}: is damaged", file.string()));
  return run;
}

std::set<std::string> revisions_of_shards(const fs::path& out) {
  constexpr int kLongest = 32;
  std::set<std::string> revisions;
  for (const auto& entry : fs::directory_iterator(out / kShards)) {
    const fs::path file = entry.path() / kFinished;
    if (!fs::is_regular_file(file)) continue;
    std::string revision;
    std::ifstream(file) >> std::setw(kLongest) >> revision;
    if (!revision.empty()) revisions.insert(revision);
  }
  return revisions;
}

ShardMaker::ShardMaker(const ShardedRun& run, const Shard& shard, Division* team)
    : out_(run.out), shards_(run.out / kShards), folder_(shards_ / folder_name(shard)), shard_(shard), team_(team) {
  if (!writes()) return;
  lock_.emplace(OutputLock::of_folder(folder_));
  if (!fs::exists(shards_ / kRunFile)) {
    write_file(shards_ / kRunFile, pretty_json(write_record(run)) + "\n");
    return;
  }
  const auto first = ShardedRun::read(out_);
  auto mine = run.identity, theirs = first.identity;
  mine["command"] = run.command;
  theirs["command"] = first.command;
  const auto different = differing_keys(theirs, mine);
  if (!different.empty()) {
    throw UserError(fmt::format("--shard {}: {} holds shards of a run that differs in {}; choose another --out",
                                to_string(shard), shards_.string(), fmt::join(different, ", ")));
  }
}

/// The first shard that comes to a campaign writes what it is; the others compare.
void ShardMaker::compare(const fs::path& file, const json& identity) const {
  if (!fs::exists(file)) {
    write_file(file, pretty_json(identity) + "\n");
    return;
  }
  const auto different = differing_keys(read_object(file), json::parse(compact_json(identity)));
  if (different.empty()) return;
  throw UserError(fmt::format("--shard {}: {} holds shards of a run that differs in {}; choose another --out",
                              to_string(shard_), shards_.string(), fmt::join(different, ", ")));
}

Ledger ShardMaker::run(const Bench& bench, const Trial& trial, const CampaignOptions& options, Observer& observer) {
  CampaignOptions mine = options;
  mine.shard = shard_;
  mine.partial = false;
  mine.division = team_;
  if (writes()) {
    const std::string name = campaign_name(out_, options);
    compare(shards_ / (name + ".json"), common_part(campaign_identity(bench, trial), options.of_part));
    mine.state = folder_ / ledger_name(name);
  }
  return run_campaign(bench, trial, mine, observer);
}

json ShardMaker::agree(const json& mine) {
  return team_ != nullptr ? team_->agree(mine) : mine;
}

bool ShardMaker::does_part(int64_t index) const {
  return writes() && index % shard_.of == shard_.index;
}

void ShardMaker::finish() {
  if (writes()) write_file(folder_ / kFinished, git_revision());
}

ShardMerger::ShardMerger(fs::path out) : out_(std::move(out)) {
  ShardedRun::read(out_);
  std::map<int64_t, std::string> there;
  for (const auto& entry : fs::directory_iterator(out_ / kShards)) {
    const std::string name = entry.path().filename().string();
    const auto shard = shard_of(name);
    if (!shard || !entry.is_directory() || !has_begun(entry.path())) continue;
    if (of_ == 0) of_ = shard->of;
    if (shard->of != of_) {
      throw UserError(fmt::format("merge: {} holds shards of different divisions, {} and {}", (out_ / kShards).string(),
                                  there.begin()->second, name));
    }
    if (!there.emplace(shard->index, name).second) {
      throw UserError(fmt::format("merge: shard {} is there twice", to_string(*shard)));
    }
    if (!fs::exists(entry.path() / kFinished)) {
      throw UserError(fmt::format("merge: shard {} is not finished; its command goes on with it", to_string(*shard)));
    }
  }
  for (int64_t index = 0; index < std::max<int64_t>(of_, 1); ++index) {
    if (there.count(index) == 0) {
      throw UserError(fmt::format("merge: shard {} is missing", to_string(Shard{index, std::max<int64_t>(of_, 1)})));
    }
  }
}

std::vector<fs::path> ShardMerger::made_parts() const {
  std::vector<fs::path> folders;
  for (int64_t index = 0; index < of_; ++index) folders.push_back(out_ / kShards / folder_name({index, of_}) / "parts");
  return folders;
}

Ledger ShardMerger::piece(const Bench& bench, const Trial& trial, const CampaignOptions& options,
                          const Shard& shard) const {
  const auto rows = campaign_rows(bench, trial, shard);
  const std::string name = campaign_name(out_, options);
  const fs::path file = out_ / kShards / folder_name(shard) / ledger_name(name);
  if (!fs::exists(file)) {
    // A shard without an image for it does not come to this campaign.
    CampaignOptions none;
    none.shard = shard;
    if (rows.empty()) return begin_campaign(bench, trial, none, Observer::none());
    throw UserError(fmt::format("merge: shard {} is of another run: it has no {}", to_string(shard), name));
  }
  Ledger piece = Ledger::load(file);
  const auto different = differing_keys(common_part(piece.identity, options.of_part),
                                        common_part(campaign_identity(bench, trial), options.of_part));
  if (!different.empty()) {
    throw UserError(fmt::format("merge: shard {} is of another run, which differs in {}", to_string(shard),
                                fmt::join(different, ", ")));
  }
  if (piece.rows.size() != rows.size()) {
    throw UserError(fmt::format("merge: shard {} is of another run: {} has {} images there, {} are needed",
                                to_string(shard), name, piece.rows.size(), rows.size()));
  }
  // A shard whose images depend on what it found before counts them its own way, in the same order.
  piece.rows = rows;
  const json place = piece.identity.at("shard");
  piece.identity = campaign_identity(bench, trial);
  piece.identity["shard"] = place;
  return piece;
}

Ledger ShardMerger::run(const Bench& bench, const Trial& trial, const CampaignOptions& options, Observer&) {
  std::vector<Ledger> pieces;
  for (int64_t index = 0; index < of_; ++index) pieces.push_back(piece(bench, trial, options, {index, of_}));
  return Ledger::merge(pieces);
}

}  // namespace fercli
