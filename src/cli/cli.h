// cli/cli.h: the command line: everything after `volary`.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/file.h"
#include "core/progress.h"
#include "net/http_client.h"
#include "record/billing.h"
#include "record/node.h"
#include "record/store.h"

namespace volary {

// How often the server looks after its store by itself, in seconds; 0: never.
struct UpkeepTimes {
  int64_t sweep_seconds = 24 * 3600;
  int64_t check_seconds = 24 * 3600;
  int64_t scrub_seconds = 7 * 24 * 3600;
};

// What `volary server` was told.
struct ServerConfig {
  Path data_directory;  // Absolute.
  std::string socket;   // Of the Unix socket; DATA/volary.sock unless told.
  std::string host;     // "" for no TCP.
  uint16_t port = 0;    // 0: any free one.
  std::vector<std::string> snapshot_from;  // Directories of which anybody may take snapshots, with all below them.
  std::vector<Path> datastores_below;       // Where others than the server's own user may name datastores.
  std::vector<Path> mount_below;            // Where others than the server's own user may have something mounted.
  uint64_t cache_bytes_max = 10ull << 30;   // Of images and link farms.
  Redirects redirects = Redirects::guarded;  // Of datastores.
  UpkeepTimes upkeep;
  PriceList prices;
  NodePlan node;
  std::string engine;  // Of containers: "unix:///…"; "" for where Docker's and podman's usually are.
  std::optional<uint64_t> job_log_bytes;  // How much of a job's log is kept; 64 MiB unless told.
};

// Where backups are that the program reads without a server.
struct PlaceToRead {
  std::string target;    // An absolute directory, or "s3://BUCKET/PREFIX".
  std::string endpoint;  // Of the latter.
  std::string region;
};

// What the program does with backups, without a server. `id`: "" is the newest.
struct OfflineBackups {
  std::function<std::vector<Backup>(const PlaceToRead&)> list;
  std::function<BackupVerification(const PlaceToRead&, const std::string& id, Progress&)> verify;
  std::function<Backup(const PlaceToRead&, const std::string& id, const Path& to, Progress&)> restore;
};

// Runs one command and gives the exit code. `serve` runs the server in the foreground until it is told to end.
// Data goes to stdout, everything else to stderr. Never throws an Error: it is printed, and its code is the exit code.
int run_cli(int argc, char** argv, const std::function<int(const ServerConfig&)>& serve,
            std::string_view version = "0.1.0", const OfflineBackups& backups = {});

}  // namespace volary
