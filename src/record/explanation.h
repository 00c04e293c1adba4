// record/explanation.h: why a job, a transfer or a volume is where it is: one dated line a cause.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"

namespace volary {

enum class Cause {
  state,    // It came into a state.
  room,     // Waited for its turn.
  pause,    // Waited before it was run again.
  writer,   // Waited to write a volume that another wrote.
  staging,  // Waited for data that a transfer brought.
  phase,    // A part of its work, with what it moved.
  made,     // A version came of it.
  failure,  // Something went wrong, and was tried again or ended it.
  restart,  // The server was started anew, and took it up.
  asked,    // Somebody asked for something.
  now,      // How it stands at this moment.
};
BOOST_DESCRIBE_ENUM(Cause, state, room, pause, writer, staging, phase, made, failure, restart, asked, now)

struct ExplainedLine {
  Time at;
  std::optional<Time> until;  // Of what lasted; nothing while it lasts, and for what took no time.
  bool lasts = false;
  Cause cause{};
  std::string what;  // A sentence.
  std::optional<uint64_t> files;
  std::optional<uint64_t> bytes;
  std::optional<uint64_t> bytes_per_second;
};
BOOST_DESCRIBE_STRUCT(ExplainedLine, (), (at, until, lasts, cause, what, files, bytes, bytes_per_second))

// Where its time went, in milliseconds, until now if it goes on.
struct SpentTime {
  uint64_t total = 0;
  uint64_t room = 0;     // Waited for its turn.
  uint64_t writers = 0;  // Waited to write volumes that others wrote.
  uint64_t data = 0;     // Waited until its data was there: staging, and INITIALIZING.
  uint64_t starting = 0;
  uint64_t running = 0;
  uint64_t finishing = 0;  // From the end of its process until what it wrote was kept.
};
BOOST_DESCRIBE_STRUCT(SpentTime, (), (total, room, writers, data, starting, running, finishing))

// GET /jobs/{job}/explanation, /transfers/{transfer}/explanation, /volumes/{volume}/explanation
struct Explanation {
  std::string subject;  // "job job-…"
  std::string state;    // Of a volume: "".
  std::string summary;  // One or more sentences.
  std::vector<ExplainedLine> lines;   // By time.
  std::optional<SpentTime> millis;    // Of a job.
};
BOOST_DESCRIBE_STRUCT(Explanation, (), (subject, state, summary, lines, millis))

}  // namespace volary
