// volume/upkeep_interleavings_test.cc: sweeps among commits that reuse what is about to go, in any order (I5).
//
// Everything runs on one thread; the store that the sweep gets does other people's work in the middle of the sweep's
// own questions. Inside the sweep's transactions nobody can write rows, as in the real thing; commits go on all the
// same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "volume/upkeep_world_test.h"

namespace volary {
namespace {

class Others {
 public:
  Others(UpkeepWorld& world, uint64_t seed) : world_(world), dice_(seed) {}

  enum class Rows { allowed, locked };
  void do_something(Rows rows) {
    switch (pick(rows == Rows::allowed ? 8 : 4)) {
      case 0: begin(); break;
      case 1:
      case 2: add(); break;
      case 3: reuse(); break;
      case 4: publish_and_enter(); break;
      case 5: drop_version(); break;
      case 6: give_up(); break;
      case 7: world_.pass(static_cast<int64_t>(pick(30)) * world_.hour); break;
    }
    world_.settle_times();
  }
  void do_some(Rows rows) {
    if (pick(6) == 0) do_something(rows);  // Rarely: a commit lives through some sweeps.
  }
  void end_all() { open_.clear(); }
  size_t pick(size_t below) { return dice_() % below; }
  uint64_t entered() const { return entered_; }

 private:
  struct Open {
    std::unique_ptr<Commit> commit;
    std::map<std::string, std::string> files;
  };

  std::string content() { return "content " + std::to_string(pick(6)); }
  void begin() {
    if (open_.size() < 3) open_.push_back({world_.store->begin_commit(), {}});
  }
  void add() {
    if (open_.empty()) return begin();
    Open& one = open_[pick(open_.size())];
    const std::string bytes = content();
    const auto writer = one.commit->new_blob();
    writer->write(bytes);
    writer->finish();
    one.files["file " + std::to_string(pick(3))] = bytes;
  }
  // As an import does, that knows the digest from elsewhere.
  void reuse() {
    if (open_.empty()) return begin();
    Open& one = open_[pick(open_.size())];
    const std::string bytes = content();
    if (one.commit->reuse_blob({Digest::of(bytes), bytes.size()})) one.files["file " + std::to_string(pick(3))] = bytes;
  }
  void publish_and_enter() {
    if (open_.empty()) return;
    const size_t at = pick(open_.size());
    Open& one = open_[at];
    Tree below, root;
    for (const auto& [name, bytes] : one.files) {
      TreeEntry entry;
      entry.name = name;
      entry.size = bytes.size();
      entry.digest = Digest::of(bytes);
      below.entries.push_back(std::move(entry));
    }
    if (pick(2) == 0) {
      root.entries = {directory_entry("below", one.commit->add_tree(below))};
    } else {
      root = below;
    }
    const TreeSummary summary = one.commit->add_tree(root);
    one.commit->publish();
    versions_.push_back(world_.add_version(summary));
    ++entered_;
    open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(at));
  }
  void drop_version() {
    if (versions_.empty()) return;
    const size_t at = pick(versions_.size());
    world_.drop_version(versions_[at]);
    versions_.erase(versions_.begin() + static_cast<std::ptrdiff_t>(at));
  }
  void give_up() {
    if (!open_.empty()) open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(pick(open_.size())));
  }

  UpkeepWorld& world_;
  std::mt19937_64 dice_;
  std::vector<Open> open_;
  std::vector<uint64_t> versions_;
  uint64_t entered_ = 0;
};

TEST(SweepAmongCommits, never_takes_what_a_version_refers_to_and_leaves_nothing_else) {
  uint64_t moved = 0, entered = 0, unlinked = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    UpkeepWorld world;
    Others others(world, seed);
    // Between any two of the sweep's questions, others did something.
    WatchedStore busy(*world.store, [&] { others.do_some(Others::Rows::allowed); },
                      [&] { others.do_some(Others::Rows::locked); });
    for (int step = 0; step < 40; ++step) {
      for (int i = 0; i < 4; ++i) others.do_something(Others::Rows::allowed);
      if (others.pick(2) == 0) world.pass(static_cast<int64_t>(others.pick(12)) * world.hour);
      unlinked += world.sweep_on(busy).unlinked.objects;
      const auto damage = world.damage_of_versions();
      ASSERT_TRUE(damage.empty()) << "seed " << seed << ", step " << step << ": " << damage.front().what;
    }
    others.end_all();
    for (int day = 0; day < 6; ++day) {
      world.pass(30 * world.hour);
      unlinked += world.sweep().unlinked.objects;
    }
    Marks marks;
    Progress progress;
    mark(*world.store, world.database->read([](Transaction& t) { return roots_of(t); }).trees, marks, progress, 1, {});
    ASSERT_EQ(world.files_in("objects"), marks.blobs.size()) << "seed " << seed;
    ASSERT_EQ(world.files_in("trees"), marks.trees.size()) << "seed " << seed;
    ASSERT_EQ(world.files_in("quarantine"), 0u) << "seed " << seed;
    moved += busy.moved();
    entered += others.entered();
  }
  EXPECT_GT(moved, 100u);  // Otherwise this has proven nothing.
  EXPECT_GT(entered, 300u);
  EXPECT_GT(unlinked, 100u);
}

}  // namespace
}  // namespace volary
