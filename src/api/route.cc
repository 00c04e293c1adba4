// api/route.cc: what a route's function asks of its call, and the two ends of JSON bodies.
#include "api/route.h"

#include <algorithm>
#include <charconv>

#include <unistd.h>

#include "api/pattern.h"

namespace volary {
namespace {

// Nothing if the text is no number of 64 bits.
std::optional<uint64_t> number_of(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::string names_of(const std::vector<QueryParameter>& parameters) {
  std::string names;
  for (const QueryParameter& one : parameters) names += (names.empty() ? "" : ", ") + one.name;
  return names;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

void check_value(const QueryParameter& parameter, const std::string& value) {
  const auto refuse = [&](const std::string& expected) {
    throw Error(Errc::invalid, "the query parameter '{}' is '{}': expected {}", parameter.name, value, expected);
  };
  if (parameter.kind == ParameterKind::number && !number_of(value)) refuse("a number");
  if (parameter.kind == ParameterKind::flag && value != "true" && value != "false" && !value.empty())
    refuse("true or false");
  if (!parameter.choices.empty() && std::ranges::find(parameter.choices, value) == parameter.choices.end())
    refuse("one of " + joined(parameter.choices));
}

}  // namespace

std::string_view word_of(Method method) {
  switch (method) {
    case Method::get: return "GET";
    case Method::post: return "POST";
    case Method::put: return "PUT";
    case Method::patch: return "PATCH";
    case Method::delete_: return "DELETE";
  }
  return "?";
}

// --- Call

Asker Call::asker() const { return request_.peer_uid == ::geteuid() ? Asker::own_user : Asker::other; }

void Call::check_query() const {
  const std::vector<QueryParameter>& known = route_.text.query;
  for (const auto& [name, value] : request_.query) {
    const auto found = std::ranges::find(known, name, &QueryParameter::name);
    if (found == known.end() && known.empty())
      throw Error(Errc::invalid, "there is no query parameter '{}' here: expected none", name);
    if (found == known.end())
      throw Error(Errc::invalid, "there is no query parameter '{}' here: expected one of {}", name, names_of(known));
    check_value(*found, value);
    const size_t times = request_.query.count(name);
    if (times > 1 && found->kind != ParameterKind::list)
      throw Error(Errc::invalid, "the query parameter '{}' is given {} times: expected once", name, times);
  }
  for (const QueryParameter& one : known)
    if (one.need == Need::required && !request_.query.contains(one.name))
      throw Error(Errc::invalid, "the query parameter '{}' is missing: expected {}", one.name, one.description);
}

const QueryParameter& Call::declared(const std::string& name, ParameterKind kind) const {
  for (const QueryParameter& one : route_.text.query)
    if (one.name == name && one.kind == kind) return one;
  throw Error(Errc::internal, "the route {} does not declare the query parameter '{}' of this kind", route_.text.name,
              name);
}

const std::string& Call::path(const std::string& name) const {
  const auto found = path_.find(name);
  if (found == path_.end()) throw Error(Errc::internal, "the route {} has no {{{}}}", route_.text.name, name);
  return found->second;
}

std::optional<std::string> Call::query(const std::string& name) const {
  return request_.parameter(declared(name, ParameterKind::text).name);
}

std::optional<uint64_t> Call::number(const std::string& name) const {
  const auto value = request_.parameter(declared(name, ParameterKind::number).name);
  return value ? number_of(*value) : std::nullopt;
}

bool Call::flag(const std::string& name) const {
  const auto value = request_.parameter(declared(name, ParameterKind::flag).name);
  return value && *value != "false";
}

std::vector<std::string> Call::list(const std::string& name) const {
  const auto [begin, end] = request_.query.equal_range(declared(name, ParameterKind::list).name);
  std::vector<std::string> values;
  for (auto one = begin; one != end; ++one) values.push_back(one->second);
  return values;
}

PageRequest Call::page() const {
  PageRequest page;
  page.cursor = query("cursor").value_or("");
  page.limit = number("limit").value_or(page_items_default);
  if (page.limit == 0 || page.limit > page_items_max)
    throw Error(Errc::invalid, "the query parameter 'limit' is {}: expected 1 to {}", page.limit, page_items_max);
  return page;
}

std::optional<std::string> Call::header(const std::string& lower_case_name) const {
  return request_.header(lower_case_name);
}

// --- Route

std::string_view Route::group() const {
  std::string_view path = pattern;
  if (path.starts_with("/api/v1/")) path.remove_prefix(8);
  else path.remove_prefix(1);
  return path.substr(0, path.find('/'));
}

void Route::check() const {
  parse_pattern(pattern);
  const auto refuse = [&](std::string_view what) {
    throw Error(Errc::internal, "the route {} {} {}", word_of(method), pattern, what);
  };
  if (text.name.empty()) refuse("has no name");
  if (text.summary.empty()) refuse("has no summary");
  if (body_schema && !text.body_type.empty()) refuse("has both a record and a body of its own type");
  if (method == Method::get && (body_schema || !text.body_type.empty())) refuse("is a GET with a body");
}

namespace route_detail {

json::value body_of(const Request& request) {
  if (request.body.empty()) return json::object{};
  const std::string type = request.header("content-type").value_or("application/json");
  if (!type.starts_with("application/json"))
    throw Error(Errc::invalid, "the request body is '{}': expected application/json", type);
  return parse_json(request.body, "the request body");
}

Response json_response(int status, const json::value& value) {
  Response response;
  response.status = status;
  response.body = print_json(value) + "\n";
  return response;
}

std::vector<QueryParameter> page_parameters() {
  std::vector<QueryParameter> parameters(2);
  parameters[0].name = "limit";
  parameters[0].description = fmt::format("items in one answer, 1 to {}; {} unless told", page_items_max,
                                          page_items_default);
  parameters[0].kind = ParameterKind::number;
  parameters[1].name = "cursor";
  parameters[1].description = "nextCursor of the answer before";
  return parameters;
}

}  // namespace route_detail
}  // namespace volary
