// cli/snapshot_command.cc: `volary volume snapshot`.
#include "cli/command.h"
#include "cli/reference.h"
#include "cli/snapshot.h"
#include "cli/waiting.h"
#include "cli/watch.h"

namespace volary {
namespace {

struct SnapshotOptions {
  std::string volume;
  std::string directory;
  std::optional<std::string> message;
  std::optional<std::string> wait_time;
  bool wait = false;
  bool detach = false;
};

std::vector<CommandField> snapshot_fields(SnapshotOptions& o) {
  std::vector<CommandField> fields = {
      {.name = "NAME", .target = &o.volume, .help = "the volume that gets a new version", .need = Need::required,
       .words = Words::volumes},
      {.name = "DIR", .target = &o.directory, .help = "the directory, on the server's machine", .need = Need::required,
       .words = Words::directories},
      {.name = "-m,--message", .target = &o.message, .help = "what the new version is; kept with it", .value = "TEXT"},
      {.name = "--detach", .target = &o.detach, .help = "print the transfer's id and do not wait for it"}};
  for (CommandField& field : wait_fields(o.wait, o.wait_time)) fields.push_back(std::move(field));
  return fields;
}

int snapshot(Session& session, const SnapshotOptions& o) {
  const VolumeReference volume = parse_volume_reference(o.volume);
  if (!volume.version.empty())
    throw Error(Errc::invalid, "'{}' names a version, but a snapshot makes a new one: give '{}'", o.volume,
                volume.name);
  NewSnapshot asked;
  asked.path = o.directory;
  asked.message = o.message;
  asked.wait_seconds = wait_seconds_of(o.wait, o.wait_time);
  return take_snapshot(session, volume.name, std::move(asked), o.detach ? Detach::yes : Detach::no);
}

}  // namespace

int take_snapshot(Session& session, const std::string& volume, NewSnapshot asked, Detach detach) {
  if (!asked.path.starts_with('/')) {
    if (!session.client().is_local())
      throw Error(Errc::invalid, "'{}' is read by the server, on its machine: expected an absolute path", asked.path);
    asked.path = std::filesystem::absolute(asked.path).lexically_normal().string();
  }
  const json::value accepted =
      session.client().post(api_path({"volumes", volume, "snapshots"}), to_json(asked));
  return begun(session, accepted, detach);
}

std::vector<Command> snapshot_commands() {
  return {make_command<SnapshotOptions>(
      {.path = {"volume", "snapshot"},
       .summary = "make a directory of the server's machine the next version of a volume",
       .example = "volary volume snapshot wiki /data/wiki --message 'as of July'",
       .more = "The new version holds all of the directory and nothing else; what the volume has already is not stored "
               "again. Your own server reads what you may read; another one only what its administrator allows by "
               "'volary server --snapshot-from DIR'."},
      snapshot_fields, snapshot)};
}

}  // namespace volary
