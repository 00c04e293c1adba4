// api/produced_stream.cc: a thread that writes, a queue, and poll() that never waits.
#include "api/produced_stream.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <future>
#include <thread>
#include <utility>

#include "core/error.h"
#include "core/synced.h"

namespace volary {
namespace {

constexpr size_t queued_bytes_max = 4 << 20;
constexpr int streams_max = 64;  // Each has a thread.

std::atomic<int> streams_running{0};

class Place {
 public:
  Place() {
    if (++streams_running <= streams_max) return;
    --streams_running;
    throw Error(Errc::unavailable, "{} objects and listings are being sent: try again", streams_max);
  }
  ~Place() { --streams_running; }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
};

class ProducedStream final : public Stream, private Sink {
 public:
  explicit ProducedStream(std::function<void(Sink&)> produce)
      : work_([this, produce = std::move(produce)] { produce(*this); }),
        end_(work_.get_future()),
        thread_([this] { run(); }) {}
  ~ProducedStream() override {
    queue_.lock()->is_abandoned = true;
    changed_.notify_all();
  }

  // Throws what the producer threw, if it wrote nothing.
  void wait_for_first_bytes() {
    auto queue = queue_.lock();
    queue.wait(changed_, [&] { return queue->is_over || !queue->pieces.empty(); });
    const bool is_empty = queue->pieces.empty();
    queue.unlock();
    if (is_empty) end_.get();
    is_end_taken_ = is_empty;
  }

  void call_when_ready(std::function<void()> ready) override { queue_.lock()->ready = std::move(ready); }

  std::optional<std::string> poll() override {
    auto queue = queue_.lock();
    if (!queue->pieces.empty()) {
      std::string piece = std::move(queue->pieces.front());
      queue->pieces.pop_front();
      queue->bytes -= piece.size();
      queue.unlock();
      changed_.notify_all();
      return piece;
    }
    if (!queue->is_over) return "";
    queue.unlock();
    if (!is_end_taken_) end_.get();  // Throws what the producer threw.
    return std::nullopt;
  }

 private:
  struct Queue {
    std::deque<std::string> pieces;
    size_t bytes = 0;
    bool is_over = false;
    bool is_abandoned = false;
    std::function<void()> ready;
  };

  void run() {
    work_();
    queue_.lock()->is_over = true;
    tell();
  }

  // Small writes are gathered, so that each is not a packet of its own.
  void write(std::string_view bytes) override {
    auto queue = queue_.lock();
    queue.wait(changed_, [&] { return queue->bytes < queued_bytes_max || queue->is_abandoned; });
    if (queue->is_abandoned) throw Error(Errc::unavailable, "nobody reads the answer any more");
    const bool was_empty = queue->pieces.empty();
    if (!was_empty && queue->pieces.back().size() + bytes.size() <= block_bytes) queue->pieces.back() += bytes;
    else queue->pieces.emplace_back(bytes);
    queue->bytes += bytes.size();
    queue.unlock();
    if (was_empty) tell();
  }

  void tell() {
    changed_.notify_all();
    const std::function<void()> ready = queue_.lock()->ready;
    if (ready) ready();
  }

  const Place place_;
  Synced<Queue> queue_;
  std::condition_variable changed_;
  std::packaged_task<void()> work_;
  std::future<void> end_;
  bool is_end_taken_ = false;
  std::jthread thread_;  // The last member: it is joined before anything that it uses goes.
};

}  // namespace

std::unique_ptr<Stream> make_produced_stream(std::function<void(Sink&)> produce) {
  auto stream = std::make_unique<ProducedStream>(std::move(produce));
  stream->wait_for_first_bytes();
  return stream;
}

}  // namespace volary
