// sync/touched.h: which files one tree has otherwise than another.
#pragma once

#include "store/store.h"
#include "sync/filter.h"

namespace volary {

// Adds the path of every file and link that came, went or is another in `after` than in `before`. Only trees that
// differ are read.
void add_touched(const Store& store, const Digest& before, const Digest& after, Filter::Paths& paths);

}  // namespace volary
