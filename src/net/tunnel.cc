// net/tunnel.cc: frames, and the client's way from a request to a connection of its own.
#include "net/tunnel.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "core/error.h"
#include "net/curl_tunnel.h"
#include "net/plain_client.h"
#include "net/request_words.h"
#include "net/wire.h"

namespace volary {
namespace {

constexpr size_t header_bytes = 5;
constexpr size_t block_bytes = 16 << 10;
constexpr int patience_millis = 60'000;

Error failure(const HttpRequest& request, std::string_view why) {
  return {Errc::unavailable, "the request to {} failed: {}", speakable(request.url), why};
}

void say(const HttpRequest& request, const std::string& protocol, const Fd& connection) {
  HttpRequest upgrade = request;
  upgrade.headers.insert(upgrade.headers.end(), {{"Connection", "Upgrade"}, {"Upgrade", protocol}});
  const std::string text = head_of(upgrade) + request.body;
  for (std::string_view left = text; !left.empty();) {
    const ssize_t size = ::send(connection.get(), left.data(), left.size(), MSG_NOSIGNAL);
    if (size < 0 && errno == EPIPE) return;  // It may have answered before.
    if (size < 0 && errno != EINTR) throw failure(request, error_from_errno(errno, "send", "a request").message());
    if (size > 0) left.remove_prefix(static_cast<size_t>(size));
  }
}

// Appends what comes, up to `bytes_max`. False at the end.
bool receive(const HttpRequest& request, const Fd& connection, size_t bytes_max, std::string& text) {
  pollfd waiting{connection.get(), POLLIN, 0};
  if (::poll(&waiting, 1, patience_millis) == 0) throw failure(request, "it does not answer");
  std::array<char, block_bytes> block;
  const ssize_t size = ::recv(connection.get(), block.data(), std::min(bytes_max, block.size()), 0);
  if (size > 0) text.append(block.data(), static_cast<size_t>(size));
  return size > 0 || (size < 0 && errno == EINTR);
}

// Of the head byte by byte: what follows a 101 is not ours.
HttpResponse listen(const HttpRequest& request, const Fd& connection) {
  HttpResponse response;
  AnswerParser answer(request, nullptr, response);
  std::string text;
  error_code error;
  while (!answer.is_done()) {
    if (!receive(request, connection, answer.is_header_done() ? block_bytes : 1, text)) {
      if (answer.got_some()) answer.put_eof(error);
      if (error || !answer.is_done()) throw failure(request, "it closed the connection");
    } else if (answer.is_header_done() || text.ends_with("\r\n\r\n")) {
      text.erase(0, answer.put(boost::asio::buffer(text), error));
      if (error && error != http::error::need_more) throw failure(request, error.message());
    } else if (text.size() == answer_head_bytes_max) {
      throw failure(request, "the head of its answer is too long");
    }
  }
  return response;
}

}  // namespace

std::string print_frame(FrameKind kind, std::string_view payload) {
  std::string frame(1, static_cast<char>(kind));
  for (int shift = 24; shift >= 0; shift -= 8) frame += static_cast<char>(payload.size() >> shift & 255);
  return frame.append(payload);
}

void FrameReader::add(std::string_view bytes) {
  buffer_.erase(0, std::exchange(taken_, 0));
  buffer_ += bytes;
}

std::optional<Frame> FrameReader::next() {
  const std::string_view left = std::string_view(buffer_).substr(taken_);
  if (left.size() < header_bytes) return std::nullopt;
  size_t size = 0;
  for (size_t i = 1; i < header_bytes; ++i) size = size << 8 | static_cast<unsigned char>(left[i]);
  if (size > frame_bytes_max)
    throw Error(Errc::corrupt, "a frame of {} bytes came over the connection: expected at most {}", size,
                frame_bytes_max);
  if (left.size() < header_bytes + size) return std::nullopt;
  taken_ += header_bytes + size;
  return Frame{static_cast<FrameKind>(left[0]), std::string(left.substr(header_bytes, size))};
}

Tunnel open_tunnel(const HttpRequest& request, const char* protocol) {
  Tunnel tunnel =
      request.unix_socket.empty() ? connect_by_curl(request) : Tunnel{{}, connect_to_socket(request), {}};
  say(request, protocol, tunnel.connection);
  tunnel.response = listen(request, tunnel.connection);
  return tunnel;
}

}  // namespace volary
