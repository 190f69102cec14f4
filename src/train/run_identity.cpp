#include "train/run_identity.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/json_text.hpp"

namespace fercli {

namespace {

std::string option_difference(const nlohmann::json& then, const nlohmann::json& now,
                              const std::filesystem::path& file) {
  const auto different = differing_keys(then, now);
  if (different.empty()) return "";
  const std::string name = different.count("loss") > 0 ? "loss" : *different.begin();  // others come and go with it
  const auto shown = [&](const nlohmann::json& side) { return side.contains(name) ? side[name].dump() : "not set"; };
  std::string text =
      fmt::format("--{} was {} when this run was started, now it is {}; a run can only be resumed unchanged", name,
                  shown(then), shown(now));
  if (name == "epochs") {
    text += fmt::format("; to train longer, start another from its weights: --weights {} --out OTHER",
                        (file.parent_path() / "last.pt").string());
  }
  return text;
}

}  // namespace

void RunIdentity::require_same(const RunIdentity& then, const std::filesystem::path& file) const {
  const auto refuse = [&](const std::string& reason) { throw UserError(fmt::format("{}: {}", file.string(), reason)); };
  if (const auto difference = option_difference(then.options, options, file); !difference.empty()) refuse(difference);
  if (then.arch != arch || then.settings != settings) refuse(fmt::format("is of another architecture ({})", then.arch));
  if (then.data != data) refuse("this run was started on other data");
  if (!weights.is_null() && (then.weights.is_null() || then.weights.at("sha256") != weights.at("sha256"))) {
    refuse(fmt::format(
        "this run was started from {}, not from what --weights names now; leave --weights out, the weights come from "
        "the state",
        then.weights.is_null() ? "random weights" : then.weights.at("file").get<std::string>()));
  }
}

}  // namespace fercli
