#include "report/attack_export.hpp"

#include <fmt/format.h>

#include <set>

#include "core/files.hpp"
#include "core/text.hpp"
#include "data/image.hpp"

namespace fercli {

namespace fs = std::filesystem;

namespace {

torch::Tensor write_and_read(const torch::Tensor& image, const fs::path& path) {
  write_png(image, path);
  return read_image(path, image.size(0));
}

/// Different ids may give one path (a.jpg and a.png): later ones get a number.
fs::path unused(fs::path path, std::set<fs::path>* used) {
  const std::string stem = path.stem().string();
  for (int number = 2; !used->insert(path).second; ++number)
    path.replace_filename(fmt::format("{}-{}.png", stem, number));
  return path;
}

/// What the float32 network says of these 8-bit images: (N,K) probabilities, (N) goal reached.
std::pair<torch::Tensor, torch::Tensor> judge(const std::vector<torch::Tensor>& images,
                                              const std::vector<int64_t>& labels, const Classifier& classifier,
                                              const EmotionGoal& goal) {
  const auto logits = classifier.with_precision(Precision::Float32).logits(to_float(torch::stack(images)));
  return {logits.to(torch::kFloat64).softmax(1), goal.for_labels(torch::tensor(labels, torch::kInt64)).reached(logits)};
}

}  // namespace

fs::path png_path(const std::string& id) {
  fs::path path;
  for (const auto& part : split(id, '/')) {
    if (!part.empty() && part != "." && part != "..") path /= part;
  }
  if (path.empty()) path = "image";
  static const std::set<std::string> extensions{".png", ".jpg", ".jpeg", ".bmp", ".webp",
                                                ".gif", ".tif", ".tiff", ".pgm", ".ppm"};
  if (extensions.count(to_lower(path.extension().string()))) return path.replace_extension(".png");
  return path += ".png";
}

void round_trip_png(std::vector<AttackedImage>& images, const Classifier& classifier, const EmotionGoal& goal,
                    const fs::path& folder, bool keep) {
  if (images.empty()) return;
  make_folder(folder);
  const fs::path temporary = folder / ".round-trip.png";
  std::set<fs::path> used;
  std::vector<torch::Tensor> read_back, read_back_minimal;
  std::vector<int64_t> labels;
  for (auto& image : images) {
    const fs::path name = unused(png_path(image.id), &used);
    const fs::path path = keep ? folder / "adversarial" / name : temporary;
    read_back.push_back(write_and_read(image.adversarial, path));
    labels.push_back(image.label);
    if (keep) image.file = (fs::path("adversarial") / name).string();
    if (!image.minimal_eps) continue;
    const fs::path minimal = keep ? folder / "minimal" / name : temporary;
    read_back_minimal.push_back(write_and_read(image.minimal, minimal));
    if (keep && std::isfinite(*image.minimal_eps)) image.minimal_file = (fs::path("minimal") / name).string();
  }
  std::error_code ignored;
  fs::remove(temporary, ignored);

  const auto [probabilities, reached] = judge(read_back, labels, classifier, goal);
  for (size_t i = 0; i < images.size(); ++i) {
    const auto row = probabilities[static_cast<int64_t>(i)].contiguous();
    images[i].after.assign(row.data_ptr<double>(), row.data_ptr<double>() + row.numel());
    images[i].success = reached[static_cast<int64_t>(i)].item<bool>();
  }
  if (read_back_minimal.empty()) return;
  const auto minimal_reached = judge(read_back_minimal, labels, classifier, goal).second;
  for (size_t i = 0; i < images.size(); ++i) {
    if (!minimal_reached[static_cast<int64_t>(i)].item<bool>())
      images[i].minimal_eps = std::numeric_limits<double>::infinity();
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
      "psnr,ssim,success_8bit,success_float,minimal_eps,file,minimal_file\n";
  for (const auto& image : images) {
    const auto before = static_cast<size_t>(top_of(image.clean)), after = static_cast<size_t>(top_of(image.after));
    const std::string minimal = !image.minimal_eps ? "" : fmt::format("{:.6g}", *image.minimal_eps);
    const std::string similarity = std::isfinite(image.ssim) ? fmt::format("{:.5f}", image.ssim) : "";
    text +=
        fmt::format("{},{},{},{:.6f},{},{:.6f},{:.6f},{},{:.6f},{:.3f},{},{:d},{:d},{},{},{}\n", csv_field(image.id),
                    classes[static_cast<size_t>(image.label)], classes[before], image.clean[before], classes[after],
                    image.after[after], image.after[static_cast<size_t>(image.label)], std::lround(image.linf * 255),
                    image.l2, image.psnr, similarity, image.success, image.float_success, minimal,
                    csv_field(image.file), csv_field(image.minimal_file));
  }
  return text;
}

}  // namespace fercli
