// sync/listing.cc: the listings of sync/listing.h.
#include "sync/listing.h"

#include "core/error.h"

namespace volary {
namespace {

constexpr size_t group_files = 1000;  // What is looked up at once: a page of a listing.

// Objects on their way to whoever wants them, in groups: a look-up for each of a million keys takes longer than listing
// them.
class Group {
 public:
  Group(const TreePath& directory, Database& database, const std::string& datastore_id, const VisitListed& visit)
      : directory_(directory), database_(database), datastore_id_(datastore_id), visit_(visit) {}

  void add(TreePath path, uint64_t size, const std::string& etag) {
    if (!last_.empty() && path.text() <= last_)
      throw Error(Errc::corrupt, "the listing is not in order: '{}' came after '{}'", printable(path.text()),
                  printable(last_));
    last_ = path.text();
    Listed& file = files_[count_++];
    file.path = std::move(path);
    file.size = size;
    file.digest.reset();
    file.etag = etag;
    if (count_ == files_.size()) pass_on();
  }

  void pass_on() {
    if (count_ == 0) return;
    database_.read([&](Transaction& transaction) { recall(transaction); });
    for (size_t i = 0; i < count_; ++i) visit_(files_[i]);
    count_ = 0;
  }

 private:
  // Gives each file the digest that its object had when it was last seen, if it is that object still. One scan beside
  // the sorted group.
  void recall(Transaction& transaction) {
    const size_t start = directory_.is_root() ? 0 : directory_.text().size() + 1;
    size_t at = 0;
    transaction.each(
        "SELECT key, etag, size, digest FROM seen_object WHERE datastore = $1 AND key >= $2 AND key <= $3 ORDER BY key",
        [&](const Row& row) {
          const std::string_view path = row.text(0).substr(start);
          while (at < count_ && files_[at].path.text() < path) ++at;
          if (at == count_ || files_[at].path.text() != path || files_[at].etag.empty()) return;
          if (files_[at].etag == row.text(1) && files_[at].size == static_cast<uint64_t>(row.integer(2)))
            files_[at].digest = Digest::from_raw(row.text(3));
        },
        datastore_id_, key_of(directory_, files_[0].path), key_of(directory_, files_[count_ - 1].path));
  }

  const TreePath& directory_;
  Database& database_;
  const std::string& datastore_id_;
  const VisitListed& visit_;
  std::vector<Listed> files_ = std::vector<Listed>(group_files);  // Used again, with the memory of their texts.
  size_t count_ = 0;
  std::string last_;  // The path that came last: plans of what is out of order would delete what is there.
};

}  // namespace

std::string key_of(const TreePath& directory, const TreePath& path) { return (directory / path).text(); }

RemoteListing list_remote(Remote& remote, const TreePath& directory, Database& database,
                          const std::string& datastore_id, const VisitListed& visit) {
  RemoteListing listing{.directory = directory, .odd = {}};
  const std::string prefix = directory.is_root() ? "" : directory.text() + "/";
  Group group(directory, database, datastore_id, visit);
  remote.list(prefix, [&](const RemoteObject& object) {
    if (object.size == 0 && object.key.ends_with('/')) {
      ++listing.markers;
      return;
    }
    const std::string_view below = std::string_view(object.key).substr(prefix.size());
    if (std::string flaw = TreePath::flaw_of(below); !flaw.empty()) {
      // Said of the key that people know: '/x' below 'd/' is the empty component of 'd//x'.
      const std::string whole = TreePath::flaw_of(object.key);
      listing.odd.push_back({std::string(below), object.size, whole.empty() ? std::move(flaw) : whole});
      return;
    }
    group.add(TreePath::parse(below), object.size, object.etag);
  });
  group.pass_on();
  return listing;
}

RemoteListing list_source(Remote& remote, const TreePath& path, Database& database, const std::string& datastore_id,
                          const VisitListed& visit) {
  RemoteListing listing;
  bool is_empty = true;
  const auto seen = [&](Listed& file) {
    is_empty = false;
    visit(file);
  };
  if (path.is_root() || remote.has_listing()) listing = list_remote(remote, path, database, datastore_id, seen);
  if (path.is_root() || !is_empty || !listing.odd.empty() || listing.markers != 0) return listing;
  const auto object = remote.find(path.text());
  if (!object && !remote.has_listing())
    throw Error(Errc::not_found, "there is no '{}' in {}", printable(path.text()), remote.description());
  if (!object) return listing;
  listing.is_file = true;
  listing.directory = path.parent();
  Group group(listing.directory, database, datastore_id, visit);
  group.add(path.relative_to(path.parent()), object->size, object->etag);
  group.pass_on();
  return listing;
}

TreeFiles::TreeFiles(const Store& store, const Digest& tree, const TreePath& directory, Links links) : links_(links) {
  Digest top = tree;
  for (TreePath step; const std::string_view name : directory.components()) {
    step = step / TreePath::parse(name);
    const auto entry = find_entry(store, tree, step);
    is_over_ = !entry;
    if (is_over_) return;
    if (entry->kind != EntryKind::directory)
      throw Error(Errc::invalid, "'{}' is no directory in the volume: expected one, or nothing of that name",
                  step.text());
    top = entry->digest;
  }
  cursor_.emplace(store, top);
  pop();
}

void TreeFiles::pop() {
  while (cursor_->next()) {
    const TreeEntry& entry = cursor_->entry();
    const bool is_link = entry.kind == EntryKind::symlink;
    if (is_link && links_ == Links::count) ++symlinks_;
    if (entry.kind != EntryKind::file && !(is_link && links_ == Links::list)) continue;
    if (is_link) file_ = {cursor_->path(), 0, std::nullopt, "", false};
    else file_ = {cursor_->path(), entry.size, entry.digest, "", entry.executable};
    return;
  }
  is_over_ = true;
}

void remember_objects(Transaction& transaction, const std::string& datastore_id,
                      const std::vector<SeenObject>& objects) {
  for (const SeenObject& object : objects)
    transaction.run(
        "INSERT INTO seen_object (datastore, key, etag, size, digest) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT (datastore, key) DO UPDATE SET etag = excluded.etag, size = excluded.size, digest = "
        "excluded.digest",
        datastore_id, object.key, object.etag, object.size, SqlBytes{object.digest.raw()});
}

void forget_object(Transaction& transaction, const std::string& datastore_id, const std::string& key) {
  transaction.run("DELETE FROM seen_object WHERE datastore = $1 AND key = $2", datastore_id, key);
}

}  // namespace volary
