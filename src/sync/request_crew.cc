// sync/request_crew.cc: the bounds of sync/request_crew.h.
#include "sync/request_crew.h"

#include <algorithm>

namespace volary {
namespace {

constexpr size_t requests_max = 512;                 // Under way at once, however far away the store is …
constexpr uint64_t requests_memory_max = 48 << 20;   // … and however little each needs:
constexpr uint64_t request_memory_min = 16 << 10;    // beside its bytes,
constexpr uint64_t request_memory_max = 3 << 20;     // which gather in the socket when they come from afar.
constexpr size_t more_at_once = 3;                   // Begin with each answer from afar.
constexpr double busy_share = 0.25;                  // Of the cores.
constexpr auto far_time = std::chrono::milliseconds(2);
constexpr auto farthest_time = std::chrono::milliseconds(700);

size_t most_of(size_t first, size_t requests, uint64_t bytes) {
  const uint64_t memory = request_memory_min + std::min(bytes / std::max<size_t>(requests, 1), request_memory_max);
  return std::max(first, std::min<size_t>(requests_memory_max / memory, requests_max));
}

}  // namespace

RequestCrew::RequestCrew(size_t first, size_t requests, uint64_t bytes)
    : size_{.first = first, .most = most_of(first, requests, bytes), .more = more_at_once} {}

Crew RequestCrew::after(Clock::duration waited) const {
  return waited > far_time && waited < farthest_time && !is_busy() ? Crew::grows : Crew::stays;
}

bool RequestCrew::is_busy() const {
  const auto worked = std::chrono::duration<double>(static_cast<double>(std::clock() - worked_) / CLOCKS_PER_SEC);
  return worked > (Clock::now() - since_) * busy_share * static_cast<double>(cores());
}

}  // namespace volary
