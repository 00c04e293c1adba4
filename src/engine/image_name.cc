// engine/image_name.cc: the grammar of references, as registries have it.
//
//   name       = [registry '/'] part ('/' part)* [':' tag] ['@' digest]
//   registry   = has a '.' or a ':', or is "localhost"
//   part       = [a-z0-9] with '.', '_' and '-' inside       tag = [A-Za-z0-9_] [A-Za-z0-9_.-]{0,127}
#include "engine/image_name.h"

#include <algorithm>
#include <cctype>

#include "core/error.h"
#include "core/tree_path.h"

namespace volary {
namespace {

constexpr size_t name_bytes_max = 255;
constexpr size_t tag_bytes_max = 128;
constexpr size_t digest_digits = 64;

bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool is_word_character(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

bool is_part(std::string_view text) {
  const auto may_stand = [](char c) { return is_lower_or_digit(c) || c == '.' || c == '_' || c == '-'; };
  return !text.empty() && is_lower_or_digit(text.front()) && is_lower_or_digit(text.back()) &&
         std::all_of(text.begin(), text.end(), may_stand);
}

bool is_registry(std::string_view text) {
  return text == "localhost" || (text.find_first_of(".:") != std::string_view::npos && !text.starts_with('.'));
}

bool is_host(std::string_view text) {
  const auto may_stand = [](char c) { return is_word_character(c) || c == '.' || c == '-' || c == ':'; };
  return !text.empty() && text.front() != '-' && std::all_of(text.begin(), text.end(), may_stand);
}

bool is_tag(std::string_view text) {
  const auto may_stand = [](char c) { return is_word_character(c) || c == '.' || c == '-'; };
  return !text.empty() && text.size() <= tag_bytes_max && is_word_character(text.front()) &&
         std::all_of(text.begin(), text.end(), may_stand);
}

bool is_digest(std::string_view text) {
  if (!text.starts_with("sha256:") || text.size() != 7 + digest_digits) return false;
  text.remove_prefix(7);
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_repository(std::string_view text) {
  size_t slash = text.find('/');
  if (slash != std::string_view::npos && is_registry(text.substr(0, slash))) {
    if (!is_host(text.substr(0, slash))) return false;
    text.remove_prefix(slash + 1);
  }
  while ((slash = text.find('/')) != std::string_view::npos) {
    if (!is_part(text.substr(0, slash))) return false;
    text.remove_prefix(slash + 1);
  }
  return is_part(text);
}

}  // namespace

std::string ImageName::registry() const {
  const size_t slash = repository.find('/');
  const std::string first = repository.substr(0, slash);
  return slash != std::string::npos && is_registry(first) ? first : "docker.io";
}

ImageName parse_image_name(std::string_view text) {
  ImageName name;
  std::string_view left = text;
  if (const size_t at = left.rfind('@'); at != std::string_view::npos) {
    name.version = left.substr(at + 1);
    left = left.substr(0, at);
  }
  const size_t colon = left.rfind(':');
  const bool has_tag = colon != std::string_view::npos && left.find('/', colon) == std::string_view::npos;
  const std::string_view tag = has_tag ? left.substr(colon + 1) : "latest";
  if (has_tag) left = left.substr(0, colon);
  name.repository = left;
  const bool is_good = text.size() <= name_bytes_max && is_repository(left) && is_tag(tag) &&
                       (name.version.empty() || is_digest(name.version));
  if (!is_good)
    throw Error(Errc::invalid,
                "'{}' is no name of an image: expected one such as python:3.12, registry.example.org/team/train:1 or "
                "NAME@sha256:DIGEST, in lower case", printable(text));
  if (name.version.empty()) name.version = tag;
  return name;
}

}  // namespace volary
