// mount/steps.h: the steps of a plan, written by the mounter and the probe, read by perform().
#pragma once

#include <string>

#include "mount/kernel_mount.h"
#include "mount/mount.h"

namespace volary {

MountStep image_step(const Path& image, const std::string& target);
MountStep packed_image_step(const Path& image, const std::string& target);
// A relative `layers.lower` is below the staging directory; the other layers are absolute.
MountStep overlay_step(const OverlayLayers& layers, const std::string& target);
// A relative `source` is below the staging directory.
MountStep bind_read_only_step(const Path& source, const std::string& target);

bool is_image_step(const MountStep& step);
// Carries out one that is.
void mount_image_of(const MountStep& step, const Path& target);

// The layers of an overlay step, read from its options: a JSON object, so that any path may stand in it.
OverlayLayers layers_of_options(const std::string& options);

}  // namespace volary
