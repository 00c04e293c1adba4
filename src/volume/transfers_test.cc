// volume/transfers_test.cc: imports and exports through the whole of sync/, between a directory and a volume.
#include <gmock/gmock.h>

#include <unistd.h>

#include <map>

#include "core/error.h"
#include "volume/ledger.h"
#include "volume/transfer_world_test.h"

namespace volary {
namespace {

using a_transfer = TransferWorld;

TEST_F(a_transfer, imports_a_directory_as_version_one_and_then_finds_nothing_to_copy) {
  put("d/a.txt", "1");
  put("d/sub/b.txt", "22");
  put("elsewhere", "x");
  const Transfer first = import("d");
  EXPECT_EQ(first.error, "");
  EXPECT_EQ(first.version, 1u);
  EXPECT_EQ(first.counts.completed, 2u);
  EXPECT_EQ(volume(), (std::map<std::string, std::string>{{"a.txt", "1"}, {"sub/b.txt", "22"}}));
  EXPECT_EQ(volumes.get(alice, "digits").used_bytes, 3u);
  EXPECT_EQ(volumes.get(alice, "digits").reserved_bytes, 0u);
  EXPECT_TRUE(volumes.leases(alice, "digits").empty());

  const Transfer again = import("d");
  EXPECT_EQ(again.version, 1u);
  EXPECT_EQ(again.counts.completed, 0u);
  EXPECT_EQ(again.counts.skipped, 2u);
  EXPECT_EQ(volumes.get(alice, "digits").head, 1u);
}

TEST_F(a_transfer, keeps_each_strategys_promise) {
  put("one/same", "s");
  put("one/old", "o");
  import("one");
  put("two/same", "S");
  put("two/new", "n");
  EXPECT_EQ(import("two", Strategy::no_overwrite).version, 2u);
  EXPECT_EQ(volume(), (std::map<std::string, std::string>{{"same", "s"}, {"old", "o"}, {"new", "n"}}));
  EXPECT_EQ(import("two", Strategy::overwrite).version, 3u);
  EXPECT_EQ(volume(), (std::map<std::string, std::string>{{"same", "S"}, {"old", "o"}, {"new", "n"}}));
  const Transfer mirror = import("two", Strategy::mirror);
  EXPECT_EQ(mirror.counts.deleted, 1u);
  EXPECT_EQ(volume(), (std::map<std::string, std::string>{{"same", "S"}, {"new", "n"}}));
  EXPECT_EQ(volume("1"), (std::map<std::string, std::string>{{"same", "s"}, {"old", "o"}}));
}

TEST_F(a_transfer, deletes_only_inside_the_destination_directory) {
  put("one/a", "1");
  import("one", Strategy::overwrite, "keep");
  import("one", Strategy::overwrite, "into");
  put("two/b", "2");
  import("two", Strategy::mirror, "into");
  EXPECT_EQ(volume(), (std::map<std::string, std::string>{{"keep/a", "1"}, {"into/b", "2"}}));
}

TEST_F(a_transfer, exports_and_the_second_time_copies_nothing) {
  put("d/a", "1");
  put("d/sub/b", "2");
  import("d");
  const Transfer first = export_to("out/deep");
  EXPECT_EQ(first.error, "");
  EXPECT_EQ(first.counts.completed, 2u);
  EXPECT_EQ(bucket("out/deep"), (std::map<std::string, std::string>{{"a", "1"}, {"sub/b", "2"}}));
  const Transfer second = export_to("out/deep");
  EXPECT_EQ(second.counts.completed, 0u);
  EXPECT_EQ(second.counts.skipped, 2u);
  put("out/deep/b", "changed by somebody");
  put("out/deep/a", "changed by somebody");
  EXPECT_EQ(export_to("out/deep", Strategy::mirror).counts.deleted, 1u);
  EXPECT_EQ(bucket("out/deep"), (std::map<std::string, std::string>{{"a", "1"}, {"sub/b", "2"}}));
}

TEST_F(a_transfer, shows_its_plan_and_does_nothing) {
  put("d/a", "1");
  const PlanView plan = transfers.plan(alice, TransferKind::import, "digits", {"bucket", "d", {}, {}, {}, {}});
  EXPECT_EQ(plan.copies, 1u);
  EXPECT_EQ(plan.items.at(0).reason, "new");
  EXPECT_EQ(volumes.get(alice, "digits").head, 0u);
}

TEST_F(a_transfer, that_finds_nothing_fails_and_never_mirrors_emptiness) {
  put("d/a", "1");
  import("d");
  const Transfer failed = import("wrong", Strategy::mirror);
  EXPECT_EQ(failed.state, TransferState::failed);
  EXPECT_THAT(failed.error, testing::StartsWith("not_found: there is nothing below 'wrong' in directory"));
  EXPECT_THAT(failed.error, testing::EndsWith("\n     while importing bucket:wrong into volume 'digits'"));
  EXPECT_EQ(volumes.get(alice, "digits").head, 1u);
  EXPECT_TRUE(volumes.leases(alice, "digits").empty());
}

TEST_F(a_transfer, above_the_quota_fails_before_a_byte_moves) {
  put("d/a", std::string(2 << 20, 'x'));
  const Transfer failed = import("d");
  EXPECT_THAT(failed.error,
              testing::StartsWith("exhausted: volume 'digits' has a quota of 1.00 MiB (1048576 bytes): 0 B "
                                  "used, 0 B reserved, 2.00 MiB more asked for"));
  EXPECT_EQ(failed.counts.bytes_done, 0u);
  EXPECT_EQ(volumes.get(alice, "digits").reserved_bytes, 0u);
}

TEST_F(a_transfer, refuses_a_destination_below_a_file) {
  put("d/a", "1");
  import("d");
  EXPECT_THAT(import("d", Strategy::overwrite, "a/b").error,
              testing::StartsWith("invalid: 'a' is no directory in the volume"));
}

TEST_F(a_transfer, is_refused_while_another_writes) {
  database->write([&](Transaction& t) {
    t.run("INSERT INTO lease (id, tenant, volume, kind, version, epoch, holder_kind, holder, acquired_at) "
          "SELECT 'l', tenant, id, 'writer', 0, 0, 'job', 'job-9', 0 FROM volume");
  });
  put("d/a", "1");
  EXPECT_THROW(import("d"), Error);
}

TEST_F(a_transfer, that_a_server_left_behind_is_taken_up_by_the_next) {
  put("d/a", "1");
  transfers.stop();
  const Transfer waiting = transfers.create(alice, TransferKind::import, "digits", {"bucket", "d", {}, {}, {}, {}});
  database->write([&](Transaction& t) { t.run("UPDATE transfer SET state = 'running' WHERE id = $1", waiting.id); });
  transfers.start();
  EXPECT_EQ(ended(waiting).version, 1u);
}

TEST_F(a_transfer, can_be_cancelled_while_it_waits) {
  put("d/a", "1");
  transfers.stop();
  const Transfer waiting = transfers.create(alice, TransferKind::import, "digits", {"bucket", "d", {}, {}, {}, {}});
  transfers.cancel(alice, waiting.id);
  transfers.start();
  EXPECT_EQ(ended(waiting).state, TransferState::cancelled);
  EXPECT_TRUE(volumes.leases(alice, "digits").empty());
  EXPECT_THROW(transfers.cancel(alice, waiting.id), Error);
}

TEST_F(a_transfer, makes_a_directory_the_next_version_and_nothing_else) {
  put("d/a", "1");
  put("d/sub/b", "22");
  NewSnapshot asked;
  asked.path = (scratch.path / "bucket/d").native();
  const auto take = [&] { return ended(transfers.create_snapshot(alice, "digits", asked, ::geteuid())); };
  const Transfer first = take();
  EXPECT_EQ(first.error, "");
  EXPECT_EQ(first.version, 1u);
  EXPECT_EQ(volume(), (std::map<std::string, std::string>{{"a", "1"}, {"sub/b", "22"}}));
  remove_file(scratch.path / "bucket/d/a");
  EXPECT_EQ(take().version, 2u);
  EXPECT_EQ(volume(), (std::map<std::string, std::string>{{"sub/b", "22"}}));
  const Transfer third = take();
  EXPECT_EQ(third.version, 2u);
  EXPECT_EQ(third.counts.total, third.counts.completed);
  EXPECT_EQ(volumes.get(alice, "digits").used_bytes, 2u);
  EXPECT_EQ(volumes.get(alice, "digits").reserved_bytes, 0u);
}

TEST_F(a_transfer, takes_no_snapshot_of_what_the_caller_may_not_name) {
  put("d/a", "1");
  make_symlink((scratch.path / "bucket").native(), scratch.path / "store-link");
  const auto error_of = [&](const SnapshotSources& from, const Path& path, std::optional<uint32_t> uid) {
    try {
      from.resolve(path.native(), uid);
    } catch (const Error& error) {
      return std::string(name_of(error.code()));
    }
    return std::string();
  };
  make_directories(scratch.path / "allowed/in");
  make_symlink((scratch.path / "bucket").native(), scratch.path / "allowed/out");
  const SnapshotSources from({(scratch.path / "allowed").native()}, scratch.path / "store");
  const uint32_t stranger = ::geteuid() + 1;
  for (const auto uid : {std::optional<uint32_t>(), std::optional<uint32_t>(stranger)}) {
    EXPECT_EQ(error_of(sources, scratch.path / "bucket", uid), "denied");
    EXPECT_EQ(error_of(from, scratch.path / "allowed/in", uid), "");
    EXPECT_EQ(error_of(from, scratch.path / "allowed", uid), "");
    EXPECT_EQ(error_of(from, scratch.path / "allowed/out", uid), "denied");
    EXPECT_EQ(error_of(from, scratch.path / "allowed/out/d", uid), "denied");
    EXPECT_EQ(error_of(from, scratch.path / "allowed/../bucket", uid), "denied");
    EXPECT_EQ(error_of(from, scratch.path / "nothing", uid), "denied");  // Nor is told what there is.
  }
  EXPECT_EQ(error_of(from, scratch.path / "allowed/out", ::geteuid()), "");
  EXPECT_EQ(error_of(from, scratch.path / "nothing", ::geteuid()), "not_found");
  EXPECT_EQ(error_of(from, scratch.path / "bucket/d/a", ::geteuid()), "invalid");
  for (const char* own : {"store", "store/objects", ""})
    EXPECT_EQ(error_of(from, scratch.path / own, ::geteuid()), "invalid") << own;
  EXPECT_EQ(error_of(from, "relative", ::geteuid()), "invalid");
}

TEST_F(a_transfer, does_not_follow_a_link_that_took_the_directorys_place) {
  put("d/a", "1");
  make_directories(scratch.path / "bucket/elsewhere");
  NewSnapshot asked;
  asked.path = (scratch.path / "bucket/d").native();
  transfers.stop();
  const Transfer accepted = transfers.create_snapshot(alice, "digits", asked, ::geteuid());
  remove_tree(scratch.path / "bucket/d");
  make_symlink("elsewhere", scratch.path / "bucket/d");
  transfers.start();
  const Transfer failed = ended(accepted);
  EXPECT_THAT(failed.error, testing::HasSubstr("has become a symbolic link, or lies behind one"));
  EXPECT_TRUE(volumes.leases(alice, "digits").empty());
}

TEST_F(a_transfer, that_waits_too_long_fails_with_the_holders_name) {
  const std::string id = volumes.get(alice, "digits").id;
  database->write([&](Transaction& t) { take_writer(t, id, "digits", 0, {"job", "job-9"}, system_clock().now()); });
  put("d/a", "1");
  NewTransfer asked{"bucket", "d", {}, {}, {}, {}};
  asked.wait_seconds = 1;
  const Transfer accepted = transfers.create(alice, TransferKind::import, "digits", asked);
  EXPECT_THAT(accepted.waits_for, testing::StartsWith("volume 'digits' is being written by job job-9 since"));
  EXPECT_THAT(ended(accepted).error, testing::StartsWith("conflict: waited 1s in vain: volume 'digits' is being "
                                                         "written by job job-9 since"));
}

}  // namespace
}  // namespace volary
