// api/event_stream_test.cc: what stands on the wire between a server and an EventSource.
#include "api/event_stream.h"

#include <gtest/gtest.h>

namespace volary {
namespace {

TEST(EventStream, PrintsAnEvent) {
  EXPECT_EQ(print_event({"7", "progress", R"({"done":1})"}), "id: 7\nevent: progress\ndata: {\"done\":1}\n\n");
  EXPECT_EQ(print_event({"", "", "one\ntwo\r\nthree\rfour"}), "data: one\ndata: two\ndata: three\ndata: four\n\n");
  EXPECT_EQ(print_event({"", "", ""}), "data: \n\n");
}

TEST(EventStream, LetsNoIdOrNameBreakItsLine) {
  EXPECT_EQ(print_event({"1\ndata: x", "a\r\nb", "c"}), "id: 1data: x\nevent: ab\ndata: c\n\n");
}

TEST(EventStream, SendsWhatComesWithAPauseBehindItAndAHeartbeatAfter15SecondsOfSilence) {
  const std::vector<Events> turns = {{{{"1", "", "a"}, {"2", "", "b"}}}, {}, {}, {{}, true}};
  size_t turn = 0;
  FakeClock clock(Time{1'000'000});
  Response response = event_response([&] { return turns[turn++]; }, {}, clock);
  EXPECT_EQ(response.content_type, "text/event-stream");
  ASSERT_TRUE(response.stream);
  EXPECT_EQ(response.stream->poll(), "id: 1\ndata: a\n\nid: 2\ndata: b\n\n");
  EXPECT_EQ(response.stream->poll(), "");
  EXPECT_EQ(turn, 1u);
  clock.set(clock.now().plus_seconds(14));
  EXPECT_EQ(response.stream->poll(), "");
  clock.set(clock.now().plus_seconds(1));
  EXPECT_EQ(response.stream->poll(), ": still here\n\n");
  EXPECT_EQ(response.stream->poll(), "");
  EXPECT_EQ(response.stream->poll(), std::nullopt);
}

TEST(EventStream, EndsAtOnceBehindTheLastEvent) {
  Response response = event_response([] { return Events{{{"", "", "a"}}, true}; });
  EXPECT_EQ(response.stream->poll(), "data: a\n\n");
  EXPECT_EQ(response.stream->poll(), std::nullopt);
}

TEST(EventStream, IsWokenByWhatItWatchesUntilItGoes) {
  Announcements announcements;
  int woken = 0;
  Response response = event_response([] { return Events(); },
                                     [&](auto told) { return announcements.watch("xfer-1", std::move(told)); });
  response.stream->call_when_ready([&] { ++woken; });
  announcements.tell({"xfer-2"});
  EXPECT_EQ(woken, 0);
  announcements.tell({"xfer-1"});
  EXPECT_EQ(woken, 1);
  response.stream.reset();
  announcements.tell({"xfer-1"});
  EXPECT_EQ(woken, 1);
}

TEST(EventStream, KnowsWhereAClientThatComesBackLeftOff) {
  Request request;
  EXPECT_EQ(last_event_id(request), "");
  request.headers["last-event-id"] = "41";
  EXPECT_EQ(last_event_id(request), "41");
}

}  // namespace
}  // namespace volary
