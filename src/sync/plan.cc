// sync/plan.cc: one merge over two sorted lists, after the files were found whose names cannot be.
#include "sync/plan.h"

#include <algorithm>

#include "core/error.h"

namespace volary {
namespace {

bool by_path(const Listed& a, const Listed& b) { return a.path < b.path; }
bool same(const Listed& a, const Listed& b) { return a.digest && b.digest && *a.digest == *b.digest; }

// Sorts the side by path; what the filter leaves out is taken out of it and returned.
std::vector<Listed> sort_and_filter(std::vector<Listed>& side, const Filter& filter, std::string_view name) {
  std::vector<Listed> left_out;
  if (!filter.takes_all()) {
    std::vector<Listed> taken;
    for (Listed& file : side) (filter.takes(file.path.text()) ? taken : left_out).push_back(std::move(file));
    side = std::move(taken);
  }
  for (auto* list : {&side, &left_out})
    if (!std::is_sorted(list->begin(), list->end(), by_path)) std::sort(list->begin(), list->end(), by_path);
  for (size_t i = 1; i < side.size(); ++i)
    if (side[i - 1].path == side[i].path)
      throw Error(Errc::invalid, "the {} has '{}' twice: expected each name once", name, side[i].path.text());
  return left_out;
}

std::optional<size_t> index_of(const std::vector<Listed>& side, std::string_view path) {
  const auto before = [](const Listed& file, std::string_view wanted) { return file.path.text() < wanted; };
  const auto found = std::lower_bound(side.begin(), side.end(), path, before);
  if (found == side.end() || found->path.text() != path) return std::nullopt;
  return static_cast<size_t>(found - side.begin());
}

// Finds the source files whose names cannot be in the target. Files of one directory follow each other, so that most
// have the directory of the one before, whose ancestors were looked up.
class Clashes {
 public:
  Clashes(const std::vector<Listed>& source, const std::vector<Listed>& target, const std::vector<Listed>& beside,
          const PlanOptions& options)
      : source_(source), target_(target), beside_(beside), options_(options), reasons_(source.size()) {}

  std::vector<Conflict> find() {
    for (size_t s = 0; s < source_.size(); ++s)
      if (source_[s].path.text().size() > options_.path_bytes_max)
        mark(s, ConflictKind::name,
             fmt::format("its name has {} bytes: expected at most {} here", source_[s].path.text().size(),
                         options_.path_bytes_max));
    each_ancestor(source_, [&](std::string_view directory, size_t file) {
      if (const auto at = index_of(source_, directory))
        mark(*at, ConflictKind::file_and_directory,
             fmt::format("it is both a file and the directory of '{}'", source_[file].path.text()));
    });
    each_ancestor(source_, [&](std::string_view directory, size_t file) {
      if (stays(directory))
        mark(file, ConflictKind::file_and_directory,
             fmt::format("its directory '{}' is a file in the target, which stays", directory));
    });
    for (const auto* side : {&target_, &beside_})
      each_ancestor(*side, [&](std::string_view directory, size_t file) {
        if (side == &target_ && !stays((*side)[file].path.text())) return;
        if (const auto at = index_of(source_, directory))
          mark(*at, ConflictKind::file_and_directory,
               fmt::format("it is a file, and the target has a directory there, with '{}'",
                           (*side)[file].path.text()));
      });
    std::vector<Conflict> conflicts;
    for (size_t s = 0; s < source_.size(); ++s)
      if (reasons_[s]) conflicts.push_back({s, reasons_[s]->kind, reasons_[s]->reason});
    return conflicts;
  }

 private:
  void mark(size_t source, ConflictKind kind, std::string reason) {
    if (!reasons_[source]) reasons_[source] = Conflict{source, kind, std::move(reason)};
  }

  // Whether the target has a file of this name that is there afterwards as it is now.
  bool stays(std::string_view path) const {
    if (index_of(beside_, path)) return true;
    if (!index_of(target_, path)) return false;
    const auto from = index_of(source_, path);
    return from ? reasons_[*from].has_value() : options_.strategy != Strategy::mirror;
  }

  // Calls visit(directory, index of a file below it) for every directory above a file, for runs of files in the same
  // one only for the first, unless that was marked by it.
  template <class Visit>
  void each_ancestor(const std::vector<Listed>& side, Visit visit) {
    std::string_view before;
    size_t marks = 0;
    for (size_t i = 0; i < side.size(); ++i) {
      const std::string_view path = side[i].path.text();
      const size_t last = path.rfind('/');
      if (last == path.npos) continue;
      if (marks == 0 && path.substr(0, last) == before) continue;
      before = path.substr(0, last);
      marks = 0;
      for (size_t slash = last; slash != path.npos; slash = path.substr(0, slash).rfind('/')) {
        const std::string_view directory = path.substr(0, slash);
        if (!index_of(source_, directory) && !index_of(target_, directory) && !index_of(beside_, directory)) continue;
        ++marks;
        visit(directory, i);
      }
    }
  }

  const std::vector<Listed>& source_;
  const std::vector<Listed>& target_;
  const std::vector<Listed>& beside_;  // What filters leave out of the target.
  const PlanOptions& options_;
  std::vector<std::optional<Conflict>> reasons_;
};

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

}  // namespace

Plan make_plan(std::vector<Listed>& source, std::vector<Listed>& target, const PlanOptions& options) {
  sort_and_filter(source, options.filter, "source");
  const std::vector<Listed> beside = sort_and_filter(target, options.filter, "target");
  Plan plan;
  plan.strategy = options.strategy;
  plan.conflicts = Clashes(source, target, beside, options).find();
  size_t conflict = 0;
  size_t t = 0;
  const auto only_in_target = [&](size_t index) {
    if (options.strategy != Strategy::mirror) return plan.stays.push_back(index);
    plan.deletes.push_back(index);
    plan.delete_bytes += target[index].size;
  };
  for (size_t s = 0; s < source.size(); ++s) {
    while (t < target.size() && target[t].path < source[s].path) only_in_target(t++);
    const bool in_both = t < target.size() && target[t].path == source[s].path;
    if (conflict < plan.conflicts.size() && plan.conflicts[conflict].source == s) {
      ++conflict;
    } else if (in_both && (options.strategy == Strategy::no_overwrite || same(source[s], target[t]))) {
      plan.skips.push_back(s);
    } else {
      plan.copies.push_back({s, in_both ? std::optional(t) : std::nullopt});
      plan.copy_bytes += source[s].size;
      if (in_both) plan.replaced_bytes += target[t].size;
    }
    if (in_both) ++t;
  }
  while (t < target.size()) only_in_target(t++);
  return plan;
}

bool needs_confirmation(const Plan& plan, const std::vector<Listed>& target) {
  return plan.deletes.size() > target.size() / 2;
}

size_t item_count(const Plan& plan) {
  return plan.copies.size() + plan.deletes.size() + plan.skips.size() + plan.stays.size();
}

PlanItem item_at(const Plan& plan, const std::vector<Listed>& source, const std::vector<Listed>& target, size_t index) {
  const auto from_source = [&](PlanAct act, const Listed& file, const char* reason) -> PlanItem {
    if (!file.etag.empty()) return {act, file.path.text(), file.size, reason, file.etag};  // Only one side has objects.
    const auto at = index_of(target, file.path.text());
    return {act, file.path.text(), file.size, reason, at ? target[*at].etag : ""};
  };
  const auto from_target = [&](PlanAct act, const Listed& file) -> PlanItem {
    return {act, file.path.text(), file.size, "only in target", file.etag};
  };
  if (index < plan.copies.size()) {
    const PlannedCopy& copy = plan.copies[index];
    return from_source(PlanAct::copy, source[copy.source], copy.replaces ? "differs" : "new");
  }
  index -= plan.copies.size();
  if (index < plan.deletes.size()) return from_target(PlanAct::delete_, target[plan.deletes[index]]);
  index -= plan.deletes.size();
  if (index < plan.skips.size())
    return from_source(PlanAct::skip, source[plan.skips[index]],
                       plan.strategy == Strategy::no_overwrite ? "exists" : "same");
  return from_target(PlanAct::stay, target[plan.stays[index - plan.skips.size()]]);
}

PlanView view_of(const Plan& plan, const std::vector<Listed>& source, const std::vector<Listed>& target,
                 size_t items_max) {
  PlanView view;
  view.strategy = plan.strategy;
  view.copies = plan.copies.size();
  view.copy_bytes = plan.copy_bytes;
  view.skips = plan.skips.size();
  view.deletes = plan.deletes.size();
  view.delete_bytes = plan.delete_bytes;
  view.stays = plan.stays.size();
  view.target_files = target.size();
  view.needs_confirmation = needs_confirmation(plan, target);
  view.conflicts = plan.conflicts.size();
  const size_t shown = std::min(items_max, item_count(plan) - plan.stays.size());
  for (size_t i = 0; i < shown; ++i) view.items.push_back(item_at(plan, source, target, i));
  return view;
}

CaseOnly case_only_names(const std::vector<Listed>& source, size_t max) {
  const auto has_capitals = [](const Listed& file) {
    const std::string& name = file.path.text();
    return std::any_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  };
  if (std::none_of(source.begin(), source.end(), has_capitals)) return {};
  std::vector<std::pair<size_t, size_t>> hashes;  // Of the name without case, and the index.
  hashes.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i)
    hashes.emplace_back(std::hash<std::string>()(lower_case(source[i].path.text())), i);
  std::sort(hashes.begin(), hashes.end());
  CaseOnly found;
  for (size_t i = 1; i < hashes.size(); ++i) {
    const std::string& one = source[hashes[i - 1].second].path.text();
    const std::string& other = source[hashes[i].second].path.text();
    if (hashes[i - 1].first != hashes[i].first || lower_case(one) != lower_case(other)) continue;
    ++found.files;
    if (found.first.size() < max)
      found.first.push_back(
          {ConflictKind::case_only, other, fmt::format("differs from '{}' only in the case of letters", one)});
  }
  return found;
}

Digest listing_digest(const std::vector<Listed>& files) {
  Hasher hasher;
  std::string block;
  const auto flush = [&] {
    hasher.update(block);
    block.clear();
  };
  for (const Listed& file : files) {
    block += file.path.text();
    block += '\0';
    block += file.etag;
    block += '\0';
    block += std::to_string(file.size);
    block += '\n';
    if (block.size() > (64 << 10)) flush();
  }
  flush();
  return hasher.finish();
}

}  // namespace volary
