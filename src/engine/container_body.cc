// engine/container_body.cc: what a container may do: as little as a process needs.
#include "engine/container_body.h"

#include <unistd.h>

#include "engine/containment.h"

namespace volary {
namespace {

constexpr uint64_t processes_max = 32768;
constexpr uint64_t nanos_per_cpu = 1'000'000'000;

uint64_t machine_memory() {
  return static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

json::array texts(const std::vector<std::string>& words) {
  json::array array;
  for (const std::string& word : words) array.emplace_back(word);
  return array;
}

json::array environment_of(const RunSpec& spec, bool image_sets_home) {
  json::array env;
  for (const auto& [name, value] : spec.env) env.emplace_back(name + "=" + value);
  if (!spec.env.contains("HOME") && !image_sets_home) env.emplace_back("HOME=/tmp");
  return env;
}

json::array mounts_of(const RunSpec& spec, const Path& staging) {
  json::array mounts;
  for (const RunBind& bind : spec.binds)
    mounts.push_back({{"Type", "bind"},
                      {"Source", (staging / bind.source).native()},
                      {"Target", bind.target},
                      {"ReadOnly", !bind.writable},
                      // What is shown later over what can only be read follows into the container.
                      {"BindOptions", {{"Propagation", bind.writable ? "rprivate" : "rslave"}}}});
  return mounts;
}

// "8080" or "80:8080".
void add_ports(const ContainerSpec& container, json::object& body, json::object& host) {
  json::object exposed, bound;
  for (const std::string& port : container.ports) {
    const size_t colon = port.find(':');
    const std::string inside = (colon == std::string::npos ? port : port.substr(colon + 1)) + "/tcp";
    const std::string outside = colon == std::string::npos ? "" : port.substr(0, colon);
    exposed[inside] = json::object();
    if (!bound.contains(inside)) bound[inside] = json::array();
    bound[inside].get_array().push_back(json::object{{"HostIp", "127.0.0.1"}, {"HostPort", outside}});
  }
  if (exposed.empty()) return;
  body["ExposedPorts"] = exposed;
  host["PortBindings"] = bound;
}

json::object host_of(const RunSpec& spec, const BodyFacts& facts) {
  json::object host = {
      {"Init", true},  // Reaps, and has no special treatment of signals as the first process of a namespace has.
      {"CapDrop", json::array{"ALL"}},
      {"SecurityOpt", json::array{"no-new-privileges"}},
      {"PidsLimit", processes_max},
      {"ShmSize", spec.memory_bytes.value_or(machine_memory() / 2)},  // The usual 64 MiB are too few for training.
      {"RestartPolicy", {{"Name", "no"}}},
      {"UsernsMode", "host"},  // Files of volumes belong to 42420 as the host counts.
      // Kept by the engine in a form that it can give back, of which the run's own log is made (engine/log_frames.h).
      // A line of it takes less than seven times as much ("\u0000" for a byte), so this holds more than 1 GiB of them;
      // when it is full the engine begins it anew.
      {"LogConfig", {{"Type", "json-file"}, {"Config", {{"max-size", "8g"}, {"max-file", "1"}}}}},
      {"Mounts", mounts_of(spec, facts.staging)},
  };
  if (spec.memory_bytes) host["Memory"] = host["MemorySwap"] = *spec.memory_bytes;
  if (spec.cpus) host["NanoCpus"] = *spec.cpus * nanos_per_cpu;
  const ContainerSpec& container = *spec.container;
  if (container.read_only_root) {
    host["ReadonlyRootfs"] = true;
    host["Tmpfs"] = json::object{{"/tmp", "mode=1777"}, {"/run", "mode=1777"}};
  }
  if (!facts.device_requests.empty()) host["DeviceRequests"] = facts.device_requests;
  return host;
}

}  // namespace

json::value container_body(const RunSpec& spec, const BodyFacts& facts) {
  const ContainerSpec& container = *spec.container;
  json::object labels;
  for (const auto& [key, value] : container.labels) labels[key] = value;
  labels["io.volary.job"] = spec.name;
  labels[run_label] = facts.run_directory.native();
  labels[jobs_label] = facts.run_directory.parent_path().parent_path().native();
  json::object host = host_of(spec, facts);
  json::object body = {{"Image", container.image},
                       {"Env", environment_of(spec, facts.image_sets_home)},
                       {"User", container.user},
                       {"Labels", labels},
                       {"StopSignal", "SIGTERM"},
                       {"Tty", false}};
  if (!spec.command.empty()) body["Cmd"] = texts(spec.command);
  if (!container.entrypoint.empty()) body["Entrypoint"] = texts(container.entrypoint);
  if (!spec.working_directory.empty()) body["WorkingDir"] = spec.working_directory;
  add_ports(container, body, host);
  body["HostConfig"] = host;
  return body;
}

}  // namespace volary
