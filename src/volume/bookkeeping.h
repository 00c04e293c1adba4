// volume/bookkeeping.h: what the books need from time to time, whatever people do: leases that the dead left behind end
// each minute; versions that retention lets go, go each day.
#pragma once

#include <functional>
#include <string_view>

#include "core/clock.h"
#include "db/database.h"
#include "volume/volumes.h"

namespace volary {

class Bookkeeping {
 public:
  using Log = std::function<void(std::string_view line)>;  // For the operator: what was found and done.

  Bookkeeping(Database& database, Volumes& volumes, Clock& clock, Log log)
      : database_(database), volumes_(volumes), clock_(clock), log_(std::move(log)) {}

  // Corrects what a crash may have left, before anybody works.
  void correct();
  // Looks for what is due; each minute is often enough.
  void look();

 private:
  void prune_if_due();

  Database& database_;
  Volumes& volumes_;
  Clock& clock_;
  Log log_;
};

}  // namespace volary
