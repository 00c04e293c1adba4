// cli/server_commands.cc: `volary server`, `server stop|status`, `doctor`, `version`, `openapi`.
#include <charconv>

#include "cli/command.h"
#include "cli/listen_address.h"
#include "cli/node_file.h"
#include "cli/price_file.h"
#include "cli/session.h"
#include "core/quantity.h"
#include "record/problem.h"

namespace volary {
namespace {

constexpr int stop_seconds_max = 60;
constexpr uint64_t job_log_bytes_min = 1 << 20;

struct ServeOptions {
  std::optional<std::string> socket;
  std::optional<std::string> listen;
  std::vector<std::string> snapshot_from;
  std::optional<std::string> sweep_every;
  std::optional<std::string> check_every;
  std::optional<std::string> scrub_every;
  std::vector<std::string> mount_below;
  std::vector<std::string> datastores_below;
  std::optional<std::string> cache_limit;
  std::optional<std::string> prices;
  std::optional<std::string> node;
  bool allow_private_redirects = false;
  std::optional<std::string> engine;
  std::optional<std::string> job_log_limit;
};

std::vector<CommandField> serve_fields(ServeOptions& o) {
  return {{.name = "--socket", .target = &o.socket, .help = "the Unix socket; DATA/volary.sock unless told",
           .value = "PATH", .words = Words::files},
          {.name = "--listen", .target = &o.listen, .help = "also answer here; port 0 is any free one",
           .value = "HOST:PORT"},
          {.name = "--snapshot-from", .target = &o.snapshot_from,
           .help = "let others too make versions of this directory and of those below it; may be given again",
           .value = "DIR", .words = Words::directories},
          {.name = "--sweep-every", .target = &o.sweep_every,
           .help = "delete what no version refers to so often; 1d unless told, 'off' for never", .value = "TIME"},
          {.name = "--check-every", .target = &o.check_every,
           .help = "look so often whether all is there; 1d unless told, or 'off'", .value = "TIME"},
          {.name = "--scrub-every", .target = &o.scrub_every,
           .help = "read and hash everything once in this time; 7d unless told, or 'off'", .value = "TIME"},
          {.name = "--mount-below", .target = &o.mount_below,
           .help = "a directory below which others than this user may have volumes mounted; may be given again",
           .value = "DIR", .words = Words::directories},
          {.name = "--datastores-below", .target = &o.datastores_below,
           .help = "a directory below which others than this user may name datastores, to read and write; may be given "
                   "again",
           .value = "DIR", .words = Words::directories},
          {.name = "--cache-limit", .target = &o.cache_limit,
           .help = "how much disk the images for mounts, and data kept by :cache, may take; 10GiB unless told",
           .value = "SIZE"},
          {.name = "--prices", .target = &o.prices,
           .help = "a file of what jobs cost; DATA/prices.yaml, if it is there, unless told", .value = "FILE",
           .words = Words::files},
          {.name = "--node", .target = &o.node,
           .help = "a file of what this machine gives to jobs, and its flavors; DATA/node.yaml, if it is there, unless "
                   "told",
           .value = "FILE", .words = Words::files},
          {.name = "--allow-private-redirects", .target = &o.allow_private_redirects,
           .help = "let datastores lead to addresses nearer to this machine than where they were made for"},
          {.name = "--engine", .target = &o.engine,
           .help = "run jobs with an image here: Docker or podman's service; unix:///var/run/docker.sock or "
                   "unix:///run/podman/podman.sock unless told, where there is one",
           .value = "unix:///PATH"},
          {.name = "--job-log-limit", .target = &o.job_log_limit,
           .help = "how much of each job's log is kept, of which then the oldest eighth goes; 64MiB unless told",
           .value = "SIZE"}};
}

void set_time(int64_t& seconds, const std::optional<std::string>& text, std::string_view option) {
  if (text) seconds = *text == "off" ? 0 : parse_seconds(*text, option);
}

std::vector<Path> found(const std::vector<std::string>& directories) {
  std::vector<Path> paths;
  for (const std::string& directory : directories) {
    std::error_code problem;
    paths.push_back(std::filesystem::canonical(directory, problem));
    if (problem) throw error_from_errno(problem.value(), "find", directory);
  }
  return paths;
}

int serve(Session& session, const ServeOptions& o) {
  ServerConfig config;
  config.data_directory = session.settings().data_directory;
  config.socket = o.socket ? std::filesystem::absolute(*o.socket).string()
                           : endpoint_of(session.local_server()).unix_socket;
  for (const std::string& one : o.snapshot_from)
    config.snapshot_from.push_back(std::filesystem::absolute(one).string());
  if (o.listen) {
    const ListenAddress address = parse_listen_address(*o.listen);
    config.host = address.host;
    config.port = address.port;
  }
  set_time(config.upkeep.sweep_seconds, o.sweep_every, "--sweep-every");
  set_time(config.upkeep.check_seconds, o.check_every, "--check-every");
  set_time(config.upkeep.scrub_seconds, o.scrub_every, "--scrub-every");
  config.mount_below = found(o.mount_below);
  config.datastores_below = found(o.datastores_below);
  if (o.cache_limit) config.cache_bytes_max = parse_bytes(*o.cache_limit, "the cache's limit");
  const Path prices = o.prices ? Path(*o.prices) : config.data_directory / "prices.yaml";
  if (o.prices || is_present(prices)) config.prices = read_price_file(prices);
  const Path node = o.node ? Path(*o.node) : config.data_directory / "node.yaml";
  if (o.node || is_present(node)) config.node = read_node_file(node);
  if (o.allow_private_redirects) config.redirects = Redirects::anywhere;
  if (o.engine) {
    if (!o.engine->starts_with("unix:///"))
      throw Error(Errc::invalid, "'{}' is no container engine: expected unix:///PATH of its socket", *o.engine);
    config.engine = *o.engine;
  }
  if (o.job_log_limit) config.job_log_bytes = parse_bytes(*o.job_log_limit, "the limit of a job's log");
  if (config.job_log_bytes.value_or(job_log_bytes_min) < job_log_bytes_min)
    throw Error(Errc::invalid, "the limit of a job's log is {}: expected at least {}",
                bytes_text(*config.job_log_bytes), bytes_text(job_log_bytes_min));
  return session.program().serve(config);
}

struct NoOptions {};

std::vector<CommandField> no_fields(NoOptions&) { return {}; }

int stop(Session& session, const NoOptions&) {
  const Path socket = session.local_server().socket();
  const auto process = listening_process(socket);
  if (!process) {
    session.note(fmt::format("no server listens on '{}': nothing to stop", socket.string()));
    return 0;
  }
  end_process(*process, stop_seconds_max);
  session.note(fmt::format("stopped process {}", *process));
  return 0;
}

int status(Session& session, const NoOptions&) {
  Client* client = session.running_client();
  if (!client)
    throw Error(Errc::unavailable, "no server runs for '{}'; the next command that needs one starts it",
                session.settings().data_directory.string());
  session.output().record<ServerStatus>(
      client->get(api_path({"server"})),
      {{"VERSION", [](const ServerStatus& s) { return s.version; }},
       {"DATA", [](const ServerStatus& s) { return s.data_directory; }},
       {"FREE", [](const ServerStatus& s) { return bytes_text(s.free_bytes); }},
       {"READ-ONLY MOUNTS", [](const ServerStatus& s) { return s.read_only_mounts; }},
       {"WRITABLE MOUNTS", [](const ServerStatus& s) { return s.writable_mounts; }},
       {"SANDBOX", [](const ServerStatus& s) { return s.sandbox; }}});
  return 0;
}

int doctor(Session& session, const NoOptions&) {
  session.output().list<Finding>(session.client().list(api_path({"doctor"})),
                                 {{"SUBJECT", [](const Finding& f) { return f.subject; }},
                                  {"GOOD", [](const Finding& f) { return f.good ? "yes" : "no"; }},
                                  {"USED", [](const Finding& f) { return or_dash(f.used); }},
                                  {"REASON", [](const Finding& f) { return or_dash(f.reason); }}});
  return 0;
}

int version(Session& session, const NoOptions&) {
  if (session.output().is_structured()) session.output().document(json::object{{"version", session.program().version}});
  else session.output().line("volary " + session.program().version);
  return 0;
}

int openapi(Session& session, const NoOptions&) {
  const std::string text = session.client().text("/openapi.json");
  if (session.output().format() == Format::yaml) session.output().document(parse_json(text, "the API's description"));
  else session.output().text(text.ends_with('\n') ? text : text + "\n");
  return 0;
}

}  // namespace

ListenAddress parse_listen_address(const std::string& text) {
  const size_t colon = text.rfind(':');
  ListenAddress address;
  std::string_view port;
  if (colon != std::string::npos) {
    address.host = text.substr(0, colon);
    port = std::string_view(text).substr(colon + 1);
  }
  if (address.host.starts_with('[') && address.host.ends_with(']'))
    address.host = address.host.substr(1, address.host.size() - 2);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (address.host.empty() || error != std::errc() || end != port.data() + port.size())
    throw Error(Errc::invalid, "'{}' is no address to listen on: expected HOST:PORT, such as 127.0.0.1:8080 or [::1]:0",
                text);
  return address;
}

std::vector<Command> server_commands() {
  return {
      make_command<ServeOptions>({.path = {"server"}, .summary = "run the server in the foreground",
                                  .example = "volary server --data-dir /var/lib/volary --listen 127.0.0.1:8080",
                                  .more = "Without --server, the other commands start one for you: this is for "
                                          "services."},
                                 serve_fields, serve),
      make_command<NoOptions>({.path = {"server", "stop"}, .summary = "end this machine's own server",
                               .example = "volary server stop"},
                              no_fields, stop),
      make_command<NoOptions>({.path = {"server", "status"}, .summary = "say how the server does its work",
                               .example = "volary server status", .more = "Exits with 8 if none runs; starts none."},
                              no_fields, status),
      make_command<NoOptions>({.path = {"doctor"}, .summary = "say what this machine can do, and why not",
                               .example = "volary doctor"},
                              no_fields, doctor),
      make_command<NoOptions>({.path = {"openapi"}, .summary = "print the description of the server's API",
                               .example = "volary openapi > openapi.json"},
                              no_fields, openapi),
      make_command<NoOptions>({.path = {"version"}, .summary = "print this program's version",
                               .example = "volary version"},
                              no_fields, version),
  };
}

}  // namespace volary
