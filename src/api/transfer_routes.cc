// api/transfer_routes.cc: imports and exports: planned, started, followed, cancelled.
#include "api/event_stream.h"
#include "api/routes.h"

namespace volary {
namespace {

void add_kind(std::vector<Route>& routes, Services& services, TransferKind kind, const std::string& word) {
  const std::string path = "/api/v1/volumes/{volume}/" + word + "s";
  routes.push_back({Method::post, path, Permission::transfer_create,
                    {.name = "create_" + word, .summary = "Starts an " + word + " in the background", .status = 202},
                    [&services, kind](const Call& call, const NewTransfer& wanted) {
                      Transfer transfer =
                          services.transfers.create(call.caller(), kind, call.path("volume"), wanted);
                      const std::string location = "/api/v1/transfers/" + transfer.id;
                      return Reply<Transfer>{std::move(transfer), 0, {{"location", location}}};
                    }});
  routes.push_back({Method::post, path + "/plan", Permission::transfer_create,
                    {.name = "plan_" + word, .summary = "What an " + word + " would do, without doing it"},
                    [&services, kind](const Call& call, const NewTransfer& wanted) {
                      return services.transfers.plan(call.caller(), kind, call.path("volume"), wanted);
                    }});
}

}  // namespace

void add_transfer_routes(std::vector<Route>& routes, Services& services) {
  add_kind(routes, services, TransferKind::import, "import");
  add_kind(routes, services, TransferKind::export_, "export");
  routes.push_back({Method::post, "/api/v1/volumes/{volume}/snapshots", Permission::datastore_write,
                    {.name = "create_snapshot",
                     .summary = "Makes a directory of the server the volume's next version, in the background",
                     .description = "Needs the permission volume_create too, and a directory that the server's "
                                    "administrator allows, or the server's own user as the caller.",
                     .status = 202},
                    [&services](const Call& call, const NewSnapshot& wanted) {
                      services.access.require(call.caller(), Permission::volume_create);
                      Transfer transfer = services.transfers.create_snapshot(call.caller(), call.path("volume"), wanted,
                                                                             call.request().peer_uid);
                      const std::string location = "/api/v1/transfers/" + transfer.id;
                      return Reply<Transfer>{std::move(transfer), 0, {{"location", location}}};
                    }});
  routes.push_back({Method::get, "/api/v1/transfers", Permission::transfer_read,
                    {.name = "list_transfers",
                     .summary = "Imports, exports and snapshots, newest first",
                     .query = {{.name = "volume", .description = "Only those of this volume"}}},
                    [&services](const Call& call) {
                      return Page<Transfer>{
                          services.transfers.list(call.caller(), call.query("volume").value_or("")), std::nullopt};
                    }});
  routes.push_back({Method::get, "/api/v1/transfers/{transfer}", Permission::transfer_read,
                    {.name = "get_transfer", .summary = "One transfer, with its counts of this moment"},
                    [&services](const Call& call) {
                      return services.transfers.get(call.caller(), call.path("transfer"));
                    }});
  routes.push_back({Method::post, "/api/v1/transfers/{transfer}/cancel", Permission::transfer_create,
                    {.name = "cancel_transfer", .summary = "Asks a transfer to end; nothing of it stays visible"},
                    [&services](const Call& call) {
                      services.transfers.cancel(call.caller(), call.path("transfer"));
                    }});
  routes.push_back({Method::get, "/api/v1/transfers/{transfer}/events", Permission::transfer_read,
                    {.name = "follow_transfer",
                     .summary = "The transfer each time it has moved, until it has ended",
                     .answer_type = "text/event-stream"},
                    [&services](const Call& call) {
                      const Transfer first = services.transfers.get(call.caller(), call.path("transfer"));
                      return event_response([&services, caller = call.caller(), id = first.id, last = std::string(),
                                             ended = false]() mutable -> std::optional<std::vector<Event>> {
                        if (ended) return std::nullopt;
                        const Transfer now = services.transfers.get(caller, id);
                        ended = is_terminal(now.state);
                        std::string body = print_json(to_json(now));
                        if (body == last) return std::vector<Event>();
                        last = body;
                        return std::vector<Event>{{"", "transfer", std::move(body)}};
                      });
                    }});
}

}  // namespace volary
