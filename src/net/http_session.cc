// net/http_session.cc: reading requests with Beast's parser (its put(), none of its asynchronous operations), writing
// answers.
//
// For g++ 12: no braces that build an object in an expression with a co_await.
#include "net/http_session.h"

#include <algorithm>
#include <array>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "core/fault.h"
#include "core/random.h"
#include "net/http_session_parser.h"

namespace volary {

namespace beast = boost::beast;
namespace http = boost::beast::http;

namespace {

// A body's framing (chunk sizes, trailers) may not take more than this in one piece.
constexpr size_t framing_bytes_max = head_bytes_max + read_bytes;
constexpr size_t ignored_bytes_max = 64 << 20;  // Of a refused request, so that its sender reads the answer.
// A stream with nothing to send is asked again after an eighth of its age, within these: what ends soon is told soon,
// and what takes long costs little.
constexpr std::chrono::milliseconds pause_min{2};
constexpr std::chrono::milliseconds pause_max{100};
constexpr int pause_share = 8;
constexpr std::chrono::seconds ending_patience{5};

Instant now() { return std::chrono::steady_clock::now(); }

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

void collect_headers(const http::fields& fields, Request& request) {
  for (const auto& field : fields) {
    std::string name(view(field.name_string()));
    for (char& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    const auto [known, is_new] = request.headers.try_emplace(name, view(field.value()));
    if (!is_new) known->second.append(name == "cookie" ? "; " : ", ").append(view(field.value()));
  }
}

// Calls stream.poll(); false if it threw. The dispatcher that gave us the stream has logged why.
bool poll_stream(Stream& stream, std::optional<std::string>& bytes) {
  try {
    bytes = stream.poll();
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace

HttpSession::HttpSession(std::unique_ptr<Conn> conn, const asio::any_io_executor& executor, const Handler& handler,
                         const Streams& streams, HandlerPool& pool, std::chrono::milliseconds patience)
    : conn_(std::move(conn)), timer_(executor), handler_(handler), streams_(streams), pool_(pool),
      patience_(patience) {}

HttpSession::~HttpSession() = default;

asio::awaitable<void> HttpSession::run() {
  bool more = true;
  while (more && !ending_) more = co_await serve_one();
  conn_->close();
}

void HttpSession::end_soon() {
  ending_ = true;
  if (phase_ == Phase::reading) conn_->close();
  else deadline_ = phase_ == Phase::working ? Instant::max() : std::min(deadline_, now() + ending_patience);
  timer_.cancel();
}

void HttpSession::close_if_late(Instant at) {
  if (at > deadline_) conn_->close();
}

asio::awaitable<bool> HttpSession::serve_one() {
  phase_ = Phase::reading;
  deadline_ = now() + patience_;
  Parser parser;
  parser.header_limit(head_bytes_max);
  parser.body_limit(boost::none);  // check_size() comes to it, when it is known whose body it is.

  Request request;
  request.id = new_id("req");
  request.peer_uid = conn_->peer_uid();
  Got got = co_await read_head(parser);
  if (got == Got::whole) {
    if (const auto wrong = check_head(parser, request)) {
      refusal_ = *wrong;
      got = Got::refused;
    } else if (streams_ && parser.content_length().value_or(0) >= streamed_bytes_min && streams_(request)) {
      const bool is_usable = co_await serve_streamed(parser, request);
      co_return is_usable;
    } else if (const auto too_large = check_size(parser)) {
      refusal_ = *too_large;
      got = Got::refused;
    } else {
      got = co_await read_body(parser);
    }
  }
  if (got == Got::refused) co_await refuse(request);
  if (got != Got::whole) co_return false;
  request.body = std::move(parser.get().body());
  request.body_bytes = request.body.size();

  phase_ = Phase::working;
  deadline_ = Instant::max();
  Response response;
  const bool accepted = co_await run_on_pool([&] { response = handler_(request); });
  if (!accepted) response = refusal(503, Errc::unavailable, busy_words, request.id);
  const bool is_usable = co_await answer(parser, request, response, Afterwards::keep_open);
  co_return is_usable;
}

// Whether the connection can serve another request.
asio::awaitable<bool> HttpSession::answer(Parser& parser, const Request& request, Response& response,
                                          Afterwards afterwards) {
  fault::point("http.answer");  // All is done and the client does not know. An error here ends the connection.
  if (response.take_over) {
    co_await hand_over(request, response);
    co_return false;
  }
  const auto protocol = parser.get().version() == 11 ? Protocol::http_1_1 : Protocol::http_1_0;
  const bool keep = parser.keep_alive() && !ending_ && protocol == Protocol::http_1_1 &&
                    afterwards == Afterwards::keep_open;
  const bool sent = co_await send(request, response, protocol, keep ? Afterwards::keep_open : Afterwards::close);
  if (response.stream) {
    // What it holds may take time to let go of.
    const bool freed = co_await run_on_pool([&] { response.stream.reset(); });
    if (!freed) response.stream.reset();
  }
  co_return sent && keep;
}

// A client that has said more than its request before it was answered is not to be understood.
asio::awaitable<void> HttpSession::hand_over(const Request& request, Response& response) {
  phase_ = Phase::writing;
  const std::string head = fmt::format(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {}\r\nX-Request-Id: {}\r\n\r\n",
      response.protocol, request.id);
  const std::string_view piece = head;
  const error_code failed = co_await write(std::span(&piece, 1));
  if (failed || buffer_.size() > 0) co_return;
  Fd connection = conn_->release();
  co_await run_on_pool([&] { response.take_over(std::move(connection)); });
}

// --- reading

HttpSession::Refusal HttpSession::too_large() {
  return {413, Errc::invalid, fmt::format("the body of the request has more than {} bytes", body_bytes_max)};
}

// False if the client is gone.
asio::awaitable<bool> HttpSession::receive(size_t bytes_max) {
  const auto space = buffer_.prepare(bytes_max);
  const std::span<char> to(static_cast<char*>(space.data()), space.size());
  const Conn::Received received = co_await conn_->read_some(to);
  buffer_.commit(received.bytes);
  co_return !received.error;
}

// What came fast earns no right to stay silent for longer.
void HttpSession::allow_time_for(size_t bytes) {
  deadline_ = std::min(deadline_ + time_for(bytes), now() + 2 * patience_);
}

// Gives the parser what has come.
error_code HttpSession::feed(Parser& parser) {
  error_code error;
  buffer_.consume(parser.put(buffer_.data(), error));
  if (error == http::error::need_more) error = {};
  if (!error) return error;
  if (error == http::error::header_limit)
    refusal_ = {431, Errc::invalid, fmt::format("the head of the request has more than {} bytes", head_bytes_max)};
  else if (error == http::error::body_limit)
    refusal_ = too_large();
  else
    refusal_ = {400, Errc::invalid, "this is no HTTP/1.1 request: " + error.message()};
  return error;
}

// RFC 9112, 2.2: empty lines before a request are skipped.
void HttpSession::skip_empty_lines() {
  while (buffer_.size() > 0) {
    const char first = *static_cast<const char*>(buffer_.data().data());
    if (first != '\r' && first != '\n') return;
    buffer_.consume(1);
  }
}

asio::awaitable<HttpSession::Got> HttpSession::read_head(Parser& parser) {
  bool started = false;
  for (;;) {
    if (!started) skip_empty_lines();
    if (buffer_.size() > 0) {
      if (!started) deadline_ = now() + patience_;
      started = true;
      if (feed(parser)) co_return Got::refused;
      if (parser.is_header_done()) co_return Got::whole;
    }
    const bool received = co_await receive(head_bytes_max);
    if (!received) co_return Got::gone;
  }
}

// Fills all of the request but its body. Trailers, which come later, cannot change it.
std::optional<HttpSession::Refusal> HttpSession::check_head(Parser& parser, Request& request) const {
  const auto& head = parser.get();
  request.method = view(head.method_string());
  collect_headers(head, request);
  if (head.version() != 11) request.headers.erase("upgrade");  // RFC 9110, 7.8
  if (head.version() == 11 && head.count(http::field::host) != 1)
    return Refusal{400, Errc::invalid, "the request has no single Host header"};
  if (!read_target(view(head.target()), request))
    return Refusal{400, Errc::invalid, fmt::format("the request target is '{}': expected a path", view(head.target()))};
  // Anything else could be read in two ways, by us and by a proxy before us.
  const auto encoding = head.find(http::field::transfer_encoding);
  if (encoding != head.end() && !beast::iequals(encoding->value(), "chunked"))
    return Refusal{501, Errc::invalid,
                   fmt::format("the transfer encoding is '{}': expected chunked", view(encoding->value()))};
  const auto expected = head.find(http::field::expect);
  if (expected != head.end() && !beast::iequals(expected->value(), "100-continue"))
    return Refusal{417, Errc::invalid, fmt::format("'{}' is expected: only 100-continue is known",
                                                   view(expected->value()))};
  return std::nullopt;
}

// Of a body that is not streamed; from here on the parser sees to one of unknown size.
std::optional<HttpSession::Refusal> HttpSession::check_size(Parser& parser) const {
  if (parser.content_length().value_or(0) > body_bytes_max) return too_large();
  parser.body_limit(body_bytes_max);
  return std::nullopt;
}

// Tells a client that asks first to send its body; false if it is gone.
asio::awaitable<bool> HttpSession::go_on(Parser& parser) {
  const bool is_expected = parser.get().count(http::field::expect) > 0 && parser.get().version() == 11;
  if (!is_expected || parser.is_done() || buffer_.size() > 0) co_return true;
  const std::string_view text = "HTTP/1.1 100 Continue\r\n\r\n";
  const error_code failed = co_await conn_->write(std::span(&text, 1));
  co_return !failed;
}

asio::awaitable<HttpSession::Got> HttpSession::read_body(Parser& parser) {
  const bool is_there = co_await go_on(parser);
  if (!is_there) co_return Got::gone;
  parser.eager(true);
  deadline_ = now() + patience_;
  while (!parser.is_done()) {
    if (buffer_.size() > 0 && feed(parser)) co_return Got::refused;
    if (parser.is_done()) break;
    if (buffer_.size() > framing_bytes_max) {
      refusal_ = {400, Errc::invalid, "the chunks of the request's body are not well formed"};
      co_return Got::refused;
    }
    const size_t before = buffer_.size();
    const bool received = co_await receive(read_bytes);
    if (!received) co_return Got::gone;
    allow_time_for(buffer_.size() - before);
  }
  co_return Got::whole;
}

// --- answering

// Runs `work` on the pool and comes back to this thread; false, at once, if the pool has too much to do.
asio::awaitable<bool> HttpSession::run_on_pool(std::function<void()> work) {
  const auto start = [this, &work](auto&& done) {
    // Shared, because std::function copies; whoever holds it last is this thread, never the pool's.
    auto shared = std::make_shared<std::decay_t<decltype(done)>>(std::move(done));
    const auto executor = timer_.get_executor();
    const bool added = pool_.try_add([work, shared, executor]() mutable {
      work();
      asio::post(executor, [shared = std::move(shared)] { (*shared)(true); });
    });
    if (!added) asio::post(executor, [shared = std::move(shared)] { (*shared)(false); });
  };
  const bool ran = co_await asio::async_initiate<const asio::use_awaitable_t<>, void(bool)>(start, asio::use_awaitable);
  co_return ran;
}

asio::awaitable<void> HttpSession::pause(Instant stream_began) {
  if (ending_) co_return;
  if (is_awake_) {
    is_awake_ = false;
    co_return;
  }
  timer_.expires_after(std::clamp<Instant::duration>((now() - stream_began) / pause_share, pause_min, pause_max));
  co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
  is_awake_ = false;
}

// Ends the next wait of this session, from any thread. Does nothing when the session is gone.
std::function<void()> HttpSession::waker() {
  return [this, life = std::weak_ptr<bool>(life_), executor = timer_.get_executor()] {
    asio::post(executor, [this, life] {
      if (life.expired()) return;
      is_awake_ = true;
      timer_.cancel();
    });
  };
}

asio::awaitable<void> HttpSession::wait_for_wake() {
  if (!is_awake_) {
    timer_.expires_at(Instant::max());
    co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  is_awake_ = false;
}

asio::awaitable<error_code> HttpSession::write(std::span<const std::string_view> pieces) {
  size_t bytes = 0;
  for (const std::string_view piece : pieces) bytes += piece.size();
  deadline_ = now() + time_for(bytes) + (ending_ ? std::min<std::chrono::milliseconds>(patience_, ending_patience)
                                                 : patience_);
  const error_code failed = co_await conn_->write(pieces);
  deadline_ = Instant::max();
  co_return failed;
}

// Whether all went out.
asio::awaitable<bool> HttpSession::send(const Request& request, Response& response, Protocol protocol,
                                        Afterwards afterwards) {
  Body body = Body::sized;
  if (response.stream && !response.stream_bytes)
    body = protocol == Protocol::http_1_1 ? Body::chunked : Body::until_close;
  if (response.status == 204 || response.status == 304) body = Body::none;
  const bool has_body = body != Body::none && request.method != "HEAD";
  phase_ = has_body && response.stream ? Phase::streaming : Phase::writing;

  const std::string head = print_head(response, body, afterwards, request.id);
  std::array<std::string_view, 2> pieces = {head};
  if (has_body && !response.stream) pieces[1] = response.body;
  const error_code failed = co_await write(pieces);
  if (failed) co_return false;
  if (phase_ != Phase::streaming) co_return true;
  const bool ended = co_await send_stream(*response.stream, body);
  co_return ended;
}

// Whether the stream came to its end and all of it went out.
asio::awaitable<bool> HttpSession::send_stream(Stream& stream, Body body) {
  const Instant began = now();
  stream.call_when_ready(waker());
  while (!ending_ && !conn_->is_gone()) {
    std::optional<std::string> bytes;
    bool is_whole = true;
    const bool polled = co_await run_on_pool([&] { is_whole = poll_stream(stream, bytes); });
    if (!is_whole) co_return false;
    if (!polled || (bytes && bytes->empty())) {
      co_await pause(began);
      continue;
    }
    const bool is_end = !bytes;
    if (is_end) bytes.emplace();
    const std::string size = body == Body::chunked ? fmt::format("{:x}\r\n", bytes->size()) : "";
    const std::string_view line_end = body == Body::chunked ? "\r\n" : "";
    const std::array<std::string_view, 3> pieces = {size, *bytes, line_end};
    const error_code failed = co_await write(pieces);
    if (failed) co_return false;
    if (is_end) co_return true;
  }
  co_return false;
}

// Answers, and goes on reading for a while: closing with bytes unread would reset the connection before the client has
// read the answer.
asio::awaitable<void> HttpSession::refuse(const Request& request) {
  phase_ = Phase::writing;
  Response response = refusal(refusal_.status, refusal_.code, refusal_.detail, request.id);
  const bool sent = co_await send(request, response, Protocol::http_1_1, Afterwards::close);
  if (sent) co_await drain();
}

asio::awaitable<void> HttpSession::drain() {
  conn_->finish_writing();
  phase_ = Phase::reading;
  deadline_ = now() + std::min<std::chrono::milliseconds>(patience_, ending_patience);
  for (size_t ignored = 0; ignored < ignored_bytes_max && !ending_;) {
    buffer_.clear();
    const bool received = co_await receive(read_bytes);
    if (!received) co_return;
    ignored += buffer_.size();
  }
}

}  // namespace volary
