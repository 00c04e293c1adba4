// core/segmented_hash_test.cc: the joined hash equals the plain one, whatever the sizes, the order and the threads.
#include "core/segmented_hash.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "core/scratch_test.h"
#include "core/workers.h"

namespace volary {
namespace {

Digest segmented(std::string_view bytes, uint64_t segment_bytes, size_t threads) {
  SegmentedHash hash(bytes.size(), segment_bytes);
  for_each_index(hash.segments(), threads, [&](size_t i) {
    const uint64_t last_first = hash.segments() - 1 - i;
    hash.add(last_first, bytes.substr(hash.offset_of(last_first), hash.size_of(last_first)));
  });
  return hash.finish();
}

TEST(SegmentedHash, equals_the_plain_hash_around_every_border) {
  const std::string bytes = SeededRandom(1).bytes(300'000);
  for (const uint64_t segment : {2048, 4096, 16384, 65536})
    for (const uint64_t parts : {0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 31, 32, 33})
      for (const int64_t off : {-1025, -1024, -1, 0, 1, 1023, 1024, 1025}) {
        const int64_t size = static_cast<int64_t>(segment * parts) + off;
        if (size < 0 || size > static_cast<int64_t>(bytes.size())) continue;
        const auto part = std::string_view(bytes).substr(0, static_cast<size_t>(size));
        ASSERT_EQ(segmented(part, segment, 1), Digest::of(part)) << segment << " " << size;
      }
}

TEST(SegmentedHash, takes_its_parts_from_many_threads) {
  const std::string bytes = SeededRandom(2).bytes(1'234'567);
  for (const size_t threads : {2, 3, 8}) EXPECT_EQ(segmented(bytes, 4096, threads), Digest::of(bytes));
}

RC_GTEST_PROP(SegmentedHashProperty, equals_the_plain_hash, ()) {
  const std::string bytes = SeededRandom(*rc::gen::arbitrary<uint64_t>()).bytes(*rc::gen::inRange<size_t>(0, 200'000));
  const uint64_t segment = uint64_t{2048} << *rc::gen::inRange(0, 6);
  RC_ASSERT(segmented(bytes, segment, 2) == Digest::of(bytes));
}

TEST(SegmentedHash, joins_the_pairs_of_shorter_parts_to_that_of_a_longer_one) {
  const std::string bytes = SeededRandom(3).bytes(64 << 10);
  for (const uint64_t offset : {uint64_t{0}, uint64_t{64} << 10, uint64_t{5} << 30})
    for (const size_t shorter : {2048, 4096, 32768, 65536}) {
      std::vector<SegmentedHash::Pair> pairs;
      for (size_t at = 0; at < bytes.size(); at += shorter)
        pairs.push_back(SegmentedHash::pair_of(offset + at, std::string_view(bytes).substr(at, shorter)));
      EXPECT_EQ(SegmentedHash::join(pairs), SegmentedHash::pair_of(offset, bytes)) << offset << " " << shorter;
    }
  EXPECT_EQ(error_of([] { SegmentedHash::join(std::vector<SegmentedHash::Pair>(3)); }),
            "internal: 3 parts cannot be joined: expected a power of two");
}

TEST(SegmentedHash, refuses_wrong_parts) {
  SegmentedHash hash(5000, 2048);
  EXPECT_EQ(hash.segments(), 3u);
  EXPECT_EQ(hash.size_of(2), 904u);
  EXPECT_EQ(error_of([&] { hash.add(0, "short"); }), "internal: part 0 of 3 has 5 bytes");
  EXPECT_EQ(error_of([&] { hash.add(3, ""); }), "internal: part 3 of 3 has 0 bytes");
  EXPECT_EQ(error_of([] { SegmentedHash(1, 3000); }),
            "internal: 3000 bytes are no segment: expected a power of two from 2048");
}

}  // namespace
}  // namespace volary
