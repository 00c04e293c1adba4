// mount/harvest_live_test.cc: the harvest of a directory in which others go on writing.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <thread>

#include "mount/mount_test.h"
#include "mount/scratch.h"

namespace volary {
namespace {

constexpr size_t busy_bytes = 1 << 20;

// Letters are written over each other from the front: at any moment the newer one stands before the older one.
bool was_at_one_moment(const std::string& bytes) {
  const size_t other = bytes.find_first_not_of(bytes[0]);
  if (other == std::string::npos) return true;
  const char newer = bytes[other] == 'z' ? 'a' : static_cast<char>(bytes[other] + 1);
  return bytes[0] == newer && bytes.find_first_not_of(bytes[other], other) == std::string::npos;
}

class HarvestOfALiveDirectory : public testing::Test {
 protected:
  std::map<std::string, std::string> take() {
    const auto commit = store_->begin_commit();
    Progress progress;
    const Harvest harvest =
        volary::harvest(*store_, *commit, empty_tree().tree, scratch_, Deletions::keep, progress, Writers::there);
    commit->publish();
    left_out_ = harvest.left_out;
    std::map<std::string, std::string> files;
    for (const TreeChange& change : harvest.changes)
      if (change.entry && change.entry->kind == EntryKind::file)
        files[change.path.text()] = read_file(store_->blob_path(change.entry->digest));
    return files;
  }

  TestDirectory directory_;
  std::unique_ptr<Store> store_ = open_store(directory_ / "store");
  const Path scratch_ = directory_ / "scratch";
  const Path upper_ = make_scratch(scratch_, empty_tree().tree, OverlayXattrs::trusted, Owner{0, 0}).upper;
  std::vector<std::string> left_out_;
};

TEST_F(HarvestOfALiveDirectory, HasWhatIsClosedWholeAndWhatIsWrittenNeverTorn) {
  write_text(upper_ / "closed", "all of it");
  write_text(upper_ / "busy", std::string(busy_bytes, 'a'));
  std::atomic<bool> over{false};
  std::thread writer([&] {
    const Fd fd(::open((upper_ / "busy").c_str(), O_WRONLY | O_CLOEXEC));
    for (char letter = 'a'; !over; letter = letter == 'z' ? 'a' : static_cast<char>(letter + 1))
      ASSERT_EQ(::pwrite(fd.get(), std::string(busy_bytes, letter).data(), busy_bytes, 0),
                static_cast<ssize_t>(busy_bytes));
  });
  bool torn = false;
  for (int i = 0; i < 200; ++i) {
    const auto files = take();
    EXPECT_EQ(files.at("closed"), "all of it");
    if (files.contains("busy")) torn |= !was_at_one_moment(files.at("busy"));
    else EXPECT_EQ(left_out_, std::vector<std::string>{"'busy', which is being written"});
  }
  over = true;
  writer.join();
  EXPECT_FALSE(torn);
  EXPECT_EQ(take().at("busy").size(), busy_bytes);
}

TEST_F(HarvestOfALiveDirectory, HasALogThatGrowsUpToWhereItWas) {
  std::atomic<bool> over{false};
  const std::string line = "a line.\n";  // Eight bytes: a write that goes on in the next page is seen half done.
  write_text(upper_ / "log", line);
  std::thread writer([&] {
    const Fd fd(::open((upper_ / "log").c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
    while (!over) ASSERT_EQ(::write(fd.get(), line.data(), line.size()), static_cast<ssize_t>(line.size()));
  });
  for (int i = 0; i < 10; ++i) {
    const auto files = take();
    EXPECT_TRUE(files.at("log").ends_with(line));
    EXPECT_EQ(files.at("log").size() % line.size(), 0u);
  }
  over = true;
  writer.join();
}

}  // namespace
}  // namespace volary
