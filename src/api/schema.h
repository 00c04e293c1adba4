// api/schema.h: JSON Schemas of described structs, from the same field lists that core/json.h reads and writes by.
//
// A struct becomes a named component and is referred to: {"$ref": "#/components/schemas/Volume"}. What must be there
// differs by direction: a request may leave out lists, maps and booleans; an answer leaves out only empty optionals.
#pragma once

#include <map>
#include <string>
#include <typeindex>
#include <utility>
#include <vector>

#include "core/json.h"

namespace volary {

enum class Direction { request, response };

// The components that have been referred to so far.
class Schemas {
 public:
  template <class T>
  json::value schema_of(Direction direction);

  // By name.
  const json::object& components() const { return components_; }

 private:
  struct Field {
    std::string key;
    json::value schema;
    bool required = false;
  };
  using Key = std::pair<std::type_index, Direction>;

  template <class T>
  json::value struct_schema(Direction direction);
  json::value add(const Key& key, std::vector<Field> fields);
  json::value add_enum(std::type_index type, std::vector<std::string> words);

  std::map<Key, std::string> names_;
  json::object components_;
};

// "Volume" for volary::Volume, "VolumePage" for volary::Page<volary::Volume>.
std::string component_name(std::type_index type);
json::value reference_to(const std::string& component);

template <class T>
json::value Schemas::schema_of(Direction direction) {
  using namespace json_detail;
  if constexpr (std::is_same_v<T, json::value>) return json::object{};
  else if constexpr (std::is_same_v<T, bool>) return json::object{{"type", "boolean"}};
  else if constexpr (std::is_floating_point_v<T>) return json::object{{"type", "number"}};
  else if constexpr (std::is_unsigned_v<T>) return json::object{{"type", "integer"}, {"minimum", 0}};
  else if constexpr (std::is_integral_v<T>) return json::object{{"type", "integer"}};
  else if constexpr (std::is_same_v<T, std::string>) return json::object{{"type", "string"}};
  else if constexpr (std::is_same_v<T, Time>) return json::object{{"type", "string"}, {"format", "date-time"}};
  else if constexpr (std::is_same_v<T, Digest>) return json::object{{"type", "string"}, {"pattern", "^[0-9a-f]{64}$"}};
  else if constexpr (is_optional<T>::value) return schema_of<typename T::value_type>(direction);
  else if constexpr (is_vector<T>::value)
    return json::object{{"type", "array"}, {"items", schema_of<typename T::value_type>(direction)}};
  else if constexpr (is_text_map<T>::value)
    return json::object{{"type", "object"}, {"additionalProperties", schema_of<typename T::mapped_type>(direction)}};
  else if constexpr (std::is_enum_v<T>) {
    std::vector<std::string> words;
    boost::mp11::mp_for_each<boost::describe::describe_enumerators<T>>(
        [&](auto one) { words.emplace_back(name_of_value(one.value)); });
    return add_enum(typeid(T), std::move(words));
  } else {
    return struct_schema<T>(direction);
  }
}

template <class T>
json::value Schemas::struct_schema(Direction direction) {
  const Key key{typeid(T), direction};
  const auto [known, is_new] = names_.try_emplace(key, component_name(typeid(T)));
  if (!is_new) return reference_to(known->second);  // Also a struct inside itself.
  std::vector<Field> fields;
  boost::mp11::mp_for_each<boost::describe::describe_members<T, boost::describe::mod_public>>([&](auto member) {
    using Type = std::remove_cvref_t<decltype(std::declval<T&>().*member.pointer)>;
    const bool required = direction == Direction::request ? !json_detail::may_be_absent<Type>
                                                          : !json_detail::is_optional<Type>::value;
    fields.push_back(Field{camel_case(member.name), schema_of<Type>(direction), required});
  });
  return add(key, std::move(fields));
}

}  // namespace volary
