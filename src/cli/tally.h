// cli/tally.h: many objects at once: progress, failures one by one, and what came of all of them.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "cli/session.h"
#include "core/workers.h"

namespace volary {

// What became of one object. In a dry run: what would.
struct ObjectResult {
  std::string key;
  std::string act;  // "uploaded", "downloaded", "skipped", "deleted", "trashed", "copied", "moved", "failed"
  uint64_t bytes = 0;
  std::optional<std::string> path;  // Of the local file.
  std::optional<std::string> error;
};
BOOST_DESCRIBE_STRUCT(ObjectResult, (), (key, act, bytes, path, error))

enum class Run { real, dry };

// Any thread may call what is not said to be for the main one.
class Tally {
 public:
  Tally(Session& session, const std::string& what, Run run, Format format);

  bool is_dry() const { return run_ == Run::dry; }
  void expect(uint64_t objects, uint64_t bytes);
  // Bytes that moved: for the progress.
  void moved(uint64_t bytes);
  // Bytes that moved in vain: they will move again.
  void unmoved(uint64_t bytes);
  void add(ObjectResult result);
  // Runs `work`; if it throws, the object failed, which is said at once, and all others go on. Tries again up to three
  // times what was `unavailable`.
  void attempt(const std::string& key, const std::function<void()>& work) { attempt(std::vector{key}, work); }
  // The same for work on several objects at once. It may take away those that are done or failed for good.
  void attempt(const std::vector<std::string>& keys, const std::function<void()>& work);
  void fail(const std::string& key, const Error& error);
  bool has_failures() const { return failed_ > 0; }

  // Prints what was done. Throws, with the first failure's code, if there was one. Main thread; the last call.
  int finish();

 private:
  void show();

  Session& session_;
  const Run run_;
  Format format_;
  Output output_;
  std::mutex lock_;  // Of what follows.
  ProgressBar bar_;
  Amounts amounts_;
  std::vector<ObjectResult> results_;  // Only where they are printed.
  std::map<std::string, std::pair<uint64_t, uint64_t>> acts_;  // Objects and bytes of each.
  std::optional<Error> first_;
  std::atomic<uint64_t> failed_{0};
};

// What passes through counts as moved; what is not kept counts as not moved in the end.
class CountedSource final : public Source {
 public:
  CountedSource(Source& next, Tally& tally) : next_(next), tally_(tally) {}
  size_t read(std::span<char> to) override {
    const size_t size = next_.read(to);
    bytes_ += size;
    tally_.moved(size);
    return size;
  }
  void keep() { bytes_ = 0; }
  ~CountedSource() override { tally_.unmoved(bytes_); }

 private:
  Source& next_;
  Tally& tally_;
  uint64_t bytes_ = 0;
};

}  // namespace volary
