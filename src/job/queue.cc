// job/queue.cc: the walk of job/queue.h.
#include "job/queue.h"

#include <unordered_map>

namespace volary {
namespace {

constexpr uint64_t unlimited = UINT64_MAX;

uint64_t less(uint64_t all, uint64_t taken) { return all == unlimited ? all : all - std::min(all, taken); }
bool fits(uint64_t wanted, uint64_t free) { return wanted == 0 || wanted <= free; }

}  // namespace

void add(Share& sum, const Share& more) {
  sum.cpu += more.cpu;
  sum.memory_bytes += more.memory_bytes;
  sum.gpu += more.gpu;
  sum.jobs += more.jobs;
}

Share less(const Share& all, const Share& taken) {
  return {less(all.cpu, taken.cpu), less(all.memory_bytes, taken.memory_bytes), less(all.gpu, taken.gpu),
          less(all.jobs, taken.jobs)};
}

bool fits(const Share& wanted, const Share& free) {
  return fits(wanted.cpu, free.cpu) && fits(wanted.memory_bytes, free.memory_bytes) && fits(wanted.gpu, free.gpu) &&
         fits(wanted.jobs, free.jobs);
}

Share limit_of(const JobQuota& quota) {
  return {quota.cpu.value_or(unlimited), quota.memory_bytes.value_or(unlimited), quota.gpu.value_or(unlimited),
          quota.jobs.value_or(unlimited)};
}

Share limit_of(const Quotas& quotas, const std::string& project) {
  const auto found = quotas.find(project);
  return limit_of(found == quotas.end() ? JobQuota{} : found->second);
}

std::vector<Turn> take_turns(const Share& capacity, const Quotas& quotas, const std::vector<Claim>& holders,
                             const std::vector<Claim>& queue) {
  struct Project {
    Share limit;
    Share taken;
  };
  Share taken;  // Held, given out or set aside; so of each project.
  std::unordered_map<std::string_view, Project> projects;
  const auto project_of = [&](const Claim& claim) -> Project& {
    const auto [found, is_new] = projects.try_emplace(claim.project);
    if (is_new) found->second.limit = limit_of(quotas, claim.project);
    return found->second;
  };
  for (const Claim& one : holders) {
    add(taken, one.share);
    add(project_of(one).taken, one.share);
  }
  const auto turn_of = [&](const Claim& one) {
    Project& project = project_of(one);
    if (!fits(one.share, capacity)) return Turn::too_large;
    if (!fits(one.share, project.limit)) return Turn::above_quota;
    const bool is_allowed = fits(one.share, less(project.limit, project.taken));
    add(project.taken, one.share);
    if (!is_allowed) return Turn::quota;
    const bool has_room = fits(one.share, less(capacity, taken));
    add(taken, one.share);
    return has_room ? Turn::begins : Turn::room;
  };
  std::vector<Turn> turns;
  turns.reserve(queue.size());
  for (const Claim& one : queue) turns.push_back(turn_of(one));
  return turns;
}

}  // namespace volary
