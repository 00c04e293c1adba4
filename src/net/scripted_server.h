// net/scripted_server.h: a server for tests that says on each connection exactly what its script says, byte by byte.
//
// Only tests include this. It is how they see what a client really sends, and how they break off, lie and fall silent.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/error.h"
#include "core/file.h"
#include "core/synced.h"

namespace volary {

// One accepted connection.
class Peer {
 public:
  explicit Peer(Fd fd) : fd_(std::move(fd)) {}
  int fd() const { return fd_.get(); }

  // A whole request, head and body (by Content-Length); nothing when the client is gone.
  std::optional<std::string> read_request() {
    size_t head_end;
    while ((head_end = buffer_.find("\r\n\r\n")) == std::string::npos)
      if (!read_more()) return std::nullopt;
    const size_t size = head_end + 4 + body_bytes(buffer_.substr(0, head_end + 2));
    while (buffer_.size() < size)
      if (!read_more()) return std::nullopt;
    std::string request = buffer_.substr(0, size);
    buffer_.erase(0, size);
    return request;
  }
  // Whether all went out.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t size = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (size <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(size));
    }
    return true;
  }
  bool answer(std::string_view status, std::string_view body, std::string_view headers = "") {
    return send("HTTP/1.1 " + std::string(status) + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
                std::string(headers) + "\r\n" + std::string(body));
  }
  // When the script returns, the client sees ECONNRESET instead of an end.
  void reset() {
    const linger now{1, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }
  // Says nothing until the client goes.
  void stay_silent() {
    while (read_more()) {
    }
  }

 private:
  bool read_more() {
    char block[65536];
    const ssize_t size = ::recv(fd_.get(), block, sizeof block, 0);
    if (size <= 0) return false;
    buffer_.append(block, static_cast<size_t>(size));
    return true;
  }
  static size_t body_bytes(std::string head) {
    std::transform(head.begin(), head.end(), head.begin(), [](unsigned char c) { return std::tolower(c); });
    const size_t at = head.find("\r\ncontent-length:");
    return at == std::string::npos ? 0 : std::stoul(head.substr(at + 17));
  }

  Fd fd_;
  std::string buffer_;
};

class ScriptedServer {
 public:
  using Script = std::function<void(Peer& peer, size_t connection)>;

  // On a free port of 127.0.0.1, or on a Unix socket. The script runs on a thread of its own for each connection,
  // numbered from 0; when it returns the connection is closed.
  explicit ScriptedServer(Script script, const std::string& unix_socket = "") : script_(std::move(script)) {
    if (unix_socket.empty()) listen_tcp();
    else listen_unix(unix_socket);
    if (::listen(listening_.get(), 64) < 0) throw error_from_errno(errno, "listen on", "a socket");
    accepting_ = std::jthread([this](const std::stop_token& stop) { accept_all(stop); });
  }
  ~ScriptedServer() {
    accepting_.request_stop();
    accepting_.join();
    auto open = open_.lock();
    for (const int fd : *open) ::shutdown(fd, SHUT_RDWR);
  }
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  uint16_t port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  std::string url() const { return "http://" + address(); }
  size_t connections() const { return connections_; }

 private:
  void listen_tcp() {
    listening_ = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listening_.get(), reinterpret_cast<sockaddr*>(&address), size) < 0 ||
        ::getsockname(listening_.get(), reinterpret_cast<sockaddr*>(&address), &size) < 0)
      throw error_from_errno(errno, "bind", "127.0.0.1");
    port_ = ntohs(address.sin_port);
  }
  void listen_unix(const std::string& path) {
    listening_ = Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(static_cast<char*>(address.sun_path), sizeof address.sun_path - 1);
    if (::bind(listening_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0)
      throw error_from_errno(errno, "bind", path);
  }
  void accept_all(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      pollfd ready{listening_.get(), POLLIN, 0};
      if (::poll(&ready, 1, 10) <= 0) continue;
      Fd fd(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (fd) threads_.emplace_back([this, peer = Peer(std::move(fd)), number = connections_++]() mutable {
        const int mine = peer.fd();
        open_.lock()->push_back(mine);
        script_(peer, number);
        std::erase(*open_.lock(), mine);
      });
    }
  }

  Script script_;
  Fd listening_;
  uint16_t port_ = 0;
  std::atomic<size_t> connections_{0};
  Synced<std::vector<int>> open_;  // To wake their scripts at the end.
  std::vector<std::jthread> threads_;
  std::jthread accepting_;
};

}  // namespace volary
