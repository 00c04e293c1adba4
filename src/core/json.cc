// core/json.cc: parsing, printing and the messages of core/json.h.
#include "core/json.h"

#include <algorithm>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace volary {

json::value parse_json(std::string_view text, std::string_view what) {
  boost::system::error_code error;
  json::value value = json::parse(text, error);
  if (error) throw Error(Errc::invalid, "{} is not JSON: {}", what, error.message());
  return value;
}

std::string print_json(const json::value& value) { return json::serialize(value); }

namespace {

void print_into(std::string& out, const json::value& value, size_t indent) {
  const std::string margin(indent + 2, ' ');
  const auto block = [&](char open, char close, const auto& items, auto print_item) {
    if (items.empty()) {
      out += {open, close};
      return;
    }
    out += open;
    const char* separator = "\n";
    for (const auto& item : items) {
      out += separator + margin;
      print_item(item);
      separator = ",\n";
    }
    out += "\n" + std::string(indent, ' ') + close;
  };
  if (const auto* object = value.if_object()) {
    block('{', '}', *object, [&](const json::key_value_pair& pair) {
      out += json::serialize(json::string(pair.key())) + ": ";
      print_into(out, pair.value(), indent + 2);
    });
  } else if (const auto* array = value.if_array()) {
    block('[', ']', *array, [&](const json::value& one) { print_into(out, one, indent + 2); });
  } else {
    out += json::serialize(value);
  }
}

}  // namespace

std::string print_json_pretty(const json::value& value) {
  std::string out;
  print_into(out, value, 0);
  return out;
}

std::string camel_case(std::string_view snake_case) {
  std::string text;
  bool upper = false;
  for (const char c : snake_case) {
    if (c == '_') {
      upper = true;
    } else {
      text += upper ? static_cast<char>(c - 'a' + 'A') : c;
      upper = false;
    }
  }
  return text;
}

std::string_view kind_of(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null: return "null";
    case json::kind::bool_: return "true or false";
    case json::kind::int64: case json::kind::uint64: return "an integer";
    case json::kind::double_: return "a number with a fraction";
    case json::kind::string: return "a string";
    case json::kind::array: return "a list";
    case json::kind::object: return "an object";
  }
  return "unknown";
}

namespace json_detail {

void wrong_kind(std::string_view path, const json::value& found, std::string_view expected) {
  throw Error(Errc::invalid, "'{}' is {}: expected {}", path, kind_of(found), expected);
}

void missing(std::string_view path) { throw Error(Errc::invalid, "'{}' is missing", path); }

void refuse_unknown(const json::object& object, const std::vector<std::string>& known, std::string_view path) {
  for (const auto& pair : object) {
    const std::string_view key = pair.key();
    if (std::find(known.begin(), known.end(), key) == known.end())
      throw Error(Errc::invalid, "'{}.{}' is not known: expected one of {}", path, key, fmt::format("{}", [&] {
                    std::string words;
                    for (const auto& one : known) words += (words.empty() ? "" : ", ") + one;
                    return words;
                  }()));
  }
}

int64_t read_integer(const json::value& value, std::string_view path) {
  boost::system::error_code error;
  const auto number = value.is_number() ? value.to_number<int64_t>(error) : 0;
  if (!value.is_number() || error) wrong_kind(path, value, "an integer");
  return number;
}

uint64_t read_unsigned(const json::value& value, std::string_view path) {
  boost::system::error_code error;
  const auto number = value.is_number() ? value.to_number<uint64_t>(error) : 0;
  if (!value.is_number() || error) wrong_kind(path, value, "an integer from 0");
  return number;
}

}  // namespace json_detail
}  // namespace volary
