// mount/mounter.cc: plans for mounts; the images and link farms that they need come from mount/image_cache.h.
//
// The first read-only mount of a tree needs an image at once, so it gets the plain one. A second one shows that the
// tree is read more than once: if it is of small files, it is packed meanwhile, and mounted packed from then on.
#include <unistd.h>

#include "core/error.h"
#include "core/tree_path.h"
#include "mount/image_cache.h"
#include "mount/erofs_image.h"
#include "mount/kernel_mount.h"
#include "mount/packer.h"
#include "mount/scratch.h"
#include "mount/steps.h"

namespace volary {
namespace {

class KernelMounter final : public Mounter {
 public:
  KernelMounter(const Store& store, const MountWays& ways, Owner owner, uint64_t packed_bytes_max, MountLog log)
      : store_(store), ways_(ways), owner_(owner), cache_(store, owner),
        packer_(store, cache_, packed_bytes_max, std::move(log)) {}

  const MountWays& ways() const override { return ways_; }
  ImageCache& images() override { return cache_; }

  MountPlan prepare_read_only(const Digest& tree, const std::string& name, Preparing preparing) override {
    MountPlan plan = plan_named(name);
    const std::string target = plan.root;
    if (ways_.read_only == ReadOnlyWay::link_farm) {
      plan.steps.push_back(bind_read_only_step(cache_.farm_of(tree), target));
    } else if (const auto packed = cache_.find_packed(tree)) {
      plan.steps.push_back(packed_image_step(*packed, lower_of(name)));
      plan.steps.push_back(bind_read_only_step(Path(lower_of(name)) / packed_name_of(tree), target));
    } else {
      if (preparing == Preparing::first && cache_.has_image(tree)) packer_.want(tree);
      plan.steps.push_back(image_step(cache_.image_of(tree), lower_of(name)));
      const OverlayLayers layers{
          .lower = lower_of(name), .data = objects(), .upper = {}, .work = {}, .layering = ways_.layering};
      plan.steps.push_back(overlay_step(layers, target));
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
      plan.steps.push_back(image_step(cache_.image_of(tree), lower_of(name)));
      layers.lower = lower_of(name);
      layers.data = objects();
      layers.layering = ways_.layering;
    } else {
      layers.lower = cache_.farm_of(tree);
    }
    plan.steps.push_back(overlay_step(layers, plan.root));
    return plan;
  }

 private:
  Path objects() const { return std::filesystem::absolute(store_.root()) / "objects"; }
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

  const Store& store_;
  const MountWays ways_;
  const Owner owner_;
  ImageCache cache_;
  Packer packer_;
};

}  // namespace

std::unique_ptr<Mounter> open_mounter(const Store& store, const MountWays& ways, Owner owner,
                                      uint64_t packed_bytes_max, MountLog log) {
  return std::make_unique<KernelMounter>(store, ways, owner, packed_bytes_max, std::move(log));
}

}  // namespace volary
