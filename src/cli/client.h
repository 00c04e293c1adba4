// cli/client.h: Volary's API as the commands call it.
//
// Answers are JSON as they came, so that what a newer server adds is printed too; typed<Volume>(…) reads one into its
// record. A problem document becomes the Error it was at the server, with its trail.
#pragma once

#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/json.h"
#include "net/http_client.h"

namespace volary {

struct Endpoint {
  std::string base;         // "https://host:port", without a slash at the end.
  std::string unix_socket;  // Not empty: connect there.
  std::string token;
  std::string project;      // What is asked for is looked for there; "" is the one that the server chooses.
  std::string name;         // For messages: "https://host", "this machine's server".
};

// "https://host", "http://host:port" or "unix:/path". Throws `invalid`.
Endpoint parse_endpoint(const std::string& server);

using Query = std::vector<std::pair<std::string, std::string>>;

// {"volumes", "a b"} -> "/api/v1/volumes/a%20b"
std::string api_path(std::initializer_list<std::string_view> segments);

// Server-sent events (WHATWG HTML, 9.2) out of bytes that come in any pieces: calls `seen` with the data of each event.
class EventReader final : public Sink {
 public:
  explicit EventReader(std::function<void(const std::string& event, const std::string& content)> seen)
      : seen_(std::move(seen)) {}
  void write(std::string_view bytes) override;
  const std::string& last_id() const { return last_id_; }  // Of the newest event that had one.

 private:
  void take_line(std::string_view line);

  std::function<void(const std::string&, const std::string&)> seen_;
  std::string partial_;
  std::string event_;
  std::string content_;
  std::string last_id_;
};

enum class Ended { no, yes };  // Whether what is followed has come to its end.
enum class Until { now, it_ends };  // Of what grows.
// How long an answer without a byte is waited for: a minute, or as long as it takes.
enum class Patience { usual, endless };

class Client {
 public:
  Client(HttpClient& http, Endpoint endpoint) : http_(http), endpoint_(std::move(endpoint)) {}

  json::value get(const std::string& path, const Query& query = {}, Patience patience = Patience::usual);
  std::optional<json::value> find(const std::string& path, const Query& query = {});  // Nothing for not_found.
  std::optional<json::value> get_soon(const std::string& path);  // Nothing for whatever is no answer in two seconds.
  json::value post(const std::string& path, const json::value& body, const Query& query = {},
                   Patience patience = Patience::usual);
  // Nothing if the server answers `exists`.
  std::optional<json::value> post_new(const std::string& path, const json::value& body);
  json::value patch(const std::string& path, const json::value& body);
  void put(const std::string& path);
  // Sends `bytes` of `source`. Once: who can begin anew gives another source.
  json::value put_bytes(const std::string& path, const Query& query, Source& source, uint64_t bytes);
  void remove(const std::string& path);
  void remove_if_present(const std::string& path);
  // A text as it is: /openapi.json.
  std::string text(const std::string& path, const Query& query = {});

  // The items of a list, page by page, at most `limit`.
  void each_page(const std::string& path, Query query, const std::function<void(const json::array&)>& seen,
                 uint64_t limit = UINT64_MAX);
  json::array list(const std::string& path, const Query& query = {}, uint64_t limit = UINT64_MAX);

  // Sends bytes, again and again while the server does not answer, for up to a minute: what is sent so may come twice.
  json::value send_bytes(std::string_view method, const std::string& path, const Query& query, std::string bytes);
  json::value send_json(std::string_view method, const std::string& path, const Query& query, const json::value& body);
  // The bytes of a file from `offset` on into `sink`, as send_bytes. Throws `conflict` if its digest is not `digest`.
  void stream_file(const std::string& path, const Query& query, uint64_t offset, const std::string& digest, Sink& sink);

  // A stream of bytes into `sink`, once; with these headers besides.
  using Headers = std::vector<std::pair<std::string, std::string>>;
  void stream(const std::string& path, const Query& query, Sink& sink, const Headers& headers = {},
              const std::function<void(const HttpResponse&)>& on_headers = {});
  // The answer to a post as a stream of bytes into `sink`, once.
  void post_stream(const std::string& path, const json::value& body, Sink& sink);
  // Gives each event's record to `seen` until that says Ended::yes. Connects again when the connection breaks, for up
  // to a minute without any event; calls `lost` each time that the server begins not to answer.
  void follow(const std::string& path, const std::function<Ended(const json::value&)>& seen,
              const std::function<void()>& lost = [] {}, const Query& query = {});
  // A job's log, the same way. `wish`: "since", "tail", "run".
  void read_log(const std::string& path, const Query& wish, Until until, Sink& sink);

  // Whether something answers at all. Throws nothing.
  bool is_alive();
  // The same server, asked about another project.
  Client in_project(const std::string& project) const;
  const Endpoint& endpoint() const { return endpoint_; }
  bool is_local() const { return !endpoint_.unix_socket.empty(); }

 private:
  HttpRequest request(std::string_view method, const std::string& path, const Query& query) const;
  HttpResponse send(const HttpRequest& request, Sink* sink = nullptr);
  json::value send_repeatedly(HttpRequest asked);
  json::value answer(const HttpResponse& response) const;
  Error error_of(const HttpResponse& response) const;
  void keep_trying(const std::function<Ended()>& attempt, const std::function<uint64_t()>& received,
                   const std::function<void()>& lost);

  HttpClient& http_;
  Endpoint endpoint_;
};

template <class Record>
Record typed(const json::value& value) {
  return from_json<Record>(value, "answer", Unknown::ignore);
}

}  // namespace volary
