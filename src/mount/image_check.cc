// mount/image_check.cc: an image follows from its tree and owner alone, so the whole check is to write it once more.
#include "mount/image_check.h"

#include <charconv>

#include "mount/erofs_image.h"
#include "mount/packer.h"

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

uint64_t bytes_of(const Path& file) {
  const auto status = stat_of(file);
  return status ? static_cast<uint64_t>(status->st_size) : 0;
}

}  // namespace

bool image_is_whole(const Store& store, const Path& image, const std::function<void()>& check) {
  std::string name = image.filename().string();  // <tree>-<uid>-<gid> and what kind it is.
  const bool is_packed = name.ends_with(packed_suffix);
  const std::string_view suffix = is_packed ? packed_suffix : image_suffix;
  if (!name.ends_with(suffix)) return false;
  name.resize(name.size() - suffix.size());
  const size_t last = name.rfind('-');
  if (name.size() < 68 || name[64] != '-' || last <= 64) return false;
  const auto tree = Digest::try_parse(name.substr(0, 64));
  const auto uid = number_in(std::string_view(name).substr(65, last - 65));
  const auto gid = number_in(std::string_view(name).substr(last + 1));
  if (!tree || !uid || !gid || !store.has_tree(*tree)) return false;
  if (is_packed && bytes_of(image) > free_bytes(store.root()) / packed_free_share) return false;
  TempFile again(store.root() / "tmp", 0600);
  if (is_packed) write_packed_image(store, *tree, {*uid, *gid}, again, check);
  else write_erofs_image([&](const Digest& digest) { return store.read_tree(digest); }, *tree, {*uid, *gid}, again);
  return hash_of(again.path()) == hash_of(image);
}

}  // namespace volary
