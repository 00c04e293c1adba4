// job/explain_lines.cc: texts and lines of job/explain_lines.h.
#include "job/explain_lines.h"

#include <fmt/core.h>

#include "core/quantity.h"

namespace volary {

std::string duration_text(int64_t micros) {
  constexpr int64_t fine = 10'000'000;
  if (micros < 0) micros = 0;
  if (micros >= fine) return seconds_text(micros / 1'000'000);
  return fmt::format("{}.{}s", micros / 1'000'000, micros % 1'000'000 / 100'000);
}

std::optional<uint64_t> rate_of(uint64_t bytes, int64_t micros) {
  if (micros <= 0 || bytes == 0) return std::nullopt;
  return static_cast<uint64_t>(static_cast<double>(bytes) * 1e6 / static_cast<double>(micros));
}

ExplainedLine line_of(const Happening& happening, Time now) {
  ExplainedLine line;
  line.at = happening.since;
  if (happening.until && *happening.until > happening.since) line.until = happening.until;
  line.lasts = !happening.until;
  line.cause = happening.cause;
  line.what = one_line(happening.what);
  line.files = happening.files;
  line.bytes = happening.bytes;
  if (happening.bytes)
    line.bytes_per_second =
        rate_of(*happening.bytes, happening.until.value_or(now).micros - happening.since.micros);
  return line;
}

std::vector<Happening> happenings_until_now(Transaction& transaction, const std::string& transfer,
                                            const TransfersUnderWay& under_way) {
  std::vector<Happening> all = happenings_of(transaction, transfer);
  const auto now = under_way.find(transfer);
  if (now == under_way.end() || !now->second.troubles) return all;
  const Happening& troubles = *now->second.troubles;
  const auto is_same = [&](const Happening& one) {  // It has ended meanwhile.
    return one.other == troubles.other && one.since == troubles.since;
  };
  if (std::none_of(all.begin(), all.end(), is_same)) all.push_back(troubles);
  return all;
}

ExplainedLine moment(Time at, Cause cause, std::string what) {
  ExplainedLine line;
  line.at = at;
  line.cause = cause;
  line.what = std::move(what);
  return line;
}

void sort_lines(std::vector<ExplainedLine>& lines) {
  const auto earlier = [](const ExplainedLine& a, const ExplainedLine& b) { return a.at < b.at; };
  for (auto line = lines.begin(); line != lines.end(); ++line)
    std::rotate(std::upper_bound(lines.begin(), line, *line, earlier), line, line + 1);
}

std::string one_line(const std::string& error) {
  std::string text;
  for (size_t at = 0; at < error.size(); ++at) {
    if (error[at] != '\n') {
      text += error[at];
      continue;
    }
    text += "; ";
    while (at + 1 < error.size() && error[at + 1] == ' ') ++at;
  }
  return text;
}

std::string counted(uint64_t count, const std::string& noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

}  // namespace volary
