// job/lineage.h: the graph of record/lineage.h, walked from one version along jobs, imports, exports, clones, restores
// and what was written on top.
//
// What the caller may not see is a node without a name, and nothing behind it is looked at. The walk is breadth first
// and bounded by depth and by lineage_nodes_max; where it was cut, the answer says so.
#pragma once

#include <string>

#include "access/access.h"
#include "access/caller.h"
#include "db/database.h"
#include "record/lineage.h"

namespace volary {

struct LineageRequest {
  std::string version;  // As Volumes::version() reads it.
  LineageDirection direction = LineageDirection::both;
  uint64_t depth = lineage_depth_default;
};

// Any thread may call.
class Lineages {
 public:
  Lineages(Database& database, Access& access) : database_(database), access_(access) {}

  // Throws `not_found` for a volume or version, `invalid` for a depth beyond lineage_depth_max.
  Lineage of(const Caller& caller, const std::string& volume, const LineageRequest& request);

 private:
  Database& database_;
  Access& access_;
};

}  // namespace volary
