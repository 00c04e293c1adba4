// store/sweep.cc: walking through quarantine/ and images/.
#include "store/sweep.h"

#include "core/clock.h"
#include "store/layout.h"

namespace volary {
namespace {

Path quarantine_of(const Store& store, ObjectKind kind) {
  return store.root() / "quarantine" / (kind == ObjectKind::tree ? "trees" : "objects");
}

Time time_of(const timespec& when) { return {int64_t{when.tv_sec} * 1'000'000 + when.tv_nsec / 1000}; }

}  // namespace

Path quarantine_path(const Store& store, ObjectKind kind, const Digest& digest) {
  return quarantine_of(store, kind) / digest.path();
}

void each_quarantined(const Store& store, const std::function<void(ObjectKind, const Digest&, uint64_t)>& visit) {
  for (const ObjectKind kind : {ObjectKind::tree, ObjectKind::blob})
    each_object_file(quarantine_of(store, kind), Digest(), [&](const Digest& digest, const struct stat& status) {
      visit(kind, digest, static_cast<uint64_t>(status.st_size));
    });
}

void unlink_quarantined(const Store& store, ObjectKind kind, const Digest& digest) {
  remove_file(quarantine_path(store, kind, digest));
}

std::optional<Digest> tree_of_image(const std::string& name) {
  return name.size() < 64 ? std::nullopt : Digest::try_parse(name.substr(0, 64));
}

std::vector<Path> idle_images(const Store& store, const Marks& marks, Time until) {
  std::vector<Path> idle;
  const Path images = Layout(store.root()).images;
  for (const DirectoryEntry& entry : list_directory(images)) {
    const auto tree = tree_of_image(entry.name);
    if (!tree || *tree == empty_tree().tree || marks.trees.contains(*tree)) continue;
    const auto status = stat_of(images / entry.name);
    if (status && time_of(status->st_mtim) < until) idle.push_back(images / entry.name);
  }
  return idle;
}

}  // namespace volary
