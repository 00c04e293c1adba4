// sync/send.h: the bytes of an export, from the store to a datastore.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "core/progress.h"
#include "db/database.h"
#include "remote/remote.h"
#include "store/store.h"
#include "sync/plan.h"

namespace volary {

// Carries out the plan on the datastore: every copy is put under its key below `directory`, every deletion removed.
// Each blob is hashed while it is read, so damage on our disk never leaves silently, and each object that arrived is
// remembered with its etag (table seen_object), which is what lets a second export copy nothing. Deletions happen
// last, after every copy arrived.
void send(const Plan& plan, const std::vector<Listed>& source, const std::vector<Listed>& target,
          const TreePath& directory, Remote& remote, const Store& store, Database& database,
          const std::string& datastore_id, Progress& progress, const std::stop_token& stop);

}  // namespace volary
