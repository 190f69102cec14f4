#include "live/screen/window.hpp"

#include <cstdlib>
#include <opencv2/highgui.hpp>

#include "core/error.hpp"
#include "faces/mat.hpp"

namespace fercli {

namespace {

/// The window toolkits end the program when there is no screen, so ask first.
bool screen_is_there() {
#ifdef __linux__
  return std::getenv("DISPLAY") != nullptr || std::getenv("WAYLAND_DISPLAY") != nullptr;
#else
  return true;
#endif
}

}  // namespace

Window::Window(std::string title) : title_(std::move(title)) {
  if (!screen_is_there()) throw RunError("fercli live: there is no screen for a window; use --no-window");
  try {
    cv::namedWindow(title_, cv::WINDOW_NORMAL | cv::WINDOW_KEEPRATIO | cv::WINDOW_GUI_NORMAL);
  } catch (const cv::Exception&) {
    throw RunError("fercli live: the window cannot be opened; use --no-window");
  }
}

Window::~Window() {
  if (!closed()) cv::destroyWindow(title_);
}

void Window::show(const torch::Tensor& bgr) {
  if (!shown_) cv::resizeWindow(title_, static_cast<int>(bgr.size(1)), static_cast<int>(bgr.size(0)));
  cv::imshow(title_, as_mat(bgr));
  shown_ = true;
}

int Window::key() {
  const int key = cv::waitKey(1);
  return key < 0 ? -1 : key & 0xff;
}

bool Window::closed() const {
  return shown_ && cv::getWindowProperty(title_, cv::WND_PROP_VISIBLE) < 1;
}

}  // namespace fercli
