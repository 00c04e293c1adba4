// net/conn.cc: stream sockets. Each call is tried first and waits only when the kernel says so: that saves a turn of
// the loop.
#include "net/conn.h"

#include <array>
#include <cerrno>

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace volary {
namespace {

using asio::posix::stream_descriptor;
constexpr auto as_tuple = asio::as_tuple(asio::use_awaitable);

error_code system_error_code(int number) { return {number, boost::system::system_category()}; }

class SocketConn final : public Conn {
 public:
  SocketConn(const asio::any_io_executor& executor, Fd socket) : socket_(executor) { socket_.assign(socket.release()); }

  asio::awaitable<Received> read_some(std::span<char> to) override {
    Received received;
    for (;;) {
      const ssize_t count = ::recv(socket_.native_handle(), to.data(), to.size(), MSG_DONTWAIT);
      if (count > 0) {
        received.bytes = static_cast<size_t>(count);
        co_return received;
      }
      const int number = errno;
      if (count == 0) received.error = asio::error::eof;
      else if (number == EINTR) continue;
      else if (number != EAGAIN) received.error = system_error_code(number);
      if (received.error) co_return received;
      const auto [error] = co_await socket_.async_wait(stream_descriptor::wait_read, as_tuple);
      received.error = error;
      if (error) co_return received;
    }
  }

  asio::awaitable<error_code> write(std::span<const std::string_view> pieces) override {
    std::array<iovec, 8> left{};
    size_t count = 0;
    for (const std::string_view piece : pieces) {
      if (piece.empty()) continue;
      left.at(count).iov_base = const_cast<char*>(piece.data());
      left.at(count++).iov_len = piece.size();
    }
    for (size_t at = 0; at < count;) {
      msghdr message{};
      message.msg_iov = &left[at];
      message.msg_iovlen = count - at;
      const ssize_t sent = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0 && errno != EAGAIN) co_return system_error_code(errno);
      if (sent < 0) {
        const auto [error] = co_await socket_.async_wait(stream_descriptor::wait_write, as_tuple);
        if (error) co_return error;
        continue;
      }
      auto done = static_cast<size_t>(sent);
      while (at < count && done >= left[at].iov_len) done -= left[at++].iov_len;
      if (at == count) break;
      left[at].iov_base = static_cast<char*>(left[at].iov_base) + done;
      left[at].iov_len -= done;
    }
    co_return error_code();
  }

  std::optional<uint32_t> peer_uid() const override {
    int domain = 0;
    socklen_t size = sizeof domain;
    const int socket = const_cast<stream_descriptor&>(socket_).native_handle();
    if (::getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_UNIX) return std::nullopt;
    ucred peer{};
    size = sizeof peer;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.pid <= 0) return std::nullopt;
    return peer.uid;
  }

  bool is_gone() override {
    if (!socket_.is_open()) return true;
    pollfd question{};
    question.fd = socket_.native_handle();
    question.events = POLLRDHUP;
    return ::poll(&question, 1, 0) > 0 && (question.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
  }

  void finish_writing() override { ::shutdown(socket_.native_handle(), SHUT_WR); }

  Fd release() override { return Fd(socket_.is_open() ? socket_.release() : -1); }

  void close() override {
    error_code ignored;
    socket_.close(ignored);
  }

 private:
  stream_descriptor socket_;
};

}  // namespace

std::unique_ptr<Conn> make_socket_conn(const asio::any_io_executor& executor, Fd socket) {
  return std::make_unique<SocketConn>(executor, std::move(socket));
}

}  // namespace volary
