// job/queue.cc: the walk of job/queue.h.
#include "job/queue.h"

#include <algorithm>
#include <iterator>
#include <unordered_map>

namespace volary {
namespace {

constexpr uint64_t unlimited = UINT64_MAX;
constexpr uint64_t Share::*kinds[] = {&Share::cpu, &Share::memory_bytes, &Share::gpu, &Share::jobs};

uint64_t less(uint64_t all, uint64_t taken) { return all == unlimited ? all : all - std::min(all, taken); }
bool fits(uint64_t wanted, uint64_t free) { return wanted == 0 || wanted <= free; }

// What may be held in all, by the machine or by a quota, and how much of it is taken: held, given out or set aside.
class Stock {
 public:
  explicit Stock(const Share& all) : all_(all) {}

  bool could_have(const Share& wanted) const { return volary::fits(wanted, all_); }
  bool has(const Share& wanted) const { return volary::fits(wanted, volary::less(all_, taken_)); }
  void take(const Share& share) { add(taken_, share); }
  // Of what it does not have: only if nobody before lacked the same.
  bool set_aside(const Share& wanted) {
    const Share free = volary::less(all_, taken_);
    bool is_first = false;
    for (const auto kind : kinds) {
      if (fits(wanted.*kind, free.*kind) || awaited_.*kind) continue;
      awaited_.*kind = 1;
      is_first = true;
    }
    if (is_first) take(wanted);
    return is_first;
  }

 private:
  const Share all_;
  Share taken_;
  Share awaited_;  // 1: somebody lacks it.
};

}  // namespace

void add(Share& sum, const Share& more) {
  for (const auto kind : kinds) sum.*kind += more.*kind;
}

Share less(const Share& all, const Share& taken) {
  Share free;
  for (const auto kind : kinds) free.*kind = less(all.*kind, taken.*kind);
  return free;
}

bool fits(const Share& wanted, const Share& free) {
  return std::all_of(std::begin(kinds), std::end(kinds),
                     [&](const auto kind) { return fits(wanted.*kind, free.*kind); });
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
  Stock machine(capacity);
  std::unordered_map<std::string_view, Stock> projects;
  const auto quota_of = [&](const Claim& claim) -> Stock& {
    const auto found = projects.find(claim.project);
    return found != projects.end() ? found->second
                                   : projects.emplace(claim.project, limit_of(quotas, claim.project)).first->second;
  };
  for (const Claim& one : holders) {
    machine.take(one.share);
    quota_of(one).take(one.share);
  }
  const auto turn_of = [&](const Claim& one) {
    Stock& project = quota_of(one);
    if (!machine.could_have(one.share)) return Turn::too_large;
    if (!project.could_have(one.share)) return Turn::above_quota;
    if (!project.has(one.share)) {
      project.set_aside(one.share);
      return Turn::quota;
    }
    const bool has_room = machine.has(one.share);
    if (has_room) machine.take(one.share);
    if (has_room || machine.set_aside(one.share)) project.take(one.share);
    return has_room ? Turn::begins : Turn::room;
  };
  std::vector<Turn> turns;
  turns.reserve(queue.size());
  for (const Claim& one : queue) turns.push_back(turn_of(one));
  return turns;
}

}  // namespace volary
