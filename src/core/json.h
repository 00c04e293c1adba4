// core/json.h: JSON of described structs, both ways, strict.
//
// A struct lists its fields once, with BOOST_DESCRIBE_STRUCT; snake_case members become camelCase keys. Reading refuses
// unknown keys and wrong types with the path of the offender: "'volume.quotaBytes' is a string: expected an integer".
// Fields of type optional, vector, map and bool may be absent; all others must be there.
// Enums are written as the names of their values; Time as RFC 3339; Digest as hexadecimal digits.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <boost/describe.hpp>
#include <boost/json/value.hpp>
#include <boost/mp11/algorithm.hpp>

#include "core/clock.h"
#include "core/digest.h"
#include "core/error.h"

namespace volary {

namespace json = boost::json;

enum class Unknown { refuse, ignore };  // What reading does with keys that no field has.

// Parses a document. Throws `invalid` naming `what` ("the request body") and the position.
json::value parse_json(std::string_view text, std::string_view what);
std::string print_json(const json::value& value);         // On one line.
std::string print_json_pretty(const json::value& value);  // Indented by two.

std::string camel_case(std::string_view snake_case);
// "a string", "an integer", …: for messages.
std::string_view kind_of(const json::value& value);

namespace json_detail {

template <class T>
struct is_optional : std::false_type {};
template <class T>
struct is_optional<std::optional<T>> : std::true_type {};
template <class T>
struct is_vector : std::false_type {};
template <class T>
struct is_vector<std::vector<T>> : std::true_type {};
template <class T>
struct is_text_map : std::false_type {};
template <class T>
struct is_text_map<std::map<std::string, T>> : std::true_type {};

template <class T>
constexpr bool may_be_absent =
    is_optional<T>::value || is_vector<T>::value || is_text_map<T>::value || std::is_same_v<T, bool>;

[[noreturn]] void wrong_kind(std::string_view path, const json::value& found, std::string_view expected);
[[noreturn]] void missing(std::string_view path);
void refuse_unknown(const json::object& object, const std::vector<std::string>& known, std::string_view path);
int64_t read_integer(const json::value& value, std::string_view path);
uint64_t read_unsigned(const json::value& value, std::string_view path);

}  // namespace json_detail

// --- enums

template <class E>
std::string_view name_of_value(E value)
  requires std::is_enum_v<E>
{
  return boost::describe::enum_to_string(value, "?");
}

// Throws `invalid`, listing the words there are; `what` names the thing ("the job state").
template <class E>
E value_named(std::string_view name, std::string_view what)
  requires std::is_enum_v<E>
{
  E value{};
  if (boost::describe::enum_from_string(std::string(name).c_str(), value)) return value;
  std::string words;
  boost::mp11::mp_for_each<boost::describe::describe_enumerators<E>>(
      [&](auto one) { words += (words.empty() ? "" : ", ") + std::string(one.name); });
  throw Error(Errc::invalid, "'{}' is no {}: expected one of {}", name, what, words);
}

// --- writing

template <class T>
json::value to_json(const T& value) {
  using namespace json_detail;
  if constexpr (std::is_same_v<T, json::value> || std::is_same_v<T, bool> || std::is_arithmetic_v<T>) {
    return value;
  } else if constexpr (std::is_same_v<T, std::string>) {
    return json::string(value);
  } else if constexpr (std::is_same_v<T, Time>) {
    return json::string(to_text(value));
  } else if constexpr (std::is_same_v<T, Digest>) {
    return json::string(value.hex());
  } else if constexpr (std::is_enum_v<T>) {
    return json::string(name_of_value(value));
  } else if constexpr (is_optional<T>::value) {
    return value ? to_json(*value) : json::value(nullptr);
  } else if constexpr (is_vector<T>::value) {
    json::array array;
    for (const auto& one : value) array.push_back(to_json(one));
    return array;
  } else if constexpr (is_text_map<T>::value) {
    json::object object;
    for (const auto& [key, one] : value) object.emplace(key, to_json(one));
    return object;
  } else {
    json::object object;
    boost::mp11::mp_for_each<boost::describe::describe_members<T, boost::describe::mod_public>>([&](auto member) {
      const auto& field = value.*member.pointer;
      if constexpr (is_optional<std::remove_cvref_t<decltype(field)>>::value) {
        if (!field) return;
      }
      object.emplace(camel_case(member.name), to_json(field));
    });
    return object;
  }
}

// --- reading

// `path` names the value in messages ("volume").
template <class T>
T from_json(const json::value& value, const std::string& path, Unknown unknown = Unknown::refuse) {
  using namespace json_detail;
  if constexpr (std::is_same_v<T, json::value>) {
    return value;
  } else if constexpr (std::is_same_v<T, bool>) {
    if (!value.is_bool()) wrong_kind(path, value, "true or false");
    return value.get_bool();
  } else if constexpr (std::is_floating_point_v<T>) {
    if (!value.is_number()) wrong_kind(path, value, "a number");
    return value.to_number<T>();
  } else if constexpr (std::is_integral_v<T> && std::is_unsigned_v<T>) {
    return static_cast<T>(read_unsigned(value, path));
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(read_integer(value, path));
  } else if constexpr (is_optional<T>::value) {
    if (value.is_null()) return std::nullopt;
    return from_json<typename T::value_type>(value, path, unknown);
  } else if constexpr (is_vector<T>::value) {
    if (!value.is_array()) wrong_kind(path, value, "a list");
    T list;
    for (const auto& one : value.get_array())
      list.push_back(from_json<typename T::value_type>(one, fmt::format("{}[{}]", path, list.size()), unknown));
    return list;
  } else if constexpr (is_text_map<T>::value) {
    if (!value.is_object()) wrong_kind(path, value, "an object");
    T map;
    for (const auto& [key, one] : value.get_object())
      map.emplace(std::string(key),
                  from_json<typename T::mapped_type>(one, path + "." + std::string(key), unknown));
    return map;
  } else if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, Time> || std::is_same_v<T, Digest> ||
                       std::is_enum_v<T>) {
    if (!value.is_string()) wrong_kind(path, value, "a string");
    const std::string_view text = value.get_string();
    if constexpr (std::is_same_v<T, std::string>) return std::string(text);
    else if constexpr (std::is_same_v<T, Time>) return parse_time(text);
    else if constexpr (std::is_same_v<T, Digest>) return Digest::parse(text);
    else return value_named<T>(text, "value of '" + path + "'");
  } else {
    if (!value.is_object()) wrong_kind(path, value, "an object");
    const json::object& object = value.get_object();
    T record{};
    std::vector<std::string> known;
    boost::mp11::mp_for_each<boost::describe::describe_members<T, boost::describe::mod_public>>([&](auto member) {
      auto& field = record.*member.pointer;
      using Field = std::remove_cvref_t<decltype(field)>;
      const std::string key = camel_case(member.name);
      const std::string field_path = path + "." + key;
      known.push_back(key);
      if (const json::value* found = object.if_contains(key)) field = from_json<Field>(*found, field_path, unknown);
      else if constexpr (!may_be_absent<Field>) missing(field_path);
    });
    if (unknown == Unknown::refuse) refuse_unknown(object, known, path);
    return record;
  }
}

}  // namespace volary
