// engine/showing.cc: requests and answers as files, for engine/showing.h.
#include "engine/showing.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "core/error_of.h"
#include "core/fault.h"
#include "engine/sandbox.h"

namespace volary {
namespace {

constexpr std::string_view request_prefix = "show-";
constexpr std::string_view request_suffix = ".json";

Path request_file(const RunDirectory& run, const std::string& id) {
  return run.path() / fmt::format("{}{}{}", request_prefix, id, request_suffix);
}
Path answer_file(const RunDirectory& run, const std::string& id) { return run.path() / ("shown-" + id); }

void write_whole(const RunDirectory& run, const Path& file, const std::string& text) {
  TempFile out(run.path(), 0600);
  out.write(text);
  out.move_to(file);
}

// Whether process `pid` sees at `target` the very directory that stands at `here`. Its own links lead nowhere else.
bool sees(int pid, const std::string& target, const Path& here) {
  const Fd root(::open(fmt::format("/proc/{}/root", pid).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const Fd there(root ? static_cast<int>(::syscall(SYS_openat2, root.get(), target.c_str(), &how, sizeof how)) : -1);
  const auto ours = stat_of(here, Follow::yes);
  if (!there || !ours) return false;
  const struct stat theirs = stat_of(there.get(), target);
  return theirs.st_dev == ours->st_dev && theirs.st_ino == ours->st_ino;
}

}  // namespace

bool is_asked_to_show(const RunDirectory& run, const std::string& id) { return is_present(request_file(run, id)); }

void ask_to_show(const RunDirectory& run, const ShowRequest& request) {
  write_whole(run, request_file(run, request.id), print_json(to_json(request)));
}

std::optional<ShowAnswer> answer_to(const RunDirectory& run, const std::string& id) {
  std::optional<ShowAnswer> answer;
  const auto error = error_of([&] {
    if (const auto text = try_read_file(answer_file(run, id)))
      answer = from_json<ShowAnswer>(parse_json(*text, "the answer"), "answer");
  });
  return error ? std::nullopt : answer;
}

// In this order: a request without an answer would be done again.
void forget_showing(const RunDirectory& run, const std::string& id) {
  remove_file(request_file(run, id));
  remove_file(answer_file(run, id));
}

Fd open_written(const RunDirectory& run, const std::string& target) {
  const RunSpec spec = run.read_spec();
  const auto bind = std::find_if(spec.binds.begin(), spec.binds.end(), [&](const RunBind& one) {
    return one.target == target && one.writable && !one.source.starts_with('/');
  });
  const int guard = spec.container ? 0 : run.find_guard();
  if (bind == spec.binds.end() || (!spec.container && guard == 0))
    throw Error(Errc::not_found, "nothing of a process that runs can be written at '{}'", target);
  const Path staging = spec.container ? run.file("mnt") : choose_staging(spec, run.path());
  const Path root = spec.container ? Path("/") : Path(fmt::format("/proc/{}/root", guard));
  Fd directory = open_directory(root / (staging / bind->source).relative_path(), Follow::no);
  if (!spec.container && run.find_guard() != guard)  // Its number was another's by then.
    throw Error(Errc::not_found, "the process ended as '{}' was looked at", target);
  return directory;
}

// Whatever goes wrong here takes nothing from the run.
void Showing::look(const std::function<int()>& find_inside) {
  const auto say = [&](const std::optional<Error>& error) {
    if (error && error->what() != said_) ::dprintf(STDERR_FILENO, "%s\n", (said_ = error->what()).c_str());
  };
  say(error_of([&] {
    for (const DirectoryEntry& entry : list_directory(run_.path())) {
      const std::string_view name = entry.name;
      if (!name.starts_with(request_prefix) || !name.ends_with(request_suffix)) continue;
      const std::string id(name.substr(request_prefix.size(),
                                       name.size() - request_prefix.size() - request_suffix.size()));
      say(error_of([&] { look_at(id, is_first_look_, find_inside); }));
    }
    is_first_look_ = false;
  }));
}

void Showing::look_at(const std::string& id, bool may_be_tried, const std::function<int()>& find_inside) {
  if (is_present(answer_file(run_, id))) return;
  auto known = answers_.find(id);
  if (known == answers_.end()) {
    const auto request = from_json<ShowRequest>(parse_json(read_file(request_file(run_, id)), "a request"), "request");
    auto answer = show(request, find_inside);
    if (!answer) return;
    answer->may_be_seen |= may_be_tried;
    known = answers_.emplace(id, *answer).first;
  }
  fault::point("supervisor.shown");
  write_whole(run_, answer_file(run_, id), print_json(to_json(known->second)));
  answers_.erase(known);
}

std::optional<ShowAnswer> Showing::show(const ShowRequest& request, const std::function<int()>& find_inside) const {
  const auto bind = std::find_if(spec_.binds.begin(), spec_.binds.end(), [&](const RunBind& one) {
    return one.target == request.target && !one.writable && !one.source.starts_with('/');
  });
  if (bind == spec_.binds.end())
    return ShowAnswer{fmt::format("nothing that can only be read stands at '{}'", request.target), false};
  const auto error = error_of([&] { show_over_(request.mount, staging_, bind->source); });
  if (error) return ShowAnswer{error->message(), false};
  const int inside = find_inside();
  if (inside == 0) return std::nullopt;
  if (sees(inside, request.target, staging_ / bind->source)) return ShowAnswer{};
  return ShowAnswer{fmt::format("it is not what the process sees at '{}'", request.target), true};
}

}  // namespace volary
