// net/address.h: which network an address leads to, and from where it may be reached.
//
// A server that people of the internet can name must not be led, by a redirect or by a name that suddenly means another
// address, to what stands behind its own firewall. So addresses have kinds, and the one a request begins with says
// which others it may be led to.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <sys/socket.h>

#include <boost/describe/enum.hpp>

namespace volary {

enum class AddressKind {
  open,             // Of the internet.
  private_network,  // RFC 1918, 6598 (carriers' networks), 4193 (fc00::/7).
  this_machine,     // Loopback and "any".
  link_local,       // 169.254/16, fe80::/10: where clouds keep their machines' credentials; and what is reserved.
};
BOOST_DESCRIBE_ENUM(AddressKind, open, private_network, this_machine, link_local)

// "a private network": for messages.
std::string_view words_of(AddressKind kind);

// Of an IPv4 or IPv6 address; one that carries an IPv4 address inside (mapped, 6to4, NAT64) is that one's. Other
// families are `this_machine`.
AddressKind kind_of(const sockaddr& address);
// The same of the text of an address, with or without brackets, and of "localhost"; nothing for a name.
std::optional<AddressKind> kind_of_literal(std::string_view host);
// The nearest of the addresses that a name has now: this_machine before private_network before open. Nothing if it
// has none.
std::optional<AddressKind> kind_of_name(const std::string& host);

// An address that the name has now and that may be led to from that kind, in brackets if it is IPv6's; nothing if all
// that it has may not. Throws `unavailable` if it has none: names fail for a while, as servers do.
std::optional<std::string> address_of_name(const std::string& host, AddressKind from);

// Whether a request that was made for one kind of address may go on to another: to the open internet always, from this
// machine also to a private network, otherwise to its own kind only.
bool may_lead(AddressKind from, AddressKind to);

// "example.org" of "https://user@example.org:8443/a"; "::1" of "http://[::1]/". "" if there is none.
std::string host_of_url(std::string_view url);
// "https://example.org:8443", in lower case and with the port that the scheme has by itself.
std::string origin_of_url(std::string_view url);

// Whether a request to `host` goes without a proxy, by a list as in no_proxy: names, which also mean what is below
// them, addresses, and '*'.
bool is_without_proxy(std::string_view host, std::string_view no_proxy);

}  // namespace volary
