// record/reference.h: NAME@VERSION, as people name a version of a volume everywhere.
//
//   volume-reference = name [ "@" version ]        version = number / "v" number / tag / checksum prefix / "head"
#pragma once

#include <string>
#include <string_view>

#include "core/error.h"
#include "core/name.h"

namespace volary {

struct VolumeReference {
  std::string name;
  std::string version;  // "" is the head.
  std::string text() const { return version.empty() ? name : name + "@" + version; }
};

// Throws `invalid`, quoting the text.
inline VolumeReference parse_volume_reference(std::string_view text) {
  const size_t at = text.find('@');
  VolumeReference reference;
  reference.name = Name::parse(text.substr(0, at), "volume").text();
  if (at == std::string_view::npos) return reference;
  reference.version = text.substr(at + 1);
  if (reference.version.empty() || reference.version.find('@') != std::string::npos)
    throw Error(Errc::invalid, "'{}' names no version after '@': expected a number, a tag, a checksum or 'head'", text);
  return reference;
}

}  // namespace volary
