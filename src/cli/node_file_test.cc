// cli/node_file_test.cc: the node's file, right and wrong; every message names file and line.
#include "cli/node_file.h"

#include <gtest/gtest.h>

#include "cli/error_test.h"

namespace volary {
namespace {

TEST(NodeFile, SaysWhatJobsMayHoldAndInWhichUnits) {
  const NodePlan plan = parse_node(R"(
capacity: {cpu: 16, memory: 64GiB, gpu: 2}
jobs_max: 8
flavors:
  large: {cpu: 13, memory: 40GiB, gpu: 1}
  few: {cpu: 2, memory: 4GiB, units_max: 3}
default_flavor: few
)", "node.yaml");
  EXPECT_EQ(plan.cpu, 16u);
  EXPECT_EQ(plan.memory_bytes, 64ull << 30);
  EXPECT_EQ(plan.gpus, (std::vector<uint64_t>{0, 1}));
  EXPECT_EQ(plan.jobs_max, 8u);
  ASSERT_EQ(plan.flavors.size(), 2u);
  EXPECT_EQ(print_json(to_json(plan.flavors[0])),
            R"({"name":"few","cpu":2,"memoryBytes":4294967296,"gpu":0,"unitsMax":3,"isDefault":true})");
  EXPECT_EQ(print_json(to_json(plan.flavors[1])),
            R"({"name":"large","cpu":13,"memoryBytes":42949672960,"gpu":1,"unitsMax":4,"isDefault":false})");
}

TEST(NodeFile, LeavesWhatItDoesNotSayToTheMachine) {
  const NodePlan plan = parse_node("", "node.yaml");
  EXPECT_FALSE(plan.cpu || plan.memory_bytes || plan.gpus);
  EXPECT_EQ(plan.jobs_max, 32u);
  EXPECT_EQ(parse_node("capacity: {gpu: [3, 1]}", "node.yaml").gpus, (std::vector<uint64_t>{1, 3}));
  EXPECT_EQ(parse_node("flavors: {one: {cpu: 1}}", "node.yaml").flavors[0].units_max, 12u);
}

TEST(NodeFile, IsRefusedWithItsLine) {
  const auto error = [](const std::string& text) { return error_of([&] { parse_node(text, "node.yaml"); }); };
  EXPECT_EQ(error("jobs_max: 0\n"), "invalid: node.yaml:1: 'jobs_max' is '0': expected a whole number from 1");
  EXPECT_EQ(error("capacity:\n  disk: 1\n").substr(0, 46), "invalid: node.yaml:2: 'disk' is not known in c");
  EXPECT_EQ(error("capacity: {gpu: [1, 1]}\n"), "invalid: node.yaml:1: GPU 1 stands twice in 'capacity.gpu'");
  EXPECT_EQ(error("flavors:\n  none: {memory: 4GiB}\n"),
            "invalid: node.yaml:2: flavor 'none' has neither cores nor GPUs: expected 'cpu', 'gpu' or both");
  EXPECT_EQ(error("flavors:\n  one: {cpu: 1, memory: 1KiB}\n"),
            "invalid: node.yaml:2: 'flavors.one.memory' is 1.00 KiB: expected at least 4.00 MiB");
  EXPECT_EQ(error("default_flavor: none\n"),
            "invalid: node.yaml:1: 'default_flavor' is 'none', and there is no flavor of this name");
  EXPECT_TRUE(error("flavors:\n  Big One: {cpu: 1}\n").starts_with("invalid: 'Big One' is no name for a flavor"));
}

}  // namespace
}  // namespace volary
