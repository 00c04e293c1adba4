// engine/log_frames_test.cc: the engine's frames, however they arrive, and logs that are read again.
#include "engine/log_frames.h"

#include <sys/mount.h>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "engine/runs_test.h"

namespace volary {
namespace {

std::string frame(char kind, const std::string& payload) {
  std::string bytes = {kind, 0, 0, 0};
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(payload.size() >> shift & 255);
  return bytes + payload;
}

const std::string three = frame(1, "2026-11-20T12:00:00.123456789Z one\n") +
                          frame(2, "2026-11-20T13:00:00.5+01:00 begun ") +
                          frame(1, "2026-11-20T12:00:02Z and ended\n") +
                          frame(1, "2026-11-20T12:00:03Z without an end");
const std::string text = "2026-11-20T12:00:00.123456Z one\n2026-11-20T12:00:00.500000Z begun and ended\n"
                         "2026-11-20T12:00:03.000000Z without an end\n";

TEST(LogFrames, become_lines_with_the_times_of_the_engine) {
  const testing::Scratch scratch;
  LogWriter log(scratch.path() / "log");
  LogFrames frames(log);
  for (const char byte : three) frames.write({&byte, 1});
  log.finish(frames.last_time());
  EXPECT_EQ(read_file(scratch.path() / "log"), text);
}

RC_GTEST_PROP(LogFrames, read_again_continue_a_log_that_was_cut_anywhere, ()) {
  const testing::Scratch scratch;
  const auto cut = *rc::gen::inRange<size_t>(0, text.size() + 1);
  write_file_durably(scratch.path() / "log", text.substr(0, cut));
  LogWriter log(scratch.path() / "log");
  log.leave_away(cut);
  LogFrames frames(log);
  frames.write(three);
  log.finish(frames.last_time());
  RC_ASSERT(read_file(scratch.path() / "log") == text);
}

TEST(LogFrames, continue_a_log_that_a_full_disk_cut_when_there_is_room_again) {
  const testing::Scratch scratch;
  if (::mount("tmpfs", scratch.path().c_str(), "tmpfs", 0, "size=16k") < 0) GTEST_SKIP() << "no right to mount";
  std::string stream, wanted;
  for (int i = 0; i < 200; ++i) {
    stream += frame(1, fmt::format("2026-11-20T12:00:00Z line {}\n", i));
    wanted += fmt::format("2026-11-20T12:00:00.000000Z line {}\n", i);
  }
  const Path path = scratch.path() / "log";
  const auto read_again = [&] {
    LogWriter log(path);
    log.leave_away(static_cast<uint64_t>(stat_of(path)->st_size));
    LogFrames(log).write(stream);
  };
  std::string error;
  {
    const Fd filler = create_file(scratch.path() / "filler");
    write_all(filler.get(), std::string(10 << 10, 'x'), "filler");
    try {
      read_again();
    } catch (const Error& thrown) {
      error = thrown.what();
    }
  }
  EXPECT_EQ(error, "unavailable: the log cannot be written: No space left on device");
  remove_file(scratch.path() / "filler");
  read_again();
  EXPECT_EQ(read_file(path), wanted);
  ::umount2(scratch.path().c_str(), MNT_DETACH);
}

TEST(LogFrames, go_on_where_it_is_to_be_told_what_a_full_disk_cost) {
  const testing::Scratch scratch;
  if (::mount("tmpfs", scratch.path().c_str(), "tmpfs", 0, "size=16k") < 0) GTEST_SKIP() << "no right to mount";
  LogWriter log(scratch.path() / "log");
  LogFrames frames(log, LogFrames::Loss::told);
  {
    const Fd filler = create_file(scratch.path() / "filler");
    write_all(filler.get(), std::string(16 << 10, 'x'), "filler");
    frames.write(three);
  }
  remove_file(scratch.path() / "filler");
  log.finish(frames.last_time());
  const std::string found = read_file(scratch.path() / "log");
  ::umount2(scratch.path().c_str(), MNT_DETACH);
  EXPECT_EQ(found, "2026-11-20T12:00:03.000000Z [volary: 2 lines of the log are lost: No space left on device]\n"
                   "2026-11-20T12:00:03.000000Z without an end\n");
}

TEST(LogFrames, refuse_what_is_none) {
  const testing::Scratch scratch;
  LogWriter log(scratch.path() / "log");
  const auto error_of = [&](const std::string& bytes) -> std::string {
    try {
      LogFrames(log).write(bytes);
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  };
  EXPECT_EQ(error_of("HTTP/1.1 whatever"),
            "corrupt: the engine's log is no sequence of frames: found a frame of kind 72 with 791752241 bytes");
  EXPECT_EQ(error_of(frame(1, "nothing")),
            "corrupt: the engine's log has a line without its time: expected 'TIME TEXT'");
}

}  // namespace
}  // namespace volary
