// engine/engine_client.cc: requests and what their answers mean.
#include "engine/engine_client.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "core/error_of.h"
#include "core/file.h"
#include "core/tree_path.h"
#include "engine/engine_answers.h"
#include "engine/log_frames.h"
#include "engine/pull_progress.h"

namespace volary {
namespace {

constexpr std::string_view cdi_gpu = "nvidia.com/gpu=";
constexpr const char* driver_gpus = "/proc/driver/nvidia/gpus";  // An entry each.
constexpr const char* api_version_known = "1.41";  // Written for this one; newer engines may want a newer one.
constexpr uint64_t answer_seconds_max = 120;       // Starting and removing may take an engine long.
constexpr uint64_t describe_seconds_max = 5;
constexpr const char* usual_sockets[] = {"/var/run/docker.sock", "/run/podman/podman.sock"};

// The members of JSON that others wrote: a missing one is empty.
const json::value& member(const json::value& value, std::string_view key) {
  static const json::value nothing;
  if (!value.is_object()) return nothing;
  const json::value* found = value.get_object().if_contains(key);
  return found ? *found : nothing;
}

std::string text_of(const json::value& value) { return value.is_string() ? std::string(value.get_string()) : ""; }

int64_t number_of(const json::value& value) {
  if (value.is_int64()) return value.get_int64();
  return value.is_uint64() ? static_cast<int64_t>(value.get_uint64()) : 0;
}

bool truth_of(const json::value& value) { return value.is_bool() && value.get_bool(); }

// Never is "0001-01-01T00:00:00Z".
std::optional<Time> time_of(const json::value& value) {
  const std::string text = text_of(value);
  if (text.empty() || text.starts_with("0001")) return std::nullopt;
  return parse_engine_time(text);
}

// {"message": "…"}, from podman also with "cause".
std::string words_of(const HttpResponse& response) {
  std::string body = response.body;
  while (!body.empty() && (body.back() == '\n' || body.back() == ' ')) body.pop_back();
  if (body.empty()) return fmt::format("status {}", response.status);
  std::string words;
  const auto error = error_of([&] { words = text_of(member(parse_json(body, "the engine's answer"), "message")); });
  return printable(error || words.empty() ? body : words);
}

Errc code_of(int status) {
  switch (status) {
    case 400: return Errc::invalid;
    case 401: case 403: return Errc::denied;
    case 404: return Errc::not_found;
    case 409: return Errc::conflict;
    default: return Errc::unavailable;
  }
}

void refuse_unless_good(const HttpResponse& response) {
  if (response.status >= 200 && response.status < 300) return;
  throw Error(code_of(response.status), "{}", words_of(response));
}

json::value content_of(const HttpResponse& response) {
  refuse_unless_good(response);
  return parse_json(response.body, "the engine's answer");
}

// "1.41"
std::pair<unsigned, unsigned> parse_api_version(const std::string& text) {
  const char* const end = text.data() + text.size();
  unsigned major = 0, minor = 0;
  const auto [dot, no_major] = std::from_chars(text.data(), end, major);
  const auto [rest, no_minor] = std::from_chars(dot == end ? end : dot + 1, end, minor);
  if (no_major != std::errc() || no_minor != std::errc() || *dot != '.' || rest != end)
    throw Error(Errc::unavailable, "the container engine speaks version '{}' of its API: expected one such as {}",
                printable(text), api_version_known);
  return {major, minor};
}

bool is_older(const std::string& one, const std::string& other) {
  return parse_api_version(one) < parse_api_version(other);
}

std::vector<std::string> ports_of(const json::value& settings) {
  std::vector<std::string> ports;
  const json::value& all = member(settings, "Ports");
  if (!all.is_object()) return ports;
  for (const auto& [port, places] : all.get_object()) {
    if (!places.is_array()) continue;
    const std::string name(port);
    for (const json::value& place : places.get_array())
      ports.push_back(fmt::format("{} at {}:{}", name.substr(0, name.find('/')), text_of(member(place, "HostIp")),
                                  text_of(member(place, "HostPort"))));
  }
  return ports;
}

}  // namespace

const json::value& engine_member(const json::value& value, std::string_view key) { return member(value, key); }
std::string engine_text_of(const json::value& value) { return text_of(value); }
int64_t engine_number_of(const json::value& value) { return number_of(value); }
bool engine_truth_of(const json::value& value) { return truth_of(value); }
json::value engine_content_of(const HttpResponse& response) { return content_of(response); }

std::string socket_of_engine(const std::string& address) {
  if (!address.starts_with("unix:///") || address.size() >= sizeof(sockaddr_un::sun_path) + 7)
    throw Error(Errc::invalid,
                "'{}' is no container engine: expected a Unix socket such as unix:///var/run/docker.sock",
                printable(address));
  return address.substr(7);
}

std::optional<std::string> find_engine(const std::string& configured) {
  if (!configured.empty()) return configured;
  for (const char* socket : usual_sockets) {
    const auto found = stat_of(socket, Follow::yes);
    if (found && S_ISSOCK(found->st_mode)) return std::string("unix://") + socket;
  }
  return std::nullopt;
}

EngineClient::EngineClient(const std::string& address)
    : address_(address), socket_(socket_of_engine(address)), http_(make_http_client()) {}

// 400 is also what an engine says that was replaced by one of other versions: the next request asks for them again.
HttpResponse EngineClient::send(const HttpRequest& request, Sink* sink) {
  HttpResponse response = http_->send(request, sink);
  if (response.status == 400) version_.clear();
  return response;
}

// Asked once: an engine refuses versions older than the oldest that it knows.
std::string EngineClient::version() {
  if (!version_.empty()) return version_;
  HttpRequest asked;
  asked.url = "http://engine/version";
  asked.unix_socket = socket_;
  const json::value facts = content_of(send(asked));
  const std::string newest = text_of(member(facts, "ApiVersion")), oldest = text_of(member(facts, "MinAPIVersion"));
  std::string chosen = api_version_known;
  if (!newest.empty() && is_older(newest, chosen)) chosen = newest;
  if (!oldest.empty() && is_older(chosen, oldest)) chosen = oldest;
  return version_ = chosen;
}

std::string EngineClient::describe() {
  HttpRequest asked;
  asked.url = "http://engine/version";
  asked.unix_socket = socket_;
  asked.stall_seconds = describe_seconds_max;
  const json::value facts = content_of(send(asked));
  std::string name = "Docker";
  const json::value& parts = member(facts, "Components");
  if (parts.is_array() && !parts.get_array().empty()) {
    const std::string first = text_of(member(parts.get_array()[0], "Name"));
    if (!first.empty() && first != "Engine") name = first;
  }
  return printable(name + " " + text_of(member(facts, "Version")));
}

HttpRequest EngineClient::request(std::string method, const std::string& path) {
  HttpRequest request;
  request.method = std::move(method);
  request.url = "http://engine/v" + version() + path;
  request.unix_socket = socket_;
  request.stall_seconds = answer_seconds_max;
  return request;
}

std::optional<ImageFacts> EngineClient::find_image(const ImageName& image) {
  const HttpResponse response = send(request("GET", "/images/" + percent_encode(image.text(), true) + "/json"));
  if (response.status == 404) return std::nullopt;
  ImageFacts facts;
  const json::value answer = content_of(response);
  const json::value& env = member(member(answer, "Config"), "Env");
  if (env.is_array())
    for (const json::value& one : env.get_array()) facts.sets_home |= text_of(one).starts_with("HOME=");
  return facts;
}

void EngineClient::pull(const ImageName& image, const std::string& credentials, const std::stop_token& stop,
                        const std::function<void(const std::string&)>& told) {
  HttpRequest asked = request("POST", fmt::format("/images/create?fromImage={}&tag={}",
                                                  percent_encode(image.repository), percent_encode(image.version)));
  if (!credentials.empty()) asked.headers.emplace_back("X-Registry-Auth", credentials);
  asked.stall_seconds = 0;  // The engine sees to registries that fall silent.
  asked.stop = stop;
  PullProgress progress(image.text(), told);
  const HttpResponse response = send(asked, &progress);
  if (response.status < 200 || response.status >= 300)
    throw Error(Errc::invalid, "the image {} cannot be had: {}", image.text(), words_of(response));
  progress.finish();
}

EngineClient::GpuFacts EngineClient::find_gpus() {
  HttpRequest info = request("GET", "/info");
  info.stall_seconds = describe_seconds_max;  // Many wait for the answer.
  const json::value facts = content_of(send(info));
  GpuFacts found;
  found.has_runtime = member(member(facts, "Runtimes"), "nvidia").is_object();
  if (found.has_runtime) {
    std::error_code none;  // Without the driver.
    const std::filesystem::directory_iterator gpus(driver_gpus, none);
    for (auto one = begin(gpus); one != end(gpus); ++one) found.indices.push_back(found.indices.size());
    return found;
  }
  const json::value& devices = member(facts, "DiscoveredDevices");
  if (!devices.is_array()) return found;
  for (const json::value& one : devices.get_array()) {
    const std::string id = text_of(member(one, "ID"));
    if (!id.starts_with(cdi_gpu)) continue;
    uint64_t index = 0;
    const char* const last = id.data() + id.size();
    const auto [rest, error] = std::from_chars(id.data() + cdi_gpu.size(), last, index);
    if (error == std::errc() && rest == last) found.indices.push_back(index);
  }
  std::sort(found.indices.begin(), found.indices.end());
  return found;
}

std::vector<uint64_t> EngineClient::gpus() { return find_gpus().indices; }

json::array EngineClient::gpu_requests(const std::vector<uint64_t>& wanted) {
  const GpuFacts facts = find_gpus();
  json::array ids, asked;
  for (const uint64_t index : wanted) {
    const bool is_there = std::binary_search(facts.indices.begin(), facts.indices.end(), index);
    if (!facts.has_runtime && !is_there)
      throw Error(Errc::unavailable,
                  "GPU {} was given to the job, and the container engine at {} does not have it: expected NVIDIA's "
                  "runtime, or a CDI device {}{}", index, address_, cdi_gpu, index);
    ids.emplace_back(facts.has_runtime ? std::to_string(index) : fmt::format("{}{}", cdi_gpu, index));
  }
  json::object request{{"Driver", facts.has_runtime ? "" : "cdi"}, {"DeviceIDs", std::move(ids)}};
  if (facts.has_runtime) {  // A list of lists: any of them, and all of its words.
    json::array capabilities;
    capabilities.push_back(json::array{"gpu"});
    request["Capabilities"] = std::move(capabilities);
  }
  asked.push_back(std::move(request));
  return asked;
}

std::optional<ContainerState> EngineClient::find(const std::string& container) {
  const HttpResponse response = send(request("GET", "/containers/" + container + "/json"));
  if (response.status == 404) return std::nullopt;
  const json::value answer = content_of(response);
  const json::value& state = member(answer, "State");
  ContainerState found;
  found.id = text_of(member(answer, "Id"));
  found.is_running = truth_of(member(state, "Running")) || truth_of(member(state, "Paused")) ||
                     text_of(member(state, "Status")) == "stopping";
  found.is_paused = truth_of(member(state, "Paused"));
  found.pid = number_of(member(state, "Pid"));
  found.exit_code = number_of(member(state, "ExitCode"));
  found.is_out_of_memory = truth_of(member(state, "OOMKilled"));
  found.error = printable(text_of(member(state, "Error")));
  found.started_at = time_of(member(state, "StartedAt"));
  found.ended_at = time_of(member(state, "FinishedAt"));
  found.ports = ports_of(member(answer, "NetworkSettings"));
  return found;
}

void EngineClient::create(const std::string& container, const json::value& body) {
  HttpRequest asked = request("POST", "/containers/create?name=" + container);
  asked.headers.emplace_back("Content-Type", "application/json");
  asked.body = print_json(body);
  const HttpResponse response = send(asked);
  if (response.status == 409)
    throw Error(Errc::exists, "there is a container '{}' already: {}", container, words_of(response));
  refuse_unless_good(response);
}

void EngineClient::start(const std::string& container) {
  const HttpResponse response = send(request("POST", "/containers/" + container + "/start"));
  if (response.status != 304) refuse_unless_good(response);
}

void EngineClient::kill(const std::string& container, std::string_view signal) {
  const HttpResponse response =
      send(request("POST", "/containers/" + container + "/kill?signal=" + std::string(signal)));
  if (response.status != 404 && response.status != 409) refuse_unless_good(response);
}

void EngineClient::remove(const std::string& container) {
  const HttpResponse response = send(request("DELETE", "/containers/" + container + "?force=true&v=true"));
  const bool is_under_way = response.status == 409;  // Another one removes it.
  if (response.status != 404 && !is_under_way) refuse_unless_good(response);
}

std::vector<ListedContainer> EngineClient::list(const std::string& label) {
  const json::object filter = {{"label", json::array{label}}};
  HttpRequest asked = request("GET", "/containers/json?all=true&filters=" + percent_encode(print_json(filter)));
  asked.stall_seconds = describe_seconds_max;  // Asked by who looks after things, and asks again.
  const json::value answer = content_of(send(asked));
  std::vector<ListedContainer> found;
  if (!answer.is_array()) return found;
  for (const json::value& one : answer.get_array()) {
    ListedContainer& listed = found.emplace_back();
    listed.id = text_of(member(one, "Id"));
    const json::value& labels = member(one, "Labels");
    if (labels.is_object())
      for (const auto& [key, value] : labels.get_object()) listed.labels.emplace(std::string(key), text_of(value));
  }
  return found;
}

void EngineClient::read_logs(const std::string& container, Logs logs, Sink& sink, const std::stop_token& stop) {
  HttpRequest asked =
      request("GET", fmt::format("/containers/{}/logs?stdout=true&stderr=true&timestamps=true&follow={}", container,
                                 logs == Logs::to_the_end));
  asked.stall_seconds = logs == Logs::to_the_end ? 0 : answer_seconds_max;  // A process may be silent for days.
  asked.stop = stop;
  refuse_unless_good(send(asked, &sink));
}

int EngineClient::process() const {
  const Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socket_.copy(static_cast<char*>(address.sun_path), sizeof address.sun_path - 1);
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0 ||
      ::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
    throw Error(Errc::unavailable, "the container engine at {} does not answer: {}", address_,
                error_from_errno(errno, "connect to", socket_).message());
  return peer.pid;
}

std::string registry_credentials(const std::string& user, const std::string& password, const std::string& registry) {
  static constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const std::string text = print_json(
      json::object{{"username", user}, {"password", password}, {"serveraddress", registry}});
  std::string encoded;
  for (size_t at = 0; at < text.size(); at += 3) {
    uint32_t group = 0;
    const size_t count = std::min<size_t>(3, text.size() - at);
    for (size_t i = 0; i < 3; ++i) group = group << 8 | (i < count ? static_cast<unsigned char>(text[at + i]) : 0);
    for (size_t i = 0; i < 4; ++i)
      encoded += i <= count ? alphabet[group >> (18 - 6 * i) & 63] : '=';
  }
  return encoded;
}

}  // namespace volary
