// store/stats.cc: counting by walking.
#include "store/stats.h"

#include <dirent.h>

#include "store/check.h"
#include "store/layout.h"
#include "store/sweep.h"

namespace volary {
namespace {

// All regular files below `directory`; hard links of what is counted elsewhere count with no bytes.
void add_files(const Path& directory, Amount& amount) {
  const auto fd = stat_of(directory);
  if (!fd || !S_ISDIR(fd->st_mode)) return;
  for (const DirectoryEntry& entry : list_directory(directory)) {
    if (entry.type == DT_DIR) add_files(directory / entry.name, amount);
    if (entry.type != DT_REG) continue;
    const auto status = stat_of(directory / entry.name);
    if (!status) continue;
    ++amount.files;
    if (status->st_nlink == 1) amount.bytes += static_cast<uint64_t>(status->st_size);
  }
}

}  // namespace

StoreSizes sizes_of(const Store& store) {
  const Layout layout(store.root());
  StoreSizes sizes;
  const auto count_into = [](Amount& amount) {
    return [&amount](const Digest&, const struct stat& status) {
      ++amount.files;
      amount.bytes += static_cast<uint64_t>(status.st_size);
    };
  };
  each_object_file(layout.objects, Digest(), count_into(sizes.objects));
  each_object_file(layout.trees, Digest(), count_into(sizes.trees));
  each_quarantined(store, [&](ObjectKind, const Digest&, uint64_t bytes) {
    ++sizes.quarantine.files;
    sizes.quarantine.bytes += bytes;
  });
  add_files(layout.images, sizes.images);
  add_files(layout.tmp, sizes.tmp);
  return sizes;
}

}  // namespace volary
