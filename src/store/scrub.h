// store/scrub.h: reading and hashing everything the store holds, slowly, to find what time has done to it.
//
// Each file is read from the disk itself (O_DIRECT), and what the page cache holds of it is compared: a reader may get
// other bytes than the disk has, if somebody wrote into the cache (a kernel's fault) or the disk changed behind it.
// Where the file system takes no O_DIRECT, the file is read as everybody reads it. Nothing is changed.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "core/progress.h"
#include "store/check.h"
#include "store/store.h"

namespace volary {

// Where a scrub stands: everything up to here has been read. Trees come before blobs.
struct ScrubPlace {
  ObjectKind kind = ObjectKind::tree;
  Digest after;  // All zero: nothing of this kind yet.
};

struct ScrubWatcher {
  std::function<void(const Flaw&)> damaged;
  // After each object that was read; `bytes` is its size.
  enum class Read { directly, cached };
  std::function<void(const ScrubPlace&, uint64_t bytes, Read)> passed;
};

// Reads all objects after `from`, at most `bytes_per_second` (0: no limit). Ends early, without an error, when asked to
// stop. An object that is swept meanwhile is passed over. Progress counts objects and bytes.
void scrub(const Store& store, const ScrubPlace& from, uint64_t bytes_per_second, const ScrubWatcher& watcher,
           Progress& progress, const std::stop_token& stop);

// Bounds how much is done in a second.
class Pace {
 public:
  Pace(uint64_t bytes_per_second, const std::stop_token& stop) : bytes_per_second_(bytes_per_second), stop_(stop) {}
  // Sleeps as long as it takes until `bytes` more fit. False when asked to stop.
  bool spend(uint64_t bytes);

 private:
  uint64_t bytes_per_second_;
  const std::stop_token& stop_;
  double ahead_seconds_ = 0;
  std::optional<double> last_;
};

// What was found of the file at `path`, of which `digest` is the name. `absent`: it is gone. `unknown`: asked to stop.
struct FileState {
  enum class Found { whole, damaged, absent, unknown } found{};
  ScrubWatcher::Read read{};
  uint64_t bytes = 0;
  std::string what;
};
FileState examine_file(const Path& path, const Digest& digest, const std::string& thing, Pace& pace);

// Streams the file as the disk has it. Throws `unavailable` where the file system takes no O_DIRECT.
void read_past_cache(const Path& path, Sink& sink);

}  // namespace volary
