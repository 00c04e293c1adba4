// view/mounts_test.cc: mounts for people with a real kernel, in a mount namespace of the test's own.
#include "view/mounts.h"

#include <dirent.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include <fstream>
#include <sstream>
#include <thread>

#include "core/workers.h"
#include "mount/mount_test.h"
#include "view/cache.h"
#include "volume/ledger.h"
#include "volume/volumes.h"

namespace volary {
namespace {

const Caller alice{"sub-1", "alice", "ten-default", "prj-default"};

// A server's parts, without the server.
struct Parts {
  explicit Parts(const Path& root) : store(open_store(root / "store")), places(root) {
    make_directories(root / "at");
    ways = probe_mounts(store->root());
    mounter = open_mounter(*store, ways, {0, 0});
    mounts = std::make_unique<Mounts>(*database, *store, *mounter, MountPlaces{root / "mounts", root / "mounts", {}},
                                      clock, [&](std::string_view line) { log += std::string(line) + "\n"; });
    mounts->start();
  }
  // A volume with one version that holds one file.
  void add_volume(const std::string& name) {
    const Volume volume = volumes.create(alice, {name, {}, {}, {}, {}});
    const auto commit = store->begin_commit();
    const auto blob = commit->new_blob();
    blob->write(name);
    const Blob written = blob->finish();
    TreeEntry entry;
    entry.name = "file";
    entry.size = written.size;
    entry.digest = written.digest;
    const TreeSummary tree = commit->add_tree(Tree{{entry}});
    commit->publish();
    database->write([&](Transaction& transaction) {
      const Holder holder{"job", "job-" + name};
      take_writer(transaction, volume.id, name, 0, holder, clock.now());
      commit_version(transaction, {volume.id, tree, "alice", "", Origin::job, holder, 0}, clock.now());
      release_leases(transaction, holder);
    });
  }
  Path at(const std::string& name) const {
    make_directories(places / "at" / name);
    return places / "at" / name;
  }
  Mount mount(const std::string& volume, const std::string& place, MountAccess access = MountAccess::ro) {
    return mounts->mount(alice, {volume, at(place).native(), access, {}}, Asker::own_user);
  }

  std::unique_ptr<Store> store;
  Path places;
  std::unique_ptr<Database> database = open_database("sqlite::memory:");
  FakeClock clock{Time{1'000'000'000'000'000}};
  Volumes volumes{*database, *store, clock};
  MountWays ways;
  std::unique_ptr<Mounter> mounter;
  std::unique_ptr<Mounts> mounts;
  std::string log;
};

class mounts_for_people : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "mounting where others see it needs root";
  }
  // What `work` says of a server's parts in a namespace of their own.
  std::string with_parts(const std::function<std::string(Parts&)>& work) {
    return in_child([&] {
      enter_mount_namespace(false);
      Parts parts(directory_.path());
      return work(parts);
    });
  }
  TestDirectory directory_;
};

// Below a directory; others' come and go.
size_t mounts_below(const Path& directory) {
  const auto mounts = host_mounts();
  return static_cast<size_t>(std::count_if(mounts.begin(), mounts.end(), [&](const HostMount& mount) {
    return mount.source.starts_with("volary") && mount.path.native().starts_with(directory.native() + "/");
  }));
}

// That show a file below it.
size_t loop_devices_of(const Path& directory) {
  size_t count = 0;
  for (const DirectoryEntry& entry : list_directory("/sys/block")) {
    std::string file;
    std::getline(std::ifstream(Path("/sys/block") / entry.name / "loop" / "backing_file") >> std::ws, file);
    count += file.find(directory.filename().native()) != file.npos;
  }
  return count;
}

TEST_F(mounts_for_people, stand_by_the_hundred_at_once_and_leave_nothing_behind) {
  constexpr size_t count = 300;
  EXPECT_EQ(with_parts([&](Parts& parts) -> std::string {
              for (size_t i = 0; i < count; ++i) parts.add_volume("v" + std::to_string(i));
              std::vector<std::string> ids(count);
              for_each_index(count, 4, [&](size_t i) {
                const std::string name = "v" + std::to_string(i);
                ids[i] = parts.mount(name, name).id;
              });
              if (mounts_below(parts.places) != count) return "not all are mounted";
              for (size_t i = 0; i < count; ++i) {
                const std::string name = "v" + std::to_string(i);
                if (read_file(parts.at(name) / "file") != name) return name + " shows something else";
              }
              for_each_index(count, 4, [&](size_t i) { parts.mounts->unmount(alice, ids[i], {}); });
              return fmt::format("{} mounted, {} listed, {} directories", mounts_below(parts.places),
                                 parts.mounts->list(alice, "", "", 1000).size(),
                                 list_directory(parts.places / "mounts").size());
            }),
            "0 mounted, 0 listed, 0 directories");
  EXPECT_EQ(loop_devices_of(directory_.path()), 0u);
}

TEST_F(mounts_for_people, are_forgotten_when_others_unmount_them_and_left_when_they_were_written) {
  EXPECT_EQ(with_parts([&](Parts& parts) -> std::string {
              parts.add_volume("v");
              parts.mount("v", "read");
              const Mount written = parts.mount("v", "written", MountAccess::rw);
              write_text(parts.at("written") / "new", "new");
              parts.mounts->look_after();
              std::string said = std::to_string(parts.mounts->list(alice, "", "", 10).size());
              for (const char* place : {"read", "written"}) ::umount2(parts.at(place).c_str(), 0);
              parts.mounts->look_after();
              for (const Mount& mount : parts.mounts->list(alice, "", "", 10))
                said += fmt::format(", {} {}", Path(mount.path).filename().native(), name_of_value(mount.state));
              said += fmt::format(", version {}", parts.mounts->unmount(alice, written.id, {}).result);
              return said + fmt::format(", {} leases", parts.volumes.leases(alice, "v").size());
            }),
            "2, written left, version 2, 0 leases");
}

TEST_F(mounts_for_people, of_kind_shell_wait_a_minute_for_their_command_and_end_with_it) {
  EXPECT_EQ(with_parts([&](Parts& parts) -> std::string {
              parts.add_volume("v");
              const auto states = [&] {
                std::string all;
                for (const Mount& mount : parts.mounts->list(alice, "", "", 10))
                  all += std::string(name_of_value(mount.access)) + " " + std::string(name_of_value(mount.state)) + ";";
                return all;
              };
              for (const auto access : {MountAccess::ro, MountAccess::rw})
                parts.mounts->mount(alice, {"v", parts.at("here").native(), access, MountKind::shell}, Asker::own_user);
              parts.mounts->look_after();
              const std::string before = states().size() == 22 ? "both, then " : states();
              parts.clock.set(parts.clock.now().plus_seconds(61));
              parts.mounts->look_after();
              return before + states();
            }),
            "both, then rw left;");
}

TEST_F(mounts_for_people, are_not_made_twice_at_one_path_nor_ended_twice_at_once) {
  EXPECT_EQ(with_parts([&](Parts& parts) -> std::string {
              parts.add_volume("v");
              std::atomic<int> made = 0;
              for_each_index(8, 8, [&](size_t) { made += error_of([&] { parts.mount("v", "one"); }).empty(); });
              const std::string id = parts.mounts->list(alice, "", "", 10).at(0).id;
              std::atomic<int> ended = 0;
              for_each_index(8, 8, [&](size_t) {
                ended += error_of([&] { parts.mounts->unmount(alice, id, {}); }).empty();
              });
              return fmt::format("{} made, {} ended, {} mounted", made.load(), ended.load(),
                                 mounts_below(parts.places));
            }),
            "1 made, 1 ended, 0 mounted");
}

TEST_F(mounts_for_people, keep_their_image_in_the_cache_and_nothing_else_does) {
  EXPECT_EQ(with_parts([&](Parts& parts) -> std::string {
              Cache cache(*parts.database, parts.mounter->images(), 0, parts.clock, [](std::string_view) {});
              for (const char* name : {"a", "b"}) parts.add_volume(name);
              const std::string id = parts.mount("a", "a").id;
              parts.mounts->unmount(alice, parts.mount("b", "b").id, {});
              parts.clock.set({system_clock().now().micros});
              cache.tidy();
              std::string said;
              for (const CachedImage& image : cache.list())
                said += image.versions.at(0) + " used by " + std::to_string(image.users.size()) + "; ";
              parts.mounts->unmount(alice, id, {});
              cache.tidy();
              return said + std::to_string(cache.list().size());
            }),
            "a@1 used by 1; 0");
}

TEST_F(mounts_for_people, leave_in_the_cache_what_a_job_that_is_being_started_may_have_in_part) {
  EXPECT_EQ(with_parts([&](Parts& parts) -> std::string {
              Cache cache(*parts.database, parts.mounter->images(), 0, parts.clock, [](std::string_view) {});
              parts.mounter->prepare_read_only(empty_tree().tree, "part");
              parts.add_volume("v");
              parts.clock.set({system_clock().now().micros});
              std::string said;
              for (const char* state : {"PENDING", "RUNNING"}) {
                parts.database->write([&](Transaction& t) {
                  t.run("DELETE FROM job");
                  t.run("DELETE FROM lease");
                  t.run("INSERT INTO job (id, tenant, project, subject, name, spec, state, reason, ending, "
                        "stop_requested, created_at, lease_owner, lease_until) "
                        "VALUES ('job-1', $1, $2, 'alice', '', '{}', $3, '', '', 0, 0, '', 0)",
                        alice.tenant, alice.project, std::string(state));
                  t.run("INSERT INTO lease (id, tenant, volume, kind, version, epoch, holder_kind, holder, "
                        "acquired_at) SELECT 'l', tenant, id, 'reader', 1, 0, 'job', 'job-1', 0 FROM volume");
                });
                cache.tidy();
                said += fmt::format("{} {}; ", state, cache.list().size());
              }
              return said;
            }),
            "PENDING 1; RUNNING 0; ");
}

}  // namespace
}  // namespace volary
