// model/model.h: what volumes promise, as maps and vectors: a few hundred lines that are plainly right, for the real thing
// to be compared with.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace volary {

// Path → bytes; directories too, their paths with a slash at the end.
using Files = std::map<std::string, std::string>;

struct ModelVersion {
  Files files;
  std::string origin;
  bool operator==(const ModelVersion&) const = default;
};

struct ModelVolume {
  uint64_t quota = 0;
  std::map<uint64_t, ModelVersion> versions;
  uint64_t head = 0;
  std::map<std::string, uint64_t> tags;
  std::string writer;              // The holder of the writer's lease; "" nobody.
  uint64_t written = 0;            // The version that the writer began with.
  std::map<std::string, uint64_t> readers;  // Holder → version.
  bool operator==(const ModelVolume&) const = default;

  const Files& head_files() const {
    static const Files none;
    return head == 0 ? none : versions.at(head).files;
  }
};

// A change of files, as a list of paths: nothing: it goes, with all below it.
using Change = std::pair<std::string, std::optional<std::string>>;

struct Model {
  std::map<std::string, ModelVolume> volumes;
  Files bucket;                    // What lies in the datastore that is imported from: no directories.
  bool operator==(const Model&) const = default;
};

// One thing that somebody does. What the numbers mean, each act says; any numbers mean something.
struct Command {
  enum class Kind {
    create, remove, clone, commit, tag, prune, restore, attach_ro, attach_rw, publish, harvest, detach, quota, put, import,
    sweep, scrub, reopen, crash
  };
  static constexpr int kinds = static_cast<int>(Kind::crash) + 1;
  Kind kind{};
  int volume = 0;
  int a = 0;
  int b = 0;
};

uint64_t bytes_of(const Files& files);
inline bool is_directory(const std::string& path) { return path.ends_with('/'); }
size_t count_of(const Files& files);  // Without directories.

// What `command` does to the model, the `number`-th of its row; the name of the error that it is refused with, or "".
std::string perform(Model& model, const Command& command, size_t number);

// --- what the numbers of a command stand for, alike for the model and the real thing
std::string volume_name(int number);
std::string holder_name(size_t number);     // Of the command that attaches.
std::string path_named(int number);
std::string bytes_named(int number);
std::string tag_named(int number);
uint64_t quota_named(int number);
std::vector<Change> changes_named(int a, int b);
uint64_t version_named(int number, uint64_t head);  // Some were never made, or have gone.
// Makes the changes one after the other; false if a path would need to be a file and a directory at once.
bool make(Files& files, const std::vector<Change>& changes);
std::string name_of(const Command& command);  // Of its act.
std::string text_of(const Command& command, size_t number);

}  // namespace volary
