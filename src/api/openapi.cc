// api/openapi.cc: OpenAPI 3.1.0 from api/route.h's table.
//
// Answers are described before requests, so that a struct which travels both ways keeps its name in answers.
#include "api/openapi.h"

#include <memory>

#include "api/pattern.h"

namespace volary {
namespace {

std::string_view meaning_of(int status) {
  switch (status) {
    case 200: return "The answer.";
    case 201: return "It was made.";
    case 202: return "Accepted; the work goes on.";
    case 204: return "Done.";
    default: return "Success.";
  }
}

// OpenAPI knows no "{path*}".
std::string described_path(const Route& route) {
  std::string path;
  for (const PatternSegment& segment : parse_pattern(route.pattern))
    path += segment.kind == SegmentKind::literal ? "/" + segment.text : "/{" + segment.text + "}";
  return path.empty() ? "/" : path;
}

json::object query_schema(const QueryParameter& parameter) {
  json::object schema;
  switch (parameter.kind) {
    case ParameterKind::text: schema = {{"type", "string"}}; break;
    case ParameterKind::number: schema = {{"type", "integer"}, {"minimum", 0}}; break;
    case ParameterKind::flag: schema = {{"type", "boolean"}}; break;
    case ParameterKind::list: schema = {{"type", "string"}}; break;
  }
  if (!parameter.choices.empty()) {
    json::array choices;
    for (const std::string& choice : parameter.choices) choices.emplace_back(choice);
    schema.emplace("enum", std::move(choices));
  }
  if (parameter.kind != ParameterKind::list) return schema;
  return json::object{{"type", "array"}, {"items", std::move(schema)}};
}

json::array parameters_of(const Route& route) {
  json::array parameters;
  for (const PatternSegment& segment : parse_pattern(route.pattern)) {
    if (segment.kind == SegmentKind::literal) continue;
    json::object parameter{{"name", segment.text}, {"in", "path"}, {"required", true}};
    if (segment.kind == SegmentKind::rest)
      parameter.emplace("description", "May hold '/': it is all the rest of the path.");
    parameter.emplace("schema", json::object{{"type", "string"}});
    parameters.push_back(std::move(parameter));
  }
  for (const QueryParameter& one : route.text.query) {
    json::object parameter{{"name", one.name}, {"in", "query"}, {"description", one.description}};
    parameter.emplace("required", one.need == Need::required);
    parameter.emplace("schema", query_schema(one));
    parameters.push_back(std::move(parameter));
  }
  return parameters;
}

json::object content_of(const std::string& type, json::value schema) {
  json::object media;
  if (!schema.is_null()) media.emplace("schema", std::move(schema));
  return json::object{{type, std::move(media)}};
}

json::object responses_of(const Route& route, Schemas& schemas) {
  json::object success{{"description", meaning_of(route.text.status)}};
  if (route.answer_schema)
    success.emplace("content", content_of("application/json", route.answer_schema(schemas, Direction::response)));
  else if (!route.text.answer_type.empty())
    success.emplace("content", content_of(route.text.answer_type, nullptr));
  json::object failure{{"description", "What went wrong."}};
  failure.emplace("content", content_of("application/problem+json", schemas.schema_of<Problem>(Direction::response)));
  json::object responses;
  responses.emplace(std::to_string(route.text.status), std::move(success));
  responses.emplace("default", std::move(failure));
  return responses;
}

// Nothing to say is null.
json::value body_of(const Route& route, Schemas& schemas) {
  json::object body;
  if (route.body_schema) {
    body.emplace("content", content_of("application/json", route.body_schema(schemas, Direction::request)));
  } else if (!route.text.body_type.empty()) {
    body.emplace("content", content_of(route.text.body_type, nullptr));
  } else {
    return nullptr;
  }
  body.emplace("required", true);
  return body;
}

json::object operation_of(const Route& route, json::object responses, json::value body) {
  json::object operation{{"operationId", camel_case(route.text.name)}, {"summary", route.text.summary}};
  if (!route.text.description.empty()) operation.emplace("description", route.text.description);
  if (!route.group().empty()) operation.emplace("tags", json::array{json::string(route.group())});
  operation.emplace("x-permission", name_of_value(route.permission));
  json::array security;
  if (route.permission != Permission::public_) security.push_back(json::object{{"bearer", json::array{}}});
  operation.emplace("security", std::move(security));
  if (json::array parameters = parameters_of(route); !parameters.empty())
    operation.emplace("parameters", std::move(parameters));
  if (!body.is_null()) operation.emplace("requestBody", std::move(body));
  operation.emplace("responses", std::move(responses));
  return operation;
}

std::string lower_word_of(Method method) {
  std::string word(word_of(method));
  for (char& c : word) c = static_cast<char>(c - 'A' + 'a');
  return word;
}

}  // namespace

json::value describe_api(const std::vector<Route>& routes, const std::string& version) {
  Schemas schemas;
  std::vector<json::object> responses;
  for (const Route& route : routes) responses.push_back(responses_of(route, schemas));

  json::object paths;
  for (size_t i = 0; i < routes.size(); ++i) {
    json::value& path = paths.emplace(described_path(routes[i]), json::object{}).first->value();
    json::value body = body_of(routes[i], schemas);
    path.as_object().emplace(lower_word_of(routes[i].method),
                             operation_of(routes[i], std::move(responses[i]), std::move(body)));
  }

  json::object bearer{{"type", "http"}, {"scheme", "bearer"}};
  json::object components{{"schemas", schemas.components()}};
  components.emplace("securitySchemes", json::object{{"bearer", std::move(bearer)}});
  json::object description{{"openapi", "3.1.0"}};
  json::object title{{"title", "Volary"}, {"version", version}};
  title.emplace("description",
                "Every call is about one project: the one that the header `Volary-Project` names, by name or id, "
                "otherwise the project `default`, or where the caller has no grant there, the first by name where it "
                "has. A project without a grant of the caller's is not found.");
  description.emplace("info", std::move(title));
  description.emplace("paths", std::move(paths));
  description.emplace("components", std::move(components));
  return description;
}

void add_description_route(std::vector<Route>& routes, const std::string& version) {
  // Shared, because the text is made after the route that answers it: it describes this route too.
  const auto printed = std::make_shared<std::string>();
  routes.push_back({Method::get, "/openapi.json", Permission::public_,
                    {.name = "describe_api", .summary = "This description", .answer_type = "application/json"},
                    [printed](const Call&) {
                      Response response;
                      response.body = *printed;
                      return response;
                    }});
  *printed = print_json_pretty(describe_api(routes, version)) + "\n";
}

}  // namespace volary
