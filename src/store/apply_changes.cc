// store/apply_changes.cc: a tree with some paths changed, at the cost of the trees on the way to them.
//
// The changes are sorted so that all below one path stand together, right after the changes of that path itself, and
// what a later one wipes out is left out. The rest is for a TreeWriter.
//
// The result is that of making the changes one after the other: of several changes of one path the last counts, and
// it also wipes out every earlier change below that path.
#include <algorithm>

#include "store/tree_writer.h"

namespace volary {
namespace {

// The order of paths in which '/' is less than every other byte (control characters are in no path).
bool stands_before(std::string_view a, std::string_view b) {
  const auto rank = [](char c) { return c == '/' ? 0 : static_cast<unsigned char>(c); };
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                      [&](char x, char y) { return rank(x) < rank(y); });
}

}  // namespace

TreeSummary apply_changes(const Store&, Commit& commit, const Digest& base, std::vector<TreeChange> changes,
                          Emptied emptied) {
  std::vector<TreeChange*> sorted;  // Of changes of one path the last stands first.
  sorted.reserve(changes.size());
  for (TreeChange& change : changes) sorted.push_back(&change);
  std::sort(sorted.begin(), sorted.end(), [](const TreeChange* a, const TreeChange* b) {
    return a->path == b->path ? a > b : stands_before(a->path.text(), b->path.text());
  });
  TreeWriter writer(commit, base, emptied);
  std::vector<const TreeChange*> above;  // Of paths that the next one may lie below.
  for (TreeChange* change : sorted) {
    while (!above.empty() && !change->path.is_within(above.back()->path)) above.pop_back();
    // Positions in the list are addresses: what came before the change of a path above it was wiped out by that.
    if (above.empty() || change > above.back()) {
      above.push_back(change);
      writer.change(change->path, std::move(change->entry));
    } else if (change->entry) {
      writer.keep_parents((*std::upper_bound(above.begin(), above.end(), change))->path);
    }
  }
  return writer.finish();
}

}  // namespace volary
