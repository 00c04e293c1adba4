// cli/log_text.h: a job's log, as it comes and as people read it.
//
//   line = time ' ' text '\n'        time = "2026-11-20T21:34:05.123456Z"
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cli/output.h"
#include "core/stream.h"

namespace volary {

enum class Times { hide, show };  // "2026-11-20T21:34:05Z [job] " in front of each line.

// Prints a log that comes in any pieces. What does not begin with a time is printed as it is.
class LogSink final : public Sink {
 public:
  LogSink(Output& output, Times times) : output_(output), times_(times) {}
  void write(std::string_view bytes) override;
  // Prints what was held back: the beginning of a line that did not end.
  void end();

 private:
  Output& output_;
  Times times_;
  std::string start_;  // Of a line, until it is seen whether it is a time.
  bool is_inside_ = false;
};

}  // namespace volary
