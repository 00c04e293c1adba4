// engine/log_writer.h: what a process prints, line by line with the time, in a file.
//
//   line = time ' ' text '\n'        time = "2026-11-20T21:34:05.123456Z", when the line's first byte arrived
//
// Never throws once open, and never stops taking: a full disk costs lines of the log, not the process. How many were
// lost is said in the log as soon as there is room again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/file.h"

namespace volary {

constexpr size_t log_line_bytes_max = 64 * 1024;   // Longer lines are split.
constexpr uint64_t log_bytes_max = 1ull << 30;     // What comes later is not kept, and the last line says so.

class LogWriter {
 public:
  explicit LogWriter(const Path& path, uint64_t bytes_max = log_bytes_max);
  // Leaves away the first `bytes` that would be written: they are in the file, from one who was given the same.
  void leave_away(uint64_t bytes) { left_away_ = bytes; }
  void take(std::string_view bytes, Time now);
  // Ends the last line, if it lacks its end, and makes the log durable as far as possible.
  void finish(Time now);
  // The newest line taken, whole or not, without its time: the reason when something could not start.
  const std::string& last_line() const { return line_.empty() ? last_line_ : line_; }

 private:
  void end_line();
  void flush(Time now);

  Path path_;
  Fd fd_;
  uint64_t bytes_max_;
  uint64_t written_ = 0;
  uint64_t left_away_ = 0;
  uint64_t lines_lost_ = 0;
  int lost_to_ = 0;          // The errno.
  bool line_is_cut_ = false; // The file ends in the middle of a line.
  bool is_over_ = false;
  std::string line_;         // Begun, not ended.
  std::string line_time_;
  std::string last_line_;
  std::string lines_;        // Ended, not written.
};

}  // namespace volary
