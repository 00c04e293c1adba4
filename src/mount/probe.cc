// mount/probe.cc: what this machine can mount, found out by mounting it.
//
// Each way is tried in a child with namespaces of its own, with the functions that real mounts use: nothing leaks,
// nothing is guessed from versions. The sample is one file "dir/file" of a few bytes, as a tree, an image and
// objects.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <functional>

#include "core/error.h"
#include "core/random.h"
#include "mount/erofs_image.h"
#include "mount/kernel_mount.h"

namespace volary {
namespace {

constexpr std::string_view sample_text = "volary\n";
constexpr uint64_t sample_bytes_max = 4096;

// The sample on disk: objects/, image, farm/, scratch/, and staging/ to mount on. Goes with the object.
class Sample {
 public:
  explicit Sample(Path root) : root_(std::move(root)) {
    const Digest file = Digest::of(sample_text);
    make_directories(objects());
    make_directories((objects() / file.path()).parent_path());
    make_directories(farm() / "dir");
    make_directories(staging());
    write_file_durably(objects() / file.path(), sample_text, 0444);
    write_file_durably(farm() / "dir" / "file", sample_text, 0444);
    TreeEntry entry;
    entry.name = "file";
    entry.size = sample_text.size();
    entry.digest = file;
    const Tree inner{{entry}};
    const TreeSummary summary = summary_of(inner);
    const Tree outer{{directory_entry("dir", summary)}};
    TempFile image(root_);
    const auto read_tree = [&](const Digest& digest) { return digest == summary.tree ? inner : outer; };
    write_erofs_image(read_tree, summary_of(outer).tree, Owner{::geteuid(), ::getegid()}, image);
    image.move_to(this->image());
  }
  Sample(const Sample&) = delete;
  Sample& operator=(const Sample&) = delete;
  ~Sample() {
    std::error_code ignored;  // It lies in the store's tmp/, which is emptied when the store is opened.
    std::filesystem::remove_all(root_, ignored);
  }

  Path objects() const { return root_ / "objects"; }
  Path image() const { return root_ / "image"; }
  Path farm() const { return root_ / "farm"; }
  Path staging() const { return root_ / "staging"; }
  Path scratch(std::string_view name) const {
    const Path path = root_ / name;
    make_directories(path / "upper");
    make_directories(path / "work");
    return path;
  }

 private:
  Path root_;
};

void expect_sample(const Path& tree) {
  for (const DirectoryEntry& entry : list_directory(tree))
    if (entry.name != "dir") throw Error(Errc::internal, "a sample tree shows '{}', which is not in it", entry.name);
  const std::string text = read_file(tree / "dir" / "file", sample_bytes_max);
  if (text != sample_text) throw Error(Errc::internal, "a sample file read back as '{}'", text);
}

Path mount_point(const Sample& sample, const char* name) {
  const Path path = sample.staging() / name;
  make_directories(path);
  return path;
}

void try_image_from_file(const Sample& sample) {
  enter_mount_namespace(false);
  mount_tmpfs(sample.staging());
  if (mount_image(sample.image(), mount_point(sample, "lower")) != ImageSource::file)
    throw Error(Errc::unavailable, "erofs mounts by a loop device");
}

void try_image(const Sample& sample, Layering layering) {
  enter_mount_namespace(false);
  mount_tmpfs(sample.staging());
  const Path lower = mount_point(sample, "lower");
  const Path tree = mount_point(sample, "tree");
  mount_image(sample.image(), lower);
  mount_overlay({.lower = lower, .data = sample.objects(), .upper = {}, .work = {}, .layering = layering}, tree);
  expect_sample(tree);
}

void try_data_only(const Sample& sample) { try_image(sample, Layering::data_only); }
void try_ordinary(const Sample& sample) { try_image(sample, Layering::ordinary); }

void try_farm(const Sample& sample, bool user_namespace) {
  enter_mount_namespace(user_namespace);
  mount_tmpfs(sample.staging());
  const Path tree = mount_point(sample, "tree");
  bind_directory(sample.farm(), tree, Access::read_only);
  expect_sample(tree);
}

void try_farm_as_root(const Sample& sample) { try_farm(sample, false); }
void try_farm_in_user_namespace(const Sample& sample) { try_farm(sample, true); }

// Makes a file new, one gone, and a directory another, and sees that upper/ tells. The last of these needs attributes
// that not every file system has: a tmpfs keeps none for users before Linux 6.6.
void try_writing(const Path& tree, const Path& upper) {
  expect_sample(tree);
  create_file(tree / "new");
  remove_file(tree / "dir" / "file");
  const auto whiteout = stat_of(upper / "dir" / "file");
  if (!is_present(upper / "new") || !whiteout || !S_ISCHR(whiteout->st_mode))
    throw Error(Errc::internal, "what was written to an overlay is not in its upper directory");
  remove_tree(tree / "dir");
  make_directory(tree / "dir");
}

// Over the lower layers that `ways` names so far.
void try_overlay(const Sample& sample, const MountWays& ways) {
  enter_mount_namespace(false);
  mount_tmpfs(sample.staging());
  const Path tree = mount_point(sample, "tree");
  const Path scratch = sample.scratch("overlay");
  OverlayLayers layers{.lower = sample.farm(), .data = {}, .upper = scratch / "upper", .work = scratch / "work"};
  if (ways.read_only == ReadOnlyWay::erofs_overlay) {
    layers.lower = mount_point(sample, "lower");
    layers.data = sample.objects();
    layers.layering = ways.layering;
    mount_image(sample.image(), layers.lower);
  }
  mount_overlay(layers, tree);
  try_writing(tree, scratch / "upper");
}

void try_user_overlay(const Sample& sample) {
  enter_mount_namespace(true);
  mount_tmpfs(sample.staging());
  const Path tree = mount_point(sample, "tree");
  const Path scratch = sample.scratch("user-overlay");
  const OverlayLayers layers{.lower = sample.farm(),
                             .data = {},
                             .upper = scratch / "upper",
                             .work = scratch / "work",
                             .xattrs = OverlayXattrs::user};
  mount_overlay(layers, tree);
  try_writing(tree, scratch / "upper");
}

[[noreturn]] void report_and_end(int pipe, const std::function<void()>& work) {
  std::string failure;
  try {
    work();
  } catch (const std::exception& error) {  // The child's main: its parent gets the words.
    failure = error.what();
  }
  const bool said = ::write(pipe, failure.data(), failure.size()) == static_cast<ssize_t>(failure.size());
  ::_exit(said && failure.empty() ? 0 : 1);
}

// "" if `work` succeeded in a child, or why not.
std::string failure_in_child(const std::function<void()>& work) {
  Pipe pipe = make_pipe();
  const pid_t child = ::fork();
  if (child < 0) throw error_from_errno(errno, "start", "a child");
  if (child == 0) report_and_end(pipe.to_write.get(), work);
  pipe.to_write.close();
  std::string failure;
  std::array<char, 4096> block{};
  while (const size_t size = read_some(pipe.to_read.get(), block, "the pipe of a child"))
    failure.append(block.data(), size);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {}
  if (status != 0 && failure.empty()) failure = fmt::format("the child that tried it ended with status {}", status);
  for (size_t at; (at = failure.find('\n')) != failure.npos;) failure.replace(at, 1, ";");
  return failure;
}

}  // namespace

MountWays probe_mounts(const Path& store_root) {
  const Path temporaries = std::filesystem::absolute(store_root) / "tmp";
  make_directories(temporaries);
  const Sample sample(temporaries / ("probe-" + random_hex(12)));
  const auto failure_of = [&](const auto& way) { return failure_in_child([&] { way(sample); }); };
  MountWays ways;

  const std::string data_only = failure_of(try_data_only);
  const std::string ordinary = data_only.empty() ? "" : failure_of(try_ordinary);
  if (ordinary.empty()) {
    ways.read_only = ReadOnlyWay::erofs_overlay;
    ways.layering = data_only.empty() ? Layering::data_only : Layering::ordinary;
    ways.read_only_reason = fmt::format("erofs mounts {}, overlayfs takes {}",
                                        failure_of(try_image_from_file).empty() ? "from a file" : "by a loop device",
                                        data_only.empty() ? "data-only layers" : "objects/ as an ordinary layer");
  } else {
    ways.read_only = ReadOnlyWay::link_farm;
    ways.read_only_reason = "no erofs with overlayfs: " + ordinary;
    const std::string farm = failure_of(try_farm_as_root).empty() ? "" : failure_of(try_farm_in_user_namespace);
    if (!farm.empty()) ways.read_only_reason += "; and no bind mounts: " + farm;
  }

  const std::string overlay = failure_of([&](const Sample& one) { try_overlay(one, ways); });
  if (overlay.empty()) {
    ways.writable = WritableWay::overlay;
    ways.writable_reason = "overlayfs mounts as root and keeps whiteouts in its upper directory";
    return ways;
  }
  const std::string user = failure_of(try_user_overlay);
  ways.writable = user.empty() ? WritableWay::user_overlay : WritableWay::none;
  ways.writable_reason = user.empty() ? "overlayfs mounts in a user namespace; not outside: " + overlay
                                      : "no overlayfs: " + overlay + "; nor in a user namespace: " + user;
  return ways;
}

}  // namespace volary
