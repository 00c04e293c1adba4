// core/scratch_test.h: a directory that lives as long as one test. For *_test.cc alone.
#pragma once

#include <cstdlib>
#include <functional>
#include <string>

#include "core/error.h"
#include "core/file.h"
#include "core/random.h"

namespace volary {

// Below $TMPDIR, or /dev/shm, where many small files cost little.
class TestDirectory {
 public:
  TestDirectory() : path_(parent() / ("volary-test-" + random_hex(6))) { make_directories(path_); }
  ~TestDirectory() { remove_tree(path_); }
  TestDirectory(const TestDirectory&) = delete;
  TestDirectory& operator=(const TestDirectory&) = delete;

  const Path& path() const { return path_; }
  Path operator/(const Path& below) const { return path_ / below; }

  // Writes a file below, making its directories.
  Path write(const Path& below, std::string_view bytes, mode_t mode = 0644) const {
    const Path file = path_ / below;
    make_directories(file.parent_path());
    remove_file(file);
    const Fd fd = create_file(file, mode);
    write_all(fd.get(), bytes, file);
    return file;
  }

 private:
  static Path parent() {
    const char* set = std::getenv("TMPDIR");
    return set && *set ? set : "/dev/shm";
  }
  Path path_;
};

// "invalid: the message" of the Error that `work` throws, or "no error".
inline std::string error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace volary
