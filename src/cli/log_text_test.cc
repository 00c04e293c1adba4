// cli/log_text_test.cc: logs, whole and in pieces.
#include "cli/log_text.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace volary {
namespace {

constexpr std::string_view log =
    "2026-11-20T22:54:08.315117Z hello\n"
    "2026-11-20T22:54:08.406842Z \n"
    "no time\n"
    "2026-11-20T22:54:08.406842Z 2026-11-20T22:54:08.406842Z its own\n"
    "2026-11-20T22:54:08.406842Z a long line that goes on and on and on\n"
    "\n";

std::string shown(const std::vector<std::string_view>& pieces, Times times) {
  std::string text;
  Output output(Format::table, Paint::no, [&](std::string_view more) { text += more; });
  LogSink sink(output, times);
  for (const auto piece : pieces) sink.write(piece);
  sink.end();
  return text;
}

TEST(Log, IsShownWithoutItsTimes) {
  EXPECT_EQ(shown({log}, Times::hide),
            "hello\n\nno time\n2026-11-20T22:54:08.406842Z its own\na long line that goes on and on and on\n\n");
  EXPECT_EQ(shown({log}, Times::show),
            "2026-11-20T22:54:08Z [job] hello\n2026-11-20T22:54:08Z [job] \nno time\n2026-11-20T22:54:08Z [job] "
            "2026-11-20T22:54:08.406842Z its own\n2026-11-20T22:54:08Z [job] a long line that goes on and on "
            "and on\n\n");
  EXPECT_EQ(shown({"2026-11"}, Times::hide), "2026-11");
}

RC_GTEST_PROP(Log, DoesNotCareWhereItIsCut, (const std::vector<uint8_t>& cuts)) {
  std::vector<std::string_view> pieces;
  std::string_view left = log;
  for (const uint8_t cut : cuts) {
    const size_t count = std::min<size_t>(cut % 40, left.size());
    pieces.push_back(left.substr(0, count));
    left.remove_prefix(count);
  }
  pieces.push_back(left);
  for (const Times times : {Times::hide, Times::show}) RC_ASSERT(shown(pieces, times) == shown({log}, times));
}

}  // namespace
}  // namespace volary
