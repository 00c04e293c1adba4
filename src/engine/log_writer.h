// engine/log_writer.h: what a process prints, line by line with the time, in files (engine/log_pieces.h).
//
//   line = time ' ' text '\n'        time = "2026-11-20T21:34:05.123456Z", when the line's first byte arrived
//
// Never throws once open, and never stops taking: a full disk costs lines of the log, not the process. How many were
// lost is said in the log as soon as there is room again. Of a log that is full, the oldest piece goes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/file.h"
#include "engine/log_pieces.h"

namespace volary {

constexpr size_t log_line_bytes_max = 64 * 1024;   // Longer lines are split.

class LogWriter {
 public:
  // Goes on where the log ends. `bytes_max`: of all pieces together, give or take a line.
  explicit LogWriter(const Path& log, uint64_t bytes_max = log_bytes_default);
  // Leaves away the first `bytes` that would be written: they were written by one who was given the same.
  void leave_away(uint64_t bytes) { left_away_ = bytes; }
  // How many of them have not come, and that they are no more waited for: what comes next begins a line.
  uint64_t left_away() const { return left_away_; }
  void stop_leaving_away();
  void take(std::string_view bytes, Time now);
  // Ends the last line, if it lacks its end, and makes the log durable as far as possible.
  void finish(Time now);
  // Whether something could not be written, and is not made up for.
  bool has_lost() const { return lines_lost_ > 0; }
  std::string why_lost() const;
  // The newest line taken, whole or not, without its time: the reason when something could not start.
  const std::string& last_line() const { return line_.empty() ? last_line_ : line_; }

 private:
  void end_line();
  void flush(Time now);
  void begin_piece();

  Path log_;
  uint64_t piece_bytes_;
  uint64_t piece_start_ = 0;
  Fd fd_;
  uint64_t piece_size_ = 0;
  bool is_at_line_start_ = true;  // The end of the last piece.
  uint64_t left_away_ = 0;
  uint64_t lines_lost_ = 0;
  int lost_to_ = 0;          // The errno.
  bool line_is_cut_ = false; // The last line was not written to its end, nor will be.
  std::string line_;         // Begun, not ended.
  std::string line_time_;
  std::string last_line_;
  std::string lines_;        // Ended, not written.
};

}  // namespace volary
