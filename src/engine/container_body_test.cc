// engine/container_body_test.cc: what an engine is told.
#include "engine/container_body.h"

#include <gtest/gtest.h>

#include "engine/supervision.h"

namespace volary {
namespace {

TEST(ContainerBody, shows_one_port_of_the_container_at_as_many_places_as_were_asked_for) {
  RunSpec spec;
  spec.container.emplace();
  spec.container->ports = {"80", "8080:80", "9"};
  const json::value body = container_body(spec, {"/jobs/one/run", "/jobs/one/run/mnt"});
  EXPECT_EQ(print_json(body.at("HostConfig").at("PortBindings")),
            R"({"80/tcp":[{"HostIp":"127.0.0.1","HostPort":""},{"HostIp":"127.0.0.1","HostPort":"8080"}],)"
            R"("9/tcp":[{"HostIp":"127.0.0.1","HostPort":""}]})");
}

TEST(ReasonText, is_short_and_text_whatever_was_printed) {
  EXPECT_EQ(reason_text("bad \xff byte\n"), "bad \\xff byte\\x0a");
  const std::string cut = reason_text(std::string(4095, 'x') + "\u00e4");
  EXPECT_EQ(cut.substr(0, 4095), std::string(4095, 'x'));
  EXPECT_LE(cut.size(), 4096u);
  EXPECT_LE(reason_text(std::string(5000, '\1')).size(), 4096u);
}

}  // namespace
}  // namespace volary
