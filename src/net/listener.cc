// net/listener.cc: socket, bind, listen.
#include "net/listener.h"

#include <cerrno>
#include <cstring>
#include <memory>

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <fmt/core.h>

#include "core/error.h"

namespace volary {
namespace {

constexpr int backlog_max = 4096;

Fd make_socket(int family, const std::string& name) {
  Fd socket(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) throw error_from_errno(errno, "make a socket for", name);
  return socket;
}

void start_listening(const Fd& socket, const sockaddr* address, socklen_t size, const std::string& name) {
  if (::bind(socket.get(), address, size) != 0) {
    if (errno == EADDRINUSE) throw Error(Errc::exists, "cannot listen at {}: the address is taken", name);
    throw error_from_errno(errno, "listen at", name);
  }
  if (::listen(socket.get(), backlog_max) != 0) throw error_from_errno(errno, "listen at", name);
}

using Addresses = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

Addresses resolve(const std::string& host, uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* first = nullptr;
  const int failed = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &first);
  if (failed != 0) throw Error(Errc::invalid, "cannot listen at '{}': {}", host, ::gai_strerror(failed));
  return Addresses(first, &::freeaddrinfo);
}

uint16_t port_of(const Fd& socket, const std::string& name) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw error_from_errno(errno, "ask for the address of", name);
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                                             : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

sockaddr_un unix_address(const Path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& text = path.native();
  if (text.empty() || text.size() >= sizeof address.sun_path)
    throw Error(Errc::invalid, "'{}' cannot be a Unix socket: its {} bytes are not 1 to {}", text, text.size(),
                sizeof address.sun_path - 1);
  std::memcpy(address.sun_path, text.data(), text.size());
  return address;
}

// Whether somebody accepts connections there.
bool is_served(const sockaddr_un& address, const Path& path) {
  const Fd socket = make_socket(AF_UNIX, path.native());
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return true;
  return errno == EAGAIN;  // Its queue is full.
}

}  // namespace

TcpListener listen_tcp(const std::string& host, uint16_t port) {
  const std::string name = fmt::format("{}:{}", host, port);
  const Addresses addresses = resolve(host, port);
  TcpListener listener;
  listener.socket = make_socket(addresses->ai_family, name);
  const int on = 1;
  ::setsockopt(listener.socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  start_listening(listener.socket, addresses->ai_addr, addresses->ai_addrlen, name);
  listener.port = port_of(listener.socket, name);
  return listener;
}

UnixListener::UnixListener(const Path& path) : path_(path) {
  const sockaddr_un address = unix_address(path);
  lock_ = FileLock::try_take(path.native() + ".lock");
  if (!lock_) throw Error(Errc::exists, "cannot listen at '{}': another server does", path.native());
  if (const auto found = stat_of(path)) {
    if (!S_ISSOCK(found->st_mode))
      throw Error(Errc::exists, "cannot listen at '{}': it is there and no socket", path.native());
    if (is_served(address, path))
      throw Error(Errc::exists, "cannot listen at '{}': another server does", path.native());
    remove_file(path);
  }
  socket_ = make_socket(AF_UNIX, path.native());
  // Before bind: Linux gives the new name the mode of the socket, so it is never open to others, not for a moment.
  if (::fchmod(socket_.get(), 0600) != 0) throw error_from_errno(errno, "set the mode of", path.native());
  start_listening(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address, path.native());
}

UnixListener::~UnixListener() { ::unlink(path_.c_str()); }

}  // namespace volary
