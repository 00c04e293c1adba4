// sync/listing.cc: the listings of sync/listing.h.
#include "sync/listing.h"

#include <algorithm>

#include "core/error.h"

namespace volary {
namespace {

// Gives each file the digest that its object had when it was last seen, if it is that object still. One scan beside
// the sorted listing: a look-up for each of a million keys takes longer than listing them.
void recall(RemoteListing& listing, Transaction& transaction, const std::string& datastore_id) {
  std::vector<Listed>& files = listing.files;
  const auto by_path = [](const Listed& a, const Listed& b) { return a.path.text() < b.path.text(); };
  if (!std::is_sorted(files.begin(), files.end(), by_path)) std::sort(files.begin(), files.end(), by_path);
  if (files.empty()) return;
  const size_t start = listing.directory.is_root() ? 0 : listing.directory.text().size() + 1;
  auto at = files.begin();
  transaction.each(
      "SELECT key, etag, size, digest FROM seen_object WHERE datastore = $1 AND key >= $2 AND key <= $3 ORDER BY key",
      [&](const Row& row) {
        const std::string_view path = row.text(0).substr(start);
        while (at != files.end() && at->path.text() < path) ++at;
        if (at == files.end() || at->path.text() != path || at->etag.empty()) return;
        if (at->etag == row.text(1) && at->size == static_cast<uint64_t>(row.integer(2)))
          at->digest = Digest::parse(row.text(3));
      },
      datastore_id, key_of(listing.directory, files.front().path), key_of(listing.directory, files.back().path));
}

}  // namespace

std::string key_of(const TreePath& directory, const TreePath& path) { return (directory / path).text(); }

RemoteListing list_remote(Remote& remote, const TreePath& directory, Database& database,
                          const std::string& datastore_id) {
  RemoteListing listing{.directory = directory, .files = {}, .odd = {}};
  const std::string prefix = directory.is_root() ? "" : directory.text() + "/";
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
    Listed& file = listing.files.emplace_back();
    file.path = TreePath::parse(below);
    file.size = object.size;
    file.etag = object.etag;
  });
  database.read([&](Transaction& transaction) { recall(listing, transaction, datastore_id); });
  return listing;
}

RemoteListing list_source(Remote& remote, const TreePath& path, Database& database, const std::string& datastore_id) {
  RemoteListing listing;
  if (path.is_root() || remote.has_listing()) listing = list_remote(remote, path, database, datastore_id);
  const bool is_empty = listing.files.empty() && listing.odd.empty() && listing.markers == 0;
  if (path.is_root() || !is_empty) return listing;
  const auto object = remote.find(path.text());
  if (!object && !remote.has_listing())
    throw Error(Errc::not_found, "there is no '{}' in {}", printable(path.text()), remote.description());
  if (!object) return listing;
  const std::string_view name = std::string_view(path.text()).substr(path.text().rfind('/') + 1);
  Listed& file = listing.files.emplace_back();
  file.path = TreePath::parse(name);
  file.size = object->size;
  file.etag = object->etag;
  listing.is_file = true;
  listing.directory = path.parent();
  database.read([&](Transaction& transaction) { recall(listing, transaction, datastore_id); });
  return listing;
}

TreeListing list_tree(const Store& store, const Digest& tree, const TreePath& directory, Links links) {
  TreeListing listing;
  Digest top = tree;
  for (TreePath step; const std::string_view name : directory.components()) {
    step = step / TreePath::parse(name);
    const auto entry = find_entry(store, tree, step);
    if (!entry) return listing;
    if (entry->kind != EntryKind::directory)
      throw Error(Errc::invalid, "'{}' is no directory in the volume: expected one, or nothing of that name",
                  step.text());
    top = entry->digest;
  }
  walk(store, top, [&](const TreePath& path, const TreeEntry& entry) {
    if (entry.kind == EntryKind::symlink && links == Links::list) listing.files.push_back({path, 0, {}, "", false});
    if (entry.kind == EntryKind::symlink && links == Links::count) ++listing.symlinks;
    if (entry.kind != EntryKind::file) return;
    listing.files.push_back({path, entry.size, entry.digest, "", entry.executable});
  });
  return listing;
}

void remember_objects(Transaction& transaction, const std::string& datastore_id,
                      const std::vector<SeenObject>& objects) {
  for (const SeenObject& object : objects)
    transaction.run(
        "INSERT INTO seen_object (datastore, key, etag, size, digest) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT (datastore, key) DO UPDATE SET etag = excluded.etag, size = excluded.size, digest = "
        "excluded.digest",
        datastore_id, object.key, object.etag, object.size, object.digest);
}

void forget_object(Transaction& transaction, const std::string& datastore_id, const std::string& key) {
  transaction.run("DELETE FROM seen_object WHERE datastore = $1 AND key = $2", datastore_id, key);
}

}  // namespace volary
