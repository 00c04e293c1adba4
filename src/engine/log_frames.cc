// engine/log_frames.cc: cutting frames, and times from what was printed.
#include "engine/log_frames.h"

#include "core/error.h"

namespace volary {
namespace {

constexpr size_t header_bytes = 8;
constexpr uint32_t payload_bytes_max = 16 << 20;

uint32_t size_in(std::string_view header) {
  uint32_t size = 0;
  for (size_t i = 4; i < header_bytes; ++i) size = size << 8 | static_cast<unsigned char>(header[i]);
  return size;
}

}  // namespace

Time parse_engine_time(std::string_view text) {
  const size_t zone = text.find_first_of("+-", std::min<size_t>(text.size(), 19));
  if (zone == std::string_view::npos) return parse_time(text);
  const std::string_view offset = text.substr(zone);
  const auto two_digits = [&](size_t at) { return (offset[at] - '0') * 10 + offset[at + 1] - '0'; };
  if (offset.size() != 6 || offset[3] != ':') return parse_time(text);  // Which refuses it.
  const int64_t seconds = two_digits(1) * 3600 + two_digits(4) * 60;
  return parse_time(std::string(text.substr(0, zone)) + "Z").plus_seconds(offset[0] == '+' ? -seconds : seconds);
}

void LogFrames::write(std::string_view bytes) {
  buffer_.append(bytes);
  size_t taken = 0;
  while (buffer_.size() - taken >= header_bytes) {
    const std::string_view left = std::string_view(buffer_).substr(taken);
    const uint32_t size = size_in(left);
    if (static_cast<unsigned char>(left[0]) > 2 || size > payload_bytes_max)
      throw Error(Errc::corrupt, "the engine's log is no sequence of frames: found a frame of kind {} with {} bytes",
                  static_cast<unsigned char>(left[0]), size);
    if (left.size() < header_bytes + size) break;
    take_payload(left.substr(header_bytes, size));
    taken += header_bytes + size;
  }
  buffer_.erase(0, taken);
}

void LogFrames::take_payload(std::string_view payload) {
  const size_t space = payload.find(' ');
  if (space == std::string_view::npos)
    throw Error(Errc::corrupt, "the engine's log has a line without its time: expected 'TIME TEXT'");
  last_time_ = parse_engine_time(payload.substr(0, space));
  if (after_ && last_time_ <= *after_) return;
  log_.take(payload.substr(space + 1), last_time_);
  // The file is still the beginning of what it is to be, and stays so.
  if (loss_ == Loss::refused && log_.has_lost())
    throw Error(Errc::unavailable, "the log cannot be written: {}", log_.why_lost());
}

}  // namespace volary
