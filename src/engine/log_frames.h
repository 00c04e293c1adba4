// engine/log_frames.h: the engine's log of a container, in the form of a run's log file.
//
//   stream = frame*        frame = stream u8 (1: output, 2: errors), 0 0 0, size u32 big-endian, payload
//   payload = time ' ' bytes                       time = RFC 3339 in UTC
//
// What comes out depends on the engine's log alone: the same bytes, whenever it is read. So a log that was cut short is
// continued by reading the engine's anew and leaving away as many bytes as there are already; or, where the engine has
// dropped what came first, the frames that are not newer than its last line.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/stream.h"
#include "engine/log_writer.h"

namespace volary {

// As engines write times: RFC 3339, from podman in its own time zone. Throws `invalid`.
Time parse_engine_time(std::string_view text);

class LogFrames final : public Sink {
 public:
  // What to do as soon as the log has lost anything: throw `unavailable`, as it is to be continued from its file's end,
  // or go on, so that the log says how much it has lost.
  enum class Loss { refused, told };
  // Leaves away the frames up to `after`.
  explicit LogFrames(LogWriter& log, Loss loss = Loss::refused, std::optional<Time> after = std::nullopt)
      : log_(log), loss_(loss), after_(after) {}
  void write(std::string_view bytes) override;
  Time last_time() const { return last_time_; }

 private:
  void take_payload(std::string_view payload);

  LogWriter& log_;
  const Loss loss_;
  const std::optional<Time> after_;
  std::string buffer_;  // Of a frame that has not come whole.
  Time last_time_;
};

}  // namespace volary
