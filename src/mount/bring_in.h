// mount/bring_in.h: what is new in a tree, brought into a directory in which others are writing.
//
// The directory began as `before` and is theirs: only what they left as it was is changed, file after file. A file is
// replaced by a rename, so whoever opens it finds the old bytes or the new ones, and who has it open goes on with the
// old. What they changed, made or removed themselves stays so. All of it can be asked for again, after a crash too:
// what is there already is left alone. The cost follows the difference of the two trees.
//
// Nobody can be kept from writing between the look at a file and its rename, some microseconds, or into what he opened
// before it: such a write goes with the file that was replaced.
#pragma once

#include <functional>
#include <string>

#include "store/store.h"

namespace volary {

struct BroughtIn {
  uint64_t files = 0;         // And links, written or removed.
  uint64_t stayed = 0;        // That they had changed themselves.
  std::string first_stayed;   // One of those.
  bool is_whole = true;       // False: `goes_on` said no.
};

// `directory` is open to be read; what is made in it belongs to its owner. `name` is of the file in it that is written
// before it is renamed; what a crash has left of that name is removed. `goes_on` is asked ten times a second, within a
// large file too. Names are resolved below the directory only, and never through a symbolic link. Throws what keeps a
// file from being written or read in the store; what was brought before stays.
BroughtIn bring_in(const Store& store, const Fd& directory, const Digest& before, const Digest& after,
                   const std::string& name, const std::function<bool()>& goes_on);

// What a crash has left of it in the scratch directory of a writable mount (mount/mount.h) that is no more.
void forget_bring_in(const Path& scratch, const std::string& name);

}  // namespace volary
