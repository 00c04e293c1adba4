// mount/mount.h: a tree as a directory, a writable layer over it, and the harvest of what changed.
//
// Planning and doing are apart. Mounter::prepare() makes what a mount needs on disk and returns the mount as a value
// (MountPlan), which can be stored and sent to the process that will hold it; perform() carries plans out in the
// caller's mount namespace. A job's supervisor does that in a namespace of its own, so when it ends, however it ends,
// no mount is left behind.
//
//   read-only   erofs+overlayfs   an EROFS image of names and sizes (images/<tree>-<uid>-<gid>.erofs), joined by
//                                 overlayfs with objects/ as a layer below it: nothing is copied, the page cache is
//                                 shared (needs CAP_SYS_ADMIN). Of a tree of small files that is mounted again and
//                                 again: a packed image, which holds their bytes too, without overlayfs
//               link farm         a directory of hard links to the objects, made once per tree, bind-mounted read-only
//                                 (images/<tree>.links)
//   writable    the same as lower layer, an upper directory over it:
//               overlayfs         as root; directories may be renamed (redirects), a chmod copies no data (metacopy)
//               user overlayfs    in a user namespace, over the link farm
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "core/file.h"
#include "store/store.h"

namespace volary {

enum class ReadOnlyWay { erofs_overlay, link_farm };
BOOST_DESCRIBE_ENUM(ReadOnlyWay, erofs_overlay, link_farm)
enum class WritableWay { overlay, user_overlay, none };
BOOST_DESCRIBE_ENUM(WritableWay, overlay, user_overlay, none)

// How overlayfs takes objects/ below an image. data_only (Linux 6.5): redirects lead there, and nothing of it shows.
// ordinary: its directories would show in the root; the image hides them (mount/erofs_image.cc).
enum class Layering { data_only, ordinary };
BOOST_DESCRIBE_ENUM(Layering, data_only, ordinary)

// What this machine can do, found out by doing it once on a scratch directory beside the store.
struct MountWays {
  ReadOnlyWay read_only{};
  WritableWay writable{};
  std::string read_only_reason;  // Why this one: "erofs mounts from a file, overlayfs takes data-only layers"
  std::string writable_reason;
  Layering layering = Layering::data_only;  // Of erofs_overlay.
};
BOOST_DESCRIBE_STRUCT(MountWays, (), (read_only, writable, read_only_reason, writable_reason, layering))

MountWays probe_mounts(const Path& store_root);

// One mount(2) to make.
struct MountStep {
  std::string kind;     // "erofs", "packed", "overlay", "bind", "bind_ro"
  std::string source;   // image or directory
  std::string target;   // Absolute, or relative to the staging directory given to perform().
  std::string options;  // For overlay.
};
BOOST_DESCRIBE_STRUCT(MountStep, (), (kind, source, target, options))

// How one version comes to stand at a path.
struct MountPlan {
  std::vector<MountStep> steps;
  std::string root;        // Relative to the staging directory: where the tree stands after perform().
  bool writable = false;
  bool user_namespace = false;  // perform() must run inside a user namespace where the caller is mapped to root.
};
BOOST_DESCRIBE_STRUCT(MountPlan, (), (steps, root, writable, user_namespace))

// Who owns the files that a job sees: the uid and gid its process really has on the host.
struct Owner {
  uint32_t uid = 0;
  uint32_t gid = 0;
};

class ImageCache;  // mount/image_cache.h

// A mount may be prepared more than once before it is made; that is no sign of a tree that is mounted more than once.
enum class Preparing { first, again };

class Mounter {
 public:
  virtual ~Mounter() = default;
  virtual const MountWays& ways() const = 0;
  virtual ImageCache& images() = 0;  // What it made so far.

  // A plan to show `tree` read-only. `name` is unique among the plans performed together (a word: "0", "input_model").
  virtual MountPlan prepare_read_only(const Digest& tree, const std::string& name,
                                      Preparing preparing = Preparing::first) = 0;
  // A plan to show `tree` with changes going to `scratch`/upper (made if absent; kept if present: a restarted job
  // goes on).
  virtual MountPlan prepare_writable(const Digest& tree, const std::string& name, const Path& scratch) = 0;
};

// Where lines go about what happens in the background. Called from any thread.
using MountLog = std::function<void(std::string_view line)>;

// `owner`: whom the files in images belong to. Thread-safe. Images and farms are made once per tree and kept in the
// store's images/ (mount/image_cache.h). Packed images are made of trees up to `packed_bytes_max` (mount/packer.h).
std::unique_ptr<Mounter> open_mounter(const Store& store, const MountWays& ways, Owner owner,
                                      uint64_t packed_bytes_max = 0, MountLog log = {});

// Enters a mount namespace of its own (and a user namespace first, if `user_namespace`), private from the host's. For
// single-threaded processes: the supervisor of a job, a test's child.
void enter_mount_namespace(bool user_namespace);

// Carries out the plans below `staging`, a directory on which this mounts a tmpfs for the mount points. Afterwards
// plan i stands at staging / plan.root. Those that are not writable are shared with the mount namespaces that are made
// from this one, and with binds of them: see show_over().
void perform(const std::vector<MountPlan>& plans, const Path& staging);

// Carries out one more plan below `staging`, and shows its tree, read-only, over the plan that stands at `place` (its
// root): wherever that is shown by now, in other mount namespaces too. What was opened before stays as it was. Only
// over a plan that is not writable.
void show_over(const MountPlan& plan, const Path& staging, const std::string& place);

struct Harvest {
  std::vector<TreeChange> changes;        // To give to apply_changes with the tree that was attached.
  std::vector<std::string> left_out;      // "socket 'run/x.sock'": special files, said and not kept.
  std::vector<TreePath> restless;         // Files among them that never held still.
  uint64_t files = 0;                     // Regular files whose bytes were read.
  uint64_t bytes = 0;
};

// keep: a deletion in the job becomes one in the version (rwd); the result is the directory as the job left it.
// drop: it does not (rw); the result is the union of the attached tree and that directory, the directory winning. After
// a rename both names are there.
enum class Deletions { keep, drop };

// Reads what a writable mount of `tree` left in `scratch` and adds the changed files to `commit`. Only the upper
// directory is walked: the cost follows the change. The directory is hostile: symbolic links are kept and never
// followed, special files are left out, names that are no tree paths (control
// characters, not UTF-8) throw `invalid` naming them. Can be repeated.
//
// Writers::gone: nothing runs in it any more. Writers::there: others go on writing. Then each file is as it was at one
// moment: what is closed before this is called is there whole. A file that is written meanwhile is there as far as two
// readings of it were the same; one that never holds still, three times, or goes meanwhile, is left out, with what was
// there before it, and named. Throws `conflict` if directories come and go whenever they are looked at.
enum class Writers { gone, there };
Harvest harvest(const Store& store, Commit& commit, const Digest& tree, const Path& scratch, Deletions deletions,
                Progress& progress, Writers writers = Writers::gone);

// The EROFS image of `tree` (mount/erofs_image.cc has the format), written to `file`. Content of files is not in it:
// each one is an overlayfs redirect to its object. For open_mounter, tests and bench.
void write_erofs_image(const Store& store, const Digest& tree, Owner owner, const Path& file);

}  // namespace volary
