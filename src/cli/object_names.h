// cli/object_names.h: what files are called as objects, and objects as files.
#pragma once

#include <string>
#include <string_view>

#include "cli/reference.h"

namespace volary {

// The path as it was given: "/tmp/d/f" is "tmp/d/f", "./f" is "f", "../d/f" is "d/f", "." is "".
std::string object_name_of(std::string_view path);

// -r and -a: first the one is taken off, where a name begins with it, then the other is put before.
struct Renaming {
  std::string remove{};
  std::string add{};
};
std::string renamed(std::string_view name, const Renaming& renaming);

// "bucket@alias", "bucket@alias/prefix" or "alias:bucket/prefix". Throws `invalid`.
struct ContainerPlace {
  std::string datastore;
  std::string container;
  std::string prefix;
};
ContainerPlace parse_container_place(std::string_view text);

// "container/dir" or "container", of --trash. The directory ends in '/' or is "".
struct TrashPlace {
  std::string container;
  std::string directory;
};
TrashPlace parse_trash_place(std::string_view text);

}  // namespace volary
