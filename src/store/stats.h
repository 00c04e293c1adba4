// store/stats.h: how many things a store holds and how large they are.
#pragma once

#include <cstdint>

#include "store/store.h"

namespace volary {

struct Amount {
  uint64_t files = 0;
  uint64_t bytes = 0;
};

struct StoreSizes {
  Amount objects;
  Amount trees;
  Amount quarantine;
  Amount images;
  Amount tmp;
};

// Looks at every name: seconds for a million of them. What comes and goes meanwhile may be counted or not.
StoreSizes sizes_of(const Store& store);

}  // namespace volary
