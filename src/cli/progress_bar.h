// cli/progress_bar.h: how far something is, in one line: a bar on a terminal, a sentence now and then elsewhere.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <functional>
#include <string>
#include <string_view>

namespace volary {

struct Amounts {
  uint64_t files_done = 0;
  uint64_t files_total = 0;  // 0: not known yet.
  uint64_t bytes_done = 0;
  uint64_t bytes_total = 0;
};

// "[=====>    ]  50%  12/24 files  1.00 GiB/2.00 GiB  120 MiB/s  9s left", fitted into `columns` by leaving out from
// the right.
std::string bar_line(const Amounts& amounts, double bytes_per_second, size_t columns);
// "12 of 24 files, 1.00 GiB of 2.00 GiB (50%), 120 MiB/s, 9s left"
std::string sentence(const Amounts& amounts, double bytes_per_second);

class ProgressBar {
 public:
  enum class Kind { bar, sentences, silent };
  struct Options {
    Kind kind = Kind::sentences;
    size_t columns = 80;
    double seconds_between = 5;  // Of sentences.
    std::function<double()> now;  // Seconds, from anywhere; steady.
    std::function<void(std::string_view)> print;  // To stderr.
  };

  // `what` begins each sentence: "import".
  ProgressBar(std::string what, Options options) : what_(std::move(what)), options_(std::move(options)) {}
  ~ProgressBar() { clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void show(const Amounts& amounts);
  // Takes the bar from the terminal, so that something else can be printed.
  void clear();

 private:
  struct Sample {
    double at;
    uint64_t bytes;
  };
  double rate(const Amounts& amounts, double now);

  std::string what_;
  Options options_;
  std::deque<Sample> samples_;  // Of the last few seconds.
  double printed_at_ = -1e9;
  bool drawn_ = false;
};

// For stderr as it is: a bar if it is a terminal.
ProgressBar::Options progress_on_stderr();

}  // namespace volary
