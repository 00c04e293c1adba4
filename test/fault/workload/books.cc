// workload/books.cc: a fixed row of changes of the database, and the same row as its own model: after a crash the books
// must look as if the first k changes had been made in a place that nothing happened to, k being what was acknowledged
// or one more.
#include <functional>

#include "volume/ledger.h"
#include "workload/place.h"

namespace volary {
namespace {

using Change = std::function<void(Place&)>;

void commit_empty(Place& place, const std::string& volume, const std::string& job) {
  const std::string id = place.volumes.get(alice, volume).id;
  place.database->write([&](Transaction& transaction) {
    const Holder holder{"job", job};
    take_writer(transaction, id, volume, 0, holder, system_clock().now());
    commit_version(transaction, {id, empty_tree(), "alice", job, Origin::job, holder, 0}, system_clock().now());
    release_leases(transaction, holder);
  });
}

const std::vector<Change>& changes() {
  static const std::vector<Change> all = {
      [](Place& p) { p.volumes.create(alice, {"a", DataType::dataset, {}, 1000, {"one"}}); },
      [](Place& p) { p.volumes.create(alice, {"b", DataType::model, {}, 2000, {}}); },
      [](Place& p) { p.volumes.update(alice, "a", quota_of(3000)); },
      [](Place& p) { p.volumes.update(alice, "a", tags_of({"one", "two"})); },
      [](Place& p) { commit_empty(p, "a", "job-1"); },
      [](Place& p) { p.volumes.tag(alice, "a", "1", "first"); },
      [](Place& p) { commit_empty(p, "a", "job-2"); },
      [](Place& p) { p.volumes.tag(alice, "a", "2", "first"); },
      [](Place& p) { p.volumes.untag(alice, "a", "first"); },
      [](Place& p) { commit_empty(p, "a", "job-3"); },
      [](Place& p) { p.volumes.clone(alice, "a", alice, {"c", {}, "2", {}, "a copy"}); },
      [](Place& p) { p.volumes.prune(alice, "a", {{"1"}, false, false}); },
      [](Place& p) { p.volumes.prune(alice, "a", {{"2"}, true, false}); },
      [](Place& p) { p.volumes.remove(alice, "b"); },
      [](Place& p) { p.volumes.create(alice, {"b", DataType::other, {}, 5, {}}); },
      [](Place& p) { p.volumes.remove(alice, "a"); },
  };
  return all;
}

}  // namespace

size_t books_size() { return changes().size(); }
void change_books(Place& place, size_t step) { changes()[step](place); }

std::string books_of(Place& place) {
  std::string text;
  place.database->read([&](Transaction& transaction) {
    transaction.each(
        "SELECT name || ' ' || data_type || ' ' || quota_bytes || ' ' || used_bytes || ' ' || reserved_bytes || ' ' || "
        "tags || ' ' || head || ' ' || writer_epoch FROM volume ORDER BY name",
        [&](const Row& row) { text += fmt::format("volume {}\n", row.text(0)); });
    transaction.each(
        "SELECT volume.name || ' ' || number || ' ' || tree || ' ' || message FROM version "
        "JOIN volume ON volume.id = version.volume ORDER BY volume.name, number",
        [&](const Row& row) { text += fmt::format("version {}\n", row.text(0)); });
    transaction.each(
        "SELECT volume.name || ' ' || tag || ' ' || number FROM version_tag "
        "JOIN volume ON volume.id = version_tag.volume ORDER BY volume.name, tag",
        [&](const Row& row) { text += fmt::format("tag {}\n", row.text(0)); });
    transaction.each("SELECT holder FROM lease ORDER BY holder",
                     [&](const Row& row) { text += fmt::format("lease {}\n", row.text(0)); });
  });
  return text;
}

}  // namespace volary
