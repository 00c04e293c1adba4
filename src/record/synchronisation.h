// record/synchronisation.h: one attachment's data on their way between a datastore and a job.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/json.h"
#include "record/transfer.h"

namespace volary {

enum class SyncDirection {
  pull,  // From the datastore to the job.
  push,  // What the job changed, to the datastore; of an attached volume, to its next version.
};
BOOST_DESCRIBE_ENUM(SyncDirection, pull, push)

enum class SyncState {
  QUEUED,   // Waits for its turn.
  RUNNING,  // Moves bytes.
  DONE,     // All of it has arrived.
  FAILED,   // Some did not; the reason says what.
  ERROR,    // Our side failed.
};
BOOST_DESCRIBE_ENUM(SyncState, QUEUED, RUNNING, DONE, FAILED, ERROR)

constexpr bool is_ended(SyncState state) { return state != SyncState::QUEUED && state != SyncState::RUNNING; }

// Why data are moved.
enum class SyncOccasion {
  begin,     // The job needs them.
  end,       // Its process has ended.
  asked,     // Somebody asked.
  interval,  // It was time: the job is to be published so often.
  marker,    // The job's marker appeared.
};
BOOST_DESCRIBE_ENUM(SyncOccasion, begin, end, asked, interval, marker)

struct DataSync {
  std::string id;
  std::string job;
  std::string volume;  // What is attached, as it was asked for.
  std::string path;    // Where it stands in the job.
  SyncDirection direction{};
  bool manual = false;  // Somebody asked for it.
  SyncOccasion occasion{};
  SyncState state{};
  TransferCounts progress;
  uint64_t version = 0;  // push: the version that holds what is pushed. pull of a job that runs: the one that it sees.
  std::string transfer;  // That moves it; "": none yet, or nothing was to be moved.
  std::string reason;    // Of one that failed; otherwise what was left out.
  Time created_at;
  std::optional<Time> started_at;
  std::optional<Time> ended_at;
};
BOOST_DESCRIBE_STRUCT(DataSync, (), (id, job, volume, path, direction, manual, occasion, state, progress, version,
                                     transfer, reason, created_at, started_at, ended_at))

// POST /jobs/{job}/datasync
struct NewDataSync {
  SyncDirection direction{};  // pull: what is new there, for a job that runs; it must be attached read-only.
  std::optional<std::string> volume;  // The path in the job, or what is attached; all that can be, unless told.
};
BOOST_DESCRIBE_STRUCT(NewDataSync, (), (direction, volume))

}  // namespace volary
