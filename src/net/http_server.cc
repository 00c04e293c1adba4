// net/http_server.cc: the threads of the server, what they listen to, and how it all ends.
//
// Each connection belongs to one loop: one io_context on one thread, so that nothing of it needs a lock. The first loop
// accepts and deals connections out in turn.
#include "net/http_server.h"

#include <atomic>
#include <cerrno>
#include <mutex>
#include <set>
#include <thread>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "core/error.h"
#include "net/http_session.h"
#include "net/listener.h"

namespace volary {
namespace {

using asio::posix::stream_descriptor;
constexpr auto as_tuple = asio::as_tuple(asio::use_awaitable);
constexpr size_t connections_max = 8192;
constexpr std::chrono::milliseconds accept_pause{100};  // When the process has no descriptor left.

// One thread and its connections. Everything but post(), join() and the constructor runs on that thread.
class Loop {
 public:
  Loop(const Handler& handler, const HttpSession::Streams& streams, HandlerPool& pool,
       std::chrono::milliseconds patience)
      : handler_(handler), streams_(streams), pool_(pool), patience_(patience), tick_(io_),
        work_(asio::make_work_guard(io_)) {
    asio::co_spawn(io_, [this] { return watch_deadlines(); }, asio::detached);
  }

  void start() {
    thread_ = std::jthread([this] { io_.run(); });
  }

  void join() {
    if (thread_.joinable()) thread_.join();
  }

  asio::io_context& io() { return io_; }
  size_t connections() const { return connections_; }

  void post_connection(Fd socket) {
    ++connections_;
    asio::post(io_, [this, socket = std::move(socket)]() mutable {
      asio::co_spawn(io_, serve(std::move(socket)), asio::detached);
    });
  }

  void post_end() {
    asio::post(io_, [this] {
      ending_ = true;
      for (HttpSession* session : sessions_) session->end_soon();
      tick_.cancel();
      work_.reset();
    });
  }

 private:
  asio::awaitable<void> serve(Fd socket) {
    // Whatever ends this, the session is off the list before it is gone.
    struct Listed {
      Loop& loop;
      HttpSession& session;
      Listed(Loop& loop_, HttpSession& session_) : loop(loop_), session(session_) { loop.sessions_.insert(&session); }
      ~Listed() {
        loop.sessions_.erase(&session);
        if (loop.ending_) loop.tick_.cancel();  // Nothing may be left to watch.
        --loop.connections_;
      }
    };
    HttpSession session(make_socket_conn(io_.get_executor(), std::move(socket)), io_.get_executor(), handler_,
                        streams_, pool_, patience_);
    const Listed listed(*this, session);
    if (ending_) session.end_soon();
    co_await session.run();
  }

  asio::awaitable<void> watch_deadlines() {
    const auto pause = std::clamp(patience_ / 4, std::chrono::milliseconds(10), std::chrono::milliseconds(1000));
    while (!ending_ || !sessions_.empty()) {
      tick_.expires_after(pause);
      co_await tick_.async_wait(as_tuple);
      const Instant now = std::chrono::steady_clock::now();
      for (HttpSession* session : sessions_) session->close_if_late(now);
    }
  }

  const Handler& handler_;
  const HttpSession::Streams& streams_;
  HandlerPool& pool_;
  const std::chrono::milliseconds patience_;
  asio::io_context io_{1};
  asio::steady_timer tick_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::set<HttpSession*> sessions_;
  std::atomic<size_t> connections_ = 0;
  bool ending_ = false;
  std::jthread thread_;
};

class Server final : public HttpServer {
 public:
  Server(const ServerOptions& options, Handler handler)
      : handler_(std::move(handler)), streams_(options.streams), pool_(options.handler_threads, options.queue_max) {
    if (!options.host.empty()) tcp_ = listen_tcp(options.host, options.port);
    if (!options.unix_socket.empty()) unix_.emplace(options.unix_socket);
    for (size_t i = 0; i < std::max<size_t>(options.threads, 1); ++i)
      loops_.push_back(std::make_unique<Loop>(handler_, streams_, pool_, options.patience));
    if (tcp_.socket) accept_from(tcp_.socket.get());
    if (unix_) accept_from(unix_->fd());
    for (const auto& loop : loops_) loop->start();
  }

  ~Server() override { stop(); }

  uint16_t port() const override { return tcp_.port; }

  void stop() override {
    if (!ending_.exchange(true)) {
      asio::post(loops_[0]->io(), [this] {
        for (const auto& acceptor : acceptors_) acceptor->cancel();
      });
      for (const auto& loop : loops_) loop->post_end();
    }
    if (pool_.is_own_thread()) return;  // A handler cannot wait for its own end.
    const std::lock_guard one_at_a_time(joining_);
    for (const auto& loop : loops_) loop->join();
    pool_.end();
    acceptors_.clear();
    unix_.reset();
    tcp_.socket.close();
  }

 private:
  // The listener's descriptor is only borrowed.
  struct Acceptor {
    Acceptor(asio::io_context& io, int fd) : descriptor(io, fd), pause(io) {}
    ~Acceptor() { descriptor.release(); }
    void cancel() {
      descriptor.cancel();
      pause.cancel();
    }
    stream_descriptor descriptor;
    asio::steady_timer pause;
  };

  void accept_from(int fd) {
    acceptors_.push_back(std::make_unique<Acceptor>(loops_[0]->io(), fd));
    asio::co_spawn(loops_[0]->io(), accept(*acceptors_.back()), asio::detached);
  }

  asio::awaitable<void> accept(Acceptor& acceptor) {
    while (!ending_) {
      Fd socket(::accept4(acceptor.descriptor.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (socket) {
        deal_out(std::move(socket));
        continue;
      }
      const int number = errno;
      if (number == EAGAIN) {
        co_await acceptor.descriptor.async_wait(stream_descriptor::wait_read, as_tuple);
      } else if (number == EMFILE || number == ENFILE || number == ENOBUFS || number == ENOMEM) {
        acceptor.pause.expires_after(accept_pause);
        co_await acceptor.pause.async_wait(as_tuple);
      }  // Anything else belongs to the one connection that failed: the next may be well.
    }
  }

  void deal_out(Fd socket) {
    size_t open = 0;
    for (const auto& loop : loops_) open += loop->connections();
    if (open >= connections_max) return;  // Closed by its Fd.
    const int on = 1;
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // A Unix socket does not know it: no matter.
    loops_[next_++ % loops_.size()]->post_connection(std::move(socket));
  }

  Handler handler_;
  HttpSession::Streams streams_;
  TcpListener tcp_;
  std::optional<UnixListener> unix_;
  HandlerPool pool_;
  std::vector<std::unique_ptr<Loop>> loops_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;  // On the first loop, from the constructor to stop().
  size_t next_ = 0;
  std::atomic<bool> ending_ = false;
  std::mutex joining_;
};

}  // namespace

std::optional<std::string> Request::header(const std::string& lower_case_name) const {
  const auto found = headers.find(lower_case_name);
  return found == headers.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::string> Request::parameter(const std::string& name) const {
  const auto found = query.find(name);
  return found == query.end() ? std::nullopt : std::optional(found->second);
}

std::unique_ptr<HttpServer> start_http_server(const ServerOptions& options, Handler handler) {
  return std::make_unique<Server>(options, std::move(handler));
}

}  // namespace volary
