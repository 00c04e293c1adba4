// store/crash_test.cc: the store dies or fails at every fail point in turn, and is opened again.
//
// The test program runs itself as the victim: fail points read their rules once from the environment (core/fault.h).
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>

#include "store/sample_test.h"

#ifdef VOLARY_FAULTS

namespace volary {
namespace {

// What the victim does: an object, a larger one, one by parts, two trees, all published; then a commit that finds all
// present.
void be_the_victim(const Path& root) {
  const auto store = open_store(root);
  for (int round = 0; round < 2; ++round) {
    const auto commit = store->begin_commit();
    Tree sub;
    sub.entries = {add_file(*commit, "a", "a"), add_file(*commit, "b", std::string(600'000, 'b'))};
    const auto parts = commit->new_blob_in_parts(9 << 20);
    for (uint64_t part = parts->parts(); part-- > 0;) parts->write(part, std::string(parts->size_of(part), 'c'));
    TreeEntry large = file_entry("c", "");
    const Blob blob = parts->finish();
    large.size = blob.size;
    large.digest = blob.digest;
    Tree tree;
    tree.entries = {std::move(large), directory_entry("sub", commit->add_tree(sub))};
    const Digest digest = commit->add_tree(tree).tree;
    commit->publish();
    // Published means: all of it is there.
    Progress progress;
    const auto damage = verify(*store, digest, progress, 1);
    if (!damage.empty()) throw Error(Errc::corrupt, "{}: {}", damage[0].path.text(), damage[0].what);
  }
}

TEST(Victim, DISABLED_writes_and_publishes) { be_the_victim(std::getenv("VOLARY_TEST_STORE")); }

// Tries again after a failed sync, which must not be believed even if it succeeds.
TEST(Stubborn, DISABLED_commits_again_after_a_failed_sync) {
  const Path root = std::getenv("VOLARY_TEST_STORE");
  auto store = open_store(root);
  auto commit = store->begin_commit();
  auto other = store->begin_commit();
  add_blob(*commit, "a");
  EXPECT_EQ(error_of([&] { commit->publish(); }),
            "corrupt: cannot sync the file system of '" + root.native() + "': Input/output error");
  const std::string refusal = "unavailable: the store '" + root.native() +
                              "' takes no commits: a sync of its file system failed; check the disk, then restart";
  EXPECT_EQ(error_of([&] { commit->publish(); }), refusal);
  EXPECT_EQ(error_of([&] { other->publish(); }), refusal);
  EXPECT_EQ(error_of([&] { store->begin_commit(); }), refusal);
  EXPECT_EQ("unavailable: " + store->read_only_reason().value_or("nothing"), refusal);
  EXPECT_EQ(error_of([&] { store->quarantine(ObjectKind::blob, Digest::of("a"), {}); }), refusal);
  commit.reset();
  other.reset();
  store.reset();
  EXPECT_TRUE(is_present(root / "unsettled"));
  store = open_store(root);
  EXPECT_TRUE(store->recovery().after_crash);
  EXPECT_EQ(store->recovery().checked, 1u);
  EXPECT_EQ(store->read_only_reason(), std::nullopt);
  const auto later = store->begin_commit();
  add_blob(*later, "b");
  later->publish();
}

// Opens a store that a crash has torn, and lets a sweep take and give back.
TEST(Recoverer, DISABLED_opens_what_a_crash_has_torn) {
  const auto store = open_store(std::getenv("VOLARY_TEST_STORE"));
  const Time later = system_clock().now().plus_seconds(1'000'000);
  if (store->blob_size(Digest::of("whole"))) store->quarantine(ObjectKind::blob, Digest::of("whole"), later);
  store->bring_back(ObjectKind::blob, Digest::of("whole"));
}

enum class End { well, with_an_error, by_a_signal };

// Runs the victim on `root` with the rule, in a process of its own.
End run_victim(const Path& root, const std::string& rule, const Path& log, const std::string& victim = "Victim.*") {
  const std::string filter = "--gtest_filter=" + victim;
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv("VOLARY_TEST_STORE", root.c_str(), 1);
    ::setenv("VOLARY_FAULT", rule.c_str(), 1);
    ::setenv("VOLARY_FAULT_LOG", log.c_str(), 1);
    const int null = ::open("/dev/null", O_WRONLY);
    ::dup2(null, 1);
    ::dup2(null, 2);
    ::execl("/proc/self/exe", "store_test", "--gtest_also_run_disabled_tests", filter.c_str(), nullptr);
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_FALSE(WIFEXITED(status) && WEXITSTATUS(status) == 127);
  if (WIFSIGNALED(status)) return End::by_a_signal;
  return WEXITSTATUS(status) == 0 ? End::well : End::with_an_error;
}

// Every name in `folder` is the digest of its bytes, and its mode is right.
std::set<std::string> check_objects(const Path& folder) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    const std::string name = entry.path().parent_path().filename().native() + entry.path().filename().native();
    EXPECT_EQ(Digest::of(read_file(entry.path())).hex(), name);
    EXPECT_EQ(stat_of(entry.path())->st_mode & 07777, 0444u) << name;
    names.insert(name);
  }
  return names;
}

// Lets the victim meet the rule at the first, second, … passing of the point, until it no longer meets it.
// Returns how often the fault happened.
int meet_everywhere(const std::string& point, const std::string& act) {
  for (int passing = 1;; ++passing) {
    const TestDirectory directory;
    const Path root = directory / "store";
    const std::string rule = point + "=" + act + "@" + std::to_string(passing);
    const End end = run_victim(root, rule, directory / "log");
    if (!is_present(directory / "log")) {
      EXPECT_EQ(end, End::well) << rule;
      return passing - 1;
    }
    EXPECT_EQ(end, act == "kill" ? End::by_a_signal : End::with_an_error) << rule;
    if (act == "kill") open_store(root);  // What is torn goes.
    if (is_present(root / "objects")) check_objects(root / "objects");
    if (is_present(root / "trees")) check_objects(root / "trees");
    if (act != "kill" && is_present(root / "tmp")) {
      EXPECT_TRUE(std::filesystem::is_empty(root / "tmp")) << rule;
    }
    // Opened again, it takes the same work as if nothing had been, and nothing is left behind.
    EXPECT_EQ(run_victim(root, "", directory / "log"), End::well) << rule;
    EXPECT_EQ(check_objects(root / "objects").size(), 3u) << rule;
    EXPECT_EQ(check_objects(root / "trees").size(), 2u) << rule;
    EXPECT_TRUE(std::filesystem::is_empty(root / "tmp")) << rule;
  }
}

class FailPoint : public testing::TestWithParam<std::pair<const char*, int>> {};

TEST_P(FailPoint, killed_there_leaves_a_store_that_opens_with_no_wrong_object) {
  EXPECT_EQ(meet_everywhere(GetParam().first, "kill"), GetParam().second);
}

TEST_P(FailPoint, a_full_disk_there_is_an_error_and_leaves_nothing_behind) {
  EXPECT_EQ(meet_everywhere(GetParam().first, "ENOSPC"), GetParam().second);
}

// With the number of times the victim passes the point.
INSTANTIATE_TEST_SUITE_P(Store, FailPoint,
                         testing::Values(std::pair{"store.blob_added", 6}, std::pair{"store.tree_added", 4},
                                         std::pair{"store.allocate", 2}, std::pair{"store.unsettling", 1},
                                         std::pair{"store.unsettled_written", 1}, std::pair{"store.unsettled", 1},
                                         std::pair{"store.created", 3}, std::pair{"store.written", 3},
                                         std::pair{"store.renaming", 2}, std::pair{"store.renamed", 2},
                                         std::pair{"store.publishing", 2}, std::pair{"store.synced", 2},
                                         std::pair{"store.settling", 2}, std::pair{"store.settled", 2},
                                         std::pair{"store.published", 2}, std::pair{"file.syncfs", 2},
                                         std::pair{"file.rename", 3}),
                         [](const auto& one) {
                           std::string name = one.param.first;
                           name[name.find('.')] = '_';
                           return name;
                         });

class FilePoint : public testing::TestWithParam<const char*> {};

TEST_P(FilePoint, killed_there_leaves_a_store_that_opens_with_no_wrong_object) {
  EXPECT_GT(meet_everywhere(GetParam(), "kill"), 3);
}

TEST_P(FilePoint, a_full_disk_there_is_an_error_and_leaves_nothing_behind) {
  EXPECT_GT(meet_everywhere(GetParam(), "ENOSPC"), 3);
}

INSTANTIATE_TEST_SUITE_P(Store, FilePoint, testing::Values("file.write", "file.create", "file.mkdir"),
                         [](const auto& one) { return std::string(one.param).substr(5); });

class RecoveryPoint : public testing::TestWithParam<const char*> {};

TEST_P(RecoveryPoint, killed_there_loses_nothing_whole_and_keeps_nothing_torn) {
  for (int passing = 1;; ++passing) {
    const TestDirectory directory;
    const Path root = directory / "store";
    {
      const auto store = open_store(root);
      const auto commit = store->begin_commit();
      for (const char* bytes : {"whole", "lost", "gone"}) add_blob(*commit, bytes);
      commit->publish();
    }
    directory.write("store/objects/" + Digest::of("lost").path(), "");
    directory.write("store/objects/" + Digest::of("gone").path(), std::string(4, '\0'));
    directory.write("store/unsettled", "");
    const std::string rule = GetParam() + std::string("=kill@") + std::to_string(passing);
    const End end = run_victim(root, rule, directory / "log", "Recoverer.*");
    const bool has_met = is_present(directory / "log");
    EXPECT_EQ(end, has_met ? End::by_a_signal : End::well) << rule;
    EXPECT_EQ(run_victim(root, "", directory / "log", "Recoverer.*"), End::well) << rule;
    EXPECT_EQ(check_objects(root / "objects"), std::set{Digest::of("whole").hex()}) << rule;
    EXPECT_TRUE(is_present(root / "quarantine/damaged/objects" / Digest::of("lost").path())) << rule;
    EXPECT_TRUE(is_present(root / "quarantine/damaged/objects" / Digest::of("gone").path())) << rule;
    EXPECT_FALSE(is_present(root / "unsettled")) << rule;
    if (has_met) continue;
    EXPECT_GT(passing, 1) << rule;
    break;
  }
}

INSTANTIATE_TEST_SUITE_P(Store, RecoveryPoint,
                         testing::Values("file.syncfs", "store.recovering", "store.moving_damaged",
                                         "store.moved_damaged", "store.recovered", "store.settled_mark_removal",
                                         "store.quarantining", "store.quarantined", "store.bringing_back",
                                         "store.brought_back", "file.rename"),
                         [](const auto& one) {
                           std::string name = one.param;
                           name[name.find('.')] = '_';
                           return name;
                         });

TEST(FailedSync, closes_the_store_for_commits_until_it_is_opened_again) {
  const TestDirectory directory;
  EXPECT_EQ(run_victim(directory / "store", "file.syncfs=EIO@1", directory / "log", "Stubborn.*"), End::well);
  EXPECT_EQ(read_file(directory / "log"), "file.syncfs EIO 1\n");
  EXPECT_EQ(check_objects(directory / "store/objects").size(), 2u);
}

}  // namespace
}  // namespace volary

#endif
