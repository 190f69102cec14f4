#include "report/attack_export.hpp"

#include <fmt/format.h>

#include <set>

#include "core/escape.hpp"
#include "core/file_name.hpp"
#include "core/output_part.hpp"
#include "core/text.hpp"
#include "data/image.hpp"

namespace fercli {

namespace fs = std::filesystem;

namespace {

/// Different ids may give one path (a.jpg and a.png): later ones get a number.
fs::path unused(fs::path path, std::set<fs::path>* used) {
  const std::string stem = path.stem().string();
  for (int number = 2; !used->insert(path).second; ++number)
    path.replace_filename(fmt::format("{}-{}.png", stem, number));
  return path;
}

}  // namespace

fs::path png_path(const std::string& id) {
  fs::path path;
  for (const auto& part : split(id, '/')) {
    if (!part.empty() && part != "." && part != "..") path /= file_name_of(part, "image");
  }
  if (path.empty()) path = "image";
  if (has_image_extension(path)) return path.replace_extension(".png");
  return path += ".png";
}

void write_adversarial(std::vector<AttackedImage>& images, const fs::path& folder) {
  std::set<fs::path> used;
  for (auto& image : images) {
    const fs::path name = unused(png_path(image.id), &used);
    write_png(image.adversarial, folder / "adversarial" / name);
    image.file = final_name(folder / "adversarial" / name).string();
    if (!image.minimal_eps || !std::isfinite(*image.minimal_eps)) continue;
    write_png(image.minimal, folder / "minimal" / name);
    image.minimal_file = final_name(folder / "minimal" / name).string();
  }
}

const AttackedImage& best_example(const std::vector<AttackedImage>& images, const EmotionGoal& goal) {
  const auto score = [&](const AttackedImage& image) {
    const double before = image.clean[static_cast<size_t>(image.label)];
    const double after = goal.target ? image.after[static_cast<size_t>(*goal.target)]
                                     : 1 - image.after[static_cast<size_t>(image.label)];
    return (image.success ? 1 : 0) + std::min(before, after);
  };
  return *std::max_element(images.begin(), images.end(),
                           [&](const auto& a, const auto& b) { return score(a) < score(b); });
}

void write_example(const AttackedImage& image, const PictureTexts& texts, const fs::path& folder) {
  const int64_t factor = display_factor(image.original);
  write_png(image.original, folder / "original.png");
  write_png(image.adversarial, folder / "adversarial.png");
  write_png(enlarge_image(image.original, factor), folder / "original_enlarged.png");
  write_png(enlarge_image(image.adversarial, factor), folder / "adversarial_enlarged.png");
  write_png(draw_attack(image, texts), folder / "adversarial_attack.png");
}

std::string format_per_image_csv(const std::vector<AttackedImage>& images, const std::vector<std::string>& classes) {
  std::string text =
      "id,label,clean_class,clean_probability,adversarial_class,adversarial_probability,label_probability_after,linf_"
      "255,l2,"
      "psnr,ssim,success_8bit,success_float,minimal_eps,file,minimal_file,sure\n";
  for (const auto& image : images) {
    const auto before = static_cast<size_t>(top_of(image.clean)), after = static_cast<size_t>(top_of(image.after));
    const bool reached = image.minimal_eps && std::isfinite(*image.minimal_eps);
    const std::string minimal = reached ? fmt::format("{:.6g}", *image.minimal_eps) : "";
    const std::string noise = std::isfinite(image.psnr) ? fmt::format("{:.3f}", image.psnr) : "";
    const std::string similarity = std::isfinite(image.ssim) ? fmt::format("{:.5f}", image.ssim) : "";
    text += fmt::format("{},{},{},{:.6f},{},{:.6f},{:.6f},{},{:.6f},{},{},{:d},{:d},{},{},{},{:d}\n",
                        csv_field(image.id), csv_field(classes[static_cast<size_t>(image.label)]),
                        csv_field(classes[before]), image.clean[before], csv_field(classes[after]), image.after[after],
                        image.after[static_cast<size_t>(image.label)], std::lround(image.linf * 255), image.l2, noise,
                        similarity, image.success, image.float_success, minimal, csv_field(image.file),
                        csv_field(image.minimal_file), image.sure);
  }
  return text;
}

}  // namespace fercli
