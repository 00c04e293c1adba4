// volume/ledger_test.cc: the books of a volume: one writer, one version an origin, never above a quota.
#include "volume/ledger.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <atomic>
#include <set>
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

TEST_F(the_ledger, lets_what_just_fits_the_project_be_committed) {
  database->write([&](Transaction& t) { t.run("UPDATE project SET quota_fs_bytes = 1000"); });
  database->write([&](Transaction& t) {
    take_writer(t, volume.id, "digits", 0, one, clock.now());
    reserve_bytes(t, volume.id, 1000);
    NewVersion version = version_of(1000, one);
    version.reserved_bytes = 1000;
    EXPECT_EQ(commit_version(t, version, clock.now()), 1u);
  });
  EXPECT_EQ(volumes.get(alice, "digits").used_bytes, 1000u);
  EXPECT_EQ(volumes.get(alice, "digits").reserved_bytes, 0u);
}

TEST_F(the_ledger, never_exceeds_the_projects_quota_when_many_volumes_grow_at_once) {
  database->write([&](Transaction& t) { t.run("UPDATE project SET quota_fs_bytes = 1000"); });
  constexpr int volumes_in_all = 64;
  std::vector<Volume> each;
  for (int i = 0; i < volumes_in_all; ++i)
    each.push_back(volumes.create(alice, {fmt::format("v{}", i), {}, {}, 1000, {}}));
  std::atomic<int> committed{0};
  {
    std::vector<std::jthread> threads;
    for (int worker = 0; worker < 8; ++worker)
      threads.emplace_back([&, worker] {
        for (int i = worker; i < volumes_in_all; i += 8) {
          const Holder holder{"transfer", fmt::format("xfer-{}", i)};
          const auto reserved = error_of([&](Transaction& t) {
            take_writer(t, each[i].id, each[i].name, 0, holder, clock.now());
            reserve_bytes(t, each[i].id, 90);
          });
          if (!reserved.empty()) continue;
          NewVersion version = version_of(90, holder);
          version.volume_id = each[i].id;
          version.reserved_bytes = 90;
          EXPECT_EQ(error_of([&](Transaction& t) { commit_version(t, version, clock.now()); }), "");
          ++committed;
        }
      });
  }
  EXPECT_EQ(committed, 1000 / 90);
}

TEST_F(the_ledger, lets_writers_in_by_the_order_in_which_they_asked) {
  const Holder three{"transfer", "xfer-3"};
  const auto may_write = [&](const Holder& holder) {
    return database->write([&](Transaction& t) { return take_waited(t, holder, clock.now()); });
  };
  const auto ask = [&](const Holder& holder) {
    return database->write(
        [&](Transaction& t) { return take_writers(t, {{volume.id, "digits", 0}}, holder, 60, clock.now()); });
  };
  EXPECT_EQ(ask(one), Admission::writes);
  clock.set(clock.now().plus_seconds(1));
  EXPECT_EQ(ask(two), Admission::waits);
  clock.set(clock.now().plus_seconds(1));
  EXPECT_EQ(ask(three), Admission::waits);
  EXPECT_FALSE(may_write(two));
  const auto waiting = database->read([&](Transaction& t) { return find_waiting(t, three); });
  EXPECT_EQ(waiting->reason, "volume 'digits' is being written by job job-1 since 1970-01-01T00:16:40.000000Z");
  EXPECT_EQ(waiting->give_up_at, clock.now().plus_seconds(60));
  database->write([&](Transaction& t) { release_leases(t, one); });
  EXPECT_EQ(error_of([&](Transaction& t) { take_writer(t, volume.id, "digits", 0, {"job", "pushy"}, clock.now()); }),
            "conflict: volume 'digits' is being waited for by job job-2 since 1970-01-01T00:16:41.000000Z: expected no "
            "other writer");
  EXPECT_FALSE(may_write(three));
  EXPECT_TRUE(may_write(two));
  EXPECT_TRUE(may_write(two));  // It waits for nothing any more.
  database->write([&](Transaction& t) { release_leases(t, two); });
  EXPECT_TRUE(may_write(three));
  EXPECT_EQ(volumes.leases(alice, "digits").at(0).epoch, 3u);
}

TEST_F(the_ledger, gives_several_volumes_at_once_or_none) {
  const Volume other = volumes.create(alice, {"other", {}, {}, 1000, {}});
  database->write([&](Transaction& t) { take_writer(t, volume.id, "digits", 0, one, clock.now()); });
  const std::vector<WantedVolume> both = {{volume.id, "digits", 0}, {other.id, "other", 0}};
  EXPECT_EQ(error_of([&](Transaction& t) { take_writers(t, both, two, {}, clock.now()); }),
            "conflict: volume 'digits' is being written by job job-1 since 1970-01-01T00:16:40.000000Z: expected no "
            "other writer");
  EXPECT_TRUE(volumes.leases(alice, "other").empty());
  database->write([&](Transaction& t) { take_writers(t, both, two, 60, clock.now()); });
  EXPECT_EQ(volumes.leases(alice, "other").at(0).kind, "waiting");
  database->write([&](Transaction& t) {
    release_leases(t, one);
    EXPECT_TRUE(take_waited(t, two, clock.now()));
  });
  EXPECT_EQ(volumes.leases(alice, "digits").at(0).holder, "job job-2");
  EXPECT_EQ(volumes.leases(alice, "other").at(0).kind, "writer");
  EXPECT_EQ(error_of([&](Transaction& t) { take_writers(t, both, one, 0, clock.now()); }),
            "invalid: nobody can wait 0 seconds for a volume: expected 1 to 2419200 (28 days)");
}

// Whoever waits for whatever, with writers that end: all come to write, none passes an older one on a volume.
RC_GTEST_FIXTURE_PROP(the_ledger, lets_everybody_write_in_the_end, ()) {
  const std::string tag = random_hex(4);
  std::vector<Volume> each;
  for (int i = 0; i < 3; ++i) each.push_back(volumes.create(alice, {fmt::format("p{}-{}", i, tag), {}, {}, {}, {}}));
  const auto wishes = *rc::gen::container<std::vector<int>>(rc::gen::inRange(1, 8));  // Sets of volumes, as bits.
  std::vector<Holder> holders;
  for (size_t i = 0; i < wishes.size(); ++i) {
    holders.push_back({"job", fmt::format("{}-{:03}", tag, i)});
    std::vector<WantedVolume> wanted;
    for (size_t bit = 0; bit < 3; ++bit)
      if (wishes[i] >> bit & 1) wanted.push_back({each[bit].id, each[bit].name, 0});
    database->write([&](Transaction& t) { take_writers(t, wanted, holders[i], 1000, clock.now()); });
    clock.set(clock.now().plus_seconds(*rc::gen::inRange(0, 2)));  // Some ask at the same moment.
  }
  std::set<size_t> left;
  for (size_t i = 0; i < holders.size(); ++i) left.insert(i);
  while (!left.empty()) {
    size_t ended = 0;
    for (const size_t i : std::vector<size_t>(left.begin(), left.end())) {
      const bool writes = database->write([&](Transaction& t) {
        return take_waited(t, holders[i], clock.now());
      });
      if (!writes) continue;
      for (const size_t older : left)
        RC_ASSERT(older >= i || (wishes[older] & wishes[i]) == 0);
      database->write([&](Transaction& t) { release_leases(t, holders[i]); });
      left.erase(i);
      ++ended;
    }
    RC_ASSERT(ended > 0u);
  }
}

TEST_F(the_ledger, ends_what_the_dead_left_behind_and_nothing_of_the_living) {
  database->write([&](Transaction& t) {
    const auto add_transfer = [&](const std::string& id, std::string_view state) {
      t.run("INSERT INTO transfer (id, tenant, project, kind, volume, version, datastore, source_directory, "
            "destination_directory, strategy, message, state, counts, error, reserved_bytes, cancel_requested, "
            "created_at, created_by) VALUES ($1, 'ten-default', 'prj-default', 'import', $2, 0, '', '', '', "
            "'overwrite', '', $3, '{}', '', 7, 0, 0, '')",
            id, volume.id, state);
    };
    const auto add_job = [&](const std::string& id, std::string_view state) {
      t.run("INSERT INTO job (id, tenant, project, subject, name, spec, state, reason, ending, stop_requested, "
            "created_at, lease_owner, lease_until) VALUES ($1, 'ten-default', 'prj-default', 'alice', $1, '{}', $2, "
            "'', '', 0, 0, '', 0)",
            id, state);
    };
    add_transfer("xfer-alive", "running");
    add_transfer("xfer-ended", "failed");
    add_job("job-alive", "FINALIZING");
    add_job("job-ended", "ERROR");
    t.run("INSERT INTO mount (id, tenant, project, volume, version, path, access, kind, state, note, message, author, "
          "discard, created_at, created_by) VALUES ('mount-alive', 'ten-default', 'prj-default', $1, 0, '/m', 'ro', "
          "'path', 'mounted', '', '', '', 0, 0, '')",
          volume.id);
    for (const auto& [kind, id] : std::vector<std::pair<std::string, std::string>>{
             {"transfer", "xfer-alive"}, {"transfer", "xfer-ended"}, {"transfer", "xfer-gone"}, {"job", "job-alive"},
             {"job", "job-ended"}, {"job", "job-gone"}, {"mount", "mount-alive"}, {"mount", "mount-gone"}})
      take_reader(t, volume.id, 0, {kind, id}, clock.now());
    wait_to_write(t, volume.id, {"transfer", "xfer-gone"}, clock.now(), clock.now());
    t.run("UPDATE volume SET used_bytes = 5, reserved_bytes = 12345");
  });
  const auto told = database->write([](Transaction& t) { return end_dead_leases(t); });
  EXPECT_EQ(told.size(), 6u);
  EXPECT_EQ(told.front(), "ended what transfer xfer-ended left behind as reader of volume 'digits'");
  EXPECT_EQ(told.back(), "ended what transfer xfer-gone left behind as waiting writer of volume 'digits'");
  std::vector<std::string> holders;
  for (const Lease& lease : volumes.leases(alice, "digits")) holders.push_back(lease.holder);
  std::sort(holders.begin(), holders.end());
  EXPECT_EQ(holders, (std::vector<std::string>{"job job-alive", "mount mount-alive", "transfer xfer-alive"}));
  EXPECT_TRUE(database->write([](Transaction& t) { return end_dead_leases(t); }).empty());

  EXPECT_EQ(database->write([](Transaction& t) { return correct_books(t); }),
            std::vector<std::string>{
                "the books of volume 'digits' said 5 B used and 12.1 KiB reserved: corrected to 0 B and 7 B"});
  EXPECT_TRUE(database->write([](Transaction& t) { return correct_books(t); }).empty());
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
