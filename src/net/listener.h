// net/listener.h: addresses that clients connect to.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/file.h"

namespace volary {

// A TCP socket that listens; its descriptor does not block.
struct TcpListener {
  Fd socket;
  uint16_t port = 0;
};
// `host` is a name or an address. Throws `exists` if the address is taken, `invalid` if there is no such host.
TcpListener listen_tcp(const std::string& host, uint16_t port);

// A Unix socket that listens, made with mode 0600 and removed with the object. PATH.lock beside it stays: whoever holds
// its lock serves at PATH, so two programs that start at once cannot both take a stale socket for theirs.
class UnixListener {
 public:
  // Throws `exists` if another serves there or if the path is something else than a socket.
  explicit UnixListener(const Path& path);
  ~UnixListener();
  UnixListener(const UnixListener&) = delete;
  UnixListener& operator=(const UnixListener&) = delete;
  int fd() const { return socket_.get(); }

 private:
  Path path_;
  std::optional<FileLock> lock_;
  Fd socket_;
};

}  // namespace volary
