// volume/upload_rows.cc: the statements about an upload's files, and BaseTree.
#include "volume/upload_rows.h"

#include "core/error.h"
#include "core/fault.h"
#include "volume/ledger.h"

namespace volary {
namespace {

constexpr size_t recent_entries_max = 200'000;

void count(UploadChange& change, const UploadFileRow& file, int64_t sign) {
  const auto size = static_cast<int64_t>(file.size);
  if (file.complete) {
    change.files += sign;
    change.bytes += sign * size;
  }
  change.growth += sign * (size - static_cast<int64_t>(file.replaced_bytes));
}

std::string_view word_of(EntryKind kind) {
  return kind == EntryKind::file ? "file" : kind == EntryKind::directory ? "directory" : "symbolic link";
}

}  // namespace

std::optional<UploadFileRow> find_upload_file(Transaction& transaction, const std::string& id,
                                              const std::string& path) {
  return transaction.find<UploadFileRow>(std::string(select_upload_file) + "WHERE upload = $1 AND path = $2", id, path);
}

void put_upload_file(Transaction& transaction, const std::string& id, const UploadFileRow& file, UploadChange& change) {
  if (const auto before = find_upload_file(transaction, id, file.path)) count(change, *before, -1);
  count(change, file, 1);
  transaction.run(
      "INSERT INTO upload_file (upload, path, kind, size, executable, digest, target, complete, staged, "
      "replaced_bytes) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (upload, path) DO UPDATE SET "
      "kind = excluded.kind, size = excluded.size, executable = excluded.executable, digest = excluded.digest, "
      "target = excluded.target, complete = excluded.complete, staged = excluded.staged, "
      "replaced_bytes = excluded.replaced_bytes, stored = 0",
      id, file.path, file.kind, file.size, file.executable, file.digest, file.target, file.complete, file.staged,
      file.replaced_bytes);
}

void drop_upload_file(Transaction& transaction, const std::string& id, const UploadFileRow& file,
                      UploadChange& change) {
  count(change, file, -1);
  transaction.run("DELETE FROM upload_file WHERE upload = $1 AND path = $2", id, file.path);
}

void change_upload(Transaction& transaction, const UploadRow& upload, const UploadChange& change, Time now) {
  const auto growth = transaction.find<int64_t>(
      "UPDATE upload SET files = files + $2, bytes = bytes + $3, growth = growth + $4, touched_at = $5 WHERE id = $1 "
      "RETURNING growth",
      upload.id, change.files, change.bytes, change.growth, now);
  const auto reserved = transaction.find<uint64_t>("SELECT reserved_bytes FROM upload WHERE id = $1", upload.id);
  if (*growth <= 0 || static_cast<uint64_t>(*growth) <= *reserved) return;
  const uint64_t more = static_cast<uint64_t>(*growth) - *reserved;
  if (!fault::planted("upload.no_reservation")) reserve_bytes(transaction, upload.volume_id, more);
  transaction.run("UPDATE upload SET reserved_bytes = reserved_bytes + $2 WHERE id = $1", upload.id, more);
}

const Tree& BaseTree::tree_of(const Digest& digest) {
  const auto found = recent_.find(digest);
  if (found != recent_.end()) return found->second;
  Tree tree = store_.read_tree(digest);
  if (entries_ + tree.entries.size() > recent_entries_max) {
    recent_.clear();
    entries_ = 0;
  }
  entries_ += tree.entries.size();
  return recent_.emplace(digest, std::move(tree)).first->second;
}

std::optional<TreeEntry> BaseTree::replaced(const TreePath& path, UploadKind kind) {
  Digest at = root_;
  std::string way;
  const auto components = path.components();
  for (size_t i = 0; i < components.size(); ++i) {
    const TreeEntry* entry = tree_of(at).find(components[i]);
    if (!entry) return std::nullopt;
    way += (way.empty() ? "" : "/") + std::string(components[i]);
    const bool is_directory = entry->kind == EntryKind::directory;
    const bool is_last = i + 1 == components.size();
    if (!is_last && !is_directory)
      throw Error(Errc::invalid, "'{}' is a {} in {} and cannot hold '{}'", way, word_of(entry->kind), name_,
                  path.text());
    if (is_last && is_directory != (kind == UploadKind::directory))
      throw Error(Errc::invalid, "'{}' is a {} in {}: expected {}", way, word_of(entry->kind), name_,
                  is_directory ? "no directory where a file shall stand" : "a directory or nothing");
    if (is_last) return *entry;
    at = entry->digest;
  }
  return std::nullopt;
}

}  // namespace volary
