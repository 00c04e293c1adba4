// api/event_stream.cc: the format of server-sent events and the heartbeat between them.
#include "api/event_stream.h"

#include <utility>

namespace volary {
namespace {

std::string without_line_breaks(std::string_view text) {
  std::string line;
  for (const char c : text)
    if (c != '\n' && c != '\r' && c != '\0') line += c;
  return line;
}

class EventStream final : public Stream {
 public:
  EventStream(NextEvents next, WatchEvents watch, const Clock& clock)
      : next_(std::move(next)), watch_events_(std::move(watch)), clock_(clock), last_(clock.now()) {}

  void call_when_ready(std::function<void()> ready) override {
    if (watch_events_) watch_ = watch_events_(std::move(ready));
  }

  // After each event comes a pause, so that what changes without end is not told without end.
  std::optional<std::string> poll() override {
    if (is_over_) return std::nullopt;
    if (std::exchange(pause_is_due_, false)) return "";
    const Events events = next_();
    std::string text;
    for (const Event& event : events.events) text += print_event(event);
    is_over_ = events.are_last;
    if (text.empty() && is_over_) return std::nullopt;
    const Time now = clock_.now();
    if (text.empty() && now >= last_.plus_seconds(heartbeat_seconds)) text = ": still here\n\n";
    if (!text.empty()) last_ = now;
    pause_is_due_ = !text.empty();
    return text;
  }

 private:
  NextEvents next_;
  WatchEvents watch_events_;
  const Clock& clock_;
  Time last_;  // When something was sent.
  bool pause_is_due_ = false;
  bool is_over_ = false;
  Watch watch_;
};

}  // namespace

Response event_response(NextEvents next, WatchEvents watch, const Clock& clock) {
  Response response;
  response.content_type = "text/event-stream";
  response.headers.emplace_back("cache-control", "no-store");
  response.headers.emplace_back("x-accel-buffering", "no");  // nginx would hold events back.
  response.stream = std::make_unique<EventStream>(std::move(next), std::move(watch), clock);
  return response;
}

std::string last_event_id(const Request& request) { return request.header("last-event-id").value_or(""); }

std::string print_event(const Event& event) {
  std::string text;
  if (!event.id.empty()) text += "id: " + without_line_breaks(event.id) + "\n";
  if (!event.name.empty()) text += "event: " + without_line_breaks(event.name) + "\n";
  // Each line of the body has its own "data:"; \n, \r\n and \r all end a line.
  std::string_view left = event.body;
  for (bool more = true; more;) {
    const size_t end = left.find_first_of("\r\n");
    more = end != std::string_view::npos;
    text += "data: " + std::string(left.substr(0, end)) + "\n";
    if (more) left.remove_prefix(left.substr(end).starts_with("\r\n") ? end + 2 : end + 1);
  }
  return text + "\n";
}

}  // namespace volary
