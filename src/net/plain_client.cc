// net/plain_client.cc: one request after the other over a kept connection, with Beast's parser; for net/plain_client.h.
//
// Sending and receiving go on beside each other, because a server may answer before it has all of the body: then the
// rest is not sent. The caller's stop_token shuts the socket down, which ends each wait at once.
#include "net/plain_client.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <system_error>
#include <thread>

#include "core/error.h"
#include "core/stream.h"
#include "net/request_words.h"
#include "net/wire.h"

namespace volary {
namespace {

constexpr size_t received_bytes_max = answer_head_bytes_max;  // At a time.
constexpr size_t sent_bytes_max = 256 << 10;
constexpr size_t idle_connections_max = 64;  // To one server.
constexpr auto idle_time_max = std::chrono::seconds(60);  // Longer, and whatever stands between may have forgotten it.
constexpr uint64_t connect_seconds_max = 30;
constexpr size_t joined_bytes_max = 16 << 10;  // A body that goes out together with its head.
// A long body that comes in dribbles from afar is left to gather in the socket: waking up for each packet costs more
// than all else that is done with its bytes.
constexpr uint64_t long_body_bytes = 1 << 20;
constexpr ssize_t worth_waking_bytes = 64 << 10;
constexpr std::chrono::milliseconds gathering_time{1};

using Clock = std::chrono::steady_clock;

std::optional<Clock::time_point> end_of(const HttpRequest& request) {
  if (request.seconds_max == 0) return std::nullopt;
  return Clock::now() + std::chrono::seconds(std::min<uint64_t>(request.seconds_max, 1'000'000));
}

// What goes out first, and how much of the body is in it.
struct Opening {
  std::string text;
  uint64_t body_bytes = 0;
};

Opening opening_of(const HttpRequest& request) {
  Opening opening{head_of(request)};
  if (request.source || request.body.size() > joined_bytes_max) return opening;
  opening.text += request.body;
  opening.body_bytes = request.body.size();
  return opening;
}

// One request on its way over one connection.
class PlainExchange {
 public:
  PlainExchange(const HttpRequest& request, const Opening& opening, Sink* sink, PlainConnection& connection,
                std::optional<Clock::time_point> end_at)
      : request_(request), sink_(sink), fd_(connection.socket.get()), end_at_(end_at), unsent_(opening.text),
        given_(opening.body_bytes), received_(connection.room.get()) {}

  // Nothing if the connection was dead before anything of an answer came.
  std::optional<HttpResponse> run() {
    const std::stop_callback wake(request_.stop, [this] { ::shutdown(fd_, SHUT_RDWR); });
    answer_.emplace(request_, sink_, response_);
    send_some();  // There is room, as a rule.
    while (!is_over_) {
      check_stop();
      const short ready = wait();
      if (ready & (POLLIN | POLLHUP | POLLERR)) receive();
      else if (ready & POLLOUT) send_some();
      if (is_dead_) return std::nullopt;
    }
    check_stop();
    return std::move(response_);
  }

  bool may_be_kept() const { return is_all_sent() && begin_ == end_ && !has_ended_ && answer_->keep_alive(); }
  bool may_begin_again() const { return !request_.source || given_ == 0; }

 private:
  void check_stop() const {
    if (request_.stop.stop_requested())
      throw Error(Errc::unavailable, "the request to {} was stopped", speakable(request_.url));
  }

  Error failure(std::string_view what) const {
    return Error(Errc::unavailable, "the request to {} failed: {}", speakable(request_.url), what);
  }

  uint64_t body_bytes() const { return request_.source ? request_.source_bytes : request_.body.size(); }
  bool is_all_sent() const { return unsent_.empty() && given_ == body_bytes(); }

  // How long to wait, for poll: -1 is for ever.
  int patience_millis() const {
    const uint64_t stall = request_.stall_seconds == 0 ? INT32_MAX : request_.stall_seconds * 1000;
    if (request_.stall_seconds == 0 && !end_at_) return -1;
    int64_t left = INT32_MAX;
    if (end_at_) left = std::chrono::ceil<std::chrono::milliseconds>(*end_at_ - Clock::now()).count();
    return static_cast<int>(std::clamp<int64_t>(left, 0, std::min<uint64_t>(stall, INT32_MAX)));
  }

  // What the socket is ready for.
  short wait() const {
    pollfd waiting{fd_, static_cast<short>(is_all_sent() || cannot_send_ ? POLLIN : POLLIN | POLLOUT), 0};
    const int found = ::poll(&waiting, 1, patience_millis());
    if (found < 0 && errno != EINTR) throw failure(std::generic_category().message(errno));
    if (end_at_ && Clock::now() >= *end_at_)
      throw Error(Errc::unavailable, "{} has not answered within {} s", speakable(request_.url), request_.seconds_max);
    if (found == 0)
      throw Error(Errc::unavailable, "{} does not answer, or nothing moved for {} s", speakable(request_.url),
                  request_.stall_seconds);
    return found < 0 ? short{0} : waiting.revents;
  }

  void send_some() {
    if (unsent_.empty()) unsent_ = next_of_body();
    const ssize_t sent = ::send(fd_, unsent_.data(), unsent_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) return unsent_.remove_prefix(static_cast<size_t>(sent));
    if (errno == EAGAIN || errno == EINTR) return;
    cannot_send_ = true;  // It may have answered before it closed: what it said comes first.
  }

  std::string_view next_of_body() {
    const size_t left = std::min<uint64_t>(sent_bytes_max, body_bytes() - given_);
    if (!request_.source) {
      const std::string_view part = std::string_view(request_.body).substr(given_, left);
      given_ += part.size();
      return part;
    }
    if (!body_part_) body_part_ = std::make_unique_for_overwrite<char[]>(sent_bytes_max);
    const size_t size = request_.source->read({body_part_.get(), left});
    if (size == 0)
      throw Error(Errc::corrupt, "the body to send to {} ended after {} of {} bytes", speakable(request_.url), given_,
                  body_bytes());
    given_ += size;
    return {body_part_.get(), size};
  }

  // A long body comes up to the next of its blocks: a sink that works by blocks then need not put them together.
  size_t room() const {
    const auto whole = answer_->is_header_done() ? answer_->content_length() : boost::none;
    const size_t all = received_bytes_max - end_;
    if (!whole || *whole < long_body_bytes || end_ > 0) return all;
    return std::min<uint64_t>(all, block_bytes - (*whole - *answer_->content_length_remaining()) % block_bytes);
  }

  void receive() {
    const ssize_t size = ::recv(fd_, received_ + end_, room(), MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size <= 0) return end_of_stream(size < 0 ? std::generic_category().message(errno) : "it closed the connection");
    end_ += static_cast<size_t>(size);
    parse();
    const bool is_long = all_received_ > long_body_bytes;
    all_received_ += static_cast<uint64_t>(size);
    if (is_long && size < worth_waking_bytes && !is_over_ && request_.unix_socket.empty())
      std::this_thread::sleep_for(gathering_time);
  }

  void parse() {
    error_code error;
    while (begin_ < end_ && !error && !is_over_) {
      begin_ += answer_->put({received_ + begin_, end_ - begin_}, error);
      if (!error && answer_->is_done()) finish();
    }
    if (error && error != http::error::need_more) throw failure(error.message());
    if (begin_ < end_) std::memmove(received_, received_ + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    if (end_ == received_bytes_max) throw failure("the head of its answer is too long");
  }

  void end_of_stream(const std::string& why) {
    check_stop();
    has_ended_ = true;
    is_dead_ = !answer_->got_some() && end_ == 0 && response_.status == 0;
    if (is_dead_) return;
    if (!answer_->got_some()) throw failure("its answer broke off: " + why);  // Behind an interim one, say.
    error_code error;
    answer_->put_eof(error);
    if (error || !answer_->is_done()) throw failure("its answer broke off: " + why);
    finish();
  }

  void finish() {
    is_over_ = !answer_->is_interim();
    if (!is_over_) answer_.emplace(request_, sink_, response_);
  }

  const HttpRequest& request_;
  Sink* sink_;
  const int fd_;
  const std::optional<Clock::time_point> end_at_;
  std::string_view unsent_;  // Of the head, then of the part of the body that was given last.
  uint64_t given_;           // Of the body.
  std::unique_ptr<char[]> body_part_;
  char* const received_;
  size_t begin_ = 0;  // Of what was received and not parsed.
  size_t end_ = 0;
  uint64_t all_received_ = 0;
  HttpResponse response_;
  std::optional<AnswerParser> answer_;
  bool cannot_send_ = false;
  bool has_ended_ = false;
  bool is_dead_ = false;
  bool is_over_ = false;
};

// Whether a kept connection is still open and has nothing to say, as it should.
bool is_quiet(int fd) {
  pollfd now{fd, POLLIN, 0};
  return ::poll(&now, 1, 0) == 0;
}

}  // namespace

Fd connect_to_socket(const HttpRequest& request) {
  const std::string& socket = request.unix_socket;
  const auto fail = [&](int number) {
    return Error(Errc::unavailable, "the request to {} failed: cannot connect to '{}': {}", speakable(request.url),
                 socket, std::generic_category().message(number));
  };
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket.size() >= sizeof address.sun_path) throw fail(ENAMETOOLONG);
  socket.copy(static_cast<char*>(address.sun_path), socket.size());
  Fd connection(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!connection) throw fail(errno);
  // While too many wait there, connect() waits too: by pieces, so that the caller is heard.
  constexpr timeval piece{0, 100'000};
  ::setsockopt(connection.get(), SOL_SOCKET, SO_SNDTIMEO, &piece, sizeof piece);
  uint64_t seconds = connect_seconds_max;
  for (const uint64_t wish : {request.stall_seconds, request.seconds_max})
    if (wish > 0) seconds = std::min(seconds, wish);
  const auto end = Clock::now() + std::chrono::seconds(seconds);
  while (::connect(connection.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
    if ((errno != EAGAIN && errno != EINTR) || request.stop.stop_requested() || Clock::now() >= end) throw fail(errno);
  }
  return connection;
}

// Whose connections it may use: those to the same socket, or to the same host and port by the same way.
std::string PlainClient::server_of(const HttpRequest& request) {
  if (!request.unix_socket.empty()) return request.unix_socket;
  return request.url.substr(0, request.url.find_first_of("/?#", sizeof "http://" - 1)) + " " + request.connect_to;
}

std::optional<PlainConnection> PlainClient::take_kept(const std::string& server) {
  auto idle = idle_.lock();
  std::vector<PlainConnection>& stock = (*idle)[server];
  while (!stock.empty()) {
    PlainConnection connection = std::move(stock.back());
    stock.pop_back();
    if (Clock::now() - connection.idle_since < idle_time_max && is_quiet(connection.socket.get())) return connection;
  }
  return std::nullopt;
}

void PlainClient::keep(const std::string& server, PlainConnection connection) {
  connection.idle_since = Clock::now();
  auto idle = idle_.lock();
  std::vector<PlainConnection>& stock = (*idle)[server];
  if (stock.size() < idle_connections_max) stock.push_back(std::move(connection));
}

PlainConnection PlainClient::connect(const HttpRequest& request) const {
  Fd socket = request.unix_socket.empty() ? connect_over_tcp_(request) : connect_to_socket(request);
  return {std::move(socket), std::make_unique_for_overwrite<char[]>(received_bytes_max), {}};
}

HttpResponse PlainClient::send(const HttpRequest& request, Sink* sink) {
  if (request.stop.stop_requested())
    throw Error(Errc::unavailable, "the request to {} was stopped", speakable(request.url));
  const Opening opening = opening_of(request);
  const std::string server = server_of(request);
  const auto end_at = end_of(request);
  auto kept = take_kept(server);
  while (true) {
    const bool was_kept = kept.has_value();
    PlainConnection connection = was_kept ? *std::exchange(kept, std::nullopt) : connect(request);
    PlainExchange exchange(request, opening, sink, connection, end_at);
    auto response = exchange.run();
    if (response) {
      if (exchange.may_be_kept()) keep(server, std::move(connection));
      return *std::move(response);
    }
    // A server may close a kept connection just as the next request goes out: nothing of that can have been answered.
    if (!was_kept || !exchange.may_begin_again())
      throw Error(Errc::unavailable, "the request to {} failed: it closed the connection without an answer",
                  speakable(request.url));
  }
}

}  // namespace volary
