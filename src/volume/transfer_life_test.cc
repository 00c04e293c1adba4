// volume/transfer_life_test.cc: transfers that ended early and are taken up again, what they agreed to, what they keep,
// and that their counts add up whatever both sides hold.
#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include "core/error.h"
#include "volume/transfer_world_test.h"

namespace volary {
namespace {

using Files = std::map<std::string, std::string>;

class a_transfer_again : public TransferWorld {
 protected:
  NewTransfer from(const std::string& directory) {
    NewTransfer asked;
    asked.datastore = "bucket";
    asked.source_directory = directory;
    return asked;
  }
  Transfer begun(TransferKind kind, const NewTransfer& asked) {
    return ended(transfers.create(alice, kind, "digits", asked));
  }
  Transfer newest() { return transfers.list(alice).front(); }
};

std::string message_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.message();
  }
  return "";
}

TEST_F(a_transfer_again, goes_on_under_its_id_or_as_a_new_one) {
  put("d/a", "1");
  put("d/bad\nname", "2");
  NewTransfer asked = from("d");
  asked.message = "why";
  const Transfer failed = begun(TransferKind::import, asked);
  EXPECT_EQ(failed.state, TransferState::failed);
  EXPECT_EQ(failed.counts.total, 2u);
  EXPECT_EQ(failed.counts.failed, 2u);  // One for its name, the other because of it.
  ASSERT_EQ(failed.failures.size(), 1u);
  EXPECT_EQ(failed.failures[0].path, "bad\\x0aname");
  EXPECT_EQ(transfers.failures(alice, failed.id, 0, 10).size(), 1u);
  EXPECT_EQ(transfers.failures(alice, failed.id, 1, 10).size(), 0u);
  EXPECT_EQ(ended(transfers.resume(alice, failed.id)).state, TransferState::failed);  // Nobody mended it.

  remove_file(scratch.path / "bucket/d/bad\nname");
  const Transfer retried = ended(transfers.retry(alice, failed.id));
  EXPECT_NE(retried.id, failed.id);
  EXPECT_EQ(retried.retry_of, failed.id);
  EXPECT_EQ(retried.version, 1u);
  EXPECT_EQ(volumes.versions(alice, "digits").front().message, "why");
  EXPECT_EQ(transfers.get(alice, failed.id).state, TransferState::failed);
  const Transfer resumed = ended(transfers.resume(alice, failed.id));
  EXPECT_EQ(resumed.state, TransferState::done);
  EXPECT_EQ(resumed.version, 1u);  // Nothing was left to do.
  EXPECT_TRUE(resumed.failures.empty());
  for (const auto& verb : {&Transfers::resume, &Transfers::retry})
    EXPECT_EQ(message_of([&] { (transfers.*verb)(alice, failed.id); }),
              "transfer " + failed.id + " is done: expected one that failed or was cancelled");
}

TEST_F(a_transfer_again, holds_the_volume_and_is_refused_while_another_writes) {
  put("d/a", "1");
  transfers.stop();
  const Transfer first = transfers.create(alice, TransferKind::import, "digits", from("d"));
  transfers.cancel(alice, first.id);
  transfers.resume(alice, first.id);
  EXPECT_EQ(volumes.leases(alice, "digits").size(), 1u);
  const Transfer other = transfers.get(alice, first.id);
  EXPECT_EQ(other.state, TransferState::queued);
  transfers.cancel(alice, first.id);
  const Transfer second = transfers.create(alice, TransferKind::import, "digits", from("d"));
  EXPECT_THAT(message_of([&] { transfers.resume(alice, first.id); }),
              testing::HasSubstr("volume 'digits' is being written by transfer " + second.id));
  EXPECT_EQ(transfers.get(alice, first.id).state, TransferState::cancelled);
}

TEST_F(a_transfer_again, knows_the_version_it_was_to_export_though_it_never_began) {
  put("d/a", "1");
  import("d");
  transfers.stop();
  NewTransfer asked;
  asked.datastore = "bucket";
  asked.destination_directory = "out";
  const Transfer queued = transfers.create(alice, TransferKind::export_, "digits", asked);
  transfers.cancel(alice, queued.id);
  const Transfer cancelled = transfers.get(alice, queued.id);
  EXPECT_EQ(cancelled.state, TransferState::cancelled);
  EXPECT_EQ(cancelled.version, 1u);
  EXPECT_EQ(transfers.resume(alice, queued.id).version, 1u);
  transfers.cancel(alice, queued.id);
  EXPECT_EQ(transfers.retry(alice, queued.id).version, 1u);
  transfers.start();
  EXPECT_EQ(ended(newest()).error, "");
  EXPECT_EQ(bucket("out"), (Files{{"a", "1"}}));
}

TEST_F(a_transfer_again, is_not_for_snapshots_which_are_taken_anew) {
  put("d/a", "1");
  transfers.stop();
  NewSnapshot asked;
  asked.path = (scratch.path / "bucket/d").native();
  const Transfer snapshot = transfers.create_snapshot(alice, "digits", asked, ::geteuid());
  transfers.cancel(alice, snapshot.id);
  EXPECT_THAT(message_of([&] { transfers.retry(alice, snapshot.id); }), testing::HasSubstr("is a snapshot"));
  transfers.resume(alice, snapshot.id);
  transfers.start();
  EXPECT_EQ(ended(snapshot).version, 1u);
}

TEST_F(a_transfer_again, has_the_journal_of_the_one_it_repeats) {
  put("d/a", "1");
  import("d");
  put("d/bad\nname", "2");
  put("d/b", "1");
  const Transfer failed = begun(TransferKind::import, from("d"));
  const PlanView plan = transfers.plan(alice, TransferKind::import, "digits", from("d"));
  std::string etag;
  for (const PlanItem& item : plan.items)
    if (item.path == "b") etag = item.etag;
  database->write([&](Transaction& t) {  // As if it had come that far.
    t.run("INSERT INTO transfer_item (transfer, path, etag, size, digest) VALUES ($1, 'b', $2, 1, $3)", failed.id, etag,
          Digest::of("1"));
  });
  remove_file(scratch.path / "bucket/d/bad\nname");
  const Transfer retried = ended(transfers.retry(alice, failed.id));
  EXPECT_EQ(retried.counts.completed, 1u);
  EXPECT_EQ(retried.counts.bytes_done, 1u);
  EXPECT_EQ(retried.counts.transferred_bytes, 0u);
  const auto left = [&](const std::string& id) {
    return database->read([&](Transaction& t) {
      return *t.find<uint64_t>("SELECT COUNT(*) FROM transfer_item WHERE transfer = $1", id);
    });
  };
  EXPECT_EQ(left(retried.id), 0u);
  EXPECT_EQ(left(failed.id), 1u);
}

TEST_F(a_transfer_again, holds_both_sides_against_what_was_expected) {
  put("d/a", "1");
  NewTransfer asked = from("d");
  asked.expected = transfers.plan(alice, TransferKind::import, "digits", asked).sides;
  put("d/b", "2");
  EXPECT_THAT(begun(TransferKind::import, asked).error,
              testing::StartsWith("conflict: the plan does not hold any more: bucket:d has other objects now, 2 of "
                                  "them, and had 1 when the plan was made; make a new one"));
  asked.expected = transfers.plan(alice, TransferKind::import, "digits", asked).sides;
  EXPECT_EQ(begun(TransferKind::import, asked).version, 1u);
  EXPECT_THAT(begun(TransferKind::import, asked).error,
              testing::StartsWith("conflict: the plan does not hold any more: volume 'digits' is at version 1 now, and "
                                  "was at version 0 when the plan was made; make a new one"));
}

TEST_F(a_transfer_again, asks_again_before_most_of_its_target_goes_that_was_not_there_before) {
  put("d/a", "1");
  import("d");
  for (const char* mine : {"out/x", "out/y", "out/z"}) put(mine, "");
  NewTransfer asked;
  asked.datastore = "bucket";
  asked.destination_directory = "out";
  asked.strategy = Strategy::mirror;
  transfers.stop();
  const Transfer half = transfers.create(alice, TransferKind::export_, "digits", asked);
  database->write([&](Transaction& t) { t.run("UPDATE transfer SET agreed = 1 WHERE id = $1", half.id); });
  transfers.start();
  EXPECT_THAT(ended(half).error, testing::HasSubstr("more than half"));
  EXPECT_EQ(bucket("out").size(), 3u);
}

TEST_F(a_transfer_again, does_not_take_its_own_work_for_a_change_of_the_target) {
  put("d/a", "1");
  put("d/b", "2");
  import("d");
  NewTransfer asked;
  asked.datastore = "bucket";
  asked.destination_directory = "out";
  asked.expected = transfers.plan(alice, TransferKind::export_, "digits", asked).sides;
  transfers.stop();
  const Transfer half = transfers.create(alice, TransferKind::export_, "digits", asked);
  put("out/a", "1");  // As if it had come that far, or somebody else had.
  const auto run_once = [&] {
    transfers.start();
    const Transfer now = ended(half);
    transfers.stop();
    return now;
  };
  EXPECT_THAT(run_once().error, testing::HasSubstr("bucket:out has other objects now"));
  database->write([&](Transaction& t) { t.run("UPDATE transfer SET agreed = 1 WHERE id = $1", half.id); });
  transfers.resume(alice, half.id);
  EXPECT_EQ(run_once().error, "");
  EXPECT_EQ(bucket("out"), (Files{{"a", "1"}, {"b", "2"}}));
}

TEST_F(a_transfer_again, keeps_in_the_volume_what_it_takes_away) {
  put("one/same", "s");
  put("one/other", "old");
  put("one/gone", "g");
  import("one", Strategy::overwrite, "into");
  put("two/same", "s");
  put("two/other", "new");
  NewTransfer asked = from("two");
  asked.destination_directory = "into";
  asked.strategy = Strategy::mirror;
  for (const char* inside : {"into", "into/old", "into/old/er"}) {
    asked.trash = inside;
    EXPECT_THAT(message_of([&] { begun(TransferKind::import, asked); }), testing::HasSubstr("lies inside the target"));
  }
  asked.trash = "kept";
  const Transfer done = begun(TransferKind::import, asked);
  EXPECT_EQ(done.error, "");
  const std::string below = "kept/" + done.id + "/";
  EXPECT_EQ(volume(), (Files{{"into/same", "s"}, {"into/other", "new"}, {below + "gone", "g"},
                             {below + "other", "old"}}));
  EXPECT_EQ(volumes.get(alice, "digits").used_bytes, 8u);
  EXPECT_EQ(volumes.get(alice, "digits").reserved_bytes, 0u);
}

rc::Gen<Files> files_gen() {
  const auto name = rc::gen::element<std::string>("a", "b", "A", "d/a", "d/b", "d/e/x", "f", "bad\nname");
  return rc::gen::map(rc::gen::container<std::vector<std::pair<std::string, std::string>>>(
                          rc::gen::pair(name, rc::gen::element<std::string>("", "1", "22"))),
                      [](const auto& pairs) { return Files(pairs.begin(), pairs.end()); });
}

rc::Gen<std::vector<std::string>> patterns_gen() {
  return rc::gen::resize(2, rc::gen::container<std::vector<std::string>>(
                                rc::gen::element<std::string>("a", "/d/", "[ab]", "x", "bad*", "/*/e/")));
}

TEST_F(a_transfer_again, counts_every_file_once_whatever_both_sides_hold) {
  int round = 0;
  EXPECT_TRUE(rc::check([&] {
    const std::string name = "round" + std::to_string(++round);
    for (const auto& [path, content] : *files_gen()) put(name + "/in/" + path, content);
    put(name + "/before/any", "");
    for (const auto& [path, content] : *files_gen())
      if (path != "bad\nname") put(name + "/before/" + path, content);
    NewTransfer before = from(name + "/before");
    before.destination_directory = name;
    RC_ASSERT(begun(TransferKind::import, before).state == TransferState::done);

    NewTransfer asked = from(name + "/in");
    asked.destination_directory = name;
    asked.strategy = *rc::gen::element(Strategy::overwrite, Strategy::no_overwrite, Strategy::mirror);
    asked.include = *patterns_gen();
    asked.exclude = *patterns_gen();
    asked.skip_conflicts = *rc::gen::arbitrary<bool>();
    asked.confirmed = *rc::gen::arbitrary<bool>();
    make_directories(scratch.path / "bucket" / name / "in");
    const PlanView plan = transfers.plan(alice, TransferKind::import, "digits", asked);
    const Transfer transfer = begun(TransferKind::import, asked);
    const TransferCounts& counts = transfer.counts;
    RC_ASSERT(counts.total == plan.copies + plan.skips + plan.conflicts);
    RC_ASSERT(counts.processed == counts.total);
    RC_ASSERT(counts.completed + counts.skipped + counts.failed == counts.total);
    if (transfer.state == TransferState::done) {
      RC_ASSERT(counts.completed == plan.copies && counts.failed == 0u && counts.deleted == plan.deletes);
      RC_ASSERT(counts.bytes_done == plan.copy_bytes);
      RC_ASSERT(transfer.failures.size() == plan.conflicts);
    } else {
      RC_ASSERT(counts.deleted == 0u && counts.completed == 0u);
      RC_ASSERT((plan.conflicts && !asked.skip_conflicts) || (plan.needs_confirmation && !asked.confirmed) ||
                counts.total == plan.conflicts);
    }
    RC_ASSERT(volumes.get(alice, "digits").reserved_bytes == 0u);
  }));
}

}  // namespace
}  // namespace volary
