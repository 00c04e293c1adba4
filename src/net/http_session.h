// net/http_session.h: one client's connection: requests in, one after the other, answers out.
//
// Lives on the thread of one io_context, except for the handler and the stream's poll(), which run on the pool while
// the session waits. A deadline that the loop looks at now and then ends what is too slow; no operation has a timer.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include "net/conn.h"
#include "net/handler_pool.h"
#include "net/http_message.h"
#include "net/http_server.h"

namespace volary {

using Instant = std::chrono::steady_clock::time_point;

class HttpSession {
 public:
  using Streams = std::function<bool(const Request&)>;  // As in ServerOptions.
  HttpSession(std::unique_ptr<Conn> conn, const asio::any_io_executor& executor, const Handler& handler,
              const Streams& streams, HandlerPool& pool, std::chrono::milliseconds patience);
  ~HttpSession();

  // Serves until the client or end_soon() ends it.
  asio::awaitable<void> run();
  // No further request; a stream is broken off; a running handler is still answered.
  void end_soon();
  void close_if_late(Instant now);

 private:
  enum class Phase { reading, working, writing, streaming };
  enum class Got { whole, gone, refused };
  struct Refusal {
    int status = 0;
    Errc code = Errc::invalid;
    std::string detail;
  };
  enum class Protocol { http_1_0, http_1_1 };
  class Parser;
  class BodyPipe;

  asio::awaitable<bool> serve_one();  // Whether the connection can serve another.
  asio::awaitable<bool> serve_streamed(Parser& parser, Request& request);
  // How many of the bytes did not come: fewer than asked for where the handler has ended, all else: the client is gone.
  asio::awaitable<uint64_t> fill(BodyPipe& pipe, uint64_t bytes, const bool& is_done);
  asio::awaitable<bool> answer(Parser& parser, const Request& request, Response& response, Afterwards afterwards);
  asio::awaitable<void> hand_over(const Request& request, Response& response);
  asio::awaitable<void> drain();
  asio::awaitable<bool> go_on(Parser& parser);
  std::optional<Refusal> check_size(Parser& parser) const;
  static Refusal too_large();
  std::function<void()> waker();
  asio::awaitable<void> wait_for_wake();
  asio::awaitable<Got> read_head(Parser& parser);
  asio::awaitable<Got> read_body(Parser& parser);
  asio::awaitable<bool> receive(size_t bytes_max);
  void allow_time_for(size_t bytes);
  error_code feed(Parser& parser);
  void skip_empty_lines();
  std::optional<Refusal> check_head(Parser& parser, Request& request) const;
  asio::awaitable<void> refuse(const Request& request);
  asio::awaitable<void> refuse_for_now(const Request& request);
  asio::awaitable<bool> send(const Request& request, Response& response, Protocol protocol, Afterwards afterwards);
  asio::awaitable<bool> send_stream(Stream& stream, Body body);
  asio::awaitable<error_code> write(std::span<const std::string_view> pieces);
  asio::awaitable<void> pause(Instant stream_began);
  asio::awaitable<bool> run_on_pool(std::function<void()> work);

  std::unique_ptr<Conn> conn_;
  asio::steady_timer timer_;
  const Handler& handler_;
  const Streams& streams_;
  HandlerPool& pool_;
  const std::chrono::milliseconds patience_;
  boost::beast::flat_buffer buffer_;
  Phase phase_ = Phase::reading;
  Instant deadline_ = Instant::max();
  bool ending_ = false;
  bool is_awake_ = false;  // A waker was called since the last wait.
  const std::shared_ptr<bool> life_ = std::make_shared<bool>();  // Wakers may outlive the session, but not this.
  Refusal refusal_;  // Of Got::refused.
};

}  // namespace volary
