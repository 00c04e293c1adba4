// cli/sending.cc: batches, parts and completions of cli/sending.h.
#include "cli/sending.h"

#include <algorithm>
#include <atomic>
#include <set>

#include "core/error.h"
#include "core/segmented_hash.h"
#include "core/workers.h"

namespace volary {
namespace {

// What a request may carry besides: the lines before the files' bytes. Together below the server's 8 MiB.
constexpr uint64_t batch_bytes_max = 6 << 20;
constexpr uint64_t small_file_bytes_max = 4 << 20;
constexpr size_t batch_files_max = 1000;

std::string path_in_volume(const TreePath& directory, const LocalFile& file) { return (directory / file.name).text(); }

bool is_same(const LocalFile& file, uint64_t size, bool executable, const std::string& digest) {
  return size == file.size && executable == file.executable && digest_of(file).hex() == digest;
}

bool is_received(const LocalFile& file, const UploadFile& there) {
  if (!there.complete || there.kind != file.kind || there.target != file.target) return false;
  return file.kind != UploadKind::file || is_same(file, there.size, there.executable, there.digest);
}

bool is_in_base(const LocalFile& file, const FileEntry& there) {
  if (there.kind != name_of_value(file.kind) || there.target != file.target) return false;
  return file.kind != UploadKind::file || is_same(file, there.size, there.executable, there.digest);
}

FileNeed need_of(const LocalFile& file, const std::string& path, const KnownFiles& known) {
  const auto base = known.base.find(path);
  if (const auto found = known.received.find(path); found != known.received.end()) {
    if (is_received(file, found->second)) return FileNeed::received;
  } else if (base != known.base.end() && is_in_base(file, base->second)) {
    return FileNeed::same;
  }
  return base == known.base.end() ? FileNeed::new_ : FileNeed::replaces;
}

}  // namespace

KnownFiles known_files(Client& client, const std::string& volume, uint64_t base, const TreePath& directory,
                       const LocalFiles& files) {
  KnownFiles known;
  if (base == 0) return known;
  std::set<std::string> wanted;
  for (const LocalFile& file : files.files) wanted.insert(path_in_volume(directory, file));
  Query query = {{"version", std::to_string(base)}};
  TreePath top = directory;
  if (wanted.size() == 1) {  // Its own directory is enough.
    top = TreePath::parse(*wanted.begin()).parent();
    query.emplace_back("depth", "1");
  }
  if (!top.is_root()) query.emplace_back("directory", top.text());
  Query one = query;
  one.emplace_back("limit", "1");
  const std::string path = api_path({"volumes", volume, "files"});
  if (!client.find(path, one)) return known;  // There is no such directory yet.
  client.each_page(path, query, [&](const json::array& page) {
    for (const json::value& item : page)
      if (auto entry = typed<FileEntry>(item); wanted.contains(entry.path)) known.base[entry.path] = std::move(entry);
  });
  return known;
}

void add_received(KnownFiles& known, Client& client, const std::string& upload) {
  client.each_page(api_path({"uploads", upload, "files"}), {}, [&](const json::array& page) {
    for (const json::value& item : page) {
      auto file = typed<UploadFile>(item);
      known.received[file.path] = std::move(file);
    }
  });
}

std::vector<FileNeed> needs_of(const LocalFiles& files, const TreePath& directory, const KnownFiles& known,
                               size_t workers) {
  std::vector<FileNeed> needs(files.files.size());
  for_each_index(files.files.size(), workers, [&](size_t i) {
    const LocalFile& file = files.files[i];
    needs[i] = need_of(file, path_in_volume(directory, file), known);
  });
  return needs;
}

void SendingProgress::count(uint64_t files, uint64_t bytes) {
  const std::lock_guard guard(lock_);
  amounts_.files_done += files;
  amounts_.bytes_done += bytes;
  bar_.show(amounts_);
}

// --- what is to be done

// A file that goes by parts. Its hash, which keeps the last part's bytes, is there only while it does.
struct Sending::Large {
  Large(const LocalFile& one, uint64_t bytes)
      : file(one), part_bytes(bytes), parts((one.size + bytes - 1) / bytes), is_there(parts), left(parts) {}
  uint64_t size_of(uint64_t part) const { return std::min(part_bytes, file.size - part * part_bytes); }

  const LocalFile& file;
  const uint64_t part_bytes;
  const uint64_t parts;
  std::vector<bool> is_there;  // What the server has: it is read and hashed only.
  std::atomic<uint64_t> left;  // Parts.
  std::once_flag begun;
  std::unique_ptr<SegmentedHash> hash;
};

// A batch of small files, or one part of a large one.
struct Sending::Task {
  std::vector<const LocalFile*> batch;
  Large* large = nullptr;
  uint64_t part = 0;
};

void Sending::mark_received(Large& large, const std::vector<ReceivedRange>& ranges) {
  for (const ReceivedRange& range : ranges)
    for (uint64_t part = range.offset / large.part_bytes; part < large.parts; ++part) {
      const uint64_t end = part * large.part_bytes + large.size_of(part);
      if (end > range.offset + range.size) break;
      large.is_there[part] = true;
    }
}

std::vector<Sending::Task> Sending::plan(const LocalFiles& files, const std::vector<FileNeed>& needs,
                                         const KnownFiles& known, std::vector<std::unique_ptr<Large>>& large) {
  const TreePath directory = TreePath::parse_directory(upload_.directory);
  std::vector<Task> tasks;
  Task batch;
  uint64_t batch_bytes = 0;
  for (size_t i = 0; i < files.files.size(); ++i) {
    const LocalFile& file = files.files[i];
    if (needs[i] != FileNeed::new_ && needs[i] != FileNeed::replaces) continue;
    const auto received = known.received.find(path_in_volume(directory, file));
    const bool is_known = received != known.received.end();
    if (is_known && (received->second.complete || file.size <= small_file_bytes_max)) forget(received->first);
    if (file.size > small_file_bytes_max) {
      large.push_back(std::make_unique<Large>(file, upload_.part_bytes));
      Large& one = *large.back();
      if (is_known && !received->second.complete) mark_received(one, received->second.received);
      for (uint64_t part = 0; part < one.parts; ++part) tasks.push_back({{}, &one, part});
      continue;
    }
    const uint64_t bytes = file.size + 2 * file.name.text().size() + file.target.size() + 200;
    if (!batch.batch.empty() && (batch.batch.size() == batch_files_max || batch_bytes + bytes > batch_bytes_max)) {
      tasks.push_back(std::exchange(batch, {}));
      batch_bytes = 0;
    }
    batch.batch.push_back(&file);
    batch_bytes += bytes;
  }
  if (!batch.batch.empty()) tasks.push_back(std::move(batch));
  return tasks;
}

// --- doing it

Sent Sending::send(const LocalFiles& files, const std::vector<FileNeed>& needs, const KnownFiles& known) {
  const TreePath directory = TreePath::parse_directory(upload_.directory);
  std::set<std::string> wanted;
  Amounts amounts{0, 0, 0, 0};
  Sent sent;
  for (size_t i = 0; i < files.files.size(); ++i) {
    wanted.insert(path_in_volume(directory, files.files[i]));
    if (needs[i] != FileNeed::new_ && needs[i] != FileNeed::replaces) continue;
    ++sent.files;
    sent.bytes += files.files[i].size;
  }
  for (const auto& [path, file] : known.received)
    if (!wanted.contains(path)) forget(path);  // It was there when this upload was cut off, and is gone.
  amounts.files_total = sent.files;
  amounts.bytes_total = sent.bytes;
  SendingProgress progress(session_, amounts);
  std::vector<std::unique_ptr<Large>> large;
  const auto tasks = plan(files, needs, known, large);
  for_each_index(tasks.size(), workers_, [&](size_t i) { perform(tasks[i], progress); });
  return sent;
}

void Sending::perform(const Task& task, SendingProgress& progress) {
  if (task.large) return send_part(*task.large, task.part, progress);
  const uint64_t bytes = send_batch(task.batch);
  progress.count(task.batch.size(), bytes);
}

uint64_t Sending::send_batch(const std::vector<const LocalFile*>& files) {
  std::string body;
  uint64_t sum = 0;
  std::string bytes;
  for (const LocalFile* file : files) {
    UploadEntry entry;
    entry.path = file->name.text();
    entry.kind = file->kind;
    if (file->kind == UploadKind::symlink) entry.target = file->target;
    bytes.clear();
    if (file->kind == UploadKind::file) {
      LocalReader reader(*file);
      bytes.resize(file->size);
      reader.read(bytes, 0);
      reader.check();
      entry.size = file->size;
      entry.executable = file->executable;
      entry.digest = Digest::of(bytes).hex();
    }
    body += print_json(to_json(entry)) + "\n" + bytes;
    sum += bytes.size();
  }
  client_.send_bytes("POST", path_of("files"), {}, std::move(body));
  return sum;
}

void Sending::send_part(Large& large, uint64_t part, SendingProgress& progress) {
  std::call_once(large.begun, [&] { large.hash = std::make_unique<SegmentedHash>(large.file.size, large.part_bytes); });
  std::string bytes(large.size_of(part), '\0');
  const uint64_t offset = part * large.part_bytes;
  LocalReader reader(large.file);
  reader.read(bytes, offset);
  large.hash->add(part, bytes);
  const uint64_t size = bytes.size();
  if (!large.is_there[part])
    client_.send_bytes("PUT", path_of("parts"),
                       {{"path", large.file.name.text()},
                        {"offset", std::to_string(offset)},
                        {"size", std::to_string(large.file.size)}},
                       std::move(bytes));
  const bool is_last = large.left.fetch_sub(1) == 1;
  if (is_last) {
    reader.check();
    complete(large.file.name, large.file.size, large.file.executable, large.hash->finish());
    large.hash.reset();
  }
  progress.count(is_last ? 1 : 0, size);
}

void Sending::complete(const TreePath& name, uint64_t size, bool executable, const Digest& digest) {
  UploadCompletion completion{name.text(), size, executable, digest.hex()};
  client_.send_json("POST", path_of("completions"), {}, to_json(completion));
}

void Sending::forget(const std::string& path) {
  const TreePath directory = TreePath::parse_directory(upload_.directory);
  client_.send_json("DELETE", path_of("files"), {{"path", TreePath::parse(path).relative_to(directory).text()}}, {});
}

Sent Sending::send_stream(const TreePath& name, Source& source) {
  SendingProgress progress(session_, {});
  Hasher hasher;
  Sent sent{1, 0};
  for (bool is_more = true; is_more;) {
    std::string bytes(upload_.part_bytes, '\0');
    size_t filled = 0;
    while (filled < bytes.size()) {
      const size_t more = source.read(std::span(bytes).subspan(filled));
      if (more == 0) break;
      filled += more;
    }
    is_more = filled == bytes.size();
    bytes.resize(filled);
    hasher.update(bytes);
    const uint64_t offset = sent.bytes;
    sent.bytes += filled;
    if (!is_more && offset == 0) {  // All of it fits into one part: a file like others, if an entry's line fits too.
      if (filled <= small_file_bytes_max) {
        UploadEntry entry;
        entry.path = name.text();
        entry.size = filled;
        entry.digest = hasher.finish().hex();
        client_.send_bytes("POST", path_of("files"), {}, print_json(to_json(entry)) + "\n" + bytes);
        progress.count(1, filled);
        return sent;
      }
    }
    if (filled == 0) break;
    client_.send_bytes("PUT", path_of("parts"), {{"path", name.text()}, {"offset", std::to_string(offset)}},
                       std::move(bytes));
    progress.count(0, filled);
  }
  complete(name, sent.bytes, false, hasher.finish());
  progress.count(1, 0);
  return sent;
}

}  // namespace volary
