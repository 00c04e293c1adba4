// volume/upkeep_test.cc: sweeps over days of a test's own clock: what goes, what stays, and what makes them refuse.
#include "volume/upkeep.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "store/sweep.h"
#include "volume/upkeep_world_test.h"

namespace volary {
namespace {

using testing::HasSubstr;

TEST(Sweep, takes_four_runs_over_days_to_delete_what_nothing_refers_to) {
  UpkeepWorld world;
  world.sweep();
  const uint64_t kept = world.add_version(world.commit_files({"kept", "shared"}));
  const uint64_t gone = world.add_version(world.commit_files({"gone", "shared"}));
  world.drop_version(gone);
  world.pass(23 * world.hour);
  EXPECT_EQ(world.sweep().too_young.objects, 2u);  // The blob and its tree.
  world.pass(3 * world.hour);
  EXPECT_EQ(world.sweep().candidates.objects, 2u);
  world.pass(3 * world.hour);
  EXPECT_EQ(world.sweep().candidates.objects, 2u);
  world.pass(1 * world.hour);
  EXPECT_EQ(world.sweep().quarantined.objects, 2u);
  EXPECT_EQ(world.files_in("objects"), 2u);
  world.pass(23 * world.hour);
  EXPECT_EQ(world.sweep().in_quarantine.objects, 2u);
  world.pass(1 * world.hour);
  EXPECT_EQ(world.sweep().unlinked.objects, 2u);
  EXPECT_EQ(world.files_in("quarantine"), 0u);
  EXPECT_EQ(world.files_in("objects") + world.files_in("trees"), 3u);
  EXPECT_TRUE(world.damage_of_versions().empty());
  EXPECT_EQ(world.database->read([](Transaction& t) {
    return *t.find<uint64_t>("SELECT (SELECT count(*) FROM sweep_candidate) + (SELECT count(*) FROM quarantined)");
  }), 0u);
  world.drop_version(kept);
}

// A version of a tree that nobody has used for days, made while a sweep has marked already and not moved yet. No part
// of Volary makes one so; a sweep does not trust that.
TEST(Sweep, looks_at_the_roots_a_second_time_before_it_moves_and_a_third_time_before_it_deletes) {
  UpkeepWorld world;
  world.sweep();
  const TreeSummary tree = world.commit_files({"needed after all"});
  world.pass(30 * world.hour);
  EXPECT_EQ(world.sweep().candidates.objects, 2u);
  world.pass(5 * world.hour);
  uint64_t number = 0;
  int questions = 0;
  // The second question comes after the marks, the first one before them.
  WatchedStore late(*world.store, [&] { if (++questions == 4) number = world.add_version(tree); }, [] {});
  const SweepReport moving = world.sweep_on(late);
  ASSERT_NE(number, 0u);
  EXPECT_EQ(moving.quarantined.objects, 0u);
  EXPECT_EQ(moving.live.objects, 2u);
  EXPECT_TRUE(world.damage_of_versions().empty());

  world.drop_version(number);
  world.sweep();
  world.pass(5 * world.hour);
  EXPECT_EQ(world.sweep().quarantined.objects, 2u);
  world.pass(25 * world.hour);
  number = 0;
  questions = 0;
  EXPECT_THROW(world.sweep_on(late), Error);
  ASSERT_NE(number, 0u);
  EXPECT_EQ(world.files_in("quarantine"), 2u);
  for (const ObjectKind kind : {ObjectKind::tree, ObjectKind::blob})  // As a repair does.
    world.store->bring_back(kind, kind == ObjectKind::tree ? tree.tree : Digest::of("needed after all"));
  EXPECT_TRUE(world.damage_of_versions().empty());
}

TEST(Sweep, by_a_clock_that_jumps_ten_years_deletes_nothing_and_begins_to_count_anew) {
  UpkeepWorld world;
  world.sweep();
  world.add_version(world.commit_files({"kept"}));
  world.commit_files({"garbage"});
  world.pass(30 * world.hour);
  EXPECT_EQ(world.sweep().candidates.objects, 2u);
  world.jump(int64_t{9} * 365 * 24 * world.hour);
  const SweepReport jumped = world.sweep();
  EXPECT_THAT(jumped.remark, HasSubstr("the clock moved by"));
  EXPECT_EQ(jumped.quarantined.objects, 0u);
  world.pass(5 * world.hour);
  EXPECT_EQ(world.sweep().quarantined.objects, 0u);  // The clock has not been believed for a day.
  world.pass(20 * world.hour);
  EXPECT_EQ(world.sweep().candidates.objects, 2u);
  world.pass(5 * world.hour);
  EXPECT_EQ(world.sweep().quarantined.objects, 2u);
  world.jump(-int64_t{3} * 365 * 24 * world.hour);
  EXPECT_THAT(world.sweep().remark, HasSubstr("the clock moved by -"));
  world.pass(23 * world.hour);
  EXPECT_EQ(world.sweep().unlinked.objects, 0u);
  world.pass(2 * world.hour);
  EXPECT_EQ(world.sweep().unlinked.objects, 2u);
}

TEST(Sweep, after_a_start_of_the_machine_believes_a_gap_of_days_but_not_of_weeks) {
  UpkeepWorld world;
  world.sweep();
  world.commit_files({"garbage"});
  world.pass(30 * world.hour);
  EXPECT_EQ(world.sweep().candidates.objects, 2u);
  world.up = {"boot-2", 5};
  world.jump(48 * world.hour);
  EXPECT_EQ(world.sweep().quarantined.objects, 2u);
  world.up = {"boot-3", 5};
  world.jump(30 * 24 * world.hour);
  EXPECT_NE(world.sweep().remark, "");
  EXPECT_EQ(world.files_in("quarantine"), 2u);
}

TEST(Sweep, spares_what_a_commit_that_is_still_open_has_used) {
  UpkeepWorld world;
  world.sweep();
  world.commit_files({"old"});
  world.pass(50 * world.hour);
  const auto commit = world.store->begin_commit();
  const TreeSummary tree = world.add_tree(*commit, {"old"});
  world.settle_times();
  for (int day = 0; day < 5; ++day) {  // It takes its time.
    world.pass(24 * world.hour);
    world.sweep();
  }
  commit->publish();
  world.add_version(tree);
  EXPECT_TRUE(world.damage_of_versions().empty());
}

TEST(Sweep, brings_back_from_quarantine_what_a_version_needs_and_nothing_that_is_damaged) {
  UpkeepWorld world;
  world.sweep();
  const TreeSummary tree = world.commit_files({"needed"});
  world.pass(30 * world.hour);
  world.sweep();
  world.pass(5 * world.hour);
  EXPECT_EQ(world.sweep().quarantined.objects, 2u);
  world.store->bring_back(ObjectKind::tree, tree.tree);  // As if a row came back that nobody expected.
  world.add_version(tree);
  EXPECT_THAT(error_of([&] { world.sweep(); }), HasSubstr("conflict: no sweep: object "));
  EXPECT_EQ(world.files_in("quarantine"), 1u);
}

TEST(Sweep, keeps_what_the_journal_of_a_transfer_has_fetched) {
  UpkeepWorld world;
  world.sweep();
  world.commit_files({"fetched"});
  world.database->write([&](Transaction& t) {
    t.run("INSERT INTO transfer (id, tenant, project, kind, volume, version, datastore, source_directory, "
          "destination_directory, strategy, message, state, counts, error, reserved_bytes, cancel_requested, "
          "created_at, created_by) VALUES ('xfer-1', 'ten-default', 'prj-default', 'import', 'vol-1', 0, 'x', '', '', "
          "'overwrite', '', 'queued', '{}', '', 0, 0, 0, '')");
    t.run("INSERT INTO transfer_item (transfer, path, etag, size, digest) VALUES ('xfer-1', 'a', 'e', 7, $1)",
          Digest::of("fetched"));
  });
  for (int day = 0; day < 6; ++day) {
    world.pass(24 * world.hour);
    world.sweep();
  }
  EXPECT_TRUE(world.store->blob_size(Digest::of("fetched")));
  EXPECT_EQ(world.files_in("trees"), 0u);
}

TEST(Sweep, forgets_what_a_datastore_said_of_a_blob_that_goes) {
  UpkeepWorld world;
  world.sweep();
  world.add_version(world.commit_files({"kept"}));
  world.commit_files({"gone"});
  world.database->write([&](Transaction& t) {
    t.run("INSERT INTO datastore (id, tenant, project, name, kind, path, endpoint, region, bucket, url_style, secret, "
          "created_at, created_by) VALUES ('ds-1', 'ten-default', 'prj-default', 'd', 'directory', '/', '', '', '', "
          "'path', '', 0, '')");
    for (const char* content : {"kept", "gone"})
      t.run("INSERT INTO seen_object (datastore, key, etag, size, digest) VALUES ('ds-1', $1, 'e', 4, $2)", content,
            SqlBytes{Digest::of(content).raw()});
  });
  for (int day = 0; day < 3; ++day) {
    world.pass(26 * world.hour);
    world.sweep();
  }
  EXPECT_THAT(world.database->read([](Transaction& t) { return t.all<std::string>("SELECT key FROM seen_object"); }),
              testing::ElementsAre("kept"));
}

TEST(Epochs, of_an_older_database_stop_sweeps_until_it_is_accepted) {
  UpkeepWorld world;
  advance_epoch(*world.database, *world.store);
  advance_epoch(*world.database, *world.store);
  EXPECT_EQ(epochs_of(*world.database, *world.store).database, 2u);
  EXPECT_EQ(read_file(world.directory / "store/epoch"), "2\n");
  world.database->write([](Transaction& t) { put_note_text(t, "epoch", "{\"epoch\":1}"); });
  EXPECT_EQ(error_of([&] { world.sweep(); }),
            "conflict: no sweep: the database is older than the store (epoch 1, expected 2 or more): an earlier copy "
            "of it was put in place, which does not know the newest versions; if that is meant, run 'volary store "
            "check --accept-restored' first");
  advance_epoch(*world.database, *world.store);  // Which a server does each hour.
  EXPECT_TRUE(epochs_of(*world.database, *world.store).is_restored());
  UpkeepLive live;
  EXPECT_FALSE(check_store(world.parts(), {}, live).clean);
  EXPECT_TRUE(check_store(world.parts(), {true}, live).clean);
  EXPECT_FALSE(epochs_of(*world.database, *world.store).is_restored());
  world.sweep();
}

TEST(Scrub, compares_each_version_with_its_tree) {
  UpkeepWorld world;
  TreeSummary tree = world.commit_files({"abc"});
  world.add_version(tree);
  UpkeepLive live;
  EXPECT_THAT(scrub_store(world.parts(), {0, false}, live).database, testing::ElementsAre());
  tree.files = 7;
  world.add_version(tree);
  EXPECT_THAT(scrub_store(world.parts(), {0, false}, live).database,
              testing::ElementsAre(HasSubstr("v@2: the row says 7 files, 3 bytes")));
  remove_file(world.store->tree_path(tree.tree));
  EXPECT_EQ(scrub_store(world.parts(), {0, false}, live).database.size(), 2u);
}

TEST(Scrub, that_is_stopped_at_an_image_keeps_it) {
  UpkeepWorld world;
  const Path image = world.directory / "store/images" / (world.commit_files({"abc"}).tree.hex() + "-1-1.erofs");
  write_file_durably(image, "an image");
  UpkeepParts parts = world.parts();
  UpkeepLive live;
  parts.image_is_whole = [&](const Path&, const auto& check) {
    live.stop.request_stop();
    check();
    return false;
  };
  EXPECT_FALSE(scrub_store(parts, {0, false}, live).complete);
  EXPECT_TRUE(is_present(image));
}

TEST(Roots, are_all_columns_that_hold_digests_of_objects_or_known_not_to) {
  UpkeepWorld world;
  std::vector<std::string> columns;
  world.database->read([&](Transaction& t) {
    for (const auto& table : t.all<std::string>("SELECT name FROM sqlite_master WHERE type = 'table'"))
      for (const auto& column : t.all<std::string>("SELECT name FROM pragma_table_info($1)", table))
        if (column.find("digest") != column.npos || column.find("tree") != column.npos)
          columns.push_back(table + "." + column);
  });
  EXPECT_THAT(columns, testing::UnorderedElementsAre(
                           "version.tree", "transfer_item.digest", "upload_file.digest",  // Roots: roots_of().
                           "seen_object.digest",                    // No root: upkeep_roots.cc says why.
                           "sweep_candidate.digest", "quarantined.digest", "damage.digest",
                           "schema_version.digest"));
}

}  // namespace
}  // namespace volary
