// api/produced_stream_test.cc: errors before the first byte are thrown at once, later ones break the stream off.
#include "api/produced_stream.h"

#include <latch>

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/scratch_test.h"

namespace volary {
namespace {

std::string all_of(Stream& stream) {
  std::string all;
  while (const auto piece = stream.poll()) all += *piece;
  return all;
}

TEST(ProducedStream, GivesAllThatIsWritten) {
  const auto stream = make_produced_stream([](Sink& sink) {
    for (int i = 0; i < 100'000; ++i) sink.write(std::to_string(i) + "\n");
  });
  const std::string all = all_of(*stream);
  EXPECT_EQ(all.size(), 588'890u);
  EXPECT_TRUE(all.ends_with("99998\n99999\n"));
  EXPECT_EQ(all_of(*make_produced_stream([](Sink&) {})), "");
}

TEST(ProducedStream, ThrowsAtOnceWhatIsThrownBeforeTheFirstByte) {
  EXPECT_EQ(error_of([] { make_produced_stream([](Sink&) { throw Error(Errc::not_found, "no such thing"); }); }),
            "not_found: no such thing");
}

TEST(ProducedStream, BreaksOffAtWhatIsThrownLater) {
  const auto stream = make_produced_stream([](Sink& sink) {
    sink.write("some");
    throw Error(Errc::corrupt, "half way");
  });
  EXPECT_EQ(error_of([&] { all_of(*stream); }), "corrupt: half way");
}

TEST(ProducedStream, EndsItsProducerWhenNobodyReads) {
  std::latch ended(1);
  {
    const auto stream = make_produced_stream([&](Sink& sink) {
      EXPECT_EQ(error_of([&] { while (true) sink.write(std::string(1 << 20, 'x')); }),
                "unavailable: nobody reads the answer any more");
      ended.count_down();
    });
    stream->poll();
  }
  ended.wait();
}

}  // namespace
}  // namespace volary
