// volume/upkeep_world_test.h: a store with its database, and a clock that a test moves. For *_test.cc alone.
//
// The clock starts ten years ago. The kernel gives files today's time when they are written or reused; settle_times()
// gives these the test's time instead, so that for the sweep both are one clock.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <string>

#include "core/random.h"
#include "core/scratch_test.h"
#include "net/http_client.h"
#include "store/store.h"
#include "volume/upkeep_work.h"

namespace volary {

// The store as a sweep sees it, where something happens between any two of its questions: `between`, or `locked` where
// the sweep holds the database's writer lock.
class WatchedStore final : public Store {
 public:
  WatchedStore(Store& store, std::function<void()> between, std::function<void()> locked)
      : store_(store), between_(std::move(between)), locked_(std::move(locked)) {}
  const Path& root() const override { return store_.root(); }
  Path blob_path(const Digest& blob) const override { return store_.blob_path(blob); }
  Path tree_path(const Digest& tree) const override { return store_.tree_path(tree); }
  std::optional<uint64_t> blob_size(const Digest& blob) const override { return store_.blob_size(blob); }
  void read_blob(const Digest& blob, Sink& sink) const override { store_.read_blob(blob, sink); }
  bool has_tree(const Digest& tree) const override { return store_.has_tree(tree); }
  EncodedTree read_encoded_tree(const Digest& tree) const override { return store_.read_encoded_tree(tree); }
  std::unique_ptr<Commit> begin_commit() override { return store_.begin_commit(); }
  std::optional<std::string> read_only_reason() const override {
    between_();
    return store_.read_only_reason();
  }
  Recovery recovery() const override { return store_.recovery(); }
  void each_object(ObjectKind kind, const std::function<void(const StoredObject&)>& visit) const override {
    between_();
    store_.each_object(kind, [&](const StoredObject& object) {
      between_();
      visit(object);
    });
    between_();
  }
  Time oldest_commit() const override {
    between_();
    const Time oldest = store_.oldest_commit();
    between_();
    return oldest;
  }
  bool quarantine(ObjectKind kind, const Digest& digest, Time unused_since) override {
    locked_();
    const bool moved = store_.quarantine(kind, digest, unused_since);
    moved_ += moved;
    locked_();
    return moved;
  }
  bool bring_back(ObjectKind kind, const Digest& digest) override { return store_.bring_back(kind, digest); }
  uint64_t moved() const { return moved_; }

 private:
  Store& store_;
  const std::function<void()> between_;
  const std::function<void()> locked_;
  uint64_t moved_ = 0;
};

struct UpkeepWorld {
  static constexpr int64_t hour = 3600;

  UpkeepWorld() {
    database->write([&](Transaction& t) {
      t.run("INSERT INTO volume (id, tenant, project, name, data_type, storage_type, quota_bytes, used_bytes, "
            "reserved_bytes, tags, head, writer_epoch, created_at, created_by) VALUES "
            "('vol-1', 'ten-default', 'prj-default', 'v', 'other', 'fs', 1000000, 0, 0, '[]', 0, 0, 0, 'test')");
    });
  }

  // A version of these files: the row alone.
  uint64_t add_version(const TreeSummary& tree) {
    const uint64_t number = next_version++;
    database->write([&](Transaction& t) {
      t.run("INSERT INTO version (volume, number, tree, checksum, files, bytes, author, created_at, message, origin, "
            "origin_id) VALUES ('vol-1', $1, $2, $3, $4, $5, '', 0, '', 'import', '')",
            number, tree.tree, tree.checksum, tree.files, tree.bytes);
    });
    return number;
  }
  void drop_version(uint64_t number) {
    database->write([&](Transaction& t) { t.run("DELETE FROM version WHERE number = $1", number); });
  }
  TreeSummary commit_files(const std::vector<std::string>& contents) {
    const auto commit = store->begin_commit();
    const TreeSummary summary = add_tree(*commit, contents);
    commit->publish();
    settle_times();
    return summary;
  }
  static TreeSummary add_tree(Commit& commit, const std::vector<std::string>& contents) {
    Tree tree;
    for (const std::string& content : contents) {
      const auto writer = commit.new_blob();
      writer->write(content);
      TreeEntry entry;
      entry.name = fmt::format("{:03}", tree.entries.size());
      entry.size = content.size();
      entry.digest = writer->finish().digest;
      tree.entries.push_back(std::move(entry));
    }
    return commit.add_tree(tree);
  }

  void pass(int64_t seconds) {
    clock.set(clock.now().plus_seconds(seconds));
    up.micros += seconds * 1'000'000;
  }
  // The clock alone: somebody set it.
  void jump(int64_t seconds) { clock.set(clock.now().plus_seconds(seconds)); }

  void settle_times() const {
    for (const char* folder : {"store/objects", "store/trees"})
      for (const auto& entry : std::filesystem::recursive_directory_iterator(directory / folder)) {
        if (!entry.is_regular_file()) continue;
        const auto status = stat_of(entry.path());
        if (!status || status->st_mtim.tv_sec < began / 1'000'000 - 10) continue;
        const Time now = clock.now();
        const timespec time{now.micros / 1'000'000, now.micros % 1'000'000 * 1000};
        const timespec times[2] = {time, time};
        ::utimensat(AT_FDCWD, entry.path().c_str(), times, 0);
      }
  }

  std::vector<Flaw> damage_of_versions() const {
    Marks marks;
    Progress progress;
    return mark(*store, database->read([](Transaction& t) { return roots_of(t); }).trees, marks, progress, 1, {});
  }
  size_t files_in(const std::string& folder) const {
    size_t files = 0;
    if (!is_present(directory / "store" / folder)) return 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory / "store" / folder))
      files += entry.is_regular_file();
    return files;
  }

  SweepReport sweep() { return sweep_on(*store); }
  SweepReport sweep_on(Store& on) {
    UpkeepParts parts{*database, on, datastores, audit, clock, directory / "key", "volary test",
                      [](const Path&, const auto&) { return true; }, [this] { return up; }};
    UpkeepLive live;
    return sweep_store(parts, {true, {}, {}, {}}, live);
  }
  UpkeepParts parts() {
    return {*database, *store, datastores, audit, clock, directory / "key", "volary test",
            [](const Path&, const auto&) { return true; }, [this] { return up; }};
  }

  TestDirectory directory;
  const int64_t began = system_clock().now().micros;
  FakeClock clock{{began - int64_t{10} * 365 * 24 * 3600 * 1'000'000}};
  Uptime up{"boot-1", 1'000'000};
  std::unique_ptr<Database> database = open_database("sqlite::memory:");
  std::unique_ptr<Store> store = open_store(directory / "store", clock);
  std::unique_ptr<HttpClient> http = make_http_client();
  Secrets secrets{*database, directory / "key"};
  Datastores datastores{*database, secrets, *http, clock};
  Audit audit{*database, clock};
  uint64_t next_version = 1;
};

}  // namespace volary
