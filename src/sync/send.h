// sync/send.h: the bytes of an export, from the store to a datastore.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "core/progress.h"
#include "db/database.h"
#include "record/transfer.h"
#include "remote/remote.h"
#include "store/store.h"
#include "sync/plan.h"

namespace volary {

// What is to be sent, and where to.
struct Shipment {
  const Plan& plan;
  const std::vector<Listed>& source;
  const std::vector<Listed>& target;
  const TreePath& directory;  // Of the datastore.
  Remote& remote;
  std::string datastore_id;
  std::string transfer_id;
};

struct Delivery {
  std::vector<TransferFailure> failures;  // Files that did not arrive, each for a reason of its own, by path.
  std::string verified;                   // How what arrived was held against what was sent; "" if nothing was sent.
};

// Carries out the plan on the datastore: every copy is put under its key below `directory`, every deletion removed.
// Each blob is hashed while it is read, so damage on our disk never leaves silently, and each object that arrived is
// remembered with its etag (table seen_object), which is what lets a second export copy nothing. Objects that the
// store has already, as their etags prove, are not sent. Large ones go in parts, which a later run goes on with (table
// transfer_upload). A file that does not arrive does not keep the others from it. At the end all that arrived is held
// against what the store says of it, and only if every copy is there do deletions happen. Throws what concerns them
// all: wrong credentials, a store that does not answer, nothing but failures.
Delivery send(const Shipment& shipment, const Store& store, Database& database, Progress& progress,
          const std::stop_token& stop);

}  // namespace volary
