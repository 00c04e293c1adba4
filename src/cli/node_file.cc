// cli/node_file.cc: one function a level of the file.
#include "cli/node_file.h"

#include <algorithm>
#include <set>

#include "cli/yaml.h"
#include "core/name.h"
#include "core/quantity.h"

namespace volary {
namespace {

constexpr uint64_t file_bytes_max = 1 << 20;
constexpr uint64_t memory_bytes_min = 4 << 20;  // Of a unit: a job with less would not even start.

uint64_t read_bytes(const Yaml& value, const std::string& what) {
  const std::string& text = value.as_text(what);
  return during(fmt::format("reading {}:{}", value.file, value.line), [&] { return parse_bytes(text, "a " + what); });
}

// "4": the first four; "[0, 2]": these.
std::vector<uint64_t> read_gpus(const Yaml& value) {
  std::set<uint64_t> gpus;
  if (value.kind == Yaml::Kind::list) {
    for (const Yaml& one : value.items)
      if (!gpus.insert(one.as_count("capacity.gpu", 0)).second)
        throw one.error("GPU {} stands twice in 'capacity.gpu'", one.text);
  } else {
    const uint64_t count = value.as_count("capacity.gpu", 0);
    if (count > gpus_max) throw value.error("'capacity.gpu' is {}: expected at most {}", count, gpus_max);
    for (uint64_t index = 0; index < count; ++index) gpus.insert(index);
  }
  return {gpus.begin(), gpus.end()};
}

void read_capacity(NodePlan& plan, const Yaml& value) {
  value.allow_only({"cpu", "memory", "gpu"}, "capacity");
  if (const Yaml* cpu = value.find("cpu")) plan.cpu = cpu->as_count("capacity.cpu", 1);
  if (const Yaml* memory = value.find("memory")) plan.memory_bytes = read_bytes(*memory, "capacity.memory");
  if (const Yaml* gpu = value.find("gpu")) plan.gpus = read_gpus(*gpu);
}

Flavor read_flavor(const Yaml& name, const Yaml& value) {
  const std::string what = "flavors." + name.text;
  value.allow_only({"cpu", "memory", "gpu", "units_max"}, what);
  Flavor flavor;
  flavor.name = during(fmt::format("reading {}:{}", name.file, name.line),
                       [&] { return Name::parse(name.text, "flavor").text(); });
  if (const Yaml* cpu = value.find("cpu")) flavor.cpu = cpu->as_count(what + ".cpu", 1);
  if (const Yaml* memory = value.find("memory")) {
    flavor.memory_bytes = read_bytes(*memory, what + ".memory");
    if (flavor.memory_bytes < memory_bytes_min)
      throw memory->error("'{}.memory' is {}: expected at least {}", what, bytes_text(flavor.memory_bytes),
                          bytes_text(memory_bytes_min));
  }
  if (const Yaml* gpu = value.find("gpu")) flavor.gpu = gpu->as_count(what + ".gpu", 0);
  if (flavor.cpu == 0 && flavor.gpu == 0)
    throw value.error("flavor '{}' has neither cores nor GPUs: expected 'cpu', 'gpu' or both", name.text);
  flavor.units_max = flavor.gpu > 0 ? gpu_units_max_default : cpu_units_max_default;
  if (const Yaml* most = value.find("units_max")) flavor.units_max = most->as_count(what + ".units_max", 1);
  return flavor;
}

void read_default(NodePlan& plan, const Yaml& value) {
  const std::string& name = value.as_text("default_flavor");
  const auto found = std::find_if(plan.flavors.begin(), plan.flavors.end(),
                                  [&](const Flavor& one) { return one.name == name; });
  if (found == plan.flavors.end())
    throw value.error("'default_flavor' is '{}', and there is no flavor of this name", name);
  found->is_default = true;
}

}  // namespace

NodePlan parse_node(const std::string& text, const std::string& file) {
  const Yaml top = parse_yaml(text, file);
  NodePlan plan;
  if (top.kind == Yaml::Kind::nothing) return plan;
  top.allow_only({"capacity", "jobs_max", "flavors", "default_flavor"}, "the node's file");
  if (const Yaml* capacity = top.find("capacity")) read_capacity(plan, *capacity);
  if (const Yaml* most = top.find("jobs_max")) plan.jobs_max = most->as_count("jobs_max", 1);
  if (const Yaml* flavors = top.find("flavors"))
    for (const auto& [name, value] : flavors->as_map("flavors")) plan.flavors.push_back(read_flavor(name, value));
  std::sort(plan.flavors.begin(), plan.flavors.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  if (const Yaml* name = top.find("default_flavor")) read_default(plan, *name);
  return plan;
}

NodePlan read_node_file(const Path& file) { return parse_node(read_file(file, file_bytes_max), file.native()); }

}  // namespace volary
