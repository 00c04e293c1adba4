// cli/local_server.h: this machine's own server: found on its socket, started if it is not there.
#pragma once

#include <optional>

#include <sys/types.h>

#include "cli/client.h"
#include "core/file.h"

namespace volary {

// The server of a data directory listens on DATA/volary.sock and lets in who can read DATA/admin.token.
struct LocalServer {
  Path data_directory;
  Path program;  // What to start: `program server --data-dir data_directory`.

  Path socket() const { return data_directory / "volary.sock"; }
  Path token_file() const { return data_directory / "admin.token"; }
  Path log() const { return data_directory / "server.log"; }
};

// Where to ask, without the token; throws `invalid` if the socket's path is longer than the kernel takes.
Endpoint endpoint_of(const LocalServer& server);

// Starts the server, detached, unless one answers; returns when it answers. Commands that do this at once start one.
// Throws `unavailable` with the end of its log if it dies or does not answer in 15 seconds.
void ensure_running(const LocalServer& server, HttpClient& http);

// Of the process that listens on the socket; nothing if none does.
std::optional<pid_t> listening_process(const Path& socket);

// Asks the process to end and waits until it is gone, at most `seconds`. Throws `unavailable` if it is still there
// then.
void end_process(pid_t process, int seconds);

// The whole first line of a token file.
std::string read_token(const Path& file);

}  // namespace volary
