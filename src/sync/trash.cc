// sync/trash.cc: the copies of sync/trash.h, many at once.
#include "sync/trash.h"

#include "core/error.h"
#include "core/fault.h"
#include "core/workers.h"
#include "sync/listing.h"

namespace volary {
namespace {

constexpr size_t trash_threads = 16;

}  // namespace

void keep_in_trash(const Plan& plan, const std::vector<Listed>& target, const TreePath& directory,
                   const TreePath& trash, Remote& remote, const std::stop_token& stop) {
  std::vector<size_t> goes = plan.deletes;
  for (const PlannedCopy& copy : plan.copies)
    if (copy.replaces) goes.push_back(*copy.replaces);
  for_each_index(goes.size(), trash_threads, [&](size_t i) {
    if (stop.stop_requested()) throw Error(Errc::unavailable, "the transfer was asked to stop");
    const Listed& file = target[goes[i]];
    const std::string kept = key_of(trash, file.path);
    if (!remote.find(kept)) remote.copy(key_of(directory, file.path), kept);
    fault::point("trash.kept");
  });
}

}  // namespace volary
