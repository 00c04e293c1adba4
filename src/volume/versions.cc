// volume/versions.cc: the part of volume/volumes.h about versions: finding, tagging, listing and verifying them.
#include "core/error.h"
#include "core/name.h"
#include "core/tree_path.h"
#include "core/workers.h"
#include "volume/volumes.h"

#include <algorithm>
#include <charconv>

namespace volary {
namespace {

constexpr size_t damaged_max = 100;
constexpr size_t checksum_prefix_min = 6;

constexpr std::string_view select_version =
    "SELECT volume.name, version.number, version.tree, version.checksum, version.files, version.bytes, version.author, "
    "version.created_at, version.message, version.origin, version.origin_id "
    "FROM version JOIN volume ON volume.id = version.volume WHERE version.volume = $1 ";

std::optional<uint64_t> number_in(std::string_view reference) {
  if (reference.starts_with('v')) reference.remove_prefix(1);
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(reference.data(), reference.data() + reference.size(), number);
  if (error != std::errc() || end != reference.data() + reference.size() || number > INT64_MAX) return std::nullopt;
  return number;
}

FileEntry view_of(const TreePath& path, const TreeEntry& entry) {
  FileEntry file;
  file.path = path.text();
  file.size = entry.size;
  file.executable = entry.executable;
  file.target = entry.target;
  switch (entry.kind) {
    case EntryKind::file: file.kind = "file", file.digest = entry.digest.hex(); break;
    case EntryKind::directory: file.kind = "directory"; break;
    case EntryKind::symlink: file.kind = "symlink"; break;
  }
  return file;
}

}  // namespace

Version get_version(Transaction& transaction, const Volume& volume, const std::string& reference) {
  const std::string select(select_version);
  std::optional<Version> version;
  if (reference.empty() || reference == "head") {
    if (volume.head == 0) throw Error(Errc::not_found, "volume '{}' has no version yet", volume.name);
    version = transaction.find<Version>(select + "AND version.number = $2", volume.id, volume.head);
  } else if (const auto tagged = transaction.find<uint64_t>(
                 "SELECT number FROM version_tag WHERE volume = $1 AND tag = $2", volume.id, reference)) {
    version = transaction.find<Version>(select + "AND version.number = $2", volume.id, *tagged);
  } else if (const auto number = number_in(reference)) {
    version = transaction.find<Version>(select + "AND version.number = $2", volume.id, *number);
  }
  if (!version && reference.size() >= checksum_prefix_min &&
      reference.find_first_not_of("0123456789abcdef") == std::string::npos) {
    const auto matching = transaction.all<Version>(
        select + "AND substr(version.checksum, 1, $2) = $3 ORDER BY version.number DESC", volume.id, reference.size(),
        reference);
    if (!matching.empty() && matching.front().checksum != matching.back().checksum)
      throw Error(Errc::invalid, "'{}' begins the checksums of several versions of volume '{}': expected more digits",
                  reference, volume.name);
    if (!matching.empty()) version = matching.front();
  }
  if (!version)
    throw Error(
        Errc::not_found,
        "volume '{}' has no version '{}': expected a number up to {}, a tag or the first {} or more digits of a "
        "checksum",
        volume.name, printable(reference), volume.head, checksum_prefix_min);
  return *version;
}

std::vector<Version> Volumes::versions(const Caller& caller, const std::string& name) {
  return database_.read([&](Transaction& transaction) {
    const Volume volume = get_volume(transaction, caller, name);
    return transaction.all<Version>(std::string(select_version) + "ORDER BY version.number DESC", volume.id);
  });
}

Version Volumes::version(const Caller& caller, const std::string& name, const std::string& reference) {
  return database_.read([&](Transaction& transaction) {
    return get_version(transaction, get_volume(transaction, caller, name), reference);
  });
}

void Volumes::tag(const Caller& caller, const std::string& name, const std::string& reference, const std::string& tag) {
  const Name word = Name::parse(tag, "version tag");
  if (number_in(word.text()) || word.text() == "head")
    throw Error(Errc::invalid, "'{}' is no version tag: expected a word that is neither a number nor 'head'", tag);
  database_.write([&](Transaction& transaction) {
    const Volume volume = get_volume(transaction, caller, name);
    const Version version = get_version(transaction, volume, reference);
    transaction.run(
        "INSERT INTO version_tag (volume, tag, number, created_at, created_by) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT (volume, tag) DO UPDATE SET number = excluded.number, created_at = excluded.created_at, "
        "created_by = excluded.created_by",
        volume.id, word.text(), version.number, clock_.now(), caller.name);
  });
}

std::vector<FileEntry> Volumes::files(const Caller& caller, const std::string& name, const std::string& reference,
                                      const std::string& directory, const std::string& after, size_t limit) {
  const Version version = this->version(caller, name, reference);
  const TreePath below = TreePath::parse_directory(directory);
  Digest top = Digest::parse(version.tree);
  if (!below.is_root()) {
    const auto entry = find_entry(store_, top, below);
    if (!entry || entry->kind != EntryKind::directory)
      throw Error(Errc::not_found, "volume '{}' has no directory '{}' in version {}", name, below.text(),
                  version.number);
    top = entry->digest;
  }
  std::vector<FileEntry> files;
  walk(store_, top, [&](const TreePath& path, const TreeEntry& entry) {
    if (files.size() >= limit) return;
    const TreePath whole = below / path;
    if (whole.text() <= after) return;  // The walk's order is that of the whole paths.
    files.push_back(view_of(whole, entry));
  });
  return files;
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
