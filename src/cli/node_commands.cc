// cli/node_commands.cc: `volary node` and `volary flavor ls`.
#include "cli/command.h"
#include "cli/session.h"
#include "core/quantity.h"
#include "record/node.h"

namespace volary {
namespace {

struct NoOptions {};

std::vector<CommandField> no_fields(NoOptions&) { return {}; }

using Text = std::string (*)(uint64_t);

std::string number(uint64_t n) { return std::to_string(n); }

// "2 (0 3)": how many GPUs, and which.
std::string gpus_text(const NodeJob& job) {
  std::vector<std::string> indices;
  for (const uint64_t index : job.gpus) indices.push_back(std::to_string(index));
  return indices.empty() ? or_dash("") : fmt::format("{} ({})", indices.size(), joined(indices, " "));
}

int node(Session& session, const NoOptions&) {
  const json::value answer = session.client().get(api_path({"node"}));
  Output& output = session.output();
  if (output.is_structured()) {
    output.document(answer);
    return 0;
  }
  const auto status = typed<NodeStatus>(answer);
  std::vector<std::vector<std::string>> rows;
  const auto add = [&](const char* name, uint64_t Share::*amount, Text text) {
    rows.push_back({name, text(status.capacity.*amount), text(status.held.*amount), text(status.free.*amount),
                    text(status.queued.*amount)});
  };
  add("cores", &Share::cpu, number);
  add("memory", &Share::memory_bytes, bytes_text);
  add("GPUs", &Share::gpu, number);
  add("jobs", &Share::jobs, number);
  output.table({"RESOURCE", "CAPACITY", "HELD", "FREE", "QUEUED"}, rows);
  if (status.jobs.empty()) return 0;
  rows.clear();
  for (const NodeJob& job : status.jobs)
    rows.push_back({job.id, job.name, job.user, std::string(name_of_value(job.state)),
                    job.holds.cpu ? number(job.holds.cpu) : "-",
                    job.holds.memory_bytes ? bytes_text(job.holds.memory_bytes) : "-", gpus_text(job)});
  output.text("\n");
  output.table({"JOB", "NAME", "USER", "STATE", "CORES", "MEMORY", "GPUS"}, rows);
  return 0;
}

int list_flavors(Session& session, const NoOptions&) {
  session.output().list<Flavor>(
      session.client().list(api_path({"flavors"})),
      {{"NAME", [](const Flavor& f) { return f.name; }},
       {"CORES", [](const Flavor& f) { return f.cpu ? number(f.cpu) : "-"; }},
       {"MEMORY", [](const Flavor& f) { return f.memory_bytes ? bytes_text(f.memory_bytes) : "-"; }},
       {"GPUS", [](const Flavor& f) { return f.gpu ? number(f.gpu) : "-"; }},
       {"UNITS A JOB", [](const Flavor& f) { return number(f.units_max); }},
       {"PRICE A MINUTE", [](const Flavor& f) { return f.price.value_or("-"); }},
       {"DEFAULT", [](const Flavor& f) { return std::string(f.is_default ? "yes" : "-"); }}});
  return 0;
}

}  // namespace

std::vector<Command> node_commands() {
  return {
      make_command<NoOptions>(
          {.path = {"node"}, .summary = "say what the machine gives to jobs, what is held and what waits",
           .example = "volary node\nvolary node -o json",
           .more = "FREE is what nobody holds; QUEUED is what the jobs in the queue ask for, all together. Below are "
                   "the jobs of this project that hold something."},
          no_fields, node),
      make_command<NoOptions>(
          {.path = {"flavor", "ls"}, .aliases = {"list"},
           .summary = "list the units in which jobs may ask for what they need",
           .example = "volary flavor ls",
           .more = "CORES, MEMORY and GPUS are those of one unit. 'job run --flavor NAME --gpu 2' is two units of one "
                   "with GPUs, '--cpu 4' four cores' worth of one without. PRICE A MINUTE is what a started minute of "
                   "a job with one unit costs, by the operator's price list."},
          no_fields, list_flavors)};
}

}  // namespace volary
