#include "commands/set_attack.hpp"

#include <fmt/format.h>

#include "commands/options/division_options.hpp"
#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/file_name.hpp"
#include "core/files.hpp"
#include "core/observer.hpp"
#include "core/options.hpp"
#include "core/tensor_list.hpp"
#include "data/image.hpp"
#include "eval/campaign/verdict.hpp"
#include "eval/evaluate.hpp"
#include "eval/measures/subset.hpp"
#include "report/attack_export.hpp"

namespace fercli {

namespace {

Dataset concerned(const Dataset& dataset, const EmotionGoal& goal) {
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < dataset.size(); ++i) {
    const int64_t label = dataset.labels[i].item<int64_t>();
    if (label >= 0 && goal.concerns(label)) rows.push_back(i);
  }
  return dataset.select(rows);
}

Dataset rightly_classified(const Dataset& dataset, const Classifier& judge, int64_t batch_size) {
  if (dataset.size() == 0) return dataset;
  const auto right = predicted_classes(predict(judge, dataset, batch_size, ProgressObserver::terminal()).probabilities)
                         .eq(dataset.labels);
  return dataset.select(list_where(right));
}

/// As many as a gallery shows, from all parts of the set: data sets come class by class.
std::vector<AttackedImage> spread_sample(const std::vector<AttackedImage>& images) {
  const size_t count = std::min(images.size(), kGalleryImages);
  std::vector<AttackedImage> sample;
  for (size_t i = 0; i < count; ++i) sample.push_back(images[i * images.size() / count]);
  return sample;
}

/// Half of the images, by the seed.
std::pair<Dataset, Dataset> halves(const Dataset& all, uint64_t seed) {
  const auto order = Rng(seed).split("halves").permutation(all.size());
  const auto middle = order.begin() + static_cast<std::ptrdiff_t>(order.size() / 2);
  std::vector<int64_t> first(order.begin(), middle), second(middle, order.end());
  std::sort(first.begin(), first.end());
  std::sort(second.begin(), second.end());
  return {all.select(first), all.select(second)};
}

}  // namespace

void SetAttack::declare_input(OptionSet& options) {
  options.positional(&goal_words, 1, 1);
  options.section("Images and network");
  model.declare(options);
  data.declare(options);
  data.declare_split(options);
  options.integer("learn-images", &learn_images, at_least(1),
                  "learn from at most this many images, each class in proportion");
}

void SetAttack::declare_output(OptionSet& options) {
  model.declare_foreign(options);
  options.section("Output");
  options.text("out,o", &out, "DIR", fmt::format("folder for everything written; without it out/{}-GOAL", command));
  options.choice("lang", &language, {"en", "fr"}, "language of the pictures");
  show.declare(options);
  options.integer("batch-size,b", &batch_size, at_least(1), "images per forward pass; changes no number");
  model.declare_runtime(options, &runtime);
}

std::filesystem::path SetAttack::folder(const EmotionGoal& goal) const {
  return out.empty() ? std::filesystem::path("out") / file_name_of(fmt::format("{}-{}", command, goal.name))
                     : std::filesystem::path(out);
}

std::unique_ptr<OutputFolder> SetAttack::output(const EmotionGoal& goal) const {
  return saves_files() ? std::make_unique<OutputFolder>(folder(goal), command) : nullptr;
}

SetImages load_set_images(const SetAttack& options, const Checkpoint& checkpoint, const Classifier& classifier,
                          const EmotionGoal& goal, const ImageFilter& filter) {
  const Dataset all = options.data.read(options.model, checkpoint);
  const auto test_split = all.resolve_split(options.data.split);
  SetImages sets;
  if (all.has(Split::Training) && test_split && *test_split != Split::Training) {
    sets = {all.only(Split::Training), options.data.part(all), "Training", to_string(*test_split)};
  } else {
    auto [first, second] = halves(test_split ? all.only(*test_split) : all, options.runtime.seed);
    const Dataset scored = second.select(list_where(second.labels.ge(0)));
    sets = {first, subset(scored, options.data.limit), "one half", "other half"};
  }
  const Classifier judge = classifier.with_precision(Precision::Float32);
  sets.learn = subset(concerned(sets.learn, goal), options.learn_images);
  sets.test = concerned(sets.test, goal);
  for (auto* part : {&sets.learn, &sets.test}) {
    *part = rightly_classified(filter ? filter(*part) : *part, judge, options.batch_size);
  }
  if (filter) return sets;
  for (const auto& [part, split] : {std::pair{&sets.learn, sets.learn_split}, {&sets.test, sets.test_split}}) {
    if (part->size() > 0) continue;
    throw RunError(fmt::format("fercli {}: {}, {}: the network classifies no image of the classes to attack rightly",
                               options.command, all.name, split));
  }
  return sets;
}

Metric success_of(const Classifier& classifier, const Dataset& images, const torch::Tensor& adversarial,
                  const EmotionGoal& goal) {
  const auto reached =
      verdict_on_stored(classifier, adversarial, goal.for_labels(images.labels), ProgressObserver::terminal()).reached;
  return proportion(reached.sum().item<int64_t>(), images.size());
}

Result summarise_set(const SetAttack& options, const OptionSet& given, const std::vector<AttackedImage>& images,
                     const SetImages& sets, const Checkpoint& checkpoint) {
  Result result = summarise_images(images, checkpoint.classes);
  result.command = options.command;
  result.seed = options.runtime.seed;
  result.tables["learnt_from"] = describe_dataset(sets.learn, sets.learn_split);
  result.warnings = plain_warnings(checkpoint.warnings);
  result.options = recorded_options(given);
  result.dataset = describe_dataset(sets.test, sets.test_split);
  result.add_model(describe_model(checkpoint, options.model.model));
  return result;
}

void write_set_files(const Result& result, const std::vector<AttackedImage>& images, const PictureTexts& texts,
                     const EmotionGoal& goal, const std::filesystem::path& folder) {
  write_example(best_example(images, goal), texts, folder);
  write_png(draw_gallery(spread_sample(images), texts), folder / "gallery.png");
  write_file(folder / "per_image.csv", format_per_image_csv(images, texts.classes));
  write_result(result, folder / "result.json");
}

void show_success(const SetAttack& options, const Result& result, const std::string& title,
                  const std::vector<std::pair<const char*, const char*>>& rates,
                  const std::function<void(const std::string& table)>& explain) {
  const ShowOptions& show = options.show;
  if (show.json) return print_text("{}", format_result(result));
  const Metric& success = result.metrics.at("success_8bit");
  if (show.line_alone()) return print_text("{}: success {}\n", title, format_proportion(success));
  PrintedTable table{"", {"", ""}, {{"Success, 8-bit images", proportion_cell(success)}}};
  for (const auto& [metric, name] : rates) {
    if (result.metrics.count(metric) > 0) table.rows.push_back({name, proportion_cell(result.metrics.at(metric))});
  }
  if (show.text()) return explain(format_tables({table}, "text"));
  table.title = title;
  show.print({table});
}

std::string verdicts_after(const std::vector<AttackedImage>& images, const LabelSet& classes) {
  std::vector<std::pair<int64_t, std::string>> counts;
  for (const auto& name : classes.names()) counts.emplace_back(0, name);
  for (const auto& image : images) --counts[static_cast<size_t>(top_of(image.after))].first;
  std::stable_sort(counts.begin(), counts.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> words;
  for (const auto& [count, name] : counts) {
    if (count < 0) {
      words.push_back(
          fmt::format("{} {:.1f} %", name, -100.0 * static_cast<double>(count) / static_cast<double>(images.size())));
    }
  }
  return join(words, ", ");
}

}  // namespace fercli
