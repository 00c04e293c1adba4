// cli/session.cc: from settings to a server, and the questions of cli/session.h.
#include "cli/session.h"

#include <cstdio>
#include <cstdlib>
#include <iostream>

#include <unistd.h>

namespace volary {

Streams real_streams() {
  const char* no_color = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  const bool plain = (no_color && *no_color) || (terminal && std::string_view(terminal) == "dumb");
  return {.out = [](std::string_view text) { write_all(STDOUT_FILENO, text, "the standard output"); },
          .err = [](std::string_view text) { std::fwrite(text.data(), 1, text.size(), stderr); },
          .paint = ::isatty(STDOUT_FILENO) == 1 && !plain ? Paint::yes : Paint::no,
          .can_ask = ::isatty(STDIN_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1,
          .progress = progress_on_stderr()};
}

Session::Session(Settings settings, Program program, Streams streams, std::unique_ptr<HttpClient> http)
    : settings_(std::move(settings)),
      program_(std::move(program)),
      streams_(std::move(streams)),
      http_(std::move(http)),
      output_(settings_.format, streams_.paint, streams_.out) {}

Client& Session::client() {
  if (client_) return *client_;
  if (uses_local_server()) {
    ensure_running(local_server(), *http_);
    Endpoint endpoint = endpoint_of(local_server());
    if (!is_present(local_server().token_file()))
      throw Error(Errc::not_found,
                  "the token file '{}' is gone: end the server with 'volary server stop'; when it starts again, it "
                  "makes a new one", local_server().token_file().string());
    endpoint.token = read_token(local_server().token_file());
    endpoint.project = settings_.project;
    return client_.emplace(*http_, std::move(endpoint));
  }
  Endpoint endpoint = parse_endpoint(settings_.server);
  endpoint.project = settings_.project;
  if (settings_.token) endpoint.token = *settings_.token;
  else if (settings_.token_file) endpoint.token = read_token(*settings_.token_file);
  return client_.emplace(*http_, std::move(endpoint));
}

Client* Session::running_client() {
  if (client_ || !uses_local_server()) return &client();
  if (!is_present(local_server().socket())) return nullptr;
  if (!Client(*http_, endpoint_of(local_server())).is_alive()) return nullptr;
  return &client();
}

void Session::confirm(const std::string& question, std::string_view flag) {
  if (!streams_.can_ask)
    throw Error(Errc::invalid, "{} Nobody can be asked here: give {} to say yes", question, flag);
  streams_.err(question + " [y/N] ");
  std::string answer;
  std::getline(std::cin, answer);
  if (answer != "y" && answer != "Y" && answer != "yes")
    throw Error(Errc::invalid, "the answer was not 'y': nothing was done");
}

}  // namespace volary
