// net/curl_client.cc: libcurl behind net/http_client.h.
//
// Each call takes a line (an easy handle with the multi handle that owns its connections) from a pool and puts it
// back, so connections are reused by whoever comes next. The multi handle is there for one thing: curl_multi_wakeup
// ends a wait at once when the caller's stop_token asks for it. Exceptions of sources, sinks and on_headers are kept
// while C code unwinds and thrown again after it. Redirects are followed here and not by libcurl, because what goes
// along, and where to, is not what libcurl thinks of it.
//
// Or it only connects, guarded in the same way, and the socket is net/plain_client.h's from then on.
#include "net/curl_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

#include "core/error.h"
#include "core/synced.h"
#include "net/curl_library.h"
#include "net/curl_setup.h"
#include "net/request_words.h"

namespace volary {
namespace {

constexpr long receive_buffer_bytes = 512 << 10;  // The most libcurl 7.88 takes.
constexpr long send_buffer_bytes = 2 << 20;       // Likewise.
constexpr int redirects_max = 10;
constexpr size_t idle_lines_max = 64;
// A long body that comes in dribbles from afar is left to gather in the socket: waking up for each packet costs more
// than all else that is done with its bytes.
constexpr uint64_t long_body_bytes = 1 << 20;
constexpr uint64_t worth_waking_bytes = 64 << 10;
constexpr std::chrono::milliseconds gathering_time{1};
constexpr int poll_millis = 1000;  // How often libcurl looks at its own timers at the latest.

struct FreeMulti {
  void operator()(CURLM* multi) const { curl().multi_cleanup(multi); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl().slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, FreeList>;

// The members' order matters: the easy handle goes before the multi handle that holds its connections.
struct Line {
  std::unique_ptr<CURLM, FreeMulti> multi{curl().multi_init()};
  CurlEasy easy{curl().easy_init()};
};

void append(HeaderList& list, const std::string& line) {
  curl_slist* longer = curl().slist_append(list.get(), line.c_str());
  if (!longer) throw Error(Errc::exhausted, "no memory for the headers of a request");
  list.release();
  list.reset(longer);
}

// Where a request may go.
struct Reach {
  std::optional<AddressKind> from;  // Nothing: anywhere.
  std::string redirected_by{};      // The URL that began it, if this one was not asked for itself.
};

// One request on its way: what libcurl's callbacks read and write.
class Exchange {
 public:
  Exchange(const HttpRequest& request, Sink* sink, Line& line, Reach reach)
      : request_(request), sink_(sink), line_(line), reach_(std::move(reach)) {}

  HttpResponse run() {
    set_options();
    CURLcode code = perform();
    if (code == CURLE_SEND_ERROR && can_begin_again()) {
      set(CURLOPT_FRESH_CONNECT, 1L);
      sent_ = 0;
      code = perform();
    }
    if (thrown_) std::rethrow_exception(thrown_);
    if (code != CURLE_OK && refused_) throw refusal();
    if (request_.stop.stop_requested())
      throw Error(Errc::unavailable, "the request to {} was stopped", speakable(request_.url));
    if (code != CURLE_OK) throw curl_failure(request_, code, static_cast<const char*>(error_text_));
    response_.status = status();
    begin_body();
    const char* next = nullptr;
    if (is_redirect() && curl().easy_getinfo(line_.easy.get(), CURLINFO_REDIRECT_URL, &next) == CURLE_OK && next)
      redirection_ = next;
    if (thrown_) std::rethrow_exception(thrown_);
    return std::move(response_);
  }

  // The connection that the request would take, if nothing is between it and the server.
  Fd connect() {
    set(CURLOPT_ERRORBUFFER, static_cast<char*>(error_text_));
    set(CURLOPT_CONNECT_ONLY, 1L);
    only_connects_ = true;
    set_timeouts();
    set_way();
    const CURLcode code = perform();
    if (thrown_) std::rethrow_exception(thrown_);
    if (refused_) throw refusal();
    if (request_.stop.stop_requested())
      throw Error(Errc::unavailable, "the request to {} was stopped", speakable(request_.url));
    if (code != CURLE_OK) throw curl_failure(request_, code, static_cast<const char*>(error_text_));
    if (!socket_) throw Error(Errc::exhausted, "no descriptor for a connection to {}", speakable(request_.url));
    return std::move(socket_);
  }

  void set_up_trust(const HttpClientOptions& options) {
    set_up_curl(line_.easy.get(), request_, options.ca_file);
    const std::string host = host_of_url(request_.url);
    uses_proxy_ = !options.proxy.empty() && !is_without_proxy(host, options.no_proxy);
    if (!uses_proxy_) return;
    set(CURLOPT_PROXY, options.proxy.c_str());
    set(CURLOPT_NOPROXY, "");
    // The proxy finds the address, and is trusted with that; an address in the URL itself can be seen here.
    connected_ = kind_of_literal(host).value_or(AddressKind::open);
    if (!may_connect(*connected_, host)) throw refusal();
  }

  // What it was led to: the absolute URL, or "".
  const std::string& redirection() const { return redirection_; }
  std::optional<AddressKind> connected() const { return connected_; }

 private:
  template <class Value>
  void set(CURLoption option, Value value) {
    set_curl(line_.easy.get(), request_, option, value);
  }

  bool has_body() const {
    return request_.source || !request_.body.empty() || request_.method == "POST" || request_.method == "PUT" ||
           request_.method == "PATCH";
  }

  void set_options() {
    set(CURLOPT_BUFFERSIZE, receive_buffer_bytes);
    set(CURLOPT_ERRORBUFFER, static_cast<char*>(error_text_));
    set_timeouts();
    set_method();
    set_headers();
    set_way();
    set(CURLOPT_HEADERDATA, this);
    set(CURLOPT_HEADERFUNCTION, &Exchange::on_header);
    set(CURLOPT_WRITEDATA, this);
    set(CURLOPT_WRITEFUNCTION, &Exchange::on_write);
  }

  void set_way() {
    set_guards();
    if (request_.connect_to.empty()) return;
    append(connect_to_, "::" + request_.connect_to);
    set(CURLOPT_CONNECT_TO, connect_to_.get());
  }

  void set_timeouts() {
    const auto stall = static_cast<long>(std::min<uint64_t>(request_.stall_seconds, 1'000'000));
    set(CURLOPT_LOW_SPEED_LIMIT, 1L);
    set(CURLOPT_LOW_SPEED_TIME, stall);
    set(CURLOPT_TIMEOUT, static_cast<long>(std::min<uint64_t>(request_.seconds_max, 1'000'000)));
  }

  void set_method() {
    if (request_.method == "HEAD") {
      set(CURLOPT_NOBODY, 1L);
    } else if (has_body()) {
      set(CURLOPT_UPLOAD, 1L);
      set(CURLOPT_UPLOAD_BUFFERSIZE, send_buffer_bytes);
      set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(body_bytes()));
      set(CURLOPT_READDATA, this);
      set(CURLOPT_READFUNCTION, &Exchange::on_read);
      set(CURLOPT_SEEKDATA, this);
      set(CURLOPT_SEEKFUNCTION, &Exchange::on_seek);
    }
    if (request_.method != "HEAD") set(CURLOPT_CUSTOMREQUEST, request_.method.c_str());
    set(CURLOPT_FOLLOWLOCATION, 0L);
  }

  void set_headers() {
    append(headers_, "Expect:");  // A round trip before each body gains nothing here.
    for (const auto& [name, value] : request_.headers) {
      check_header(name, value);
      append(headers_, value.empty() ? name + ";" : name + ": " + value);  // libcurl's way to send an empty one.
    }
    set(CURLOPT_HTTPHEADER, headers_.get());
  }

  // Both are needed: no connection is opened to a wrong address, and none that was kept from another request is used.
  void set_guards() {
    if (uses_proxy_) return;
    set(CURLOPT_OPENSOCKETDATA, this);
    set(CURLOPT_OPENSOCKETFUNCTION, &Exchange::on_socket);
    set(CURLOPT_PREREQDATA, this);
    set(CURLOPT_PREREQFUNCTION, &Exchange::on_connected);
  }

  bool may_connect(AddressKind kind, std::string_view address) {
    if (!reach_.from || may_lead(*reach_.from, kind)) return true;
    refused_ = kind;
    refused_address_ = address;
    return false;
  }

  static curl_socket_t on_socket(void* self, curlsocktype, curl_sockaddr* to) {
    auto& exchange = *static_cast<Exchange*>(self);
    bool may = false;
    exchange.keep_exception([&] { may = exchange.may_connect(kind_of(to->addr), ""); });
    if (!may) return CURL_SOCKET_BAD;
    return ::socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
  }

  static int on_connected(void* self, char* address, char*, int, int) {
    auto& exchange = *static_cast<Exchange*>(self);
    bool may = false;
    exchange.keep_exception([&] {
      exchange.connected_ = kind_of_literal(address).value_or(AddressKind::link_local);
      may = exchange.may_connect(*exchange.connected_, address);
    });
    return may ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
  }

  Error refusal() const {
    const std::string where = speakable(request_.url);
    const std::string address = refused_address_.empty() ? "an address" : refused_address_;
    if (reach_.redirected_by.empty())
      return Error(Errc::denied, "{} leads to {} of {} by now: expected one of {}, as when it was made", where, address,
                   words_of(*refused_), words_of(*reach_.from));
    return Error(Errc::denied, "{} redirects to {}, {} of {}: expected one of {}", reach_.redirected_by, where, address,
                 words_of(*refused_), words_of(*reach_.from));
  }

  uint64_t body_bytes() const { return request_.source ? request_.source_bytes : request_.body.size(); }

  // A server may close a kept connection just as the next request goes out. libcurl sees to that itself only if it
  // learns of it by reading; where writing fails, nothing of the request can have been answered.
  bool can_begin_again() const {
    long made = 1;
    const bool was_kept = curl().easy_getinfo(line_.easy.get(), CURLINFO_NUM_CONNECTS, &made) == CURLE_OK && made == 0;
    return was_kept && !begun_ && !thrown_ && response_.headers.empty() && (!request_.source || sent_ == 0);
  }

  CURLcode perform() {
    CURLM* multi = line_.multi.get();
    if (const CURLMcode added = curl().multi_add_handle(multi, line_.easy.get()); added != CURLM_OK)
      throw Error(Errc::internal, "libcurl does not take the request: {}", curl().multi_strerror(added));
    CURLcode code = CURLE_ABORTED_BY_CALLBACK;
    const std::stop_callback wake(request_.stop, [multi] { curl().multi_wakeup(multi); });
    for (int running = 1; running && !request_.stop.stop_requested();) {
      const uint64_t before = received_;
      if (curl().multi_perform(multi, &running) != CURLM_OK) break;
      if (running && before > long_body_bytes && received_ - before < worth_waking_bytes)
        std::this_thread::sleep_for(gathering_time);
      if (running) curl().multi_poll(multi, nullptr, 0, poll_millis, nullptr);
    }
    int left = 0;
    while (const CURLMsg* message = curl().multi_info_read(multi, &left))
      if (message->msg == CURLMSG_DONE) code = message->data.result;
    if (code == CURLE_OK && only_connects_) take_socket();
    curl().multi_remove_handle(multi, line_.easy.get());  // Closes the connection if the exchange was cut short.
    return code;
  }

  // libcurl closes its own with the request.
  void take_socket() {
    curl_socket_t socket = CURL_SOCKET_BAD;
    curl().easy_getinfo(line_.easy.get(), CURLINFO_ACTIVESOCKET, &socket);
    if (socket != CURL_SOCKET_BAD) socket_ = Fd(::fcntl(socket, F_DUPFD_CLOEXEC, 0));
  }

  // Whether this answer is only the way to another.
  bool is_redirect() const {
    const bool is_read = request_.method == "GET" || request_.method == "HEAD";
    const int found = status();
    return request_.follow_redirects && is_read && !has_body() && response_.headers.contains("location") &&
           (found == 301 || found == 302 || found == 303 || found == 307 || found == 308);
  }

  int status() const {
    long number = 0;
    curl().easy_getinfo(line_.easy.get(), CURLINFO_RESPONSE_CODE, &number);
    return static_cast<int>(number);
  }

  // Runs what may throw inside a callback of libcurl, which is C and must not be unwound.
  template <class Work>
  bool keep_exception(Work work) noexcept {
    try {
      work();
      return true;
    } catch (...) {  // Thrown again by run().
      thrown_ = std::current_exception();
      return false;
    }
  }

  static size_t on_header(char* text, size_t, size_t size, void* self) {
    auto& exchange = *static_cast<Exchange*>(self);
    return exchange.keep_exception([&] { exchange.take_header({text, size}); }) ? size : 0;
  }

  void take_header(std::string_view line) {
    while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
    if (line.starts_with("HTTP/")) {  // Of an interim response, of a redirect or of the last one: only the last counts.
      response_.headers.clear();
      return;
    }
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) return;
    std::string name(line.substr(0, colon));
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    std::string_view value = line.substr(colon + 1);
    while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
    while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
    response_.headers.emplace(std::move(name), value);
  }

  static size_t on_write(char* bytes, size_t, size_t size, void* self) {
    auto& exchange = *static_cast<Exchange*>(self);
    if (exchange.request_.stop.stop_requested()) return size + 1;  // Any other number than `size` ends the request.
    exchange.begin_body();
    if (exchange.thrown_) return size + 1;
    return exchange.keep_exception([&] { exchange.take_body({bytes, size}); }) ? size : size + 1;
  }

  void begin_body() {
    if (std::exchange(begun_, true)) return;
    response_.status = status();
    if (request_.on_headers && !is_redirect()) keep_exception([&] { request_.on_headers(response_); });
  }

  void take_body(std::string_view bytes) {
    received_ += bytes.size();
    if (sink_ && response_.status >= 200 && response_.status < 300) return sink_->write(bytes);
    if (response_.body.size() + bytes.size() > response_body_bytes_max)
      throw Error(Errc::exhausted, "{} answers with more than the {} bytes that are taken of such a response",
                  speakable(request_.url), response_body_bytes_max);
    response_.body.append(bytes);
  }

  static size_t on_read(char* to, size_t, size_t size, void* self) {
    auto& exchange = *static_cast<Exchange*>(self);
    size_t given = 0;
    const bool is_whole = exchange.keep_exception([&] { given = exchange.give_body({to, size}); });
    return is_whole && !exchange.request_.stop.stop_requested() ? given : CURL_READFUNC_ABORT;
  }

  size_t give_body(std::span<char> to) {
    const size_t left = std::min<uint64_t>(to.size(), body_bytes() - sent_);
    if (left == 0) return 0;
    size_t given = left;
    if (request_.source) {
      given = request_.source->read(to.first(left));
      if (given == 0)
        throw Error(Errc::corrupt, "the body to send to {} ended after {} of {} bytes", speakable(request_.url), sent_,
                    body_bytes());
    } else {
      request_.body.copy(to.data(), left, sent_);
    }
    sent_ += given;
    return given;
  }

  // libcurl rewinds when a kept connection turns out to be dead; a source that gave bytes cannot be had again.
  static int on_seek(void* self, curl_off_t offset, int origin) {
    auto& exchange = *static_cast<Exchange*>(self);
    if (origin != SEEK_SET || offset < 0) return CURL_SEEKFUNC_CANTSEEK;
    const auto wanted = static_cast<uint64_t>(offset);
    if (exchange.request_.source && wanted != exchange.sent_) return CURL_SEEKFUNC_CANTSEEK;
    if (wanted > exchange.body_bytes()) return CURL_SEEKFUNC_FAIL;
    exchange.sent_ = wanted;
    return CURL_SEEKFUNC_OK;
  }

  const HttpRequest& request_;
  Sink* sink_;
  Line& line_;
  const Reach reach_;
  std::optional<AddressKind> connected_;
  std::optional<AddressKind> refused_;
  std::string refused_address_;
  std::string redirection_;
  bool uses_proxy_ = false;
  bool only_connects_ = false;
  Fd socket_;
  HeaderList headers_;
  HeaderList connect_to_;
  HttpResponse response_;
  uint64_t sent_ = 0;
  uint64_t received_ = 0;  // Of the body.
  bool begun_ = false;
  std::exception_ptr thrown_;
  char error_text_[CURL_ERROR_SIZE] = {};
};

class CurlClient final : public HttpClient {
 public:
  explicit CurlClient(const HttpClientOptions& options) : options_(options) {}

  HttpResponse send(const HttpRequest& request, Sink* sink) override {
    // Takes the line from the pool and, whatever happens, puts it back.
    struct Taken {
      explicit Taken(CurlClient& from) : client(from), line(from.take_line()) {}
      ~Taken() { client.put_back(std::move(line)); }
      CurlClient& client;
      std::unique_ptr<Line> line;
    };
    const Taken taken(*this);
    Reach reach{.from = options_.made_for};
    HttpRequest hop;  // A copy, from the first redirect on: until then that would cost a body.
    for (int redirects = 0;; ++redirects) {
      if (redirects > 0) curl().easy_reset(taken.line->easy.get());
      Exchange exchange(redirects > 0 ? hop : request, sink, *taken.line, reach);
      exchange.set_up_trust(options_);
      HttpResponse response = exchange.run();
      const std::string next = exchange.redirection();
      if (next.empty()) return response;
      if (redirects == redirects_max)
        throw Error(Errc::unavailable, "{} redirects more than {} times", speakable(request.url), redirects_max);
      if (options_.redirects == Redirects::guarded && !reach.from) reach.from = exchange.connected();
      reach.redirected_by = speakable(request.url);
      if (redirects == 0) hop = request;
      redirect(hop, next);
    }
  }

 private:
  // Turns `request` into the one that it was led to.
  static void redirect(HttpRequest& request, const std::string& next) {
    const std::string from = origin_of_url(request.url);
    const std::string to = origin_of_url(next);
    const bool is_known = to.starts_with("https://") || (to.starts_with("http://") && !from.starts_with("https://"));
    if (!is_known)
      throw Error(Errc::invalid, "{} redirects to {}: expected http or https, and never from https to http",
                  speakable(request.url), speakable(next));
    request.url = next;
    if (from == to) return;
    std::erase_if(request.headers, [](const auto& header) { return !may_travel(header.first); });
    request.connect_to.clear();
  }

  std::unique_ptr<Line> take_line() {
    auto idle = idle_.lock();
    if (!idle->empty()) {
      auto line = std::move(idle->back());
      idle->pop_back();
      return line;
    }
    idle.unlock();
    auto line = std::make_unique<Line>();
    if (!line->easy || !line->multi) throw Error(Errc::exhausted, "no memory for another connection");
    return line;
  }

  void put_back(std::unique_ptr<Line> line) {
    curl().easy_reset(line->easy.get());  // Forgets the options, which point into the request, keeps the connections.
    auto idle = idle_.lock();
    if (idle->size() < idle_lines_max) idle->push_back(std::move(line));
  }

  const HttpClientOptions options_;
  Synced<std::vector<std::unique_ptr<Line>>> idle_;
};

}  // namespace

Fd socket_by_curl(const HttpRequest& request, const HttpClientOptions& options) {
  Line line;
  if (!line.easy || !line.multi) throw Error(Errc::exhausted, "no memory for another connection");
  Exchange exchange(request, nullptr, line, {.from = options.made_for});
  exchange.set_up_trust(options);
  return exchange.connect();
}

std::unique_ptr<HttpClient> make_curl_client(const HttpClientOptions& options) {
  curl();
  return std::make_unique<CurlClient>(options);
}

}  // namespace volary
