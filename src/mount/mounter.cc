// mount/mounter.cc: plans for mounts, and the images and link farms that they need, each made once.
//
// An image or farm is made under a temporary name in the store's tmp/, synced, and renamed into images/: a name there
// always means a finished one, also after a crash. Callers in this process wait for the one that makes it; two
// processes would both make it, and one rename wins.
#include <unistd.h>

#include <condition_variable>
#include <set>

#include "core/error.h"
#include "core/fault.h"
#include "core/random.h"
#include "core/synced.h"
#include "core/tree_path.h"
#include "mount/erofs_image.h"
#include "mount/kernel_mount.h"
#include "mount/link_farm.h"
#include "mount/scratch.h"
#include "mount/steps.h"

namespace volary {
namespace {

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

class KernelMounter final : public Mounter {
 public:
  KernelMounter(const Store& store, const MountWays& ways, Owner owner) : store_(store), ways_(ways), owner_(owner) {
    make_directories(images());
    make_directories(temporaries());
  }

  const MountWays& ways() const override { return ways_; }

  MountPlan prepare_read_only(const Digest& tree, const std::string& name) override {
    MountPlan plan = plan_named(name);
    const std::string target = plan.root;
    if (ways_.read_only == ReadOnlyWay::erofs_overlay) {
      plan.steps.push_back(image_step(image_of(tree), lower_of(name)));
      const OverlayLayers layers{
          .lower = lower_of(name), .data = objects(), .upper = {}, .work = {}, .layering = ways_.layering};
      plan.steps.push_back(overlay_step(layers, target));
    } else {
      plan.steps.push_back(bind_read_only_step(farm_of(tree), target));
    }
    return plan;
  }

  MountPlan prepare_writable(const Digest& tree, const std::string& name, const Path& scratch) override {
    if (ways_.writable == WritableWay::none)
      throw Error(Errc::unavailable, "no volume can be written on this machine: {}", ways_.writable_reason);
    MountPlan plan = plan_named(name);
    plan.writable = true;
    const bool by_user = ways_.writable == WritableWay::user_overlay;
    const auto xattrs = by_user ? OverlayXattrs::user : OverlayXattrs::trusted;
    const Scratch made = make_scratch(std::filesystem::absolute(scratch), tree, xattrs, owner_);
    OverlayLayers layers{.lower = {}, .data = {}, .upper = made.upper, .work = made.work, .xattrs = xattrs};
    if (ways_.read_only == ReadOnlyWay::erofs_overlay && !by_user) {
      plan.steps.push_back(image_step(image_of(tree), lower_of(name)));
      layers.lower = lower_of(name);
      layers.data = objects();
      layers.layering = ways_.layering;
    } else {
      layers.lower = farm_of(tree);
    }
    plan.steps.push_back(overlay_step(layers, plan.root));
    return plan;
  }

 private:
  Path images() const { return std::filesystem::absolute(store_.root()) / "images"; }
  Path objects() const { return std::filesystem::absolute(store_.root()) / "objects"; }
  Path temporaries() const { return store_.root() / "tmp"; }
  static std::string lower_of(const std::string& name) { return "lower/" + name; }

  MountPlan plan_named(const std::string& name) const {
    if (name.empty() || name == "." || name == ".." || name.find_first_of(std::string_view("/\0", 2)) != name.npos)
      throw Error(Errc::invalid, "'{}' cannot name a mount: expected one word", printable(name));
    MountPlan plan;
    plan.root = "trees/" + name;
    // Root needs no user namespace; anybody else can mount in one only.
    plan.user_namespace = ways_.writable == WritableWay::user_overlay || ::geteuid() != 0;
    return plan;
  }

  Path image_of(const Digest& tree) {
    const Path path = images() / fmt::format("{}-{}-{}.erofs", tree.hex(), owner_.uid, owner_.gid);
    make_once(path, [&] {
      TempFile file(temporaries(), 0600);
      write_erofs_image([&](const Digest& digest) { return store_.read_tree(digest); }, tree, owner_, file);
      sync_file(file.fd(), file.path());
      fault::point("mount.image.rename");
      file.move_to(path);
    });
    return path;
  }

  Path farm_of(const Digest& tree) {
    const Path path = images() / (tree.hex() + ".farm");
    make_once(path, [&] {
      TempDirectory farm(temporaries() / ("farm-" + random_hex(12)));
      make_link_farm(store_, tree, farm.path());
      fault::point("mount.farm.rename");
      farm.move_to(path);
    });
    return path;
  }

  template <class Make>
  void make_once(const Path& path, Make make) {
    {
      auto making = making_.lock();
      making.wait(done_, [&] { return !making->contains(path); });
      if (is_present(path)) return;
      making->insert(path);
    }
    struct Done {  // Whatever happens, the next caller is let in.
      KernelMounter& mounter;
      const Path& path;
      ~Done() {
        mounter.making_.lock()->erase(path);
        mounter.done_.notify_all();
      }
    } const done{*this, path};
    during("preparing the mount of a tree", make);
  }

  const Store& store_;
  const MountWays ways_;
  const Owner owner_;
  Synced<std::set<Path>> making_;
  std::condition_variable done_;
};

}  // namespace

std::unique_ptr<Mounter> open_mounter(const Store& store, const MountWays& ways, Owner owner) {
  return std::make_unique<KernelMounter>(store, ways, owner);
}

}  // namespace volary
