// job/supervisor_test.cc: volumes in sandboxes: mounts by mount/, processes by engine/, as root and as an ordinary
// user.
//
// The test program is also the program of the runs ("job_test supervise DIRECTORY"), so this file has the main function
// of job_test.
#include "job/supervisor.h"

#include <signal.h>
#include <sys/stat.h>

#include "engine/runs_test.h"
#include "mount/mount.h"

namespace volary {
namespace {

constexpr uint32_t ordinary_uid = 1234;

class Supervisor : public testing::Runs {
 protected:
  // A store with one tree, and the way this user can mount it.
  struct Place {
    explicit Place(const Path& root) : path(root) {
      make_directories(path / "files/sub");
      write_file_durably(path / "files/weights", "old\n");
      write_file_durably(path / "files/sub/one", "1");
      write_file_durably(path / "files/sub/two", "2");
      store = open_store(path / "store");
      const auto commit = store->begin_commit();
      Progress progress;
      tree = add_directory(*commit, path / "files", progress, 1).summary.tree;
      commit->publish();
      const SandboxUser user = sandbox_user();
      mounter = open_mounter(*store, probe_mounts(path / "store"), Owner{user.uid, user.gid});
    }
    std::string content(const Digest& blob) const {
      StringSink text;
      store->read_blob(blob, text);
      return text.text;
    }
    // "path" or "-path" of each change, with the content of a changed file.
    std::string harvested(const Path& scratch) {
      const auto commit = store->begin_commit();
      Progress progress;
      const Harvest found = harvest(*store, *commit, tree, scratch, Deletions::keep, progress);
      const TreeSummary result = apply_changes(*store, *commit, tree, found.changes);
      commit->publish();
      std::string told;
      walk(*store, result.tree, [&](const TreePath& name, const TreeEntry& entry) {
        if (entry.kind == EntryKind::file) told += std::string(name.text()) + "=" + content(entry.digest);
      });
      return told;
    }

    Path path;
    std::unique_ptr<Store> store;
    Digest tree;
    std::unique_ptr<Mounter> mounter;
  };

  Run new_volume_run(Place& place, const std::string& script) {
    Run run = new_shell(script, place.path);
    const std::vector<MountPlan> plans = {
        place.mounter->prepare_read_only(place.tree, "in"),
        place.mounter->prepare_writable(place.tree, "out", run.directory / "scratch")};
    run.spec.mounts = to_json(plans);
    run.spec.binds.push_back({plans[0].root, "/volumes/in", false});
    run.spec.binds.push_back({plans[1].root, "/volumes/out", true});
    return run;
  }

  // Reads, changes, adds, deletes: what it told, then what was harvested.
  std::string use_volumes(const Path& home) {
    Place place(home);
    const Run run =
        new_volume_run(place,
                       "cat /volumes/in/weights; (echo x > /volumes/in/weights) 2>&1 | sed 's/.*: //';"
                       "rm /volumes/in/sub/one 2>/dev/null || echo kept; cd /volumes/out;"
                       "echo more >> weights; echo new > added; rm sub/one; mv sub/two sub/three; stat -c %u weights");
    const std::string said = told(run);
    EXPECT_EQ(place.content(Digest::of("old\n")), "old\n");
    return said + place.harvested(run.directory / "scratch");
  }
  Path new_home(uint32_t uid) {
    const Path home = scratch_.path() / new_id("home");
    make_directory(home, 0700);
    if (::chown(home.c_str(), uid, uid) < 0) ::abort();
    return home;
  }
};

constexpr const char* used_volumes =
    "exit 0\nold\nRead-only file system\nkept\n42420\n"
    "added=new\nsub/three=2weights=old\nmore\n";

TEST_F(Supervisor, shows_volumes_to_a_job_and_keeps_what_it_changed) {
  EXPECT_EQ(use_volumes(new_home(0)), used_volumes);
}

TEST_F(Supervisor, does_the_same_without_root) {
  const Path home = new_home(ordinary_uid);
  EXPECT_EQ(testing::in_child(ordinary_uid, [&] { return use_volumes(home); }), used_volumes);
}

TEST_F(Supervisor, gives_a_job_without_root_no_power_over_files_of_others) {
  const Path home = new_home(ordinary_uid);
  const std::string said = testing::in_child(ordinary_uid, [&] {
    Place place(home);
    return told(new_volume_run(
        place,
        "grep CapEff /proc/self/status; cat /etc/shadow 2>&1; (echo x > /etc/hosts) 2>&1 | sed 's/.*: //';"
        "chmod 777 /usr/bin/env 2>/dev/null || echo no; (echo x > /proc/sys/kernel/hostname) 2>/dev/null || echo no"));
  });
  EXPECT_EQ(said,
            "exit 0\nCapEff:\t0000000000000002\ncat: /etc/shadow: Permission denied\nRead-only file system\nno\nno\n");
}

TEST_F(Supervisor, leaves_no_mount_when_it_is_killed_and_what_was_written_can_be_harvested) {
  Place place(new_home(0));
  const Run run = new_volume_run(place, "echo new > /volumes/out/added; echo up; sleep " + nap_);
  runner_->start(run.directory, run.spec);
  wait_for_line(run, "up");
  kill_supervisor(run);
  EXPECT_EQ(wait(run).phase, RunPhase::lost);
  EXPECT_FALSE(is_running(nap_));
  EXPECT_EQ(read_file("/proc/self/mountinfo").find(run.directory.native()), std::string::npos);
  EXPECT_EQ(place.harvested(run.directory / "scratch"), "added=new\nsub/one=1sub/two=2weights=old\n");
}

TEST_F(Supervisor, says_what_could_not_be_mounted) {
  Place place(new_home(0));
  Run run = new_volume_run(place, "true");
  remove_tree(place.path / "store/images");
  const RunStatus status = complete(run);
  EXPECT_EQ(status.phase, RunPhase::exited);
  EXPECT_FALSE(status.exit_code);
  EXPECT_NE(status.error.find("/store/images/"), std::string::npos) << status.error;
}

TEST_F(Supervisor, refuses_to_run_a_job_as_root) {
  Run run = new_shell("true");
  run.spec.mounts =
      to_json(std::vector<MountPlan>{{.steps = {}, .root = "x", .writable = true, .user_namespace = true}});
  EXPECT_EQ(
      told(run),
      "no exit code (root without the right to mount cannot run jobs, which must not be root: run this program as an "
      "ordinary user)\n");
}

TEST_F(Supervisor, mounts_nothing_for_a_run_that_was_stopped_before) {
  Run run = new_shell("true");
  run.spec.mounts = "no plans at all";
  runner_->stop(run.directory);
  EXPECT_EQ(told(run), "no exit code (stopped before its process was started)\n");
}

}  // namespace
}  // namespace volary

int main(int count, char** words) {
  if (count == 3 && std::string_view(words[1]) == "supervise") return volary::run_supervisor(words[2]);
  ::testing::InitGoogleTest(&count, words);
  return RUN_ALL_TESTS();
}
