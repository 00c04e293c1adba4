// api/event_stream.h: server-sent events (text/event-stream, WHATWG HTML 9.2).
//
// A client that lost the connection comes back with Last-Event-ID; whoever makes the events starts after that one.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/announcements.h"
#include "net/http_server.h"

namespace volary {

struct Event {
  std::string id;    // "" for none: the client keeps the last one it saw.
  std::string name;  // "" is "message".
  std::string body;  // Any text, usually JSON on one line.
};

constexpr int64_t heartbeat_seconds = 15;

struct Events {
  std::vector<Event> events;
  bool are_last = false;  // No more will come.
};

// The events since the last call. Must not wait. What it throws breaks the connection off; the client comes back.
using NextEvents = std::function<Events()>;
// Lets `told` be called, from any thread, when there may be new events, until the Watch goes.
using WatchEvents = std::function<Watch(std::function<void()> told)>;

// Sends the events as they come, and a comment after heartbeat_seconds of silence. Without `watch`, and for what is not
// told, it asks every now and then.
Response event_response(NextEvents next, WatchEvents watch = {}, const Clock& clock = system_clock());

// "" if the client starts anew. From the header Last-Event-ID.
std::string last_event_id(const Request& request);

// One event in the format of the stream. A line break in id or name is dropped.
std::string print_event(const Event& event);

}  // namespace volary
