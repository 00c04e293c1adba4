// mount/kernel_mount.cc: system calls behind mount/kernel_mount.h.
#include "mount/kernel_mount.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <vector>

#include "core/error_of.h"

namespace volary {
namespace {

constexpr int loop_attempts_max = 64;  // Another process may take the free loop device that we were told of.

std::string by_descriptor(const Fd& fd) { return "/proc/self/fd/" + std::to_string(fd.get()); }

Fd open_path(const Path& path, int flags) {
  Fd fd(::open(path.c_str(), O_PATH | O_CLOEXEC | flags));
  if (!fd) throw error_from_errno(errno, "open", path.native());
  return fd;
}

int move_mount_to(const Fd& mount, const Path& target) {
  const Fd place = open_path(target, O_DIRECTORY);
  return ::move_mount(mount.get(), "", place.get(), "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

// A mount being made: a file system with its parameters.
class NewMount {
 public:
  // `at`: where attach() puts it; what is mounted, where it is not called. Errors name it.
  NewMount(const char* type, const Path& at) : type_(type), at_(at), context_(::fsopen(type, FSOPEN_CLOEXEC)) {
    if (!context_) fail(errno);
  }
  void set(const char* key, const std::string& value) {
    if (::fsconfig(context_.get(), FSCONFIG_SET_STRING, key, value.c_str(), 0) < 0) fail(errno);
  }
  void set(const char* key) {
    if (::fsconfig(context_.get(), FSCONFIG_SET_FLAG, key, nullptr, 0) < 0) fail(errno);
  }
  // 0, or the errno. The one call whose failure a caller may want to answer.
  int create() { return ::fsconfig(context_.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) < 0 ? errno : 0; }
  // Its root; it stands nowhere yet, and ends with the descriptor unless it is moved to a path.
  Fd finish(unsigned attributes) {
    Fd mount(::fsmount(context_.get(), FSMOUNT_CLOEXEC, attributes));
    if (!mount) fail(errno);
    return mount;
  }
  void attach(unsigned attributes) {
    if (move_mount_to(finish(attributes), at_) < 0) fail(errno);
  }
  [[noreturn]] void fail(int number) const {
    const Error reason = error_from_errno(number, "mount " + type_ + " at", at_.native());
    const std::string said = messages();
    if (said.empty()) throw reason;
    throw Error(reason.code(), "{} ({})", reason.message(), said);
  }

 private:
  // What the file system wrote for us to read: "e overlay: …" is an error, "w …" a warning.
  std::string messages() const {
    std::string all;
    std::array<char, 512> line{};
    ssize_t size = 0;
    while (context_ && (size = ::read(context_.get(), line.data(), line.size())) > 0) {
      std::string_view text(line.data(), static_cast<size_t>(size));
      while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
      if (text.size() > 2 && text[1] == ' ') text.remove_prefix(2);
      all += (all.empty() ? "" : "; ") + std::string(text);
    }
    return all;
  }

  std::string type_;
  Path at_;
  Fd context_;
};

constexpr unsigned safe_attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;

Fd mount_device(const std::string& device, const Path& at) {
  NewMount mount("erofs", at);
  mount.set("source", device);
  mount.set("ro");
  if (const int number = mount.create()) mount.fail(number);
  return mount.finish(safe_attributes | MOUNT_ATTR_RDONLY);
}

// Whether the loop device shows all of this file, and only that.
bool shows(const Fd& loop, const struct stat& file) {
  loop_info64 info{};
  return ::ioctl(loop.get(), LOOP_GET_STATUS64, &info) == 0 && info.lo_device == file.st_dev &&
         info.lo_inode == file.st_ino && info.lo_offset == 0 && info.lo_sizelimit == 0 &&
         (info.lo_flags & LO_FLAGS_READ_ONLY) != 0;
}

std::string device_of(const std::string& loop) { return "/dev/" + loop; }

// Nothing of a block device that is no loop device, or shows nothing by now.
std::string file_shown_by(const std::string& block) {
  std::string file;
  (void)error_of([&] { file = try_read_file(Path("/sys/block") / block / "loop/backing_file").value_or(""); });
  return file;
}

// A mount of the loop device that shows the image already, if there is one. Held open, it cannot become another's; it
// may end at any moment before.
Fd mount_shown(const Path& image, const struct stat& file, const Path& at) {
  const std::string name = image.filename().native();
  Fd mount;
  if (!is_present("/sys/block")) return mount;
  for (const DirectoryEntry& block : list_directory("/sys/block")) {
    // The path in it may be of another mount namespace.
    if (file_shown_by(block.name).find(name) == std::string::npos) continue;
    const Fd loop(::open(device_of(block.name).c_str(), O_RDONLY | O_CLOEXEC));
    if (!loop || !shows(loop, file)) continue;
    if (!error_of([&] { mount = mount_device(device_of(block.name), at); })) break;
  }
  return mount;
}

// `at`: see NewMount.
Fd make_by_loop(const Path& image, const Path& at) {
  const Fd file = open_to_read(image);
  if (Fd mount = mount_shown(image, stat_of(file.get(), image), at)) return mount;
  const Fd control(::open("/dev/loop-control", O_RDWR | O_CLOEXEC));
  if (!control) throw error_from_errno(errno, "open", "/dev/loop-control");
  for (int attempt = 0; attempt < loop_attempts_max; ++attempt) {
    const int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
    if (number < 0) throw error_from_errno(errno, "find a free loop device for", image.native());
    const std::string device = device_of("loop" + std::to_string(number));
    const Fd loop(::open(device.c_str(), O_RDONLY | O_CLOEXEC));
    if (!loop) throw error_from_errno(errno, "open", device);
    loop_config config{};
    config.fd = static_cast<__u32>(file.get());
    config.info.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR;
    if (::ioctl(loop.get(), LOOP_CONFIGURE, &config) == 0) return mount_device(device, at);
    if (errno != EBUSY) throw error_from_errno(errno, "make a loop device of", image.native());
  }
  throw Error(Errc::unavailable, "no loop device stayed free for '{}' in {} attempts", image.native(),
              loop_attempts_max);
}

}  // namespace

void mount_tmpfs(const Path& target) {
  NewMount mount("tmpfs", target);
  mount.set("source", "volary");
  mount.set("mode", "0755");
  mount.set("size", "256m");  // Mount points, and a copy of the program if its file was replaced (engine/sandbox.cc).
  if (const int number = mount.create()) mount.fail(number);
  mount.attach(safe_attributes);
}

ImageSource mount_image(const Path& image, const Path& target) {
  const Fd file = open_path(image, 0);
  NewMount mount("erofs", target);
  mount.set("source", by_descriptor(file));
  mount.set("ro");
  const int number = mount.create();
  if (number == ENOTBLK) {
    mount_image_by_loop(image, target);
    return ImageSource::loop_device;
  }
  if (number != 0) mount.fail(number);
  mount.attach(safe_attributes | MOUNT_ATTR_RDONLY);
  return ImageSource::file;
}

Fd hold_image_by_loop(const Path& image) { return make_by_loop(image, image); }

void mount_image_by_loop(const Path& image, const Path& target) {
  if (move_mount_to(make_by_loop(image, target), target) < 0)
    throw error_from_errno(errno, "mount erofs at", target.native());
}

void mount_packed_image(const Path& image, const Path& target) {
  // A container may see /dev/loop-control and not be allowed to open it.
  if (error_of([&] { mount_image_by_loop(image, target); })) mount_image(image, target);
}

void mount_overlay(const OverlayLayers& layers, const Path& target) {
  std::vector<Fd> held;  // Until the kernel has resolved them.
  const auto name = [&](const Path& path) {
    held.push_back(open_path(path, O_DIRECTORY));
    return by_descriptor(held.back());
  };
  NewMount mount("overlay", target);
  mount.set("source", layers.source);
  std::string lower = name(layers.lower);
  if (!layers.data.empty()) lower += (layers.layering == Layering::data_only ? "::" : ":") + name(layers.data);
  mount.set("lowerdir", lower);
  if (!layers.upper.empty()) {
    // Both by way of one directory, because they must be reached through one mount.
    const std::string scratch = name(layers.upper.parent_path());
    mount.set("upperdir", scratch + "/" + layers.upper.filename().native());
    mount.set("workdir", scratch + "/" + layers.work.filename().native());
    mount.set("index", "off");  // An index would tie the upper directory to this very mount of the lower one.
  }
  if (layers.xattrs == OverlayXattrs::user) {
    mount.set("userxattr");
  } else {
    mount.set("redirect_dir", "on");
    mount.set("metacopy", "on");
  }
  if (const int number = mount.create()) mount.fail(number);
  mount.attach(safe_attributes | (layers.upper.empty() ? MOUNT_ATTR_RDONLY : 0));
}

void bind_directory(const Path& source, const Path& target, Access access) {
  const Fd from = open_path(source, O_DIRECTORY);
  const Fd mount(::open_tree(from.get(), "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH));
  if (!mount) throw error_from_errno(errno, "bind", source.native());
  mount_attr attributes{};
  attributes.attr_set = safe_attributes | (access == Access::read_only ? MOUNT_ATTR_RDONLY : 0);
  attributes.propagation = MS_PRIVATE;  // What is mounted on the one is not to appear on the other.
  if (::mount_setattr(mount.get(), "", AT_EMPTY_PATH, &attributes, sizeof attributes) < 0)
    throw error_from_errno(errno, "make read-only the bind mount of", source.native());
  if (move_mount_to(mount, target) < 0)
    throw error_from_errno(errno, "bind at", target.native());
}

void share_mount(const Path& target) {
  const Fd place = open_path(target, O_DIRECTORY);
  mount_attr attributes{};
  attributes.propagation = MS_SHARED;
  if (::mount_setattr(place.get(), "", AT_EMPTY_PATH, &attributes, sizeof attributes) < 0)
    throw error_from_errno(errno, "share the mount at", target.native());
}

}  // namespace volary
