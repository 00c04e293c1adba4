// store/repair.cc: fetched bytes are hashed on their way into a commit; only when they are right, the bad file goes.
#include "store/repair.h"

#include "core/error.h"
#include "core/fault.h"
#include "store/layout.h"
#include "store/scrub.h"
#include "store/sweep.h"

namespace volary {
namespace {

Restored restore_tree(Store& store, const Digest& digest, const std::function<void(Sink&)>& fetch) {
  StringSink bytes(tree_bytes_max);
  fetch(bytes);
  if (Digest::of(bytes.text) != digest) return Restored::bytes_differ;
  const Tree tree = decode(bytes.text);
  set_aside(store, ObjectKind::tree, digest);
  const auto commit = store.begin_commit();
  commit->add_tree(tree);
  commit->publish();
  return Restored::yes;
}

Restored restore_blob(Store& store, const Digest& digest, const std::function<void(Sink&)>& fetch) {
  const auto commit = store.begin_commit();
  const auto writer = commit->new_blob();
  HashingSink hashing(*writer);
  fetch(hashing);
  if (hashing.digest() != digest) return Restored::bytes_differ;
  set_aside(store, ObjectKind::blob, digest);
  fault::point("repair.set_aside");
  writer->finish();  // Looks up now whether the object is there: it is not.
  commit->publish();
  return Restored::yes;
}

}  // namespace

Restored restore_object(Store& store, ObjectKind kind, const Digest& digest, const std::function<void(Sink&)>& fetch) {
  return kind == ObjectKind::tree ? restore_tree(store, digest, fetch) : restore_blob(store, digest, fetch);
}

void set_aside(Store& store, ObjectKind kind, const Digest& digest) {
  constexpr Time whenever{INT64_MAX};
  if (!store.quarantine(kind, digest, whenever)) return;
  sync_directory(quarantine_path(store, kind, digest).parent_path());
  sync_directory(path_below(store.root(), kind, digest).parent_path());
}

std::optional<std::string> flaw_of(const Store& store, ObjectKind kind, const Digest& digest) {
  const std::string thing = (kind == ObjectKind::tree ? "tree " : "object ") + digest.hex();
  const std::stop_token never;
  Pace pace(0, never);
  const FileState state = examine_file(path_below(store.root(), kind, digest), digest, thing, pace);
  if (state.found == FileState::Found::absent) return thing + " is missing";
  if (state.found == FileState::Found::damaged) return state.what;
  return std::nullopt;
}

Path path_below(const Path& root, ObjectKind kind, const Digest& digest) {
  const Layout layout(root);
  return kind == ObjectKind::tree ? layout.tree_path(digest) : layout.blob_path(digest);
}

}  // namespace volary
