// engine/log_pieces.cc: finding pieces, bytes and lines. A piece may vanish between two looks: then it is looked again.
#include "engine/log_pieces.h"

#include <algorithm>
#include <charconv>

#include "core/error_of.h"

namespace volary {
namespace {

constexpr size_t digits = 20;
constexpr size_t time_bytes = 27;  // "2026-11-20T21:34:05.123456Z"
constexpr uint64_t block_bytes = 64 << 10;

std::optional<uint64_t> start_in(const std::string& name, const std::string& first) {
  if (name == first) return 0;
  if (name.size() != first.size() + 1 + digits || !name.starts_with(first + ".")) return std::nullopt;
  uint64_t start = 0;
  const char* const end = name.data() + name.size();
  const auto [rest, error] = std::from_chars(name.data() + first.size() + 1, end, start);
  if (error != std::errc() || rest != end) return std::nullopt;
  return start;
}

// Of the line that begins so; nothing if it has none, as what follows a line that a full disk cut.
std::optional<Time> time_of(std::string_view line) {
  Time time;
  const auto error = error_of([&] { time = parse_time(line.substr(0, time_bytes)); });
  return error ? std::nullopt : std::optional(time);
}

// Where the first line not older than `since` begins, at or after `from`, which begins a line.
uint64_t find_since(const Path& log, uint64_t from, Time since) {
  std::string held;  // From `from` on.
  for (;;) {
    const LogText found = read_log(log, from + held.size(), block_bytes);
    if (found.text.empty()) return from + held.size();
    if (found.offset != from + held.size()) {  // Dropped while it was looked through.
      from = found.offset;
      held.clear();
    }
    held += found.text;
    size_t line = 0;
    for (size_t end = 0; (end = held.find('\n', line)) != std::string::npos; line = end + 1) {
      const auto time = time_of(std::string_view(held).substr(line, end - line));
      if (time && *time >= since) return from + line;
    }
    held.erase(0, line);
    from += line;
  }
}

// Where the last `lines` lines begin, or `from`, if there are no more after it.
uint64_t find_last(const Path& log, uint64_t from, uint64_t lines) {
  uint64_t seen = 0;
  for (uint64_t place = log_end(log), last = place; place > from;) {
    const uint64_t start = place - std::min(block_bytes, place - from);
    LogText block = read_log(log, start, place - start);
    while (block.offset == start && block.end() < place) {  // It lies in two pieces.
      const LogText more = read_log(log, block.end(), place - block.end());
      if (more.text.empty() || more.offset != block.end()) return from;
      block.text += more.text;
    }
    for (size_t at = block.text.size(); at-- > 0;)
      if (block.text[at] == '\n' && block.offset + at + 1 < last && ++seen == lines) return block.offset + at + 1;
    if (block.offset != start) return from;  // Dropped meanwhile.
    place = start;
  }
  return from;
}

}  // namespace

Path log_piece_path(const Path& log, uint64_t start) {
  return start == 0 ? log : Path(fmt::format("{}.{:0{}}", log.native(), start, digits));
}

std::vector<LogPiece> find_log_pieces(const Path& log) {
  std::vector<LogPiece> pieces;
  if (!is_present(log.parent_path())) return pieces;
  for (const DirectoryEntry& entry : list_directory(log.parent_path()))
    if (const auto start = start_in(entry.name, log.filename()))
      pieces.push_back({*start, log.parent_path() / entry.name});
  std::sort(pieces.begin(), pieces.end(), [](const LogPiece& a, const LogPiece& b) { return a.start < b.start; });
  return pieces;
}

uint64_t log_end(const Path& log) {
  for (;;) {
    const auto pieces = find_log_pieces(log);
    if (pieces.empty()) return 0;
    if (const auto found = stat_of(pieces.back().path))
      return pieces.back().start + static_cast<uint64_t>(found->st_size);
  }
}

LogText read_log(const Path& log, uint64_t offset, uint64_t bytes_max) {
  for (;;) {
    const auto pieces = find_log_pieces(log);
    if (pieces.empty()) return {offset, ""};
    auto piece = std::upper_bound(pieces.begin(), pieces.end(), offset,
                                  [](uint64_t place, const LogPiece& one) { return place < one.start; });
    if (piece != pieces.begin()) --piece;
    offset = std::max(offset, piece->start);
    const auto fd = try_open_to_read(piece->path);
    if (!fd) continue;  // Dropped meanwhile.
    const uint64_t size = static_cast<uint64_t>(stat_of(fd->get(), piece->path).st_size);
    const uint64_t inside = offset - piece->start;
    if (inside >= size && piece + 1 != pieces.end()) {
      offset = (piece + 1)->start;
      continue;
    }
    std::string text(std::min(bytes_max, size - std::min(size, inside)), '\0');
    size_t filled = 0;
    while (filled < text.size()) {
      const size_t count = read_some_at(fd->get(), std::span(text).subspan(filled), inside + filled, piece->path);
      if (count == 0) break;
      filled += count;
    }
    text.resize(filled);
    return {offset, std::move(text)};
  }
}

LogText read_log_and_notice(const Path& log, uint64_t offset, uint64_t bytes_max) {
  LogText found = read_log(log, offset, bytes_max);
  if (found.text.empty()) return {offset, ""};
  if (found.offset <= offset) return found;
  const std::string time = found.text.substr(0, found.text.find(' '));
  const std::string notice = fmt::format("{} [volary: {} bytes of the log before this line were dropped: it is full]\n",
                                         time, found.offset - offset);
  if (notice.size() > found.offset - offset) return found;
  return {found.offset - notice.size(), notice + found.text};
}

std::optional<Time> last_log_time(const Path& log) {
  const uint64_t end = log_end(log);
  if (end == 0) return std::nullopt;
  const bool is_whole = read_log(log, end - 1, 1).text == "\n";
  const uint64_t last = find_log_start(log, {.since = std::nullopt, .lines = is_whole ? 1 : 2});
  return time_of(read_log(log, last, time_bytes).text);
}

uint64_t find_log_start(const Path& log, const LogWish& wish) {
  const auto pieces = find_log_pieces(log);
  if (pieces.empty()) return 0;
  uint64_t from = pieces.front().start;
  if (wish.since) {
    Time before;
    for (const LogPiece& piece : pieces) {  // Before the first that begins late enough, or with a clock set back.
      const auto time = time_of(read_log(log, piece.start, time_bytes).text);
      if (time && (*time >= *wish.since || *time < before)) break;
      from = piece.start;
      before = time.value_or(before);
    }
    from = find_since(log, from, *wish.since);
  }
  if (wish.lines) from = find_last(log, from, *wish.lines);
  return from <= pieces.front().start ? 0 : from;
}

}  // namespace volary
