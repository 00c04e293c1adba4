// sync/acts.h: what a plan does, file by file in the order of paths, for as many files as there are: what does not fit
// into a little memory lies in a file.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/file.h"
#include "sync/plan.h"

namespace volary {

// One file that is copied or deleted.
struct FileAct {
  PlanAct act{};                   // copy, delete_
  Listed file;                     // copy: of the source. delete_: of the target.
  std::optional<Listed> replaces;  // Of the target, what a copy replaces.
};

// One thread. Does not outlive `directory`, where its file is, which goes with it.
class ActList {
 public:
  static constexpr size_t held_bytes_max = 1 << 20;

  // Holds so many bytes and writes the others into a file.
  explicit ActList(Path directory, size_t held_max = held_bytes_max)
      : directory_(std::move(directory)), held_max_(held_max) {}

  // Each behind all that came before. Answers its number.
  size_t add(PlanAct act, const Listed& file, const Listed* replaces);
  void take_back(size_t number) { taken_back_.push_back(number); }

  // Goes along a list that does not change any more. Any number of them may.
  class Reader {
   public:
    explicit Reader(const ActList& list);
    // The next act; false behind the last one, and `act` is as it was.
    bool next(FileAct& act);

   private:
    bool fill(size_t bytes);
    bool read(std::string_view& record);
    bool is_taken_back(size_t number);

    const ActList& list_;
    std::vector<size_t> taken_back_;  // Sorted.
    size_t taken_back_at_ = 0;
    size_t number_ = 0;
    uint64_t offset_ = 0;  // Of the list, behind what is in `block_`.
    std::string block_;
    size_t at_ = 0;  // In `block_`.
    std::string path_;
  };

 private:
  size_t read_at(uint64_t offset, std::span<char> to) const;

  const Path directory_;
  const size_t held_max_;
  std::optional<TempFile> file_;
  uint64_t written_ = 0;  // Bytes in the file.
  std::string held_;      // What comes behind them.
  std::string path_;      // Of the newest act.
  std::string record_;    // Used again, with its memory.
  size_t count_ = 0;
  std::vector<size_t> taken_back_;
};

}  // namespace volary
