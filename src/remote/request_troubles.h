// remote/request_troubles.h: which requests failed for the moment, so that what took long because of them can say so.
// Most are tried again (remote/retry.h); this counts each time.
#pragma once

#include <cstdint>
#include <string>

#include "core/clock.h"
#include "core/synced.h"
#include "net/http_client.h"

namespace volary {

struct RequestTroubles {
  uint64_t count = 0;
  Time first;
  Time last;
  std::string words;  // Of the last: "GET https://host/bucket/key: it answered with status 503".
};

// Counts those of all requests that pass, but for what was asked to stop. Any thread may call.
class WatchingClient final : public HttpClient {
 public:
  WatchingClient(HttpClient& next, Clock& clock, Synced<RequestTroubles>& troubles)
      : next_(next), clock_(clock), troubles_(troubles) {}
  HttpResponse send(const HttpRequest& request, Sink* sink) override;

 private:
  void note(const HttpRequest& request, std::string_view why);

  HttpClient& next_;
  Clock& clock_;
  Synced<RequestTroubles>& troubles_;
};

}  // namespace volary
