// api/sample_routes_test.h: a small API as the tests of this folder have it; its functions say what they were given.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "api/event_stream.h"
#include "api/route.h"
#include "api/router.h"
#include "record/volume.h"

namespace volary {

inline Response text_response(std::string text) {
  Response response;
  response.content_type = "text/plain";
  response.body = std::move(text);
  return response;
}

inline std::vector<Route> sample_routes() {
  std::vector<Route> routes;
  routes.push_back({Method::get, "/", Permission::public_,
                    {.name = "show_front", .summary = "The front page", .answer_type = "text/html"},
                    [](const Call&) { return text_response("front"); }});
  routes.push_back({Method::post, "/api/v1/volumes", Permission::volume_create,
                    {.name = "create_volume", .summary = "Makes a volume", .status = 201},
                    [](const Call& call, const NewVolume& wanted) {
                      Volume volume;
                      volume.name = wanted.name;
                      volume.tags = wanted.tags;
                      volume.created_by = call.caller().name;
                      return Reply<Volume>{.record = volume, .headers = {{"location", "/volumes/" + wanted.name}}};
                    }});
  routes.push_back({Method::get, "/api/v1/volumes", Permission::volume_read,
                    {.name = "list_volumes",
                     .summary = "Lists volumes",
                     .query = {{.name = "dataType", .description = "of this type", .choices = {"model", "dataset"}},
                               {.name = "tag", .description = "with these", .kind = ParameterKind::list},
                               {.name = "deleted", .description = "too", .kind = ParameterKind::flag}}},
                    [](const Call& call) {
                      Page<Volume> page;
                      page.items.resize(1);
                      page.items[0].name = call.query("dataType").value_or("any") +
                                           (call.flag("deleted") ? "+deleted" : "");
                      page.items[0].tags = call.list("tag");
                      page.next_cursor = call.page().cursor + std::to_string(call.page().limit);
                      return page;
                    }});
  routes.push_back({Method::get, "/api/v1/volumes/{name}", Permission::volume_read,
                    {.name = "get_volume", .summary = "One volume"}, [](const Call& call) -> Volume {
                      const std::string& name = call.path("name");
                      if (name == "broken") throw std::runtime_error("secret inner thing");
                      if (name == "mine") throw Error(Errc::denied, "volume 'mine' is not yours");
                      return during("looking", [&]() -> Volume {
                        throw Error(Errc::not_found, "there is no volume '{}'", name);
                      });
                    }});
  routes.push_back({Method::delete_, "/api/v1/volumes/{name}", Permission::volume_delete,
                    {.name = "delete_volume", .summary = "Deletes a volume"}, [](const Call& call) {
                      if (call.path("name") == "busy") throw Error(Errc::conflict, "volume 'busy' has readers");
                    }});
  routes.push_back({Method::get, "/api/v1/volumes/{volume}/files/{path*}", Permission::volume_read,
                    {.name = "read_file", .summary = "A file", .answer_type = "application/octet-stream"},
                    [](const Call& call) { return text_response(call.path("volume") + ":" + call.path("path")); }});
  routes.push_back({Method::get, "/api/v1/volumes/{volume}/files/about", Permission::volume_read,
                    {.name = "about_files", .summary = "About"}, [](const Call&) { return text_response("about"); }});
  routes.push_back({Method::put, "/api/v1/volumes/{volume}/files/{path*}", Permission::volume_update,
                    {.name = "write_file", .summary = "Writes", .body_type = "application/octet-stream"},
                    [](const Call& call) { return text_response(std::to_string(call.request().body.size())); }});
  routes.push_back({Method::get, "/api/v1/events", Permission::volume_read,
                    {.name = "follow", .summary = "Events",
                     .query = {{.name = "since", .description = "a number", .need = Need::required,
                                .kind = ParameterKind::number}},
                     .answer_type = "text/event-stream"},
                    [](const Call& call) {
                      const uint64_t since = *call.number("since");
                      return event_response([since]() -> Events {
                        if (since == 4) throw Error(Errc::corrupt, "event {} is damaged", since);
                        return {{{"", "tick", "{}"}}, false};
                      });
                    }});
  return routes;
}

// Knows the tokens "ada" (may all) and "bob" (may only read).
class RecordingGate : public Gate {
 public:
  std::optional<Caller> authenticate(const Request& request) override {
    const std::string header = request.header("authorization").value_or("");
    if (knows_nobody || (header != "Bearer ada" && header != "Bearer bob")) return std::nullopt;
    return Caller{"user-" + header.substr(7), header.substr(7), "t", first_project};
  }
  void choose_project(Caller& caller, const Request& request) override {
    if (const auto project = request.header("volary-project")) caller.project = *project;
  }
  void authorize(const Caller& caller, Permission permission, const Request&) override {
    if (is_busy) throw Error(Errc::unavailable, "the database is locked");
    if (permits_nothing || permits_nothing_in == caller.project ||
        (caller.name == "bob" && permission != Permission::volume_read))
      throw Error(Errc::denied, "{} may not {}", caller.name, name_of_value(permission));
  }
  void record(const CallOutcome& outcome) override {
    const std::lock_guard guard(lock);
    if (fail_to_record) throw Error(Errc::unavailable, "the audit log cannot be written");
    lines.push_back(fmt::format("{} {} {} {}", outcome.caller.name, outcome.route.text.name, outcome.status,
                                outcome.code ? name_of(*outcome.code) : "ok"));
  }
  std::mutex lock;
  bool fail_to_record = false;
  bool knows_nobody = false;
  bool permits_nothing = false;
  bool is_busy = false;
  std::string first_project = "p";  // Of all callers.
  std::string permits_nothing_in;
  std::vector<std::string> lines;
};

}  // namespace volary
