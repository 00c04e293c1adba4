// engine/exec_target.h: a command under way, as engine/exec.cc sees it: where to write, where to read, how it ends.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/file.h"
#include "engine/exec.h"
#include "engine/runner.h"

namespace volary {

struct ExecEnd {
  int64_t exit_code = 0;
  std::string reason;  // What the exit code does not say.
};

// Whoever runs it is gone when one of them is hung up.
struct ExecUser {
  int connection = -1;
  int leash = -1;
};

class ExecTarget {
 public:
  virtual ~ExecTarget() = default;
  // Where what it shall read goes, and where what it says comes from: all of them do not block. Of a terminal, and of a
  // container, input and output are one; errors may be none.
  virtual int input() const = 0;
  virtual int output() const = 0;
  virtual int errors() const = 0;
  // Readable when it has ended, though it may have left words in its outputs; -1: when these end.
  virtual int ended() const = 0;
  virtual bool has_frames() const = 0;  // The output is as engine/log_frames.h says.
  virtual void end_input() = 0;
  virtual void resize(uint64_t rows, uint64_t columns) = 0;
  virtual void signal(int number) = 0;  // To all of the command's session or group.
  // It has ended. `first_words`: how what it said began.
  virtual ExecEnd finish(std::string_view first_words) = 0;
};

// Throws `unavailable`, `not_found` in words for people. `spec` is the run's.
std::unique_ptr<ExecTarget> exec_in_sandbox(const ExecSpec& wanted, const RunSpec& spec, ExecUser user);
std::unique_ptr<ExecTarget> exec_in_container(const ExecSpec& wanted, const RunSpec& spec);

}  // namespace volary
