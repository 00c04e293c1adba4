// api/route.h: one entry of the route table, and what its function gets and gives.
//
//   routes.push_back({Method::post, "/api/v1/volumes", Permission::volume_create,
//                     {.name = "create_volume", .summary = "Makes an empty volume", .status = 201},
//                     [&](const Call& call, const NewVolume& wanted) { return volumes.create(call, wanted); }});
//
// From the function's type follow how the body is read (strictly, by core/json.h), how the answer is written, and both
// schemas in the API's description. It may take (const Call&) or (const Call&, Record), and return
//   a record      written as JSON
//   Page<Record>  a page; the parameters `limit` and `cursor` are declared with it
//   Reply<Record> a record with headers or a status of its own
//   void          204, no content
//   Response      as it stands: text, a stream
// It runs on several threads at once, may block, and throws Error.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "access/caller.h"
#include "access/permission.h"
#include "api/schema.h"
#include "core/json.h"
#include "net/http_server.h"
#include "record/problem.h"

namespace volary {

enum class Method { get, post, put, patch, delete_ };
std::string_view word_of(Method method);  // "GET"

enum class Need { optional, required };
enum class ParameterKind {
  text,
  number,  // Of 0 to 2^64 - 1.
  flag,    // "true" or "false"; "?flag" alone is true.
  list,    // Texts: the parameter may be given several times.
};

// What is not declared is refused, and so is a value of another kind.
struct QueryParameter {
  std::string name;
  std::string description;
  Need need = Need::optional;
  ParameterKind kind = ParameterKind::text;
  std::vector<std::string> choices = {};  // All the texts there are; empty: any.
};

constexpr uint64_t page_items_default = 100;
constexpr uint64_t page_items_max = 1000;

// Which part of a list is asked for.
struct PageRequest {
  std::string cursor;  // "" is the start.
  uint64_t limit = page_items_default;  // 1 to page_items_max.
};

struct Route;

// One request to one route, by somebody who may.
class Call {
 public:
  using PathValues = std::map<std::string, std::string>;
  Call(const Request& request, const Route& route, Caller caller, PathValues path)
      : request_(request), route_(route), caller_(std::move(caller)), path_(std::move(path)) {}

  const Request& request() const { return request_; }
  const Route& route() const { return route_; }
  const Caller& caller() const { return caller_; }
  Asker asker() const;

  // Throws `invalid` if the query is not what the route declares. The router calls it.
  void check_query() const;

  // Asking for a name that the route does not declare is `internal`: a bug in its function.
  const std::string& path(const std::string& name) const;               // "{name}" of the pattern, decoded.
  std::optional<std::string> query(const std::string& name) const;      // text
  std::optional<uint64_t> number(const std::string& name) const;        // number
  bool flag(const std::string& name) const;                             // flag; false if absent.
  std::vector<std::string> list(const std::string& name) const;         // list
  PageRequest page() const;                                             // Of a route that returns a Page.
  std::optional<std::string> header(const std::string& lower_case_name) const;

 private:
  const QueryParameter& declared(const std::string& name, ParameterKind kind) const;

  const Request& request_;
  const Route& route_;
  Caller caller_;
  PathValues path_;
};

// A record with a status or headers of its own.
template <class Record>
struct Reply {
  Record record;
  int status = 0;  // 0: the route's.
  std::vector<std::pair<std::string, std::string>> headers = {};
};

enum class BodyComes {
  whole,     // In request().body, at most body_bytes_max.
  streamed,  // In request().body_source where it is large, of any size.
};

struct RouteText {
  std::string name;              // In the API's description and in the audit: "create_volume". Unique.
  std::string summary;           // One line.
  std::string description = "";
  std::vector<QueryParameter> query = {};
  int status = 0;                // Of success; 0: 200, or 204 for void.
  std::string body_type = "";    // Content type of a body that the function reads itself from request().body.
  std::string answer_type = "";  // Content type of a Response.
  BodyComes body_comes = BodyComes::whole;
};

struct Route {
  using SchemaMaker = json::value (*)(Schemas&, Direction);

  // Pattern: "/api/v1/volumes/{name}"; "{path*}" as the last segment is all the rest, one segment or more.
  // Throws `internal` if the pattern or the text is not well formed.
  template <class Act>
  Route(Method method, std::string pattern, Permission permission, RouteText text, Act act);

  Method method;
  std::string pattern;
  Permission permission;
  RouteText text;
  SchemaMaker body_schema = nullptr;    // nullptr: no JSON body.
  SchemaMaker answer_schema = nullptr;  // nullptr: no content, or text.answer_type.
  std::function<Response(const Call&)> answer;

  // "volumes" of "/api/v1/volumes/{name}".
  std::string_view group() const;

 private:
  void check() const;
};

namespace route_detail {

template <class Act>
struct Signature;
template <class F, class R>
struct Signature<R (F::*)(const Call&) const> {
  using Result = R;
  using Body = void;
};
template <class F, class R, class B>
struct Signature<R (F::*)(const Call&, B) const> {
  using Result = R;
  using Body = std::remove_cvref_t<B>;
};

template <class T>
struct is_page : std::false_type {};
template <class T>
struct is_page<Page<T>> : std::true_type {};
// What a result holds as JSON.
template <class T>
struct record_of {
  using type = T;
};
template <class T>
struct record_of<Reply<T>> {
  using type = T;
};

template <class T>
json::value make_schema(Schemas& schemas, Direction direction) {
  return schemas.schema_of<T>(direction);
}

// The request's body; an empty one is the empty object. Throws `invalid`.
json::value body_of(const Request& request);
Response json_response(int status, const json::value& value);
std::vector<QueryParameter> page_parameters();

template <class T>
Response respond(int status, const T& record) {
  return json_response(status, to_json(record));
}
template <class T>
Response respond(int status, const Reply<T>& reply) {
  Response response = json_response(reply.status ? reply.status : status, to_json(reply.record));
  response.headers = reply.headers;
  return response;
}
inline Response respond(int, Response&& response) { return std::move(response); }

}  // namespace route_detail

template <class Act>
Route::Route(Method method_, std::string pattern_, Permission permission_, RouteText text_, Act act)
    : method(method_), pattern(std::move(pattern_)), permission(permission_), text(std::move(text_)) {
  using namespace route_detail;
  using Result = typename Signature<decltype(&Act::operator())>::Result;
  using Body = typename Signature<decltype(&Act::operator())>::Body;
  using Record = typename record_of<Result>::type;
  constexpr bool is_raw = std::is_same_v<Result, Response>;

  if (text.status == 0) text.status = std::is_void_v<Result> ? 204 : 200;
  if constexpr (!std::is_void_v<Body>) body_schema = make_schema<Body>;
  if constexpr (!std::is_void_v<Result> && !is_raw) answer_schema = make_schema<Record>;
  if constexpr (is_page<Record>::value)
    for (QueryParameter& one : page_parameters()) text.query.push_back(std::move(one));

  const auto run = [act = std::move(act)](const Call& call) -> Result {
    if constexpr (std::is_void_v<Body>) return act(call);
    else return act(call, from_json<Body>(body_of(call.request()), "body"));
  };
  answer = [run, status = text.status](const Call& call) {
    if constexpr (std::is_void_v<Result>) {
      run(call);
      Response response;
      response.status = status;
      return response;
    } else {
      return respond(status, run(call));
    }
  };
  check();
}

}  // namespace volary
