#include "commands/attack/attack_report.hpp"

#include <fmt/format.h>

#include "commands/options/attack_options.hpp"
#include "core/escape.hpp"
#include "report/attack_export.hpp"

namespace fercli {

namespace {

constexpr size_t kRowsShown = 10;

std::string verdict(const std::vector<double>& probabilities, const LabelSet& classes) {
  const int64_t best = top_of(probabilities);
  return fmt::format("{} {:.1f} %", classes.name(best), 100 * probabilities[static_cast<size_t>(best)]);
}

/// The end of a long id, so that columns stay in line.
std::string shortened(const std::string& name, size_t room) {
  const std::string id = printable(name);
  return id.size() <= room ? id : "..." + id.substr(id.size() - room + 3);
}

void print_row(const AttackedImage& image, const AttackReport& report) {
  const std::string noise = std::isfinite(image.psnr) ? fmt::format("{:.1f} dB", image.psnr) : "-";
  const std::string similarity = std::isfinite(image.ssim) ? fmt::format("{:.3f}", image.ssim) : "-";
  const std::string minimal =
      image.minimal_eps ? fmt::format("  {:>11}", format_eps(*image.minimal_eps, report.plan.threat.norm)) : "";
  print_text("  {:<30}  {:<16} {} {:<16}  {:>7}  {:>6.2f}  {:>7}  {:>5}{}\n", shortened(image.id, 30),
             verdict(image.clean, report.classes), image.success ? "->" : "  ", verdict(image.after, report.classes),
             fmt::format("{}/255", std::lround(image.linf * 255)), image.l2, noise, similarity, minimal);
}

void print_table(const AttackReport& report, const AttackedImage& best) {
  print_text("  {:<30}  {:<16}    {:<16}  {:>7}  {:>6}  {:>7}  {:>5}{}\n", "image", "before", "after", "Linf", "L2",
             "PSNR", "SSIM", report.plan.minimal_eps ? "  minimal eps" : "");
  print_row(best, report);
  size_t shown = 1;
  for (const auto& image : report.outcome.images) {
    if (&image == &best) continue;
    if (shown++ < kRowsShown) print_row(image, report);
  }
  if (shown > kRowsShown) print_text("  ... and {} more\n", report.outcome.images.size() - kRowsShown);
}

void print_title(const AttackReport& report) {
  print_text("{}: {} in {}, eps {}\n", report.plan.goal.name, report.plan.attack, to_string(report.plan.threat.norm),
             report.eps);
  const auto note = levels_note(report.plan.threat.norm, report.eps, report.plan.threat.eps);
  if (!note.empty()) print_text("{}\n", note);
}

}  // namespace

void print_attack(const AttackReport& report) {
  const auto& plan = report.plan;
  print_title(report);
  print_text("{} images {}; {} of them classified so with more than {:g} %\n\n", report.selection.of_source.size(),
             plan.goal.source ? "of class " + report.classes.name(*plan.goal.source) : "of the classes attacked",
             report.selection.confident.size(), 100 * plan.min_confidence);
  const AttackedImage& best = best_example(report.outcome.images, plan.goal);
  print_table(report, best);
  if (report.result.n == 0) {
    print_text("\nNo success is counted: the network was sure of none of these images before the attack.\n");
  }
  print_text("\nSuccess, 8-bit images  {}\n", format_proportion(report.result.metrics.at("success_8bit")));
  print_text("Off the pixel grid     {}\n", format_proportion(report.result.metrics.at("success_float")));
  if (plan.minimal_eps) {
    const Metric& median = report.result.metrics.at("median_minimal_eps");
    print_text("Median minimal eps     {} (n = {}, 95 % CI {} to {})\n", format_eps(median.value, plan.threat.norm),
               median.n, format_eps(median.interval.low, plan.threat.norm),
               format_eps(median.interval.high, plan.threat.norm));
  }
  print_text("\n{}: {} {} {}{}, Linf {}/255, PSNR {:.1f} dB\n",
             best.success ? "Best example" : "No success; the best try", verdict(best.clean, report.classes),
             best.success ? "->" : "before,", verdict(best.after, report.classes), best.success ? "" : " after",
             std::lround(best.linf * 255), best.psnr);
  const std::string folder = report.folder.string();
  print_text(
      "  {0}/adversarial_attack.png   original | perturbation | adversarial\n  {0}/original.png, adversarial.png\n",
      folder);
  if (report.outcome.images.size() > 1) print_text("  {}/gallery.png\n", folder);
  print_text("  {0}/result.json, per_image.csv{1}\n", folder, report.keeps_images ? ", adversarial/" : "");
}

void print_comparison(const std::vector<const AttackReport*>& reports, const std::filesystem::path& picture) {
  print_title(*reports.front());
  print_text("\n  {:<14} {:>12}  {:<42}{}\n", "model", "attacked", "success, 8-bit images",
             reports.front()->plan.minimal_eps ? "median minimal eps" : "");
  for (const AttackReport* report : reports) {
    const Metric& success = report->result.metrics.at("success_8bit");
    std::string median;
    if (report->plan.minimal_eps) {
      median = format_eps(report->result.metrics.at("median_minimal_eps").value, report->plan.threat.norm);
    }
    print_text("  {:<14} {:>12}  {:<42}{}\n", shortened(report->model, 14),
               fmt::format("{} of {}", report->result.n, report->selection.of_source.size()),
               format_proportion(success), median);
  }
  print_text("\n");
  if (!picture.empty()) print_text("  {}   one face, all models\n", picture.string());
  for (const AttackReport* report : reports) print_text("  {}/\n", report->folder.string());
}

}  // namespace fercli
