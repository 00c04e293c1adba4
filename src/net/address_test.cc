// net/address_test.cc: what addresses are, and where a request may be led.
#include "net/address.h"

#include <gtest/gtest.h>

namespace volary {
namespace {

TEST(Address, HasTheKindOfItsNetworkHoweverItIsWritten) {
  using enum AddressKind;
  const std::pair<const char*, AddressKind> cases[] = {
      {"8.8.8.8", open},           {"2606:4700::1111", open},      {"172.15.255.255", open},
      {"172.32.0.0", open},        {"100.128.0.0", open},          {"10.1.2.3", private_network},
      {"172.16.0.0", private_network}, {"172.31.255.255", private_network}, {"192.168.1.1", private_network},
      {"100.64.0.1", private_network}, {"fd00::1", private_network}, {"fec0::1", private_network},
      {"127.0.0.1", this_machine}, {"127.1", this_machine},        {"0x7f000001", this_machine},
      {"2130706433", this_machine}, {"0.0.0.0", this_machine},     {"::1", this_machine},
      {"::", this_machine},        {"[::1]", this_machine},        {"localhost", this_machine},
      {"LOCALHOST.", this_machine}, {"a.localhost", this_machine}, {"::ffff:127.0.0.1", this_machine},
      {"::ffff:10.0.0.1", private_network}, {"::127.0.0.1", this_machine},
      {"64:ff9b::169.254.169.254", link_local}, {"2002:7f00:1::", this_machine}, {"2002:0808:0808::", open},
      {"169.254.169.254", link_local}, {"fe80::1", link_local},    {"fe80::1%eth0", link_local},
      {"224.0.0.1", link_local},   {"255.255.255.255", link_local}, {"ff02::1", link_local},
  };
  for (const auto& [text, kind] : cases) {
    const auto found = kind_of_literal(text);
    ASSERT_TRUE(found) << text;
    EXPECT_EQ(*found, kind) << text;
  }
  for (const char* name : {"example.org", "10.example.org", "localhost.example.org", "", "dead.beef"})
    EXPECT_FALSE(kind_of_literal(name)) << name;
}

TEST(Address, LeadsToTheInternetAlwaysAndInwardsNever) {
  using enum AddressKind;
  for (const AddressKind from : {open, private_network, this_machine, link_local}) {
    EXPECT_TRUE(may_lead(from, open));
    EXPECT_TRUE(may_lead(from, from));
  }
  EXPECT_TRUE(may_lead(this_machine, private_network));
  for (const auto& [from, to] : {std::pair{open, private_network}, {open, this_machine}, {open, link_local},
                                 {private_network, this_machine}, {private_network, link_local},
                                 {this_machine, link_local}, {link_local, this_machine}})
    EXPECT_FALSE(may_lead(from, to));
}

TEST(Address, IsFoundInUrls) {
  EXPECT_EQ(host_of_url("https://user:pass@Example.org:8443/a@b"), "example.org");
  EXPECT_EQ(host_of_url("http://[::1]:80/"), "::1");
  EXPECT_EQ(host_of_url("http://[::1]"), "::1");
  EXPECT_EQ(host_of_url("http://host?a=/b"), "host");
  EXPECT_EQ(host_of_url("nonsense"), "");
  EXPECT_EQ(origin_of_url("HTTPS://Example.org/a"), "https://example.org:443");
  EXPECT_EQ(origin_of_url("http://example.org:8080"), "http://example.org:8080");
  EXPECT_EQ(origin_of_url("http://[::1]/"), "http://::1:80");
}

TEST(NoProxy, NamesHostsAndWhatIsBelowThem) {
  EXPECT_TRUE(is_without_proxy("a.example.org", "other,example.org"));
  EXPECT_TRUE(is_without_proxy("EXAMPLE.org", ".example.org"));
  EXPECT_TRUE(is_without_proxy("127.0.0.1", "localhost, 127.0.0.1"));
  EXPECT_TRUE(is_without_proxy("any", "*"));
  EXPECT_FALSE(is_without_proxy("badexample.org", "example.org"));
  EXPECT_FALSE(is_without_proxy("example.org", ""));
}

}  // namespace
}  // namespace volary
