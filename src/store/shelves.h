// store/shelves.h: what all commits of one open store share. For store/ alone.
#pragma once

#include <atomic>
#include <mutex>

#include "store/layout.h"
#include "store/settled_mark.h"
#include "store/shelf.h"

namespace volary {

struct Shelves {
  // The directories of `layout` are there.
  Shelves(const Layout& of, const Clock& clock);

  Shelf& shelf(ObjectKind kind) { return kind == ObjectKind::blob ? blobs : trees; }
  const Shelf& shelf(ObjectKind kind) const { return kind == ObjectKind::blob ? blobs : trees; }

  // Everything written before the call is durable on return. Commits that ask at the same time share one sync.
  void sync();
  // Why nothing may be written any more: after a failed sync the kernel may hold as clean what never reached the disk.
  std::optional<std::string> read_only_reason() const;
  void refuse_if_read_only() const;
  // All commits have ended: makes all durable and lets the mark go, unless that fails.
  void close();

  const Layout layout;
  const Clock& clock;
  SettledMark mark;
  Shelf blobs;
  Shelf trees;
  std::atomic<bool> is_written{false};  // Something was, since the last sync.

 private:
  const Fd root_;  // Opened before anything is written: syncfs reports the write errors since.
  std::mutex syncing_;
  std::atomic<uint64_t> syncs_begun_{0};
  std::atomic<bool> sync_failed_{false};
};

// After a crash: reads every object and tree that the mark's time `settled` does not vouch for, past the page cache,
// and moves those that do not match their names to quarantine/damaged/. On all cores.
Recovery recover(const Layout& layout, Time settled);

}  // namespace volary
