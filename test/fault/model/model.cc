// model/model.cc: the acts on the model. Names are few and near each other, sizes stand around a page, so that things
// meet often: collisions find bugs.
#include "model/model.h"

#include <algorithm>
#include <array>

#include <fmt/core.h>

namespace volary {
namespace {

using Kind = Command::Kind;

size_t index(int number, size_t count) { return static_cast<size_t>(number < 0 ? -(number + 1) : number) % count; }

bool is_below(const std::string& path, const std::string& directory) { return path.starts_with(directory + "/"); }

void add(Files& files, const std::string& path, const std::string& bytes) {
  files[path] = bytes;
  for (size_t slash = path.find('/'); slash != path.npos; slash = path.find('/', slash + 1))
    files[path.substr(0, slash + 1)];
}

bool make_one(Files& files, const Change& change) {
  const auto& [path, bytes] = change;
  if (bytes)
    for (size_t slash = path.find('/'); slash != path.npos; slash = path.find('/', slash + 1))
      if (files.contains(path.substr(0, slash))) return false;
  std::erase_if(files, [&](const auto& one) { return one.first == path || is_below(one.first, path); });
  if (bytes) add(files, path, *bytes);
  return true;
}

bool is_over(const Files& files, const ModelVolume& volume) {
  return bytes_of(files) > volume.quota && bytes_of(files) > bytes_of(volume.head_files());
}

std::string add_version(ModelVolume& volume, Files files, const std::string& origin) {
  if (is_over(files, volume)) return "exhausted";
  volume.versions[++volume.head] = {std::move(files), origin};
  return "";
}

std::string clone(Model& model, const ModelVolume& volume, const Command& command) {
  const auto version = volume.versions.find(version_named(command.b, volume.head));
  if (version == volume.versions.end()) return "not_found";
  const std::string name = volume_name(command.a);
  if (model.volumes.contains(name)) return "exists";
  if (bytes_of(version->second.files) > volume.quota) return "exhausted";
  ModelVolume made;
  made.quota = volume.quota;
  made.versions[++made.head] = {version->second.files, ""};
  model.volumes[name] = std::move(made);
  return "";
}

std::string restore(ModelVolume& volume, const Command& command) {
  const auto version = volume.versions.find(version_named(command.b, volume.head));
  if (version == volume.versions.end()) return "not_found";
  if (version->second.files == volume.head_files()) return "invalid";
  if (!volume.writer.empty()) return "conflict";
  return add_version(volume, version->second.files, "");
}

std::string prune(ModelVolume& volume, const Command& command) {
  const uint64_t number = version_named(command.b, volume.head);
  if (!volume.versions.contains(number)) return "not_found";
  const auto is_it = [&](const auto& one) { return one.second == number; };
  if (number == volume.head || std::any_of(volume.readers.begin(), volume.readers.end(), is_it) ||
      (!volume.writer.empty() && volume.written == number))
    return "conflict";
  if (command.a % 2 == 0 && std::any_of(volume.tags.begin(), volume.tags.end(), is_it)) return "conflict";
  std::erase_if(volume.tags, is_it);
  volume.versions.erase(number);
  return "";
}

std::string publish(ModelVolume& volume, const std::vector<Change>& changes, const std::string& holder) {
  Files files = volume.head_files();
  if (!make(files, changes)) return "invalid";
  for (const auto& [number, version] : volume.versions)
    if (version.origin == holder) return "";  // Made already: once is enough.
  return add_version(volume, std::move(files), holder);
}

// A directory whose last file a mirror deletes goes with it; one that was empty before is none of what a bucket can say.
void drop_emptied(Files& files, const Files& before) {
  for (const auto& [path, bytes] : before) {
    if (is_directory(path) || files.contains(path)) continue;
    for (size_t slash = path.rfind('/'); slash != path.npos && slash > 0; slash = path.rfind('/', slash - 1)) {
      const std::string directory = path.substr(0, slash);
      const auto holds = [&](const auto& one) { return is_below(one.first, directory) && one.first != directory + "/"; };
      if (std::any_of(files.begin(), files.end(), holds)) break;
      files.erase(directory + "/");
    }
  }
}

std::string import(const Model& model, ModelVolume& volume, const Command& command) {
  if (!volume.writer.empty()) return "conflict";
  if (model.bucket.empty()) return "not_found";
  Files files = volume.head_files();
  const bool is_mirror = command.a % 2;
  if (is_mirror) std::erase_if(files, [](const auto& one) { return !is_directory(one.first); });
  for (const auto& [path, bytes] : model.bucket) {
    // What the source has wins; but a file where a directory is, or the reverse, cannot be had by overwriting.
    for (const auto& [other, ignored] : files)
      if (!is_directory(other) && (is_below(other, path) || is_below(path, other))) return "invalid";
    std::erase_if(files, [&](const auto& one) { return is_below(one.first, path); });
    add(files, path, bytes);
  }
  if (is_mirror) drop_emptied(files, volume.head_files());
  if (is_over(files, volume)) return "exhausted";  // Room is promised for the growth before the version is made.
  if (files == volume.head_files()) return "";
  return add_version(volume, std::move(files), "");
}

}  // namespace

uint64_t bytes_of(const Files& files) {
  uint64_t bytes = 0;
  for (const auto& [path, content] : files) bytes += content.size();
  return bytes;
}

size_t count_of(const Files& files) {
  return static_cast<size_t>(std::count_if(files.begin(), files.end(), [](const auto& one) { return !is_directory(one.first); }));
}

std::string volume_name(int number) { return std::array{"a", "b", "c"}[index(number, 3)]; }
std::string holder_name(size_t number) { return fmt::format("job-{}", number); }

std::string path_named(int number) {
  // é composed, and of two characters: two names.
  static constexpr std::array names = {"a", "-", "a.", "A", "\xc3\xa9", "e\xcc\x81"};
  const size_t at = index(number, names.size() * (names.size() + 1));
  const std::string first = names[at % names.size()];
  return at < names.size() ? first : first + "/" + names[at / names.size() - 1];
}

std::string bytes_named(int number) {
  static constexpr std::array sizes = {0, 1, 4095, 4096, 4097};
  const size_t at = index(number, sizes.size() * 3);
  return std::string(static_cast<size_t>(sizes[at % sizes.size()]), static_cast<char>('x' + at / sizes.size()));
}

bool make(Files& files, const std::vector<Change>& changes) {
  for (const Change& change : changes)
    if (!make_one(files, change)) return false;
  return true;
}

uint64_t version_named(int number, uint64_t head) { return 1 + index(number, head == 0 ? 1 : head); }
std::string tag_named(int number) { return std::array{"best", "last"}[index(number, 2)]; }
uint64_t quota_named(int number) { return std::array<uint64_t, 4>{1, 4096, 10'000, 1 << 20}[index(number, 4)]; }

std::vector<Change> changes_named(int a, int b) {
  std::vector<Change> changes;
  const size_t count = 1 + index(a, 3);
  for (size_t i = 0; i < count; ++i) {
    const int spread = a + static_cast<int>(i) * 7;
    changes.emplace_back(path_named(spread), index(b + static_cast<int>(i), 4) == 3
                                                 ? std::nullopt
                                                 : std::optional(bytes_named(b + static_cast<int>(i))));
  }
  return changes;
}

std::string perform(Model& model, const Command& command, size_t number) {
  if (command.kind == Kind::put) {
    Files files = model.bucket;
    const Change change{path_named(command.a),
                        command.b % 5 == 4 ? std::nullopt : std::optional(bytes_named(command.b))};
    if (!make_one(files, change)) return "";  // Where a file stands, no directory can: left as it was.
    std::erase_if(files, [](const auto& one) { return is_directory(one.first); });
    model.bucket = std::move(files);
    return "";
  }
  const bool changes_nothing = command.kind == Kind::reopen || command.kind == Kind::crash ||
                               command.kind == Kind::sweep || command.kind == Kind::scrub;
  if (changes_nothing) return "";
  const std::string name = volume_name(command.volume);
  const auto found = model.volumes.find(name);
  if (command.kind == Kind::create) {
    if (found != model.volumes.end()) return "exists";
    model.volumes[name].quota = quota_named(command.a);
    return "";
  }
  if (found == model.volumes.end()) return "not_found";
  ModelVolume& volume = found->second;
  const std::string holder = holder_name(number);
  switch (command.kind) {
    case Kind::remove:
      if (!volume.writer.empty() || !volume.readers.empty()) return "conflict";
      model.volumes.erase(found);
      return "";
    case Kind::commit:
      if (!volume.writer.empty()) return "conflict";
      return publish(volume, changes_named(command.a, command.b), holder);
    case Kind::clone: return clone(model, volume, command);
    case Kind::restore: return restore(volume, command);
    case Kind::prune: return prune(volume, command);
    case Kind::tag: {
      const uint64_t tagged = version_named(command.b, volume.head);
      if (!volume.versions.contains(tagged)) return "not_found";
      volume.tags[tag_named(command.a)] = tagged;
      return "";
    }
    case Kind::attach_ro: volume.readers[holder] = volume.head; return "";
    case Kind::attach_rw:
      if (!volume.writer.empty()) return "conflict";
      volume.writer = holder;
      volume.written = volume.head;
      return "";
    case Kind::harvest:  // As publish, of what an overlay holds.
    case Kind::publish:  // By the holder of the writer's lease; by somebody who never had it, if there is none.
      if (volume.writer.empty()) {
        Files files = volume.head_files();
        return make(files, changes_named(command.a, command.b)) ? "conflict" : "invalid";
      }
      return publish(volume, changes_named(command.a, command.b), volume.writer);
    case Kind::detach:
      if (!volume.readers.empty() && command.a % 2) volume.readers.erase(volume.readers.begin());
      else volume.writer.clear(), volume.written = 0;
      return "";
    case Kind::quota:
      if (quota_named(command.a) < bytes_of(volume.head_files())) return "exhausted";
      volume.quota = quota_named(command.a);
      return "";
    case Kind::import: return import(model, volume, command);
    default: return "";
  }
}

std::string name_of(const Command& command) {
  static constexpr std::array names = {"create",    "remove",  "clone",   "commit", "tag",   "prune", "restore",
                                       "attach_ro", "attach_rw", "publish", "harvest", "detach", "quota", "put",
                                       "import",    "sweep",   "scrub",   "reopen", "crash"};
  static_assert(names.size() == Command::kinds);
  return names[static_cast<size_t>(command.kind)];
}

std::string text_of(const Command& command, size_t number) {
  return fmt::format("{}: {} {} {} {}", number, name_of(command), volume_name(command.volume), command.a, command.b);
}

}  // namespace volary
