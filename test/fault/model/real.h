// model/real.h: the same acts on the real thing, and what it looks like as a model.
#pragma once

#include "model/model.h"
#include "workload/place.h"

namespace volary {

class Real {
 public:
  // `directory` is kept; made if absent.
  explicit Real(const Path& directory);

  std::string perform(const Command& command, size_t number);
  // The acts that were under way are ended first. Everything is read: all files of all versions.
  Model seen();
  void reopen();
  void close() { place_.reset(); }
  void release(const std::string& holder);
  uint64_t swept() const { return swept_; }  // Objects, all in all.

 private:
  std::string act(const Command& command, size_t number);
  void commit(const Volume& volume, const Command& command, const std::string& holder, bool under_own_lease);
  TreeSummary published(Commit& commit, const Digest& head, const Command& command);
  TreeSummary harvested(Commit& commit, const Digest& head, const Command& command);
  void put(const Command& command);
  std::string import(const Command& command, size_t number);
  void sweep();
  void scrub();
  void see(ModelVolume& to, const Volume& volume);

  Path directory_;
  std::unique_ptr<Place> place_;
  uint64_t swept_ = 0;
};

}  // namespace volary
