// cli/client.cc: requests, problem documents and streams of cli/client.h.
#include "cli/client.h"

#include <chrono>
#include <thread>

#include "cli/reference.h"
#include "core/error_table.h"
#include "core/tree_path.h"
#include "record/problem.h"

namespace volary {
namespace {

constexpr uint64_t seconds_endless = 7 * 86400;
constexpr uint64_t soon_seconds = 2;
constexpr uint64_t storing_seconds = 900;  // A large object is put together by its store before the answer comes.
constexpr int attempts_max = 60;  // To connect again, one a second.
constexpr uint64_t page_items = 1000;

std::string with_query(std::string url, const Query& query) {
  char separator = '?';
  for (const auto& [key, value] : query) {
    url += separator + percent_encode(key) + "=" + percent_encode(value);
    separator = '&';
  }
  return url;
}

// Counts what passes.
class CountingSink final : public Sink {
 public:
  explicit CountingSink(Sink& next) : next_(next) {}
  void write(std::string_view bytes) override {
    next_.write(bytes);
    count_ += bytes.size();
    if (!bytes.empty()) is_at_line_start_ = bytes.back() == '\n';
  }
  uint64_t count() const { return count_; }
  bool is_at_line_start() const { return is_at_line_start_; }

 private:
  Sink& next_;
  uint64_t count_ = 0;
  bool is_at_line_start_ = true;
};

// Runs `work`; gives the Error that says the server cannot be reached just now, and lets all others pass.
// Here, and only here, the command line goes on after an Error: a server that restarts is not the end of a wait.
std::optional<Error> unavailable_from(const std::function<void()>& work) {
  try {
    work();
    return std::nullopt;
  } catch (const Error& error) {
    if (error.code() != Errc::unavailable) throw;
    return error;
  }
}

}  // namespace

Endpoint parse_endpoint(const std::string& server) {
  Endpoint endpoint{.base = server, .unix_socket = {}, .token = {}, .project = {}, .name = server};
  while (endpoint.base.ends_with('/')) endpoint.base.pop_back();
  if (server.starts_with("unix:/")) {
    endpoint.unix_socket = server.substr(5);
    endpoint.base = "http://localhost";
    return endpoint;
  }
  const size_t scheme = server.find("://");
  const std::string_view word = std::string_view(server).substr(0, scheme);
  const std::string rest =
      scheme == std::string::npos ? "" : endpoint.base.substr(std::min(scheme + 3, endpoint.base.size()));
  if ((word != "http" && word != "https") || rest.empty() || rest.find_first_of("/?#@ ") != std::string::npos)
    throw Error(Errc::invalid, "'{}' is no server: expected https://HOST[:PORT], http://HOST[:PORT] or unix:/PATH",
                server);
  return endpoint;
}

std::string api_path(std::initializer_list<std::string_view> segments) {
  std::string path = "/api/v1";
  for (const auto segment : segments) path += "/" + percent_encode(segment);
  return path;
}

void EventReader::write(std::string_view bytes) {
  partial_ += bytes;
  size_t start = 0;
  for (size_t end; (end = partial_.find('\n', start)) != std::string::npos; start = end + 1) {
    std::string_view line = std::string_view(partial_).substr(start, end - start);
    if (line.ends_with('\r')) line.remove_suffix(1);
    take_line(line);
  }
  partial_.erase(0, start);
}

void EventReader::take_line(std::string_view line) {
  if (line.empty()) {
    if (!content_.empty()) {
      content_.pop_back();  // The line end after the last line is not part of it.
      seen_(event_.empty() ? "message" : event_, content_);
    }
    event_.clear();
    content_.clear();
    return;
  }
  const size_t colon = line.find(':');
  const std::string_view field = line.substr(0, colon);
  std::string_view value = colon == std::string_view::npos ? "" : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "event") event_ = value;
  if (field == "id") last_id_ = value;
  if (field == "data") content_ += std::string(value) + "\n";
}

HttpRequest Client::request(std::string_view method, const std::string& path, const Query& query) const {
  HttpRequest request;
  request.method = method;
  request.url = with_query(endpoint_.base + path, query);
  request.unix_socket = endpoint_.unix_socket;
  request.headers.emplace_back("accept", "application/json");
  if (!endpoint_.token.empty()) request.headers.emplace_back("authorization", "Bearer " + endpoint_.token);
  if (!endpoint_.project.empty()) request.headers.emplace_back("volary-project", endpoint_.project);
  return request;
}

Client Client::in_project(const std::string& project) const {
  Client there = *this;
  there.endpoint_.project = project;
  return there;
}

HttpResponse Client::send(const HttpRequest& request, Sink* sink) {
  return during("asking " + endpoint_.name, [&] { return http_.send(request, sink); });
}

Error Client::error_of(const HttpResponse& response) const {
  const std::string type = response.header("content-type").value_or("");
  if (type.starts_with("application/problem+json")) {
    const auto problem =
        from_json<Problem>(parse_json(response.body, "the server's answer"), "problem", Unknown::ignore);
    Error error(errc_named(problem.code), Error::Text{problem.detail});
    for (const auto& line : problem.trail) error.add_to_trail(line);
    if (error.code() == Errc::internal && !problem.request_id.empty())
      error.add_to_trail("answering request " + problem.request_id);
    return error;
  }
  return {response.status >= 400 ? errc_of_http_status(response.status) : Errc::internal,
          "{} answered with status {} and without a reason: is it a Volary server?", endpoint_.name, response.status};
}

json::value Client::answer(const HttpResponse& response) const {
  if (response.status / 100 != 2) throw error_of(response);
  return response.body.empty() ? json::value() : parse_json(response.body, "the server's answer");
}

json::value Client::get(const std::string& path, const Query& query, Patience patience) {
  HttpRequest wanted = request("GET", path, query);
  if (patience == Patience::endless) wanted.stall_seconds = seconds_endless;
  return answer(send(wanted));
}

std::optional<json::value> Client::get_soon(const std::string& path) {
  HttpRequest asked = request("GET", path, {});
  asked.stall_seconds = soon_seconds;
  try {
    return answer(send(asked));
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::optional<json::value> Client::find(const std::string& path, const Query& query) {
  const HttpResponse response = send(request("GET", path, query));
  if (response.status == 404) return std::nullopt;
  return answer(response);
}

namespace {

// Throws `invalid` naming the text in `value` that is not UTF-8, which JSON has to be.
void refuse_other_encodings(const json::value& value) {
  const auto check = [](std::string_view text) {
    if (is_utf8(text)) return;
    throw Error(Errc::invalid, "'{}' is not UTF-8: expected text in that encoding", printable(text.substr(0, 200)));
  };
  if (const json::string* text = value.if_string()) check(*text);
  if (const json::array* items = value.if_array())
    for (const json::value& item : *items) refuse_other_encodings(item);
  if (const json::object* object = value.if_object())
    for (const auto& [key, item] : *object) {
      check(key);
      refuse_other_encodings(item);
    }
}

HttpRequest with_body(HttpRequest request, const json::value& body) {
  request.headers.emplace_back("content-type", "application/json");
  request.body = print_json(body);
  if (!is_utf8(request.body)) refuse_other_encodings(body);
  return request;
}

}  // namespace

json::value Client::post(const std::string& path, const json::value& body, const Query& query, Patience patience) {
  HttpRequest wanted = with_body(request("POST", path, query), body);
  if (patience == Patience::endless) wanted.stall_seconds = seconds_endless;
  return answer(send(wanted));
}

std::optional<json::value> Client::post_new(const std::string& path, const json::value& body) {
  const HttpResponse response = send(with_body(request("POST", path, {}), body));
  if (response.status / 100 == 2) return answer(response);
  const Error error = error_of(response);
  if (error.code() == Errc::exists) return std::nullopt;
  throw error;
}

json::value Client::patch(const std::string& path, const json::value& body) {
  return answer(send(with_body(request("PATCH", path, {}), body)));
}

void Client::put(const std::string& path) { answer(send(request("PUT", path, {}))); }

void Client::remove(const std::string& path) { answer(send(request("DELETE", path, {}))); }

void Client::remove_if_present(const std::string& path) {
  const HttpResponse response = send(request("DELETE", path, {}));
  if (response.status != 404) answer(response);
}

std::string Client::text(const std::string& path, const Query& query) {
  HttpResponse response = send(request("GET", path, query));
  if (response.status / 100 != 2) throw error_of(response);
  return std::move(response.body);
}

void Client::each_page(const std::string& path, Query query, const std::function<void(const json::array&)>& seen,
                       uint64_t limit) {
  query.emplace_back("limit", "");
  query.emplace_back("cursor", "");
  const size_t limit_at = query.size() - 2;
  std::optional<std::string> cursor;
  do {
    query[limit_at].second = std::to_string(std::min(limit, page_items));
    Query asked = query;
    if (cursor) asked.back().second = *cursor;
    else asked.pop_back();
    const json::value page = get(path, asked);
    const json::object* object = page.if_object();
    const json::value* items = object ? object->if_contains("items") : nullptr;
    if (!items || !items->is_array())
      throw Error(Errc::internal, "{} answered a list without 'items': is it a Volary server of this version?",
                  endpoint_.name);
    json::array part = items->get_array();
    if (part.size() > limit) part.resize(limit);
    limit -= part.size();
    seen(part);
    const json::value* next = object->if_contains("nextCursor");
    cursor = next && next->is_string() && !next->get_string().empty() ? std::optional(std::string(next->get_string()))
                                                                      : std::nullopt;
  } while (cursor && limit > 0);
}

json::array Client::list(const std::string& path, const Query& query, uint64_t limit) {
  json::array all;
  each_page(path, query, [&](const json::array& part) { all.insert(all.end(), part.begin(), part.end()); }, limit);
  return all;
}

json::value Client::send_bytes(std::string_view method, const std::string& path, const Query& query,
                               std::string bytes) {
  HttpRequest asked = request(method, path, query);
  asked.headers.emplace_back("content-type", "application/octet-stream");
  asked.body = std::move(bytes);
  return send_repeatedly(std::move(asked));
}

json::value Client::send_json(std::string_view method, const std::string& path, const Query& query,
                              const json::value& body) {
  return send_repeatedly(body.is_null() ? request(method, path, query)
                                        : with_body(request(method, path, query), body));
}

json::value Client::send_repeatedly(HttpRequest asked) {
  asked.stall_seconds = seconds_endless;
  json::value answered;
  keep_trying(
      [&] {
        answered = answer(send(asked));
        return Ended::yes;
      },
      [] { return uint64_t{0}; }, [] {});
  return answered;
}

void Client::stream_file(const std::string& path, const Query& query, uint64_t offset, const std::string& digest,
                         Sink& sink) {
  CountingSink counting(sink);
  keep_trying(
      [&] {
        HttpRequest asked = request("GET", path, query);
        const uint64_t from = offset + counting.count();
        const std::string tag = "\"" + digest + "\"";
        if (from > 0) asked.headers.emplace_back("range", fmt::format("bytes={}-", from));
        asked.on_headers = [&](const HttpResponse& response) {
          if (response.status / 100 != 2) return;
          if (response.header("etag") != tag || response.status != (from > 0 ? 206 : 200))
            throw Error(Errc::conflict, "{} answered with other content than was asked for: expected the digest {}",
                        endpoint_.name, digest);
        };
        const HttpResponse response = send(asked, &counting);
        if (response.status / 100 != 2) throw error_of(response);
        return Ended::yes;
      },
      [&] { return counting.count(); }, [] {});
}

json::value Client::put_bytes(const std::string& path, const Query& query, Source& source, uint64_t bytes) {
  HttpRequest wanted = request("PUT", path, query);
  wanted.headers.emplace_back("content-type", "application/octet-stream");
  wanted.source = &source;
  wanted.source_bytes = bytes;
  wanted.stall_seconds = storing_seconds;
  return answer(send(wanted));
}

void Client::post_stream(const std::string& path, const json::value& body, Sink& sink) {
  HttpRequest asked = request("POST", path, {});
  asked.body = print_json(body);
  asked.headers.emplace_back("content-type", "application/json");
  asked.stall_seconds = seconds_endless;
  const HttpResponse response = send(asked, &sink);
  if (response.status / 100 != 2) throw error_of(response);
}

void Client::stream(const std::string& path, const Query& query, Sink& sink, const Headers& headers,
                    const std::function<void(const HttpResponse&)>& on_headers) {
  HttpRequest asked = request("GET", path, query);
  asked.headers.insert(asked.headers.end(), headers.begin(), headers.end());
  asked.stall_seconds = seconds_endless;
  asked.on_headers = on_headers;
  const HttpResponse response = send(asked, &sink);
  if (response.status == 416)
    throw Error(Errc::invalid, "the range begins beyond the end of the file ({}): expected one within it",
                response.header("content-range").value_or("of unknown size"));
  if (response.status / 100 != 2) throw error_of(response);
}

void Client::keep_trying(const std::function<Ended()>& attempt, const std::function<uint64_t()>& received,
                         const std::function<void()>& lost) {
  bool is_lost = false;
  for (int failures = 0;;) {
    const uint64_t before = received();
    Ended ended = Ended::no;
    const auto error = unavailable_from([&] { ended = attempt(); });
    if (ended == Ended::yes) return;
    const bool has_received = received() > before;
    failures = has_received ? 0 : failures + 1;
    if (error && (has_received || !is_lost)) lost();
    is_lost = error.has_value();
    if (failures >= attempts_max) {
      if (error) throw *error;
      throw Error(Errc::unavailable, "{} keeps ending the stream of events without saying how it ends", endpoint_.name);
    }
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
}

void Client::follow(const std::string& path, const std::function<Ended(const json::value&)>& seen,
                    const std::function<void()>& lost, const Query& query) {
  uint64_t events = 0;
  std::string last_id;
  keep_trying(
      [&] {
        Ended ended = Ended::no;
        EventReader reader([&](const std::string&, const std::string& content) {
          ++events;
          if (ended == Ended::no) ended = seen(parse_json(content, "an event"));
        });
        const Headers headers = last_id.empty() ? Headers{} : Headers{{"last-event-id", last_id}};
        const auto error = unavailable_from([&] { stream(path, query, reader, headers); });
        if (!reader.last_id().empty()) last_id = reader.last_id();
        if (error && ended == Ended::no) throw *error;
        return ended;
      },
      [&] { return events; }, lost);
}

void Client::read_log(const std::string& path, const Query& wish, Until until, Sink& sink) {
  CountingSink counting(sink);
  std::optional<uint64_t> begin;  // Where the byte stands that came first after `count`.
  uint64_t count = 0;
  const auto note_begin = [&](const HttpResponse& response) {
    if (response.status / 100 != 2) return;
    const auto told = response.header("volary-log-offset");
    const uint64_t wanted = begin.value_or(0) + counting.count() - count;
    begin = told ? parse_count(*told, "the log's offset", 0) : wanted;
    count = counting.count();
    if (*begin != wanted && !counting.is_at_line_start()) sink.write("\n");  // The rest of its line was dropped.
  };
  keep_trying(
      [&] {
        Query query = wish;
        if (begin) {
          std::erase_if(query, [](const auto& one) { return one.first != "run"; });
          query.emplace_back("offset", std::to_string(*begin + counting.count() - count));
        }
        query.emplace_back("follow", until == Until::it_ends ? "true" : "false");
        stream(path, query, counting, {}, note_begin);
        return Ended::yes;
      },
      [&] { return counting.count(); }, [] {});
}

bool Client::is_alive() {
  bool alive = false;
  HttpRequest asked = request("GET", "/healthz", {});
  asked.stall_seconds = 5;
  unavailable_from([&] { alive = http_.send(asked).status / 100 == 2; });
  return alive;
}

}  // namespace volary
