// remote/retry.h: doing again what failed for the moment.
//
// The "standard" behaviour of the AWS clients: few attempts, exponential waits with full jitter, and a budget over all
// requests, so that a server in trouble is not asked ever more. with_retries() (remote/remote.h) puts it around a
// Remote; a Remote uses it inside for what nobody outside could repeat.
#pragma once

#include <algorithm>
#include <atomic>
#include <optional>

#include "core/error.h"
#include "remote/remote.h"

namespace volary {

// The Error that `work` ends with, if it does. The one place of this folder that catches.
template <class Work>
std::optional<Error> error_of(Work&& work) {
  try {
    work();
    return std::nullopt;
  } catch (const Error& error) {
    return error;
  }
}

// Any thread may use one.
class Retries {
 public:
  explicit Retries(const RetryOptions& options) : options_(options) {}

  // Runs `work` until it succeeds, fails for good, or attempts or budget are spent; `may_repeat` is asked before each
  // repetition. Throws the last error.
  template <class Work, class MayRepeat>
  void run(Work work, MayRepeat may_repeat) {
    for (int attempt = 1;; ++attempt) {
      const std::optional<Error> error = error_of(work);
      if (!error) return refill(attempt);
      if (error->code() != Errc::unavailable || attempt >= options_.attempts || !may_repeat() || !take())
        throw Error(*error);
      wait(attempt, error->backoff_millis());
    }
  }
  template <class Work>
  void run(Work work) {
    run(work, [] { return true; });
  }

 private:
  static constexpr int budget_max = 500;
  static constexpr int price = 5;

  bool take() {
    int left = budget_;
    do {
      if (left < price) return false;
    } while (!budget_.compare_exchange_weak(left, left - price));
    return true;
  }
  void refill(int attempts) {
    int left = budget_;
    const int more = attempts > 1 ? price : 1;
    while (left < budget_max && !budget_.compare_exchange_weak(left, std::min(left + more, budget_max))) {
    }
  }
  // Sleeps a random part of the wait that belongs to this attempt.
  void wait(int attempt, int64_t asked_millis) const;

  const RetryOptions options_;
  std::atomic<int> budget_{budget_max};
};

}  // namespace volary
