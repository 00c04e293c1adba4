// engine/replicas_test.cc: several processes of one command in one sandbox, and what pip installs for them.
#include "engine/replicas.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "engine/runs_test.h"

namespace volary {
namespace {

class replicas : public testing::Runs {
 protected:
  Run new_group(uint64_t count, const std::string& script) {
    Run run = new_shell(script);
    run.spec.replicas = count;
    run.spec.grace_seconds = 1;
    return run;
  }
  // The lines in an order of their own: the processes print as they come.
  std::string sorted(const Run& run) {
    std::istringstream in(testing::texts(log(run)));
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    std::sort(lines.begin(), lines.end());
    std::string all;
    for (const std::string& line : lines) all += line + "\n";
    return all;
  }
};

TEST(environments, of_replicas_tell_each_who_it_is_and_leave_what_the_job_says) {
  const auto all = environments_of_replicas({{"A", "b"}, {"MASTER_PORT", "7"}, {"RANK", "9"}}, 2, {1000, 1001});
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[1].at("RANK"), "1");
  EXPECT_EQ(all[1].at("LOCAL_RANK"), "1");
  EXPECT_EQ(all[0].at("WORLD_SIZE"), "2");
  EXPECT_EQ(all[0].at("MASTER_ADDR"), "127.0.0.1");
  EXPECT_EQ(all[0].at("MASTER_PORT"), "7");
  EXPECT_EQ(all[0].at("A"), "b");
  EXPECT_EQ(all[1].at("TF_CONFIG"), R"({"cluster":{"worker":["127.0.0.1:1000","127.0.0.1:1001"]},)"
                                    R"("task":{"type":"worker","index":1}})");
}

TEST_F(replicas, share_a_directory_and_print_line_by_line_with_their_rank) {
  const Run run = new_group(3, "touch $RANK; until test -e 0 -a -e 1 -a -e 2; do sleep 0.01; done; "
                               "echo $LOCAL_RANK of $WORLD_SIZE; printf 'no end'");
  const RunStatus status = complete(run);
  EXPECT_EQ(status.exit_code, 0);
  EXPECT_EQ(sorted(run), "[0] 0 of 3\n[0] no end\n[1] 1 of 3\n[1] no end\n[2] 2 of 3\n[2] no end\n");
}

TEST_F(replicas, end_with_the_first_that_fails_and_its_exit_code) {
  const Run run = new_group(3, "trap 'echo ends; exit 5' TERM; touch $RANK; "
                               "if test $RANK = 1; then until test -e 0 -a -e 2; do sleep 0.01; done; exit 7; fi; "
                               "sleep 1000 & wait");
  EXPECT_EQ(complete(run).exit_code, 7);
  const std::string said = sorted(run);
  EXPECT_NE(said.find("[0] ends\n"), std::string::npos) << said;
  EXPECT_NE(said.find("[2] ends\n"), std::string::npos) << said;
}

TEST_F(replicas, that_do_not_end_when_they_are_asked_to_are_killed_after_the_grace) {
  const Run run = new_group(2, "trap '' TERM; test $RANK = 1 && exit 7; while :; do sleep 0.01; done");
  EXPECT_EQ(complete(run).exit_code, 7);
}

TEST_F(replicas, are_ended_by_a_stop_as_one_process_is) {
  const Run run = new_group(2, "trap 'echo ends; exit 0' TERM; echo up; sleep 1000 & wait");
  runner_->start(run.directory, run.spec);
  wait_for_line(run, "[1] up");
  wait_for_line(run, "[0] up");
  runner_->stop(run.directory);
  const RunStatus status = wait(run);
  EXPECT_TRUE(status.stop_asked);
  EXPECT_EQ(sorted(run), "[0] ends\n[0] up\n[1] ends\n[1] up\n");
}

TEST_F(replicas, are_asked_to_end_once_though_one_of_them_fails_of_it) {
  const Run run = new_group(2, "trap 'echo asked; test $RANK = 0 && exit 3; sleep 1000 & "
                               "trap \"echo again\" TERM; wait' TERM; echo up; sleep 1000 & wait");
  runner_->start(run.directory, run.spec);
  wait_for_line(run, "[1] up");
  wait_for_line(run, "[0] up");
  runner_->stop(run.directory);
  EXPECT_TRUE(wait(run).stop_asked);
  EXPECT_EQ(sorted(run), "[0] asked\n[0] up\n[1] asked\n[1] up\n");
}

TEST_F(replicas, leave_nothing_that_prints_on_when_they_have_ended) {
  EXPECT_EQ(complete(new_group(2, "yes & echo began; exit 0")).exit_code, 0);
}

TEST_F(replicas, whose_command_is_not_there_say_so) {
  Run run = new_group(2, "");
  run.spec.command = {"no-such-command"};
  const RunStatus status = complete(run);
  EXPECT_EQ(status.exit_code, 127);
  EXPECT_FALSE(status.started_at);
  EXPECT_NE(status.error.find("'no-such-command' was not found"), std::string::npos) << status.error;
}

TEST_F(replicas, that_are_one_know_it) {
  const Run run = new_group(1, "echo $RANK of $WORLD_SIZE at $MASTER_ADDR");
  EXPECT_EQ(told(run), "exit 0\n0 of 1 at 127.0.0.1\n");
}

class dependencies : public testing::Runs {};

TEST_F(dependencies, that_cannot_be_had_end_the_run_before_it_begins_with_pips_words) {
  Run run = new_shell("echo began");
  run.spec.env["PIP_NO_INDEX"] = "1";
  run.spec.dependencies = {"volary-no-such-package"};
  const RunStatus status = complete(run);
  EXPECT_FALSE(status.started_at);
  EXPECT_EQ(status.exit_code, 1);
  EXPECT_TRUE(status.error.starts_with("the dependencies could not be installed: ")) << status.error;
  EXPECT_NE(status.error.find("volary-no-such-package"), std::string::npos) << status.error;
  EXPECT_EQ(testing::texts(log(run)).find("began"), std::string::npos);
}

TEST_F(dependencies, that_take_too_long_end_the_run_before_it_begins) {
  const Fd silent(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));  // Accepts, and answers nothing.
  const uint16_t port = free_ports(1).front();
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::bind(silent.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(silent.get(), 16), 0);
  Run run = new_shell("echo began");
  run.spec.env["PIP_INDEX_URL"] = "http://127.0.0.1:" + std::to_string(port);
  run.spec.dependencies = {"volary-no-such-package"};
  run.spec.install_seconds = 1;
  const RunStatus status = complete(run);
  EXPECT_FALSE(status.started_at);
  EXPECT_EQ(status.exit_code, 1);
  EXPECT_EQ(status.error, "the dependencies could not be installed within 1s, the job's timeout");
}

TEST_F(dependencies, lack_python_where_there_is_none) {
  Run run = new_shell("echo began");
  run.spec.env["PATH"] = "/nowhere";
  run.spec.dependencies = {"torch"};
  EXPECT_NE(complete(run).error.find("there is no python3 on this machine's PATH"), std::string::npos);
}

}  // namespace
}  // namespace volary
