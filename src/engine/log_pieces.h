// engine/log_pieces.h: a run's log as files: how they are named, and reading over them.
//
//   log                         the first piece
//   log.00000000000008388650    the one that begins with this byte of all that was ever written
//
// A place in the log is how many bytes were written before it, so it stays the same place when old pieces are dropped.
// Every piece begins with a line's first byte. One process writes (engine/log_writer.h), any may read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/file.h"

namespace volary {

constexpr uint64_t log_bytes_default = 64ull << 20;  // Of one job.
constexpr size_t log_pieces_max = 8;

struct LogPiece {
  uint64_t start = 0;
  Path path;
};

// In order. `log` is the path of the first one.
std::vector<LogPiece> find_log_pieces(const Path& log);
Path log_piece_path(const Path& log, uint64_t start);
// Where the next byte will be.
uint64_t log_end(const Path& log);

struct LogText {
  uint64_t offset = 0;  // Of the text's first byte: not the one asked for, where that was dropped.
  std::string text;
  uint64_t end() const { return offset + text.size(); }
};

// At most `bytes_max` bytes from `offset` on, from one piece; none at the end of the log.
LogText read_log(const Path& log, uint64_t offset, uint64_t bytes_max);

// The same; where lines were dropped, the first line says so, in the place of their last bytes. Nothing is said of
// fewer bytes than that takes: a place in the log never becomes an earlier one.
LogText read_log_and_notice(const Path& log, uint64_t offset, uint64_t bytes_max);

// From where on to read for: lines not older than `since`, and of these the last `lines`. 0 if that is all of them,
// though the first ones may be dropped.
struct LogWish {
  std::optional<Time> since;
  std::optional<uint64_t> lines;
};
uint64_t find_log_start(const Path& log, const LogWish& wish);
// Of the last line that has its end.
std::optional<Time> last_log_time(const Path& log);

}  // namespace volary
