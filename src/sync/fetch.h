// sync/fetch.h: the bytes of an import, from a datastore into the store, by many workers, with a journal.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "core/progress.h"
#include "core/tree_path.h"
#include "db/database.h"
#include "remote/remote.h"
#include "store/store.h"
#include "sync/plan.h"

namespace volary {

struct Fetched {
  size_t source = 0;  // Index into the source list.
  Blob blob;
};

struct Brought {
  std::vector<Fetched> files;
  std::vector<TransferFailure> failures;  // Of files that did not come, by path.
  size_t written_down = 0;                // So many of `files`, from the first on, need no journal_rest().
};

// All of it outlives the fetch.
struct FetchOrder {
  const Plan& plan;
  const std::vector<Listed>& source;
  const TreePath& directory;  // Of `remote`, below which the source's files are.
  Remote& remote;
};

// Brings the bytes of all planned copies into the store, durably. What the journal of `transfer_id` has (same path,
// etag and size, from an earlier run that was cut off) or the store holds already under a known digest is not
// fetched. Objects from 64 MiB on come in parallel parts, which stay when the server ends (sync/staging.h). After every
// checkpoint but the last the commit is published and the journal written, so a crash repeats at most the parts that
// were on their way and the small objects of one checkpoint. An object that cannot be had, or that changed since it
// was listed (`conflict`), is a failure of its own, and the others come all the same. A requested stop throws
// `unavailable`; what would happen to all files is thrown too. Progress counts files and bytes as they arrive.
Brought fetch(const FetchOrder& order, Commit& commit, Database& database, const std::string& transfer_id,
              Progress& progress, const std::stop_token& stop);

// What the last checkpoint brought, published and written into the journal: for where no version comes of it now. A
// version that has the files needs no journal of them.
void journal_rest(const FetchOrder& order, const Brought& brought, Commit& commit, Database& database,
                  const std::string& transfer_id);

}  // namespace volary
