// volume/transfer_staging_test.cc: large objects whose transfer was cut off: what has come is not fetched again.
#include <fcntl.h>
#include <gtest/gtest.h>

#include "sync/staging.h"
#include "volume/transfer_world_test.h"

namespace volary {
namespace {

constexpr uint64_t part = staged_part_bytes;

class a_large_object : public TransferWorld {
 protected:
  a_large_object() {
    volumes.create(alice, {"large", DataType::dataset, {}, 1 << 30, {}});
    transfers.stop();
    put("d/large", content);
    const PlanView plan = transfers.plan(alice, TransferKind::import, "large", from("d"));
    object = {.path = {}, .size = content.size(), .digest = {}, .etag = plan.items.at(0).etag};
  }
  NewTransfer from(const std::string& directory) { return {"bucket", directory, "", Strategy::overwrite, {}, {}}; }
  Transfer created() { return transfers.create(alice, TransferKind::import, "large", from("d")); }
  // As if a server had died behind the first parts.
  void stage(const std::string& transfer_id, uint64_t parts) {
    make_directories(staging_directory(*store, transfer_id));
    StagedFile file(staging_directory(*store, transfer_id) / staged_name("d/large", object));
    for (uint64_t i = 0; i < parts; ++i) file.write(i, std::string_view(content).substr(i * part, part));
  }
  Digest imported() {
    const auto files = volumes.files(alice, "large", "", {});
    return Digest::parse(files.at(0).digest);
  }

  const std::string content = SeededRandom(7).bytes(9 * part + 12'345);
  Listed object;
};

TEST_F(a_large_object, is_fetched_from_where_the_server_died) {
  const Transfer transfer = created();
  stage(transfer.id, 7);
  transfers.start();
  const Transfer done = ended(transfer);
  EXPECT_EQ(done.error, "");
  EXPECT_EQ(done.counts.transferred_bytes, content.size() - 7 * part);
  EXPECT_EQ(done.counts.bytes_done, content.size());
  EXPECT_EQ(imported(), Digest::of(content));
  transfers.stop();
  EXPECT_FALSE(is_present(staging_directory(*store, transfer.id)));
}

TEST_F(a_large_object, is_fetched_anew_when_it_is_another_by_now) {
  const Transfer transfer = created();
  stage(transfer.id, 7);
  put("d/large", content + "x");
  transfers.start();
  const Transfer done = ended(transfer);
  EXPECT_EQ(done.counts.transferred_bytes, content.size() + 1);
  EXPECT_EQ(imported(), Digest::of(content + "x"));
}

TEST_F(a_large_object, is_not_fetched_again_by_the_transfer_that_repeats_another) {
  const Transfer first = created();
  stage(first.id, 9);
  transfers.cancel(alice, first.id);
  transfers.start();
  EXPECT_EQ(ended(first).state, TransferState::cancelled);
  const Transfer done = ended(transfers.retry(alice, first.id));
  EXPECT_EQ(done.counts.transferred_bytes, content.size() - 9 * part);
  EXPECT_EQ(imported(), Digest::of(content));
}

TEST_F(a_large_object, keeps_on_the_disk_only_what_has_come_of_it_when_its_transfer_ends) {
  const auto used = [&](const std::string& id) {
    return static_cast<uint64_t>(
        stat_of(staging_directory(*store, id) / staged_name("d/large", object))->st_blocks) * 512;
  };
  const auto reserved = [&](const std::string& id) {  // As by an earlier server, which died behind part 3 of all.
    stage(id, 3);
    const Path file = staging_directory(*store, id) / staged_name("d/large", object);
    const Fd fd(::open(file.c_str(), O_RDWR | O_CLOEXEC));
    ASSERT_EQ(::fallocate(fd.get(), 0, 0, static_cast<off_t>(content.size())), 0);
    EXPECT_GE(used(id), content.size());
  };
  const Transfer queued = created();
  reserved(queued.id);
  transfers.cancel(alice, queued.id);
  EXPECT_LT(used(queued.id), 4 * part);

  const Transfer failing = created();
  reserved(failing.id);
  remove_file(scratch.path / "bucket/d/large");
  transfers.start();
  EXPECT_EQ(ended(failing).state, TransferState::failed);
  EXPECT_LT(used(failing.id), 4 * part);
  EXPECT_GE(used(failing.id), 3 * part);
}

TEST_F(a_large_object, leaves_nothing_behind_when_its_transfer_is_unknown) {
  make_directories(staging_directory(*store, "xfer-of-a-volume-that-is-gone"));
  transfers.start();
  EXPECT_FALSE(is_present(staging_directory(*store, "xfer-of-a-volume-that-is-gone")));
}

TEST_F(a_large_object, lost_by_the_machine_comes_again) {
  const Transfer transfer = created();
  stage(transfer.id, 7);
  const Path file = staging_directory(*store, transfer.id) / staged_name("d/large", object);
  const Fd records(::open((file.native() + ".parts").c_str(), O_RDWR | O_CLOEXEC));
  const Fd bytes(::open(file.c_str(), O_RDWR | O_CLOEXEC));
  for (uint64_t i = 0; i < 7; ++i) write_all_at(records.get(), "\x01\x02\x03\x04", i * 72 + 4, file);  // Another start.
  write_all_at(bytes.get(), "torn", 3 * part, file);
  transfers.start();
  const Transfer done = ended(transfer);
  EXPECT_EQ(done.error, "");
  EXPECT_EQ(done.counts.transferred_bytes, content.size() - 6 * part);
  EXPECT_EQ(done.counts.bytes_done, content.size());
  EXPECT_EQ(imported(), Digest::of(content));
}

}  // namespace
}  // namespace volary
