// cli/checksum_command.cc: `volary checksum DIR`: what the platform shows for a version, computed here.
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "cli/command.h"
#include "cli/oic.h"
#include "cli/session.h"
#include "core/quantity.h"
#include "core/workers.h"
#include "store/checksum.h"

namespace volary {
namespace {

constexpr int exit_mismatch = 1;
constexpr auto progress_interval = std::chrono::milliseconds(50);

struct ChecksumOptions {
  std::string directory;
  std::optional<std::string> checksum;
  bool oic = false;
  bool silent = false;
};

std::vector<CommandField> checksum_fields(ChecksumOptions& o) {
  return {{.name = "DIR", .target = &o.directory, .help = "which directory", .need = Need::required,
           .words = Words::directories},
          {.name = "-c,--checksum", .target = &o.checksum, .help = "what it should be; exits with 1 if it is not",
           .value = "HEX"},
          {.name = "--oic", .target = &o.oic,
           .help = "behave as the published tool `oic` to the letter: a wrong checksum is not an error"},
          {.name = "-s,--silent", .target = &o.silent, .help = "no progress, and only the checksum"}};
}

DirectoryChecksum with_progress(Session& session, const ChecksumOptions& o) {
  Progress progress;
  ProgressBar::Options shown = session.progress();
  if (o.silent) shown.kind = ProgressBar::Kind::silent;
  ProgressBar bar("checksum", shown);
  const std::jthread ticker([&](std::stop_token stop) {
    std::mutex lock;
    std::condition_variable_any ended;  // Nobody notifies it: the stop does.
    std::unique_lock guard(lock);
    while (!ended.wait_for(guard, stop, progress_interval, [&] { return stop.stop_requested(); })) {
      bar.show({.files_done = progress.files_done, .files_total = progress.files_total,
                .bytes_done = progress.bytes_done, .bytes_total = progress.bytes_total});
    }
  });
  return checksum_of_directory(o.directory, progress, cores());
}

void print_found(Session& session, const ChecksumOptions& o, const DirectoryChecksum& found) {
  Output& output = session.output();
  const std::string checksum = found.checksum.hex();
  if (output.is_structured())
    output.document(json::object{{"checksum", checksum}, {"files", found.files}, {"bytes", found.bytes}});
  else if (o.silent || output.format() == Format::name)
    output.line(checksum);
  else
    output.text(fmt::format("Files: {}\nSize: {}\nChecksum: {}\n", found.files, bytes_text(found.bytes), checksum));
}

int checksum(Session& session, const ChecksumOptions& o) {
  if (o.oic) return print_oic({.path = o.directory, .checksum = o.checksum.value_or(""), .silent = o.silent});
  const auto wanted = o.checksum ? std::optional(Digest::parse(*o.checksum)) : std::nullopt;
  const DirectoryChecksum found = with_progress(session, o);
  print_found(session, o, found);
  if (!wanted) return 0;
  if (*wanted == found.checksum) {
    session.note("the checksum is right");
    return 0;
  }
  session.note(fmt::format("volary: the checksum of '{}' is {}, not {}: the files differ", o.directory,
                           found.checksum.hex(), wanted->hex()));
  return exit_mismatch;
}

}  // namespace

std::vector<Command> checksum_commands() {
  return {make_command<ChecksumOptions>(
      {.path = {"checksum"}, .summary = "compute a directory's checksum, as every version has one",
       .example = "volary checksum ./wiki -c 3e0b692497b760089999c285ea717ccac4c88e44341e7bed9327cf0fe1618e52",
       .more = "Two directories have the same checksum if their files, links and names are the same."},
      checksum_fields, checksum)};
}

}  // namespace volary
