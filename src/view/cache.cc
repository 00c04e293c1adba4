// view/cache.cc: view/cache.h, out of the directory of images and the leases in the database.
#include "view/cache.h"

#include <algorithm>
#include <tuple>

#include "core/quantity.h"
#include "store/store.h"
#include "volume/staged_volumes.h"

namespace volary {
namespace {

struct TreeWord {
  std::string tree;
  std::string word;
};
BOOST_DESCRIBE_STRUCT(TreeWord, (), (tree, word))

// Leases of empty volumes need the empty tree.
constexpr std::string_view select_users =
    "SELECT COALESCE(version.tree, $1), lease.holder_kind || ' ' || lease.holder FROM lease "
    "LEFT JOIN version ON version.volume = lease.volume AND version.number = lease.version ";

std::string_view word_of(CachedKind kind) {
  switch (kind) {
    case CachedKind::image: return "image";
    case CachedKind::packed_image: return "packed image";
    case CachedKind::link_farm: return "link farm";
    case CachedKind::former: break;
  }
  return "former";
}

template <class Map>
std::vector<std::string> words_of(const Map& words, const std::string& tree) {
  const auto found = words.find(tree);
  return found == words.end() ? std::vector<std::string>() : found->second;
}

CachedImage shown(const KeptStaged& kept) {
  CachedImage shown{.name = kept.name, .kind = "data", .tree = kept.tree, .versions = {}, .bytes = kept.bytes,
                    .last_used = kept.used_at, .users = {}};
  if (kept.users > 0) shown.users.push_back(fmt::format("{} jobs", kept.users));
  return shown;
}

std::string text_of(const CachedTree& cached) { return cached.tree ? cached.tree->hex() : ""; }

}  // namespace

Cache::WordsByTree Cache::users() const {
  const auto rows = database_.read([](Transaction& transaction) {
    return transaction.all<TreeWord>(std::string(select_users) + "ORDER BY lease.acquired_at", empty_tree().tree);
  });
  WordsByTree users;
  for (const TreeWord& row : rows) users[row.tree].push_back(row.word);
  return users;
}

Cache::WordsByTree Cache::versions() const {
  const auto rows = database_.read([](Transaction& transaction) {
    return transaction.all<TreeWord>(
        "SELECT version.tree, volume.name || '@' || version.number FROM version "
        "JOIN volume ON volume.id = version.volume WHERE volume.id NOT IN (SELECT volume FROM staged) "
        "ORDER BY volume.name, version.number");
  });
  WordsByTree versions;
  for (const TreeWord& row : rows) versions[row.tree].push_back(row.word);
  return versions;
}

bool Cache::is_used(const std::string& tree) const {
  return database_.read([&](Transaction& transaction) {
    return transaction.find<TreeWord>(std::string(select_users) + "WHERE COALESCE(version.tree, $1) = $2 LIMIT 1",
                                      empty_tree().tree, tree).has_value();
  });
}

// A job may have attached a directory of a version, whose tree is no version's own. Of an image the kernel keeps what
// is mounted, so only a job that is being started needs it; a link farm would be emptied under the job.
bool Cache::may_be_used_in_part(const CachedTree& cached) const {
  if (cached.kind == CachedKind::former) return false;
  const std::string jobs = cached.kind == CachedKind::link_farm ? "" :
      "AND holder IN (SELECT id FROM job WHERE state IN ('INITIALIZING', 'PENDING')) ";
  return database_.read([&](Transaction& transaction) {
    return transaction
        .find<std::string>("SELECT id FROM lease WHERE holder_kind = 'job' " + jobs +
                           "AND NOT EXISTS (SELECT 1 FROM version WHERE tree = $1) LIMIT 1",
                           text_of(cached))
        .has_value();
  });
}

CachedImage Cache::view_of(const CachedTree& cached, const WordsByTree& users, const WordsByTree& versions) const {
  const std::string tree = text_of(cached);
  return {.name = cached.name, .kind = std::string(word_of(cached.kind)), .tree = tree,
          .versions = words_of(versions, tree), .bytes = cached.bytes, .last_used = cached.last_used,
          .users = words_of(users, tree)};
}

std::vector<CachedImage> Cache::list() {
  const auto users = this->users();
  const auto versions = this->versions();
  std::vector<CachedImage> images;
  for (const CachedTree& cached : images_.list()) images.push_back(view_of(cached, users, versions));
  for (const KeptStaged& kept : kept_now()) images.push_back(shown(kept));
  std::sort(images.begin(), images.end(), [](const CachedImage& a, const CachedImage& b) {
    return std::tie(b.last_used, b.name) < std::tie(a.last_used, a.name);
  });
  return images;
}

std::vector<KeptStaged> Cache::kept_now() const {
  return database_.read([](Transaction& transaction) { return all_kept(transaction); });
}

void Cache::prune_data(const PruneRequest& request, Time oldest, PrunedCache& pruned) {
  const std::vector<KeptStaged> all = kept_now();
  for (const KeptStaged& kept : all) pruned.kept_bytes += kept.bytes;
  for (const KeptStaged& kept : all) {
    const bool is_too_much = request.to_bytes && pruned.kept_bytes > *request.to_bytes;
    if (kept.users > 0 || !(kept.used_at < oldest || is_too_much)) continue;
    const bool is_gone = request.dry_run.value_or(false) || database_.write([&](Transaction& transaction) {
      return drop_kept(transaction, kept.volume_id);
    });
    if (!is_gone) continue;
    pruned.removed.push_back(shown(kept));
    pruned.bytes += kept.bytes;
    pruned.kept_bytes -= kept.bytes;
  }
}

PrunedCache Cache::prune(const PruneRequest& request) {
  const Time oldest = clock_.now().plus_seconds(-request.older_than_seconds.value_or(cache_age_seconds));
  const auto users = this->users();
  const auto versions = this->versions();
  const std::vector<CachedTree> all = images_.list();
  PrunedCache pruned;
  for (const CachedTree& cached : all) pruned.kept_bytes += cached.bytes;
  for (const CachedTree& cached : all) {
    const bool is_too_much = request.to_bytes && pruned.kept_bytes > *request.to_bytes;
    const std::string tree = text_of(cached);
    if (users.contains(tree) || !(cached.kind == CachedKind::former || cached.last_used < oldest || is_too_much))
      continue;
    // A lease may have been taken since.
    if (!request.dry_run.value_or(false) &&
        !images_.remove(cached.name, [&] { return is_used(tree) || may_be_used_in_part(cached); }))
      continue;
    pruned.removed.push_back(view_of(cached, users, versions));
    pruned.bytes += cached.bytes;
    pruned.kept_bytes -= cached.bytes;
  }
  prune_data(request, oldest, pruned);
  return pruned;
}

void Cache::tidy() {
  images_.let_go_of_absent();
  const auto users = this->users();
  for (const CachedTree& cached : images_.list())
    if (users.contains(text_of(cached))) images_.touch(cached.name);
  const PrunedCache pruned = prune({.older_than_seconds = {}, .to_bytes = bytes_max_, .dry_run = {}});
  if (!pruned.removed.empty())
    log_(fmt::format("removed {} images that nobody used: {} freed, {} kept", pruned.removed.size(),
                     bytes_text(pruned.bytes), bytes_text(pruned.kept_bytes)));
}

}  // namespace volary
