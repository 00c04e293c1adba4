// sync/arrivals.h: whether what an export sent is what the datastore has.
//
// A listing behind the last object says the size and etag of all. What the store said of each when it took it, its
// checksum or an etag that is an MD5, shows that these stand for the bytes that were sent; where it said nothing of the
// kind, a sample is read back.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "record/transfer.h"
#include "remote/remote.h"
#include "store/store.h"
#include "sync/plan.h"

namespace volary {

struct Arrived {
  size_t source = 0;  // Index into the source list.
  std::string etag;
  Proof proof = Proof::none;
};

struct Verdict {
  std::vector<size_t> wrong;              // Indices into the arrivals.
  std::vector<TransferFailure> failures;  // Of these, in the same order.
  std::string words;                      // "all 20 by checksum"; "" if nothing arrived.
};

// `present` is how many objects the directory held before: where few of many are new, these are asked for one by one.
// Throws what the store says if it cannot be asked.
Verdict hold_arrivals(const std::vector<Arrived>& arrivals, const std::vector<Listed>& source, size_t present,
                      const TreePath& directory, Remote& remote, const Store& store, const std::stop_token& stop);

}  // namespace volary
