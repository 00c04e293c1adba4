// mount/image_cache.cc: making, listing and removing what mount/image_cache.h keeps.
#include "mount/image_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <tuple>

#include "core/error_of.h"
#include "core/fault.h"
#include "core/random.h"
#include "mount/erofs_image.h"
#include "mount/link_farm.h"

namespace volary {
namespace {

constexpr std::string_view farm_suffix = ".links";
constexpr size_t digits = 2 * Digest::size;
constexpr uint64_t bytes_per_block = 512;  // Of stat's st_blocks.
constexpr uint64_t number_bytes_max = 32;

// A directory that goes with all below it, unless it was renamed away.
class TempDirectory {
 public:
  explicit TempDirectory(Path path) : path_(std::move(path)) {}
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;
  ~TempDirectory() {
    if (is_moved_ || !is_present(path_)) return;
    std::error_code ignored;  // What stays is removed when the store is opened again.
    std::filesystem::remove_all(path_, ignored);
  }
  const Path& path() const { return path_; }
  // Nothing happens if `path` is there already: another process was faster.
  void move_to(const Path& path) {
    if (is_present(path)) return;
    rename_file(path_, path);
    is_moved_ = true;
  }

 private:
  Path path_;
  bool is_moved_ = false;
};

Time last_used_of(const struct stat& status) {
  return {status.st_atim.tv_sec * 1'000'000 + status.st_atim.tv_nsec / 1000};
}

uint64_t read_number(const Path& path) {
  const std::string text = try_read_file(path, number_bytes_max).value_or("0");
  uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace

class ImageCache::InHand {
 public:
  InHand(ImageCache& cache, const std::string& name) : cache_(cache), name_(name) {
    auto taken = cache_.in_hand_.lock();
    taken.wait(cache_.released_, [&] { return !taken->contains(name_); });
    taken->insert(name_);
  }
  InHand(const InHand&) = delete;
  InHand& operator=(const InHand&) = delete;
  ~InHand() {
    cache_.in_hand_.lock()->erase(name_);
    cache_.released_.notify_all();
  }

 private:
  ImageCache& cache_;
  const std::string& name_;
};

ImageCache::ImageCache(const Store& store, Owner owner) : store_(store), owner_(owner) {
  make_directories(images());
  make_directories(temporaries());
}

Path ImageCache::images() const { return std::filesystem::absolute(store_.root()) / "images"; }

template <class Make>
void ImageCache::make_once(const std::string& name, Make make) {
  const InHand in_hand(*this, name);
  if (is_present(images() / name)) return touch(name);
  during("preparing the mount of a tree", make);
}

std::string ImageCache::image_name(const Digest& tree) const {
  return fmt::format("{}-{}-{}{}", tree.hex(), owner_.uid, owner_.gid, image_suffix);
}

std::string ImageCache::packed_name(const Digest& tree) const {
  return fmt::format("{}-{}-{}{}", tree.hex(), owner_.uid, owner_.gid, packed_suffix);
}

std::optional<Path> ImageCache::find_packed(const Digest& tree) {
  const std::string name = packed_name(tree);
  {
    // Who removes it has perhaps looked at the leases before there was one for this.
    auto taken = in_hand_.lock();
    if (taken->contains(name) || !is_present(images() / name)) return std::nullopt;
    touch(name);
  }
  // Where it cannot be held it is mounted all the same. The kernel may take its time: nobody else waits for it.
  std::optional<HeldImage> held;
  if (!is_held(name) && !error_of([&] { held.emplace(images() / name); })) keep(name, *std::move(held));
  return images() / name;
}

bool ImageCache::is_held(const std::string& name) {
  auto held = held_.lock();
  const auto found = held->find(name);
  if (found == held->end()) return false;
  found->second.last_asked = ++times_asked_;
  return true;
}

void ImageCache::keep(const std::string& name, HeldImage image) {
  HeldImages ending;  // When nothing is locked any more, as in remove().
  auto held = held_.lock();
  ending.insert(held->extract(name));
  held->emplace(name, Held{std::move(image), ++times_asked_});
  if (held->size() <= held_images_max) return;
  const auto before = [](const auto& a, const auto& b) { return a.second.last_asked < b.second.last_asked; };
  ending.insert(held->extract(std::min_element(held->begin(), held->end(), before)));
}

void ImageCache::pack(const Digest& tree, const std::function<void()>& check) {
  const std::string name = packed_name(tree);
  make_once(name, [&] {
    TempFile file(temporaries(), 0600);
    write_packed_image(store_, tree, owner_, file, check);
    sync_file(file.fd(), file.path());
    std::optional<HeldImage> held;
    (void)error_of([&] { held.emplace(file.path()).read_all(check); });
    fault::point("mount.packed.rename");
    file.move_to(images() / name);
    if (held) keep(name, *std::move(held));
  });
}

Path ImageCache::image_of(const Digest& tree) {
  const std::string name = image_name(tree);
  make_once(name, [&] {
    TempFile file(temporaries(), 0600);
    write_erofs_image([&](const Digest& digest) { return store_.read_tree(digest); }, tree, owner_, file);
    sync_file(file.fd(), file.path());
    fault::point("mount.image.rename");
    file.move_to(images() / name);
  });
  return images() / name;
}

Path ImageCache::farm_of(const Digest& tree) {
  const std::string name = tree.hex() + std::string(farm_suffix);
  make_once(name, [&] {
    TempDirectory farm(temporaries() / ("farm-" + random_hex(12)));
    make_directory(farm.path());
    const uint64_t bytes = make_link_farm(store_, tree, farm.path() / "tree");
    write_file_durably(farm.path() / "bytes", std::to_string(bytes));
    fault::point("mount.farm.rename");
    farm.move_to(images() / name);
  });
  return images() / name / "tree";
}

void ImageCache::touch(const std::string& name) const {
  const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_NOW}, {.tv_sec = 0, .tv_nsec = UTIME_OMIT}};
  const Path path = images() / name;
  if (::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
    throw error_from_errno(errno, "touch", path.native());
}

void ImageCache::let_go_of_absent() {
  HeldImages gone;  // They end when nothing is locked any more, as in remove().
  auto held = held_.lock();
  for (auto at = held->begin(); at != held->end();) {
    const auto one = at++;
    if (!is_present(images() / one->first)) gone.insert(held->extract(one));
  }
}

CachedTree ImageCache::describe(const std::string& name) const {
  CachedTree cached;
  cached.name = name;
  cached.kind = CachedKind::former;
  if (name.size() > digits && name.find_first_not_of("0123456789abcdef") == digits)
    cached.tree = Digest::parse(name.substr(0, digits));
  if (cached.tree && name == image_name(*cached.tree)) cached.kind = CachedKind::image;
  if (cached.tree && name == packed_name(*cached.tree)) cached.kind = CachedKind::packed_image;
  if (cached.tree && name == cached.tree->hex() + std::string(farm_suffix)) cached.kind = CachedKind::link_farm;
  const Path path = images() / name;
  if (const auto status = stat_of(path)) {
    cached.last_used = last_used_of(*status);
    cached.bytes = S_ISDIR(status->st_mode) ? read_number(path / "bytes")
                                            : static_cast<uint64_t>(status->st_blocks) * bytes_per_block;
  }
  return cached;
}

std::vector<CachedTree> ImageCache::list() const {
  std::vector<CachedTree> all;
  for (const DirectoryEntry& entry : list_directory(images())) all.push_back(describe(entry.name));
  std::sort(all.begin(), all.end(), [](const CachedTree& a, const CachedTree& b) {
    return std::tie(a.last_used, a.name) < std::tie(b.last_used, b.name);
  });
  return all;
}

bool ImageCache::remove(const std::string& name, const std::function<bool()>& is_in_use) {
  const InHand in_hand(*this, name);
  if (is_in_use()) return false;
  // A directory is not removed in one step, and a name here means that it is whole.
  const Path gone = temporaries() / ("gone-" + random_hex(12));
  if (!is_present(images() / name)) return true;
  const auto ending = held_.lock()->extract(name);  // Not while that is locked: with much in memory it takes seconds.
  rename_file(images() / name, gone);
  fault::point("mount.cache.renamed");
  remove_tree(gone);
  return true;
}

}  // namespace volary
