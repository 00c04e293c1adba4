// net/wire.cc: the head of a request, for net/wire.h.
#include "net/wire.h"

namespace volary {
namespace {

constexpr size_t head_bytes = 1024;  // Of most requests, or less.

// "/a?b" of "http://host/a?b#c". Throws `invalid` if it cannot stand in a request's first line.
std::string target_of(const std::string& url) {
  const size_t scheme = url.find("://");
  const bool is_sayable = std::all_of(url.begin(), url.end(), [](unsigned char c) { return c > ' ' && c != 0x7f; });
  if (!url.starts_with("http") || scheme == std::string::npos || !is_sayable)
    throw Error(Errc::invalid, "'{}' is not a URL that can be asked: expected http://HOST/…", speakable(url));
  const std::string rest = url.substr(0, url.find('#')).substr(scheme + 3);
  const size_t start = rest.find_first_of("/?");
  if (start == std::string::npos) return "/";
  return (rest[start] == '?' ? "/" : "") + rest.substr(start);
}

std::string host_and_port_of(const std::string& url) {
  const std::string rest = url.substr(url.find("://") + 3);
  return rest.substr(0, rest.find_first_of("/?#"));
}

bool has_body(const HttpRequest& request) {
  return request.source || !request.body.empty() || request.method == "POST" || request.method == "PUT" ||
         request.method == "PATCH";
}

// Who signs what it sends says itself whom it asks.
bool has_host(const HttpRequest& request) {
  return std::any_of(request.headers.begin(), request.headers.end(), [](const auto& header) {
    return is_same_name(header.first, "host");
  });
}

}  // namespace

std::string head_of(const HttpRequest& request) {
  std::string head;
  head.reserve(head_bytes);
  head += request.method + " " + target_of(request.url) + " HTTP/1.1\r\n";
  if (!has_host(request)) head += "Host: " + host_and_port_of(request.url) + "\r\n";
  if (has_body(request))
    head += fmt::format("Content-Length: {}\r\n", request.source ? request.source_bytes : request.body.size());
  for (const auto& [name, value] : request.headers) {
    check_header(name, value);
    head += name + (value.empty() ? ":" : ": ") + value + "\r\n";
  }
  return head + "\r\n";
}

}  // namespace volary
