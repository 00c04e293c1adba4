// api/event_routes.cc: what happens in a project, as a list and as a stream, and webhooks.
#include <charconv>

#include "api/event_stream.h"
#include "api/routes.h"

namespace volary {
namespace {

const std::vector<QueryParameter> event_parameters = {
    {.name = "after", .description = "Only events with a greater number", .kind = ParameterKind::number},
    {.name = "type", .description = "Only such events: job.done, job.*, transfer.failed; may be repeated",
     .kind = ParameterKind::list}};

Page<ProjectEvent> list_events(Services& services, const Call& call) {
  if (call.flag("last")) {
    if (call.number("after") || !call.page().cursor.empty())
      throw Error(Errc::invalid, "the last events were asked for, and those behind a number: expected one of both");
    return {services.events.last(call.caller(), call.list("type"), call.page().limit), std::nullopt};
  }
  EventQuery query{call.number("after").value_or(0), call.list("type"), call.page().limit};
  if (const std::string& cursor = call.page().cursor; !cursor.empty()) {
    const auto [end, error] = std::from_chars(cursor.data(), cursor.data() + cursor.size(), query.after);
    if (error != std::errc() || end != cursor.data() + cursor.size())
      throw Error(Errc::invalid, "'{}' is no cursor of this list: expected the number of an event", printable(cursor));
  }
  EventsFound found = services.events.list(call.caller(), query);
  Page<ProjectEvent> page{std::move(found.events), std::nullopt};
  if (!found.is_all) page.next_cursor = std::to_string(found.passed);
  return page;
}

// From the number that the client saw last, or was asked for; what comes from now on unless either says another.
Response follow_events(Services& services, const Call& call) {
  check_patterns(call.list("type"));
  const std::string last = last_event_id(call.request());
  uint64_t after = call.number("after").value_or(services.events.newest());
  if (!last.empty()) std::from_chars(last.data(), last.data() + last.size(), after);
  const auto next = [&services, caller = call.caller(), query = EventQuery{after, call.list("type")}]() mutable {
    Events events;
    const EventsFound found = services.events.list(caller, query);
    query.after = found.passed;
    // Who may no more is told nothing more.
    if (!found.events.empty()) services.access.require(caller, Permission::event_read);
    for (const ProjectEvent& one : found.events)
      events.events.push_back({std::to_string(one.number), one.type, print_json(to_json(one))});
    return events;
  };
  return event_response(next, [&services](auto told) { return services.events.watch(std::move(told)); });
}

}  // namespace

void add_event_routes(std::vector<Route>& routes, Services& services) {
  auto list_parameters = event_parameters;
  list_parameters.push_back({.name = "last", .description = "The newest of them, as many as the limit says",
                             .kind = ParameterKind::flag});
  routes.push_back({Method::get, "/api/v1/events", Permission::event_read,
                    {.name = "list_events", .summary = "What has happened in the project, oldest first",
                     .query = list_parameters},
                    [&services](const Call& call) { return list_events(services, call); }});
  routes.push_back({Method::get, "/api/v1/events/stream", Permission::event_read,
                    {.name = "follow_events",
                     .summary = "What happens in the project, as it happens; without end",
                     .query = event_parameters, .answer_type = "text/event-stream"},
                    [&services](const Call& call) { return follow_events(services, call); }});
  routes.push_back({Method::post, "/api/v1/webhooks", Permission::webhook_write,
                    {.name = "create_webhook", .summary = "Has a receiver elsewhere told of events, signed",
                     .status = 201},
                    [&services](const Call& call, const NewWebhook& wanted) {
                      return services.webhooks.create(call.caller(), wanted, call.asker());
                    }});
  routes.push_back({Method::get, "/api/v1/webhooks", Permission::webhook_read,
                    {.name = "list_webhooks", .summary = "The webhooks of the project, and how they fare"},
                    [&services](const Call& call) {
                      return Page<Webhook>{services.webhooks.list(call.caller()), std::nullopt};
                    }});
  routes.push_back({Method::get, "/api/v1/webhooks/{webhook}", Permission::webhook_read,
                    {.name = "get_webhook", .summary = "One webhook"},
                    [&services](const Call& call) {
                      return services.webhooks.get(call.caller(), call.path("webhook"));
                    }});
  routes.push_back({Method::post, "/api/v1/webhooks/{webhook}/ping", Permission::webhook_write,
                    {.name = "ping_webhook",
                     .summary = "Sends an event webhook.ping; taken, it wakes a webhook that has ended"},
                    [&services](const Call& call) {
                      return services.webhooks.ping(call.caller(), call.path("webhook"));
                    }});
  routes.push_back({Method::delete_, "/api/v1/webhooks/{webhook}", Permission::webhook_write,
                    {.name = "delete_webhook", .summary = "Tells its receiver nothing more"},
                    [&services](const Call& call) {
                      services.webhooks.remove(call.caller(), call.path("webhook"));
                    }});
}

}  // namespace volary
