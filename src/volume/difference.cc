// volume/difference.cc: the part of volume/volumes.h that compares versions: store/difference.h by names, in parts.
//
// A cursor is "from.to.index", the numbers of both versions and a place in the list. Versions never change, so a list
// is the same whenever it is asked for; the newest one computed is kept, for whoever reads on.
#include "store/difference.h"

#include <algorithm>
#include <charconv>

#include "core/error.h"
#include "core/tree_path.h"
#include "volume/volumes.h"

namespace volary {
namespace {

struct Cursor {
  uint64_t from = 0;
  uint64_t to = 0;
  uint64_t index = 0;
};

Cursor parse_cursor(std::string_view text) {
  Cursor cursor;
  const char* at = text.data();
  const char* const end = at + text.size();
  for (uint64_t* number : {&cursor.from, &cursor.to, &cursor.index}) {
    const auto [after, error] = std::from_chars(at, end, *number);
    const bool is_last = number == &cursor.index;
    if (error != std::errc() || (is_last ? after != end : after == end || *after != '.'))
      throw Error(Errc::invalid, "'{}' is no cursor of a difference: expected the 'nextCursor' of the part before",
                  printable(text));
    at = is_last ? after : after + 1;
  }
  return cursor;
}

FileDifference view_of(const Difference& one) {
  FileDifference file;
  switch (one.change) {
    case Change::added: file.change = FileChange::added; break;
    case Change::removed: file.change = FileChange::removed; break;
    case Change::changed: file.change = FileChange::changed; break;
    case Change::renamed: file.change = FileChange::renamed; break;
  }
  file.path = one.path.text();
  if (one.from) file.from = one.from->text();
  if (one.before) file.size_before = one.before->size;
  if (one.after) file.size_after = one.after->size;
  return file;
}

// A directory that came or went is told of by what it holds, unless that is nothing.
bool is_told(const Difference& one) {
  const auto holds_files = [](const std::optional<TreeEntry>& entry) {
    return entry && entry->kind == EntryKind::directory && entry->files > 0;
  };
  if (one.change == Change::added) return !holds_files(one.after);
  if (one.change == Change::removed) return !holds_files(one.before);
  return true;
}

uint64_t bytes_before(const Difference& one) {
  return one.before && one.before->kind == EntryKind::file ? one.before->size : 0;
}

DifferenceSide side_of(const std::string& volume, const std::optional<Version>& version) {
  if (!version) return {volume, 0, empty_tree().tree.hex(), 0, 0};
  return {volume, version->number, version->tree, version->files, version->bytes};
}

struct Sides {
  std::optional<Version> from;  // Nothing: the empty volume.
  std::optional<Version> to;
};

std::optional<Version> find_before(Transaction& transaction, const Volume& volume, uint64_t number) {
  const auto before = transaction.find<uint64_t>(
      "SELECT number FROM version WHERE volume = $1 AND number < $2 ORDER BY number DESC LIMIT 1", volume.id, number);
  return before ? std::optional(get_version(transaction, volume, std::to_string(*before))) : std::nullopt;
}

std::optional<Version> numbered(Transaction& transaction, const Volume& volume, uint64_t number) {
  return number == 0 ? std::nullopt : std::optional(get_version(transaction, volume, std::to_string(number)));
}

Sides sides_of(Transaction& transaction, const Caller& caller, const VolumeReference& from, const VolumeReference& to,
               const std::string& cursor) {
  const Volume older = get_volume(transaction, caller, from.name);
  const Volume newer = get_volume(transaction, caller, to.name);
  if (!cursor.empty()) {
    const Cursor at = parse_cursor(cursor);
    return {numbered(transaction, older, at.from), numbered(transaction, newer, at.to)};
  }
  Sides sides;
  sides.to = get_version(transaction, newer, to.version);
  const bool is_before = from.version.empty() && older.id == newer.id;
  sides.from = is_before ? find_before(transaction, older, sides.to->number)
                         : get_version(transaction, older, from.version);
  return sides;
}

}  // namespace

std::shared_ptr<const Volumes::Compared> Volumes::compare(const Digest& before, const Digest& after) {
  if (auto kept = *compared_.lock(); kept && kept->before == before && kept->after == after) return kept;
  auto compared = std::make_shared<Compared>();
  compared->before = before;
  compared->after = after;
  const std::vector<Difference> differences = volary::difference(store_, before, after);
  const DifferenceCounts counts = counts_of(differences);
  DifferenceTotals& totals = compared->totals;
  totals.added = counts.added.files;
  totals.removed = counts.removed.files;
  totals.changed = counts.changed.files;
  totals.renamed = counts.renamed.files;
  totals.bytes_added = counts.added.bytes + counts.changed.bytes;
  totals.bytes_removed = counts.removed.bytes;
  for (const Difference& one : differences) {
    if (one.change == Change::changed) totals.bytes_removed += bytes_before(one);
    if (is_told(one)) compared->items.push_back(view_of(one));
  }
  *compared_.lock() = compared;
  return compared;
}

VersionDifference Volumes::difference(const Caller& caller, const VolumeReference& from, const VolumeReference& to,
                                      const std::string& cursor, size_t limit) {
  const Sides sides = database_.read(
      [&](Transaction& transaction) { return sides_of(transaction, caller, from, to, cursor); });
  VersionDifference result;
  result.from = side_of(from.name, sides.from);
  result.to = side_of(to.name, sides.to);
  const auto compared = compare(Digest::parse(result.from.tree), Digest::parse(result.to.tree));
  result.totals = compared->totals;
  const size_t first = cursor.empty() ? 0 : std::min<size_t>(parse_cursor(cursor).index, compared->items.size());
  const size_t last = first + std::min(limit, compared->items.size() - first);
  const auto begin = compared->items.begin();
  result.items.assign(begin + static_cast<std::ptrdiff_t>(first), begin + static_cast<std::ptrdiff_t>(last));
  if (last < compared->items.size())
    result.next_cursor = fmt::format("{}.{}.{}", result.from.number, result.to.number, last);
  return result;
}

}  // namespace volary
