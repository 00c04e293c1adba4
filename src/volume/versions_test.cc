// volume/versions_test.cc: the life of versions and projects: restored, cloned, let go, compared, listed by pages.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "core/error.h"
#include "core/file.h"
#include "core/random.h"
#include "volume/bookkeeping.h"
#include "volume/ledger.h"
#include "volume/projects.h"
#include "volume/volumes.h"

namespace volary {
namespace {

const Caller alice{"sub-1", "alice", "ten-default", "prj-default"};

struct Scratch {
  Path path = std::filesystem::temp_directory_path() / ("volary-versions-" + random_hex(6));
  Scratch() { make_directories(path); }
  ~Scratch() { remove_tree(path); }
};

using Files = std::map<std::string, std::string>;

class Versions : public testing::Test {
 protected:
  Versions() { volumes.create(alice, {"v", DataType::dataset, {}, 1000, {"t"}}); }

  // Makes a version of `name` with these files.
  uint64_t commit(const Files& files, const std::string& name = "v") {
    const Volume volume = volumes.get(alice, name);
    const auto commit = store->begin_commit();
    std::vector<TreeChange> changes;
    for (const auto& [path, content] : files) {
      const auto writer = commit->new_blob();
      writer->write(content);
      const Blob blob = writer->finish();
      TreeEntry entry;
      entry.size = blob.size;
      entry.digest = blob.digest;
      changes.push_back({TreePath::parse(path), entry});
    }
    const TreeSummary tree = apply_changes(*store, *commit, empty_tree().tree, changes);
    commit->publish();
    const Holder holder{"job", new_id("job")};
    return database->write([&](Transaction& t) {
      take_writer(t, volume.id, name, volume.head, holder, clock.now());
      const uint64_t number =
          commit_version(t, {volume.id, tree, "alice", "", Origin::job, holder, 0}, clock.now());
      release_leases(t, holder);
      return number;
    });
  }

  std::vector<uint64_t> numbers(const std::string& name = "v") {
    std::vector<uint64_t> found;
    for (const Version& version : volumes.versions(alice, name)) found.push_back(version.number);
    return found;
  }

  template <class Work>
  std::string error_of(Work work) {
    try {
      work();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  void pass_days(int64_t days) { clock.set(clock.now().plus_seconds(days * 86400)); }

  Scratch scratch;
  std::unique_ptr<Store> store = open_store(scratch.path / "store");
  std::unique_ptr<Database> database = open_database("sqlite::memory:");
  FakeClock clock{parse_time("2026-11-20T12:00:00Z")};
  Volumes volumes{*database, *store, clock};
  Projects projects{*database};
};

TEST_F(Versions, AreRestoredAsTheNewestWithTheirContent) {
  commit({{"a", "1"}});
  commit({{"a", "22"}});
  const Version made = volumes.restore(alice, "v", {"1", {}});
  EXPECT_EQ(made.number, 3u);
  EXPECT_EQ(made.tree, volumes.version(alice, "v", "1").tree);
  EXPECT_EQ(made.message, "restore of version 1");
  EXPECT_EQ(made.origin_id, "v@1");
  EXPECT_EQ(volumes.get(alice, "v").used_bytes, 1u);
  EXPECT_EQ(error_of([&] { volumes.restore(alice, "v", {"3", {}}); }),
            "invalid: version 3 of volume 'v' holds what the newest, version 3, holds: nothing to restore");
  EXPECT_TRUE(volumes.leases(alice, "v").empty());
}

TEST_F(Versions, AreNotRestoredWhileSomebodyWritesOrWaitsTo) {
  commit({{"a", "1"}});
  commit({{"a", "22"}});
  const std::string id = volumes.get(alice, "v").id;
  database->write([&](Transaction& t) { take_writer(t, id, "v", 2, {"job", "job-1"}, clock.now()); });
  EXPECT_EQ(error_of([&] { volumes.restore(alice, "v", {"1", {}}); }),
            "conflict: volume 'v' is being written by job job-1 since 2026-11-20T12:00:00.000000Z: expected no other "
            "writer");
  database->write([&](Transaction& t) {
    release_leases(t, {"job", "job-1"});
    wait_to_write(t, id, {"job", "job-2"}, clock.now(), clock.now().plus_seconds(9));
  });
  EXPECT_EQ(error_of([&] { volumes.restore(alice, "v", {"1", {}}); }),
            "conflict: volume 'v' is being waited for by job job-2 since 2026-11-20T12:00:00.000000Z: expected no "
            "other writer");
}

TEST_F(Versions, AreClonedIntoOtherProjectsByTheirQuota) {
  commit({{"a", std::string(600, 'x')}});
  const Project small = projects.create(alice, {"small", 1000, {}});
  Caller there = alice;
  there.project = small.id;
  const Volume clone = volumes.clone(alice, "v", there, {"c", {}, "1", {}, {}});
  EXPECT_EQ(clone.project, small.id);
  EXPECT_EQ(clone.head, 1u);
  EXPECT_EQ(clone.tags, std::vector<std::string>{"t"});
  EXPECT_EQ(clone.data_type, DataType::dataset);
  EXPECT_EQ(volumes.version(there, "c", "").origin_id, "v@1");
  EXPECT_EQ(projects.get(small.id).used_fs_bytes, 600u);
  EXPECT_EQ(error_of([&] { volumes.clone(alice, "v", there, {"d", {}, {}, {}, {}}); }),
            "exhausted: the project has a quota of 1000 B for fs volumes: 600 B used or reserved, 600 B more asked "
            "for");
  EXPECT_EQ(error_of([&] { volumes.get(there, "d"); }), "not_found: there is no volume 'd' in this project");
  EXPECT_EQ(error_of([&] { projects.update(small.id, {100, {}}); }),
            "exhausted: the fs volumes of project 'small' use 600 B and have 0 B reserved: a quota of 100 B is too "
            "small");
}

TEST_F(Versions, GoByTheRuleOfTheirVolume) {
  for (int i = 0; i < 6; ++i) {
    commit({{"a", std::to_string(i)}});
    pass_days(1);
  }
  volumes.tag(alice, "v", "1", "gold");
  EXPECT_TRUE(volumes.prune(alice, "v", {}).versions.empty());  // No rule, nothing goes.
  volumes.update(alice, "v", {{}, {}, Retention{4, {}, {}}});
  volumes.update(alice, "v", {{}, {}, Retention{{}, 6, {}}});  // The other bound stays.
  EXPECT_TRUE(volumes.prune(alice, "v", {}).versions.empty());  // 2 is out of the four, but 5 days old.
  pass_days(1);
  const std::string id = volumes.get(alice, "v").id;
  database->write([&](Transaction& t) { take_reader(t, id, 2, {"job", "job-1"}, clock.now()); });
  EXPECT_EQ(volumes.prune(alice, "v", {}).held, 1u);
  database->write([&](Transaction& t) { release_leases(t, {"job", "job-1"}); });
  EXPECT_EQ(volumes.prune(alice, "v", {{}, false, true}).versions.size(), 1u);
  EXPECT_EQ(numbers(), (std::vector<uint64_t>{6, 5, 4, 3, 2, 1}));
  ASSERT_EQ(volumes.apply_retention().size(), 1u);
  EXPECT_TRUE(volumes.apply_retention().empty());
  EXPECT_EQ(numbers(), (std::vector<uint64_t>{6, 5, 4, 3, 1}));
  volumes.update(alice, "v", {{}, {}, Retention{1, 0, false}});
  EXPECT_FALSE(volumes.get(alice, "v").retention.keep_days);
  volumes.prune(alice, "v", {});
  EXPECT_EQ(numbers(), std::vector<uint64_t>{6});
  EXPECT_EQ(commit({{"b", ""}}), 7u);
}

TEST_F(Versions, AreLetGoOnceADayEvenBetweenServers) {
  volumes.update(alice, "v", {{}, {}, Retention{1, {}, {}}});
  commit({{"a", "1"}});
  commit({{"a", "2"}});
  std::vector<std::string> lines;
  const auto keep_books = [&] {  // A server each time.
    Bookkeeping(*database, volumes, clock, [&](std::string_view line) { lines.emplace_back(line); }).look();
  };
  keep_books();
  EXPECT_EQ(lines, std::vector<std::string>{"volume 'v': its retention has let go of the versions 1"});
  commit({{"a", "3"}});
  keep_books();
  EXPECT_EQ(lines.size(), 1u);
  pass_days(1);
  keep_books();
  EXPECT_EQ(lines.back(), "volume 'v': its retention has let go of the versions 2");
}

TEST_F(Versions, ThatAreNamedGoAllOrNone) {
  for (int i = 0; i < 4; ++i) commit({{"a", std::to_string(i)}});
  volumes.tag(alice, "v", "2", "gold");
  EXPECT_EQ(error_of([&] { volumes.prune(alice, "v", {{"1", "head"}, false, false}); }),
            "conflict: version 4 of volume 'v' is the newest: expected an older one");
  EXPECT_EQ(error_of([&] { volumes.prune(alice, "v", {{"1", "2"}, false, false}); }),
            "conflict: version 2 of volume 'v' has the tag 'gold': say that tagged ones may go (--tagged)");
  EXPECT_EQ(numbers(), (std::vector<uint64_t>{4, 3, 2, 1}));
  EXPECT_EQ(volumes.prune(alice, "v", {{"gold", "1", "v1"}, true, false}).versions.size(), 2u);
  EXPECT_EQ(numbers(), (std::vector<uint64_t>{4, 3}));
  EXPECT_EQ(error_of([&] { volumes.version(alice, "v", "gold"); }),
            "not_found: volume 'v' has no version 'gold': expected a number up to 4, a tag or the first 6 or more "
            "digits of a checksum");
}

TEST_F(Versions, WithEqualBeginningsOfChecksumsAreNamedInTheRefusal) {
  commit({{"a", "1"}});
  commit({{"a", "2"}});
  commit({{"a", "2"}, {"b", "3"}});
  database->write([&](Transaction& t) {
    t.run("UPDATE version SET checksum = 'abcdef' || number || substr(checksum, 8)");
    t.run("UPDATE version SET checksum = (SELECT checksum FROM version WHERE number = 2) WHERE number = 3");
  });
  EXPECT_EQ(volumes.version(alice, "v", "abcdef1").number, 1u);
  EXPECT_EQ(volumes.version(alice, "v", "abcdef2").number, 3u);  // Equal content: the newest of them.
  EXPECT_EQ(error_of([&] { volumes.version(alice, "v", "abcdef"); }).substr(0, 66),
            "invalid: 'abcdef' begins the checksums of versions 3 (abcdef2" +
                volumes.version(alice, "v", "2").checksum.substr(7, 5));
}

TEST_F(Versions, AreComparedInPartsThatFitTogether) {
  Files before, after;
  for (int i = 0; i < 40; ++i) {
    before[fmt::format("d{}/{}", i % 3, i)] = std::to_string(i);
    after[fmt::format("d{}/{}", i % 3, i)] = std::to_string(i < 20 ? i : i + 100);
  }
  after["new"] = "new";
  commit(before);
  commit(after);
  const VersionDifference whole = volumes.difference(alice, {"v", ""}, {"v", ""}, "", 1000);
  EXPECT_EQ(whole.from.number, 1u);
  EXPECT_EQ(whole.to.number, 2u);
  EXPECT_EQ(whole.totals.changed, 20u);
  EXPECT_EQ(whole.totals.added, 1u);
  EXPECT_EQ(whole.items.size(), 21u);
  EXPECT_FALSE(whole.next_cursor);
  std::vector<std::string> paths;
  std::optional<std::string> cursor = "";
  while (cursor) {
    const VersionDifference part = volumes.difference(alice, {"v", ""}, {"v", ""}, *cursor, 4);
    EXPECT_EQ(part.totals.changed, 20u);
    for (const FileDifference& one : part.items) paths.push_back(one.path);
    cursor = part.next_cursor;
    commit({{"a", std::to_string(paths.size())}});  // A new head does not disturb who reads on.
  }
  ASSERT_EQ(paths.size(), 21u);
  for (size_t i = 0; i < paths.size(); ++i) EXPECT_EQ(paths[i], whole.items[i].path);
  EXPECT_EQ(volumes.difference(alice, {"v", ""}, {"v", "1"}, "", 10).from.number, 0u);
  EXPECT_EQ(error_of([&] { volumes.difference(alice, {"v", ""}, {"v", ""}, "1.2", 1); }),
            "invalid: '1.2' is no cursor of a difference: expected the 'nextCursor' of the part before");
}

RC_GTEST_FIXTURE_PROP(Versions, AreListedPageByPageAsInOneWalk, ()) {
  const auto names = *rc::gen::container<std::vector<std::string>>(
      rc::gen::container<std::string>(rc::gen::elementOf(std::string("a-/.0"))));
  Files files;
  for (const std::string& name : names) {
    std::string path = "f";  // Any text becomes a path: "f/a/-0".
    for (const char c : name) path += c == '/' ? (path.back() == '/' ? "x" : "/") : std::string(1, c);
    if (path.back() == '/' || path.find("/./") != path.npos || path.find("/../") != path.npos) path += "x";
    if (std::all_of(files.begin(), files.end(), [&](const auto& one) {
          return !(one.first + "/").starts_with(path + "/") && !(path + "/").starts_with(one.first + "/");
        }) && error_of([&] { TreePath::parse(path); }).empty())
      files[path] = "";
  }
  if (files.empty()) return;
  commit(files);
  const uint64_t depth = *rc::gen::inRange<uint64_t>(1, 4);
  std::vector<std::string> walked;
  walk(*store, Digest::parse(volumes.version(alice, "v", "").tree), [&](const TreePath& path, const TreeEntry&) {
    if (path.components().size() <= depth) walked.push_back(path.text());
  });
  const size_t limit = *rc::gen::inRange<size_t>(1, 5);
  std::vector<std::string> paged;
  FileFilter filter;
  filter.depth = depth;
  filter.limit = limit;
  for (;;) {
    const auto page = volumes.files(alice, "v", "", filter);
    if (page.empty()) break;
    RC_ASSERT(page.size() <= limit);
    for (const FileEntry& file : page) paged.push_back(file.path);
    filter.after = paged.back();
  }
  RC_ASSERT(paged == walked);
}

}  // namespace
}  // namespace volary
