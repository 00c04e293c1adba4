// engine/engine_client.h: the Docker Engine API over a Unix socket, as Docker speaks it and podman's service too.
//
// Only what a run needs. Containers are named by us, so all can be asked again after a crash. Errors carry the engine's
// own words; `unavailable` is an engine that does not answer, and the same call may be made again.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/json.h"
#include "engine/exec.h"
#include "engine/image_name.h"
#include "net/http_client.h"

namespace volary {

// The socket's path in "unix:///run/x.sock". Throws `invalid` for anything else.
std::string socket_of_engine(const std::string& address);

// The engine that the operator named, or one that listens where Docker and podman do; nothing if there is none.
std::optional<std::string> find_engine(const std::string& configured);

struct ContainerState {
  std::string id;
  bool is_running = false;
  bool is_paused = false;
  int64_t pid = 0;  // On the host, while it runs.
  int64_t exit_code = 0;
  bool is_out_of_memory = false;
  std::string error;               // Why it could not start.
  std::optional<Time> started_at;  // Nothing if it never ran.
  std::optional<Time> ended_at;
  std::vector<std::string> ports;  // "8080 at 127.0.0.1:32768"
};

struct ImageFacts {
  bool sets_home = false;  // In its environment.
};

struct ListedContainer {
  std::string id;
  std::map<std::string, std::string> labels;
};

class EngineClient {
 public:
  explicit EngineClient(const std::string& address);

  std::string describe();  // "Docker 20.10.24", "Podman Engine 4.3.1"; soon, or throws.

  std::optional<ImageFacts> find_image(const ImageName& image);
  // Fetches it; `told` gets lines such as "layer 3 of 7, 12.0 MiB of 90.1 MiB". `credentials`: the header's value, or
  // "". Throws with the registry's words.
  void pull(const ImageName& image, const std::string& credentials, const std::stop_token& stop,
            const std::function<void(const std::string&)>& told);

  // The indices of the GPUs that it can give to containers: this machine's, where it has NVIDIA's runtime, or those of
  // its CDI devices.
  std::vector<uint64_t> gpus();
  // What a container asks for these with. Throws `unavailable` where the engine does not have them.
  json::array gpu_requests(const std::vector<uint64_t>& wanted);

  std::optional<ContainerState> find(const std::string& container);
  // Throws `exists` if there is one of this name.
  void create(const std::string& container, const json::value& body);
  // Started already is success.
  void start(const std::string& container);
  // Not running, or not there: success.
  void kill(const std::string& container, std::string_view signal);
  // With everything it left. Not there, or being removed: success.
  void remove(const std::string& container);
  std::vector<ListedContainer> list(const std::string& label);

  enum class Logs { so_far, to_the_end };
  // Frames of engine/log_frames.h.
  void read_logs(const std::string& container, Logs logs, Sink& sink, const std::stop_token& stop);

  // A command in a container, with its user and its surroundings. Not running: `conflict`.
  std::string create_exec(const std::string& container, const ExecSpec& wanted);
  // The connection is what it reads and what it says: frames of engine/log_frames.h without times, or a terminal's.
  enum class Speech { frames, terminal };
  Fd start_exec(const std::string& id, Speech speech);
  void resize_exec(const std::string& id, uint64_t rows, uint64_t columns);
  struct ExecState {
    int64_t pid = 0;  // On the host.
    bool is_running = false;
    int64_t exit_code = 0;
  };
  ExecState find_exec(const std::string& id);

  // The process that listens at the other end, of this pid namespace; 0 if it is in another one.
  int process() const;

 private:
  struct GpuFacts {
    bool has_runtime = false;  // NVIDIA's.
    std::vector<uint64_t> indices;
  };
  GpuFacts find_gpus();
  HttpRequest request(std::string method, const std::string& path);
  HttpResponse send(const HttpRequest& request, Sink* sink = nullptr);
  std::string version();

  std::string address_;
  std::string socket_;
  std::unique_ptr<HttpClient> http_;
  std::string version_;
};

// For `volary doctor`: which engine there is, or why none.
struct EngineReport {
  bool works = false;
  std::string used;    // "Docker 20.10.24"
  std::string reason;  // "at unix:///var/run/docker.sock"
};
EngineReport describe_engine(const std::string& configured);

// X-Registry-Auth: base64url of JSON.
std::string registry_credentials(const std::string& user, const std::string& password, const std::string& registry);

}  // namespace volary
