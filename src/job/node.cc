// job/node.cc: the rules of job/node.h.
#include "job/node.h"

#include <unistd.h>

#include <algorithm>

#include "core/error_of.h"
#include "core/quantity.h"
#include "core/tree_path.h"
#include "core/workers.h"
#include "engine/engine_client.h"
#include "job/standing.h"

namespace volary {
namespace {

uint64_t machine_memory() {
  return static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

uint64_t gpus_of(const NewJob& request) { return request.container ? request.container->gpus.value_or(0) : 0; }

// Whether the job can be counted in units of it, where it names none itself.
bool suits(const Flavor& flavor, const NewJob& request) {
  if (request.memory_bytes) return false;
  return flavor.gpu > 0 ? request.image && !request.cpus : gpus_of(request) == 0;
}

std::string names_of(const std::vector<Flavor>& flavors) {
  std::string names;
  for (const Flavor& one : flavors) names += (names.empty() ? "" : ", ") + one.name;
  return names;
}

Allotment units_of(const Flavor& flavor, const NewJob& request) {
  const uint64_t gpus = gpus_of(request);
  if (request.memory_bytes)
    throw Error(Errc::invalid, "{} of memory were asked for beside flavor '{}', of which each unit brings {}: expected "
                "one of both", bytes_text(*request.memory_bytes), flavor.name, bytes_text(flavor.memory_bytes));
  if (flavor.gpu > 0 && request.cpus)
    throw Error(Errc::invalid, "{} cores were asked for beside flavor '{}', which is counted in GPUs and of which each "
                "unit brings {} cores: expected a number of GPUs, or none", *request.cpus, flavor.name, flavor.cpu);
  if (flavor.gpu == 0 && gpus > 0)
    throw Error(Errc::invalid, "{} GPUs were asked for beside flavor '{}', which has none: expected a number of cores, "
                "or another flavor", gpus, flavor.name);
  if (flavor.gpu > 0 && !request.image)
    throw Error(Errc::invalid, "flavor '{}' has GPUs, and only jobs in a container are given any: expected an image "
                "too, or a flavor without GPUs", flavor.name);
  const uint64_t per_unit = flavor.gpu > 0 ? flavor.gpu : flavor.cpu;
  const uint64_t asked = flavor.gpu > 0 ? gpus : request.cpus.value_or(0);
  if (asked % per_unit != 0)
    throw Error(Errc::invalid, "{} {} cannot be had of flavor '{}', of which a unit has {}: expected a multiple of "
                "that", asked, flavor.gpu > 0 ? "GPUs" : "cores", flavor.name, per_unit);
  const uint64_t units = std::max<uint64_t>(asked / per_unit, 1);
  if (units > flavor.units_max)
    throw Error(Errc::invalid, "{} units of flavor '{}' were asked for: expected at most {}", units, flavor.name,
                flavor.units_max);
  return {{units * flavor.cpu, units * flavor.memory_bytes, units * flavor.gpu, 1}, flavor.name, units};
}

}  // namespace

std::vector<uint64_t> Node::find_gpus(const std::vector<uint64_t>& known) const {
  if (plan_.gpus) return *plan_.gpus;
  std::vector<uint64_t> found = known;
  const auto engine = ::geteuid() == 0 ? find_engine(engine_) : std::nullopt;
  if (engine) (void)error_of([&] { found = EngineClient(*engine).gpus(); });
  return found;
}

void Node::look() {
  const auto known = *gpus_.lock();
  auto found = find_gpus(known.value_or(std::vector<uint64_t>{}));  // Nobody waits meanwhile who knows some.
  *gpus_.lock() = std::move(found);
}

std::vector<uint64_t> Node::gpus() {
  if (const auto known = *gpus_.lock()) return *known;
  look();
  return **gpus_.lock();
}

Share Node::capacity() {
  return {plan_.cpu.value_or(cores()), plan_.memory_bytes.value_or(machine_memory()), gpus().size(), plan_.jobs_max};
}

const Flavor* Node::flavor_for(const NewJob& request) const {
  const auto find = [&](auto is_it) -> const Flavor* {
    const auto found = std::find_if(plan_.flavors.begin(), plan_.flavors.end(), is_it);
    return found == plan_.flavors.end() ? nullptr : &*found;
  };
  if (!request.flavor) return find([&](const Flavor& one) { return one.is_default && suits(one, request); });
  if (const Flavor* flavor = find([&](const Flavor& one) { return one.name == *request.flavor; })) return flavor;
  throw Error(Errc::not_found, "there is no flavor '{}': expected {}", printable(*request.flavor),
              plan_.flavors.empty() ? "none, since this machine has no flavors" : "one of " + names_of(plan_.flavors));
}

Allotment Node::allot(const NewJob& request) {
  Allotment given;
  if (const Flavor* flavor = flavor_for(request)) {
    given = units_of(*flavor, request);
  } else {
    given.share = {request.cpus.value_or(0), request.memory_bytes.value_or(0), gpus_of(request), 1};
    const bool names_none = !request.cpus && (!request.container || !request.container->gpus);
    if (request.image && names_none && !gpus().empty()) given.share.gpu = 1;
  }
  check_capacity(given.share);
  return given;
}

void Node::check_capacity(const Share& share) {
  const Share all{plan_.cpu.value_or(cores()), plan_.memory_bytes.value_or(machine_memory()),
                  share.gpu > 0 ? gpus().size() : 0, plan_.jobs_max};
  const auto refuse = [](const std::string& asked, const std::string& there) {
    throw Error(Errc::invalid, "{} were asked for: this machine gives {} to jobs", asked, there);
  };
  if (share.cpu > all.cpu) refuse(fmt::format("{} cpus", share.cpu), std::to_string(all.cpu));
  if (share.memory_bytes > all.memory_bytes)
    refuse(bytes_text(share.memory_bytes) + " of memory", bytes_text(all.memory_bytes));
  if (share.gpu > all.gpu) refuse(fmt::format("{} GPUs", share.gpu), std::to_string(all.gpu));
}

std::map<std::string, Share> Node::held() {
  std::map<std::string, Share> held;
  database_.read([&](Transaction& transaction) {
    for (const WorkingJob& one : at_work(transaction)) add(held[one.project], one.holds);
  });
  return held;
}

NodeStatus Node::status(const Caller& caller) {
  NodeStatus status;
  status.capacity = capacity();
  database_.read([&](Transaction& transaction) {
    for (const WorkingJob& one : at_work(transaction)) {
      add(status.held, one.holds);
      if (one.project != caller.project || one.holds == Share{}) continue;
      if (const auto row = find_job(transaction, one.id))
        status.jobs.push_back({row->id, row->name, row->subject, row->state, one.holds, one.gpus});
    }
    for (const QueuedJob& one : queue_of(transaction)) add(status.queued, one.share);
  });
  status.free = less(status.capacity, status.held);
  return status;
}

void check_quota(Transaction& transaction, const std::string& project, const Share& share) {
  const Share allowed = limit_of(quotas_of(transaction), project);
  if (fits(share, allowed)) return;
  const auto refuse = [](const std::string& asked, const std::string& quota) {
    throw Error(Errc::exhausted, "{} were asked for: the project may hold {} at once", asked, quota);
  };
  if (share.cpu > allowed.cpu) refuse(fmt::format("{} cpus", share.cpu), std::to_string(allowed.cpu));
  if (share.memory_bytes > allowed.memory_bytes)
    refuse(bytes_text(share.memory_bytes) + " of memory", bytes_text(allowed.memory_bytes));
  if (share.gpu > allowed.gpu) refuse(fmt::format("{} GPUs", share.gpu), std::to_string(allowed.gpu));
  throw Error(Errc::exhausted, "a job was submitted: the project may hold {} at once", allowed.jobs);
}

}  // namespace volary
