// net/curl_tunnel.cc: libcurl connects, and a thread passes on bytes between its connection and a pair of sockets.
#include "net/curl_tunnel.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "net/curl_library.h"
#include "net/curl_setup.h"

namespace volary {
namespace {

constexpr size_t block_bytes = 64 << 10;

// What was read of one side and the other has not taken yet. It does not move until then: OpenSSL asks for the very
// same bytes at the very same place when it is to send them again.
class Block {
 public:
  bool is_empty() const { return begin_ == end_; }
  char* room() { return bytes_.data(); }
  void fill(size_t size) { begin_ = 0, end_ = size; }
  std::string_view bytes() const { return {bytes_.data() + begin_, end_ - begin_}; }
  void take(size_t size) { begin_ += size; }
  void drop() { begin_ = end_; }

 private:
  std::array<char, block_bytes> bytes_;
  size_t begin_ = 0;
  size_t end_ = 0;
};

// Near is whoever asked for the connection, far the server.
class Relay {
 public:
  Relay(CurlEasy far, int far_socket, Fd near)
      : far_(std::move(far)), far_socket_(far_socket), near_(std::move(near)) {}

  void run(const std::stop_token& stop) {
    const std::stop_callback wake(stop, [this] { ::shutdown(near_.get(), SHUT_RDWR); });
    while (!is_near_over_ && !(is_far_over_ && to_near_.is_empty())) {
      has_moved_ = false;
      if (to_near_.is_empty() && !is_far_over_) read_far();
      if (!to_near_.is_empty()) write_near();
      if (to_far_.is_empty()) read_near();
      if (!to_far_.is_empty()) write_far();
      if (!has_moved_) wait();  // TLS may hold bytes that poll() does not see: it had none of them just now.
    }
  }

 private:
  void read_far() {
    size_t size = 0;
    const CURLcode code = curl().easy_recv(far_.get(), to_near_.room(), block_bytes, &size);
    if (code == CURLE_AGAIN) return;
    has_moved_ = true;
    if (code != CURLE_OK || size == 0) is_far_over_ = true;
    else to_near_.fill(size);
  }

  void write_near() {
    const std::string_view bytes = to_near_.bytes();
    const ssize_t size = ::send(near_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    has_moved_ = true;
    if (size < 0) is_near_over_ = true;
    else to_near_.take(static_cast<size_t>(size));
  }

  void read_near() {
    const ssize_t size = ::recv(near_.get(), to_far_.room(), block_bytes, MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    has_moved_ = true;
    if (size <= 0) is_near_over_ = true;
    else to_far_.fill(static_cast<size_t>(size));
  }

  void write_far() {
    size_t size = 0;
    const CURLcode code = curl().easy_send(far_.get(), to_far_.bytes().data(), to_far_.bytes().size(), &size);
    if (code == CURLE_AGAIN) return;
    has_moved_ = true;
    if (code == CURLE_OK) to_far_.take(size);
    else to_far_.drop();  // What it said before is still to be read.
  }

  void wait() {
    const auto wish = [](bool reads, bool writes) {
      return static_cast<short>((reads ? POLLIN : 0) | (writes ? POLLOUT : 0));
    };
    const short of_near = wish(to_far_.is_empty(), !to_near_.is_empty());
    const short of_far = wish(to_near_.is_empty() && !is_far_over_, !to_far_.is_empty());
    std::array<pollfd, 2> waiting = {{{near_.get(), of_near, 0}, {of_far ? far_socket_ : -1, of_far, 0}}};
    ::poll(waiting.data(), waiting.size(), -1);
    if (!of_near && waiting[0].revents) is_near_over_ = true;  // Hung up.
  }

  const CurlEasy far_;
  const int far_socket_;
  const Fd near_;
  Block to_near_;
  Block to_far_;
  bool is_far_over_ = false;
  bool is_near_over_ = false;
  bool has_moved_ = false;
};

// Signals are for the others.
std::jthread deaf_thread(std::unique_ptr<Relay> relay) {
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  std::jthread thread([relay = std::move(relay)](const std::stop_token& stop) { relay->run(stop); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

}  // namespace

Tunnel connect_by_curl(const HttpRequest& request) {
  CurlEasy easy(curl().easy_init());
  if (!easy) throw Error(Errc::exhausted, "no memory for another connection");
  std::array<char, CURL_ERROR_SIZE> words{};
  set_up_curl(easy.get(), request, "");
  set_curl(easy.get(), request, CURLOPT_ERRORBUFFER, words.data());
  set_curl(easy.get(), request, CURLOPT_CONNECT_ONLY, 1L);
  if (const CURLcode code = curl().easy_perform(easy.get()); code != CURLE_OK)
    throw curl_failure(request, code, words.data());
  set_curl(easy.get(), request, CURLOPT_ERRORBUFFER, static_cast<char*>(nullptr));  // The relay outlives it.
  curl_socket_t socket = CURL_SOCKET_BAD;
  curl().easy_getinfo(easy.get(), CURLINFO_ACTIVESOCKET, &socket);
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) < 0)
    throw error_from_errno(errno, "make", "a socket");
  Fd ours(ends[0]);
  return {{}, std::move(ours), deaf_thread(std::make_unique<Relay>(std::move(easy), socket, Fd(ends[1])))};
}

}  // namespace volary
