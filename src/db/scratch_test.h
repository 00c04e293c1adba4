// db/scratch_test.h: for the tests of db/ and access/: a directory of their own, gone at the end, and the message of
// what was thrown.
#pragma once

#include <stdlib.h>

#include <cstdlib>
#include <string>

#include "core/error.h"
#include "core/file.h"
#include "core/random.h"

namespace volary {

class Scratch {
 public:
  Scratch() : path_(Path(std::getenv("TMPDIR") ? std::getenv("TMPDIR") : "/dev/shm") / ("volary-db-" + random_hex(8))) {
    make_directory(path_);
  }
  ~Scratch() { std::filesystem::remove_all(path_); }
  const Path& path() const { return path_; }
  std::string file() const { return (path_ / "volary.db").native(); }
  std::string url() const { return "sqlite://" + file(); }

 private:
  Path path_;
};

// "code: message", without the trail; "nothing was thrown".
template <class Work>
std::string error_of(Work&& work) {
  try {
    std::forward<Work>(work)();
  } catch (const Error& error) {
    return std::string(name_of(error.code())) + ": " + error.message();
  }
  return "nothing was thrown";
}

}  // namespace volary
