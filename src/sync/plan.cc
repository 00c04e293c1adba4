// sync/plan.cc: one merge over two sorted lists, and the check that no path is a file and a directory at once.
#include "sync/plan.h"

#include <algorithm>
#include <unordered_set>

#include "core/error.h"

namespace volary {
namespace {

void sort_and_check(std::vector<Listed>& side, std::string_view name) {
  std::sort(side.begin(), side.end(), [](const Listed& a, const Listed& b) { return a.path < b.path; });
  for (size_t i = 1; i < side.size(); ++i)
    if (side[i - 1].path == side[i].path)
      throw Error(Errc::invalid, "the {} has '{}' twice: expected each name once", name, side[i].path.text());
}

// What the target will hold must be a tree: no file may also be the directory of another.
void check_is_tree(const std::vector<const Listed*>& files) {
  std::unordered_set<std::string_view> names;
  for (const Listed* file : files) names.insert(file->path.text());
  for (const Listed* file : files) {
    const std::string_view path = file->path.text();
    for (size_t slash = path.rfind('/'); slash != path.npos; slash = path.substr(0, slash).rfind('/'))
      if (names.contains(path.substr(0, slash)))
        throw Error(Errc::invalid,
                    "'{}' is both a file and the directory of '{}': expected every name to be one or the other",
                    path.substr(0, slash), path);
  }
}

bool same(const Listed& a, const Listed& b) { return a.digest && b.digest && *a.digest == *b.digest; }

}  // namespace

Plan make_plan(std::vector<Listed>& source, std::vector<Listed>& target, Strategy strategy) {
  sort_and_check(source, "source");
  sort_and_check(target, "target");
  Plan plan;
  plan.strategy = strategy;
  std::vector<const Listed*> result;  // What the target holds afterwards.
  size_t t = 0;
  const auto only_in_target = [&](size_t index) {
    if (strategy == Strategy::mirror) {
      plan.deletes.push_back(index);
      plan.delete_bytes += target[index].size;
    } else {
      result.push_back(&target[index]);
    }
  };
  for (size_t s = 0; s < source.size(); ++s) {
    while (t < target.size() && target[t].path < source[s].path) only_in_target(t++);
    const bool in_both = t < target.size() && target[t].path == source[s].path;
    result.push_back(&source[s]);
    if (in_both && (strategy == Strategy::no_overwrite || same(source[s], target[t]))) {
      plan.skips.push_back(s);
    } else {
      plan.copies.push_back({s, in_both ? std::optional(t) : std::nullopt});
      plan.copy_bytes += source[s].size;
      if (in_both) plan.replaced_bytes += target[t].size;
    }
    if (in_both) ++t;
  }
  while (t < target.size()) only_in_target(t++);
  check_is_tree(result);
  return plan;
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
  const auto add = [&](PlanAct act, const Listed& file, std::string_view reason) {
    if (view.items.size() < items_max) view.items.push_back({act, file.path.text(), file.size, std::string(reason)});
  };
  for (const PlannedCopy& copy : plan.copies)
    add(PlanAct::copy, source[copy.source], copy.replaces ? "differs" : "new");
  for (const size_t index : plan.deletes) add(PlanAct::delete_, target[index], "only in target");
  for (const size_t index : plan.skips)
    add(PlanAct::skip, source[index], plan.strategy == Strategy::no_overwrite ? "exists" : "same");
  return view;
}

}  // namespace volary
