// core/fault_test.cc: a rule acts where and when it says, once, and leaves a line in the log.
//
// Rules are read once, so each case runs this program again with another environment.
#include "core/fault.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "core/scratch_test.h"

#ifdef VOLARY_FAULTS

namespace volary {
namespace {

// Passes the point "test.here" three times, by writing one letter for each into a file: 'a' if nothing happened, 'e'
// for an error.
TEST(FaultVictim, DISABLED_passes_a_point_three_times) {
  for (int i = 0; i < 3; ++i) {
    const std::string error = error_of([] { fault::point("test.here"); });
    std::ofstream(std::getenv("VOLARY_TEST_OUT"), std::ios::app) << (error == "no error" ? "a" : "e");  // No points.
    if (error != "no error")
      EXPECT_EQ(error, "corrupt: cannot pass the fail point 'test.here': Input/output error");
  }
}

struct Outcome {
  std::string letters;
  std::string log;
  int signal = 0;
};

Outcome run_victim(const char* rule) {
  const TestDirectory test;
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv("VOLARY_FAULT", rule, 1);
    ::setenv("VOLARY_FAULT_LOG", (test / "log").c_str(), 1);
    ::setenv("VOLARY_TEST_OUT", (test / "out").c_str(), 1);
    ::dup2(::open("/dev/null", O_WRONLY), 1);
    ::execl("/proc/self/exe", "core_test", "--gtest_also_run_disabled_tests", "--gtest_filter=FaultVictim.*", nullptr);
    ::_exit(127);
  }
  Outcome outcome;
  int status = 0;
  ::waitpid(child, &status, WUNTRACED);
  if (WIFSTOPPED(status)) {
    outcome.signal = WSTOPSIG(status);
    ::kill(child, SIGCONT);
    ::waitpid(child, &status, 0);
  }
  if (WIFSIGNALED(status)) outcome.signal = WTERMSIG(status);
  else EXPECT_EQ(WEXITSTATUS(status), 0);
  outcome.letters = try_read_file(test / "out").value_or("");
  outcome.log = try_read_file(test / "log").value_or("");
  return outcome;
}

TEST(Fault, does_nothing_without_a_rule_for_its_point) {
  EXPECT_EQ(run_victim("").letters, "aaa");
  EXPECT_EQ(run_victim("test.elsewhere=kill").letters, "aaa");
  EXPECT_EQ(run_victim("test.here=kill@4").log, "");
}

TEST(Fault, throws_the_error_at_the_pass_it_was_told_and_only_there) {
  const Outcome outcome = run_victim("test.here=EIO@2");
  EXPECT_EQ(outcome.letters, "aea");
  EXPECT_EQ(outcome.log, "test.here EIO 2\n");
}

TEST(Fault, may_have_several_rules) { EXPECT_EQ(run_victim("test.here=EIO@3,test.here=EIO").letters, "eae"); }

TEST(Fault, counts_every_point_by_a_star) { EXPECT_EQ(run_victim("*=EIO@2").letters, "aea"); }

TEST(Fault, kills) {
  const Outcome outcome = run_victim("test.here=kill@2");
  EXPECT_EQ(outcome.signal, SIGKILL);
  EXPECT_EQ(outcome.letters, "a");
  EXPECT_EQ(outcome.log, "test.here kill 2\n");
}

TEST(Fault, stops_until_it_is_continued) {
  const Outcome outcome = run_victim("test.here=stop@2");
  EXPECT_EQ(outcome.signal, SIGSTOP);
  EXPECT_EQ(outcome.letters, "aaa");
}

}  // namespace
}  // namespace volary

#endif
