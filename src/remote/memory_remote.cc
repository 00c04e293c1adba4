// remote/memory_remote.cc: a map under a lock. Contents are never changed, so readers share them without it.
#include "remote/memory_remote.h"

#include <map>

#include "core/error.h"
#include "core/synced.h"
#include "remote/key.h"

namespace volary {
namespace {

struct Kept {
  RemoteObject object;
  std::shared_ptr<const std::string> bytes;  // Shared with readers that began before it was replaced.
};

class MemoryRemote final : public Remote {
 public:
  explicit MemoryRemote(Clock& clock) : clock_(clock) {}

  void list(const std::string& prefix, const std::function<void(const RemoteObject&)>& visit) override {
    for (auto object = first_from(prefix); object && object->key.starts_with(prefix);
         object = first_from(object->key + '\0'))
      visit(*object);
  }

  std::optional<RemoteObject> find(const std::string& key) override {
    const auto kept = look_up(key);
    if (!kept) return std::nullopt;
    return kept->object;
  }

  RemoteObject get(const std::string& key, const GetOptions& options, Sink& sink) override {
    const auto kept = look_up(key);
    if (!kept) throw Error(Errc::not_found, "there is no '{}' in {}", key, description());
    check_match(kept->object, options, description());
    const Range range = range_of(kept->object, options);
    for (uint64_t at = 0; at < range.size; at += block_bytes)
      sink.write(std::string_view(*kept->bytes).substr(range.offset + at, std::min(block_bytes, range.size - at)));
    return kept->object;
  }

  RemoteObject put(const std::string& key, Source& source, uint64_t size) override {
    check_key(key);
    std::string bytes(size, '\0');
    read_exactly(source, bytes, key);
    const RemoteObject object{key, size, Digest::of(bytes).hex(), clock_.now()};
    objects_.lock()->insert_or_assign(key, Kept{object, std::make_shared<const std::string>(std::move(bytes))});
    return object;
  }

  void remove(const std::string& key) override {
    check_key(key);
    objects_.lock()->erase(key);
  }

  std::string description() const override { return "memory"; }

 private:
  std::optional<Kept> look_up(const std::string& key) {
    check_key(key);
    auto objects = objects_.lock();
    const auto found = objects->find(key);
    if (found == objects->end()) return std::nullopt;
    return found->second;
  }

  std::optional<RemoteObject> first_from(const std::string& key) {
    auto objects = objects_.lock();
    const auto found = objects->lower_bound(key);
    if (found == objects->end()) return std::nullopt;
    return found->second.object;
  }

  Clock& clock_;
  Synced<std::map<std::string, Kept>> objects_;
};

}  // namespace

std::unique_ptr<Remote> open_memory_remote(Clock& clock) { return std::make_unique<MemoryRemote>(clock); }

}  // namespace volary
