// core/json_test.cc: described structs to JSON and back, and every refusal with its path.
#include "core/json.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "core/scratch_test.h"

namespace volary {
namespace {

enum class Colour { red, dark_blue };
BOOST_DESCRIBE_ENUM(Colour, red, dark_blue)

struct Owner {
  std::string name;
  bool operator==(const Owner&) const = default;
};
BOOST_DESCRIBE_STRUCT(Owner, (), (name))

struct Thing {
  std::string full_name;
  uint64_t quota_bytes = 0;
  int64_t offset = 0;
  bool is_shared = false;
  Colour colour = Colour::red;
  Time created;
  Digest digest;
  std::optional<std::string> note;
  std::vector<Owner> owners;
  std::map<std::string, int64_t> counts;
  bool operator==(const Thing&) const = default;
};
BOOST_DESCRIBE_STRUCT(Thing, (),
                      (full_name, quota_bytes, offset, is_shared, colour, created, digest, note, owners, counts))

Thing sample() {
  Thing thing{"wiki", 1ull << 63, -5, true, Colour::dark_blue, {1'000'000}, Digest::of(""), {}, {{"ann"}}, {{"x", 1}}};
  return thing;
}

// The sample with one key set to `value`, or without it.
std::string error_with(std::string_view key, std::optional<json::value> value) {
  json::value document = to_json(sample());
  if (value) document.as_object()[key] = *value;
  else document.as_object().erase(key);
  return error_of([&] { from_json<Thing>(document, "thing"); });
}

TEST(Json, writes_members_as_camel_case_keys) {
  EXPECT_EQ(print_json(to_json(sample())),
            R"({"fullName":"wiki","quotaBytes":9223372036854775808,"offset":-5,"isShared":true,"colour":"dark_blue",)"
            R"("created":"1970-01-01T00:00:01.000000Z",)"
            R"("digest":"af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",)"
            R"("owners":[{"name":"ann"}],"counts":{"x":1}})");
  EXPECT_EQ(print_json_pretty(to_json(Owner{"ann"})), "{\n  \"name\": \"ann\"\n}");
}

TEST(Json, reads_back_what_it_wrote) {
  EXPECT_EQ(from_json<Thing>(to_json(sample()), "thing"), sample());
  EXPECT_EQ(from_json<Thing>(parse_json(print_json_pretty(to_json(sample())), "the text"), "thing"), sample());
}

TEST(Json, lets_lists_maps_bools_and_optionals_be_absent) {
  for (const char* key : {"isShared", "note", "owners", "counts"}) EXPECT_EQ(error_with(key, {}), "no error") << key;
  EXPECT_EQ(error_with("note", json::value(nullptr)), "no error");
}

TEST(Json, names_the_path_of_what_is_missing_unknown_or_of_the_wrong_kind) {
  EXPECT_EQ(error_with("fullName", {}), "invalid: 'thing.fullName' is missing");
  EXPECT_EQ(error_with("quotaBytes", "12"), "invalid: 'thing.quotaBytes' is a string: expected an integer from 0");
  EXPECT_EQ(error_with("quotaBytes", -1), "invalid: 'thing.quotaBytes' is an integer: expected an integer from 0");
  EXPECT_EQ(error_with("offset", 1.5), "invalid: 'thing.offset' is a number with a fraction: expected an integer");
  EXPECT_EQ(error_with("offset", 1ull << 63), "invalid: 'thing.offset' is an integer: expected an integer");
  EXPECT_EQ(error_with("isShared", 1), "invalid: 'thing.isShared' is an integer: expected true or false");
  EXPECT_EQ(error_with("owners", json::object{}), "invalid: 'thing.owners' is an object: expected a list");
  EXPECT_EQ(error_with("owners", json::array{json::object{{"name", 1}}}),
            "invalid: 'thing.owners[0].name' is an integer: expected a string");
  EXPECT_EQ(error_with("counts", json::object{{"x", "1"}}),
            "invalid: 'thing.counts.x' is a string: expected an integer");
  EXPECT_EQ(error_with("colour", "blue"),
            "invalid: 'blue' is no value of 'thing.colour': expected one of red, dark_blue");
  EXPECT_EQ(error_with("created", "now"),
            "invalid: 'now' is not a time: expected RFC 3339 in UTC, such as 2026-11-20T21:34:05Z");
  EXPECT_EQ(error_with("colours", "red"),
            "invalid: 'thing.colours' is not known: expected one of fullName, quotaBytes, offset, isShared, colour, "
            "created, digest, note, owners, counts");
  EXPECT_EQ(error_of([] { from_json<Thing>(json::array{}, "thing"); }),
            "invalid: 'thing' is a list: expected an object");
}

TEST(Json, ignores_unknown_keys_when_told_to) {
  json::value document = to_json(Owner{"ann"});
  document.as_object()["later"] = 1;
  EXPECT_EQ(from_json<Owner>(document, "owner", Unknown::ignore).name, "ann");
}

TEST(Json, refuses_what_is_not_json) {
  for (const char* text : {"", "{", "{\"a\":1,}", "[1] x", "'a'", "{\"a\":NaN}", "\"\xff\""})
    EXPECT_EQ(error_of([&] { parse_json(text, "the request body"); }).substr(0, 38),
              "invalid: the request body is not JSON:")
        << text;
}

RC_GTEST_PROP(JsonProperty, integers_of_every_size_survive, (uint64_t unsigned_one, int64_t signed_one)) {
  Thing thing = sample();
  thing.quota_bytes = unsigned_one;
  thing.offset = signed_one;
  RC_ASSERT(from_json<Thing>(parse_json(print_json(to_json(thing)), "the text"), "thing") == thing);
}

}  // namespace
}  // namespace volary
