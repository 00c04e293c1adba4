// workload/place.h: one data directory with everything in it that the server would have, in this process; and what the
// acts and the check share.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "access/caller.h"
#include "access/secrets.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/file.h"
#include "db/database.h"
#include "net/http_client.h"
#include "store/store.h"
#include "volume/datastores.h"
#include "volume/transfers.h"
#include "volume/uploads.h"
#include "volume/volumes.h"

namespace volary {

inline const Caller alice{"sub-1", "alice", "ten-default", "prj-default"};

struct Place {
  // `url`: of the database; in the directory unless told.
  explicit Place(const Path& data, const std::string& url = "");

  Path root;
  std::atomic<bool> had_trouble{false};  // Transfers had something to say to the operator.
  std::unique_ptr<Database> database;
  std::unique_ptr<Store> store;
  Secrets secrets;
  std::unique_ptr<HttpClient> http;
  Datastores datastores;
  Volumes volumes;
  Transfers transfers;
  Uploads uploads;
};

// Writes one line to descriptor 1 in one call: what was said so is acknowledged.
template <class... Args>
void acknowledge(fmt::format_string<Args...> text, Args&&... args) {
  const std::string line = fmt::format(text, std::forward<Args>(args)...) + "\n";
  write_all(1, line, "acknowledgements");
}

// Requests, each with one thing asked for.
NewDatastore directory_named(const std::string& name, const Path& path);
// At the server of objects that the harness runs ($VOLARY_WORKLOAD_S3).
NewDatastore bucket_named(const std::string& name, const std::string& bucket);
VolumeChange quota_of(uint64_t bytes);
VolumeChange tags_of(std::vector<std::string> tags);

// --- what is put into volumes: round after round, most of it the same as before. All below `inputs`.
constexpr int rounds = 3;
void make_inputs(const Path& inputs);
inline Path input_of(const Path& inputs, int round) { return inputs / std::to_string(round); }
inline Path linked_input_of(const Path& inputs, int round) { return inputs / "linked" / std::to_string(round); }
// With a file that travels in parts.
inline Path large_input_of(const Path& inputs, int round) { return inputs / "large" / std::to_string(round); }
// What a volume holds when all rounds up to this one were merged into it.
inline Path merged_input_of(const Path& inputs, int round) { return inputs / "merged" / std::to_string(round); }
// Makes `upper` an overlay's upper directory that turns `before` into `after`.
void make_upper(const Path& before, const Path& after, const Path& upper);

// --- acts (acts.cc). prepare() is done before the faults begin, perform() under them.
void prepare(const std::string& act, const Path& data, const Path& inputs);
void perform(const std::string& act, const Path& data, const Path& inputs);
std::vector<std::string> names_of_acts();

void acknowledge_version(Place& place, const std::string& volume, uint64_t number);
// Waits for a transfer that was accepted, and acknowledges that; throws if it fails.
Transfer wait_for_transfer(Place& place, const std::string& id);

// --- exports (exports.cc): into a directory below the data directory, or into a bucket.
inline constexpr const char* target_name = "target";
void prepare_target(const Path& data, const Path& inputs);
void perform_export(const Path& data, const Path& inputs);
void perform_send(const Path& data, const Path& inputs);
std::vector<std::string> flaws_of_target(Place& place, const Path& inputs);

// --- uploads (uploads.cc): the rounds come by requests, as a client sends them, each merged into the one before.
void perform_upload(const Path& data, const Path& inputs);
// Of what was acknowledged: what has not been kept. `acknowledged`: its lines.
std::vector<std::string> flaws_of_uploads(Place& place, const Path& inputs, const std::string& acknowledged);
// Whoever sends goes on with what is open, with what the server says has come, to the version.
void end_uploads(Place& place, const Path& inputs);

// --- books (books.cc): the many small changes of the database alone, each acknowledged by its number.
size_t books_size();
void change_books(Place& place, size_t step);
// All that these changes can be seen by, ids and times left out.
std::string books_of(Place& place);

// --- the check (check.cc): opens the data directory after whatever happened to it. Lines of what is wrong.
std::vector<std::string> check(const Path& data, const Path& inputs, const std::string& acknowledged);

}  // namespace volary
