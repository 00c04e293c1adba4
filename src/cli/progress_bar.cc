// cli/progress_bar.cc: the arithmetic and the drawing of cli/progress_bar.h.
#include "cli/progress_bar.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <vector>

#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/quantity.h"

namespace volary {
namespace {

constexpr double rate_seconds = 10;  // The rate is that of the last so many seconds.
constexpr double bar_seconds_between = 0.1;
constexpr size_t bar_width_max = 24;
constexpr size_t bar_width_narrow = 12;  // On a terminal of 80 columns the time that is left matters more.
constexpr size_t columns_narrow = 100;

// Of the bytes; of the files where no bytes are to be moved; nothing without a total.
std::optional<double> share_of(const Amounts& amounts) {
  if (amounts.bytes_total > 0)
    return std::min(1.0, static_cast<double>(amounts.bytes_done) / static_cast<double>(amounts.bytes_total));
  if (amounts.files_total > 0)
    return std::min(1.0, static_cast<double>(amounts.files_done) / static_cast<double>(amounts.files_total));
  return std::nullopt;
}

std::string percent(double share) { return fmt::format("{}%", static_cast<int>(std::floor(share * 100))); }

std::string rate_text(double bytes_per_second) {
  return bytes_text(static_cast<uint64_t>(std::llround(bytes_per_second))) + "/s";
}

// "9s left"; "" while it cannot be known.
std::string time_left(const Amounts& amounts, double bytes_per_second) {
  if (amounts.bytes_total <= amounts.bytes_done || bytes_per_second < 1) return "";
  const double left = static_cast<double>(amounts.bytes_total - amounts.bytes_done) / bytes_per_second;
  return seconds_text(std::llround(std::min(left, 1e8))) + " left";
}

}  // namespace

std::string bar_line(const Amounts& amounts, double bytes_per_second, size_t columns) {
  std::vector<std::string> parts;
  const size_t bar_width = columns < columns_narrow ? bar_width_narrow : bar_width_max;
  const auto share = share_of(amounts);
  if (share) {
    const auto filled = static_cast<size_t>(std::floor(*share * static_cast<double>(bar_width)));
    std::string bar(filled, '=');
    if (filled < bar_width) bar += '>' + std::string(bar_width - filled - 1, ' ');
    parts.push_back(fmt::format("[{}] {:>4}", bar, percent(*share)));
    parts.push_back(fmt::format("{}/{} files", amounts.files_done, amounts.files_total));
    parts.push_back(bytes_text(amounts.bytes_done) + "/" + bytes_text(amounts.bytes_total));
  } else {
    parts.push_back("[" + std::string(bar_width, '.') + "]");
    parts.push_back(amounts.files_done ? fmt::format("{} files", amounts.files_done) : "looking at what there is");
    if (amounts.bytes_done) parts.push_back(bytes_text(amounts.bytes_done));
  }
  if (amounts.bytes_done > 0) parts.push_back(rate_text(bytes_per_second));
  if (const std::string left = time_left(amounts, bytes_per_second); !left.empty()) parts.push_back(left);
  std::string line = parts[0];
  for (size_t i = 1; i < parts.size(); ++i)
    if (line.size() + 2 + parts[i].size() < columns) line += "  " + parts[i];
  return line.substr(0, columns > 1 ? columns - 1 : 0);
}

std::string sentence(const Amounts& amounts, double bytes_per_second) {
  const auto share = share_of(amounts);
  if (!share && amounts.files_done == 0 && amounts.bytes_done == 0) return "looking at what there is";
  std::string text = share
                         ? fmt::format("{} of {} files, {} of {} ({})", amounts.files_done, amounts.files_total,
                                       bytes_text(amounts.bytes_done), bytes_text(amounts.bytes_total), percent(*share))
                         : fmt::format("{} files, {}", amounts.files_done, bytes_text(amounts.bytes_done));
  if (amounts.bytes_done > 0) text += ", " + rate_text(bytes_per_second);
  if (const std::string left = time_left(amounts, bytes_per_second); !left.empty()) text += ", " + left;
  return text;
}

double ProgressBar::rate(const Amounts& amounts, double now) {
  if (!samples_.empty() && samples_.back().bytes > amounts.bytes_done) samples_.clear();  // It began anew.
  samples_.push_back({now, amounts.bytes_done});
  while (samples_.size() > 2 && now - samples_[1].at > rate_seconds) samples_.pop_front();
  const Sample& first = samples_.front();
  return now - first.at < 0.001 ? 0 : static_cast<double>(amounts.bytes_done - first.bytes) / (now - first.at);
}

void ProgressBar::show(const Amounts& amounts) {
  if (options_.kind == Kind::silent) return;
  const double now = options_.now();
  const double bytes_per_second = rate(amounts, now);
  if (options_.kind == Kind::bar) {
    if (now - printed_at_ < bar_seconds_between) return;
    options_.print("\r\x1b[K" + bar_line(amounts, bytes_per_second, options_.columns));
    drawn_ = true;
  } else {
    if (printed_at_ < -1e8) printed_at_ = now;  // The first sentence comes only if the work takes that long.
    if (now - printed_at_ < options_.seconds_between) return;
    options_.print(what_ + ": " + sentence(amounts, bytes_per_second) + "\n");
  }
  printed_at_ = now;
}

void ProgressBar::clear() {
  if (drawn_) options_.print("\r\x1b[K");
  drawn_ = false;
}

ProgressBar::Options progress_on_stderr() {
  ProgressBar::Options options;
  options.now = [] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  };
  options.print = [](std::string_view text) { std::fwrite(text.data(), 1, text.size(), stderr); };
  if (::isatty(STDERR_FILENO) == 0) return options;
  options.kind = ProgressBar::Kind::bar;
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) options.columns = size.ws_col;
  return options;
}

}  // namespace volary
