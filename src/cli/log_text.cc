// cli/log_text.cc: cutting a log into lines and times.
#include "cli/log_text.h"

#include <algorithm>
#include <utility>

namespace volary {
namespace {

constexpr size_t seconds_bytes = 19;
constexpr std::string_view time_shape = "0000-00-00T00:00:00.000000Z ";  // '0' is any digit.

bool is_time(std::string_view start) {
  return start.size() == time_shape.size() &&
         std::equal(start.begin(), start.end(), time_shape.begin(), [](char found, char shape) {
           return shape == '0' ? found >= '0' && found <= '9' : found == shape;
         });
}

}  // namespace

void LogSink::write(std::string_view bytes) {
  std::string out;
  while (!bytes.empty()) {
    const size_t line_end = bytes.find('\n');
    const size_t in_line = line_end == std::string_view::npos ? bytes.size() : line_end + 1;
    size_t taken = in_line;
    if (is_inside_) {
      out += bytes.substr(0, taken);
    } else {
      taken = std::min(in_line, time_shape.size() - start_.size());
      start_ += bytes.substr(0, taken);
      if (start_.size() < time_shape.size() && !start_.ends_with('\n')) return output_.text(out);
      if (!is_time(start_)) out += start_;
      else if (times_ == Times::show) out += start_.substr(0, seconds_bytes) + "Z [job] ";
      start_.clear();
      is_inside_ = true;
    }
    if (line_end != std::string_view::npos && taken == in_line) is_inside_ = false;
    bytes.remove_prefix(taken);
  }
  output_.text(out);
}

void LogSink::end() {
  if (!start_.empty()) output_.text(std::exchange(start_, ""));
}

}  // namespace volary
