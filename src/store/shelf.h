// store/shelf.h: the files of one kind, objects/ or trees/, each under the digest of its bytes. For store/ alone.
//
// What fits in memory is written directly under its name: one create, one write, one close. So a name proves nothing
// until a sync has followed it (store/settled_mark.h), and a reader that nobody told of the name may see half a file.
// What does not fit is written elsewhere and renamed when it is complete.
//
// Finding a file present and keeping it for a commit is one step: no sweep can take it away in between.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <shared_mutex>
#include <string>

#include "core/clock.h"
#include "core/digest.h"
#include "core/file.h"
#include "store/store.h"

namespace volary {

// Any thread may call.
class Shelf {
 public:
  // `directory` is there; `tmp` takes drafts, `quarantine` what was moved away.
  Shelf(const Path& directory, const Path& tmp, const Path& quarantine, const Clock& clock);

  // Where the umask takes bits from object_mode, each file needs a chmod.
  void set_modes_are_masked() { modes_are_masked_ = true; }

  // What each of these three returns: since when the file is there unchanged, or nothing if it was written now.
  // A file of another size is torn or damaged: as good as absent, and replaced.
  std::optional<Time> put(const Digest& digest, std::string_view bytes);
  std::optional<Time> put(const Digest& digest, uint64_t size, TempFile& draft);  // `draft` is complete.
  // Writes nothing; here nothing is returned if the file is absent.
  std::optional<Time> reuse(const Digest& digest, uint64_t size);

  void each(const std::function<void(const StoredObject&)>& visit) const;
  bool quarantine(const Digest& digest, Time unused_since);
  bool bring_back(const Digest& digest);

 private:
  Path path_of(const std::string& name) const { return directory_ / name; }
  bool create(const std::string& name, std::string_view bytes);
  // With the lock taken.
  std::optional<Time> find(const std::string& name, uint64_t size);

  const Path directory_;
  const Path tmp_;
  const Path quarantine_;
  const Clock& clock_;
  Fd fd_;
  bool modes_are_masked_ = false;
  // Shared: to look for a file and keep it, or to rename one into place. Alone: to take one away.
  std::shared_mutex moving_;
  std::atomic<bool> often_present_{false};  // The last one looked for was there: look first, then create.
};

}  // namespace volary
