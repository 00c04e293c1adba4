// sync/plan.cc: one merge over two sorted sides, which remembers no more than the paths that others may lie below.
#include "sync/plan.h"

#include <algorithm>

#include "core/error.h"
#include "sync/acts.h"

namespace volary {
namespace {

bool by_path(const Listed& a, const Listed& b) { return a.path < b.path; }
bool same(const Listed& a, const Listed& b) { return a.digest && b.digest && *a.digest == *b.digest; }

void sort_by_path(std::vector<Listed>& side, std::string_view name) {
  if (!std::is_sorted(side.begin(), side.end(), by_path)) std::sort(side.begin(), side.end(), by_path);
  for (size_t i = 1; i < side.size(); ++i)
    if (side[i - 1].path == side[i].path)
      throw Error(Errc::invalid, "the {} has '{}' twice: expected each name once", name, side[i].path.text());
}

template <class Item>
void drop(std::vector<Item>& items, std::vector<size_t>& indices) {
  std::sort(indices.begin(), indices.end());
  size_t dropped = 0;
  size_t kept = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    if (dropped < indices.size() && indices[dropped] == i) ++dropped;
    else items[kept++] = items[i];
  }
  items.resize(kept);
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

}  // namespace

Planner::Planner(const PlanOptions& options, ActList* acts) : options_(options), acts_(acts) {
  result_.plan.strategy = options.strategy;
}

bool Planner::add(const Listed* source, const Listed* target) {
  const std::string& path = (source ? source : target)->path.text();
  const bool is_taken = options_.filter.takes_all() || options_.filter.takes(path);
  if (!is_taken && !target) return false;
  Open& one = open(path);
  one.in_source = is_taken && source;
  one.in_target = is_taken && target;
  one.is_beside = !is_taken;
  one.source_bytes = one.in_source ? source->size : 0;
  one.target_bytes = one.in_target ? target->size : 0;
  result_.plan.source_files += one.in_source;
  result_.plan.target_files += one.in_target;
  if (!clashes(one, one.in_source ? source : nullptr) && is_taken) decide(one, source, target);
  return is_taken;
}

// Paths come in the order of their bytes, so all that lie below a path follow it, with only longer names between: what
// is not a beginning of this path any more has nothing below it that has not come.
Planner::Open& Planner::open(const std::string& path) {
  while (open_count_ > 0 && !path.starts_with(open_[open_count_ - 1].path)) --open_count_;
  if (open_count_ == open_.size()) open_.emplace_back();
  Open& one = open_[open_count_++];
  one.path = path;
  one.conflict.reset();
  one.is_decided = one.is_copy = false;
  one.item = SIZE_MAX;
  return one;
}

// Whether the target has a file of this name that is there afterwards as it is now.
bool Planner::stays(const Open& one) const {
  if (one.is_beside) return true;
  if (!one.in_target) return false;
  return one.in_source ? one.conflict.has_value() : options_.strategy != Strategy::mirror;
}

// Whether `one` cannot be copied; finds out too which files above it cannot.
bool Planner::clashes(Open& one, const Listed* source) {
  if (source && one.path.size() > options_.path_bytes_max)
    conflict(one, Clash::name,
             fmt::format("its name has {} bytes: expected at most {} here", one.path.size(), options_.path_bytes_max));
  for (size_t i = open_count_ - 1; i-- > 0;) {
    Open& above = open_[i];
    if (one.path[above.path.size()] != '/') continue;
    if (above.in_source && source)
      conflict(above, Clash::directory_too, fmt::format("it is both a file and the directory of '{}'", one.path));
    if (source && stays(above))
      conflict(one, Clash::below_a_file,
               fmt::format("its directory '{}' is a file in the target, which stays", above.path));
    if (above.in_source && stays(one))
      conflict(above, Clash::above_a_file,
               fmt::format("it is a file, and the target has a directory there, with '{}'", one.path));
  }
  return one.conflict.has_value();
}

void Planner::conflict(Open& one, Clash clash, std::string reason) {
  std::vector<Conflict>& conflicts = result_.plan.conflicts;
  if (one.conflict && one.clash <= clash) return;
  if (!one.conflict) {
    take_back(one);
    one.conflict = conflicts.size();
    Listed file;
    file.path = TreePath::parse(one.path);
    file.size = one.source_bytes;
    conflicts.push_back({keep(result_.source, file), {}, {}});
  }
  one.clash = clash;
  conflicts[*one.conflict].kind = clash == Clash::name ? ConflictKind::name : ConflictKind::file_and_directory;
  conflicts[*one.conflict].reason = std::move(reason);
}

// What was decided of it before anything below it came.
void Planner::take_back(const Open& one) {
  Plan& plan = result_.plan;
  if (!one.is_decided) return;
  if (one.is_copy) {
    --plan.copy_files;
    plan.copy_bytes -= one.source_bytes;
    plan.replaced_bytes -= one.target_bytes;
  } else {
    --plan.skip_files;
  }
  if (one.item == SIZE_MAX) return;
  if (one.is_copy && acts_) acts_->take_back(one.item);
  else (one.is_copy ? taken_back_copies_ : taken_back_skips_).push_back(one.item);
}

void Planner::decide(Open& one, const Listed* source, const Listed* target) {
  Plan& plan = result_.plan;
  if (!source) {
    const bool goes = options_.strategy == Strategy::mirror;
    ++(goes ? plan.delete_files : plan.stay_files);
    if (goes) plan.delete_bytes += target->size;
    if (goes && acts_) return void(acts_->add(PlanAct::delete_, *target, nullptr));
    auto& list = goes ? plan.deletes : plan.stays;
    if (list.size() < (goes ? options_.acts_kept : options_.others_kept)) list.push_back(keep(result_.target, *target));
    return;
  }
  one.is_decided = true;
  one.is_copy = !target || (options_.strategy != Strategy::no_overwrite && !same(*source, *target));
  if (one.is_copy) {
    ++plan.copy_files;
    plan.copy_bytes += source->size;
    plan.replaced_bytes += one.target_bytes;
    if (acts_) return void(one.item = acts_->add(PlanAct::copy, *source, target));
    if (plan.copies.size() >= options_.acts_kept) return;
    one.item = plan.copies.size();
    plan.copies.push_back({keep(result_.source, *source),
                           target ? std::optional(keep(result_.target, *target)) : std::nullopt});
  } else {
    ++plan.skip_files;
    if (plan.skips.size() >= options_.others_kept) return;
    one.item = plan.skips.size();
    plan.skips.push_back({keep(result_.source, *source), keep(result_.target, *target)});
  }
}

size_t Planner::keep(std::vector<Listed>& list, const Listed& file) {
  list.push_back(file);
  return list.size() - 1;
}

Planner::Result Planner::finish() {
  Plan& plan = result_.plan;
  drop(plan.copies, taken_back_copies_);
  drop(plan.skips, taken_back_skips_);
  std::sort(plan.conflicts.begin(), plan.conflicts.end(), [&](const Conflict& a, const Conflict& b) {
    return result_.source[a.source].path < result_.source[b.source].path;
  });
  return std::move(result_);
}

Planner::Result make_plan(std::vector<Listed> source, std::vector<Listed> target, const PlanOptions& options,
                          ActList* acts) {
  sort_by_path(source, "source");
  sort_by_path(target, "target");
  Planner planner(options, acts);
  size_t t = 0;
  for (const Listed& file : source) {
    while (t < target.size() && target[t].path < file.path) planner.add(nullptr, &target[t++]);
    const bool in_both = t < target.size() && target[t].path == file.path;
    planner.add(&file, in_both ? &target[t++] : nullptr);
  }
  while (t < target.size()) planner.add(nullptr, &target[t++]);
  return planner.finish();
}

bool needs_confirmation(const Plan& plan) { return plan.delete_files > plan.target_files / 2; }

size_t item_count(const Plan& plan) {
  return plan.copies.size() + plan.deletes.size() + plan.skips.size() + plan.stays.size();
}

PlanItem item_at(const Plan& plan, const std::vector<Listed>& source, const std::vector<Listed>& target, size_t index) {
  const auto from_source = [&](PlanAct act, const Listed& file, const Listed* there, const char* reason) -> PlanItem {
    const bool has_object = !file.etag.empty() || !there;  // Only one side has objects.
    return {act, file.path.text(), file.size, reason, has_object ? file.etag : there->etag};
  };
  const auto from_target = [&](PlanAct act, const Listed& file) -> PlanItem {
    return {act, file.path.text(), file.size, "only in target", file.etag};
  };
  if (index < plan.copies.size()) {
    const PlannedCopy& copy = plan.copies[index];
    return from_source(PlanAct::copy, source[copy.source], copy.replaces ? &target[*copy.replaces] : nullptr,
                       copy.replaces ? "differs" : "new");
  }
  index -= plan.copies.size();
  if (index < plan.deletes.size()) return from_target(PlanAct::delete_, target[plan.deletes[index]]);
  index -= plan.deletes.size();
  if (index < plan.skips.size())
    return from_source(PlanAct::skip, source[plan.skips[index].source], &target[plan.skips[index].target],
                       plan.strategy == Strategy::no_overwrite ? "exists" : "same");
  return from_target(PlanAct::stay, target[plan.stays[index - plan.skips.size()]]);
}

PlanView view_of(const Plan& plan, const std::vector<Listed>& source, const std::vector<Listed>& target,
                 size_t items_max) {
  PlanView view;
  view.strategy = plan.strategy;
  view.copies = plan.copy_files;
  view.copy_bytes = plan.copy_bytes;
  view.skips = plan.skip_files;
  view.deletes = plan.delete_files;
  view.delete_bytes = plan.delete_bytes;
  view.stays = plan.stay_files;
  view.target_files = plan.target_files;
  view.needs_confirmation = needs_confirmation(plan);
  view.conflicts = plan.conflicts.size();
  const size_t shown = std::min(items_max, item_count(plan) - plan.stays.size());
  for (size_t i = 0; i < shown; ++i) view.items.push_back(item_at(plan, source, target, i));
  return view;
}

void CaseOnly::add(const std::string& path) {
  const bool has_capitals = std::any_of(path.begin(), path.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  if (!has_capitals && with_capitals_.empty()) return;
  std::string lower = lower_case(path);
  const auto found = with_capitals_.find(lower);
  if (found == with_capitals_.end()) {
    if (has_capitals) with_capitals_.emplace(std::move(lower), path);
    return;
  }
  ++files_;
  if (first_.size() < max_)
    first_.push_back({ConflictKind::case_only, path,
                      fmt::format("differs from '{}' only in the case of letters", found->second)});
}

void ListingDigest::add(const Listed& file) {
  ++files_;
  block_ += file.path.text();
  block_ += '\0';
  block_ += file.etag;
  block_ += '\0';
  block_ += std::to_string(file.size);
  block_ += '\n';
  if (block_.size() > (64 << 10)) flush();
}

void ListingDigest::flush() {
  hasher_.update(block_);
  block_.clear();
}

Digest ListingDigest::finish() {
  flush();
  return hasher_.finish();
}

}  // namespace volary
