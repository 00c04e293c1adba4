// cli/object_files.h: the files that are to be uploaded, and what each shall be called.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include "cli/object_names.h"
#include "core/clock.h"
#include "core/file.h"

namespace volary {

Time modified_of(const struct stat& status);

struct ObjectFile {
  std::string name;  // Of the object.
  Path path;
  uint64_t size = 0;
  Time modified;
  bool is_executable = false;
};

// Throws `conflict` if the file is not as it was found: what is read of one that changes meanwhile is neither its old
// content nor its new one.
void check_unchanged(const ObjectFile& file);

struct ObjectFiles {
  std::vector<ObjectFile> files;        // By name.
  std::vector<std::string> scopes;     // What the names of all that lies in each directory begin with.
  std::vector<std::string> left_out;   // A line each: what is neither file nor directory, and links to directories.
  // Names of what is here and is not sent, because it is ignored or left out; those of directories end in '/'.
  std::unordered_set<std::string> kept;

  // Whether an object of this name is one of `kept`, or below one.
  bool keeps(const std::string& name) const;
};

// Directories with all below, without what .ovhaiignore in them, or in the working directory, says. Links to files
// count as the files. Throws `not_found`, and `invalid` if two files would get one name, or one gets no name or none in
// UTF-8.
ObjectFiles find_object_files(const std::vector<std::string>& paths, const Renaming& renaming);

}  // namespace volary
