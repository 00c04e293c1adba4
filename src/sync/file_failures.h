// sync/file_failures.h: files that could not be copied, each for a reason of its own, so that one bad file neither
// hides the others nor keeps them from coming.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/synced.h"
#include "record/transfer.h"
#include "sync/plan.h"

namespace volary {

// Any thread may use one.
class FileFailures {
 public:
  // A file arrived: the store answers, and what fails from now on is the file's own fault.
  void note_success();
  // Throws `error` if the others would fail like this one: the transfer was asked to stop, the disk is full, the store
  // does not answer several times in a row, or nothing but failures so far.
  void note(const Listed& file, const Error& error, const std::stop_token& stop);
  // What was judged elsewhere.
  void add(const std::vector<TransferFailure>& failures);
  // Those since the last time, by path.
  std::vector<TransferFailure> take();

 private:
  struct State {
    std::vector<TransferFailure> failures;
    size_t noted = 0;
    bool has_success = false;
    size_t silences = 0;
  };
  Synced<State> state_;
};

}  // namespace volary
