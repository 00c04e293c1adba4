// remote/retry.h: doing again what failed for the moment.
//
// The "standard" behaviour of the AWS clients: few attempts, exponential waits with full jitter, and a budget over all
// requests, so that a server in trouble is not asked ever more. with_retries() (remote/remote.h) puts it around a
// Remote; a Remote uses it inside for what nobody outside could repeat.
#pragma once

#include <algorithm>
#include <atomic>
#include <optional>

#include "core/error_of.h"
#include "remote/remote.h"

namespace volary {

// Each retry takes from it, each success gives back a little. Where it is empty nothing is tried again. Any thread may
// use one.
class RetryBudget {
 public:
  // False if there is not enough left.
  bool take() {
    int left = left_;
    do {
      if (left < price) return false;
    } while (!left_.compare_exchange_weak(left, left - price));
    return true;
  }
  // After a success at that attempt.
  void refill(int attempts) {
    int left = left_;
    const int more = attempts > 1 ? price : 1;
    while (left < most && !left_.compare_exchange_weak(left, std::min(left + more, most))) {
    }
  }

 private:
  static constexpr int most = 500;
  static constexpr int price = 5;
  std::atomic<int> left_{most};
};

// Any thread may use one.
class Retries {
 public:
  explicit Retries(const RetryOptions& options)
      : options_(options), budget_(options.budget ? options.budget : make_retry_budget()) {}

  // Runs `work` until it succeeds, fails for good, or attempts or budget are spent; `may_repeat` is asked before each
  // repetition. Throws the last error.
  template <class Work, class MayRepeat>
  void run(Work work, MayRepeat may_repeat) {
    for (int attempt = 1;; ++attempt) {
      const std::optional<Error> error = error_of(work);
      if (!error) return budget_->refill(attempt);
      if (error->code() != Errc::unavailable || attempt >= options_.attempts || !may_repeat() || !budget_->take())
        throw Error(*error);
      wait(attempt, error->backoff_millis());
    }
  }
  template <class Work>
  void run(Work work) {
    run(work, [] { return true; });
  }

 private:
  // Sleeps a random part of the wait that belongs to this attempt.
  void wait(int attempt, int64_t asked_millis) const;

  const RetryOptions options_;
  const std::shared_ptr<RetryBudget> budget_;
};

}  // namespace volary
