// job/node_test.cc: what a job gets for what it asks for, and what is refused, with the numbers.
#include "job/node.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "job/billing.h"

namespace volary {
namespace {

class a_node : public testing::Test {
 protected:
  static NodePlan plan() {
    NodePlan plan;
    plan.cpu = 32;
    plan.memory_bytes = 64ull << 30;
    plan.gpus = {0, 1, 2, 3};
    plan.flavors = {{"large", 13, 20ull << 30, 1, 2, false}, {"small", 2, 1ull << 30, 0, 12, true}};
    return plan;
  }
  static NewJob container(std::optional<uint64_t> gpus = {}) {
    NewJob job;
    job.image = "python:3";
    if (gpus) job.container = NewContainer{};
    if (gpus) job.container->gpus = gpus;
    return job;
  }
  Share share(const NewJob& job) { return node.allot(job).share; }
  std::string error(const NewJob& job) {
    try {
      node.allot(job);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  std::unique_ptr<Database> database = open_database("sqlite::memory:");
  Node node{*database, plan(), ""};
};

TEST_F(a_node, gives_units_of_a_flavor_by_gpus_or_by_cores) {
  NewJob job = container(2);
  job.flavor = "large";
  EXPECT_EQ(share(job), (Share{26, 40ull << 30, 2, 1}));
  EXPECT_EQ(node.allot(job).units, 2u);
  job.container.reset();
  EXPECT_EQ(share(job), (Share{13, 20ull << 30, 1, 1})) << "one unit unless told";
  NewJob small;
  small.flavor = "small";
  small.cpus = 6;
  EXPECT_EQ(share(small), (Share{6, 3ull << 30, 0, 1}));
  EXPECT_EQ(node.allot(small).units, 3u);
}

TEST_F(a_node, gives_what_is_asked_for_and_one_gpu_to_a_container_that_asks_for_nothing) {
  NewJob job;
  job.cpus = 3;
  job.memory_bytes = 5 << 20;
  EXPECT_EQ(share(job), (Share{3, 5 << 20, 0, 1}));
  Node plain(*database, {.gpus = {{0, 5}}}, "");
  EXPECT_EQ(plain.allot(NewJob{}).share, (Share{0, 0, 0, 1}));
  EXPECT_EQ(plain.allot(container()).share, (Share{0, 0, 1, 1}));
  EXPECT_EQ(plain.allot(container(0)).share, (Share{0, 0, 0, 1}));
  NewJob cores = container();
  cores.cpus = 1;
  EXPECT_EQ(plain.allot(cores).share, (Share{1, 0, 0, 1}));
  Node none(*database, {.gpus = {std::vector<uint64_t>{}}}, "");
  EXPECT_EQ(none.allot(container()).share, (Share{0, 0, 0, 1}));
}

TEST_F(a_node, has_a_flavor_for_those_that_name_none_where_it_suits) {
  EXPECT_EQ(node.allot(NewJob{}).flavor, "small");
  EXPECT_EQ(node.allot(container(2)).flavor, "") << "the default one has no GPUs";
  NewJob memory;
  memory.memory_bytes = 5 << 20;
  EXPECT_EQ(node.allot(memory).flavor, "");
}

TEST_F(a_node, refuses_with_the_numbers) {
  NewJob job;
  job.memory_bytes = uint64_t{1} << 60;
  EXPECT_EQ(error(job), "invalid: 1.00 EiB of memory were asked for: this machine gives 64.0 GiB to jobs");
  job = {};
  job.cpus = 33;
  job.memory_bytes = 5 << 20;
  EXPECT_EQ(error(job), "invalid: 33 cpus were asked for: this machine gives 32 to jobs");
  EXPECT_EQ(error(container(5)), "invalid: 5 GPUs were asked for: this machine gives 4 to jobs");
  job = container(3);
  job.flavor = "large";
  EXPECT_EQ(error(job), "invalid: 3 units of flavor 'large' were asked for: expected at most 2");
  job.flavor = "huge";
  EXPECT_EQ(error(job), "not_found: there is no flavor 'huge': expected one of large, small");
}

TEST_F(a_node, refuses_what_contradicts_a_flavor) {
  NewJob job = container();
  job.flavor = "large";
  job.cpus = 4;
  EXPECT_TRUE(error(job).starts_with("invalid: 4 cores were asked for beside flavor 'large', which is counted in"));
  job.cpus.reset();
  job.memory_bytes = 5 << 20;
  EXPECT_TRUE(error(job).starts_with("invalid: 5.00 MiB of memory were asked for beside flavor 'large', of which"));
  job.memory_bytes.reset();
  job.image.reset();
  EXPECT_TRUE(error(job).starts_with("invalid: flavor 'large' has GPUs, and only jobs in a container are given any"));
  job = container(1);
  job.flavor = "small";
  EXPECT_TRUE(error(job).starts_with("invalid: 1 GPUs were asked for beside flavor 'small', which has none"));
  job = {};
  job.flavor = "small";
  job.cpus = 3;
  EXPECT_TRUE(error(job).starts_with("invalid: 3 cores cannot be had of flavor 'small', of which a unit has 2"));
}

TEST_F(a_node, bills_units_of_a_flavor_and_otherwise_what_is_held) {
  NewJob job = container(2);
  job.flavor = "large";
  EXPECT_EQ(print_json(to_json(units_of(node.allot(job)))), R"({"cpu":26,"gpu":2,"flavor":"large","units":2})");
  NewJob plain;
  plain.cpus = 3;
  plain.memory_bytes = 5 << 20;
  EXPECT_EQ(print_json(to_json(units_of(node.allot(plain)))), R"({"cpu":3,"gpu":0,"flavor":""})");
  const PriceList list{"EUR", {JobState::RUNNING}, {{Time{}, {1}, {10}, {100}, {{"small", {1000}}}}}};
  NewJob small;
  small.cpus = 6;
  const Time end{60'000'000};
  EXPECT_EQ(charge_of({{Time{}, end}}, units_of(node.allot(small)), list, Time{}, end).cost.micros, 1 + 3000);
}

TEST_F(a_node, refuses_what_a_project_may_not_hold) {
  database->write([&](Transaction& t) {
    t.run("UPDATE project SET quota_gpu = 2, quota_jobs = 0 WHERE id = 'prj-default'");
    const auto refusal = [&](const Share& share) {
      try {
        check_quota(t, "prj-default", share);
      } catch (const Error& error) {
        return std::string(error.what());
      }
      return std::string();
    };
    EXPECT_EQ(refusal({.gpu = 3, .jobs = 1}), "exhausted: 3 GPUs were asked for: the project may hold 2 at once");
    EXPECT_EQ(refusal({.jobs = 1}), "exhausted: a job was submitted: the project may hold 0 at once");
    t.run("UPDATE project SET quota_jobs = NULL WHERE id = 'prj-default'");
    EXPECT_EQ(refusal({.cpu = 1000, .jobs = 1}), "");
  });
}

}  // namespace
}  // namespace volary
