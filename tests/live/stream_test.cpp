#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <opencv2/imgcodecs.hpp>
#include <thread>

#include "core/error.hpp"
#include "live/video/video_source.hpp"

namespace fercli {
namespace {

/// Sends `frames` grey pictures, each a little lighter, as Motion-JPEG over HTTP to one client, as a network camera
/// does.
class NetworkCamera {
 public:
  explicit NetworkCamera(int frames) : listener_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    bind(listener_, reinterpret_cast<sockaddr*>(&address), length);
    listen(listener_, 1);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, frames] { serve(frames); });
  }

  ~NetworkCamera() {
    shutdown(listener_, SHUT_RDWR);
    close(listener_);
    thread_.join();
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/video.mjpg"; }

 private:
  static void put(int client, const std::string& bytes) { send(client, bytes.data(), bytes.size(), MSG_NOSIGNAL); }

  void serve(int frames) const {
    const int client = accept(listener_, nullptr, nullptr);
    if (client < 0) return;
    char request[4096];
    recv(client, request, sizeof(request), 0);
    put(client, "HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n");
    for (int i = 0; i < frames; ++i) {
      std::vector<uint8_t> jpeg;
      cv::imencode(".jpg", cv::Mat(64, 96, CV_8UC3, cv::Scalar::all(40 + 4 * i)), jpeg);
      put(client, "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: " + std::to_string(jpeg.size()) + "\r\n\r\n" +
                      std::string(jpeg.begin(), jpeg.end()) + "\r\n");
    }
    close(client);
  }

  int listener_, port_ = 0;
  std::thread thread_;
};

TEST(VideoStreams, MotionJpegOverHttpIsRead) {
  const NetworkCamera camera(30);
  const auto video = open_video(camera.url());
  EXPECT_TRUE(video->is_live());
  Frame frame;
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(video->read(frame));
    EXPECT_EQ(frame.bgr.sizes(), (std::vector<int64_t>{64, 96, 3}));
    EXPECT_NEAR(frame.bgr[32][48][1].item<int>(), 40 + 4 * i, 3);
  }
}

TEST(VideoStreams, AStreamThatIsNotThereIsExplained) {
  try {
    open_video("http://127.0.0.1:9/video.mjpg");
    FAIL();
  } catch (const RunError& error) {
    EXPECT_STREQ(error.what(), "http://127.0.0.1:9/video.mjpg: the stream cannot be opened");
  }
}

}  // namespace
}  // namespace fercli
