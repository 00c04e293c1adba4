// engine/limits_test.cc: memory and cores, really limited.
#include "engine/limits.h"

#include "engine/runs_test.h"

namespace volary {
namespace {

class LimitsOfRuns : public testing::Runs {
 protected:
  static std::vector<std::string> python(const std::string& code) { return {"/usr/bin/python3", "-c", code}; }
  static std::vector<Path> groups(const Run& run) {
    std::vector<Path> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator("/sys/fs/cgroup"))
      if (entry.path().filename().native().find(run.spec.name) != std::string::npos) found.push_back(entry.path());
    return found;
  }
};

TEST_F(LimitsOfRuns, kill_a_process_that_exceeds_its_memory_and_say_so) {
  Run run = new_run(python("print('up', flush=True); x = b'x' * (256 << 20); print('too much')"));
  run.spec.memory_bytes = 64 << 20;
  if (const auto reason = why_unenforceable(run.spec)) GTEST_SKIP() << *reason;
  EXPECT_EQ(told(run), "exit 137 (killed: the process exceeded its memory limit of 64.0 MiB)\nup\n");
  EXPECT_TRUE(groups(run).empty());
}

TEST_F(LimitsOfRuns, leave_a_process_alone_that_keeps_to_its_memory) {
  Run run = new_run(python("x = b'x' * (64 << 20); print('enough')"));
  run.spec.memory_bytes = 256 << 20;
  if (const auto reason = why_unenforceable(run.spec)) GTEST_SKIP() << *reason;
  EXPECT_EQ(told(run), "exit 0\nenough\n");
}

TEST_F(LimitsOfRuns, count_what_lies_in_tmp_as_memory) {
  Run run = new_shell("head -c 200000000 /dev/zero > /tmp/big; echo written");
  run.spec.memory_bytes = 64 << 20;
  if (const auto reason = why_unenforceable(run.spec)) GTEST_SKIP() << *reason;
  EXPECT_EQ(complete(run).error.empty() ? log(run) : "killed", "killed");
}

TEST_F(LimitsOfRuns, give_a_process_its_number_of_cores) {
  Run run = new_run(python("import os; print(len(os.sched_getaffinity(0)))"));
  run.spec.cpus = 1;
  EXPECT_EQ(told(run), "exit 0\n1\n");
  EXPECT_TRUE(groups(run).empty());
  run = new_run(python("import os; print(len(os.sched_getaffinity(0)) == os.cpu_count())"));
  run.spec.cpus = 4096;
  EXPECT_EQ(told(run), "exit 0\nTrue\n");
}

TEST_F(LimitsOfRuns, hold_against_a_process_that_widens_its_affinity) {
  Run run =
      new_run(python("import os, time\n"
                     "os.sched_setaffinity(0, range(os.cpu_count()))\n"
                     "group = [line.split(':')[2].strip() for line in open('/proc/self/cgroup') if ':cpu:' in line or "
                     "line.startswith('0:')][0]\n"
                     "print(group.rsplit('/', 1)[1].startswith('volary-job'))\n"));
  run.spec.cpus = 1;
  EXPECT_EQ(told(run), "exit 0\nTrue\n");
}

TEST_F(LimitsOfRuns, are_forgotten_when_a_run_is_lost) {
  Run run = new_shell("echo up; sleep 5432109");
  run.spec.memory_bytes = 64 << 20;
  if (const auto reason = why_unenforceable(run.spec)) GTEST_SKIP() << *reason;
  runner_->start(run.directory, run.spec);
  wait_for_line(run, "up");
  EXPECT_FALSE(groups(run).empty());
  kill_supervisor(run);
  EXPECT_EQ(wait(run).phase, RunPhase::lost);
  EXPECT_TRUE(groups(run).empty());
}

TEST_F(LimitsOfRuns, are_refused_where_they_cannot_hold) {
  RunSpec spec;
  EXPECT_EQ(why_unenforceable(spec), std::nullopt);
  spec.cpus = 0;
  EXPECT_EQ(why_unenforceable(spec), "cpus is 0: expected at least 1");
  spec.cpus.reset();
  spec.memory_bytes = 64 << 20;
  const std::string told = testing::in_child(1234, [&] { return why_unenforceable(spec).value_or("enforceable"); });
  EXPECT_TRUE(told.starts_with("memory cannot be limited here: ") || told == "enforceable") << told;
}

}  // namespace
}  // namespace volary
