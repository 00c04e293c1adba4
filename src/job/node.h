// job/node.h: the machine as jobs may use it: what it gives them all together, and what one of them gets for what it
// asks.
//
// The operator's plan says it; what the plan leaves out is all of the machine. Which GPUs there are the container
// engine knows, since it hands them out; it is asked when that is needed first, and then again and again.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "access/caller.h"
#include "core/synced.h"
#include "db/database.h"
#include "record/job.h"
#include "record/node.h"

namespace volary {

// What a job holds while it may use it, and is held to.
struct Allotment {
  Share share;
  std::string flavor = {};  // "": none.
  uint64_t units = 0;       // Of it.
};

// Any thread may call.
class Node {
 public:
  // `engine`: of containers, as for Jobs.
  Node(Database& database, NodePlan plan, std::string engine)
      : database_(database), plan_(std::move(plan)), engine_(std::move(engine)) {}

  // Looks which GPUs there are. An engine that does not answer leaves those that are known.
  void look();
  Share capacity();
  std::vector<uint64_t> gpus();  // Their indices.
  const std::vector<Flavor>& flavors() const { return plan_.flavors; }

  // Throws `invalid` with the numbers for what this machine does not give, and for what contradicts itself; `not_found`
  // for an unknown flavor.
  Allotment allot(const NewJob& request);
  // The same of one that was accepted before.
  void check_capacity(const Share& share);

  // What jobs hold now, by project.
  std::map<std::string, Share> held();
  // Who holds it now: of the caller's project each, of others sums.
  NodeStatus status(const Caller& caller);

 private:
  const Flavor* flavor_for(const NewJob& request) const;
  std::vector<uint64_t> find_gpus(const std::vector<uint64_t>& known) const;

  Database& database_;
  const NodePlan plan_;
  const std::string engine_;
  Synced<std::optional<std::vector<uint64_t>>> gpus_;
};

// Throws `exhausted` with the numbers for more than the project may hold at once.
void check_quota(Transaction& transaction, const std::string& project, const Share& share);

}  // namespace volary
