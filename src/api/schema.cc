// api/schema.cc: the components of api/schema.h and their names.
#include "api/schema.h"

#include <boost/core/demangle.hpp>

namespace volary {
namespace {

// "Volume" of "volary::Volume", "VolumePage" of "volary::Page<volary::Volume>".
std::string short_name(std::string_view type) {
  const size_t open = type.find('<');
  if (open == std::string_view::npos) {
    const size_t colon = type.rfind(':');
    return std::string(colon == std::string_view::npos ? type : type.substr(colon + 1));
  }
  const std::string_view inner = type.substr(open + 1, type.rfind('>') - open - 1);
  return short_name(inner) + short_name(type.substr(0, open));
}

}  // namespace

std::string component_name(std::type_index type) { return short_name(boost::core::demangle(type.name())); }

json::value reference_to(const std::string& component) {
  return json::object{{"$ref", "#/components/schemas/" + component}};
}

json::value Schemas::add(const Key& key, std::vector<Field> fields) {
  json::object properties;
  json::array required;
  for (Field& field : fields) {
    if (field.required) required.emplace_back(field.key);
    properties.emplace(field.key, std::move(field.schema));
  }
  json::object schema{{"type", "object"}, {"properties", std::move(properties)}};
  if (!required.empty()) schema.emplace("required", std::move(required));
  if (key.second == Direction::request) schema.emplace("additionalProperties", false);  // As the reader refuses them.

  // A struct that travels both ways becomes two components: only in a request may lists be left out, and only there are
  // unknown keys refused.
  std::string& name = names_.at(key);
  if (const json::value* known = components_.if_contains(name); known && *known != schema) {
    if (key.second == Direction::response)
      throw Error(Errc::internal, "two structs of the API are named {}", name);
    name += "Input";
  }
  components_.insert_or_assign(name, std::move(schema));
  return reference_to(name);
}

json::value Schemas::add_enum(std::type_index type, std::vector<std::string> words) {
  const std::string name = component_name(type);
  json::array values;
  for (const std::string& word : words) values.emplace_back(word);
  components_.insert_or_assign(name, json::object{{"type", "string"}, {"enum", std::move(values)}});
  return reference_to(name);
}

}  // namespace volary
