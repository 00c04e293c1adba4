// job/exec.cc: commands beside a job's process.
#include "engine/exec.h"

#include <poll.h>

#include <algorithm>
#include <cstdio>

#include "core/error_of.h"
#include "job/jobs.h"
#include "job/rows.h"

namespace volary {
namespace {

constexpr size_t execs_max = 256;  // At once: each is two processes.
constexpr size_t execs_of_one_job_max = 16;

bool has_zero(const std::string& text) { return text.find('\0') != text.npos; }

void check(const NewExec& request) {
  if (request.command.empty() || request.command[0].empty())
    throw Error(Errc::invalid, "the command is empty: expected a program and its arguments");
  if (std::any_of(request.command.begin(), request.command.end(), has_zero))
    throw Error(Errc::invalid, "the command has a zero byte in it");
  for (const auto& [name, value] : request.env)
    if (name.empty() || name.find('=') != name.npos || has_zero(name) || has_zero(value))
      throw Error(Errc::invalid, "there is a variable '{}': expected a name without '=' and no zero bytes", name);
}

bool has_ended(const Fd& leash) {
  pollfd one{leash.get(), POLLIN, 0};
  return ::poll(&one, 1, 0) > 0;
}

}  // namespace

std::shared_ptr<Jobs::ExecPlace> Jobs::take_exec_place(const std::string& job) {
  auto execs = execs_.lock();
  std::erase_if(*execs, [](const auto& place) {
    return place.use_count() == 1 && (!place->leash || has_ended(place->leash));
  });
  if (execs->size() >= execs_max)
    throw Error(Errc::unavailable, "{} commands run beside jobs already: expected fewer", execs->size());
  const auto of_job = std::count_if(execs->begin(), execs->end(), [&](const auto& place) { return place->job == job; });
  if (static_cast<size_t>(of_job) >= execs_of_one_job_max)
    throw Error(Errc::unavailable, "{} commands run beside job {} already: expected fewer", of_job, job);
  execs->push_back(std::make_shared<ExecPlace>(ExecPlace{job, Fd()}));
  return execs->back();
}

std::function<void(Fd connection)> Jobs::exec(const Caller& caller, const std::string& id, const NewExec& request) {
  check(request);
  const JobRow row = database_.read([&](Transaction& transaction) { return row_of(transaction, caller, id); });
  if (row.state != JobState::RUNNING)
    throw Error(Errc::conflict, "job {} is {}: expected one that is RUNNING", row.id, name_of_value(row.state));
  const ExecSpec spec{places_of(jobs_directory_, row.id, row.run).run.native(), request.command, request.terminal,
                      request.rows.value_or(24), request.columns.value_or(80), request.env};
  return [this, spec, place = take_exec_place(row.id)](Fd connection) {
    const auto error = error_of([&] {
      Fd leash = start_exec("/proc/self/exe", spec, std::move(connection));
      const auto execs = execs_.lock();
      place->leash = std::move(leash);
    });
    if (error) std::fprintf(stderr, "volary: a command beside a job was not started: %s\n", error->what());
  };
}

}  // namespace volary
