// remote/request_troubles_test.cc: what is counted of requests that pass.
#include "remote/request_troubles.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace volary {
namespace {

// Answers with a status; 0 breaks off.
class OneAnswer final : public HttpClient {
 public:
  HttpResponse send(const HttpRequest&, Sink*) override {
    if (status == 0) throw Error(Errc::unavailable, "it broke off");
    HttpResponse response;
    response.status = status;
    return response;
  }
  int status = 200;
};

TEST(requests, that_failed_for_the_moment_are_counted_and_the_last_is_told_without_its_query) {
  OneAnswer server;
  FakeClock clock{Time{1'000'000}};
  Synced<RequestTroubles> troubles;
  WatchingClient client(server, clock, troubles);
  const HttpRequest request{.url = "https://h/b/k?X-Amz-Signature=secret"};
  for (const int status : {200, 404, 412, 503, 429}) {
    server.status = status;
    EXPECT_EQ(client.send(request, nullptr).status, status);
    clock.set(clock.now().plus_seconds(1));
  }
  EXPECT_EQ(troubles.lock()->count, 2u);
  EXPECT_EQ(troubles.lock()->first, Time{4'000'000});
  EXPECT_EQ(troubles.lock()->last, Time{5'000'000});
  EXPECT_EQ(troubles.lock()->words, "GET https://h/b/k: it answered with status 429");
  server.status = 0;
  EXPECT_THROW(client.send(request, nullptr), Error);
  EXPECT_EQ(troubles.lock()->words, "GET https://h/b/k: it broke off");
  std::stop_source stop;
  stop.request_stop();
  HttpRequest stopped = request;
  stopped.stop = stop.get_token();
  EXPECT_THROW(client.send(stopped, nullptr), Error);
  EXPECT_EQ(troubles.lock()->count, 3u);
}

}  // namespace
}  // namespace volary
