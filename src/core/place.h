// core/place.h: which places of the file system lie in which.
#pragma once

#include <algorithm>

#include "core/file.h"

namespace volary {

// Whether `path` is `directory` or lies below it, by their names: both are absolute, and have neither links nor dots.
inline bool is_within(const Path& path, const Path& directory) {
  return std::mismatch(directory.begin(), directory.end(), path.begin(), path.end()).first == directory.end();
}

}  // namespace volary
