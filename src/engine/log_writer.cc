// engine/log_writer.cc: cutting a stream into lines, and writing them as far as the disk lets us.
#include "engine/log_writer.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/error.h"
#include "core/fault.h"
#include "core/quantity.h"

namespace volary {

LogWriter::LogWriter(const Path& path, uint64_t bytes_max)
    : path_(path), fd_(open_to_append(path, 0640)), bytes_max_(bytes_max) {}

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
  if (!is_over_ && written_ + out.size() > bytes_max_) {
    is_over_ = true;
    out.resize(own);
    out += fmt::format("{} [volary: the log ends here, at its limit of {}]\n", to_text(now), bytes_text(bytes_max_));
  } else if (is_over_) {
    return;
  }
  std::string_view left = out;
  const size_t known = static_cast<size_t>(std::min<uint64_t>(left_away_, left.size()));
  left.remove_prefix(known);
  left_away_ -= known;
  written_ += known;
  while (!left.empty()) {
    const int fault = fault::errno_at("engine.log");
    const ssize_t size = fault ? -1 : ::write(fd_.get(), left.data(), left.size());
    if (size < 0 && !fault && errno == EINTR) continue;
    if (size < 0) {
      lost_to_ = fault ? fault : errno;
      break;
    }
    written_ += static_cast<uint64_t>(size);
    left.remove_prefix(static_cast<size_t>(size));
  }
  const size_t done = out.size() - left.size();
  if (done > 0) line_is_cut_ = out[done - 1] != '\n';
  if (done >= own) lines_lost_ = 0;
  lines_lost_ += static_cast<uint64_t>(
      std::count(left.begin() + (done < own ? static_cast<std::ptrdiff_t>(own - done) : 0), left.end(), '\n'));
}

}  // namespace volary
