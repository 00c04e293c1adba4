// store/shelves.cc: syncing, once for all who wait for it.
#include "store/shelves.h"

#include <unistd.h>

#include "core/error.h"
#include "core/fault.h"

namespace volary {

Shelves::Shelves(const Layout& of, const Clock& the_clock)
    : layout(of),
      clock(the_clock),
      mark(layout.root, clock),
      blobs(layout.objects, layout.tmp, layout.quarantine / "objects", clock),
      trees(layout.trees, layout.tmp, layout.quarantine / "trees", clock),
      root_(open_directory(layout.root)) {
  const TempFile probe(layout.tmp, object_mode);
  if ((stat_of(probe.fd(), probe.path()).st_mode & 0777) == object_mode) return;
  blobs.set_modes_are_masked();
  trees.set_modes_are_masked();
}

void Shelves::sync() {
  const uint64_t begun = syncs_begun_;
  const std::lock_guard alone(syncing_);
  refuse_if_read_only();
  if (syncs_begun_ > begun) return;  // One has begun and ended since we came.
  // An Error on the way out leaves the store read-only; there is no way back from it in this process.
  struct Attempt {
    std::atomic<bool>& failed;
    bool done = false;
    ~Attempt() {
      if (!done) failed = true;
    }
  } attempt{sync_failed_};
  ++syncs_begun_;
  is_written = false;
  if (fault::planted("store.sync_error_ignored")) ::syncfs(root_.get());
  else if (!fault::planted("store.no_sync")) sync_file_system(root_.get(), layout.root);
  attempt.done = true;
}

std::optional<std::string> Shelves::read_only_reason() const {
  if (!sync_failed_) return std::nullopt;
  return fmt::format("the store '{}' takes no commits: a sync of its file system failed; check the disk, then restart",
                     layout.root.native());
}

void Shelves::refuse_if_read_only() const {
  if (auto reason = read_only_reason()) throw Error(Errc::unavailable, Error::Text{*std::move(reason)});
}

void Shelves::close() {
  if (sync_failed_) return;
  if (is_written && (fault::errno_at("file.syncfs") != 0 || ::syncfs(root_.get()) < 0)) return;
  mark.remove();
}

}  // namespace volary
