// job/queue.h: who of those that wait in the queue may begin now, and what each of the others waits for: a pure
// function. For this folder only.
//
// The queue is walked once, from its front. A job that fits begins. The first one that lacks cores, or memory, or GPUs,
// or a place sets its whole share aside: who stands behind it may have what remains, and never what it waits for, so
// a large job is not starved by small ones. Others that lack the same wait behind it and set nothing aside, neither of
// the machine nor of their quota, so that a long queue for GPUs leaves the cores to those who want nothing else.
// Whoever comes to the front is the first.
//
// One that its project's quota stops sets its share aside within that quota only, by the same rule, and is in the way
// of no other project. One that could not begin on an empty machine or by its quota alone is in nobody's way.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/json.h"
#include "record/node.h"

namespace volary {

enum class Turn {
  begins,       // Now.
  room,         // Waits until there is room on the machine.
  quota,        // Until other jobs of its project have ended.
  too_large,    // It asks for more than the machine gives to jobs.
  above_quota,  // It asks for more than its project may hold.
};
BOOST_DESCRIBE_ENUM(Turn, begins, room, quota, too_large, above_quota)

// A job's share, of its project.
struct Claim {
  std::string project;
  Share share;
};

// By project, of those that have one.
using Quotas = std::map<std::string, JobQuota, std::less<>>;

// One answer for each of `queue`, which is in order: by priority, then by who asked first.
std::vector<Turn> take_turns(const Share& capacity, const Quotas& quotas, const std::vector<Claim>& holders,
                             const std::vector<Claim>& queue);

// --- what that and the words about it are made of

void add(Share& sum, const Share& more);
// What remains of `all`; of which more is taken than there is, nothing.
Share less(const Share& all, const Share& taken);
// Of what it asks for, all is there; what it does not ask for does not matter.
bool fits(const Share& wanted, const Share& free);
// Beyond all that could be counted where there is no limit.
Share limit_of(const JobQuota& quota);
Share limit_of(const Quotas& quotas, const std::string& project);

}  // namespace volary
