// cli/download_command.cc: `volary volume download`: files of a version into a directory of this machine.
//
// A file is hashed as it comes, and gets its name when it is whole, right and on the disk; until then it lies beside it
// under a name of its own, and the next try asks only for the rest (cli/landing.h).
#include <sys/stat.h>

#include <mutex>

#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/landing.h"
#include "cli/local_files.h"
#include "cli/object_options.h"
#include "cli/reference.h"
#include "cli/session.h"
#include "core/error.h"
#include "core/quantity.h"
#include "core/tree_path.h"
#include "core/workers.h"
#include "record/volume.h"

namespace volary {
namespace {

struct DownloadOptions {
  std::string source;
  std::optional<std::string> directory;
  std::optional<std::string> workers;
  bool force = false;
  bool no_overwrite = false;
  bool dry_run = false;
};

std::vector<CommandField> download_fields(DownloadOptions& o) {
  return {{.name = "NAME[@VERSION][:/PATH]", .target = &o.source,
           .help = "which version, or which file or directory of it", .need = Need::required,
           .words = Words::attachments},
          {.name = "DIR", .target = &o.directory,
           .help = "where it goes; unless told, a directory of the volume's or PATH's name here",
           .words = Words::directories},
          {.name = "--force", .target = &o.force, .help = "replace files that are there and differ"},
          {.name = "--no-overwrite", .target = &o.no_overwrite,
           .help = "keep files that are there, whatever they hold"},
          {.name = "--dry-run", .target = &o.dry_run, .help = "only say what would be fetched"},
          {.name = "--workers", .target = &o.workers, .help = "how many files at a time; 8 unless told", .value = "N"}};
}

struct Wanted {
  FileEntry entry;
  TreePath name;  // Below the directory it goes to.
};

struct Picked {
  VolumeReference volume;  // With its version's number.
  std::string checksum;    // Of the whole version; "" where only a part is wanted.
  std::vector<Wanted> files;
  uint64_t bytes = 0;
  bool is_one_file = false;
};

std::string files_path(const VolumeReference& volume) { return api_path({"volumes", volume.name, "files"}); }

void add(Picked& source, FileEntry entry, const TreePath& top) {
  const TreePath path = TreePath::parse(entry.path);
  if (entry.kind == "file") source.bytes += entry.size;
  source.files.push_back({std::move(entry), path.relative_to(top)});
}

Picked picked_of(Session& session, const std::string& text) {
  const size_t colon = text.find(":/");
  Picked source;
  source.volume = parse_volume_reference(text.substr(0, colon));
  const TreePath path = colon == std::string::npos ? TreePath() : TreePath::parse_directory(text.substr(colon + 2));
  Client& client = session.client();
  const auto version = typed<Version>(client.get(api_path(
      {"volumes", source.volume.name, "versions", source.volume.version.empty() ? "head" : source.volume.version})));
  source.volume.version = std::to_string(version.number);
  if (path.is_root()) source.checksum = version.checksum;
  Query query = {{"version", source.volume.version}};
  if (!path.is_root()) query.emplace_back("directory", path.text());
  Query one = query;
  one.emplace_back("limit", "1");
  if (path.is_root() || client.find(files_path(source.volume), one)) {
    client.each_page(files_path(source.volume), query, [&](const json::array& page) {
      for (const json::value& item : page) add(source, typed<FileEntry>(item), path);
    });
    return source;
  }
  source.is_one_file = true;
  query = {{"version", source.volume.version}, {"depth", "1"}};
  if (!path.parent().is_root()) query.emplace_back("directory", path.parent().text());
  client.each_page(files_path(source.volume), query, [&](const json::array& page) {
    for (const json::value& item : page)
      if (auto entry = typed<FileEntry>(item); entry.path == path.text()) add(source, std::move(entry), path.parent());
  });
  if (source.files.empty())
    throw Error(Errc::not_found, "volume '{}' has no '{}' in version {}", source.volume.name, path.text(),
                version.number);
  return source;
}

bool is_same(const FileEntry& entry, const Path& path, const struct stat& status) {
  if (entry.kind == "symlink") return S_ISLNK(status.st_mode) && volary::read_symlink(path) == entry.target;
  if (entry.kind == "directory") return S_ISDIR(status.st_mode);
  return S_ISREG(status.st_mode) && static_cast<uint64_t>(status.st_size) == entry.size &&
         entry.executable == ((status.st_mode & S_IXUSR) != 0) && digest_of(local_file(path, {})).hex() == entry.digest;
}

// Hashes what is there already and what comes, and counts both.
class Receiver final : public Sink {
 public:
  Receiver(Arrival& arrival, const std::function<void(uint64_t)>& count) : arrival_(arrival), count_(count) {
    arrival.read_back([&](std::string_view bytes) { note(bytes); });
  }
  void write(std::string_view bytes) override {
    arrival_.write(bytes);
    note(bytes);
  }
  Digest digest() const { return hasher_.finish(); }

 private:
  void note(std::string_view bytes) {
    hasher_.update(bytes);
    count_(bytes.size());
  }

  Arrival& arrival_;
  const std::function<void(uint64_t)>& count_;
  Hasher hasher_;
};

struct DownloadResult {
  std::string volume;
  uint64_t version = 0;
  std::string directory;
  uint64_t files = 0;    // Fetched.
  uint64_t bytes = 0;
  uint64_t resumed_bytes = 0;  // Of these, those that were here from a run that was cut off.
  uint64_t skipped = 0;  // There already.
};
BOOST_DESCRIBE_STRUCT(DownloadResult, (), (volume, version, directory, files, bytes, resumed_bytes, skipped))

class Download {
 public:
  Download(Session& session, Picked source, Path directory, const DownloadOptions& options)
      : session_(session), client_(session.client()), source_(std::move(source)), directory_(std::move(directory)),
        options_(options), bar_("download", session.progress()) {}

  DownloadResult run(size_t workers) {
    const auto todo = decide(workers);
    result_.volume = source_.volume.name;
    result_.version = std::stoull(source_.volume.version);
    result_.directory = directory_.native();
    result_.skipped = source_.files.size() - directories_ - todo.size();
    if (options_.dry_run) return show(todo);
    for (const Wanted* one : todo) Landing::check(one->name.text());
    make_directories(directory_);
    const Landing landing(directory_);
    for (const Wanted& one : source_.files)
      if (one.entry.kind == "directory") landing.make_directory(one.name.text());
    for_each_index(todo.size(), workers, [&](size_t i) {
      if (todo[i]->entry.kind == "file") fetch(*todo[i], landing);
    });
    for (const Wanted* one : todo)  // Last, so that nothing is ever written through one of them.
      if (one->entry.kind == "symlink") make_link(*one, landing);
    if (!todo.empty()) landing.sync();
    bar_.clear();
    result_.files = todo.size();
    return result_;
  }

 private:
  Path path_of(const TreePath& name) const { return directory_ / name.text(); }

  // What is to be fetched. Throws `exists` for what is here and differs, before anything is.
  std::vector<const Wanted*> decide(size_t workers) {
    std::vector<char> is_needed(source_.files.size());
    for_each_index(source_.files.size(), workers, [&](size_t i) {
      const Wanted& one = source_.files[i];
      const auto status = stat_of(path_of(one.name));
      is_needed[i] = !status;
      if (!status || (options_.no_overwrite && one.entry.kind != "directory") ||
          is_same(one.entry, path_of(one.name), *status))
        return;
      const bool is_other_kind = (one.entry.kind == "directory") != S_ISDIR(status->st_mode);
      if (!options_.force || is_other_kind)
        throw Error(Errc::exists, "'{}' is here already and differs from version {} of volume '{}': expected {}",
                    printable(path_of(one.name).native()), source_.volume.version, source_.volume.name,
                    is_other_kind ? "directories where it has them, and none elsewhere"
                                  : "nothing there, --force or --no-overwrite");
      is_needed[i] = true;
    });
    std::vector<const Wanted*> todo;
    for (size_t i = 0; i < source_.files.size(); ++i) {
      const Wanted& one = source_.files[i];
      if (one.entry.kind == "directory") {
        ++directories_;
        continue;
      }
      if (!is_needed[i]) continue;
      todo.push_back(&one);
      ++amounts_.files_total;
      if (one.entry.kind == "file") amounts_.bytes_total += one.entry.size;
    }
    return todo;
  }

  DownloadResult show(const std::vector<const Wanted*>& todo) {
    json::array items;
    for (const Wanted* one : todo) items.push_back(to_json(one->entry));
    session_.output().list<FileEntry>(items, {{"FILE", [](const FileEntry& f) { return printable(f.path); }},
                                              {"SIZE", [](const FileEntry& f) { return bytes_text(f.size); }}});
    result_.files = todo.size();
    result_.bytes = amounts_.bytes_total;
    return result_;
  }

  void count(uint64_t files, uint64_t bytes) {
    const std::lock_guard guard(lock_);
    amounts_.files_done += files;
    amounts_.bytes_done += bytes;
    bar_.show(amounts_);
  }

  void fetch(const Wanted& one, const Landing& landing) {
    const FileEntry& entry = one.entry;
    Arrival arrival = landing.begin(one.name.text(), entry.digest);
    if (arrival.bytes() > entry.size) arrival.begin_anew();
    const uint64_t from = arrival.bytes();
    const std::function<void(uint64_t)> counting = [&](uint64_t bytes) { count(0, bytes); };
    Receiver receiver(arrival, counting);
    if (from < entry.size || entry.size == 0)
      client_.stream_file(api_path({"volumes", source_.volume.name, "content"}),
                          {{"path", entry.path}, {"version", source_.volume.version}}, from, entry.digest, receiver);
    if (const std::string found = receiver.digest().hex(); found != entry.digest) {
      arrival.begin_anew();
      throw Error(Errc::corrupt, "the bytes of '{}' hash to {}: expected {}", entry.path, found, entry.digest);
    }
    arrival.sync();
    arrival.finish(entry.executable);
    count(1, 0);
    const std::lock_guard guard(lock_);
    result_.bytes += entry.size;
    result_.resumed_bytes += from;
  }

  void make_link(const Wanted& one, const Landing& landing) {
    landing.remove(one.name.text());
    landing.make_symlink(one.name.text(), one.entry.target);
    count(1, 0);
  }

  Session& session_;
  Client& client_;
  const Picked source_;
  const Path directory_;
  const DownloadOptions& options_;
  ProgressBar bar_;
  std::mutex lock_;
  Amounts amounts_;
  DownloadResult result_;
  uint64_t directories_ = 0;
};

int download(Session& session, const DownloadOptions& o) {
  if (o.force && o.no_overwrite)
    throw Error(Errc::invalid, "--force and --no-overwrite contradict each other: give one");
  const size_t workers = workers_of(o.workers);
  Picked source = picked_of(session, o.source);
  std::string directory = source.volume.name;
  if (const size_t colon = o.source.find(":/"); colon != std::string::npos)
    if (const TreePath path = TreePath::parse_directory(o.source.substr(colon + 2)); !path.is_root())
      directory = std::string(path.name());
  if (source.is_one_file) directory = ".";
  const Path place = std::filesystem::absolute(o.directory.value_or(directory));
  const LastWords words("Not finished; the same command again goes on.");
  Download all(session, source, place, o);
  const DownloadResult result = all.run(workers);
  if (session.output().is_structured() && !o.dry_run) session.output().document(to_json(result));
  else if (!o.dry_run) session.output().line(result.directory);
  session.note(fmt::format("{} ({}) {} of {}@{}, {} here already{}", counted(result.files, "file", "files"),
                           bytes_text(result.bytes), o.dry_run ? "would be fetched" : "fetched and verified",
                           result.volume, result.version, result.skipped,
                           source.checksum.empty() ? "" : "; checksum " + source.checksum));
  return 0;
}

}  // namespace

std::vector<Command> download_commands() {
  return {make_command<DownloadOptions>(
      {.path = {"volume", "download"}, .summary = "fetch a version, or a part of it, into a directory of this machine",
       .example = "volary volume download wiki@3 ./wiki\n"
                  "volary volume download wiki:/train/a.txt .\n"
                  "volary volume download wiki --force",
       .more = "Every byte is held against the version's digests. Where the command is cut off, the same command again "
               "fetches only the rest."},
      download_fields, download)};
}

}  // namespace volary
