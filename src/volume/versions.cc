// volume/versions.cc: the part of volume/volumes.h about versions: finding, tagging and listing them.
#include "core/error.h"
#include "core/name.h"
#include "core/tree_path.h"
#include "volume/version_rows.h"
#include "volume/volumes.h"

#include <charconv>

namespace volary {
namespace {

constexpr size_t checksum_prefix_min = 6;

constexpr std::string_view select_version =
    "SELECT volume.name, version.number, version.tree, version.checksum, version.files, version.bytes, version.author, "
    "version.created_at, version.message, version.origin, version.origin_id, '[]' "
    "FROM version JOIN volume ON volume.id = version.volume WHERE version.volume = $1 ";

std::optional<uint64_t> number_in(std::string_view reference) {
  if (reference.starts_with('v')) reference.remove_prefix(1);
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(reference.data(), reference.data() + reference.size(), number);
  if (error != std::errc() || end != reference.data() + reference.size() || number > INT64_MAX) return std::nullopt;
  return number;
}

bool is_checksum_beginning(std::string_view text) {
  return text.size() >= checksum_prefix_min && text.find_first_not_of("0123456789abcdef") == text.npos;
}

struct Tagged {
  uint64_t number = 0;
  std::string tag;
};
BOOST_DESCRIBE_STRUCT(Tagged, (), (number, tag))

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
  if (!version && is_checksum_beginning(reference)) {
    const auto matching = transaction.all<Version>(
        select + "AND substr(version.checksum, 1, $2) = $3 ORDER BY version.number DESC", volume.id, reference.size(),
        reference);
    std::string several;
    for (const Version& one : matching)
      if (one.checksum != matching.front().checksum)
        several += fmt::format(", {} ({})", one.number, one.checksum.substr(0, reference.size() + 6));
    if (!several.empty())
      throw Error(Errc::invalid, "'{}' begins the checksums of versions {} ({}){} of volume '{}': expected more digits",
                  reference, matching.front().number, matching.front().checksum.substr(0, reference.size() + 6),
                  several, volume.name);
    if (!matching.empty()) version = matching.front();
  }
  if (!version)
    throw Error(
        Errc::not_found,
        "volume '{}' has no version '{}': expected a number up to {}, a tag or the first {} or more digits of a "
        "checksum",
        volume.name, printable(reference), volume.head, checksum_prefix_min);
  version->tags = transaction.all<std::string>(
      "SELECT tag FROM version_tag WHERE volume = $1 AND number = $2 ORDER BY tag", volume.id, version->number);
  return *version;
}

std::vector<Version> versions_of(Transaction& transaction, const Volume& volume) {
  auto versions = transaction.all<Version>(std::string(select_version) + "ORDER BY version.number DESC", volume.id);
  const auto tags = transaction.all<Tagged>(
      "SELECT number, tag FROM version_tag WHERE volume = $1 ORDER BY number DESC, tag", volume.id);
  auto at = tags.begin();
  for (Version& version : versions)
    for (; at != tags.end() && at->number >= version.number; ++at)
      if (at->number == version.number) version.tags.push_back(at->tag);
  return versions;
}

std::vector<Version> Volumes::versions(const Caller& caller, const std::string& name) {
  return database_.read([&](Transaction& transaction) {
    return versions_of(transaction, get_volume(transaction, caller, name));
  });
}

Version Volumes::version(const Caller& caller, const std::string& name, const std::string& reference) {
  return database_.read([&](Transaction& transaction) {
    return get_version(transaction, get_volume(transaction, caller, name), reference);
  });
}

void Volumes::tag(const Caller& caller, const std::string& name, const std::string& reference, const std::string& tag) {
  const Name word = Name::parse(tag, "version tag");
  if (number_in(word.text()) || is_checksum_beginning(word.text()) || word.text() == "head")
    throw Error(Errc::invalid,
                "'{}' is no version tag: expected a word that is not 'head' and reads as no number and no checksum",
                tag);
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

void Volumes::untag(const Caller& caller, const std::string& name, const std::string& tag) {
  database_.write([&](Transaction& transaction) {
    const Volume volume = get_volume(transaction, caller, name);
    if (transaction.run("DELETE FROM version_tag WHERE volume = $1 AND tag = $2", volume.id, tag) == 0)
      throw Error(Errc::not_found, "no version of volume '{}' has the tag '{}'", name, printable(tag));
  });
}

}  // namespace volary
