// volume/planned.cc: the comparison of volume/planned.h.
#include "volume/planned.h"

#include <algorithm>

#include "core/error.h"
#include "volume/transfer_rows.h"

namespace volary {
namespace {

constexpr size_t tree_path_bytes_max = 4096;
constexpr size_t s3_key_bytes_max = 1024;

// What is left for a path below the target's directory.
size_t path_bytes_max(const Comparison& wanted) {
  const bool to_s3 = wanted.kind == TransferKind::export_ && wanted.datastore.kind == DatastoreKind::s3;
  const size_t all = to_s3 ? s3_key_bytes_max : tree_path_bytes_max;
  const size_t used = wanted.target.is_root() ? 0 : wanted.target.text().size() + 1;
  return all > used ? all - used : 0;
}

// "corpora:wiki"
std::string place_of(const Comparison& wanted) {
  const TreePath& directory = wanted.kind == TransferKind::import ? wanted.source : wanted.target;
  return wanted.datastore.name + ":" + directory.text();
}

void check_expected(const PlanSides& found, const PlanSides& expected, const Comparison& wanted,
                    const std::string& volume) {
  if (found.tree != expected.tree)
    throw Error(Errc::conflict,
                "the plan does not hold any more: volume '{}' is at version {} now, and was at version {} when the "
                "plan was made; make a new one", volume, found.version, expected.version);
  if (found.listing != expected.listing)
    throw Error(Errc::conflict,
                "the plan does not hold any more: {} has other objects now, {} of them, and had {} when the plan was "
                "made; make a new one", place_of(wanted), found.objects, expected.objects);
}

}  // namespace

Planned compare(const Comparison& wanted, Remote& remote, const Store& store, Database& database) {
  const bool imports = wanted.kind == TransferKind::import;
  Planned planned;
  RemoteListing objects = imports ? list_source(remote, wanted.source, database, wanted.datastore.id)
                                  : list_remote(remote, wanted.target, database, wanted.datastore.id);
  if (objects.is_file && wanted.strategy == Strategy::mirror)
    throw Error(Errc::invalid, "'{}' is one file: a mirror is made of a directory; expected one, or another strategy",
                wanted.source.text());
  TreeListing files = list_tree(store, wanted.tree, imports ? wanted.target : wanted.source,
                                imports ? Links::list : Links::count);
  planned.beside = imports ? objects.markers : files.symlinks;
  auto& listed = imports ? planned.source : planned.target;
  listed = std::move(objects.files);
  (imports ? planned.target : planned.source) = std::move(files.files);
  planned.odd = std::move(objects.odd);
  std::erase_if(planned.odd, [&](const OddObject& object) { return !wanted.filter.takes(object.key); });
  planned.plan = make_plan(planned.source, planned.target,
                           {wanted.strategy, wanted.filter, path_bytes_max(wanted)});
  planned.directory = objects.directory;
  std::string odd;
  for (const OddObject& object : planned.odd) odd += object.key + '\0' + std::to_string(object.size) + '\n';
  const Digest digests[] = {listing_digest(listed), Digest::of(odd)};
  planned.sides = {wanted.version.number, wanted.tree.hex(), listed.size() + planned.odd.size(),
                   Digest::of(digests[0].hex() + digests[1].hex()).hex()};
  return planned;
}

void check_agreed(const Planned& planned, const Comparison& wanted, const Transfer& transfer,
                  const std::string& remote) {
  if (transfer.expected) check_expected(planned.sides, *transfer.expected, wanted, transfer.volume);
  if (const uint64_t conflicts = planned.conflicts(wanted.kind); conflicts != 0 && !transfer.skip_conflicts) {
    const TransferFailure first = left_out_of(planned, wanted.kind, FileOutcome::failed).front();
    throw Error(Errc::invalid,
                "'{}' cannot be copied: {}{}; the plan shows all; --skip-conflicts or --exclude leaves {} out",
                first.path, first.reason, conflicts == 1 ? "" : fmt::format("; nor can {} more", conflicts - 1),
                conflicts == 1 ? "it" : "them");
  }
  if (wanted.may_be_empty) return;
  if (planned.source.empty() && wanted.kind == TransferKind::import)
    throw Error(Errc::not_found, "there is nothing below '{}' in {}{}: expected at least one object",
                wanted.source.text(), remote, wanted.filter.takes_all() ? "" : " that the filters take");
  if (planned.source.empty())
    throw Error(Errc::not_found, "version {} of volume '{}' has no files below '{}'{}", wanted.version.number,
                transfer.volume, wanted.source.text(), wanted.filter.takes_all() ? "" : " that the filters take");
  if (needs_confirmation(planned.plan, planned.target) && !transfer.confirmed)
    throw Error(Errc::conflict,
                "the mirror would delete {} of the {} files in {}, more than half: expected a confirmation, by --yes "
                "or \"confirmed\": true", planned.plan.deletes.size(), planned.target.size(),
                wanted.kind == TransferKind::import ? fmt::format("{}:/{}", transfer.volume, wanted.target.text())
                                                    : place_of(wanted));
}

std::vector<TransferFailure> left_out_of(const Planned& planned, TransferKind kind, FileOutcome outcome) {
  std::vector<TransferFailure> all;
  for (const Conflict& conflict : planned.plan.conflicts)
    if (all.size() < transfer_failures_max)
      all.push_back({planned.source[conflict.source].path.text(), conflict.reason, outcome});
  for (const OddObject& object : planned.odd)
    if (kind == TransferKind::import && all.size() < transfer_failures_max)
      all.push_back({printable(object.key), "it cannot name a file in a volume: " + object.reason, outcome});
  return all;
}

TransferCounts counts_of(const Planned& planned, TransferKind kind, FileOutcome conflicts) {
  TransferCounts counts;
  const uint64_t odd = kind == TransferKind::import ? planned.odd.size() : 0;
  counts.total = planned.source.size() + odd + planned.beside;
  counts.skipped = planned.plan.skips.size() + planned.beside;
  if (conflicts == FileOutcome::skipped) counts.skipped += planned.conflicts(kind);
  counts.bytes_total = planned.plan.copy_bytes;
  return counts;
}

PlanView view_of(const Planned& planned, TransferKind kind, size_t items_max) {
  PlanView view = view_of(planned.plan, planned.source, planned.target, items_max);
  view.sides = planned.sides;
  view.conflicts = planned.conflicts(kind);
  const auto add = [&](ConflictKind what, const std::string& path, const std::string& reason) {
    if (view.conflict_items.size() < conflicts_shown_max) view.conflict_items.push_back({what, path, reason});
  };
  for (const Conflict& conflict : planned.plan.conflicts)
    add(conflict.kind, planned.source[conflict.source].path.text(), conflict.reason);
  for (const OddObject& object : planned.odd)
    if (kind == TransferKind::import) add(ConflictKind::name, printable(object.key), object.reason);
  CaseOnly alike = case_only_names(planned.source, conflicts_shown_max - view.conflict_items.size());
  view.case_only = alike.files;
  for (PlanConflict& one : alike.first) view.conflict_items.push_back(std::move(one));
  return view;
}

}  // namespace volary
