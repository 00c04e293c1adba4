// net/tunnel.cc: frames, and the client's way from a request to a connection of its own.
#include "net/tunnel.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>
#include <utility>

#include "core/error.h"
#include "net/address.h"
#include "net/request_words.h"

namespace volary {
namespace {

constexpr size_t header_bytes = 5;
constexpr size_t head_bytes_max = 64 << 10;
constexpr size_t body_bytes_max = 1 << 20;
constexpr int patience_millis = 60'000;

Error failure(const HttpRequest& request, std::string_view why) {
  return Error(Errc::unavailable, "the request to {} failed: {}", speakable(request.url), why);
}

Fd connect_by_name(const HttpRequest& request) {
  const std::string origin = origin_of_url(request.url);
  if (!origin.starts_with("http://"))
    throw Error(Errc::invalid, "a terminal needs a server at http://HOST:PORT or unix:/PATH, and this one is at {}",
                speakable(origin));
  const std::string port = origin.substr(origin.rfind(':') + 1);
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(host_of_url(request.url).c_str(), port.c_str(), &wanted, &found); error != 0)
    throw failure(request, ::gai_strerror(error));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> held(found, ::freeaddrinfo);
  int number = ECONNREFUSED;
  for (const addrinfo* one = found; one; one = one->ai_next) {
    Fd fd(::socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (fd && ::connect(fd.get(), one->ai_addr, one->ai_addrlen) == 0) return fd;
    number = errno;
  }
  throw failure(request, error_from_errno(number, "connect to", origin).message());
}

Fd connect_by_path(const HttpRequest& request) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (request.unix_socket.size() >= sizeof address.sun_path) throw failure(request, "the socket's path is too long");
  request.unix_socket.copy(static_cast<char*>(address.sun_path), request.unix_socket.size());
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0)
    throw failure(request, error_from_errno(errno, "connect to", request.unix_socket).message());
  return fd;
}

std::string head_of(const HttpRequest& request, const char* protocol) {
  const size_t host = request.url.find("://") + 3;
  const size_t path = std::min(request.url.find('/', host), request.url.size());
  std::string head = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: {}\r\n"
                                 "Content-Length: {}\r\n",
                                 request.method, path == request.url.size() ? "/" : request.url.substr(path),
                                 request.url.substr(host, path - host), protocol, request.body.size());
  for (const auto& [name, value] : request.headers) {
    check_header(name, value);
    head += name + ": " + value + "\r\n";
  }
  return head + "\r\n";
}

class Answer {
 public:
  Answer(const HttpRequest& request, int fd) : request_(request), fd_(fd) {}

  HttpResponse read() {
    while (text_.find("\r\n\r\n") == std::string::npos) {
      if (text_.size() > head_bytes_max) throw failure(request_, "the head of its answer is too long");
      if (!read_one()) throw failure(request_, "it closed the connection");
    }
    HttpResponse response = parse_head(text_.substr(0, text_.find("\r\n\r\n") + 2));
    if (response.status == 101) return response;
    const std::string length = response.header("content-length").value_or("0");
    size_t size = 0;
    std::from_chars(length.data(), length.data() + length.size(), size);
    const size_t begin = text_.find("\r\n\r\n") + 4;
    while (text_.size() - begin < std::min(size, body_bytes_max) && read_any()) {
    }
    response.body = text_.substr(begin);
    return response;
  }

 private:
  bool read_some(size_t bytes) {
    pollfd waiting{fd_, POLLIN, 0};
    if (::poll(&waiting, 1, patience_millis) == 0) throw failure(request_, "it does not answer");
    std::string block(bytes, '\0');
    const ssize_t size = ::recv(fd_, block.data(), block.size(), 0);
    if (size > 0) text_.append(block, 0, static_cast<size_t>(size));
    return size > 0 || (size < 0 && errno == EINTR);
  }
  bool read_one() { return read_some(1); }  // What follows a 101 is not ours.
  bool read_any() { return read_some(frame_bytes_max); }

  HttpResponse parse_head(std::string_view head) const {
    HttpResponse response;
    const size_t space = head.find(' ');
    const bool is_answer = head.starts_with("HTTP/1.") && space != head.npos && head.size() > space + 4;
    if (is_answer) std::from_chars(head.data() + space + 1, head.data() + space + 4, response.status);
    if (response.status == 0) throw failure(request_, "what answers there speaks no HTTP");
    for (size_t at = head.find("\r\n") + 2; at < head.size();) {
      const size_t end = head.find("\r\n", at);
      const std::string_view line = head.substr(at, end - at);
      const size_t colon = std::min(line.find(':'), line.size());
      std::string name(line.substr(0, colon));
      std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
      const size_t value = line.find_first_not_of(" \t", std::min(colon + 1, line.size()));
      response.headers.emplace(name, value == line.npos ? "" : std::string(line.substr(value)));
      at = end + 2;
    }
    return response;
  }

  const HttpRequest& request_;
  const int fd_;
  std::string text_;
};

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
  Tunnel tunnel;
  tunnel.connection = request.unix_socket.empty() ? connect_by_name(request) : connect_by_path(request);
  const std::string text = head_of(request, protocol) + request.body;
  for (std::string_view left = text; !left.empty();) {
    const ssize_t size = ::send(tunnel.connection.get(), left.data(), left.size(), MSG_NOSIGNAL);
    if (size < 0 && errno != EINTR) throw failure(request, error_from_errno(errno, "send", "a request").message());
    if (size > 0) left.remove_prefix(static_cast<size_t>(size));
  }
  tunnel.response = Answer(request, tunnel.connection.get()).read();
  return tunnel;
}

}  // namespace volary
