// cli/cli.cc: words in, exit code out; the one place where an Error ends.
#include "cli/cli.h"

#include <algorithm>
#include <cstdio>

#include <fcntl.h>
#include <unistd.h>

#include "cli/command_tree.h"
#include "cli/completion.h"
#include "cli/help.h"
#include "cli/oic.h"
#include "cli/parser.h"
#include "cli/session.h"
#include "core/error_table.h"

namespace volary {
namespace {

constexpr int exit_usage = 2;

struct Start {
  std::vector<std::string> arguments;
  Program program;
};

int complete_words(const Start& start) {
  GlobalFlags flags;
  Session session(load_settings(flags, real_surroundings()), start.program, real_streams(), make_http_client());
  session.output().text(
      completion_answer(all_commands(), {start.arguments.begin() + 1, start.arguments.end()}, session));
  return 0;
}

// Of the environment or a file: words of the command line were looked at before.
void check_format(const Command& command, Format format) {
  const std::string word(name_of_value(format));
  if (format > Format::name && std::find(command.formats.begin(), command.formats.end(), word) == command.formats.end())
    throw Error(Errc::invalid, "'volary {}' cannot print its answer as {}: give another -o or VOLARY_OUTPUT",
                joined(command.path, " "), word);
}

int run_words(const Start& start) {
  const std::vector<Command> commands = all_commands();
  GlobalFlags flags;
  const Parsed parsed = parse_arguments(commands, flags, start.arguments);
  const Streams streams = real_streams();
  if (parsed.asked == Asked::help) {
    streams.out(help_text(commands, parsed.path));
    return 0;
  }
  if (parsed.asked == Asked::version) {
    streams.out("volary " + start.program.version + "\n");
    return 0;
  }
  if (!parsed.command) {
    streams.err(help_text(commands, parsed.path));
    return exit_usage;
  }
  const Settings settings = load_settings(flags, real_surroundings());
  check_format(*parsed.command, settings.format);
  Session session(settings, start.program, streams, make_http_client());
  return parsed.command->run(session);
}

// Where one of the three is closed, as by `>&-`, the next file to be opened would stand in its place and get what is
// printed. What stands there now cannot be written to: who prints is told so.
void keep_standard_places() {
  while (true) {
    const int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd > STDERR_FILENO) ::close(fd);
    if (fd < 0 || fd > STDERR_FILENO) return;
  }
}

bool is_completion(const Start& start) { return !start.arguments.empty() && start.arguments[0] == "__complete"; }

}  // namespace

int run_cli(int argc, char** argv, const std::function<int(const ServerConfig&)>& serve, std::string_view version,
            const OfflineBackups& backups) {
  keep_standard_places();
  Start start{.arguments = {argv + std::min(argc, 1), argv + argc},
              .program = {.path = "/proc/self/exe", .version = std::string(version), .serve = serve,
                          .backups = backups}};
  try {
    if (argc > 0 && Path(argv[0]).filename() == "oic") return run_oic(start.arguments);
    start.program.path = read_symlink("/proc/self/exe");
    return is_completion(start) ? complete_words(start) : run_words(start);
  } catch (const Error& error) {
    // A shell that asks for completions gets none; nobody would read why.
    if (!is_completion(start)) std::fputs(("volary: " + std::string(error.what()) + "\n").c_str(), stderr);
    return row_of(error.code()).exit_status;
  }
}

}  // namespace volary
