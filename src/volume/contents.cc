// volume/contents.cc: the part of volume/volumes.h about what versions hold: listing, reading and verifying files.
#include "core/error.h"
#include "core/workers.h"
#include "volume/file_page.h"
#include "volume/volumes.h"

namespace volary {
namespace {

constexpr size_t damaged_max = 100;

}  // namespace

std::vector<FileEntry> Volumes::files(const Caller& caller, const std::string& name, const std::string& reference,
                                      const FileFilter& filter) {
  const Version version = this->version(caller, name, reference);
  const TreePath below = TreePath::parse_directory(filter.directory);
  Digest top = Digest::parse(version.tree);
  if (!below.is_root()) {
    const auto entry = find_entry(store_, top, below);
    if (!entry || entry->kind != EntryKind::directory)
      throw Error(Errc::not_found, "volume '{}' has no directory '{}' in version {}", name, below.text(),
                  version.number);
    top = entry->digest;
  }
  return file_page(store_, top, below, filter);
}

VolumeFile Volumes::file(const Caller& caller, const std::string& name, const std::string& reference,
                         const std::string& path) {
  const Version version = this->version(caller, name, reference);
  const TreePath wanted = TreePath::parse(path);
  const auto entry = find_entry(store_, Digest::parse(version.tree), wanted);
  if (!entry)
    throw Error(Errc::not_found, "volume '{}' has no file '{}' in version {}", name, wanted.text(), version.number);
  if (entry->kind == EntryKind::directory)
    throw Error(Errc::invalid, "'{}' is a directory in version {} of volume '{}': expected a file", wanted.text(),
                version.number, name);
  if (entry->kind == EntryKind::symlink)
    throw Error(Errc::invalid, "'{}' is a symbolic link to '{}' in version {} of volume '{}': expected a file",
                wanted.text(), printable(entry->target), version.number, name);
  return {entry->digest, entry->size, store_.blob_path(entry->digest)};
}

Verification Volumes::verify(const Caller& caller, const std::string& name, const std::string& reference) {
  const Version version = this->version(caller, name, reference);
  Progress progress;
  Verification result;
  result.volume = name;
  result.number = version.number;
  const auto damage = volary::verify(store_, Digest::parse(version.tree), progress, cores());
  result.files = progress.files_done;
  result.bytes = progress.bytes_done;
  result.whole = damage.empty();
  for (const Damage& one : damage)
    if (result.damaged.size() < damaged_max) result.damaged.push_back(one.path.text() + ": " + one.what);
  // A tree that verified is what its digest says; its OICM digest and counts follow from the same entries. (What was
  // read is less where files are equal: each content is there, and read, once.)
  if (result.whole) {
    const TreeSummary summary = summary_of(store_.read_tree(Digest::parse(version.tree)));
    result.checksum = summary.checksum.hex();
    result.files = summary.files;
    result.bytes = summary.bytes;
  }
  if (result.whole && result.checksum != version.checksum) {
    result.whole = false;
    result.damaged.push_back("the checksum is " + result.checksum + ": expected " + version.checksum);
  }
  return result;
}

}  // namespace volary
