// volume/ledger_test.cc: the books of a volume: one writer, one version an origin, never above a quota.
#include "volume/ledger.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <thread>

#include "core/error.h"
#include "core/file.h"
#include "core/random.h"
#include "store/store.h"
#include "volume/volumes.h"

namespace volary {
namespace {

const Caller alice{"sub-1", "alice", "ten-default", "prj-default"};

struct Scratch {
  Path path = std::filesystem::temp_directory_path() / ("volary-ledger-" + random_hex(6));
  Scratch() { make_directories(path); }
  ~Scratch() { remove_tree(path); }
};

class the_ledger : public testing::Test {
 protected:
  std::string error_of(const std::function<void(Transaction&)>& work) {
    try {
      database->write(work);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  NewVersion version_of(uint64_t bytes, const Holder& holder) {
    TreeSummary tree;
    tree.tree = tree.checksum = Digest::of(holder.id);
    tree.bytes = bytes;
    return {volume.id, tree, "alice", "", Origin::job, holder, 0};
  }

  Scratch scratch;
  std::unique_ptr<Store> store = open_store(scratch.path / "store");
  std::unique_ptr<Database> database = open_database("sqlite::memory:");
  FakeClock clock{Time{1'000'000'000}};
  Volumes volumes{*database, *store, clock};
  Volume volume = volumes.create(alice, {"digits", DataType::dataset, {}, 1000, {}});
  Holder one{"job", "job-1"};
  Holder two{"job", "job-2"};
};

TEST_F(the_ledger, lets_one_writer_in_and_names_it_to_the_second) {
  EXPECT_EQ(error_of([&](Transaction& t) { EXPECT_EQ(take_writer(t, volume.id, "digits", 0, one, clock.now()), 1u); }),
            "");
  EXPECT_EQ(
      error_of([&](Transaction& t) { take_writer(t, volume.id, "digits", 0, two, clock.now()); }),
      "conflict: volume 'digits' is being written by job job-1 since 1970-01-01T00:16:40.000000Z: expected no other "
      "writer");
  EXPECT_EQ(error_of([&](Transaction& t) {
              release_leases(t, one);
              EXPECT_EQ(take_writer(t, volume.id, "digits", 0, two, clock.now()), 2u);
            }),
            "");
}

TEST_F(the_ledger, commits_only_under_the_newest_lease) {
  EXPECT_EQ(error_of([&](Transaction& t) { commit_version(t, version_of(1, one), clock.now()); }),
            "conflict: job job-1 may not write volume 'digits' any more: its lease has ended");
}

TEST_F(the_ledger, makes_one_version_for_one_holder_however_often_it_is_asked) {
  database->write([&](Transaction& t) {
    take_writer(t, volume.id, "digits", 0, one, clock.now());
    EXPECT_EQ(commit_version(t, version_of(10, one), clock.now()), 1u);
  });
  database->write([&](Transaction& t) { EXPECT_EQ(commit_version(t, version_of(10, one), clock.now()), 1u); });
  const Volume after = volumes.get(alice, "digits");
  EXPECT_EQ(after.head, 1u);
  EXPECT_EQ(after.used_bytes, 10u);
}

TEST_F(the_ledger, refuses_what_does_not_fit_with_the_numbers) {
  database->write([&](Transaction& t) { reserve_bytes(t, volume.id, 900); });
  EXPECT_EQ(
      error_of([&](Transaction& t) { reserve_bytes(t, volume.id, 200); }),
      "exhausted: volume 'digits' has a quota of 1000 B (1000 bytes): 0 B used, 900 B reserved, 200 B more asked for");
  database->write([&](Transaction& t) { release_bytes(t, volume.id, 900); });
  EXPECT_EQ(
      error_of([&](Transaction& t) {
        take_writer(t, volume.id, "digits", 0, one, clock.now());
        commit_version(t, version_of(1001, one), clock.now());
      }),
      "exhausted: volume 'digits' has a quota of 1000 B (1000 bytes): 0 B used, 0 B reserved, 1001 B more asked for");
}

TEST_F(the_ledger, keeps_the_projects_quota_over_all_its_volumes) {
  database->write([&](Transaction& t) { t.run("UPDATE project SET quota_fs_bytes = 1500"); });
  const Volume other = volumes.create(alice, {"other", {}, {}, 1000, {}});
  database->write([&](Transaction& t) { reserve_bytes(t, volume.id, 1000); });
  EXPECT_EQ(
      error_of([&](Transaction& t) { reserve_bytes(t, other.id, 600); }),
      "exhausted: the project has a quota of 1.46 KiB for fs volumes: 1000 B used or reserved, 600 B more asked for");
}

TEST_F(the_ledger, never_overshoots_when_many_reserve_at_once) {
  std::atomic<int> granted{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i)
      threads.emplace_back([&] {
        for (int k = 0; k < 25; ++k)
          if (error_of([&](Transaction& t) { reserve_bytes(t, volume.id, 30); }).empty()) ++granted;
      });
  }
  EXPECT_EQ(granted, 1000 / 30);
  EXPECT_EQ(volumes.get(alice, "digits").reserved_bytes, 990u);
}

TEST_F(the_ledger, does_not_let_a_volume_in_use_be_deleted) {
  database->write([&](Transaction& t) { take_reader(t, volume.id, 0, one, clock.now()); });
  try {
    volumes.remove(alice, "digits");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "conflict: volume 'digits' is in use by job job-1: expected nobody to hold it");
  }
  database->write([&](Transaction& t) { release_leases(t, one); });
  volumes.remove(alice, "digits");
  EXPECT_THROW(volumes.get(alice, "digits"), Error);
}

TEST_F(the_ledger, finds_versions_by_number_tag_and_checksum) {
  database->write([&](Transaction& t) {
    take_writer(t, volume.id, "digits", 0, one, clock.now());
    commit_version(t, version_of(10, one), clock.now());
    release_leases(t, one);
    take_writer(t, volume.id, "digits", 1, two, clock.now());
    commit_version(t, version_of(20, two), clock.now());
  });
  volumes.tag(alice, "digits", "1", "gold");
  EXPECT_EQ(volumes.version(alice, "digits", "").number, 2u);
  EXPECT_EQ(volumes.version(alice, "digits", "v1").number, 1u);
  EXPECT_EQ(volumes.version(alice, "digits", "gold").number, 1u);
  EXPECT_EQ(volumes.version(alice, "digits", Digest::of("job-2").hex().substr(0, 8)).number, 2u);
  EXPECT_THROW(volumes.version(alice, "digits", "3"), Error);
  EXPECT_THROW(volumes.tag(alice, "digits", "1", "12"), Error);
}

}  // namespace
}  // namespace volary
