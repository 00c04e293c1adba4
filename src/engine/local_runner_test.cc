// engine/local_runner_test.cc: starting, watching, stopping and losing runs, with real sandboxes.
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>

#include "core/fault.h"
#include "engine/run_directory.h"
#include "engine/runs_test.h"

namespace volary {
namespace {

using testing::in_child;
using testing::texts;
using testing::wait_until;

class LocalRunner : public testing::Runs {};

TEST_F(LocalRunner, gives_the_exit_code_of_the_process) {
  EXPECT_EQ(told(new_shell("echo hello; exit 0")), "exit 0\nhello\n");
  EXPECT_EQ(told(new_shell("exit 7")), "exit 7\n");
  EXPECT_EQ(told(new_shell("exit 255")), "exit 255\n");
}

TEST_F(LocalRunner, gives_128_and_the_number_of_the_signal_that_ended_it) {
  EXPECT_EQ(told(new_shell("kill -TERM $$")), "exit 143\n");
  EXPECT_EQ(told(new_shell("kill -SEGV $$")), "exit 139\n");
}

TEST_F(LocalRunner, forgets_the_number_of_its_namespace_which_may_be_anothers_after_its_end) {
  const Run run = new_run({"true"});
  complete(run);
  EXPECT_FALSE(is_present(run.directory / "namespace"));
}

TEST_F(LocalRunner, says_why_a_command_could_not_be_executed) {
  EXPECT_EQ(
      told(new_run({"no-such-thing", "x"})),
      "exit 127 (the command 'no-such-thing' was not found: there is no such file, or its interpreter is missing)\n");
  EXPECT_EQ(told(new_run({"/etc/passwd"})),
            "exit 126 (the command '/etc/passwd' cannot be executed: it is no executable file)\n");
  Run lost = new_run({"true"});
  lost.spec.working_directory = "/nowhere";
  EXPECT_EQ(told(lost), "exit 126 (the working directory '/nowhere' cannot be entered: No such file or directory)\n");
  EXPECT_FALSE(runner_->poll(lost.directory).started_at);
}

TEST_F(LocalRunner, says_why_a_sandbox_could_not_be_made) {
  Run absent = new_run({"true"});
  absent.spec.binds.push_back({"/not/there", "/data", false});
  EXPECT_EQ(told(absent), "no exit code ('/not/there' is to be shown in the sandbox, but it is not there)\n");
  Run below_usr = new_run({"true"});
  below_usr.spec.binds.push_back({scratch_.path(), "/usr/no/room", false});
  const std::string reason = complete(below_usr).error;
  EXPECT_NE(reason.find("the sandbox could not be made: bwrap: Can't mkdir"), std::string::npos) << reason;
}

TEST_F(LocalRunner, refuses_what_cannot_be_a_run) {
  const auto refusal = [&](const Run& run) {
    try {
      runner_->start(run.directory, run.spec);
      return std::string("started");
    } catch (const Error& error) {
      return std::string(error.what());
    }
  };
  Run run = new_run({});
  EXPECT_EQ(refusal(run), "invalid: run '" + run.spec.name + "' has an empty command");
  run.spec.command = {"true"};
  run.spec.env["A=B"] = "c";
  EXPECT_EQ(refusal(run),
            "invalid: run '" + run.spec.name + "' has a variable 'A=B': expected a name without '=' and no zero bytes");
  EXPECT_EQ(runner_->poll(run.directory).phase, RunPhase::absent);
}

TEST_F(LocalRunner, tells_when_it_began_and_ended) {
  const Time before = system_clock().now();
  const Run run = new_shell("echo $$");
  EXPECT_EQ(runner_->poll(run.directory).phase, RunPhase::absent);
  const RunStatus status = complete(run);
  ASSERT_TRUE(status.started_at && status.ended_at);
  EXPECT_LE(before, *status.started_at);
  EXPECT_LE(*status.started_at, *status.ended_at);
  runner_->stop(run.directory);  // Nothing to do.
}

TEST_F(LocalRunner, pages_the_log_by_offset_while_it_grows) {
  const Run run = new_shell("echo one; while [ ! -e go ]; do sleep 0.01; done; printf 'two\\nthree'");
  runner_->start(run.directory, run.spec);
  wait_for_line(run, "one");
  const Path log_file = run.directory / "log";
  const std::string first = read_log(log_file, 0, 1000).text;
  EXPECT_EQ(first.size(), 28 + 4u);
  EXPECT_NO_THROW(parse_time(first.substr(0, 27)));
  create_file(run.directory / "workspace/go");
  wait(run);
  EXPECT_EQ(texts(read_log(log_file, first.size(), 1000).text), "two\nthree\n");
  EXPECT_EQ(read_log(log_file, first.size() + 28, 3).text, "two");
  EXPECT_EQ(read_log(log_file, 1 << 20, 3).text, "");
  EXPECT_EQ(read_log(scratch_.path() / "no-run/log", 0, 3).text, "");
}

TEST_F(LocalRunner, keeps_ten_megabytes_of_output_whole_and_in_order) {
  const Run run = new_shell("seq -f 'line number %010.0f of a long log' 1 262144");
  EXPECT_EQ(complete(run).exit_code, 0);
  const std::string all = texts(log(run));
  EXPECT_EQ(all.size(), 262144u * 37);
  EXPECT_TRUE(all.ends_with("line number 0000262144 of a long log\n"));
  EXPECT_EQ(std::count(all.begin(), all.end(), '\n'), 262144);
}

TEST_F(LocalRunner, keeps_binary_output_as_it_is) {
  EXPECT_EQ(told(new_shell("printf 'a\\000b\\377\\r\\n\\n'")), std::string("exit 0\na\0b\377\r\n\n", 14));
}

TEST_F(LocalRunner, stops_a_process_that_minds_its_sigterm) {
  const Run run = new_run({"/usr/bin/python3", "-c",
                           "import os, signal, time\n"
                           "def end(number, frame): os.write(1, b'saving\\n'); os._exit(5)\n"
                           "signal.signal(signal.SIGTERM, end)\n"
                           "print('up', flush=True)\n"
                           "while True: time.sleep(0.01)\n"});
  runner_->start(run.directory, run.spec);
  wait_for_line(run, "up");
  runner_->stop(run.directory);
  runner_->stop(run.directory);
  EXPECT_EQ(wait(run).exit_code, 5);
  EXPECT_EQ(texts(log(run)), "up\nsaving\n");
}

TEST_F(LocalRunner, sends_sigterm_to_the_children_of_the_process_too) {
  const Run run = new_shell("(trap 'echo child ends; exit 0' TERM; echo child; while :; do sleep 0.01; done) & "
                            "trap 'wait; echo parent ends; exit 3' TERM; echo parent; wait");
  runner_->start(run.directory, run.spec);
  wait_for_line(run, "child");
  wait_for_line(run, "parent");
  runner_->stop(run.directory);
  EXPECT_EQ(wait(run).exit_code, 3);
  EXPECT_TRUE(texts(log(run)).ends_with("child ends\nparent ends\n")) << log(run);
}

TEST_F(LocalRunner, kills_a_process_that_ignores_sigterm_after_the_grace) {
  Run run = new_shell("trap '' TERM; echo up; while :; do sleep 0.01; done");
  run.spec.grace_seconds = 1;
  runner_->start(run.directory, run.spec);
  wait_for_line(run, "up");
  runner_->stop(run.directory);
  const RunStatus status = wait(run);
  EXPECT_EQ(status.exit_code, 137);
  EXPECT_GE(status.ended_at->micros - status.started_at->micros, 1'000'000);
}

TEST_F(LocalRunner, never_starts_what_was_stopped_before) {
  const Run run = new_shell("echo started");
  runner_->stop(run.directory);
  EXPECT_EQ(told(run), "no exit code (stopped before its process was started)\n");
}

TEST_F(LocalRunner, ends_what_the_process_left_behind) {
  const Run run = new_shell("setsid sleep " + nap_ + " & echo left");
  EXPECT_EQ(told(run), "exit 0\nleft\n");
  EXPECT_FALSE(is_running(nap_));
}

TEST_F(LocalRunner, leaves_no_supervisor_behind_where_the_runs_directory_was_removed) {
  const Run run = new_shell("echo up; sleep " + nap_);
  runner_->start(run.directory, run.spec);
  wait_for_line(run, "up");
  const auto is_removed = [&] {  // What the supervisor writes meanwhile may come in between.
    try {
      remove_tree(run.directory);
      return true;
    } catch (const Error&) {
      return false;
    }
  };
  ASSERT_TRUE(wait_until(is_removed));
  EXPECT_TRUE(is_running(run.directory.native()));
  for (const int pid : processes_with(nap_)) ::kill(pid, SIGKILL);
  EXPECT_TRUE(wait_until([&] { return !is_running(run.directory.native()); }));
}

TEST_F(LocalRunner, runs_once_however_often_it_is_started) {
  const Run run = new_shell("echo once >> seen; while [ ! -e go ]; do sleep 0.01; done");
  std::vector<pid_t> children;
  for (int i = 0; i < 8; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      make_local_runner("/proc/self/exe")->start(run.directory, run.spec);
      ::_exit(0);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  create_file(run.directory / "workspace/go");
  EXPECT_EQ(wait(run).exit_code, 0);
  runner_->start(run.directory, run.spec);
  EXPECT_EQ(read_file(run.directory / "workspace/seen"), "once\n");
}

TEST_F(LocalRunner, goes_on_when_its_starter_dies_and_anybody_may_take_over) {
  const Run run = new_shell("echo up; while [ ! -e go ]; do sleep 0.01; done; exit 4");
  in_child(0, [&]() -> std::string {
    runner_->start(run.directory, run.spec);
    ::kill(::getpid(), SIGKILL);
    return "";
  });
  EXPECT_TRUE(wait_until([&] { return runner_->poll(run.directory).phase == RunPhase::running; }));
  wait_for_line(run, "up");
  create_file(run.directory / "workspace/go");
  EXPECT_EQ(wait(run).exit_code, 4);
}

TEST_F(LocalRunner, is_lost_with_everything_when_its_supervisor_is_killed) {
  const Run run = new_shell("echo up; trap '' TERM; while :; do sleep " + nap_ + "; done");
  runner_->start(run.directory, run.spec);
  wait_for_line(run, "up");
  ASSERT_TRUE(wait_until([&] { return is_running(nap_); }));
  kill_supervisor(run);
  const RunStatus status = wait(run);
  EXPECT_FALSE(is_running(nap_));
  EXPECT_EQ(status.phase, RunPhase::lost);
  EXPECT_EQ(status.error, "its supervisor vanished: it was killed, or the machine restarted");
  runner_->start(run.directory, run.spec);
  EXPECT_EQ(runner_->poll(run.directory).phase, RunPhase::lost) << "a lost run is not started again";
}

TEST_F(LocalRunner, leaves_nothing_whenever_its_supervisor_is_killed) {
  for (int micros = 0; micros < 60'000; micros += 2'000) {
    const Run run = new_run({"/bin/sleep", nap_});
    runner_->start(run.directory, run.spec);
    ::usleep(static_cast<useconds_t>(micros));
    kill_supervisor(run);
    ASSERT_EQ(wait(run).phase, RunPhase::lost) << micros;
    EXPECT_FALSE(is_running(nap_)) << micros;
    EXPECT_FALSE(is_running(run.directory.native())) << micros;
  }
}

TEST_F(LocalRunner, gives_the_process_no_descriptor_but_its_three_and_a_closed_input) {
  EXPECT_EQ(told(new_shell("ls /proc/self/fd | grep -v '^3$'; cat; readlink /proc/self/fd/0; echo more > /dev/stdout")),
            "exit 0\n0\n1\n2\n/dev/null\nmore\n");
}

TEST_F(LocalRunner, gives_the_process_its_signals_as_they_are_by_default) {
  EXPECT_EQ(told(new_shell("cat /proc/self/status | grep -E 'Sig(Blk|Ign|Cgt)'")),
            "exit 0\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\nSigCgt:\t0000000000000000\n");
}

TEST_F(LocalRunner, survives_a_full_disk_and_keeps_the_outcome) {
  const Path disk = scratch_.path() / "disk";
  make_directory(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=256k") < 0) GTEST_SKIP() << "no right to mount";
  const Run run = new_shell("seq 100000; exit 6", disk);
  const RunStatus status = complete(run);
  EXPECT_EQ(status.exit_code, 6);
  EXPECT_TRUE(texts(log(run)).starts_with("1\n2\n3\n"));
  EXPECT_LT(log(run).size(), 256u << 10);
  ::umount2(disk.c_str(), MNT_DETACH);
}

#ifdef VOLARY_FAULTS
class Killed : public LocalRunner, public ::testing::WithParamInterface<std::pair<const char*, RunPhase>> {};

TEST_P(Killed, at_a_fail_point_leaves_a_true_state_and_no_process) {
  const auto [point, phase] = GetParam();
  const Run run = new_shell("echo up; sleep " + nap_ + " & wait $!; echo $$");
  const Path faults = scratch_.path() / "faults";
  Run quick = run;
  if (phase == RunPhase::exited || std::string(point) == "supervisor.exited") quick.spec.command = {"true"};
  const Path wanted = scratch_.path() / "wanted.json";
  write_file_durably(wanted, print_json(to_json(quick.spec)));
  in_child(0, [&]() -> std::string {  // Fail points are read once, when a program starts.
    ::setenv("VOLARY_FAULT", (std::string(point) + "=kill").c_str(), 1);
    ::setenv("VOLARY_FAULT_LOG", faults.c_str(), 1);
    ::execl("/proc/self/exe", "engine_test", "start", run.directory.c_str(), wanted.c_str(), nullptr);
    return "";
  });
  ASSERT_TRUE(wait_until([&] { return is_present(faults); })) << point << " was never passed";
  if (std::string(point) == "engine.spawned") {
    wait_for_line(run, "up");
    runner_->stop(run.directory);
    EXPECT_EQ(wait(run).exit_code, 143);
  } else {
    EXPECT_EQ(wait(run).phase, phase);
  }
  EXPECT_FALSE(is_running(nap_));
}

INSTANTIATE_TEST_SUITE_P(Points, Killed,
                         ::testing::Values(std::pair{"engine.spawned", RunPhase::running},
                                           std::pair{"supervisor.mounted", RunPhase::lost},
                                           std::pair{"supervisor.started", RunPhase::lost},
                                           std::pair{"supervisor.exited", RunPhase::lost},
                                           std::pair{"supervisor.outcome", RunPhase::exited}));
#endif

}  // namespace
}  // namespace volary
