// net/tunnel.h: what a command that runs elsewhere and its user say to each other, over a connection that began as
// HTTP.
//
//   POST … HTTP/1.1, Connection: Upgrade, Upgrade: volary-exec
//   HTTP/1.1 101 Switching Protocols                             or any other answer, as to every request
//   frame*                                                       then both ways, until the server closes
//
//   frame = kind u8, size u32 big-endian, payload
//     to the command    'i' input    'c' no more input    'w' "ROWS COLUMNS"    's' a signal's number
//     from the command  'o' output   'e' errors           'x' "CODE REASON", the last one
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "core/file.h"
#include "net/http_client.h"

namespace volary {

constexpr const char* tunnel_protocol = "volary-exec";
constexpr size_t frame_bytes_max = 64 << 10;

enum class FrameKind : char {
  input = 'i',
  input_end = 'c',
  window = 'w',
  signal = 's',
  output = 'o',
  errors = 'e',
  exit = 'x',
};

struct Frame {
  FrameKind kind{};
  std::string payload;
};

// Of a payload of at most frame_bytes_max.
std::string print_frame(FrameKind kind, std::string_view payload);

// Takes bytes in any pieces.
class FrameReader {
 public:
  void add(std::string_view bytes);
  // The next one that has come whole. Throws `corrupt` for one that is too large.
  std::optional<Frame> next();

 private:
  std::string buffer_;
  size_t taken_ = 0;  // From its start.
};

struct Tunnel {
  HttpResponse response;
  Fd connection;
  std::jthread relay;  // Of TCP and TLS: passes on bytes while this lives. Over a Unix socket there is none.
};
// The answer, and the connection where it is a 101: a socket like any other, whatever the bytes travel through. Trusts
// whom an HttpClient without options trusts. Throws as HttpClient.
Tunnel open_tunnel(const HttpRequest& request, const char* protocol = tunnel_protocol);

}  // namespace volary
