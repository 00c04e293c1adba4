// cli/object_options.cc: words and counts of cli/object_options.h.
#include "cli/object_options.h"

namespace volary {

size_t workers_of(const std::optional<std::string>& text, size_t unless_told) {
  if (!text) return unless_told;
  const uint64_t count = parse_count(*text, "--workers", 1);
  if (count > workers_max)
    throw Error(Errc::invalid, "'{}' is no value for --workers: expected at most {}", *text, workers_max);
  return count;
}

void note_left_out(Session& session, const ListingEnd& end) {
  if (end.left_out > 0)
    session.note(
        fmt::format("({} more have names that are no UTF-8: nothing can be done with them here)", end.left_out));
}

std::string counted(uint64_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

std::string objects_text(uint64_t count) { return counted(count, "object", "objects"); }

std::string in_older_words(std::string_view example) {
  constexpr std::string_view words = "bucket object ";
  std::string older;
  while (!example.empty()) {
    const size_t end = std::min(example.find('\n'), example.size());
    std::string line(example.substr(0, end));
    example.remove_prefix(std::min(end + 1, example.size()));
    line.replace(line.find(words), words.size(), "data ");
    const size_t at = line.find('@');
    const size_t start = line.rfind(' ', at) + 1;
    const size_t stop = std::min(line.find(' ', at), line.size());
    line.replace(start, stop - start, line.substr(at + 1, stop - at - 1) + " " + line.substr(start, at - start));
    older += (older.empty() ? "" : "\n") + line;
  }
  return older;
}

}  // namespace volary
