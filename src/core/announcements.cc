// core/announcements.cc: a map from what is watched to who watches it.
#include "core/announcements.h"

namespace volary {

Watch Announcements::watch(const std::string& what, std::function<void()> told) {
  const auto at = told_->lock()->emplace(what, std::move(told));
  return {nullptr, [told = told_, at](void*) { told->lock()->erase(at); }};
}

void Announcements::tell(const std::vector<std::string>& whats) const {
  if (whats.empty()) return;
  auto told = told_->lock();
  for (const std::string& what : whats) {
    const auto [begin, end] = told->equal_range(what);
    for (auto one = begin; one != end; ++one) one->second();
  }
}

}  // namespace volary
