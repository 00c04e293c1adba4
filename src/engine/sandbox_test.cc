// engine/sandbox_test.cc: what a process can see and do in its sandbox, as root's and as an ordinary user's.
#include "engine/sandbox.h"

#include <sys/stat.h>

#include "engine/runs_test.h"

namespace volary {
namespace {

using testing::in_child;

constexpr uint32_t ordinary_uid = 1234;

class Sandbox : public testing::Runs {
 protected:
  // Runs the script as root's job and as an ordinary user's job: what both told.
  void expect_for_both(const std::string& script, const std::string& expected) {
    EXPECT_EQ(told(new_shell(script)), expected) << "started by root";
    EXPECT_EQ(told_by_ordinary_user(script), expected) << "started by an ordinary user";
  }
  std::string told_by_ordinary_user(const std::string& script) {
    const Path home = scratch_.path() / new_id("home");
    make_directory(home, 0700);
    if (::chown(home.c_str(), ordinary_uid, ordinary_uid) < 0) ::abort();
    return in_child(ordinary_uid, [&] { return told(new_shell(script, home)); });
  }
};

TEST_F(Sandbox, makes_the_process_uid_42420_with_no_rights) {
  expect_for_both("id -u; id -g; id -un; grep -E 'Cap(Prm|Eff|Bnd|Amb)|NoNewPrivs' /proc/self/status",
                  "exit 0\n42420\n42420\nvolary\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n"
                  "CapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\n");
}

TEST_F(Sandbox, makes_the_process_uid_42420_on_the_host_too_if_root_starts_it) {
  const Run run = new_shell("touch mine; mkdir d");
  EXPECT_EQ(complete(run).exit_code, 0);
  EXPECT_EQ(stat_of(run.directory / "workspace/mine")->st_uid, job_uid);
  EXPECT_EQ(stat_of(run.directory / "workspace/d")->st_gid, job_uid);
}

TEST_F(Sandbox, keeps_closed_what_only_root_may_read) {
  expect_for_both("cat /etc/shadow 2>&1", "exit 1\ncat: /etc/shadow: Permission denied\n");
  const Path secret = scratch_.path() / "secret";
  write_file_durably(secret, "key", 0600);
  Run run = new_shell("cat /data/secret 2>&1");
  run.spec.binds.push_back({scratch_.path(), "/data", true});
  EXPECT_EQ(told(run), "exit 1\ncat: /data/secret: Permission denied\n");
}

TEST_F(Sandbox, shows_the_host_read_only) {
  expect_for_both(
      "for d in / /usr /etc /opt /sys /run /bin; do touch $d/x 2>/dev/null && echo $d is writable; done; "
      "for d in /tmp /var/tmp /dev/shm /workspace; do touch $d/x || echo $d is not writable; done; echo end",
      "exit 0\nend\n");
}

TEST_F(Sandbox, does_not_show_the_rest_of_the_host) {
  expect_for_both("ls -d /root /home /work /var/lib /srv /mnt 2>/dev/null; ls /tmp /var /run",
                  "exit 0\n/run:\nvolary\n\n/tmp:\n\n/var:\ntmp\n");
}

TEST_F(Sandbox, shows_only_its_own_processes) {
  expect_for_both(
      "ls /proc > /tmp/seen; grep -c '^[0-9]*$' /tmp/seen; tr '\\0' ' ' < /proc/1/cmdline | sed 's,.*/bwrap,bwrap,';"
      "echo; kill -9 1; echo $$",
      "exit 0\n3\nbwrap --args 4 -- /run/volary supervise - \n2\n");
}

TEST_F(Sandbox, allows_no_namespaces_and_no_mounts) {
  expect_for_both(
      "unshare -U true 2>&1; mount -t tmpfs x /tmp 2>/dev/null || echo no; mount -o remount,rw /usr 2>/dev/null || "
      "echo no",
      "exit 0\nunshare: unshare failed: No space left on device\nno\nno\n");
}

TEST_F(Sandbox, gives_the_environment_exactly_as_it_was_asked_for) {
  Run run = new_run({"/usr/bin/env"});
  run.spec.env = {{"A", "1"}, {"B", "two words"}, {"C", "line\nbreak=\xc3\xa4"}, {"D", ""}};
  EXPECT_EQ(told(run), "exit 0\nA=1\nB=two words\nC=line\nbreak=\xc3\xa4\nD=\n");
  run = new_run({"/usr/bin/env"});
  run.spec.env = {};
  EXPECT_EQ(told(run), "exit 0\n");
}

TEST_F(Sandbox, binds_directories_that_the_process_could_not_reach_itself) {
  const Path hidden = scratch_.path() / "hidden";
  make_directory(hidden, 0700);
  make_directory(hidden / "in");
  make_directory(hidden / "out");
  write_file_durably(hidden / "in/data", "text");
  ASSERT_EQ(::chown((hidden / "out").c_str(), job_uid, job_uid), 0);
  Run run = new_shell("cat /volumes/in/data; touch /volumes/in/x 2>&1; echo new > /volumes/out/made");
  run.spec.binds.push_back({hidden / "in", "/volumes/in", false});
  run.spec.binds.push_back({hidden / "out", "/volumes/out", true});
  EXPECT_EQ(told(run), "exit 0\ntexttouch: cannot touch '/volumes/in/x': Read-only file system\n");
  EXPECT_EQ(read_file(hidden / "out/made"), "new\n");
}

TEST_F(Sandbox, chooses_a_staging_directory_that_nothing_lies_in) {
  RunSpec spec;
  EXPECT_EQ(choose_staging(spec, "/var/lib/volary/jobs/1"), "/boot");
  spec.binds = {{"/boot/data", "/data", false}};
  spec.mounts = parse_json(R"([{"steps":[{"source":"/media/a","options":"{\"data\":\"/srv/b\"}"}]}])", "mounts");
  EXPECT_EQ(choose_staging(spec, "/var/lib/volary/jobs/1"), "/mnt");
  make_symlink("/mnt", scratch_.path() / "link");
  EXPECT_EQ(choose_staging(spec, scratch_.path() / "link/jobs/1"), "/home");
}

TEST_F(Sandbox, is_described_for_the_doctor) {
  const SandboxReport report = describe_sandbox();
  EXPECT_TRUE(report.works);
  EXPECT_TRUE(report.used.starts_with("bubblewrap ")) << report.used;
  EXPECT_EQ(report.reason, "makes a user and a process namespace; jobs run as uid 42420 of this machine");
  const std::string told = in_child(ordinary_uid, [] { return describe_sandbox().reason; });
  EXPECT_EQ(told, "makes a user and a process namespace; jobs run as uid 1234 of this machine");
  const std::string without = in_child(0, [] {
    ::setenv("PATH", "/nowhere", 1);
    return get_bubblewrap().native();
  });
  EXPECT_EQ(without, "/usr/bin/bwrap");
}

}  // namespace
}  // namespace volary
