// mount/image_check.cc: an image follows from its tree and owner alone, so the whole check is to write it once more.
#include "mount/image_check.h"

#include <charconv>

#include "core/random.h"
#include "mount/mount.h"

namespace volary {
namespace {

class NoSink final : public Sink {
 public:
  void write(std::string_view) override {}
};

Digest hash_of(const Path& path) {
  NoSink nowhere;
  HashingSink hashing(nowhere);
  FileSource source(path);
  pump(source, hashing);
  return hashing.digest();
}

std::optional<uint32_t> number_in(std::string_view text) {
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

bool image_is_whole(const Store& store, const Path& image) {
  const std::string name = image.stem().string();  // <tree>-<uid>-<gid>
  const size_t last = name.rfind('-');
  if (name.size() < 68 || name[64] != '-' || last <= 64) return false;
  const auto tree = Digest::try_parse(name.substr(0, 64));
  const auto uid = number_in(std::string_view(name).substr(65, last - 65));
  const auto gid = number_in(std::string_view(name).substr(last + 1));
  if (!tree || !uid || !gid || !store.has_tree(*tree)) return false;
  struct Again {
    Path path;
    ~Again() {
      std::error_code ignored;  // tmp/ is emptied when the store is opened.
      std::filesystem::remove(path, ignored);
    }
  } again{store.root() / "tmp" / ("image-" + random_hex(8))};
  write_erofs_image(store, *tree, {*uid, *gid}, again.path);
  return hash_of(again.path) == hash_of(image);
}

}  // namespace volary
