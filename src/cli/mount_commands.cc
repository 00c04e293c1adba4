// cli/mount_commands.cc: `volary volume mount|unmount|mounts|shell`.
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "cli/command.h"
#include "cli/reference.h"
#include "cli/session.h"
#include "record/mount.h"

namespace volary {
namespace {

constexpr int status_of_signals = 128;

std::string version_text(const Mount& mount) {
  return mount.version ? fmt::format("{}@{}", mount.volume, mount.version) : mount.volume;
}

const std::vector<Column<Mount>>& mount_columns() {
  static const std::vector<Column<Mount>> columns = {
      {"PATH", [](const Mount& m) { return m.path; }},
      {"VERSION", [](const Mount& m) { return version_text(m); }},
      {"ACCESS", [](const Mount& m) { return word_of(name_of_value(m.access)); }},
      {"FOR", [](const Mount& m) { return m.kind == MountKind::path ? "everybody" : "one command"; }},
      {"STATE", [](const Mount& m) { return word_of(name_of_value(m.state)); }},
      {"SINCE", [](const Mount& m) { return time_text(m.created_at); }},
      {"BY", [](const Mount& m) { return or_dash(m.created_by); }},
      {"ID", [](const Mount& m) { return m.id; }},
      {"NOTE", [](const Mount& m) { return or_dash(m.note); }, Show::wide},
      {"DIRECTORY", [](const Mount& m) { return m.directory; }, Show::wide}};
  return columns;
}

// A path means this machine only if the server runs here.
std::string absolute_path(Session& session, const std::string& path) {
  const Path given = path;
  if (given.is_relative() && !session.uses_local_server())
    throw Error(Errc::invalid, "'{}' is relative: expected an absolute path of the machine that the server runs on",
                path);
  return std::filesystem::absolute(given).lexically_normal().native();
}

// --- mount

struct MountOptions {
  std::string volume;
  std::string path;
  bool writable = false;
};

CommandField volume_field(std::string& volume) {
  return {.name = "NAME[@VERSION]", .target = &volume, .help = "which volume; its newest version unless told",
          .need = Need::required, .words = Words::volumes};
}

std::vector<CommandField> mount_fields(MountOptions& o) {
  return {volume_field(o.volume),
          {.name = "PATH", .target = &o.path, .help = "an empty directory of the server's machine",
           .need = Need::required, .words = Words::directories},
          {.name = "--rw", .target = &o.writable,
           .help = "for writing; unmounting makes the next version of what was written"}};
}

Mount post_mount(Session& session, const MountOptions& o, MountKind kind, json::value* answer) {
  const NewMount wanted{.volume = parse_volume_reference(o.volume).text(),
                        .path = absolute_path(session, o.path),
                        .access = o.writable ? MountAccess::rw : MountAccess::ro,
                        .kind = kind};
  *answer = session.client().post(api_path({"mounts"}), to_json(wanted), {}, Patience::endless);
  return typed<Mount>(*answer);
}

int mount(Session& session, const MountOptions& o) {
  json::value answer;
  const Mount mount = post_mount(session, o, MountKind::path, &answer);
  if (session.output().is_structured()) session.output().document(answer);
  else session.output().line(mount.path);
  return 0;
}

// --- unmount

struct UnmountOptions {
  std::string mount;
  std::optional<std::string> message;
  bool discard = false;
};

std::vector<CommandField> ending_fields(std::optional<std::string>& message, bool& discard) {
  return {{.name = "-m,--message", .target = &message, .help = "what the version's history shall say of it",
           .value = "TEXT"},
          {.name = "--discard", .target = &discard, .help = "throw away what was written"}};
}

std::vector<CommandField> unmount_fields(UnmountOptions& o) {
  std::vector<CommandField> fields = ending_fields(o.message, o.discard);
  fields.insert(fields.begin(), {.name = "PATH|ID", .target = &o.mount, .help = "which mount", .need = Need::required,
                                 .words = Words::directories});
  return fields;
}

std::string mount_id(Session& session, const std::string& text) {
  if (text.starts_with("mnt-")) return text;
  const std::string path = absolute_path(session, text);
  const json::array found = session.client().list(api_path({"mounts"}), {{"path", path}});
  if (found.empty()) throw Error(Errc::not_found, "nothing of Volary's stands at '{}'", path);
  if (found.size() > 1)
    throw Error(Errc::invalid, "{} mounts name '{}': expected an ID, see 'volary volume mounts'", found.size(), path);
  return typed<Mount>(found.front()).id;
}

json::value post_unmount(Session& session, const std::string& id, const std::optional<std::string>& message,
                         bool discard) {
  const Unmount wanted{.message = message, .discard = discard};
  json::value answer = session.client().post(api_path({"mounts", id, "unmount"}), to_json(wanted), {},
                                             Patience::endless);  // It reads all that was written.
  const auto unmounted = typed<Unmounted>(answer);
  for (const std::string& one : unmounted.left_out) session.note("left out: " + one);
  if (unmounted.result) session.note(fmt::format("made {}@{}", unmounted.volume, unmounted.result));
  return answer;
}

int unmount(Session& session, const UnmountOptions& o) {
  const json::value answer = post_unmount(session, mount_id(session, o.mount), o.message, o.discard);
  if (session.output().is_structured()) session.output().document(answer);
  return 0;
}

// --- mounts

struct NoOptions {};

std::vector<CommandField> no_fields(NoOptions&) { return {}; }

int mounts(Session& session, const NoOptions&) {
  json::array all = session.client().list(api_path({"mounts"}));
  std::sort(all.begin(), all.end(), [](const json::value& a, const json::value& b) {
    return typed<Mount>(a).path < typed<Mount>(b).path;
  });
  session.output().list<Mount>(all, mount_columns());
  return 0;
}

// --- shell

struct ShellOptions {
  MountOptions mount;
  std::optional<std::string> message;
  bool discard = false;
  std::vector<std::string> command;
};

std::vector<CommandField> shell_fields(ShellOptions& o) {
  std::vector<CommandField> fields = ending_fields(o.message, o.discard);
  const CommandField path{.name = "PATH", .target = &o.mount.path, .help = "a directory; what it holds is hidden",
                          .need = Need::required, .words = Words::directories};
  const CommandField writable{.name = "--rw", .target = &o.mount.writable,
                              .help = "for writing; what was written becomes the next version when the command ends"};
  fields.insert(fields.begin(), {volume_field(o.mount.volume), path, writable});
  fields.push_back({.name = "COMMAND", .target = &o.command, .help = "what to run, after '--'; $SHELL unless told"});
  return fields;
}

// What a terminal sends on Ctrl-C goes to the command too, and is its business.
class DeafToInterrupts {
 public:
  DeafToInterrupts() : before_(std::signal(SIGINT, SIG_IGN)) {}
  DeafToInterrupts(const DeafToInterrupts&) = delete;
  DeafToInterrupts& operator=(const DeafToInterrupts&) = delete;
  ~DeafToInterrupts() { std::signal(SIGINT, before_); }

 private:
  void (*before_)(int);
};

// Its exit code, as a shell tells it.
int run_command(const std::vector<std::string>& words) {
  std::vector<std::string> kept = words;
  std::vector<char*> arguments;
  for (std::string& word : kept) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawnattr_t attributes;
  sigset_t defaults;
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGINT);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setsigdefault(&attributes, &defaults);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  const DeafToInterrupts deaf;
  pid_t child = 0;
  const int problem = ::posix_spawn(&child, arguments[0], nullptr, &attributes, arguments.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  if (problem != 0) throw error_from_errno(problem, "start", words.front());
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {}
  return WIFSIGNALED(status) ? status_of_signals + WTERMSIG(status) : WEXITSTATUS(status);
}

int shell(Session& session, const ShellOptions& o) {
  if (!session.uses_local_server())
    throw Error(Errc::invalid, "a shell is a process beside the server: expected this machine's own, without --server");
  json::value answer;
  const Mount mount = post_mount(session, o.mount, MountKind::shell, &answer);
  std::vector<std::string> words = {session.program().path.native(), "enter", mount.directory};
  const char* shell = std::getenv("SHELL");
  if (o.command.empty()) words.push_back(shell && *shell ? shell : "/bin/sh");
  words.insert(words.end(), o.command.begin(), o.command.end());
  const int status = run_command(words);
  post_unmount(session, mount.id, o.message, o.discard);
  return status;
}

}  // namespace

std::vector<Command> mount_commands() {
  return {
      make_command<MountOptions>(
          {.path = {"volume", "mount"}, .summary = "have a version stand at a path of this machine",
           .example = "volary volume mount wiki@3 /mnt/wiki\nvolary volume mount wiki /mnt/next --rw",
           .more = "Needs a server that runs as root; 'volary volume shell' does not."},
          mount_fields, mount),
      make_command<UnmountOptions>(
          {.path = {"volume", "unmount"}, .aliases = {"umount"}, .summary = "end a mount; keep what was written",
           .example = "volary volume unmount /mnt/next -m 'typos'\n"
                      "volary volume unmount mnt-0123456789abcdef --discard",
           .more = "What was written becomes the volume's next version. Refused while something is open there."},
          unmount_fields, unmount),
      make_command<NoOptions>({.path = {"volume", "mounts"}, .summary = "list what stands where",
                               .example = "volary volume mounts"},
                              no_fields, mounts),
      make_command<ShellOptions>(
          {.path = {"volume", "shell"}, .summary = "show a version at a path to one command",
           .example = "volary volume shell wiki@3 /mnt -- ls -R /mnt\nvolary volume shell wiki /mnt --rw -m 'typos'",
           .more = "Needs no root: then the command is in a user namespace, where you are called root. The exit code\n"
                   "is the command's."},
          shell_fields, shell),
  };
}

}  // namespace volary
