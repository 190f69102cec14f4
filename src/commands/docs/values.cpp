#include "commands/docs/values.hpp"

#include <algorithm>
#include <filesystem>
#include <map>

#include "attacks/engine/attack.hpp"
#include "attacks/threat/masks.hpp"
#include "core/command.hpp"
#include "core/files.hpp"
#include "core/text.hpp"
#include "data/label_set.hpp"
#include "eval/study/part.hpp"

namespace fercli {

namespace {

const std::vector<std::string> kPictures{"png", "jpg", "jpeg", "bmp", "webp", "tif", "tiff", "pgm", "ppm"};
const std::vector<std::string> kVideos{"mp4", "avi", "mkv", "mov", "webm"};

OptionValues nothing() {
  return {};
}

OptionValues words(std::vector<std::string> list) {
  OptionValues values;
  values.words = std::move(list);
  return values;
}

OptionValues files(std::vector<std::string> extensions = {}, std::vector<std::string> also = {}) {
  OptionValues values = words(std::move(also));
  values.files = true;
  values.extensions = std::move(extensions);
  return values;
}

OptionValues folders() {
  OptionValues values;
  values.folders = true;
  return values;
}

OptionValues listed(OptionValues values) {
  values.list = true;
  return values;
}

OptionValues goal() {
  OptionValues values;
  values.goal = true;
  return values;
}

/// The networks in the folder of shipped ones.
std::vector<std::string> shipped_models() {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(find_shipped("models"), error)) {
    if (entry.path().extension() == ".pt") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> command_names() {
  std::vector<std::string> names;
  for (const auto& command : shown_commands()) names.push_back(command.name);
  return names;
}

std::vector<std::string> joined(std::vector<std::string> one, const std::vector<std::string>& other) {
  one.insert(one.end(), other.begin(), other.end());
  return one;
}

/// Values by what the help texts call them. A value of any other name is unknown, which a test reports.
const std::map<std::string, OptionValues>& kinds() {
  static const std::vector<std::string> orders = split(kLabelOrders, ',');
  static const std::map<std::string, OptionValues> table{
      {"N", nothing()},
      {"X", nothing()},
      {"A,B", nothing()},
      {"M,…", nothing()},
      {"S,…", nothing()},
      {"EPS,…", nothing()},
      {"SHAPE", nothing()},
      {"TIME", nothing()},
      {"NAME", nothing()},
      {"I/N", nothing()},
      {"TOKEN", nothing()},
      {"ADDRESS", nothing()},
      {"NAME=VALUE", nothing()},
      {"NAME=CLASS,…", nothing()},
      {"ORIGIN", nothing()},
      {"EPS", nothing()},
      {"TEXT", nothing()},
      {"URL", nothing()},
      {"GOAL", goal()},
      {"ATTACK", words(Registry<AttackEntry>::instance().names())},
      {"ATTACK,…", listed(words(Registry<AttackEntry>::instance().names()))},
      {"PART,…", listed(words(Registry<StudyPart>::instance().names()))},
      {"WHERE", listed(words(face_region_names()))},
      {"ORDER", words(orders)},
      {"SPLIT", words({"Training", "PublicTest", "PrivateTest", "all"})},
      {"COMMAND", words(command_names())},
      {"MODEL", listed(files({"pt", "pth", "h5", "hdf5", "keras", "json", "onnx", "safetensors"}, shipped_models()))},
      {"SOURCE", files({"csv", "ferpack"}, {"synthetic:"})},
      {"DESTINATION", files({"csv", "ferpack"})},
      {"FILE", files()},
      {"DIR", folders()},
  };
  return table;
}

/// Where the option's name says more than that of its value.
const std::map<std::string, OptionValues>& special_options() {
  static const std::map<std::string, OptionValues> table{
      {"image", files(kPictures)},
      {"source", files(joined(kPictures, kVideos), {"synthetic"})},
      {"detector", files({"xml", "onnx"}, {"haar"})},
      {"record", files({"mp4", "avi"})},
      {"record-annotated", files({"mp4", "avi"})},
      {"csv", files({"csv"})},
      {"jsonl", files({"jsonl"})},
      {"config", files({"ini"})},
  };
  return table;
}

void add(OptionValues& sum, const OptionValues& more) {
  sum.words = joined(sum.words, more.words);
  sum.list |= more.list;
  sum.goal |= more.goal;
  sum.folders |= more.folders;
  sum.known &= more.known;
  // Files of any kind include those of some.
  const bool any = (sum.files && sum.extensions.empty()) || (more.files && more.extensions.empty());
  sum.files |= more.files;
  sum.extensions = any ? std::vector<std::string>{} : joined(sum.extensions, more.extensions);
}

/// "FILE", "FILE.csv", "cpu|cuda|cuda:N": alternatives are separated by bars, and lower-case ones stand for themselves.
OptionValues values_of_name(const std::string& name) {
  const auto& table = kinds();
  OptionValues sum;
  for (const auto& piece : split(name, '|')) {
    const size_t dot = piece.find('.');
    const auto kind = table.find(piece);
    if (kind != table.end()) {
      add(sum, kind->second);
    } else if (dot != std::string::npos && dot > 0) {
      add(sum, files({piece.substr(dot + 1)}));
    } else if (piece == to_lower(piece)) {
      add(sum, words({piece}));
    } else if (piece.find(':') == std::string::npos) {  // cuda:N: cuda suffices
      sum.known = false;
    }
  }
  return sum;
}

}  // namespace

OptionValues values_of(const DeclaredOption& option) {
  if (!option.choices.empty()) return words(option.choices);
  const auto special = special_options().find(option.name);
  return special == special_options().end() || option.metavar == "GOAL" ? values_of_name(option.metavar)
                                                                        : special->second;
}

std::vector<OptionValues> values_of_usage(const std::string& usage) {
  std::vector<OptionValues> list;
  for (auto word : split(usage, ' ')) {
    word.erase(std::remove_if(word.begin(), word.end(), [](char c) { return c == '[' || c == ']'; }), word.end());
    if (!word.empty() && word != "…") list.push_back(values_of_name(word));
  }
  return list;
}

std::vector<std::string> goal_emotions() {
  std::vector<std::string> names;
  for (const auto& emotion : emotions()) names.push_back(to_lower(emotion.name));
  return names;
}

std::vector<std::string> other_emotion_names() {
  const auto plain = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto first = goal_emotions();
  std::vector<std::string> names;
  for (const auto& emotion : emotions()) {
    for (const auto& alias : emotion.aliases) {
      if (std::all_of(alias.begin(), alias.end(), plain) && std::find(first.begin(), first.end(), alias) == first.end())
        names.push_back(alias);
    }
  }
  return names;
}

}  // namespace fercli
