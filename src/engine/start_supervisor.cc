// engine/start_supervisor.cc: a detached process, and the line it says when it is up.
#include "engine/start_supervisor.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "core/fault.h"
#include "engine/detach.h"

namespace volary {
namespace {

constexpr size_t error_log_bytes_shown = 1000;

std::string tail_of(const Path& file) {
  const std::string text = try_read_file(file).value_or("");
  return text.substr(text.size() - std::min(text.size(), error_log_bytes_shown));
}

}  // namespace

std::vector<std::string> supervisor_environment() {
  std::vector<std::string> environment;
  for (const char* name :
       {"PATH", "LD_LIBRARY_PATH", "VOLARY_FAULT", "VOLARY_FAULT_LOG", "ASAN_OPTIONS", "UBSAN_OPTIONS"})
    if (const char* value = std::getenv(name)) environment.push_back(std::string(name) + "=" + value);
  return environment;
}

bool is_supervised(const RunDirectory& run) { return run.has_begun() || run.has_ended() || run.is_locked(); }

void start_supervisor(const Path& program, const Path& directory) {
  const RunDirectory run(directory);
  const Path errors = run.file("supervisor.log");
  const Fd up = start_detached(program, {program.native(), "supervise", directory.native()}, supervisor_environment(),
                               errors);
  fault::point("engine.spawned");
  StringSink words(4096);
  FileSource from(Fd(::dup(up.get())), "the supervisor");
  pump(from, words);
  if (words.text != "up\n" && !is_supervised(run))
    throw Error(Errc::unavailable, "the supervisor of run '{}' did not come up: {}", run.read_spec().name,
                tail_of(errors));
}

}  // namespace volary
