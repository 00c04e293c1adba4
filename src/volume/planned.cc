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

// The merge of both sides, which are as in the header of sync/listing.h: objects come, files are asked for.
class Merge {
 public:
  // `acts`: as for Planner. `alike`: null, or what is told of the source's names.
  Merge(TransferKind kind, TreeFiles& files, const PlanOptions& options, ActList* acts, CaseOnly* alike)
      : objects_are_source_(kind == TransferKind::import), files_(files), planner_(options, acts), alike_(alike) {}

  // False if the filter leaves it out.
  bool add(const Listed& object) {
    while (files_.front() && files_.front()->path < object.path) add_file();
    const bool in_both = files_.front() && files_.front()->path == object.path;
    const bool is_taken = add(&object, in_both ? files_.front() : nullptr);
    if (in_both) files_.pop();
    return is_taken;
  }

  Planner::Result finish() {
    while (files_.front()) add_file();
    return planner_.finish();
  }

 private:
  void add_file() {
    add(nullptr, files_.front());
    files_.pop();
  }
  bool add(const Listed* object, const Listed* file) {
    const Listed* source = objects_are_source_ ? object : file;
    if (!planner_.add(source, objects_are_source_ ? file : object)) return false;
    if (alike_ && source) alike_->add(source->path.text());
    return true;
  }

  const bool objects_are_source_;
  TreeFiles& files_;
  Planner planner_;
  CaseOnly* const alike_;
};

}  // namespace

Planned compare(const Comparison& wanted, Remote& remote, const Store& store, Database& database, const Kept& kept) {
  const bool imports = wanted.kind == TransferKind::import;
  Planned planned;
  TreeFiles files(store, wanted.tree, imports ? wanted.target : wanted.source, imports ? Links::list : Links::count);
  const PlanOptions options{.strategy = wanted.strategy, .filter = wanted.filter,
                            .path_bytes_max = path_bytes_max(wanted), .acts_kept = kept.acts,
                            .others_kept = kept.others};
  if (kept.acts_in_order) planned.acts = std::make_unique<ActList>(store.root() / "tmp");
  Merge merge(wanted.kind, files, options, planned.acts.get(), kept.others > 0 ? &planned.alike : nullptr);
  ListingDigest listed;
  const auto visit = [&](const Listed& object) {
    if (merge.add(object)) listed.add(object);
  };
  RemoteListing objects = imports ? list_source(remote, wanted.source, database, wanted.datastore.id, visit)
                                  : list_remote(remote, wanted.target, database, wanted.datastore.id, visit);
  if (objects.is_file && wanted.strategy == Strategy::mirror)
    throw Error(Errc::invalid, "'{}' is one file: a mirror is made of a directory; expected one, or another strategy",
                wanted.source.text());
  auto [plan, source, target] = merge.finish();
  planned.plan = std::move(plan);
  planned.source = std::move(source);
  planned.target = std::move(target);
  planned.beside = imports ? objects.markers : files.symlinks();
  planned.odd = std::move(objects.odd);
  std::erase_if(planned.odd, [&](const OddObject& object) { return !wanted.filter.takes(object.key); });
  planned.directory = objects.directory;
  std::string odd;
  for (const OddObject& object : planned.odd) odd += object.key + '\0' + std::to_string(object.size) + '\n';
  const Digest digests[] = {listed.finish(), Digest::of(odd)};
  planned.sides = {wanted.version.number, wanted.tree.hex(), listed.files() + planned.odd.size(),
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
  if (planned.plan.source_files == 0 && wanted.kind == TransferKind::import)
    throw Error(Errc::not_found, "there is nothing below '{}' in {}{}: expected at least one object",
                wanted.source.text(), remote, wanted.filter.takes_all() ? "" : " that the filters take");
  if (planned.plan.source_files == 0)
    throw Error(Errc::not_found, "version {} of volume '{}' has no files below '{}'{}", wanted.version.number,
                transfer.volume, wanted.source.text(), wanted.filter.takes_all() ? "" : " that the filters take");
  if (needs_confirmation(planned.plan) && !transfer.confirmed)
    throw Error(Errc::conflict,
                "the mirror would delete {} of the {} files in {}, more than half: expected a confirmation, by --yes "
                "or \"confirmed\": true", planned.plan.delete_files, planned.plan.target_files,
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
  counts.total = planned.plan.source_files + odd + planned.beside;
  counts.skipped = planned.plan.skip_files + planned.beside;
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
  view.case_only = planned.alike.files();
  for (const PlanConflict& one : planned.alike.first()) add(one.kind, one.path, one.reason);
  return view;
}

}  // namespace volary
