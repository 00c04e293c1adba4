// net/http_session_stream.cc: a request whose body is streamed: the handler reads while the session receives.
//
// Between them is a pipe of bounded size. While it is full nothing is received, so that the kernel's windows hold the
// client back; while it is empty the handler waits.
#include <condition_variable>
#include <cstring>
#include <deque>

#include <boost/asio/post.hpp>

#include "core/synced.h"
#include "net/http_session_parser.h"

namespace volary {
namespace {

constexpr size_t pipe_bytes_max = 1 << 20;

class SlowPlace {
 public:
  explicit SlowPlace(HandlerPool& pool) : pool_(pool), is_taken_(pool.try_take_slow_place()) {}
  ~SlowPlace() {
    if (is_taken_) pool_.give_back_slow_place();
  }
  SlowPlace(const SlowPlace&) = delete;
  SlowPlace& operator=(const SlowPlace&) = delete;
  bool is_taken() const { return is_taken_; }

 private:
  HandlerPool& pool_;
  const bool is_taken_;
};

}  // namespace

// Filled on the session's thread, read on the handler's.
class HttpSession::BodyPipe final : public Source {
 public:
  // `has_room` is called when a full pipe is full no more.
  explicit BodyPipe(std::function<void()> has_room) : has_room_(std::move(has_room)) {}

  bool is_full() { return state_.lock()->bytes >= pipe_bytes_max; }
  void push(std::string piece) {
    {
      auto state = state_.lock();
      state->bytes += piece.size();
      state->pieces.push_back(std::move(piece));
    }
    changed_.notify_one();
  }
  enum class End { whole, gone };
  void end(End end) {
    state_.lock()->end = end;
    changed_.notify_one();
  }

  size_t read(std::span<char> to) override {
    auto state = state_.lock();
    state.wait(changed_, [&] { return !state->pieces.empty() || state->end; });
    if (state->pieces.empty()) {
      if (state->end == End::whole) return 0;
      throw Error(Errc::unavailable, "the client went away before the whole body of its request had come");
    }
    const bool was_full = state->bytes >= pipe_bytes_max;
    std::string& front = state->pieces.front();
    const size_t size = std::min(to.size(), front.size() - state->given);
    std::memcpy(to.data(), front.data() + state->given, size);
    state->given += size;
    state->bytes -= size;
    if (state->given == front.size()) {
      state->pieces.pop_front();
      state->given = 0;
    }
    const bool has_room = was_full && state->bytes < pipe_bytes_max;
    state.unlock();
    if (has_room) has_room_();
    return size;
  }

 private:
  struct State {
    std::deque<std::string> pieces;
    size_t given = 0;  // Of the first piece.
    size_t bytes = 0;  // Not given yet.
    std::optional<End> end;
  };
  Synced<State> state_;
  std::condition_variable changed_;
  const std::function<void()> has_room_;
};

asio::awaitable<void> HttpSession::refuse_for_now(const Request& request) {
  refusal_ = {503, Errc::unavailable, busy_words};
  co_await refuse(request);
}

asio::awaitable<bool> HttpSession::serve_streamed(Parser& parser, Request& request) {
  const SlowPlace place(pool_);
  if (!place.is_taken()) {  // Said before a client that asks first is told to send.
    co_await refuse_for_now(request);
    co_return false;
  }
  const bool is_there = co_await go_on(parser);
  if (!is_there) co_return false;
  BodyPipe pipe(waker());
  request.body_source = &pipe;
  request.body_bytes = *parser.content_length();
  Response response;
  bool is_done = false;  // Of this thread.
  const auto executor = timer_.get_executor();
  const bool added = pool_.try_add([&, executor] {
    response = handler_(request);
    asio::post(executor, [this, &is_done] {
      is_done = true;
      is_awake_ = true;
      timer_.cancel();
    });
  });
  if (!added) {
    co_await refuse_for_now(request);
    co_return false;
  }

  const uint64_t left = co_await fill(pipe, request.body_bytes, is_done);
  const bool is_gone = left > 0 && !is_done;
  pipe.end(is_gone ? BodyPipe::End::gone : BodyPipe::End::whole);
  phase_ = Phase::working;
  deadline_ = Instant::max();
  while (!is_done) co_await wait_for_wake();
  request.body_source = nullptr;
  if (is_gone) co_return false;
  const auto afterwards = left > 0 ? Afterwards::close : Afterwards::keep_open;
  const bool is_usable = co_await answer(parser, request, response, afterwards);
  if (left > 0) co_await drain();  // The client still sends, and has to get to reading the answer.
  co_return is_usable;
}

asio::awaitable<uint64_t> HttpSession::fill(BodyPipe& pipe, uint64_t bytes, const bool& is_done) {
  const auto start = [this] { deadline_ = std::chrono::steady_clock::now() + patience_; };
  start();
  while (bytes > 0 && !is_done) {
    if (pipe.is_full()) {
      deadline_ = Instant::max();  // It is not the client who is slow.
      co_await wait_for_wake();
      start();
      continue;
    }
    if (buffer_.size() == 0) {
      const bool received = co_await receive(read_bytes);
      if (!received) co_return bytes;
      allow_time_for(buffer_.size());
    }
    const size_t size = std::min<uint64_t>(bytes, buffer_.size());
    pipe.push(std::string(static_cast<const char*>(buffer_.data().data()), size));
    buffer_.consume(size);
    bytes -= size;
  }
  co_return bytes;
}

}  // namespace volary
