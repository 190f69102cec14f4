#pragma once

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/system/system_error.hpp>
#include <cerrno>
#include <chrono>
#include <string>
#include <utility>

#include "core/clock.hpp"

namespace fercli {

/// A connected socket with one deadline for all that is read or written until the next `set_deadline`, so that nobody
/// holds a thread by sending or taking a byte now and then. Closes the socket at its end. It is what Boost.Beast calls
/// a SyncReadStream and SyncWriteStream; a deadline that has passed is errc::timed_out.
class DeadlineStream {
 public:
  using Error = boost::system::error_code;

  /// Takes `socket` over.
  explicit DeadlineStream(int socket) : socket_(socket) {
    fcntl(socket_, F_SETFL, fcntl(socket_, F_GETFL, 0) | O_NONBLOCK);
  }
  DeadlineStream(DeadlineStream&& other) noexcept
      : socket_(std::exchange(other.socket_, -1)), deadline_(other.deadline_) {}
  DeadlineStream& operator=(DeadlineStream&&) = delete;
  ~DeadlineStream() {
    if (socket_ >= 0) close(socket_);
  }

  void set_deadline(double seconds_from_now) {
    constexpr double kForEver = 1e9;  // about 30 years; the clock has no room for ten times as many
    const std::chrono::duration<double> time(std::min(seconds_from_now, kForEver));
    deadline_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(time);
  }

  /// At least one byte; 0 with asio::error::eof where the other side has closed.
  template <class Buffers>
  size_t read_some(const Buffers& buffers, Error& error) {
    return transfer(buffers, POLLIN, error, [this](msghdr& message) { return recvmsg(socket_, &message, 0); });
  }
  template <class Buffers>
  size_t write_some(const Buffers& buffers, Error& error) {
    return transfer(buffers, POLLOUT, error,
                    [this](msghdr& message) { return sendmsg(socket_, &message, MSG_NOSIGNAL); });
  }

  /// The same, throwing boost::system::system_error.
  template <class Buffers>
  size_t read_some(const Buffers& buffers) {
    Error error;
    const size_t count = read_some(buffers, error);
    if (error) throw boost::system::system_error(error);
    return count;
  }
  template <class Buffers>
  size_t write_some(const Buffers& buffers) {
    Error error;
    const size_t count = write_some(buffers, error);
    if (error) throw boost::system::system_error(error);
    return count;
  }

  /// Something to read, or the end, within `milliseconds`?
  bool readable_within(int milliseconds) const {
    pollfd entry{socket_, POLLIN, 0};
    return poll(&entry, 1, milliseconds) > 0;
  }

  /// Reads what the sender still sends, up to 64 MiB, after no more is written: closing at once would throw the answer
  /// away on its way.
  void linger(double seconds) {
    shutdown(socket_, SHUT_WR);
    set_deadline(seconds);
    char waste[16 << 10];
    Error error;
    for (size_t bytes = 0; bytes < (64u << 20) && !error;) bytes += read_some(boost::asio::buffer(waste), error);
  }

  /// The other side's address as a number; "" when it has gone.
  std::string peer() const {
    sockaddr_storage address{};
    socklen_t length = sizeof(address);
    char host[NI_MAXHOST] = "";
    auto* bytes = reinterpret_cast<sockaddr*>(&address);
    if (getpeername(socket_, bytes, &length) != 0) return "";
    getnameinfo(bytes, length, host, sizeof(host), nullptr, 0, NI_NUMERICHOST);
    return host;
  }

 private:
  template <class Buffers, class Transfer>
  size_t transfer(const Buffers& buffers, short events, Error& error, Transfer run) {
    constexpr size_t kMostPieces = 16;
    iovec pieces[kMostPieces];
    msghdr message{};
    message.msg_iov = pieces;
    size_t bytes = 0;
    const auto end = boost::asio::buffer_sequence_end(buffers);
    for (auto it = boost::asio::buffer_sequence_begin(buffers); it != end && message.msg_iovlen < kMostPieces; ++it) {
      const boost::asio::const_buffer piece(*it);
      pieces[message.msg_iovlen++] = {const_cast<void*>(piece.data()), piece.size()};
      bytes += piece.size();
    }
    error = {};
    if (bytes == 0) return 0;
    while (ready(events, error)) {
      const ssize_t count = run(message);
      if (count > 0) return static_cast<size_t>(count);
      if (count == 0) {
        error = boost::asio::error::eof;
      } else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
        error = Error(errno, boost::system::system_category());
      }
      if (error) return 0;
    }
    return 0;
  }

  bool ready(short events, Error& error) const {
    for (;;) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline_ - Clock::now()).count();
      if (left <= 0) {
        error = make_error_code(boost::system::errc::timed_out);
        return false;
      }
      pollfd entry{socket_, events, 0};
      const int result = poll(&entry, 1, static_cast<int>(std::min<int64_t>(left, 1'000'000)));
      if (result > 0) return true;
      if (result < 0 && errno != EINTR) {
        error = Error(errno, boost::system::system_category());
        return false;
      }
    }
  }

  int socket_;
  Clock::time_point deadline_ = Clock::time_point::max();
};

}  // namespace fercli
