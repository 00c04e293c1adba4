// sync/fetch_test.cc: an import's bytes come group by group, and what came is not fetched again.
#include "sync/fetch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>

#include "core/error.h"
#include "core/scratch_test.h"
#include "remote/memory_remote.h"
#include "sync/listing.h"

namespace volary {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

// Counts what is read of it, and ends the connection at one of the reads.
struct Counted final : Remote {
  void list(const std::string& prefix, const std::function<void(const RemoteObject&)>& visit) override {
    inner->list(prefix, visit);
  }
  std::optional<RemoteObject> find(const std::string& key) override { return inner->find(key); }
  RemoteObject get(const std::string& key, const GetOptions& options, Sink& sink) override {
    ++reads;
    if (key == broken) throw Error(Errc::exhausted, "no more of this");
    if (key == lost) throw Error(Errc::not_found, "'{}' is not there", key);
    return inner->get(key, options, sink);
  }
  RemoteObject put(const std::string& key, Source& source, uint64_t size) override {
    return inner->put(key, source, size);
  }
  void remove(const std::string& key) override { inner->remove(key); }
  std::string description() const override { return "a store"; }

  std::unique_ptr<Remote> inner = open_memory_remote();
  std::atomic<int> reads{0};
  std::string broken;
  std::string lost;
};

class Fetching : public testing::Test {
 protected:
  Fetching() {
    database->write([](Transaction& t) {
      t.run("INSERT INTO datastore (id, tenant, project, name, kind, path, endpoint, region, bucket, url_style, "
            "secret, created_at, created_by) VALUES ('ds', 'ten-default', 'prj-default', 'd', 's3', '', '', '', '', "
            "'path', '', 0, 'a')");
      t.run("INSERT INTO volume (id, tenant, project, name, data_type, storage_type, quota_bytes, used_bytes, "
            "reserved_bytes, tags, head, writer_epoch, created_at, created_by) VALUES ('v', 'ten-default', "
            "'prj-default', 'v', 'other', 'fs', 0, 0, 0, '[]', 0, 0, 0, 'a')");
      t.run("INSERT INTO transfer (id, tenant, project, kind, volume, version, datastore, source_directory, "
            "destination_directory, strategy, message, state, counts, error, reserved_bytes, cancel_requested, "
            "created_at, created_by) VALUES ('t', 'ten-default', 'prj-default', 'import', 'v', 0, 'd', '', '', "
            "'overwrite', '', 'running', '{}', '', 0, 0, 0, 'a')");
    });
    for (char c = 'a'; c <= 'j'; ++c) {
      const std::string text(1, c);
      StringSource bytes(text);
      remote.put(fmt::format("{}/file", c), bytes, 1);
    }
  }

  // Lists, plans and fetches; the paths of each group that was told.
  std::vector<std::vector<std::string>> fetch_all(const std::vector<std::string>& there = {}) {
    std::vector<Listed> target;
    for (const std::string& path : there) target.emplace_back().path = TreePath::parse(path);
    std::vector<Listed> source;
    list_remote(remote, TreePath(), *database, "ds", [&](Listed& file) { source.push_back(file); });
    ActList acts(directory.path());
    make_plan(source, target, {.strategy = Strategy::mirror}, &acts);
    std::vector<std::vector<std::string>> groups;
    const FetchOrder order{acts, root, remote, "ds", 3};
    const auto commit = store->begin_commit();
    Progress progress;
    brought = fetch(order, *commit, *database, "t", progress, {}, [&](const std::vector<Fetched>& group) {
      auto& paths = groups.emplace_back();
      for (const Fetched& one : group)
        paths.push_back((one.act.act == PlanAct::delete_ ? "-" : "") + one.act.file.path.text());
    });
    EXPECT_EQ(progress.files_done, brought.files);
    EXPECT_EQ(progress.bytes_done, brought.files);
    return groups;
  }
  uint64_t rows(const std::string& table) {
    return database->read([&](Transaction& t) { return *t.find<uint64_t>("SELECT COUNT(*) FROM " + table); });
  }

  TestDirectory directory;
  const TreePath root;
  std::unique_ptr<Store> store = open_store(directory / "store");
  std::unique_ptr<Database> database = open_database("sqlite::memory:");
  Counted remote;
  Brought brought;
};

TEST_F(Fetching, is_told_group_by_group_in_the_order_of_paths_with_what_is_deleted) {
  EXPECT_THAT(fetch_all({"aa", "bb", "z"}),
              ElementsAre(ElementsAre("a/file", "-aa", "b/file"), ElementsAre("-bb", "c/file", "d/file"),
                          ElementsAre("e/file", "f/file", "g/file"), ElementsAre("h/file", "i/file", "j/file"),
                          ElementsAre("-z")));
  EXPECT_EQ(brought.files, 10u);
}

TEST_F(Fetching, has_no_more_in_hand_than_one_group) {
  fetch_all();
  EXPECT_THAT(brought.rest, SizeIs(1));  // The rest is written down already, and forgotten.
  EXPECT_EQ(rows("transfer_item"), 9u);
  EXPECT_EQ(rows("seen_object"), 9u);
}

TEST_F(Fetching, that_ends_early_has_written_down_all_groups_but_the_last_and_fetches_only_that_again) {
  remote.broken = "h/file";
  EXPECT_THROW(fetch_all(), Error);
  EXPECT_EQ(rows("transfer_item"), 6u);
  EXPECT_EQ(rows("seen_object"), 6u);
  remote.broken.clear();
  remote.reads = 0;
  EXPECT_THAT(fetch_all(), SizeIs(4));
  EXPECT_EQ(remote.reads, 4);
  EXPECT_EQ(brought.files, 10u);
}

TEST_F(Fetching, takes_by_the_journal_alone_what_was_not_remembered_and_remembers_it) {
  remote.broken = "h/file";
  EXPECT_THROW(fetch_all(), Error);
  database->write([](Transaction& t) { t.run("DELETE FROM seen_object"); });
  remote.broken.clear();
  remote.reads = 0;
  fetch_all();
  EXPECT_EQ(remote.reads, 4);
  EXPECT_EQ(rows("seen_object"), 9u);
}

TEST_F(Fetching, believes_what_is_remembered_of_an_object_only_if_the_store_has_it) {
  remote.broken = "h/file";
  EXPECT_THROW(fetch_all(), Error);
  remove_file(store->blob_path(Digest::of("b")));
  remote.broken.clear();
  remote.reads = 0;
  fetch_all();
  EXPECT_EQ(remote.reads, 5);
  EXPECT_TRUE(store->blob_size(Digest::of("b")));
}

TEST_F(Fetching, goes_on_behind_a_file_that_is_lost_and_tells_of_no_group_from_there_on) {
  remote.lost = "e/file";
  EXPECT_THAT(fetch_all(), ElementsAre(ElementsAre("a/file", "b/file", "c/file")));
  EXPECT_EQ(brought.files, 9u);
  EXPECT_EQ(brought.failed, 1u);
  ASSERT_THAT(brought.failures, SizeIs(1));
  EXPECT_EQ(brought.failures[0].path + ": " + brought.failures[0].reason, "e/file: not_found: 'e/file' is not there");
  EXPECT_EQ(rows("transfer_item"), 8u);
}

}  // namespace
}  // namespace volary
