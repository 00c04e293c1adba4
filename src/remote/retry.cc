// remote/retry.cc: the waits of remote/retry.h, and the Remote that repeats.
#include "remote/retry.h"

#include <thread>

#include "core/fault.h"

namespace volary {
namespace {

// Counts what went into the sink, so that a broken get can go on behind it.
class CountingSink final : public Sink {
 public:
  explicit CountingSink(Sink& next) : next_(next) {}
  void write(std::string_view bytes) override {
    is_broken_ = true;  // Stays if the sink throws: its own errors are no reason to ask the store again.
    next_.write(bytes);
    is_broken_ = false;
    bytes_ += bytes.size();
  }
  uint64_t bytes() const { return bytes_; }
  bool is_broken() const { return is_broken_; }

 private:
  Sink& next_;
  uint64_t bytes_ = 0;
  bool is_broken_ = false;
};

class WatchedSource final : public Source {
 public:
  explicit WatchedSource(Source& next) : next_(next) {}
  size_t read(std::span<char> to) override {
    was_read_ = true;
    return next_.read(to);
  }
  bool was_read() const { return was_read_; }

 private:
  Source& next_;
  bool was_read_ = false;
};

class RetryingRemote final : public Remote {
 public:
  RetryingRemote(std::unique_ptr<Remote> inner, const RetryOptions& options)
      : inner_(std::move(inner)), retries_(options) {}

  // The order of keys makes a second listing skippable up to where the first one broke off.
  void list(const std::string& prefix, const std::function<void(const RemoteObject&)>& visit) override {
    std::optional<std::string> last;
    bool visiting = false;  // An error of the visitor is its own, and never a reason to visit again.
    retries_.run(
        [&] {
          inner_->list(prefix, [&](const RemoteObject& object) {
            if (last && object.key <= *last) return;
            last = object.key;
            visiting = true;
            visit(object);
            visiting = false;
          });
        },
        [&] { return !visiting; });
  }

  std::optional<RemoteObject> find(const std::string& key) override {
    std::optional<RemoteObject> found;
    retries_.run([&] { found = inner_->find(key); });
    return found;
  }

  RemoteObject get(const std::string& key, const GetOptions& options, Sink& sink) override;

  RemoteObject put(const std::string& key, Source& source, uint64_t size) override {
    RemoteObject object;
    WatchedSource watched(source);
    retries_.run([&] { object = inner_->put(key, watched, size); }, [&] { return !watched.was_read(); });
    return object;
  }

  void remove(const std::string& key) override {
    retries_.run([&] { inner_->remove(key); });
  }

  RemoteObject copy(const std::string& from, const std::string& to) override {
    RemoteObject object;
    retries_.run([&] { object = inner_->copy(from, to); });
    return object;
  }

  bool reads_whole() const override { return inner_->reads_whole(); }
  bool has_listing() const override { return inner_->has_listing(); }
  PartedRemote* parted() override { return inner_->parted(); }
  std::string commit() override { return inner_->commit(); }
  std::string description() const override { return inner_->description(); }

 private:
  RemoteObject get_rest(const std::string& key, const GetOptions& options, CountingSink& sink);

  std::unique_ptr<Remote> inner_;
  Retries retries_;
};

// What is asked again must be the same object, so its etag is asked for beforehand if the caller has none.
RemoteObject RetryingRemote::get(const std::string& key, const GetOptions& options, Sink& sink) {
  CountingSink counting(sink);
  ContentCheck check;  // Sees what comes by all requests.
  GetOptions pinned = options;
  if (!pinned.range && !pinned.check) pinned.check = &check;
  if (pinned.if_match.empty()) {
    const auto found = find(key);
    if (!found) throw Error(Errc::not_found, "there is no '{}' in {}", key, description());
    pinned.if_match = found->etag;
  }
  RemoteObject object;
  retries_.run(
      [&] {
        if (counting.bytes() == 0 || fault::planted("retry.begins_again")) object = inner_->get(key, pinned, counting);
        else object = get_rest(key, pinned, counting);
      },
      [&] { return !counting.is_broken() && (counting.bytes() == 0 || !pinned.if_match.empty()); });
  return object;
}

RemoteObject RetryingRemote::get_rest(const std::string& key, const GetOptions& options, CountingSink& sink) {
  const auto found = inner_->find(key);
  if (!found || found->etag != options.if_match)
    throw Error(Errc::conflict, "'{}' in {} was replaced while it was read", key, description());
  Range rest = options.range.value_or(Range{0, found->size});
  rest.offset += sink.bytes();
  rest.size -= sink.bytes();
  if (rest.size == 0 && !(options.check && options.check->expected())) return *found;
  return inner_->get(key, {.range = rest, .if_match = options.if_match, .check = options.check}, sink);
}

}  // namespace

void Retries::wait(int attempt, int64_t asked_millis) const {
  const int64_t first = std::max<int64_t>(asked_millis, options_.first_wait.count());
  const int64_t longest = std::min<int64_t>(first << (attempt - 1), options_.longest_wait.count());
  uint64_t dice = 0;
  for (const char byte : options_.random->bytes(sizeof dice)) dice = dice << 8 | static_cast<uint8_t>(byte);
  const std::chrono::milliseconds time(dice % static_cast<uint64_t>(longest + 1));
  if (options_.sleep) return options_.sleep(time);
  std::this_thread::sleep_for(time);
}

std::shared_ptr<RetryBudget> make_retry_budget() { return std::make_shared<RetryBudget>(); }

std::unique_ptr<Remote> with_retries(std::unique_ptr<Remote> inner, const RetryOptions& options) {
  return std::make_unique<RetryingRemote>(std::move(inner), options);
}

}  // namespace volary
