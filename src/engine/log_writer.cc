// engine/log_writer.cc: cutting a stream into lines, and writing them as far as the disk lets us.
#include "engine/log_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/error_of.h"
#include "core/fault.h"

namespace volary {

namespace {

// Whether nothing stands after the last line's end.
bool ends_with_line(int fd, uint64_t size, const Path& path) {
  char last = '\n';
  if (size > 0) read_some_at(fd, std::span(&last, 1), size - 1, path);
  return last == '\n';
}

}  // namespace

LogWriter::LogWriter(const Path& log, uint64_t bytes_max) : log_(log), piece_bytes_(bytes_max / log_pieces_max) {
  const auto pieces = find_log_pieces(log);
  if (!pieces.empty()) piece_start_ = pieces.back().start;
  const Path path = log_piece_path(log, piece_start_);
  fd_ = open_to_append(path, 0640);
  piece_size_ = static_cast<uint64_t>(stat_of(fd_.get(), path).st_size);
  is_at_line_start_ = ends_with_line(open_to_read(path).get(), piece_size_, path);
}

void LogWriter::take(std::string_view bytes, Time now) {
  const std::string time = to_text(now);
  while (!bytes.empty()) {
    if (line_.empty() && line_time_.empty()) line_time_ = time;
    const size_t room = log_line_bytes_max - line_.size();
    const size_t end = bytes.substr(0, room + 1).find('\n');
    const size_t part = std::min(end, std::min(room, bytes.size()));
    line_.append(bytes.substr(0, part));
    bytes.remove_prefix(part);
    if (end != std::string_view::npos) bytes.remove_prefix(1);
    if (end != std::string_view::npos || (line_.size() == log_line_bytes_max && !bytes.empty())) end_line();
  }
  flush(now);
}

void LogWriter::finish(Time now) {
  if (!line_.empty()) end_line();
  flush(now);
  ::fdatasync(fd_.get());  // The outcome that follows must not wait for a disk that is full or broken.
}

void LogWriter::stop_leaving_away() {
  left_away_ = 0;
  line_is_cut_ = !is_at_line_start_;
}

std::string LogWriter::why_lost() const { return std::strerror(lost_to_); }

void LogWriter::end_line() {
  lines_.append(line_time_).append(" ").append(line_).append("\n");
  last_line_ = std::move(line_);
  line_.clear();
  line_time_.clear();
}

void LogWriter::flush(Time now) {
  if (lines_.empty() && lines_lost_ == 0) return;
  std::string out = line_is_cut_ ? "\n" : "";
  if (lines_lost_ > 0)
    out += fmt::format("{} [volary: {} lines of the log are lost: {}]\n", to_text(now), lines_lost_,
                       std::strerror(lost_to_));
  const size_t own = out.size();
  out += lines_;
  lines_.clear();
  std::string_view left = out;
  const size_t known = static_cast<size_t>(std::min<uint64_t>(left_away_, left.size()));
  left.remove_prefix(known);
  left_away_ -= known;
  while (!left.empty()) {
    if (is_at_line_start_ && piece_size_ >= piece_bytes_) begin_piece();
    const size_t room = piece_bytes_ - std::min(piece_bytes_, piece_size_);
    const size_t full = std::max<size_t>(room, 1) - 1;
    const size_t end = left.find('\n', std::min(full, left.size() - 1));  // Of the line with which the piece is full.
    const int fault = fault::errno_at("engine.log");
    const ssize_t size = fault ? -1 : ::write(fd_.get(), left.data(), std::min(left.size(), end + 1));
    if (size < 0 && !fault && errno == EINTR) continue;
    if (size < 0) {
      lost_to_ = fault ? fault : errno;
      break;
    }
    piece_size_ += static_cast<uint64_t>(size);
    if (size > 0) is_at_line_start_ = left[static_cast<size_t>(size) - 1] == '\n';
    left.remove_prefix(static_cast<size_t>(size));
  }
  const size_t done = out.size() - left.size();
  if (done > 0) line_is_cut_ = out[done - 1] != '\n';
  if (done >= own) lines_lost_ = 0;
  lines_lost_ += static_cast<uint64_t>(
      std::count(left.begin() + (done < own ? static_cast<std::ptrdiff_t>(own - done) : 0), left.end(), '\n'));
}

// The oldest goes first: that may be the room for the new one. Where there is none, this one goes on.
void LogWriter::begin_piece() {
  std::vector<LogPiece> pieces;
  if (error_of([&] { pieces = find_log_pieces(log_); })) return;
  for (size_t i = 0; i + log_pieces_max <= pieces.size(); ++i) ::unlink(pieces[i].path.c_str());
  const uint64_t start = piece_start_ + piece_size_;
  Fd next(::open(log_piece_path(log_, start).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
  if (!next) return;
  fd_ = std::move(next);
  piece_start_ = start;
  piece_size_ = 0;
}

}  // namespace volary
