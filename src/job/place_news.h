// job/place_news.h: what others have changed at a place, beside what a job has changed there or may not.
#pragma once

#include <vector>

#include "store/store.h"

namespace volary {

// Whether what a job removed is removed at the place that it pushes to.
enum class Removed { goes, stays };

// Trees of one place.
struct PlaceSeen {
  Digest known;  // What a job began with, was brought and has pushed: with links, empty directories, executable bits.
  Digest last;   // What it held when it was read last.
  Digest now;    // What it holds.
};

// What makes `known` what the place now means for the job. That a place has no links, empty directories and executable
// bits says nothing of the job's. Where removals stay away from the place, what it still has of before is not new.
std::vector<TreeChange> news_of(const Store& store, const PlaceSeen& seen, Removed removed);

// What `pushed` has in place of what `begun` had and it has not, or has otherwise.
std::vector<TreeChange> successors_of(const Store& store, const Digest& begun, const Digest& pushed);

}  // namespace volary
