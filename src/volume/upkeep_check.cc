// volume/upkeep_check.cc: whether all that the versions refer to is there. Reads trees, and of blobs only the sizes.
#include "core/error.h"
#include "core/fault.h"
#include "volume/upkeep_work.h"

namespace volary {
namespace {

constexpr size_t check_threads = 4;  // Reading many small files, mostly waiting for the disk.
constexpr size_t strays_max = 100;

}  // namespace

CheckReport check_store(const UpkeepParts& parts, const CheckRequest& request, UpkeepLive& live) {
  live.begin("following all versions");
  CheckReport report;
  const Roots roots = parts.database.read([&](Transaction& t) {
    report.versions = *t.find<uint64_t>("SELECT count(*) FROM version");
    return roots_of(t);
  });
  Marks marks;
  const auto flaws = mark(parts.store, roots.trees, marks, live.progress, check_threads, live.token());
  report.trees = {marks.trees.size(), marks.tree_bytes};
  report.objects = {marks.blobs.size(), marks.blob_bytes};
  report.damaged = flaws.size();
  live.begin("looking for strays");
  report.strays = strays_of(parts.store, strays_max);
  fault::point("check.done");
  const Time now = parts.clock.now();
  parts.database.write([&](Transaction& t) {
    t.run("DELETE FROM damage WHERE found_by = 'check'");
    for (const Flaw& flaw : flaws) note_damage(t, flaw, "check", now);
    put_note(t, "check", CheckNote{now, report.damaged});
  });
  const Epochs epochs = epochs_of(parts.database, parts.store);
  if (epochs.is_restored() && request.accept_restored && flaws.empty()) accept_database(parts.database, parts.store);
  else report.restored = restored_words(epochs);
  report.clean = flaws.empty() && report.strays.empty() && report.restored.empty();
  return report;
}

}  // namespace volary
