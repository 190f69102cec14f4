#include "commands/attack/attack_report.hpp"

#include <fmt/format.h>

#include "commands/explanation_tables.hpp"
#include "commands/options/attack_options.hpp"
#include "core/escape.hpp"
#include "report/attack_export.hpp"

namespace fercli {

namespace {

constexpr size_t kRowsShown = 10;
constexpr size_t kSuccess = 2;  ///< its column

std::string verdict(const std::vector<double>& probabilities, const LabelSet& classes) {
  const int64_t best = top_of(probabilities);
  return fmt::format("{} {:.1f} %", classes.name(best), 100 * probabilities[static_cast<size_t>(best)]);
}

/// The end of a long id, so that columns stay in line.
std::string shortened(const std::string& name, size_t room) {
  const std::string id = printable(name);
  return id.size() <= room ? id : "..." + id.substr(id.size() - room + 3);
}

/// Of equal images the PSNR is infinite.
std::string psnr_text(const AttackedImage& image, const std::string& before = "") {
  return std::isfinite(image.psnr) ? fmt::format("{}{:.1f} dB", before, image.psnr) : "unchanged";
}

std::vector<PrintedCell> image_row(const AttackedImage& image, const AttackReport& report) {
  std::vector<PrintedCell> row{image.id,
                               verdict(image.clean, report.classes),
                               image.success ? "->" : "",
                               verdict(image.after, report.classes),
                               figure_cell(fmt::format("{}/255", std::lround(image.linf * 255))),
                               figure_cell(fmt::format("{:.2f}", image.l2)),
                               figure_cell(psnr_text(image)),
                               figure_cell(std::isfinite(image.ssim) ? fmt::format("{:.3f}", image.ssim) : "-")};
  if (report.plan.minimal_eps) {
    row.push_back(figure_cell(image.minimal_eps ? format_eps(*image.minimal_eps, report.plan.threat.norm) : "-"));
  }
  return row;
}

/// The images, the best example first.
PrintedTable images_of(const AttackReport& report) {
  PrintedTable table{"", {"image", "before", "", "after", "Linf", "L2", "PSNR", "SSIM"}, {}};
  if (report.plan.minimal_eps) table.columns.push_back("minimal eps");
  const AttackedImage& best = best_example(report.outcome.images, report.plan.goal);
  table.rows.push_back(image_row(best, report));
  for (const auto& image : report.outcome.images) {
    if (&image != &best) table.rows.push_back(image_row(image, report));
  }
  return table;
}

/// For people: some of the images, with ids that leave room.
void print_images(const AttackReport& report) {
  PrintedTable table = images_of(report);
  const size_t all = table.rows.size();
  table.rows.erase(table.rows.begin() + static_cast<std::ptrdiff_t>(std::min(all, kRowsShown)), table.rows.end());
  for (auto& row : table.rows) row.front().text = shortened(row.front().text, 30);
  write_stdout(format_tables({table}, "text"));
  if (all > kRowsShown) print_text("  ... and {} more\n", all - kRowsShown);
}

PrintedTable figures_of(const AttackReport& report) {
  PrintedTable table{"",
                     {"", ""},
                     {{"Success, 8-bit images", proportion_cell(report.result.metrics.at("success_8bit"))},
                      {"Off the pixel grid", proportion_cell(report.result.metrics.at("success_float"))}}};
  if (report.plan.minimal_eps) {
    const Metric& median = report.result.metrics.at("median_minimal_eps");
    PrintedCell cell(describe_median_eps(median, report.plan.threat.norm));
    cell.metric = median;
    table.rows.push_back({"Median minimal eps", cell});
  }
  return table;
}

std::string title_of(const AttackReport& report) {
  return fmt::format("{}: {} in {}, eps {}", report.plan.goal.name, report.plan.attack,
                     to_string(report.plan.threat.norm), report.eps);
}

/// Several models, one below the other.
PrintedTable comparison_of(const std::vector<const AttackReport*>& reports) {
  PrintedTable table{"", {"model", "attacked", "success, 8-bit images"}, {}};
  const bool minimal = reports.front()->plan.minimal_eps;
  if (minimal) table.columns.push_back("median minimal eps");
  for (const AttackReport* report : reports) {
    table.rows.push_back({report->model, fmt::format("{} of {}", report->result.n, report->selection.of_source.size()),
                          proportion_cell(report->result.metrics.at("success_8bit"))});
    if (minimal) table.rows.back().push_back(figures_of(*report).rows.back().back());
  }
  return table;
}

void print_title(const AttackReport& report) {
  print_text("{}\n", title_of(report));
  const auto note = levels_note(report.plan.threat.norm, report.eps, report.plan.threat.eps);
  if (!note.empty()) print_text("{}\n", note);
}

std::string success_line(const AttackReport& report) {
  return "success " + format_proportion(report.result.metrics.at("success_8bit"));
}

}  // namespace

void print_attack(const AttackReport& report, const ShowOptions& show) {
  if (show.json) return print_text("{}", format_result(report.result));
  if (show.line_alone()) return print_text("{}: {}\n", title_of(report), success_line(report));
  if (!show.text()) {
    PrintedTable images = images_of(report), figures = figures_of(report);
    images.title = title_of(report) + ", by image";
    images.columns[kSuccess] = "success";
    for (auto& row : images.rows) row[kSuccess] = row[kSuccess].text.empty() ? "no" : "yes";
    figures.title = title_of(report);
    std::vector<PrintedTable> tables{figures, images};
    if (report.explain) tables.push_back(stage_table(report.result));
    return show.print(tables);
  }
  const auto& plan = report.plan;
  print_title(report);
  print_text("{} images {}; {} of them classified so with more than {:g} %\n\n", report.selection.of_source.size(),
             plan.goal.source ? "of class " + report.classes.name(*plan.goal.source) : "of the classes attacked",
             report.selection.confident.size(), 100 * plan.min_confidence);
  const AttackedImage& best = best_example(report.outcome.images, plan.goal);
  print_images(report);
  if (report.result.n == 0) {
    print_text("\nNo success is counted: the network was sure of none of these images before the attack.\n");
  }
  print_text("\n");
  show.print({figures_of(report)});
  if (report.explain) {
    print_text("\n");
    show.print({stage_table(report.result)});
  }
  print_text("\n{}: {} {} {}{}, Linf {}/255, {}\n", best.success ? "Best example" : "No success; the best try",
             verdict(best.clean, report.classes), best.success ? "->" : "before,", verdict(best.after, report.classes),
             best.success ? "" : " after", std::lround(best.linf * 255), psnr_text(best, "PSNR "));
  const std::string folder = report.folder.string();
  print_text(
      "  {0}/adversarial_attack.png   original | perturbation | adversarial\n  {0}/original.png, adversarial.png\n",
      folder);
  if (report.outcome.images.size() > 1) print_text("  {}/gallery.png\n", folder);
  print_text("  {0}/result.json, per_image.csv{1}\n", folder, report.keeps_images ? ", adversarial/" : "");
}

void print_comparison(const std::vector<const AttackReport*>& reports, const std::filesystem::path& picture,
                      const ShowOptions& show) {
  std::vector<PrintedTable> tables{comparison_of(reports)};
  for (const AttackReport* report : reports) {
    if (report->explain) tables.push_back(stage_table(report->result, report->model + ": "));
  }
  if (show.line_alone()) {
    for (const AttackReport* report : reports) print_text("{}: {}\n", printable(report->model), success_line(*report));
    return;
  }
  if (!show.text()) {
    tables.front().title = title_of(*reports.front());
    return show.print(tables);
  }
  print_title(*reports.front());
  print_text("\n");
  show.print(tables);
  print_text("\n");
  if (!picture.empty()) print_text("  {}   one face, all models\n", picture.string());
  for (const AttackReport* report : reports) print_text("  {}/\n", report->folder.string());
}

}  // namespace fercli
