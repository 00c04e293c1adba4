// api/router.cc: the tree of paths, and the one place where errors become answers.
#include "api/router.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

#include "api/pattern.h"
#include "core/error_of.h"
#include "core/error_table.h"

namespace volary {
namespace {

using std::chrono::steady_clock;

// nullopt for a method that no route can have. HEAD is a GET whose body the server does not send.
std::optional<Method> method_named(std::string_view word) {
  if (word == "HEAD") return Method::get;
  for (const Method method : {Method::get, Method::post, Method::put, Method::patch, Method::delete_})
    if (word_of(method) == word) return method;
  return std::nullopt;
}

void print_to_stderr(std::string_view line) { fmt::print(stderr, "volary: {}\n", line); }

// A stream may go on for days: whether its reader still may is asked again every now and then. What breaks it off is
// told the operator, as its status was sent long before.
class GuardedStream final : public Stream {
 public:
  GuardedStream(std::unique_ptr<Stream> inner, std::function<void()> check, std::chrono::milliseconds check_every,
                std::function<void(std::string_view reason)> tell)
      : inner_(std::move(inner)), check_(std::move(check)), check_every_(check_every), tell_(std::move(tell)) {}

  std::optional<std::string> poll() override {
    try {
      if (steady_clock::now() >= checked_ + check_every_) check();
      return inner_->poll();
    } catch (const std::exception& error) {
      tell_(error.what());
      throw;
    }
  }
  void call_when_ready(std::function<void()> ready) override { inner_->call_when_ready(std::move(ready)); }

 private:
  // While nobody can say, as with a locked database, nobody can have revoked anything either.
  void check() {
    const auto refusal = error_of(check_);
    checked_ = steady_clock::now();
    if (refusal && refusal->code() != Errc::unavailable) throw *refusal;
  }

  std::unique_ptr<Stream> inner_;
  std::function<void()> check_;  // Throws if he may no more.
  const std::chrono::milliseconds check_every_;
  std::function<void(std::string_view reason)> tell_;
  steady_clock::time_point checked_ = steady_clock::now();
};

std::string subject_of(const Request& request) {
  return fmt::format("{} {} {}", request.id, request.method, request.path);
}

}  // namespace

Response problem_response(int status, const Error& error, const std::string& request_id) {
  Problem problem;
  problem.type = fmt::format("urn:volary:error:{}", name_of(error.code()));
  problem.title = row_of(error.code()).title;
  problem.status = status;
  problem.detail = error.message();
  problem.code = name_of(error.code());
  problem.trail = error.trail();
  problem.request_id = request_id;
  Response response = route_detail::json_response(status, to_json(problem));
  response.content_type = "application/problem+json";
  if (status == http_status_unauthenticated) response.headers.emplace_back("www-authenticate", "Bearer");
  if (error.code() == Errc::unavailable) response.headers.emplace_back("retry-after", "1");
  return response;
}

// --- the tree of paths

// What may follow the path up to here. A literal is tried before a value, a value before a rest.
struct Router::Node {
  std::map<std::string, std::unique_ptr<Node>, std::less<>> literals;
  std::unique_ptr<Node> value;
  std::unique_ptr<Node> rest;
  std::map<Method, size_t> routes;  // Of the path that ends here.

  using Segments = std::vector<std::string>;
  // Calls visit(node) for each node that `segments`, from `at` on, lead to.
  template <class Visit>
  void visit_matches(const Segments& segments, size_t at, const Visit& visit) const {
    if (at == segments.size()) return visit(*this);
    if (const auto literal = literals.find(segments[at]); literal != literals.end())
      literal->second->visit_matches(segments, at + 1, visit);
    if (value && !segments[at].empty()) value->visit_matches(segments, at + 1, visit);
    if (rest) visit(*rest);
  }
};

struct Router::Match {
  const Route* route = nullptr;
  std::set<Method> allowed;  // Of all routes with this path.
};

namespace {

Call::PathValues path_values(const Route& route, const std::vector<std::string>& segments) {
  Call::PathValues values;
  size_t at = 0;
  for (const PatternSegment& one : parse_pattern(route.pattern)) {
    if (one.kind == SegmentKind::value) values[one.text] = segments[at];
    if (one.kind == SegmentKind::rest) {
      std::string& text = values[one.text];
      for (size_t i = at; i < segments.size(); ++i) text += (i == at ? "" : "/") + segments[i];
    }
    ++at;
  }
  return values;
}

}  // namespace

Router::Router(std::vector<Route> routes, Gate& gate, Log log, std::chrono::milliseconds check_every)
    : routes_(std::move(routes)), gate_(gate), log_(log ? std::move(log) : Log(print_to_stderr)),
      check_streams_every_(check_every), root_(std::make_unique<Node>()) {
  std::set<std::string> names;
  for (size_t i = 0; i < routes_.size(); ++i) {
    insert(i);
    if (!names.insert(routes_[i].text.name).second)
      throw Error(Errc::internal, "two routes are named {}", routes_[i].text.name);
  }
}

Router::~Router() = default;

void Router::insert(size_t index) {
  const Route& route = routes_[index];
  Node* node = root_.get();
  for (const PatternSegment& segment : parse_pattern(route.pattern)) {
    std::unique_ptr<Node>& next = segment.kind == SegmentKind::literal ? node->literals[segment.text]
                                  : segment.kind == SegmentKind::value ? node->value
                                                                       : node->rest;
    if (!next) next = std::make_unique<Node>();
    node = next.get();
  }
  if (!node->routes.emplace(route.method, index).second)
    throw Error(Errc::internal, "two routes answer {} {}", word_of(route.method), route.pattern);
}

Router::Match Router::find(const Request& request) const {
  const std::optional<Method> method = method_named(request.method);
  Match match;
  root_->visit_matches(request.segments, 0, [&](const Node& node) {
    for (const auto& [word, index] : node.routes) {
      match.allowed.insert(word);
      if (!match.route && word == method) match.route = &routes_[index];
    }
  });
  return match;
}

// --- answering

// What a call came to; the error is kept for the audit.
struct Router::Answered {
  Response response;
  std::optional<Error> error;
};

template <class Work>
Router::Answered Router::guarded(const Request& request, Work work) const {
  try {
    return work();
  } catch (const Error& error) {
    if (error.code() == Errc::internal) log_(fmt::format("{}: {}", subject_of(request), error.what()));
    return failed(request, row_of(error.code()).http_status, error);
  } catch (const std::exception& error) {
    log_(fmt::format("{}: unexpected: {}", subject_of(request), error.what()));
    return failed(request, row_of(Errc::internal).http_status,
                  Error(Errc::internal, "something unexpected went wrong; the server's log has it under {}",
                        request.id));
  }
}

Router::Answered Router::failed(const Request& request, int status, const Error& error) const {
  return Answered{problem_response(status, error, request.id), error};
}

bool Router::streams(const Request& request) const {
  const Match match = find(request);
  return match.route && match.route->text.body_comes == BodyComes::streamed;
}

Response Router::answer(const Request& request) const {
  const Match match = find(request);
  if (match.route) return answer_route(request, *match.route);
  if (match.allowed.empty())
    return failed(request, 404, Error(Errc::not_found, "there is no '{}' here", request.path)).response;
  std::string allowed;
  for (const Method method : match.allowed) {
    allowed += (allowed.empty() ? "" : ", ") + std::string(word_of(method));
    if (method == Method::get) allowed += ", HEAD";
  }
  Response response = failed(request, 405, Error(Errc::invalid, "'{}' cannot be asked by {}: expected {}", request.path,
                                                 request.method, allowed)).response;
  response.headers.emplace_back("allow", allowed);
  return response;
}

bool Router::admit(const Request& request, const Route& route, Caller& caller) const {
  if (route.permission == Permission::public_) return true;
  std::optional<Caller> known = gate_.authenticate(request);
  if (!known) return false;
  caller = std::move(*known);
  gate_.choose_project(caller, request);
  if (route.permission != Permission::everyone) gate_.authorize(caller, route.permission, request);
  return true;
}

// `caller` stays in the project that the stream is of: which is the first that they may use can change meanwhile.
std::unique_ptr<Stream> Router::guard(std::unique_ptr<Stream> stream, const Request& request, const Route& route,
                                      const Caller& caller) const {
  Request asked = request;
  asked.body.clear();
  asked.body_source = nullptr;
  const auto check = [this, asked, &route, caller] {
    if (route.permission == Permission::public_) return;
    if (!gate_.authenticate(asked)) throw Error(Errc::denied, "its token is valid no more");
    if (route.permission != Permission::everyone) gate_.authorize(caller, route.permission, asked);
  };
  const auto tell = [log = log_, subject = subject_of(request)](std::string_view reason) {
    log(fmt::format("{}: the stream broke off: {}", subject, reason));
  };
  return std::make_unique<GuardedStream>(std::move(stream), check, check_streams_every_, tell);
}

Response Router::answer_route(const Request& request, const Route& route) const {
  Caller caller;
  bool let_in = false;
  Answered answered = guarded(request, [&] {
    if (!admit(request, route, caller))
      return failed(request, http_status_unauthenticated,
                    Error(Errc::denied, "no valid token: expected the header 'Authorization: Bearer TOKEN'"));
    let_in = true;
    const Call call(request, route, caller, path_values(route, request.segments));
    call.check_query();
    return Answered{route.answer(call), std::nullopt};
  });
  if (answered.response.stream)
    answered.response.stream = guard(std::move(answered.response.stream), request, route, caller);

  const bool is_refusal = answered.error && (!let_in || answered.error->code() == Errc::denied);
  if (route.method == Method::get && !is_refusal) return std::move(answered.response);
  Answered recorded = guarded(request, [&] {
    CallOutcome outcome{request, route, caller, answered.response.status, std::nullopt, ""};
    if (answered.error) {
      outcome.code = answered.error->code();
      outcome.message = answered.error->message();
    }
    gate_.record(outcome);
    return Answered();
  });
  return std::move(recorded.error ? recorded.response : answered.response);
}

}  // namespace volary
