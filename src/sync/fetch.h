// sync/fetch.h: the bytes of an import, from a datastore into the store, by many workers, with a journal.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/progress.h"
#include "core/tree_path.h"
#include "db/database.h"
#include "remote/remote.h"
#include "store/store.h"
#include "sync/acts.h"
#include "sync/listing.h"

namespace volary {

constexpr size_t failures_kept_max = 1000;
constexpr size_t group_acts_max = 20'000;  // Bounds what is in memory, and with its bytes what a crash repeats.

// An act, and what came for it.
struct Fetched {
  FileAct act;
  Blob blob;  // Of a copy.
};

struct Brought {
  uint64_t files = 0;   // Copies that came.
  uint64_t failed = 0;  // Copies that did not.
  std::vector<TransferFailure> failures = {};  // Of these, by path, the first failures_kept_max.
  std::vector<Fetched> rest = {};              // What came last and is not written down: journal_rest().
};

// All of it outlives the fetch.
struct FetchOrder {
  const ActList& acts;
  const TreePath& directory;  // Of `remote`, below which the source's files are.
  Remote& remote;
  std::string datastore_id;
  size_t acts_at_once = group_acts_max;
};

// Sees all acts, group by group in the order of paths, when what they want has come; none from the first group on in
// which something failed.
using TakeGroup = std::function<void(const std::vector<Fetched>& group)>;

// Brings the bytes of all planned copies into the store, durably. What the journal of `transfer_id` has (same path,
// etag and size, from an earlier run that was cut off) or the store holds already under a known digest is not
// fetched. Objects from 64 MiB on come in parallel parts, which stay when the server ends (sync/staging.h).
//
// This goes group by group, of which two are in memory. When the next one begins, the commit is published with what
// `take` added to it, and what came is written down while the next one comes: in the journal, and in the table
// seen_object. So a crash repeats at most the parts that were on their way and the small objects of two groups. What is
// remembered of an object holds whether a version comes of it or not: its bytes were hashed and are durable, and who
// believes it asks the store for them.
//
// An object that cannot be had, or that changed since it was listed (`conflict`), is a failure of its own, and the
// others come all the same. A requested stop throws `unavailable`; what would happen to all files is thrown too.
// Progress counts files and bytes as they arrive.
Brought fetch(const FetchOrder& order, Commit& commit, Database& database, const std::string& transfer_id,
              Progress& progress, const std::stop_token& stop, const TakeGroup& take);

// What the last group brought, published and written down as the others: for where no version comes of it now. A
// version that has the files needs no journal of them, and remember_rest() is enough.
void journal_rest(const FetchOrder& order, const Brought& brought, Commit& commit, Database& database,
                  const std::string& transfer_id);
void remember_rest(Transaction& transaction, const FetchOrder& order, const Brought& brought);

}  // namespace volary
