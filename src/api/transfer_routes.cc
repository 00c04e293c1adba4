// api/transfer_routes.cc: imports and exports: planned, started, followed, cancelled, taken up again.
#include <algorithm>
#include <charconv>

#include "api/event_stream.h"
#include "api/routes.h"
#include "core/error.h"

namespace volary {
namespace {

constexpr size_t plan_items_in_block = 1000;

// record/plan.h says what it looks like. One block of items a poll, so the size of the plan costs no memory twice.
class PlanStream final : public Stream {
 public:
  PlanStream(TransferKind kind, const std::string& volume, const NewTransfer& request,
             std::shared_ptr<const WholePlan> plan)
      : plan_(std::move(plan)) {
    json::object head = {{"format", plan_format}, {"kind", to_json(kind)}, {"volume", volume}};
    head["request"] = to_json(request);
    head["plan"] = to_json(plan_->view);
    head_ = print_json(head);
    hasher_.update(head_ + "\n");
  }

  std::optional<std::string> poll() override {
    if (ended_) return std::nullopt;
    std::string block;
    if (next_ == 0) block = head_.substr(0, head_.size() - 1) + ",\"items\":[";
    const Planned& planned = plan_->planned;
    const size_t count = item_count(planned.plan);
    std::string lines;
    for (size_t end = std::min(count, next_ + plan_items_in_block); next_ < end; ++next_) {
      const std::string line = print_json(to_json(item_at(planned.plan, planned.source, planned.target, next_)));
      lines += line + "\n";
      block += (next_ == 0 ? "\n" : ",\n") + line;
    }
    hasher_.update(lines);
    if (next_ == count) {
      ended_ = true;
      block += "\n],\"digest\":\"" + hasher_.finish().hex() + "\"}\n";
    }
    return block;
  }

 private:
  const std::shared_ptr<const WholePlan> plan_;
  std::string head_;
  Hasher hasher_;
  size_t next_ = 0;
  bool ended_ = false;
};

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
  routes.push_back({Method::post, path + "/plan-file", Permission::transfer_create,
                    {.name = "plan_" + word + "_whole",
                     .summary = "The same with every file, as a document that can be applied",
                     .description = "To apply it, post its request with its plan's sides as 'expected'.",
                     .answer_type = "application/json"},
                    [&services, kind](const Call& call, const NewTransfer& wanted) {
                      Response response;
                      response.stream = std::make_unique<PlanStream>(
                          kind, call.path("volume"), wanted,
                          services.transfers.whole_plan(call.caller(), kind, call.path("volume"), wanted));
                      return response;
                    }});
}

Page<TransferFailure> failures_of(Services& services, const Call& call) {
  const PageRequest page = call.page();
  uint64_t first = 0;
  const char* end = page.cursor.data() + page.cursor.size();
  if (!page.cursor.empty() && std::from_chars(page.cursor.data(), end, first).ptr != end)
    throw Error(Errc::invalid, "'{}' is no cursor of this list", printable(page.cursor));
  Page<TransferFailure> failures;
  failures.items = services.transfers.failures(call.caller(), call.path("transfer"), first, page.limit + 1);
  if (failures.items.size() > page.limit) {
    failures.items.resize(page.limit);
    failures.next_cursor = std::to_string(first + page.limit);
  }
  return failures;
}

Response events_of(Services& services, const Call& call) {
  const Transfer first = services.transfers.get(call.caller(), call.path("transfer"));
  const auto next = [&services, caller = call.caller(), id = first.id, last = std::string()]() mutable {
    const Transfer now = services.transfers.get(caller, id);
    Events events{.events = {}, .are_last = is_terminal(now.state)};
    if (const std::string body = print_json(to_json(now)); body != last)
      events.events.push_back({"", "transfer", last = body});
    return events;
  };
  return event_response(next, [&services, id = first.id](auto told) { return services.transfers.watch(id, told); });
}

void add_of_one(std::vector<Route>& routes, Services& services) {
  routes.push_back({Method::get, "/api/v1/transfers/{transfer}", Permission::transfer_read,
                    {.name = "get_transfer", .summary = "One transfer, with its counts of this moment"},
                    [&services](const Call& call) {
                      return services.transfers.get(call.caller(), call.path("transfer"));
                    }});
  routes.push_back({Method::post, "/api/v1/transfers/{transfer}/cancel", Permission::transfer_create,
                    {.name = "cancel_transfer", .summary = "Asks a transfer to end; it can be taken up again"},
                    [&services](const Call& call) {
                      services.transfers.cancel(call.caller(), call.path("transfer"));
                    }});
  routes.push_back({Method::post, "/api/v1/transfers/{transfer}/resume", Permission::transfer_create,
                    {.name = "resume_transfer",
                     .summary = "Takes up a transfer again that failed or was cancelled",
                     .description = "What it had moved already is not moved again, for 7 days.",
                     .status = 202},
                    [&services](const Call& call) {
                      return Reply<Transfer>{services.transfers.resume(call.caller(), call.path("transfer")), 0, {}};
                    }});
  routes.push_back({Method::post, "/api/v1/transfers/{transfer}/retry", Permission::transfer_create,
                    {.name = "retry_transfer",
                     .summary = "A new transfer that does what one that failed or was cancelled did not",
                     .description = "Both sides are looked at again; only what has not arrived is moved.",
                     .status = 202},
                    [&services](const Call& call) {
                      Transfer transfer = services.transfers.retry(call.caller(), call.path("transfer"));
                      const std::string location = "/api/v1/transfers/" + transfer.id;
                      return Reply<Transfer>{std::move(transfer), 0, {{"location", location}}};
                    }});
  routes.push_back({Method::get, "/api/v1/transfers/{transfer}/failures", Permission::transfer_read,
                    {.name = "list_transfer_failures",
                     .summary = "The files that a transfer did not copy, each with its reason; the first 1000"},
                    [&services](const Call& call) {
                      return failures_of(services, call);
                    }});
  routes.push_back({Method::get, "/api/v1/transfers/{transfer}/events", Permission::transfer_read,
                    {.name = "follow_transfer",
                     .summary = "The transfer each time it has moved, until it has ended",
                     .answer_type = "text/event-stream"},
                    [&services](const Call& call) {
                      return events_of(services, call);
                    }});
}

void add_staging(std::vector<Route>& routes, Services& services) {
  routes.push_back({Method::post, "/api/v1/volumes/{volume}/stagings", Permission::transfer_create,
                    {.name = "stage_volume",
                     .summary = "Makes what a volume's bucket holds now its next version, in the background",
                     .description = "Of a volume of storage type obs. No version is made if nothing has changed. Jobs "
                                    "that attach it without naming a version do the same.",
                     .status = 202},
                    [&services](const Call& call) {
                      Transfer transfer = services.transfers.stage(call.caller(), call.path("volume"));
                      const std::string location = "/api/v1/transfers/" + transfer.id;
                      return Reply<Transfer>{std::move(transfer), 0, {{"location", location}}};
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
  add_staging(routes, services);
  routes.push_back({Method::get, "/api/v1/transfers", Permission::transfer_read,
                    {.name = "list_transfers",
                     .summary = "Imports, exports and snapshots, newest first",
                     .query = {{.name = "volume", .description = "Only those of this volume"},
                               {.name = "state",
                                .description = "Only those in one of these states",
                                .kind = ParameterKind::list,
                                .choices = {"queued", "planning", "running", "done", "failed", "cancelled"}}}},
                    [&services](const Call& call) {
                      const PageRequest page = call.page();
                      TransferQuery query;
                      query.volume = call.query("volume").value_or("");
                      for (const std::string& state : call.list("state"))
                        query.states.push_back(value_named<TransferState>(state, "state of a transfer"));
                      query.after = page.cursor;
                      query.limit = page.limit + 1;
                      return page_of(services.transfers.list(call.caller(), query), page.limit,
                                     [](const Transfer& transfer) { return transfer.id; });
                    }});
  add_of_one(routes, services);
}

}  // namespace volary
