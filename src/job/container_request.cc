// job/container_request.cc: the rules of job/container_request.h.
#include "job/container_request.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

#include "core/error.h"
#include "core/tree_path.h"
#include "engine/engine_client.h"

namespace volary {
namespace {

constexpr uint64_t user_id_max = 4'294'967'294;
constexpr uint64_t port_max = 65535;
constexpr size_t ports_max = 64;

std::optional<uint64_t> number_in(std::string_view text, uint64_t max) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number > max) return std::nullopt;
  return number;
}

// "UID:GID"; the group is the user's number unless told.
std::string user_of(const NewContainer& container) {
  if (!container.user) return fmt::format("{0}:{0}", job_uid);
  const std::string& text = *container.user;
  const size_t colon = text.find(':');
  const auto user = number_in(text.substr(0, colon), user_id_max);
  const auto group = colon == std::string::npos ? user : number_in(text.substr(colon + 1), user_id_max);
  if (!user || !group)
    throw Error(Errc::invalid, "'{}' is no user of a container: expected UID or UID:GID, such as 1000:1000",
                printable(text));
  return fmt::format("{}:{}", *user, *group);
}

void check_port(const std::string& text) {
  const size_t colon = text.find(':');
  const auto is_port = [](std::string_view one) { return number_in(one, port_max).value_or(0) > 0; };
  const bool is_good = colon == std::string::npos
                           ? is_port(text)
                           : is_port(text.substr(0, colon)) && is_port(text.substr(colon + 1));
  if (!is_good)
    throw Error(Errc::invalid, "'{}' is no port of a container: expected PORT or HOST_PORT:PORT, such as 8080 or "
                "80:8080", printable(text));
}

}  // namespace

void check_container_request(const NewJob& request) {
  if (!request.image) {
    if (request.container)
      throw Error(Errc::invalid, "a container was asked for without an image: expected 'image' too");
    return;
  }
  parse_image_name(*request.image);
  if (!request.container) return;
  const NewContainer& container = *request.container;
  const std::string user = user_of(container);
  const auto writes = [](const NewAttachment& one) { return one.access != AttachAccess::ro; };
  const auto written = std::find_if(request.attachments.begin(), request.attachments.end(), writes);
  if (!user.starts_with(std::to_string(job_uid) + ":") && written != request.attachments.end())
    throw Error(Errc::invalid, "user {} could not write volume '{}': files of volumes belong to {}; expected no other "
                "user, or the volume read-only", user, written->volume, job_uid);
  for (const std::string& word : container.entrypoint)
    if (word.find('\0') != std::string::npos)
      throw Error(Errc::invalid, "the entrypoint holds a NUL byte: expected none");
  if (container.ports.size() > ports_max)
    throw Error(Errc::invalid, "{} ports were asked for: expected at most {}", container.ports.size(), ports_max);
  std::set<uint64_t> taken;
  for (const std::string& port : container.ports) {
    check_port(port);
    const size_t colon = port.find(':');
    const uint64_t outside = colon == std::string::npos ? 0 : *number_in(port.substr(0, colon), port_max);
    if (outside > 0 && !taken.insert(outside).second)
      throw Error(Errc::invalid, "port {} of the host was asked for twice: expected it once", outside);
  }
  if (container.pull == Pull::never && container.registry_secret)
    throw Error(Errc::invalid,
                "a secret for the registry was given, but nothing is to be fetched: expected one of both");
}

void check_container_possible(Transaction& transaction, const Caller& caller, const NewJob& request,
                              const std::string& engine) {
  if (!request.image) return;
  if (::geteuid() != 0)
    throw Error(Errc::unavailable,
                "jobs with an image need a server that runs as root, since the container engine must see its mounts: "
                "leave the image out to run in the sandbox, with the command after '--'");
  if (!find_engine(engine))
    throw Error(Errc::unavailable,
                "jobs with an image need a container engine, and none listens at /var/run/docker.sock or "
                "/run/podman/podman.sock: start Docker or podman's service, or name it by 'volary server --engine'; "
                "without an image, the command stands after '--'");
  if (!request.container || !request.container->registry_secret) return;
  const std::string& secret = *request.container->registry_secret;
  if (!transaction.find<std::string>("SELECT id FROM secret WHERE project = $1 AND name = $2", caller.project, secret))
    throw Error(Errc::not_found, "there is no secret '{}' in this project", printable(secret));
}

ContainerSpec container_of(const JobRow& job, Secrets& secrets, const std::string& engine) {
  const auto address = find_engine(engine);
  if (!address) throw Error(Errc::unavailable, "the container engine is gone: nothing listens where it did");
  const NewContainer asked = job.spec.container.value_or(NewContainer{});
  ContainerSpec spec;
  spec.engine = *address;
  const ImageName image = parse_image_name(*job.spec.image);
  spec.image = image.text();
  if (asked.pull) spec.pull = name_of_value(*asked.pull);
  spec.entrypoint = asked.entrypoint;
  spec.user = user_of(asked);
  spec.labels = job.spec.labels;
  spec.ports = asked.ports;
  spec.gpus = job.gpu;
  spec.gpu_indices = job.gpus;
  spec.read_only_root = asked.read_only_root;
  if (asked.registry_secret) {
    auto values = secrets.open(job.project, *asked.registry_secret);
    if (!values.contains("username") || !values.contains("password"))
      throw Error(Errc::invalid, "secret '{}' is none for a registry: expected values 'username' and 'password'",
                  *asked.registry_secret);
    if (const auto wanted = values.find("registry"); wanted != values.end() && wanted->second != image.registry())
      throw Error(Errc::denied, "secret '{}' is for the registry {}, and the image {} is of {}: expected one of both",
                  *asked.registry_secret, printable(wanted->second), image.text(), image.registry());
    spec.credentials = registry_credentials(values["username"], values["password"], image.registry());
  }
  return spec;
}

}  // namespace volary
