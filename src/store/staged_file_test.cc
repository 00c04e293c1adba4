// store/staged_file_test.cc: contents that come by parts, through the end of processes and of the machine.
#include "store/staged_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/random.h"
#include "store/sample_test.h"
#include "store/store.h"

namespace volary {
namespace {

constexpr uint64_t part = staged_part_bytes;

class a_staged_file : public testing::Test {
 protected:
  a_staged_file() {
    make_directories(root / "uploads");
    store = open_store(root);
  }
  ~a_staged_file() override {
    store.reset();
    remove_tree(root);
  }
  std::string bytes_of(uint64_t size) {
    SeededRandom random(size);
    return random.bytes(size);
  }
  std::string_view at(std::string_view content, uint64_t number) { return content.substr(number * part, part); }

  const Path root = std::filesystem::temp_directory_path() / ("volary-staged-" + random_hex(6));
  const Path path = root / "uploads" / "1";
  std::unique_ptr<Store> store;
};

TEST_F(a_staged_file, has_the_digest_of_its_parts_whatever_their_order) {
  const std::string content = bytes_of(2 * part + 5);
  StagedFile file(path);
  for (const uint64_t number : {2, 0, 1}) {
    EXPECT_EQ(file.finish(content.size()), std::nullopt);
    file.write(number, at(content, number));
  }
  EXPECT_EQ(file.finish(content.size()), Digest::of(content));
  EXPECT_EQ(file.finish(content.size() - 1), std::nullopt);
  EXPECT_EQ(file.finish(2 * part), Digest::of(content.substr(0, 2 * part)));
}

TEST_F(a_staged_file, gives_the_room_back_that_is_taken_by_what_did_not_come_whole) {
  const std::string content = bytes_of(5 * part + 5);
  StagedFile file(path);
  file.write(1, at(content, 1).substr(0, part));
  file.write(3, at(content, 3).substr(0, part));
  for (const uint64_t number : {0, 2, 4}) StagedPart(file, number, part).write(at(content, number).substr(0, part - 1));
  const auto used = [&] { return static_cast<uint64_t>(stat_of(path)->st_blocks) * 512; };
  EXPECT_GE(used(), 4 * part);
  file.give_back_missing();
  EXPECT_GE(used(), 2 * part);
  EXPECT_LT(used(), 3 * part);
  for (const uint64_t number : {0, 2, 4, 5}) file.write(number, at(content, number).substr(0, part));
  EXPECT_EQ(file.finish(content.size()), Digest::of(content));
  file.give_back_missing();
  EXPECT_EQ(file.finish(content.size()), Digest::of(content));
  EXPECT_EQ(read_file(path), content);
}

TEST_F(a_staged_file, takes_parts_that_come_piece_by_piece) {
  const std::string content = bytes_of(2 * part + 700'000);
  StagedFile file(path);
  file.write(1, "what was here before");
  for (const uint64_t number : {1, 2, 0}) {
    const std::string_view bytes = at(content, number);
    StagedPart taken(file, number, bytes.size());
    for (size_t from = 0; from < bytes.size(); from += 300'001) taken.write(bytes.substr(from, 300'001));
    EXPECT_EQ(file.finish(content.size()), std::nullopt);
    EXPECT_EQ(error_of([&] { taken.write("x"); }),
              fmt::format("conflict: more came than was asked for: expected {} bytes", bytes.size()));
    taken.finish();
  }
  EXPECT_EQ(file.finish(content.size()), Digest::of(content));
}

TEST_F(a_staged_file, has_not_got_a_part_that_ended_early) {
  StagedFile file(path);
  file.write(0, bytes_of(part));
  StagedPart again(file, 0, part);
  again.write("short");
  EXPECT_EQ(error_of([&] { again.finish(); }), "conflict: only 5 bytes came: expected 8388608");
  EXPECT_TRUE(file.received().empty());
}

TEST_F(a_staged_file, is_known_again_by_another_object_and_holds_what_came) {
  const std::string content = bytes_of(3 * part);
  StagedFile(path).write(0, at(content, 0));
  StagedFile(path).write(2, at(content, 2));
  StagedFile again(path);
  const auto received = again.received();
  ASSERT_EQ(received.size(), 2u);
  EXPECT_EQ(received[1].offset, 2 * part);
  EXPECT_EQ(received[1].size, part);
  again.write(1, at(content, 1));
  EXPECT_EQ(again.received().size(), 1u);
  EXPECT_EQ(again.finish(content.size()), Digest::of(content));
}

TEST_F(a_staged_file, takes_a_part_again_in_place_of_the_first) {
  StagedFile file(path);
  file.write(0, "first text");
  file.write(0, "second");
  EXPECT_EQ(file.finish(10), std::nullopt);
  EXPECT_EQ(file.finish(6), Digest::of("second"));
}

TEST_F(a_staged_file, of_no_bytes_is_the_empty_content) { EXPECT_EQ(StagedFile(path).finish(0), Digest::of("")); }

// As if the machine had started anew: the records say another start than this one.
void age_records(const Path& records) {
  const Fd fd(::open(records.c_str(), O_RDWR | O_CLOEXEC));
  const auto size = static_cast<uint64_t>(stat_of(fd.get(), records).st_size);
  for (uint64_t at = 0; at < size; at += 72) write_all_at(fd.get(), "\x01\x02\x03\x04", at + 4, records);
}

TEST_F(a_staged_file, after_the_machine_started_anew_is_read_and_only_parts_that_survived_are_believed) {
  const std::string content = bytes_of(2 * part + 5);
  {
    StagedFile file(path);
    for (const uint64_t number : {0, 1, 2}) file.write(number, at(content, number));
  }
  age_records(path.native() + ".parts");
  EXPECT_EQ(StagedFile(path).finish(content.size()), Digest::of(content));
  const Fd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  write_all_at(fd.get(), "x", part + 7, path);  // What the power took.
  StagedFile torn(path);
  EXPECT_EQ(torn.finish(content.size()), std::nullopt);
  EXPECT_EQ(torn.received().size(), 2u);
  torn.write(1, at(content, 1));
  EXPECT_EQ(torn.finish(content.size()), Digest::of(content));
}

TEST_F(a_staged_file, becomes_a_blob_without_a_copy_and_takes_no_part_afterwards) {
  const std::string content = bytes_of(part + 1);
  StagedFile file(path);
  file.write(0, at(content, 0));
  file.write(1, at(content, 1));
  const Blob blob{*file.finish(content.size()), content.size()};
  {
    const auto commit = store->begin_commit();
    commit->take_file(path, blob);
    commit->take_file(path, blob);  // A second time after a crash: the same.
    commit->publish();
  }
  EXPECT_EQ(stat_of(store->blob_path(blob.digest))->st_ino, stat_of(path)->st_ino);
  EXPECT_EQ(stat_of(store->blob_path(blob.digest))->st_mode & 0777, 0444u);
  EXPECT_EQ(error_of([&] { StagedFile(path).write(0, "other"); }),
            "conflict: all parts of this file have come, and the store has it: expected no more of them");
  StagedFile::remove(path);
  EXPECT_EQ(Digest::of(read_file(store->blob_path(blob.digest))), blob.digest);
}

TEST_F(a_staged_file, refuses_what_is_no_part) {
  EXPECT_EQ(error_of([&] { StagedFile(path).write(0, ""); }),
            "invalid: part 0 of 0 bytes cannot be kept: expected 1 to 8388608 bytes, and at most 16777216 parts");
}

}  // namespace
}  // namespace volary
