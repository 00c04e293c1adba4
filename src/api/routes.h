// api/routes.h: the whole API as one table, made from the services that answer it.
#pragma once

#include <vector>

#include "access/access.h"
#include "access/audit.h"
#include "access/secrets.h"
#include "api/route.h"
#include "event/webhooks.h"
#include "job/billing.h"
#include "job/explain.h"
#include "job/jobs.h"
#include "job/lineage.h"
#include "job/node.h"
#include "job/receipts.h"
#include "record/problem.h"
#include "view/cache.h"
#include "view/mounts.h"
#include "volume/datastores.h"
#include "volume/objects.h"
#include "volume/projects.h"
#include "volume/transfers.h"
#include "volume/upkeep.h"
#include "volume/uploads.h"
#include "volume/volumes.h"

namespace volary {

// What the routes call. All outlive the table.
struct Services {
  Access& access;
  Audit& audit;
  Secrets& secrets;
  Projects& projects;
  Datastores& datastores;
  Objects& objects;
  Volumes& volumes;
  Transfers& transfers;
  Uploads& uploads;
  Jobs& jobs;
  Node& node;
  Billing& billing;
  Explain& explain;
  Lineages& lineages;
  Receipts& receipts;
  Upkeep& upkeep;
  Mounts& mounts;
  Cache& cache;
  EventLog& events;
  Webhooks& webhooks;
  ServerStatus status;            // As found at the start.
  std::vector<Finding> findings;  // What `volary doctor` shows.
};

std::vector<Route> all_routes(Services& services);

// One file each; all_routes() calls them in this order.
void add_server_routes(std::vector<Route>& routes, Services& services);
void add_access_routes(std::vector<Route>& routes, Services& services);
void add_project_routes(std::vector<Route>& routes, Services& services);
void add_datastore_routes(std::vector<Route>& routes, Services& services);
void add_object_routes(std::vector<Route>& routes, Services& services);
void add_volume_routes(std::vector<Route>& routes, Services& services);
void add_version_routes(std::vector<Route>& routes, Services& services);
void add_transfer_routes(std::vector<Route>& routes, Services& services);
void add_upload_routes(std::vector<Route>& routes, Services& services);
void add_job_routes(std::vector<Route>& routes, Services& services);
void add_job_log_routes(std::vector<Route>& routes, Services& services);
void add_billing_routes(std::vector<Route>& routes, Services& services);
void add_explain_routes(std::vector<Route>& routes, Services& services);
void add_receipt_routes(std::vector<Route>& routes, Services& services);
void add_store_routes(std::vector<Route>& routes, Services& services);
void add_mount_routes(std::vector<Route>& routes, Services& services);
void add_cache_routes(std::vector<Route>& routes, Services& services);
void add_event_routes(std::vector<Route>& routes, Services& services);

// Splits off the next page of a list that is at hand whole: its cursor is `cursor_of` the last item given.
template <class Item, class CursorOf>
Page<Item> page_of(std::vector<Item> items, uint64_t limit, CursorOf cursor_of) {
  Page<Item> page;
  if (items.size() > limit) {
    items.resize(limit);
    page.next_cursor = cursor_of(items.back());
  }
  page.items = std::move(items);
  return page;
}

}  // namespace volary
