// engine/pip_words.cc: lines, cut where they are long.
#include "engine/pip_words.h"

#include <utility>

namespace volary {
namespace {

constexpr size_t words_bytes_max = 2000;

}  // namespace

void PipWords::take(std::string_view text) {
  for (const char c : text) {
    if (c == '\n') end_line();
    else if (line_.size() < words_bytes_max) line_ += c;
  }
}

std::string PipWords::text() {
  end_line();
  return (errors_.empty() ? last_ : errors_).substr(0, words_bytes_max);
}

void PipWords::end_line() {
  constexpr std::string_view mark = "ERROR: ";
  lacks_pip_ |= line_.ends_with("No module named pip");
  if (line_.starts_with(mark) && errors_.size() < words_bytes_max)
    errors_ += (errors_.empty() ? "" : "; ") + line_.substr(mark.size());
  if (!line_.empty()) last_ = std::exchange(line_, "");
}

}  // namespace volary
