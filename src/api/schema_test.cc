// api/schema_test.cc: schemas of structs with everything that records hold.
#include "api/schema.h"

#include <gtest/gtest.h>

#include "record/problem.h"
#include "record/volume.h"

namespace volary {
namespace {

enum class Colour { red, light_blue };
BOOST_DESCRIBE_ENUM(Colour, red, light_blue)

struct Leaf {
  bool is_green = false;
  std::vector<std::string> veins;
};
BOOST_DESCRIBE_STRUCT(Leaf, (), (is_green, veins))

struct Branch {
  std::string full_name;
  uint64_t size_bytes = 0;
  int64_t offset = 0;
  double weight = 0;
  Time grown_at;
  Digest digest;
  Colour colour{};
  std::optional<Colour> old_colour;
  std::vector<Leaf> leaves;
  std::vector<Branch> branches;
  std::map<std::string, int64_t> counts;
  json::value anything;
};
BOOST_DESCRIBE_STRUCT(Branch, (), (full_name, size_bytes, offset, weight, grown_at, digest, colour, old_colour, leaves,
                                   branches, counts, anything))

TEST(Schemas, DescribeEachKindOfField) {
  Schemas schemas;
  EXPECT_EQ(schemas.schema_of<Branch>(Direction::response),
            parse_json(R"({"$ref": "#/components/schemas/Branch"})", "the expectation"));
  EXPECT_EQ(schemas.components().at("Branch"), parse_json(R"({
    "type": "object",
    "properties": {
      "fullName": {"type": "string"},
      "sizeBytes": {"type": "integer", "minimum": 0},
      "offset": {"type": "integer"},
      "weight": {"type": "number"},
      "grownAt": {"type": "string", "format": "date-time"},
      "digest": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
      "colour": {"$ref": "#/components/schemas/Colour"},
      "oldColour": {"$ref": "#/components/schemas/Colour"},
      "leaves": {"type": "array", "items": {"$ref": "#/components/schemas/Leaf"}},
      "branches": {"type": "array", "items": {"$ref": "#/components/schemas/Branch"}},
      "counts": {"type": "object", "additionalProperties": {"type": "integer"}},
      "anything": {}
    },
    "required": ["fullName", "sizeBytes", "offset", "weight", "grownAt", "digest", "colour", "leaves", "branches",
                 "counts", "anything"]
  })", "the expectation"));
  EXPECT_EQ(schemas.components().at("Colour"),
            parse_json(R"({"type": "string", "enum": ["red", "light_blue"]})", "the expectation"));
}

TEST(Schemas, LetARequestLeaveOutWhatTheReaderLetsItLeaveOut) {
  Schemas schemas;
  schemas.schema_of<NewVolume>(Direction::request);
  const json::object& schema = schemas.components().at("NewVolume").as_object();
  EXPECT_EQ(schema.at("required"), parse_json(R"(["name"])", "the expectation"));
  EXPECT_EQ(schema.at("additionalProperties"), false);  // As the reader refuses unknown keys.
}

TEST(Schemas, GiveAStructThatTravelsBothWaysTwoNamesWhereTheyDiffer) {
  Schemas schemas;
  schemas.schema_of<Leaf>(Direction::response);
  EXPECT_EQ(schemas.schema_of<Leaf>(Direction::request),
            parse_json(R"({"$ref": "#/components/schemas/LeafInput"})", "the expectation"));
  EXPECT_TRUE(schemas.components().at("Leaf").as_object().contains("required"));
  EXPECT_FALSE(schemas.components().at("LeafInput").as_object().contains("required"));
}

TEST(Schemas, NameAPageAfterItsItems) {
  Schemas schemas;
  EXPECT_EQ(schemas.schema_of<Page<Volume>>(Direction::response),
            parse_json(R"({"$ref": "#/components/schemas/VolumePage"})", "the expectation"));
  EXPECT_EQ(schemas.components().at("VolumePage"), parse_json(R"({
    "type": "object",
    "properties": {"items": {"type": "array", "items": {"$ref": "#/components/schemas/Volume"}},
                   "nextCursor": {"type": "string"}},
    "required": ["items"]
  })", "the expectation"));
}

}  // namespace
}  // namespace volary
