// store/digest_set.h: a set of digests for millions of them: one table, no node for each.
//
// A digest is uniformly spread already, so its first bytes choose the place; those that collide stand in the next free
// places. At most three quarters of the places are taken: 43 to 86 bytes for each digest, and while the table grows,
// the old one beside it. A digest of zeros names nothing and marks a free place.
#pragma once

#include <vector>

#include "core/digest.h"

namespace volary {

class DigestSet {
 public:
  // Whether it was new.
  bool insert(const Digest& digest) {
    if ((size_ + 1) * 4 > places_.size() * 3) grow();
    Digest& place = places_[place_of(digest)];
    if (place == digest) return false;
    place = digest;
    ++size_;
    return true;
  }
  bool contains(const Digest& digest) const { return size_ > 0 && places_[place_of(digest)] == digest; }
  size_t size() const { return size_; }
  // In no order.
  template <class Visit>
  void each(Visit visit) const {
    for (const Digest& digest : places_)
      if (digest != Digest()) visit(digest);
  }

 private:
  size_t place_of(const Digest& digest) const {
    const size_t mask = places_.size() - 1;
    size_t at = std::hash<Digest>()(digest) & mask;
    while (places_[at] != digest && places_[at] != Digest()) at = (at + 1) & mask;
    return at;
  }
  void grow() {
    std::vector<Digest> old(places_.empty() ? 64 : places_.size() * 2);
    old.swap(places_);
    for (const Digest& digest : old)
      if (digest != Digest()) places_[place_of(digest)] = digest;
  }

  std::vector<Digest> places_;  // A power of two.
  size_t size_ = 0;
};

}  // namespace volary
