// volume/upkeep_live.h: a run under way, as the two halves of Upkeep see it. For volume/ alone.
#pragma once

#include <thread>

#include "volume/upkeep.h"

namespace volary {

struct Upkeep::Live {
  UpkeepLive work;
  Synced<UpkeepRun> run;
  Nice nice = Nice::no;  // Begun by the schedule: gives way to people, and to other readers of the disk.
  std::jthread thread;

  UpkeepRun view();  // With the counts of this moment.
};

}  // namespace volary
