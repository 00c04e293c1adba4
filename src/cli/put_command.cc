// cli/put_command.cc: `volary volume put`: files of this machine into a volume, resumed where it was cut off.
//
// What was sent is kept by the server as an upload (record/upload.h). The same command again finds it by the source and
// the directory that it was begun with, and goes on.
#include <unistd.h>

#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/object_options.h"
#include "cli/reference.h"
#include "cli/sending.h"
#include "cli/session.h"
#include "cli/watch.h"
#include "core/quantity.h"

namespace volary {
namespace {

constexpr size_t put_workers_default = 4;

struct PutOptions {
  std::string source;
  std::string target;
  std::optional<std::string> message;
  std::optional<std::string> resume;
  std::optional<std::string> workers;
  bool dry_run = false;
  bool anew = false;
};

std::vector<CommandField> put_fields(PutOptions& o) {
  return {{.name = "SOURCE", .target = &o.source,
           .help = "a directory, whose content is sent; a file; or '-' for standard input", .need = Need::required,
           .words = Words::files},
          {.name = "VOLUME[:/PATH]", .target = &o.target,
           .help = "where it goes: of a directory, below PATH; of a file, PATH itself, or its name below a PATH that "
                   "ends in '/' or is a directory there",
           .need = Need::required, .words = Words::attachments},
          {.name = "-m,--message", .target = &o.message, .help = "what the new version is; kept with it",
           .value = "TEXT"},
          {.name = "--dry-run", .target = &o.dry_run, .help = "only say what would be sent"},
          {.name = "--resume", .target = &o.resume, .help = "go on with this upload, wherever it came from",
           .value = "ID", .words = Words::uploads},
          {.name = "--anew", .target = &o.anew, .help = "do not go on with an unfinished upload of the same: end it"},
          {.name = "--workers", .target = &o.workers, .help = "how many requests at a time; 4 unless told",
           .value = "N"}};
}

struct Target {
  std::string volume;
  std::string path;  // Without the slash it begins with.
};

Target target_of(const std::string& text) {
  const size_t colon = text.find(':');
  const VolumeReference volume = parse_volume_reference(text.substr(0, colon));
  if (!volume.version.empty())
    throw Error(Errc::invalid, "'{}' names a version, but files make a new one: give '{}'", text, volume.name);
  if (colon == std::string::npos) return {volume.name, ""};
  if (text.substr(colon, 2) != ":/")
    throw Error(Errc::invalid, "'{}' names no place in a volume: expected VOLUME or VOLUME:/PATH", text);
  return {volume.name, text.substr(colon + 2)};
}

// What is sent, and below which directory of the volume.
struct Job {
  Target target;
  TreePath directory;
  std::string source;  // As the server keeps it; "" for standard input, which nobody can read again.
  LocalFiles files;    // Of standard input: none.
  TreePath stream;     // Its name.
  bool is_stream = false;
  bool is_in_bucket = false;  // The volume is.
};

// A bucket holds bytes under names: links and empty directories stay here, and nothing is executable.
void leave_objects(Job& job) {
  job.is_in_bucket = true;
  std::erase_if(job.files.files, [&](LocalFile& file) {
    file.executable = false;
    if (file.kind == UploadKind::file) return false;
    job.files.left_out.push_back(printable(file.path.native()) + " is no file: no bucket can hold it");
    return true;
  });
}

bool is_directory_there(Session& session, const Target& target, const std::string& path) {
  return session.client()
      .find(api_path({"volumes", target.volume, "files"}), {{"directory", path}, {"limit", "1"}})
      .has_value();
}

std::string source_name(const Path& path) {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  return std::string(host.data()) + ":" + std::filesystem::absolute(path).lexically_normal().native();
}

// The directory and name of one file.
void place_file(Session& session, Job& job, const std::string& own_name) {
  const std::string& path = job.target.path;
  if (path.empty() || path.ends_with('/') || (!own_name.empty() && is_directory_there(session, job.target, path))) {
    if (own_name.empty())
      throw Error(Errc::invalid, "standard input has no name: expected VOLUME:/PATH with the name of the file");
    job.directory = TreePath::parse_directory(path);
    job.stream = TreePath::parse(own_name);
  } else {
    const TreePath whole = TreePath::parse(path);
    job.directory = whole.parent();
    job.stream = TreePath::parse(whole.name());
  }
}

Job job_of(Session& session, const PutOptions& o) {
  Job job;
  job.target = target_of(o.target);
  if (o.source == "-") {
    job.is_stream = true;
    place_file(session, job, "");
    return job;
  }
  const Path path = o.source;
  const auto status = stat_of(path, Follow::yes);
  if (!status) throw Error(Errc::not_found, "there is no file or directory '{}'", printable(o.source));
  job.source = source_name(path);
  if (S_ISDIR(status->st_mode)) {
    job.directory = TreePath::parse_directory(job.target.path);
    job.files = list_local_files(path);
    for (const LocalFile& file : job.files.files) job.directory / file.name;  // Throws for one that is too long.
    return job;
  }
  place_file(session, job, std::filesystem::absolute(path).lexically_normal().filename().native());
  job.files.files.push_back(local_file(path, job.stream));
  job.files.bytes = job.files.files[0].size;
  return job;
}

// --- without sending

struct Planned {
  std::string path;
  FileNeed act{};
  uint64_t size = 0;
};
BOOST_DESCRIBE_STRUCT(Planned, (), (path, act, size))

int show_plan(Session& session, const Job& job, const std::vector<FileNeed>& needs) {
  json::array items;
  uint64_t files = 0;
  uint64_t bytes = 0;
  for (size_t i = 0; i < needs.size(); ++i) {
    const LocalFile& file = job.files.files[i];
    if (needs[i] == FileNeed::same || needs[i] == FileNeed::received) continue;
    ++files;
    bytes += file.size;
    items.push_back(to_json(Planned{(job.directory / file.name).text(), needs[i], file.size}));
  }
  session.output().list<Planned>(items, {{"FILE", [](const Planned& p) { return p.path; }},
                                         {"ACT", [](const Planned& p) { return word_of(name_of_value(p.act)); }},
                                         {"SIZE", [](const Planned& p) { return bytes_text(p.size); }}});
  session.note(fmt::format("{} of {} files would be sent ({}) into volume '{}'", files, needs.size(),
                           bytes_text(bytes), job.target.volume));
  return 0;
}

// --- sending

// The open upload to go on with, or a new one.
Upload upload_of(Session& session, const Job& job, const PutOptions& o) {
  Client& client = session.client();
  if (o.resume) {
    const auto upload = typed<Upload>(client.get(api_path({"uploads", *o.resume})));
    if (upload.state != UploadState::open || upload.volume != job.target.volume ||
        upload.directory != job.directory.text())
      throw Error(Errc::invalid, "upload {} is {} and goes into '{}:/{}': expected an open one into '{}:/{}'",
                  upload.id, name_of_value(upload.state), upload.volume, upload.directory, job.target.volume,
                  job.directory.text());
    return upload;
  }
  for (const json::value& item : client.list(api_path({"uploads"}), {{"volume", job.target.volume}})) {
    const auto upload = typed<Upload>(item);
    if (job.source.empty() || upload.source != job.source || upload.directory != job.directory.text()) continue;
    if (o.anew) {
      client.remove(api_path({"uploads", upload.id}));
      continue;
    }
    session.note(fmt::format("going on with upload {}: {} ({}) there", upload.id,
                             counted(upload.files, "file", "files"), bytes_text(upload.bytes)));
    return upload;
  }
  if (job.is_in_bucket) {  // So that what it holds is known, and what has gone from it is sent again.
    const json::value staged = client.post(api_path({"volumes", job.target.volume, "stagings"}), {});
    const auto transfer = typed<Transfer>(watch_transfer(session, typed<Transfer>(staged).id));
    if (transfer.state != TransferState::done) transfer_result(session, transfer);  // Throws as it failed.
    if (transfer.state == TransferState::cancelled)
      throw Error(Errc::conflict, "transfer {}, which was to find out what the bucket holds, was cancelled",
                  transfer.id);
  }
  NewUpload asked;
  asked.source = job.is_stream ? "standard input" : job.source;
  asked.directory = job.directory.text();
  asked.message = o.message;
  if (!job.is_stream) asked.bytes = job.files.bytes;
  return typed<Upload>(client.post(api_path({"volumes", job.target.volume, "uploads"}), to_json(asked)));
}

class StandardInput final : public Source {
 public:
  size_t read(std::span<char> to) override { return read_some(STDIN_FILENO, to, "standard input"); }
};

struct PutResult {
  std::string volume;
  uint64_t version = 0;
  bool changed = false;  // Whether there is a new version.
  std::string upload;
  uint64_t files = 0;  // Sent by this command.
  uint64_t bytes = 0;
  uint64_t skipped = 0;  // There already.
};
BOOST_DESCRIBE_STRUCT(PutResult, (), (volume, version, changed, upload, files, bytes, skipped))

int end_of_put(Session& session, const Upload& upload, const Sent& sent, uint64_t skipped) {
  const PutResult result{upload.volume, upload.version, upload.version != upload.base, upload.id, sent.files,
                         sent.bytes, skipped};
  if (session.output().is_structured()) {
    session.output().document(to_json(result));
    return 0;
  }
  session.output().line(fmt::format("{}@{}", upload.volume, upload.version));
  session.note(fmt::format("{} ({}) sent, {} there already{}", counted(sent.files, "file", "files"),
                           bytes_text(sent.bytes), skipped,
                           result.changed ? "" : ": nothing changed, and no version was made"));
  return 0;
}

// A volume in a bucket answers while its files are being put there.
Upload finish(Session& session, const std::string& id) {
  ProgressBar bar("store", session.progress());
  for (;;) {
    const auto upload = typed<Upload>(session.client().send_json("POST", api_path({"uploads", id, "finish"}), {},
                                                                 to_json(UploadFinish{})));
    if (upload.state != UploadState::open) return upload;
    bar.show({upload.stored, upload.files, 0, 0});
  }
}

int put(Session& session, const PutOptions& o) {
  if (o.anew && o.resume) throw Error(Errc::invalid, "--anew and --resume contradict each other: give one");
  if (o.source == "-" && (o.resume || o.anew))
    throw Error(Errc::invalid, "standard input cannot be read again: expected no {} with '-'",
                o.resume ? "--resume" : "--anew");
  const size_t workers = workers_of(o.workers, put_workers_default);
  Job job = job_of(session, o);
  const auto volume = typed<Volume>(session.client().get(api_path({"volumes", job.target.volume})));
  if (volume.storage_type == StorageType::obs) leave_objects(job);
  for (const std::string& line : job.files.left_out) session.note("left out: " + line);
  Client& client = session.client();
  if (o.dry_run) {
    if (job.is_stream)
      throw Error(Errc::invalid, "standard input cannot be looked at without reading it: expected a file");
    const KnownFiles known = known_files(client, volume.name, volume.head, job.directory, job.files);
    return show_plan(session, job, needs_of(job.files, job.directory, known, workers));
  }
  const Upload upload = upload_of(session, job, o);
  const LastWords words(job.is_stream ? fmt::format("Not finished. To end it:  volary upload abort {}", upload.id)
                                      : fmt::format("Not finished; what was sent is kept. To go on:  volary volume put "
                                                    "--resume {} {} {}",
                                                    upload.id, o.source, o.target));
  Sending sending(session, upload, workers);
  Sent sent;
  if (job.is_stream) {
    StandardInput input;
    sent = sending.send_stream(job.stream, input);
  } else {
    KnownFiles known = known_files(client, upload.volume, upload.base, job.directory, job.files);
    add_received(known, client, upload.id);
    sent = sending.send(job.files, needs_of(job.files, job.directory, known, workers), known);
  }
  const Upload finished = finish(session, upload.id);
  return end_of_put(session, finished, sent, job.files.files.size() - (job.is_stream ? 0 : sent.files));
}

}  // namespace

std::vector<Command> put_commands() {
  return {make_command<PutOptions>(
      {.path = {"volume", "put"}, .aliases = {"upload"}, .summary = "send files of this machine into a volume",
       .example = "volary volume put ./wiki wiki:/train -m 'first half'\n"
                  "volary volume put model.safetensors llama:/\n"
                  "tar -c logs | volary volume put - logs:/2026/november.tar",
       .more = "The files become one version, all at once, merged into the newest one: a file of the same path is "
               "replaced, nothing is removed. What the newest version has already is not sent. Where the command is "
               "cut off, what was sent is kept for a day: the same command again goes on."},
      put_fields, put)};
}

}  // namespace volary
