#include <ATen/Parallel.h>
#include <fmt/format.h>

#include "core/error.hpp"
#include "data/drawn/paint.hpp"

namespace fercli {

namespace {

using drawn::Colour;
using drawn::Place;

/// The part of the head's plane that a picture shows, before zoom and shift.
struct Window {
  double half_width, eye_level;  ///< face units; share of the height above the eyes
};
Window window_of(Framing framing) {
  return framing == Framing::Crop ? Window{2.85, 0.385} : Window{5.2, 0.47};
}

FaceParameters within_limits(FaceParameters face) {
  for (const auto& field : face_fields()) {
    double& value = field.of(face);
    value = std::min(field.high, std::max(field.low, value));
  }
  return face;
}

/// Rows of subpixels, painted in one go.
class Canvas {
 public:
  Canvas(const FaceParameters& face, int64_t side, int64_t fineness)
      : geometry_(face), side_(side * fineness), fineness_(fineness) {
    const Window window = window_of(face.framing);
    const double half = window.half_width / face.pose.zoom;
    step_ = static_cast<float>(2 * half / static_cast<double>(side_));
    left_ = static_cast<float>(-half - face.pose.shift_x);
    top_ = static_cast<float>(-2 * half * window.eye_level - face.pose.shift_y);
    const double roll = face.pose.roll * drawn::kDegree;
    sin_roll_ = static_cast<float>(std::sin(roll));
    cos_roll_ = static_cast<float>(std::cos(roll));
    frame_ = static_cast<float>(half);
  }

  /// Writes pixel rows [begin, end) as RGB planes into `out` (3, side, side).
  void paint(int64_t begin, int64_t end, float* out) const {
    const drawn::FacePainter painter(geometry_, step_, frame_);
    const int64_t side = side_ / fineness_;
    const int64_t width = side_ + 2;  // a border on each side, for the slopes
    std::vector<Place> places(3 * width);
    std::vector<float> heights(3 * width);
    std::vector<Colour> sums(side);
    const auto locate_row = [&](int64_t row) {
      const int64_t slot = ((row % 3 + 3) % 3) * width;
      for (int64_t i = 0; i < width; ++i) {
        const auto [x, y] = point(i - 1, row);
        places[slot + i] = geometry_.locate(x, y);
        heights[slot + i] = places[slot + i].r2 < 1.2f ? geometry_.height(places[slot + i]) : 0;
      }
    };
    locate_row(begin * fineness_ - 1);
    locate_row(begin * fineness_);
    for (int64_t row = begin; row < end; ++row) {
      std::fill(sums.begin(), sums.end(), Colour{});
      for (int64_t sub = row * fineness_; sub < (row + 1) * fineness_; ++sub) {
        locate_row(sub + 1);
        paint_row(painter, sub, width, places, heights, sums);
      }
      const float share = 1.f / static_cast<float>(fineness_ * fineness_);
      for (int64_t i = 0; i < side; ++i) {
        const Colour c = sums[i] * share;
        out[row * side + i] = c.r;
        out[(side + row) * side + i] = c.g;
        out[(2 * side + row) * side + i] = c.b;
      }
    }
  }

 private:
  std::pair<float, float> point(int64_t column, int64_t row) const {
    const float x = left_ + (static_cast<float>(column) + 0.5f) * step_;
    const float y = top_ + (static_cast<float>(row) + 0.5f) * step_;
    const float turn_y = y - 0.8f;  // the head rolls around the middle of the face
    return {cos_roll_ * x + sin_roll_ * turn_y, cos_roll_ * turn_y - sin_roll_ * x + 0.8f};
  }

  void paint_row(const drawn::FacePainter& painter, int64_t row, int64_t width, const std::vector<Place>& places,
                 const std::vector<float>& heights, std::vector<Colour>& sums) const {
    const int64_t above = ((row + 2) % 3) * width, here = (row % 3) * width, below = ((row + 1) % 3) * width;
    const float scale = 0.5f / step_;
    for (int64_t i = 0; i < side_; ++i) {
      const auto [x, y] = point(i, row);
      const float across = (heights[here + i + 2] - heights[here + i]) * scale;
      const float down = (heights[below + i + 1] - heights[above + i + 1]) * scale;
      const float slope_x = cos_roll_ * across + sin_roll_ * down, slope_y = cos_roll_ * down - sin_roll_ * across;
      Colour& sum = sums[i / fineness_];
      sum = sum + painter.paint(x, y, places[here + i + 1], slope_x, slope_y);
    }
  }

  drawn::FaceGeometry geometry_;
  int64_t side_, fineness_;
  float step_, left_, top_, sin_roll_, cos_roll_, frame_;
};

/// Gaussian blur of one plane in place, edges repeated.
void blur_plane(float* plane, int64_t side, double sigma) {
  const auto reach = static_cast<int64_t>(std::ceil(3 * sigma));
  std::vector<float> weights(2 * reach + 1);
  float total = 0;
  for (int64_t i = -reach; i <= reach; ++i) {
    weights[i + reach] = static_cast<float>(std::exp(-0.5 * static_cast<double>(i * i) / (sigma * sigma)));
    total += weights[i + reach];
  }
  for (auto& weight : weights) weight /= total;
  std::vector<float> line(side);
  for (const bool along_rows : {true, false}) {
    const int64_t step = along_rows ? 1 : side, next = along_rows ? side : 1;
    for (int64_t i = 0; i < side; ++i) {
      float* start = plane + i * next;
      for (int64_t j = 0; j < side; ++j) line[j] = start[j * step];
      for (int64_t j = 0; j < side; ++j) {
        float sum = 0;
        for (int64_t k = -reach; k <= reach; ++k) {
          sum += weights[k + reach] * line[std::min(side - 1, std::max<int64_t>(0, j + k))];
        }
        start[j * step] = sum;
      }
    }
  }
}

void develop(float* planes, int64_t side, int64_t channels, const FaceParameters& face, uint8_t* out) {
  const auto exposure = static_cast<float>(face.camera.exposure), contrast = static_cast<float>(face.camera.contrast);
  const auto noise = static_cast<float>(face.camera.noise);
  const int64_t area = side * side;
  Rng rng = Rng(face.texture).split("noise");
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t i = 0; i < area; ++i) {
      float value = (planes[c * area + i] * exposure - 0.5f) * contrast + 0.5f;
      if (noise > 0) value += noise * static_cast<float>(rng.normal());
      out[c * area + i] = static_cast<uint8_t>(std::min(255.f, std::max(0.f, value * 255 + 0.5f)));
    }
  }
}

}  // namespace

torch::Tensor draw_face(const FaceParameters& parameters, int64_t size, int64_t channels) {
  if (size < 16 || size > 4096) throw UserError(fmt::format("drawn face: size {}: must be in [16, 4096]", size));
  if (channels != 1 && channels != 3) throw UserError(fmt::format("drawn face: {} channels: must be 1 or 3", channels));
  const FaceParameters face = within_limits(parameters);
  const Canvas canvas(face, size, size <= 256 ? 2 : 1);
  const int64_t area = size * size;
  std::vector<float> planes(3 * area);
  at::parallel_for(0, size, 64, [&](int64_t begin, int64_t end) { canvas.paint(begin, end, planes.data()); });
  if (channels == 1) {
    for (int64_t i = 0; i < area; ++i) {
      planes[i] = 0.299f * planes[i] + 0.587f * planes[area + i] + 0.114f * planes[2 * area + i];
    }
  }
  const double sigma = face.camera.blur;
  if (sigma > 0.15) {
    for (int64_t c = 0; c < channels; ++c) blur_plane(planes.data() + c * area, size, sigma);
  }
  auto image = torch::empty({channels, size, size}, torch::kUInt8);
  develop(planes.data(), size, channels, face, image.data_ptr<uint8_t>());
  return image;
}

}  // namespace fercli
