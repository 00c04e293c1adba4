// engine/engine_exec.cc: the part of EngineClient that runs commands in containers.
#include "engine/engine_answers.h"
#include "engine/engine_client.h"
#include "net/tunnel.h"

namespace volary {

std::string EngineClient::create_exec(const std::string& container, const ExecSpec& wanted) {
  json::array command, env;
  for (const std::string& word : wanted.command) command.emplace_back(word);
  for (const auto& [name, value] : wanted.env) env.emplace_back(name + "=" + value);
  HttpRequest asked = request("POST", "/containers/" + container + "/exec");
  asked.headers.emplace_back("Content-Type", "application/json");
  asked.body = print_json(json::object{{"AttachStdin", true},
                                       {"AttachStdout", true},
                                       {"AttachStderr", true},
                                       {"Tty", wanted.terminal},
                                       {"Env", std::move(env)},
                                       {"Cmd", std::move(command)}});
  return engine_text_of(engine_member(engine_content_of(send(asked)), "Id"));
}

Fd EngineClient::start_exec(const std::string& id, Speech speech) {
  HttpRequest asked = request("POST", "/exec/" + id + "/start");
  asked.headers.emplace_back("Content-Type", "application/json");
  asked.body = print_json(json::object{{"Detach", false}, {"Tty", speech == Speech::terminal}});
  Tunnel tunnel = open_tunnel(asked, "tcp");
  if (tunnel.response.status != 101) engine_content_of(tunnel.response);
  if (tunnel.response.status != 101)
    throw Error(Errc::unavailable, "the container engine at {} did not hand its connection over: status {}", address_,
                tunnel.response.status);
  return std::move(tunnel.connection);
}

void EngineClient::resize_exec(const std::string& id, uint64_t rows, uint64_t columns) {
  send(request("POST", fmt::format("/exec/{}/resize?h={}&w={}", id, rows, columns)));  // It may have ended.
}

EngineClient::ExecState EngineClient::find_exec(const std::string& id) {
  const json::value answer = engine_content_of(send(request("GET", "/exec/" + id + "/json")));
  ExecState state;
  state.pid = engine_number_of(engine_member(answer, "Pid"));
  state.is_running = engine_truth_of(engine_member(answer, "Running"));
  state.exit_code = engine_number_of(engine_member(answer, "ExitCode"));
  return state;
}

}  // namespace volary
