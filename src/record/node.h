// record/node.h: the machine that jobs run on: what it gives them, in which units, and who holds how much of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "record/job.h"

namespace volary {

// A part of a machine: what there is, what a job holds, what a project may hold at once.
struct Share {
  uint64_t cpu = 0;           // Cores.
  uint64_t memory_bytes = 0;
  uint64_t gpu = 0;
  uint64_t jobs = 0;          // Places: jobs between INITIALIZING and their end.
  bool operator==(const Share&) const = default;
};
BOOST_DESCRIBE_STRUCT(Share, (), (cpu, memory_bytes, gpu, jobs))

// The same, where what is missing is not limited.
struct JobQuota {
  std::optional<uint64_t> cpu = {};
  std::optional<uint64_t> memory_bytes = {};
  std::optional<uint64_t> gpu = {};
  std::optional<uint64_t> jobs = {};
};
BOOST_DESCRIBE_STRUCT(JobQuota, (), (cpu, memory_bytes, gpu, jobs))

// GET /flavors: what one unit is, of which a job gets so many: by GPUs where it has any, by cores otherwise.
struct Flavor {
  std::string name;
  uint64_t cpu = 0;
  uint64_t memory_bytes = 0;  // 0: not limited.
  uint64_t gpu = 0;
  uint64_t units_max = 0;     // Of a job.
  bool is_default = false;    // Of jobs that name none.
  // What a started minute of a job with one unit costs by now: "0.08 EUR". Nothing without prices.
  std::optional<std::string> price = {};
};
BOOST_DESCRIBE_STRUCT(Flavor, (), (name, cpu, memory_bytes, gpu, units_max, is_default, price))

constexpr uint64_t gpus_max = 1024;  // Of a machine.
constexpr uint64_t jobs_max_default = 32;
constexpr uint64_t cpu_units_max_default = 12;  // As OVH has them.
constexpr uint64_t gpu_units_max_default = 4;

// What the operator says of it. What is missing of the capacity: all that the machine has.
struct NodePlan {
  std::optional<uint64_t> cpu = {};
  std::optional<uint64_t> memory_bytes = {};
  std::optional<std::vector<uint64_t>> gpus = {};  // Their indices.
  uint64_t jobs_max = jobs_max_default;
  std::vector<Flavor> flavors = {};  // By name.
};

// A job that holds a share, of the caller's project.
struct NodeJob {
  std::string id;
  std::string name;
  std::string user;
  JobState state{};
  Share holds;
  std::vector<uint64_t> gpus;  // Which ones.
};
BOOST_DESCRIBE_STRUCT(NodeJob, (), (id, name, user, state, holds, gpus))

// GET /node
struct NodeStatus {
  Share capacity;
  Share held;
  Share free;                 // Of what is held by nobody.
  Share queued;               // All that the jobs in the queue ask for.
  std::vector<NodeJob> jobs;  // Of the caller's project; of others only the sums above tell.
};
BOOST_DESCRIBE_STRUCT(NodeStatus, (), (capacity, held, free, queued, jobs))

}  // namespace volary
