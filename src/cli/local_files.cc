// cli/local_files.cc: walking and reading for cli/local_files.h.
#include "cli/local_files.h"

#include <dirent.h>

#include "cli/landing.h"
#include "core/error.h"
#include "store/tree.h"

namespace volary {
namespace {

bool is_same_moment(const struct timespec& a, const struct timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

LocalFile listed(const Path& path, TreePath name, const struct stat& status) {
  LocalFile file;
  file.path = path;
  file.name = std::move(name);
  file.size = static_cast<uint64_t>(status.st_size);
  file.executable = (status.st_mode & S_IXUSR) != 0;
  file.changed = status.st_mtim;
  return file;
}

class Walk {
 public:
  explicit Walk(LocalFiles& found) : found_(found) {}

  void directory(const Path& path, const TreePath& name) {
    const auto entries = list_directory(path);
    if (entries.empty() && !name.is_root()) {
      LocalFile file;
      file.path = path;
      file.name = name;
      file.kind = UploadKind::directory;
      found_.files.push_back(std::move(file));
    }
    for (const DirectoryEntry& entry : entries) {
      const Path below = path / entry.name;
      if (const std::string flaw = flaw_of_component(entry.name); !flaw.empty())
        throw Error(Errc::invalid, "'{}' has a name that no volume can hold: {}", printable(below.native()), flaw);
      if (is_unfinished(entry.name)) leave_out(below, "what an interrupted download left");
      else step(below, name.child(entry.name), entry.type);
    }
  }

 private:
  void step(const Path& path, TreePath name, unsigned char type) {
    if (type == DT_DIR) return directory(path, name);
    if (type == DT_LNK) return link(path, std::move(name));
    const auto status = type == DT_REG ? stat_of(path) : std::nullopt;
    if (!status || !S_ISREG(status->st_mode)) return leave_out(path, "neither a file, a directory nor a link");
    found_.files.push_back(listed(path, std::move(name), *status));
    found_.bytes += found_.files.back().size;
  }

  void leave_out(const Path& path, std::string_view why) {
    found_.left_out.push_back(fmt::format("{} is {}", printable(path.native()), why));
  }

  void link(const Path& path, TreePath name) {
    LocalFile file;
    file.path = path;
    file.name = std::move(name);
    file.kind = UploadKind::symlink;
    file.target = volary::read_symlink(path);
    if (const std::string flaw = flaw_of_link_target(file.target); !flaw.empty())
      throw Error(Errc::invalid, "the symbolic link '{}' cannot be kept: {}", printable(path.native()), flaw);
    found_.files.push_back(std::move(file));
  }

  LocalFiles& found_;
};

}  // namespace

LocalFiles list_local_files(const Path& directory) {
  LocalFiles found;
  Walk(found).directory(directory, TreePath());
  return found;
}

LocalFile local_file(const Path& path, const TreePath& name) {
  const auto status = stat_of(path, Follow::yes);
  if (!status) throw Error(Errc::not_found, "there is no file '{}'", printable(path.native()));
  if (!S_ISREG(status->st_mode))
    throw Error(Errc::invalid,
                "'{}' is neither a directory nor a regular file: expected one, or '-' for standard input",
                printable(path.native()));
  return listed(path, name, *status);
}

LocalReader::LocalReader(const LocalFile& file) : file_(file), fd_(open_to_read(file.path)) { check(); }

void LocalReader::refuse() const {
  throw Error(Errc::conflict, "'{}' changes while it is sent: expected it to stay as it was",
              printable(file_.path.native()));
}

void LocalReader::check() const {
  const struct stat status = stat_of(fd_.get(), file_.path);
  if (static_cast<uint64_t>(status.st_size) != file_.size || !is_same_moment(status.st_mtim, file_.changed)) refuse();
}

void LocalReader::read(std::span<char> to, uint64_t offset) {
  while (!to.empty()) {
    const size_t more = read_some_at(fd_.get(), to, offset, file_.path);
    if (more == 0) refuse();
    to = to.subspan(more);
    offset += more;
  }
}

Digest digest_of(const LocalFile& file) {
  LocalReader reader(file);
  Hasher hasher;
  std::string block;
  for (uint64_t at = 0; at < file.size; at += block.size()) {
    block.resize(std::min<uint64_t>(block_bytes, file.size - at));
    reader.read(block, at);
    hasher.update(block);
  }
  reader.check();
  return hasher.finish();
}

}  // namespace volary
