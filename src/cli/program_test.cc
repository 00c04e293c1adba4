// cli/program_test.cc: main() of the tests, which is also the program that they run.
#include "cli/program_test.h"

#include <csignal>
#include <cstdlib>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "core/json.h"
#include "core/random.h"

namespace volary {

Scratch::Scratch() {
  const char* directory = std::getenv("TMPDIR");
  root_ = Path(directory && *directory ? directory : "/tmp") / ("volary-cli-" + random_hex(6));
  make_directories(root_);
}

Scratch::~Scratch() { remove_tree(root_); }

Path Scratch::write(const std::string& name, std::string_view content) const {
  const Path file = root_ / name;
  make_directories(file.parent_path());
  write_file_durably(file, content);
  return file;
}

Running::Running(const Scratch& scratch, const std::vector<std::string>& arguments, const Variables& variables,
                 const std::string& input) {
  const std::string name = random_hex(4);
  out_ = scratch.write(name + ".out", "");
  err_ = scratch.write(name + ".err", "");
  const Path in = scratch.write(name + ".in", input);
  std::vector<std::string> texts = arguments;
  std::vector<char*> words;
  for (auto& text : texts) words.push_back(text.data());
  words.push_back(nullptr);
  std::vector<std::string> settings;
  for (const auto& [key, value] : variables) settings.push_back(key + "=" + value);
  std::vector<char*> environment;
  for (auto& setting : settings) environment.push_back(setting.data());
  environment.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, in.c_str(), O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, 1, out_.c_str(), O_WRONLY | O_APPEND, 0);
  ::posix_spawn_file_actions_addopen(&actions, 2, err_.c_str(), O_WRONLY | O_APPEND, 0);
  ::posix_spawn_file_actions_addchdir_np(&actions, scratch.path().c_str());
  const int problem = ::posix_spawnp(&process_, words[0], &actions, nullptr, words.data(), environment.data());
  ::posix_spawn_file_actions_destroy(&actions);
  if (problem != 0) throw error_from_errno(problem, "start", arguments[0]);
}

Running::~Running() {
  if (process_ == 0) return;
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
}

Ran Running::wait() {
  int status = 0;
  ::waitpid(process_, &status, 0);
  process_ = 0;
  return {.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          .out = read_file(out_),
          .err = read_file(err_)};
}

Variables volary_variables(const Scratch& scratch) {
  return {{"VOLARY_TEST_AS_CLI", "1"},
          {"PATH", std::getenv("PATH")},
          {"HOME", scratch.path().string()},
          {"VOLARY_DATA_DIR", scratch.path("data").string()}};
}

std::vector<std::string> volary_command(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), read_symlink("/proc/self/exe"));
  return arguments;
}

Ran run_volary(const Scratch& scratch, std::vector<std::string> arguments, Variables more, const std::string& input) {
  Variables variables = volary_variables(scratch);
  for (auto& [key, value] : more) variables[key] = value;
  return Running(scratch, volary_command(std::move(arguments)), variables, input).wait();
}

FakeApi::FakeApi(const Path& socket, std::map<std::string, Answer> first) : socket_(socket) {
  *answers_.lock() = std::move(first);
  on("GET /healthz", 200, "{}");
  ServerOptions options;
  options.unix_socket = socket.string();
  server_ = start_http_server(options, [this](const Request& request) { return answer(request); });
}

void FakeApi::on(const std::string& method_and_path, Answer answer) {
  (*answers_.lock())[method_and_path] = std::move(answer);
}

void FakeApi::on(const std::string& method_and_path, int status, const std::string& body) {
  on(method_and_path, [status, body](const Request&) { return json_response(status, body); });
}

std::vector<std::string> FakeApi::requests() { return *requests_.lock(); }

Response FakeApi::answer(const Request& request) {
  const std::string key = request.method + " " + request.path;
  if (request.path != "/healthz") requests_.lock()->push_back(key + (request.body.empty() ? "" : " " + request.body));
  Answer found;
  {
    auto answers = answers_.lock();
    if (const auto one = answers->find(key); one != answers->end()) found = one->second;
  }
  return found ? found(request) : problem_response(404, "not_found", "there is no " + request.path);
}

Response json_response(int status, const std::string& body) {
  Response response;
  response.status = status;
  response.body = body;
  return response;
}

Response problem_response(int status, const std::string& code, const std::string& detail) {
  Response response = json_response(
      status, print_json(json::object{{"type", "urn:volary:error:" + code}, {"title", code}, {"status", status},
                                      {"detail", detail}, {"code", code}, {"trail", json::array{"doing a thing"}},
                                      {"requestId", "req-1"}}));
  response.content_type = "application/problem+json";
  return response;
}

namespace {

class Pieces final : public Stream {
 public:
  explicit Pieces(std::vector<std::string> pieces) : pieces_(std::move(pieces)) {}
  std::optional<std::string> poll() override {
    if (next_ == pieces_.size()) return std::nullopt;
    return pieces_[next_++];
  }

 private:
  std::vector<std::string> pieces_;
  size_t next_ = 0;
};

// What `volary server` is here: an API that knows its health and one volume, until it is told to end.
int serve_fake(const ServerConfig& config) {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  if (is_present(config.data_directory / "refuse"))
    throw Error(Errc::corrupt, "the database of '{}' is damaged", config.data_directory.string());
  write_file_durably(config.data_directory / "admin.token", "volary_test_token\n", 0600);
  const Fd starts = open_to_append(config.data_directory / "starts");
  write_all(starts.get(), "started\n", "starts");
  const auto volumes = [](const Request& request) {
    if (request.header("authorization") != "Bearer volary_test_token")
      return problem_response(401, "denied", "a token is needed");
    return json_response(200, R"({"items":[]})");
  };
  const FakeApi api(config.socket, {{"GET /api/v1/volumes", volumes}});
  int signal = 0;
  ::sigwait(&ends, &signal);
  return 0;
}

}  // namespace

Response stream_response(const std::string& content_type, std::vector<std::string> pieces) {
  Response response;
  response.content_type = content_type;
  response.stream = std::make_unique<Pieces>(std::move(pieces));
  return response;
}

std::string event_text(const std::string& name, const std::string& json) {
  return "event: " + name + "\ndata: " + json + "\n\n";
}

}  // namespace volary

int main(int argc, char** argv) {
  if (std::getenv("VOLARY_TEST_AS_CLI")) return volary::run_cli(argc, argv, volary::serve_fake, "9.9.9");
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
