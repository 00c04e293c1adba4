// cli/backup_commands.cc: `volary backup create|ls|verify|restore`.
//
// A backup is made by the server that has the store. Reading one needs no server: in a directory of this machine, or in
// a bucket with credentials from the environment, the program does it itself.
#include <atomic>
#include <thread>

#include "cli/command.h"
#include "cli/reference.h"
#include "cli/watch_upkeep.h"
#include "core/quantity.h"
#include "core/tree_path.h"

namespace volary {
namespace {

const std::vector<Column<Backup>>& backup_columns() {
  static const std::vector<Column<Backup>> columns = {
      {"ID", [](const Backup& b) { return b.id; }},
      {"CREATED", [](const Backup& b) { return time_text(b.created_at); }},
      {"VOLUMES", [](const Backup& b) { return std::to_string(b.volumes); }},
      {"VERSIONS", [](const Backup& b) { return std::to_string(b.versions); }},
      {"OBJECTS", [](const Backup& b) { return amount_text(b.objects); }},
      {"TREES", [](const Backup& b) { return amount_text(b.trees); }},
      {"DATABASE", [](const Backup& b) { return bytes_text(b.database_bytes); }},
      {"KEY", [](const Backup& b) { return b.with_key ? "yes" : "no"; }},
      {"MISSING", [](const Backup& b) { return std::to_string(b.missing); }, Show::wide},
      {"PROGRAM", [](const Backup& b) { return b.program; }, Show::wide},
      {"SCHEMA", [](const Backup& b) { return std::to_string(b.schema); }, Show::wide}};
  return columns;
}

// "corpora:backups", and not a path.
bool names_datastore(const std::string& target) {
  return target.find(':') != std::string::npos && target.find('/') > target.find(':') && !target.starts_with("s3://");
}

// Where the program reads itself. A datastore is known only to its server.
PlaceToRead place_of(const std::string& target, const std::optional<std::string>& endpoint,
                     const std::optional<std::string>& region) {
  return {.target = target.starts_with("s3://") ? target : std::filesystem::absolute(target).string(),
          .endpoint = endpoint.value_or(""),
          .region = region.value_or("")};
}

// Shows `progress` until the work has ended.
template <class Work>
auto with_bar(Session& session, const std::string& what, Work work) {
  Progress progress;
  std::jthread shower([&](const std::stop_token& stop) {
    ProgressBar bar(what, session.progress());
    while (!stop.stop_requested()) {
      bar.show({.files_done = progress.files_done, .files_total = progress.files_total,
                .bytes_done = progress.bytes_done, .bytes_total = progress.bytes_total});
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  });
  return work(progress);
}

// --- create

struct CreateOptions {
  std::string target;
  std::optional<std::string> keep;
  bool with_key = false;
  bool detach = false;
};

std::vector<CommandField> create_fields(CreateOptions& o) {
  return {{.name = "TARGET", .target = &o.target, .help = "a directory on the server, or STORE:PREFIX",
           .need = Need::required, .words = Words::directories},
          {.name = "--keep", .target = &o.keep, .help = "afterwards delete all but the newest N", .value = "N"},
          {.name = "--with-key", .target = &o.with_key,
           .help = "with the key that opens the secrets: whoever has the backup has them then"},
          {.name = "--detach", .target = &o.detach, .help = "print the run's id and do not wait for it"}};
}

int create(Session& session, const CreateOptions& o) {
  BackupRequest asked;
  asked.target = names_datastore(o.target) || !session.uses_local_server()
                     ? o.target
                     : std::filesystem::absolute(o.target).string();
  asked.with_key = o.with_key;
  if (o.keep) asked.keep = parse_count(*o.keep, "--keep", 1);
  const auto run = run_upkeep(session, "backups", to_json(asked), o.detach ? Wait::no : Wait::yes);
  if (!run || !run->backup) return run ? 130 : 0;
  const BackupReport& report = *run->backup;
  if (session.output().is_structured()) session.output().document(to_json(report));
  else session.output().line(report.backup.id);
  session.note(fmt::format("copied {} objects ({}), of {} that the backup has{}", report.copied.objects,
                           bytes_text(report.copied.bytes),
                           report.backup.objects.objects + report.backup.trees.objects,
                           report.pruned ? fmt::format("; deleted {} older backups and {} objects ({})", report.pruned,
                                                       report.freed.objects, bytes_text(report.freed.bytes))
                                         : ""));
  if (!report.backup.with_key)
    session.note("the key that opens the secrets is not in it: keep a copy of 'secret.key' elsewhere");
  if (report.backup.missing > 0)
    throw Error(Errc::corrupt,
                "{} objects are damaged or missing in the store, so the backup lacks them: run 'volary store scrub' "
                "and 'volary store repair'", report.backup.missing);
  return 0;
}

// --- ls, verify

struct ReadOptions {
  std::string target;
  std::optional<std::string> at;
  std::optional<std::string> to;
  std::optional<std::string> endpoint;
  std::optional<std::string> region;
};

std::vector<CommandField> place_fields(ReadOptions& o) {
  return {{.name = "TARGET", .target = &o.target, .help = "a directory here, s3://BUCKET/PREFIX, or STORE:PREFIX",
           .need = Need::required, .words = Words::directories},
          {.name = "--endpoint", .target = &o.endpoint, .help = "the server of an s3:// target", .value = "URL"},
          {.name = "--region", .target = &o.region, .help = "its region", .value = "REGION"}};
}

std::vector<CommandField> verify_fields(ReadOptions& o) {
  auto fields = place_fields(o);
  fields.push_back({.name = "--at", .target = &o.at, .help = "which backup; the newest unless told", .value = "ID"});
  return fields;
}

std::vector<CommandField> restore_fields(ReadOptions& o) {
  auto fields = verify_fields(o);
  fields.push_back({.name = "--to", .target = &o.to, .help = "the new data directory: empty, or not there yet",
                    .value = "DIR", .need = Need::required, .words = Words::directories});
  return fields;
}

int list(Session& session, const ReadOptions& o) {
  json::array backups;
  if (names_datastore(o.target)) {
    backups = session.client().list(api_path({"store", "backups"}), {{"target", o.target}});
  } else {
    for (const Backup& one : session.program().backups.list(place_of(o.target, o.endpoint, o.region)))
      backups.push_back(to_json(one));
  }
  session.output().list<Backup>(backups, backup_columns());
  return 0;
}

BackupVerification verification_of(Session& session, const ReadOptions& o) {
  if (names_datastore(o.target)) {
    const auto run = run_upkeep(session, "backup-verifications", to_json(VerifyBackupRequest{o.target, o.at}),
                                Wait::yes);
    if (!run || !run->verification) throw Error(Errc::unavailable, "the verification was stopped before its end");
    return *run->verification;
  }
  return with_bar(session, "reading the backup", [&](Progress& progress) {
    return session.program().backups.verify(place_of(o.target, o.endpoint, o.region), o.at.value_or(""), progress);
  });
}

int verify(Session& session, const ReadOptions& o) {
  const BackupVerification verification = verification_of(session, o);
  session.output().record<BackupVerification>(
      to_json(verification),
      {{"ID", [](const BackupVerification& v) { return v.backup.id; }},
       {"CREATED", [](const BackupVerification& v) { return time_text(v.backup.created_at); }},
       {"OBJECTS", [](const BackupVerification& v) { return amount_text(v.backup.objects); }},
       {"TREES", [](const BackupVerification& v) { return amount_text(v.backup.trees); }},
       {"WHOLE", [](const BackupVerification& v) { return v.whole ? "yes" : "no"; }}});
  for (const std::string& damage : verification.damaged) session.note("damaged: " + damage);
  if (!verification.whole) throw Error(Errc::corrupt, "backup {} is damaged", verification.backup.id);
  return 0;
}

// --- restore

int restore(Session& session, const ReadOptions& o) {
  if (names_datastore(o.target))
    throw Error(Errc::invalid,
                "'{}' names a datastore, which is known only to the server that is lost: give its directory, or "
                "s3://BUCKET/PREFIX with --endpoint and AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment",
                o.target);
  const Path to = std::filesystem::absolute(*o.to);
  const Backup backup = with_bar(session, "restoring", [&](Progress& progress) {
    return session.program().backups.restore(place_of(o.target, o.endpoint, o.region), o.at.value_or(""), to,
                                             progress);
  });
  if (session.output().is_structured()) session.output().document(to_json(backup));
  else session.output().line(backup.id);
  session.note(fmt::format("restored {} versions of {} volumes, as of {}, to '{}'", backup.versions, backup.volumes,
                           time_text(backup.created_at), to.string()));
  if (!backup.with_key)
    session.note("its secrets do not open: put your copy of 'secret.key' there, or write the secrets again");
  session.note(fmt::format("to start a server there:  volary server --data-dir {}", to.string()));
  return 0;
}

}  // namespace

std::vector<Command> backup_commands() {
  return {
      make_command<CreateOptions>(
          {.path = {"backup", "create"}, .summary = "back up the database and all versions, while all goes on",
           .example = "volary backup create /mnt/backup --keep 30\nvolary backup create offsite:volary",
           .more = "Copies only what the target lacks. Secrets stay closed without the key (--with-key)."},
          create_fields, create),
      make_command<ReadOptions>({.path = {"backup", "ls"}, .aliases = {"list"}, .summary = "list a target's backups",
                                 .example = "volary backup ls /mnt/backup"},
                                place_fields, list),
      make_command<ReadOptions>({.path = {"backup", "verify"}, .summary = "read and hash all of a backup",
                                 .example = "volary backup verify /mnt/backup",
                                 .more = "Exits with 9 if anything is damaged."},
                                verify_fields, verify),
      make_command<ReadOptions>(
          {.path = {"backup", "restore"}, .summary = "make a data directory of a backup",
           .example = "volary backup restore /mnt/backup --to /var/lib/volary\n"
                      "volary backup restore s3://offsite/volary --endpoint https://s3.example.org --to /srv/volary",
           .more = "Needs no server. One that was interrupted goes on when it is run again."},
          restore_fields, restore),
  };
}

}  // namespace volary
