// mount/kernel_mount.h: the few mounts that Volary makes, by the kernel's mount API (fsopen, open_tree, move_mount).
//
// Paths are handed to the kernel as descriptors ("/proc/self/fd/7"), so ':' and ',' in a path mean nothing, a path
// may be long, and what was looked at is what is mounted. Errors carry what the file system itself said about the
// reason. All mounts are made without set-uid programs and devices.
#pragma once

#include <string>

#include "core/file.h"
#include "mount/mount.h"

namespace volary {

enum class Access { read_only, read_write };
enum class OverlayXattrs { trusted, user };  // Which names overlayfs gives its attributes.

// The directories of an overlay. `data` and `upper` may be empty: no second layer, nothing writable.
struct OverlayLayers {
  Path lower;
  Path data;  // Where redirects of `lower` lead.
  Path upper;
  Path work;  // Beside `upper`, on the same mount.
  OverlayXattrs xattrs = OverlayXattrs::trusted;
  Layering layering = Layering::data_only;  // Of `data`.
  std::string source = "volary";            // What /proc/self/mountinfo calls it.
};

// Mounts go onto the directory that `target` is when they are made; "/proc/self/fd/7" is one that was opened before.
void mount_tmpfs(const Path& target);
// An EROFS image: from the file itself, or, where the kernel only takes devices, by mount_image_by_loop.
enum class ImageSource { file, loop_device };
ImageSource mount_image(const Path& image, const Path& target);
// By a loop device that ends with the last mount of it. All mounts of one image that this makes on a machine are of one
// file system, so what one has read of its files the others have too; each mount from the file would read for itself.
void mount_image_by_loop(const Path& image, const Path& target);
// The root of such a mount that stands at no path, and ends when this is closed. Until then what was read through any
// mount of the image stays in memory for the next one, as far as there is room.
Fd hold_image_by_loop(const Path& image);
// Of a packed image: by a loop device, or from the file where none can be had.
void mount_packed_image(const Path& image, const Path& target);
void mount_overlay(const OverlayLayers& layers, const Path& target);
void bind_directory(const Path& source, const Path& target, Access access);
// What is mounted on the mount at `target` from now on appears on its copies too: those that are made of it from now
// on, by binding it and with mount namespaces.
void share_mount(const Path& target);

}  // namespace volary
