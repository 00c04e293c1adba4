// net/address.cc: the ranges of addresses, as the registries of IANA have them.
#include "net/address.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <cstring>
#include <memory>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <fmt/core.h>

#include "core/error.h"
#include "core/tree_path.h"

namespace volary {
namespace {

struct Block4 {
  uint32_t start;
  int bits;
  AddressKind kind;
};

constexpr uint32_t address(uint32_t a, uint32_t b, uint32_t c, uint32_t d) { return a << 24 | b << 16 | c << 8 | d; }

constexpr std::array blocks4 = {
    Block4{address(0, 0, 0, 0), 8, AddressKind::this_machine},
    Block4{address(127, 0, 0, 0), 8, AddressKind::this_machine},
    Block4{address(10, 0, 0, 0), 8, AddressKind::private_network},
    Block4{address(172, 16, 0, 0), 12, AddressKind::private_network},
    Block4{address(192, 168, 0, 0), 16, AddressKind::private_network},
    Block4{address(100, 64, 0, 0), 10, AddressKind::private_network},
    Block4{address(198, 18, 0, 0), 15, AddressKind::private_network},
    Block4{address(192, 0, 0, 0), 24, AddressKind::link_local},
    Block4{address(169, 254, 0, 0), 16, AddressKind::link_local},
    Block4{address(224, 0, 0, 0), 4, AddressKind::link_local},
    Block4{address(240, 0, 0, 0), 4, AddressKind::link_local},
};

AddressKind kind_of4(uint32_t host) {
  for (const Block4& block : blocks4)
    if ((host ^ block.start) >> (32 - block.bits) == 0) return block.kind;
  return AddressKind::open;
}

using Bytes6 = std::array<uint8_t, 16>;

uint32_t word_at(const Bytes6& bytes, size_t at) {
  return address(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]);
}

bool are_zero(const Bytes6& bytes, size_t from, size_t to) {
  return std::all_of(bytes.begin() + from, bytes.begin() + to, [](uint8_t byte) { return byte == 0; });
}

AddressKind kind_of6(const Bytes6& bytes) {
  if (are_zero(bytes, 0, 15) && bytes[15] <= 1) return AddressKind::this_machine;
  const bool is_mapped = are_zero(bytes, 0, 10) && bytes[10] == 0xff && bytes[11] == 0xff;
  const bool is_nat64 = word_at(bytes, 0) == 0x0064ff9b;
  if (is_mapped || is_nat64 || are_zero(bytes, 0, 12)) return kind_of4(word_at(bytes, 12));
  if (bytes[0] == 0x20 && bytes[1] == 0x02) return kind_of4(word_at(bytes, 2));  // 6to4
  if ((bytes[0] & 0xfe) == 0xfc) return AddressKind::private_network;
  if (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0xc0) return AddressKind::private_network;  // Site-local, of old.
  if (bytes[0] == 0xfe || bytes[0] == 0xff) return AddressKind::link_local;
  return AddressKind::open;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

using Addresses = std::unique_ptr<addrinfo, void (*)(addrinfo*)>;

// Null if there are none.
Addresses addresses_of(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (::getaddrinfo(host.c_str(), nullptr, &hints, &list) != 0) list = nullptr;
  return {list, [](addrinfo* one) {
            if (one) ::freeaddrinfo(one);
          }};
}

struct Authority {
  std::string scheme;
  std::string host;
  std::string port;
};

Authority authority_of(std::string_view url) {
  const size_t scheme_end = url.find("://");
  if (scheme_end == std::string_view::npos) return {};
  Authority found{.scheme = lower(url.substr(0, scheme_end)), .host = {}, .port = {}};
  std::string_view rest = url.substr(scheme_end + 3);
  rest = rest.substr(0, rest.find_first_of("/?#\\"));
  rest.remove_prefix(rest.rfind('@') == std::string_view::npos ? 0 : rest.rfind('@') + 1);
  size_t host_end = rest.rfind(':');
  if (rest.starts_with('[')) {
    const size_t close = std::min(rest.find(']'), rest.size());
    found.host = lower(rest.substr(1, close - 1));
    host_end = rest.find(':', close);
  } else {
    found.host = lower(rest.substr(0, host_end));
  }
  if (host_end != std::string_view::npos) found.port = rest.substr(host_end + 1);
  if (found.port.empty()) found.port = found.scheme == "https" ? "443" : "80";
  return found;
}

}  // namespace

std::string_view words_of(AddressKind kind) {
  switch (kind) {
    case AddressKind::open: return "the internet";
    case AddressKind::private_network: return "a private network";
    case AddressKind::this_machine: return "this machine";
    case AddressKind::link_local: return "this machine's own link";
  }
  return "";
}

AddressKind kind_of(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &address, sizeof v4);
    return kind_of4(ntohl(v4.sin_addr.s_addr));
  }
  if (address.sa_family != AF_INET6) return AddressKind::this_machine;
  sockaddr_in6 v6;
  std::memcpy(&v6, &address, sizeof v6);
  Bytes6 bytes;
  std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
  return kind_of6(bytes);
}

std::optional<AddressKind> kind_of_literal(std::string_view host) {
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  std::string text = lower(host.substr(0, host.find('%')));
  while (text.ends_with('.')) text.pop_back();
  if (text == "localhost" || text.ends_with(".localhost")) return AddressKind::this_machine;
  in_addr v4;  // inet_aton also takes "127.1" and "0x7f000001", as resolvers do.
  if (::inet_aton(text.c_str(), &v4) == 1) return kind_of4(ntohl(v4.s_addr));
  Bytes6 bytes;
  if (::inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) return kind_of6(bytes);
  return std::nullopt;
}

std::optional<AddressKind> kind_of_name(const std::string& host) {
  if (const auto literal = kind_of_literal(host)) return literal;
  const Addresses list = addresses_of(host);
  std::optional<AddressKind> nearest;
  for (const addrinfo* one = list.get(); one; one = one->ai_next) {
    const AddressKind kind = kind_of(*one->ai_addr);
    if (kind == AddressKind::link_local) continue;  // Never by a name.
    if (!nearest || static_cast<int>(kind) > static_cast<int>(*nearest)) nearest = kind;
  }
  return nearest;
}

std::optional<std::string> address_of_name(const std::string& host, AddressKind from) {
  const Addresses list = addresses_of(host);
  if (!list) throw Error(Errc::unavailable, "'{}' has no address now: expected one", printable(host));
  for (const addrinfo* one = list.get(); one; one = one->ai_next) {
    if (!may_lead(from, kind_of(*one->ai_addr))) continue;
    std::array<char, NI_MAXHOST> text{};
    if (::getnameinfo(one->ai_addr, one->ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) != 0)
      continue;
    return one->ai_family == AF_INET6 ? fmt::format("[{}]", text.data()) : std::string(text.data());
  }
  return std::nullopt;
}

bool may_lead(AddressKind from, AddressKind to) {
  return to == AddressKind::open || to == from ||
         (from == AddressKind::this_machine && to == AddressKind::private_network);
}

std::string host_of_url(std::string_view url) { return authority_of(url).host; }

std::string origin_of_url(std::string_view url) {
  const Authority found = authority_of(url);
  return found.scheme + "://" + found.host + ":" + found.port;
}

bool is_without_proxy(std::string_view host, std::string_view no_proxy) {
  const std::string name = lower(host);
  while (!no_proxy.empty()) {
    const size_t end = std::min(no_proxy.find_first_of(", "), no_proxy.size());
    std::string one = lower(no_proxy.substr(0, end));
    no_proxy.remove_prefix(std::min(end + 1, no_proxy.size()));
    if (one == "*") return true;
    if (one.starts_with("*.")) one.erase(0, 1);
    if (one.starts_with('.')) one.erase(0, 1);
    if (!one.empty() && (name == one || name.ends_with("." + one))) return true;
  }
  return false;
}

}  // namespace volary
