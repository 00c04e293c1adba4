// mount/steps.cc: mount/steps.h.
#include "mount/steps.h"

#include "core/json.h"

namespace volary {
namespace {

constexpr const char* plain_kind = "erofs";
constexpr const char* packed_kind = "packed";

struct OverlayOptions {
  std::string lower;
  std::string data;
  std::string upper;
  std::string work;
  bool user_xattrs = false;
  std::optional<Layering> layering;  // Of `data`, if there is any.
};
BOOST_DESCRIBE_STRUCT(OverlayOptions, (), (lower, data, upper, work, user_xattrs, layering))

}  // namespace

MountStep image_step(const Path& image, const std::string& target) {
  return {.kind = plain_kind, .source = image.native(), .target = target, .options = ""};
}

MountStep packed_image_step(const Path& image, const std::string& target) {
  return {.kind = packed_kind, .source = image.native(), .target = target, .options = ""};
}

MountStep overlay_step(const OverlayLayers& layers, const std::string& target) {
  const OverlayOptions options{.lower = layers.lower.native(),
                               .data = layers.data.native(),
                               .upper = layers.upper.native(),
                               .work = layers.work.native(),
                               .user_xattrs = layers.xattrs == OverlayXattrs::user,
                               .layering = layers.data.empty() ? std::nullopt : std::optional(layers.layering)};
  return {.kind = "overlay", .source = "", .target = target, .options = print_json(to_json(options))};
}

MountStep bind_read_only_step(const Path& source, const std::string& target) {
  return {.kind = "bind_ro", .source = source.native(), .target = target, .options = ""};
}

bool is_image_step(const MountStep& step) { return step.kind == plain_kind || step.kind == packed_kind; }

void mount_image_of(const MountStep& step, const Path& target) {
  if (step.kind == packed_kind) mount_packed_image(step.source, target);
  else mount_image(step.source, target);
}

OverlayLayers layers_of_options(const std::string& options) {
  const auto read = from_json<OverlayOptions>(parse_json(options, "the options of an overlay"), "options");
  return {.lower = read.lower,
          .data = read.data,
          .upper = read.upper,
          .work = read.work,
          .xattrs = read.user_xattrs ? OverlayXattrs::user : OverlayXattrs::trusted,
          .layering = read.layering.value_or(Layering::data_only)};
}

}  // namespace volary
