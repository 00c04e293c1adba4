// cli/session.h: what every command works with: the settings, the server, stdout and stderr.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/local_server.h"
#include "cli/output.h"
#include "cli/progress_bar.h"
#include "cli/settings.h"

namespace volary {

// A test gives its own.
struct Streams {
  std::function<void(std::string_view)> out;
  std::function<void(std::string_view)> err;
  Paint paint = Paint::no;
  bool can_ask = false;  // Somebody sits at a terminal.
  ProgressBar::Options progress;
};

Streams real_streams();

struct Program {
  Path path;  // Of this program's file.
  std::string version;
  std::function<int(const ServerConfig&)> serve;
  OfflineBackups backups;
};

class Session {
 public:
  Session(Settings settings, Program program, Streams streams, std::unique_ptr<HttpClient> http);

  // The server that was asked for; this machine's own is started if it does not run. Main thread.
  Client& client();
  // The same, but nothing where this machine's own does not run.
  Client* running_client();

  Output& output() { return output_; }
  const Settings& settings() const { return settings_; }
  const Program& program() const { return program_; }
  LocalServer local_server() const { return {settings_.data_directory, program_.path}; }
  bool uses_local_server() const { return settings_.server.empty(); }
  const ProgressBar::Options& progress() const { return streams_.progress; }

  // A line on stderr.
  void note(std::string_view line) { streams_.err(std::string(line) + "\n"); }
  // Asks on the terminal; without one, throws `invalid` naming `flag`, which answers yes.
  void confirm(const std::string& question, std::string_view flag);
  bool can_ask() const { return streams_.can_ask; }

 private:
  Settings settings_;
  Program program_;
  Streams streams_;
  std::unique_ptr<HttpClient> http_;
  Output output_;
  std::optional<Client> client_;
};

}  // namespace volary
