// core/announcements.h: who wants to hear of what has been committed.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/synced.h"

namespace volary {

// What is watched is watched until the last copy of it goes; then `told` is not running, and is not called again.
using Watch = std::shared_ptr<void>;

// Any thread may call.
class Announcements {
 public:
  // Calls `told` whenever `what` is told, on that thread: it must be quick, and neither watch nor let a Watch go.
  [[nodiscard]] Watch watch(const std::string& what, std::function<void()> told);
  void tell(const std::vector<std::string>& whats) const;

 private:
  using Told = std::multimap<std::string, std::function<void()>, std::less<>>;
  std::shared_ptr<Synced<Told>> told_ = std::make_shared<Synced<Told>>();  // A Watch may outlive this.
};

}  // namespace volary
