// volume/plan_transfer.cc: what a transfer would do, shown in part or whole, for volume/transfers.h.
#include "volume/planned.h"
#include "volume/transfers.h"

namespace volary {
namespace {

constexpr size_t plan_items_max = 1000;

}  // namespace

Planned Transfers::compare_now(const Caller& caller, TransferKind kind, const std::string& volume_name,
                               const NewTransfer& request, const Kept& kept) {
  Comparison wanted;
  wanted.kind = kind;
  wanted.source = TreePath::parse_directory(request.source_directory.value_or(""));
  wanted.target = TreePath::parse_directory(request.destination_directory.value_or(""));
  wanted.strategy = request.strategy.value_or(Strategy::overwrite);
  wanted.filter = Filter(request.include, request.exclude);
  wanted.datastore = datastores_.get(caller, request.datastore);
  wanted.tree = database_.read([&](Transaction& transaction) {
    const Volume volume = get_volume(transaction, caller, volume_name);
    if (kind == TransferKind::import && volume.head == 0) return empty_tree().tree;
    wanted.version = get_version(transaction, volume, request.version.value_or(""));
    return Digest::parse(wanted.version.tree);
  });
  return compare(wanted, *datastores_.open(wanted.datastore), store_, database_, kept);
}

PlanView Transfers::plan(const Caller& caller, TransferKind kind, const std::string& volume_name,
                         const NewTransfer& request) {
  const Kept kept{.acts = plan_items_max, .others = plan_items_max};
  return view_of(compare_now(caller, kind, volume_name, request, kept), kind, plan_items_max);
}

std::shared_ptr<const WholePlan> Transfers::whole_plan(const Caller& caller, TransferKind kind,
                                                       const std::string& volume_name, const NewTransfer& request) {
  auto whole = std::make_shared<WholePlan>();
  whole->planned = compare_now(caller, kind, volume_name, request, {.acts = SIZE_MAX, .others = SIZE_MAX});
  whole->view = view_of(whole->planned, kind, 0);
  return whole;
}

}  // namespace volary
