// remote/request_troubles.cc: what of a request's end means that the same may go well later.
#include "remote/request_troubles.h"

#include "core/error_of.h"
#include "net/request_words.h"

namespace volary {

HttpResponse WatchingClient::send(const HttpRequest& request, Sink* sink) {
  HttpResponse response;
  const auto error = error_of([&] { response = next_.send(request, sink); });
  if (error) {
    if (error->code() == Errc::unavailable && !request.stop.stop_requested()) note(request, error->message());
    throw Error(*error);
  }
  if (response.status == 429 || response.status >= 500)
    note(request, fmt::format("it answered with status {}", response.status));
  return response;
}

void WatchingClient::note(const HttpRequest& request, std::string_view why) {
  const Time now = clock_.now();
  auto all = troubles_.lock();
  if (all->count++ == 0) all->first = now;
  all->last = now;
  all->words = fmt::format("{} {}: {}", request.method, speakable(request.url), why);
}

}  // namespace volary
