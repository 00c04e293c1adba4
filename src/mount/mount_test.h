// mount/mount_test.h: what the tests of this folder share: directories that go away, children in namespaces, small
// stores.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>

#include "core/error.h"
#include "core/random.h"
#include "mount/mount.h"
#include "mount/steps.h"

namespace volary {

// 612 is Linux 6.12.
inline int kernel_version() {
  utsname names{};
  ::uname(&names);
  int major = 0;
  int minor = 0;
  if (std::sscanf(names.release, "%d.%d", &major, &minor) != 2) std::abort();
  return major * 100 + minor;
}

inline bool is_known_to_kernel(Layering layering) {
  return layering == Layering::ordinary || kernel_version() >= 605;
}

// A fresh directory, on tmpfs where that keeps attributes of users (Linux 6.6), or in `place`; goes with the object.
class TestDirectory {
 public:
  explicit TestDirectory(const std::string& prefix = "volary-mount-", const Path& place = usual_place())
      : path_(place / (prefix + random_hex(8))) {
    make_directories(path_);
  }
  TestDirectory(const TestDirectory&) = delete;
  TestDirectory& operator=(const TestDirectory&) = delete;
  ~TestDirectory() { remove_tree(path_); }
  static Path usual_place() { return kernel_version() >= 606 && is_present("/dev/shm") ? "/dev/shm" : "/tmp"; }
  const Path& path() const { return path_; }
  Path operator/(const Path& below) const { return path_ / below; }

 private:
  Path path_;
};

// Runs `work` in a child; what it returns, or "threw …".
inline std::string in_child(const std::function<std::string()>& work) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) std::abort();
  const pid_t child = ::fork();
  if (child == 0) {
    std::string text;
    try {
      text = work();
    } catch (const std::exception& error) {
      text = "threw " + std::string(error.what());
    }
    write_all(ends[1], text, "pipe");
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string text;
  std::array<char, 4096> block{};
  while (const size_t size = read_some(ends[0], block, "pipe")) text.append(block.data(), size);
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (status != 0) text += " (status " + std::to_string(status) + ")";
  return text;
}

// Runs `work` with the plans mounted below `staging`, in namespaces of their own.
inline std::string with_mounts(const std::vector<MountPlan>& plans, const Path& staging,
                               const std::function<std::string()>& work) {
  make_directories(staging);
  bool user_namespace = false;
  for (const MountPlan& plan : plans) user_namespace |= plan.user_namespace;
  return in_child([&] {
    enter_mount_namespace(user_namespace);
    perform(plans, staging);
    return work();
  });
}

inline Digest add_all_of(Store& store, const Path& directory) {
  const auto commit = store.begin_commit();
  Progress progress;
  const Digest tree = add_directory(*commit, directory, progress, 1).summary.tree;
  commit->publish();
  return tree;
}

inline void write_text(const Path& path, std::string_view text, mode_t mode = 0644) {
  make_directories(path.parent_path());
  remove_file(path);
  const Fd fd = create_file(path, mode);
  write_all(fd.get(), text, path);
  change_mode(path, mode);
}

// Every path below the tree with what it is: for messages that say more than two digests.
inline std::map<std::string, std::string> listing_of(const Store& store, const Digest& tree) {
  std::map<std::string, std::string> listing;
  walk(store, tree, [&](const TreePath& path, const TreeEntry& entry) {
    listing[path.text()] = entry.kind == EntryKind::directory ? "directory"
                           : entry.kind == EntryKind::symlink ? "-> " + entry.target
                                                              : entry.digest.hex().substr(0, 8) + " " +
                                                                    std::to_string(entry.size) +
                                                                    (entry.executable ? " executable" : "");
  });
  return listing;
}

// "invalid: …": the first line of the error that `work` throws, or "".
inline std::string error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return std::string(name_of(error.code())) + ": " + error.message();
  }
  return "";
}

}  // namespace volary
