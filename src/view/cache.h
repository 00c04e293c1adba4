// view/cache.h: what people see of the images and link farms that mounts are made of, and when one of them goes.
//
// Beside them is what jobs attached with `cache`: data of datastores that all jobs of a project share.
//
// One goes when it was not used for three days, or, the least recently used first, when all of them take more than the
// limit. What a lease needs, a job's or a mount's, stays; it counts as used as long as it is held. What goes is made
// again by the next mount that needs it.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "db/database.h"
#include "mount/image_cache.h"
#include "record/mount.h"
#include "volume/staged_volumes.h"

namespace volary {

constexpr int64_t cache_age_seconds = 72 * 3600;

// Any thread may call.
class Cache {
 public:
  using Log = std::function<void(std::string_view line)>;

  Cache(Database& database, ImageCache& images, uint64_t bytes_max, Clock& clock, Log log)
      : database_(database), images_(images), bytes_max_(bytes_max), clock_(clock), log_(std::move(log)) {}

  std::vector<CachedImage> list();  // Most recently used first.
  PrunedCache prune(const PruneRequest& request);
  // What the server does by itself, now and then.
  void tidy();

 private:
  std::vector<KeptStaged> kept_now() const;
  void prune_data(const PruneRequest& request, Time oldest, PrunedCache& pruned);
  using WordsByTree = std::map<std::string, std::vector<std::string>>;  // By digest.
  WordsByTree users() const;
  WordsByTree versions() const;
  bool is_used(const std::string& tree) const;
  bool may_be_used_in_part(const CachedTree& cached) const;
  CachedImage view_of(const CachedTree& cached, const WordsByTree& users, const WordsByTree& versions) const;

  Database& database_;
  ImageCache& images_;
  const uint64_t bytes_max_;
  Clock& clock_;
  Log log_;
};

}  // namespace volary
