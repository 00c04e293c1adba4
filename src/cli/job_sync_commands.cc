// cli/job_sync_commands.cc: `volary job push-data|pull-data`.
#include <algorithm>
#include <chrono>
#include <thread>

#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/job_columns.h"
#include "core/quantity.h"

namespace volary {

const std::vector<Column<DataSync>>& data_sync_columns() {
  static const std::vector<Column<DataSync>> columns = {
      {"ID", [](const DataSync& s) { return s.id; }},
      {"VOLUME", [](const DataSync& s) { return s.volume; }},
      {"PATH", [](const DataSync& s) { return s.path; }},
      {"DIRECTION", [](const DataSync& s) { return std::string(name_of_value(s.direction)); }},
      {"OCCASION", [](const DataSync& s) { return std::string(name_of_value(s.occasion)); }, Show::wide},
      {"STATE", [](const DataSync& s) { return std::string(name_of_value(s.state)); }},
      {"FILES", [](const DataSync& s) { return fmt::format("{}/{}", s.progress.processed, s.progress.total); }},
      {"DELETED", [](const DataSync& s) { return std::to_string(s.progress.deleted); }},
      {"MOVED", [](const DataSync& s) { return bytes_text(s.progress.transferred_bytes); }},
      {"REASON", [](const DataSync& s) { return or_dash(s.reason); }},
      {"TRANSFER", [](const DataSync& s) { return or_dash(s.transfer); }, Show::wide},
      {"VERSION", [](const DataSync& s) { return s.version ? std::to_string(s.version) : "-"; }, Show::wide}};
  return columns;
}

namespace {

constexpr std::chrono::milliseconds look_again{200};

struct SyncOptions {
  std::string id;
  std::optional<std::string> volume;
  bool wait = false;
};

std::vector<CommandField> sync_fields(SyncOptions& o) {
  return {{.name = "ID", .target = &o.id, .help = "which job", .need = Need::required, .words = Words::jobs},
          {.name = "--volume", .target = &o.volume,
           .help = "only what stands at this path in the job, or was attached by this word", .value = "PATH"},
          {.name = "--wait", .target = &o.wait, .help = "until all of it has arrived"}};
}

// As they are when all have ended.
std::vector<DataSync> ended(Session& session, const std::string& job, const std::vector<DataSync>& begun) {
  for (;;) {
    std::vector<DataSync> now = typed<Job>(session.client().get(api_path({"jobs", job}))).data_sync;
    std::erase_if(now, [&](const DataSync& one) {
      return std::none_of(begun.begin(), begun.end(), [&](const DataSync& other) { return other.id == one.id; });
    });
    if (std::all_of(now.begin(), now.end(), [](const DataSync& one) { return is_ended(one.state); })) return now;
    std::this_thread::sleep_for(look_again);
  }
}

int sync(Session& session, const SyncOptions& o, SyncDirection direction) {
  const json::value answer =
      session.client().post(api_path({"jobs", o.id, "datasync"}), to_json(NewDataSync{direction, o.volume}));
  auto syncs = from_json<std::vector<DataSync>>(answer.at("items"), "items");
  if (o.wait) {
    const LastWords words(fmt::format("The {} goes on.\n"
                                      "To see how far it is:  volary job get {}", name_of_value(direction), o.id));
    syncs = ended(session, o.id, syncs);
  }
  session.output().list<DataSync>(to_json(syncs).as_array(), data_sync_columns());
  const bool failed = std::any_of(syncs.begin(), syncs.end(), [](const DataSync& one) {
    return is_ended(one.state) && one.state != SyncState::DONE;
  });
  return failed ? 1 : 0;
}

int push(Session& session, const SyncOptions& o) { return sync(session, o, SyncDirection::push); }
int pull(Session& session, const SyncOptions& o) { return sync(session, o, SyncDirection::pull); }

}  // namespace

std::vector<Command> job_sync_commands() {
  return {
      make_command<SyncOptions>(
          {.path = {"job", "push-data"}, .summary = "push what a job has changed so far",
           .example = "volary job push-data job-8k3v0qh1n2m4p5r6 --wait\n"
                      "volary job push-data job-8k3v0qh1n2m4p5r6 --volume /out -o json",
           .more = "While the job runs, what it has changed becomes a version of what it attached for writing, and is\n"
                   "pushed to where that came from. Each file is as it was at one moment; one that is written without\n"
                   "a pause is left out, and named. After an ERROR because a push failed, it is pushed again."},
          sync_fields, push),
      make_command<SyncOptions>(
          {.path = {"job", "pull-data"}, .summary = "bring what is new in a datastore to a job that runs",
           .example = "volary job pull-data job-8k3v0qh1n2m4p5r6 --wait\n"
                      "volary job pull-data job-8k3v0qh1n2m4p5r6 --volume /in -o json",
           .more = "What is new in the datastore becomes another version of what the job attached read-only; of a\n"
                   "volume, it is the newest one. From then on the job sees that version at the same path, all of it\n"
                   "at once. What it had opened before stays as it was, also the directory it works in: to see what\n"
                   "is new it opens files anew, or changes to the path again.\n"
                   "Where it writes to a container, the files that are new are brought to it, one after the other;\n"
                   "what it has changed itself stays as it is."},
          sync_fields, pull)};
}

}  // namespace volary
