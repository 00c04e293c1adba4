// model/model.cc: the acts on the model. Names are few and near each other, sizes stand around a page, so that things
// meet often: collisions find bugs.
#include "model/model.h"

#include <array>

#include <fmt/core.h>

namespace volary {
namespace {

using Kind = Command::Kind;

size_t index(int number, size_t count) { return static_cast<size_t>(number < 0 ? -(number + 1) : number) % count; }

bool is_below(const std::string& path, const std::string& directory) { return path.starts_with(directory + "/"); }

// False if a path would need to be a file and a directory at once.
bool make(Files& files, const Change& change) {
  const auto& [path, bytes] = change;
  if (bytes)
    for (size_t slash = path.find('/'); slash != path.npos; slash = path.find('/', slash + 1))
      if (files.contains(path.substr(0, slash))) return false;
  std::erase_if(files, [&](const auto& one) { return one.first == path || is_below(one.first, path); });
  if (bytes) files[path] = *bytes;
  return true;
}

bool make(Files& files, const std::vector<Change>& changes) {
  for (const Change& change : changes)
    if (!make(files, change)) return false;
  return true;
}

std::string add_version(ModelVolume& volume, Files files, const std::string& origin) {
  if (bytes_of(files) > volume.quota && bytes_of(files) > bytes_of(volume.head_files())) return "exhausted";
  volume.versions[++volume.head] = {std::move(files), origin};
  return "";
}

std::string publish(ModelVolume& volume, const std::vector<Change>& changes, const std::string& holder) {
  Files files = volume.head_files();
  if (!make(files, changes)) return "invalid";
  for (const auto& [number, version] : volume.versions)
    if (version.origin == holder) return "";  // Made already: once is enough.
  return add_version(volume, std::move(files), holder);
}

std::string import(const Model& model, ModelVolume& volume, const Command& command) {
  if (!volume.writer.empty()) return "conflict";
  if (model.bucket.empty()) return "not_found";
  Files files = command.a % 2 ? model.bucket : volume.head_files();
  // What the source has wins; but a file where a directory is, or the reverse, cannot be had by overwriting.
  if (command.a % 2 == 0)
    for (const auto& [path, bytes] : model.bucket) {
      for (const auto& [other, ignored] : volume.head_files())
        if (is_below(other, path) || is_below(path, other)) return "invalid";
      files[path] = bytes;
    }
  const uint64_t used = bytes_of(volume.head_files());
  // Room is promised for the growth before the version is made.
  if (bytes_of(files) > used && bytes_of(files) > volume.quota) return "exhausted";
  if (files == volume.head_files()) return "";
  return add_version(volume, std::move(files), "");
}

}  // namespace

uint64_t bytes_of(const Files& files) {
  uint64_t bytes = 0;
  for (const auto& [path, content] : files) bytes += content.size();
  return bytes;
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
    if (make(files, change)) model.bucket = std::move(files);  // Where a file stands, no directory can: left as it was.
    return "";
  }
  if (command.kind == Kind::reopen || command.kind == Kind::crash) return "";
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
    case Kind::tag:
      if (volume.head == 0) return "not_found";
      volume.tags[tag_named(command.a)] = 1 + index(command.b, volume.head);
      return "";
    case Kind::attach_ro: volume.readers.insert(holder); return "";
    case Kind::attach_rw:
      if (!volume.writer.empty()) return "conflict";
      volume.writer = holder;
      return "";
    case Kind::publish:  // By the holder of the writer's lease; by somebody who never had it, if there is none.
      if (volume.writer.empty()) {
        Files files = volume.head_files();
        return make(files, changes_named(command.a, command.b)) ? "conflict" : "invalid";
      }
      return publish(volume, changes_named(command.a, command.b), volume.writer);
    case Kind::detach:
      if (!volume.readers.empty() && command.a % 2) volume.readers.erase(volume.readers.begin());
      else volume.writer.clear();
      return "";
    case Kind::quota:
      if (quota_named(command.a) < bytes_of(volume.head_files())) return "exhausted";
      volume.quota = quota_named(command.a);
      return "";
    case Kind::import: return import(model, volume, command);
    default: return "";
  }
}

std::string text_of(const Command& command, size_t number) {
  static constexpr std::array names = {"create", "remove", "commit", "tag", "attach_ro", "attach_rw", "publish",
                                       "detach", "quota", "put", "import", "reopen", "crash"};
  static_assert(names.size() == Command::kinds);
  return fmt::format("{}: {} {} {} {}", number, names[static_cast<size_t>(command.kind)], volume_name(command.volume),
                     command.a, command.b);
}

}  // namespace volary
