// api/openapi_test.cc: the description holds every route, and what it refers to is there.
#include "api/openapi.h"

#include <set>

#include <gtest/gtest.h>

#include "api/pattern.h"
#include "api/sample_routes_test.h"

namespace volary {
namespace {

json::value at(const json::value& value, std::string_view pointer) {
  boost::system::error_code error;
  const json::value* found = value.find_pointer(pointer, error);
  return found ? *found : json::value(nullptr);
}

// Calls visit(target) for each "$ref" below.
void each_reference(const json::value& value, const std::function<void(const std::string&)>& visit) {
  if (const auto* object = value.if_object()) {
    for (const auto& [key, inner] : *object) {
      if (key == "$ref") visit(std::string(inner.as_string()));
      else each_reference(inner, visit);
    }
  } else if (const auto* array = value.if_array()) {
    for (const json::value& inner : *array) each_reference(inner, visit);
  }
}

class OpenApiTest : public testing::Test {
 protected:
  std::vector<Route> routes_ = sample_routes();
  json::value description_ = describe_api(routes_, "1.2.3");
  json::value operation(const std::string& path, const std::string& method) {
    return description_.at("paths").as_object().at(path).as_object().at(method);
  }
};

TEST_F(OpenApiTest, HoldsEveryRouteWithItsParameters) {
  std::set<std::string> ids;
  size_t operations = 0;
  for (const auto& [path, methods] : description_.at("paths").as_object())
    for (const auto& [method, operation] : methods.as_object()) {
      ++operations;
      EXPECT_TRUE(ids.insert(std::string(operation.at("operationId").as_string())).second);
      EXPECT_TRUE(operation.at("responses").as_object().contains("default"));
      std::set<std::string> in_path;
      if (const json::value* parameters = operation.as_object().if_contains("parameters"))
        for (const json::value& one : parameters->as_array())
          if (one.at("in") == "path") in_path.insert("{" + std::string(one.at("name").as_string()) + "}");
      for (const std::string& name : in_path) EXPECT_NE(std::string(path).find(name), std::string::npos) << path;
      EXPECT_EQ(in_path.size(), std::ranges::count(path, '{')) << path;
    }
  EXPECT_EQ(operations, routes_.size());
  EXPECT_EQ(at(description_, "/info/version"), "1.2.3");
  EXPECT_NE(at(description_, "/info/description").as_string().find("Volary-Project"), json::string::npos);
  EXPECT_EQ(at(description_, "/openapi"), "3.1.0");
}

TEST_F(OpenApiTest, RefersOnlyToWhatItHolds) {
  size_t references = 0;
  each_reference(description_, [&](const std::string& target) {
    ++references;
    ASSERT_TRUE(target.starts_with("#/"));
    EXPECT_FALSE(at(description_, target.substr(1)).is_null()) << target;
  });
  EXPECT_GT(references, 10u);
}

TEST_F(OpenApiTest, DescribesBodiesAnswersAndWhoMay) {
  const json::value create = operation("/api/v1/volumes", "post");
  EXPECT_EQ(at(create, "/operationId"), "createVolume");
  EXPECT_EQ(at(create, "/tags/0"), "volumes");
  EXPECT_EQ(at(create, "/x-permission"), "volume_create");
  EXPECT_EQ(at(create, "/requestBody/content/application~1json/schema/$ref"), "#/components/schemas/NewVolume");
  EXPECT_EQ(at(create, "/responses/201/content/application~1json/schema/$ref"), "#/components/schemas/Volume");
  EXPECT_EQ(at(create, "/responses/default/content/application~1problem+json/schema/$ref"),
            "#/components/schemas/Problem");
  EXPECT_EQ(at(create, "/security/0/bearer"), json::array());
  EXPECT_EQ(operation("/", "get").at("security"), json::array());
  EXPECT_EQ(at(operation("/api/v1/volumes/{name}", "delete"), "/responses/204/content"), nullptr);
  EXPECT_TRUE(at(operation("/api/v1/events", "get"), "/responses/200/content/text~1event-stream").is_object());
  EXPECT_TRUE(at(operation("/api/v1/volumes/{volume}/files/{path}", "put"),
                 "/requestBody/content/application~1octet-stream").is_object());
}

TEST_F(OpenApiTest, DescribesQueryParametersOfEachKind) {
  EXPECT_EQ(operation("/api/v1/volumes", "get").at("parameters"), parse_json(R"([
    {"name": "dataType", "in": "query", "description": "of this type", "required": false,
     "schema": {"type": "string", "enum": ["model", "dataset"]}},
    {"name": "tag", "in": "query", "description": "with these", "required": false,
     "schema": {"type": "array", "items": {"type": "string"}}},
    {"name": "deleted", "in": "query", "description": "too", "required": false, "schema": {"type": "boolean"}},
    {"name": "limit", "in": "query", "description": "items in one answer, 1 to 1000; 100 unless told",
     "required": false, "schema": {"type": "integer", "minimum": 0}},
    {"name": "cursor", "in": "query", "description": "nextCursor of the answer before", "required": false,
     "schema": {"type": "string"}}
  ])", "the expectation"));
}

TEST_F(OpenApiTest, IsAnsweredByARouteThatItDescribesToo) {
  add_description_route(routes_, "1.2.3");
  RecordingGate gate;
  const Router router(routes_, gate);
  Request request;
  request.method = "GET";
  request.segments = {"openapi.json"};
  const Response response = router.answer(request);
  EXPECT_EQ(response.status, 200);
  const json::value answered = parse_json(response.body, "the answer");
  EXPECT_EQ(answered, describe_api(routes_, "1.2.3"));
  EXPECT_EQ(at(answered, "/paths/~1openapi.json/get/operationId"), "describeApi");
}

}  // namespace
}  // namespace volary
