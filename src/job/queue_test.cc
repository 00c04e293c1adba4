// job/queue_test.cc: who begins and who waits, as examples; and what holds of every queue, machine and quota.
#include "job/queue.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace volary {
namespace {

using enum Turn;
using Turns = std::vector<Turn>;

Claim gpus(uint64_t count, const std::string& project = "a") { return {project, {.gpu = count, .jobs = 1}}; }
Claim cores(uint64_t count, const std::string& project = "a") { return {project, {.cpu = count, .jobs = 1}}; }
const Share machine{.cpu = 16, .memory_bytes = 64, .gpu = 4, .jobs = 32};

TEST(a_queue, lets_begin_what_fits_in_order) {
  EXPECT_EQ(take_turns(machine, {}, {gpus(2)}, {gpus(1), gpus(1), gpus(1)}), (Turns{begins, begins, room}));
  EXPECT_EQ(take_turns(machine, {}, {}, {}), Turns{});
  EXPECT_EQ(take_turns({.jobs = 1}, {}, {}, {{"a", {.jobs = 1}}, {"a", {.jobs = 1}}}), (Turns{begins, room}));
}

TEST(a_queue, keeps_for_a_large_job_what_it_waits_for_and_gives_the_rest) {
  EXPECT_EQ(take_turns(machine, {}, {gpus(1)}, {gpus(4), gpus(1), cores(16)}), (Turns{room, room, begins}));
  const Claim both{"a", {.cpu = 10, .gpu = 4, .jobs = 1}};
  EXPECT_EQ(take_turns(machine, {}, {gpus(1)}, {both, cores(8), cores(6)}), (Turns{room, room, room}))
      << "who waits keeps what it needs from those behind, too";
  EXPECT_EQ(take_turns(machine, {}, {gpus(1)}, {both, cores(6)}), (Turns{room, begins}));
}

TEST(a_queue, leaves_to_others_what_a_long_queue_does_not_wait_for) {
  const Claim both{"a", {.cpu = 4, .gpu = 1, .jobs = 1}};
  std::vector<Claim> queue(40, both);  // More than there are places, and cores.
  queue.push_back(cores(12));
  queue.push_back(cores(1));
  Turns wanted(40, room);
  wanted.push_back(begins);
  wanted.push_back(room);
  EXPECT_EQ(take_turns(machine, {}, {gpus(4)}, queue), wanted);
}

TEST(a_queue, keeps_for_each_thing_that_is_short_the_share_of_who_waited_first) {
  const std::vector<Claim> queue = {gpus(2), gpus(1), cores(12), cores(8), {"a", {.memory_bytes = 64, .jobs = 1}}};
  EXPECT_EQ(take_turns(machine, {}, {gpus(3), cores(8)}, queue), (Turns{room, room, room, room, begins}));
  EXPECT_EQ(take_turns(machine, {}, {gpus(2), cores(8)}, queue), (Turns{begins, room, room, room, begins}));
}

TEST(a_queue, stops_a_project_at_its_quota_and_nobody_else) {
  const Quotas quotas = {{"a", {.gpu = 2}}};
  EXPECT_EQ(take_turns(machine, quotas, {gpus(1)}, {gpus(2), gpus(1), gpus(3, "b"), cores(1)}),
            (Turns{quota, quota, begins, begins}));
  EXPECT_EQ(take_turns(machine, {{"a", {.jobs = 1}}}, {},
                       {cores(1), cores(1), cores(1, "b")}),
            (Turns{begins, quota, begins}));
}

TEST(a_queue, is_not_held_up_by_what_can_never_begin) {
  const Quotas quotas = {{"a", {.gpu = 2}}};
  EXPECT_EQ(take_turns(machine, quotas, {}, {gpus(5), gpus(3), gpus(2), gpus(2, "b")}),
            (Turns{too_large, above_quota, begins, begins}));
}

TEST(a_queue, goes_on_where_the_machine_has_become_smaller_than_what_is_held) {
  EXPECT_EQ(take_turns({.cpu = 4, .jobs = 32}, {}, {cores(8)}, {cores(1), {"a", {.jobs = 1}}}), (Turns{room, begins}));
}

// --- properties

Share arbitrary_share(uint64_t most) {
  const auto amount = [&] { return *rc::gen::inRange<uint64_t>(0, most + 1); };
  return {.cpu = amount(), .memory_bytes = amount(), .gpu = amount(), .jobs = 1};
}

struct World {
  Share capacity;
  Quotas quotas;
  std::vector<Claim> holders;
  std::vector<Claim> queue;

  std::string project() const { return *rc::gen::element<std::string>("a", "b", "c"); }
  World() {
    capacity = arbitrary_share(8);
    capacity.jobs = *rc::gen::inRange<uint64_t>(1, 8);
    for (const char* name : {"a", "b"}) {
      JobQuota& quota = quotas[name];
      if (*rc::gen::arbitrary<bool>()) quota.gpu = *rc::gen::inRange<uint64_t>(0, 6);
      if (*rc::gen::arbitrary<bool>()) quota.jobs = *rc::gen::inRange<uint64_t>(0, 4);
    }
    const auto some = [&](std::vector<Claim>& claims, size_t most) {
      const size_t count = *rc::gen::inRange<size_t>(0, most);
      for (size_t i = 0; i < count; ++i) claims.push_back({project(), arbitrary_share(5)});
    };
    some(queue, 12);
    std::vector<Claim> began;  // They hold what they were given when they stood in a queue.
    some(began, 6);
    const auto turns = take_turns(capacity, quotas, {}, began);
    for (size_t i = 0; i < began.size(); ++i)
      if (turns[i] == begins) holders.push_back(began[i]);
  }
  std::vector<Turn> turns() const { return take_turns(capacity, quotas, holders, queue); }
  Share held(const std::vector<Claim>& claims, const std::string& project = "") const {
    Share sum;
    for (const Claim& one : claims)
      if (project.empty() || one.project == project) add(sum, one.share);
    return sum;
  }
};

bool is_within(const Share& part, const Share& all) {
  return part.cpu <= all.cpu && part.memory_bytes <= all.memory_bytes && part.gpu <= all.gpu && part.jobs <= all.jobs;
}

RC_GTEST_PROP(every_queue, never_gives_more_than_there_is_or_a_project_may_hold, ()) {
  const World world;
  const auto turns = world.turns();
  std::vector<Claim> after = world.holders;
  for (size_t i = 0; i < turns.size(); ++i)
    if (turns[i] == begins) after.push_back(world.queue[i]);
  RC_ASSERT(is_within(world.held(after), world.capacity));
  for (const char* project : {"a", "b", "c"})
    RC_ASSERT(is_within(world.held(after, project), limit_of(world.quotas, project)));
}

// Whoever is first and may begin at all: nothing that comes behind changes when.
RC_GTEST_PROP(every_queue, lets_its_first_begin_as_soon_as_there_is_what_it_needs, ()) {
  const World world;
  if (world.queue.empty()) return;
  const Claim& first = world.queue.front();
  const Share limit = limit_of(world.quotas, first.project);
  const bool is_free = fits(first.share, less(world.capacity, world.held(world.holders))) &&
                       fits(first.share, less(limit, world.held(world.holders, first.project)));
  RC_ASSERT((world.turns().front() == begins) == is_free);
}

// As time goes on, whoever waits for room begins when those that held before it have ended, however many came behind.
RC_GTEST_PROP(every_queue, starves_nobody, ()) {
  World world;
  const auto turns = world.turns();
  const auto waiting = std::find(turns.begin(), turns.end(), room);
  if (waiting == turns.end()) return;
  const auto at = static_cast<size_t>(waiting - turns.begin());
  std::vector<Claim> later, queue;
  for (size_t i = 0; i < turns.size(); ++i) {
    if (turns[i] == begins && i > at) later.push_back(world.queue[i]);
    if (turns[i] != begins && i >= at) queue.push_back(world.queue[i]);
  }
  RC_ASSERT(take_turns(world.capacity, world.quotas, later, queue).front() == begins);
}

// Who waits lacks something, as far as holders and those ahead of it are counted; who begins lacks nothing beside those
// that hold or begin.
RC_GTEST_PROP(every_queue, lets_nobody_wait_without_a_reason, ()) {
  const World world;
  const auto turns = world.turns();
  std::vector<Claim> taken = world.holders;      // By those that hold it or begin.
  std::vector<Claim> wanted = world.holders;     // Also by those that wait ahead.
  std::vector<Claim> promised = world.holders;   // The same, of quotas.
  for (size_t i = 0; i < turns.size(); ++i) {
    const Claim& one = world.queue[i];
    const Share limit = limit_of(world.quotas, one.project);
    const auto is_there = [&](const std::vector<Claim>& claims) {
      return fits(one.share, less(world.capacity, world.held(claims)));
    };
    const auto is_allowed = [&](const std::vector<Claim>& claims) {
      return fits(one.share, less(limit, world.held(claims, one.project)));
    };
    if (turns[i] == begins) RC_ASSERT(is_there(taken));
    if (turns[i] == room) RC_ASSERT(!is_there(wanted));
    if (turns[i] == begins || turns[i] == room) RC_ASSERT(is_allowed(taken));
    if (turns[i] == quota) RC_ASSERT(!is_allowed(promised));
    if (turns[i] == begins) taken.push_back(one);
    if (turns[i] == begins || turns[i] == room) wanted.push_back(one);
    if (turns[i] == begins || turns[i] == room || turns[i] == quota) promised.push_back(one);
  }
}

}  // namespace
}  // namespace volary
