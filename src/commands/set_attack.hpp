#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "attacks/threat/emotion_goal.hpp"
#include "commands/options/data_options.hpp"
#include "commands/options/show_options.hpp"
#include "core/output_folder.hpp"
#include "draw/attack_picture.hpp"
#include "eval/attack_evaluation.hpp"

namespace fercli {

/// What commands share that learn one thing from a set of faces and score it on others: `universal` and `patch`.
struct SetAttack {
  explicit SetAttack(std::string name) : command(std::move(name)) {}

  std::string command;
  std::vector<std::string> goal_words;
  ModelOptions model;
  DataOptions data;
  int64_t learn_images = 1000, batch_size = 64;
  std::string out, language = "en";
  Runtime runtime;
  ShowOptions show;

  void declare_input(OptionSet& options);
  void declare_output(OptionSet& options);

  bool saves_files() const { return !show.json || !out.empty(); }
  std::filesystem::path folder(const EmotionGoal& goal) const;          ///< --out, or out/COMMAND-GOAL
  std::unique_ptr<OutputFolder> output(const EmotionGoal& goal) const;  ///< that folder; none where nothing is saved
};

/// Two sets without a common image; of each, the images that the goal concerns and the network classifies rightly.
struct SetImages {
  Dataset learn, test;
  std::string learn_split, test_split;  ///< "Training", "PublicTest", or "one half", "other half"
};

/// Which of the images are wanted; none: all.
using ImageFilter = std::function<Dataset(const Dataset&)>;

/// A data set with Training images and others is learnt from on Training and scored on --split; any other is halved, by
/// the seed. Throws UserError (data), RunError when nothing is left to learn from or to score, unless a filter says
/// what is wanted.
SetImages load_set_images(const SetAttack& options, const Checkpoint& checkpoint, const Classifier& classifier,
                          const EmotionGoal& goal, const ImageFilter& filter = {});

/// The share of these images that reaches the goal as `adversarial` (uint8, one per image), see `verdict_on_stored`.
Metric success_of(const Classifier& classifier, const Dataset& images, const torch::Tensor& adversarial,
                  const EmotionGoal& goal);

/// A result about `images`; the caller adds attacks, threat model and more metrics.
Result summarise_set(const SetAttack& options, const OptionSet& given, const std::vector<AttackedImage>& images,
                     const SetImages& sets, const Checkpoint& checkpoint);

/// Pictures, per_image.csv and result.json.
void write_set_files(const Result& result, const std::vector<AttackedImage>& images, const PictureTexts& texts,
                     const EmotionGoal& goal, const std::filesystem::path& folder);

/// Shows the success on the test images beside other success rates, by name; `explain` prints the text around it.
void show_success(const SetAttack& options, const Result& result, const std::string& title,
                  const std::vector<std::pair<const char*, const char*>>& rates,
                  const std::function<void(const std::string& table)>& explain);

/// "Sad 61.0 %, Fear 20.5 %, …": what the network says of the images afterwards.
std::string verdicts_after(const std::vector<AttackedImage>& images, const LabelSet& classes);

}  // namespace fercli
