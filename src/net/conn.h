// net/conn.h: one connection as the HTTP session sees it: bytes in, bytes out, on Asio's coroutines.
//
// Everything happens on the thread of the connection's io_context.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/system/error_code.hpp>

#include "core/file.h"

namespace volary {

namespace asio = boost::asio;
using boost::system::error_code;

class Conn {
 public:
  virtual ~Conn() = default;
  struct Received {
    error_code error;  // The end of the stream is asio::error::eof.
    size_t bytes = 0;
  };
  virtual asio::awaitable<Received> read_some(std::span<char> to) = 0;
  // All of the pieces, in order; at most 8.
  virtual asio::awaitable<error_code> write(std::span<const std::string_view> pieces) = 0;
  // The user whose process connected, over a Unix socket; nothing over others.
  virtual std::optional<uint32_t> peer_uid() const = 0;
  // Whether the peer has closed its side. Does not wait.
  virtual bool is_gone() = 0;
  // Tells the peer that nothing more will come.
  virtual void finish_writing() = 0;
  // Gives the socket away; afterwards this is closed. Nothing may be waiting.
  virtual Fd release() = 0;
  // Ends waiting calls with an error, as it does all later ones.
  virtual void close() = 0;
};

// Over a connected stream socket of any family.
std::unique_ptr<Conn> make_socket_conn(const asio::any_io_executor& executor, Fd socket);

}  // namespace volary
