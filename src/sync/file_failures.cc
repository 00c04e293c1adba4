// sync/file_failures.cc: the judgement of sync/file_failures.h.
#include "sync/file_failures.h"

#include <algorithm>
#include <utility>

namespace volary {
namespace {

constexpr size_t failures_alone_max = 100;  // So many without a single success, and nothing will succeed.
constexpr size_t silences_max = 8;          // So many that a store does not answer to in a row, and it is gone.

}  // namespace

void FileFailures::note_success() {
  auto held = state_.lock();
  held->has_success = true;
  held->silences = 0;
}

void FileFailures::note(const Listed& file, const Error& error, const std::stop_token& stop) {
  if (stop.stop_requested() || error.concerns_all() || error.code() == Errc::exhausted ||
      error.code() == Errc::internal)
    throw Error(error);
  auto held = state_.lock();
  held->silences = error.code() == Errc::unavailable ? held->silences + 1 : 0;
  if (held->silences >= silences_max || (!held->has_success && held->noted + 1 >= failures_alone_max))
    throw Error(error);
  ++held->noted;
  held->failures.push_back(
      {file.path.text(), fmt::format("{}: {}", name_of(error.code()), error.message()), FileOutcome::failed});
}

void FileFailures::add(const std::vector<TransferFailure>& failures) {
  auto held = state_.lock();
  held->failures.insert(held->failures.end(), failures.begin(), failures.end());
}

std::vector<TransferFailure> FileFailures::take() {
  std::vector<TransferFailure> failures = std::exchange(state_.lock()->failures, {});
  const auto by_path = [](const TransferFailure& a, const TransferFailure& b) { return a.path < b.path; };
  std::sort(failures.begin(), failures.end(), by_path);
  return failures;
}

}  // namespace volary
