// volume/upload_receive.cc: the part of volume/uploads.h about what comes in.
//
// Bytes are durable, or in a staging file, before a row speaks of them. A commit stays open until the row is written,
// so that no sweep takes a blob away in between.
#include <algorithm>

#include "core/error.h"
#include "core/fault.h"
#include "core/tree_path.h"
#include "sync/listing.h"
#include "volume/upload_rows.h"
#include "volume/uploads.h"

namespace volary {
namespace {

constexpr int64_t touch_seconds = 60;
constexpr size_t key_bytes_max = 1024;  // Of S3 and of Swift.

struct Incoming {
  UploadEntry head;
  TreePath path;
  std::string_view bytes;
};

UploadKind kind_of(const UploadEntry& head) { return head.kind.value_or(UploadKind::file); }

void check_head(const UploadEntry& head) {
  const UploadKind kind = kind_of(head);
  const auto refuse = [&](std::string_view what) {
    throw Error(Errc::invalid, "'{}' is a {}: expected no {}", printable(head.path), name_of_value(kind), what);
  };
  if (kind != UploadKind::file && head.size.value_or(0) != 0) refuse("bytes");
  if (kind != UploadKind::file && head.executable) refuse("executable bit");
  if (kind != UploadKind::file && head.digest) refuse("digest");
  if (kind != UploadKind::symlink && head.target) refuse("target");
  if (kind != UploadKind::symlink) return;
  if (const std::string flaw = flaw_of_link_target(head.target.value_or("")); !flaw.empty())
    throw Error(Errc::invalid, "the symbolic link '{}' cannot be kept: {}", printable(head.path), flaw);
}

// Where a file of that name will stand. Throws `invalid` for what no volume, or not this one's bucket, can hold.
TreePath place_of(const UploadRow& upload, std::string_view name) {
  const TreePath path =
      TreePath::parse((TreePath::parse_directory(upload.directory) / TreePath::parse(name)).text());
  const std::string key = upload.is_in_bucket() ? key_of(TreePath::parse_directory(upload.bucket_directory), path) : "";
  if (key.size() > key_bytes_max && upload.datastore_kind != name_of_value(DatastoreKind::directory))
    throw Error(Errc::invalid, "'{}' would be an object with a key of {} bytes: expected at most {}",
                printable(path.text().substr(0, 64)) + "…", key.size(), key_bytes_max);
  return path;
}

std::vector<Incoming> read_entries(std::string_view text, const UploadRow& upload) {
  std::vector<Incoming> files;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    if (end == text.npos)
      throw Error(Errc::invalid, "entry {} has no end: expected a line with an UploadEntry, then the file's bytes",
                  files.size() + 1);
    const std::string what = "entry " + std::to_string(files.size() + 1);
    Incoming file{from_json<UploadEntry>(parse_json(text.substr(0, end), what), what), {}, {}};
    text.remove_prefix(end + 1);
    check_head(file.head);
    file.path = place_of(upload, file.head.path);
    const uint64_t size = file.head.size.value_or(0);
    if (size > text.size())
      throw Error(Errc::invalid, "'{}' has {} bytes, but {} follow: expected all of them in one request",
                  file.path.text(), size, text.size());
    file.bytes = text.substr(0, size);
    text.remove_prefix(size);
    files.push_back(std::move(file));
  }
  return files;
}

// A bucket has bytes under names, and nothing else.
void make_objects(std::vector<Incoming>& files, const UploadRow& upload) {
  for (Incoming& file : files) {
    if (kind_of(file.head) != UploadKind::file)
      throw Error(Errc::invalid, "'{}' is a {}, and volume '{}' is kept in a bucket: expected files", file.path.text(),
                  name_of_value(kind_of(file.head)), upload.volume);
    file.head.executable = false;
  }
}

// Throws `corrupt` if the client said another digest.
void check_digest(const std::string& path, const std::optional<std::string>& wanted, const Digest& found) {
  if (!wanted || fault::planted("upload.any_digest")) return;
  if (const Digest digest = Digest::parse(*wanted); digest != found)
    throw Error(Errc::corrupt, "the bytes of '{}' hash to {}: expected {}", path, found.hex(), digest.hex());
}

UploadFileRow row_of(Commit& commit, const Incoming& file) {
  UploadFileRow row;
  row.path = file.path.text();
  row.kind = kind_of(file.head);
  row.target = file.head.target.value_or("");
  row.complete = true;
  if (row.kind != UploadKind::file) return row;
  const Blob blob = commit.add_blob(file.bytes);
  check_digest(row.path, file.head.digest, blob.digest);
  row.size = blob.size;
  row.executable = file.head.executable;
  row.digest = blob.digest.hex();
  return row;
}

}  // namespace

UploadRow Uploads::open_row(const Caller& caller, const std::string& id) {
  return database_.read([&](Transaction& transaction) { return get_open_upload(transaction, caller.project, id); });
}

uint64_t Uploads::replaced_bytes(Live& live, const UploadRow& upload, const TreePath& path, UploadKind kind) {
  auto base = live.base.lock();
  if (!*base)
    *base = std::make_shared<BaseTree>(
        store_, upload.base_tree.empty() ? empty_tree().tree : Digest::parse(upload.base_tree),
        fmt::format("version {} of volume '{}'", upload.base, upload.volume));
  const auto entry = (*base)->replaced(path, kind);
  return entry && entry->kind == EntryKind::file ? entry->size : 0;
}

UploadReceipt Uploads::receive(const Caller& caller, const std::string& id, std::string_view entries) {
  const UploadRow upload = open_row(caller, id);
  auto files = read_entries(entries, upload);
  if (upload.is_in_bucket()) make_objects(files, upload);
  const auto live = live_of(id);
  std::shared_lock coming(live->ending);
  std::vector<UploadFileRow> rows;
  rows.reserve(files.size());
  std::vector<uint64_t> replaced;
  for (const Incoming& file : files) replaced.push_back(replaced_bytes(*live, upload, file.path, kind_of(file.head)));
  const auto commit = store_.begin_commit();
  for (const Incoming& file : files) {
    rows.push_back(row_of(*commit, file));
    rows.back().replaced_bytes = replaced[rows.size() - 1];
  }
  if (!fault::planted("upload.row_first")) commit->publish();
  fault::point("upload.files_durable");
  UploadReceipt receipt;
  std::vector<uint64_t> staged;  // Of parts whose files have come whole now.
  database_.write([&](Transaction& transaction) {
    get_open_upload(transaction, caller.project, id);
    UploadChange change;
    staged.clear();
    for (const UploadFileRow& row : rows) {
      const auto before = find_upload_file(transaction, id, row.path);
      if (before && before->staged != 0) staged.push_back(before->staged);
      put_upload_file(transaction, id, row, change);
    }
    change_upload(transaction, upload, change, clock_.now());
  });
  fault::point("upload.files_noted");
  coming.unlock();
  if (!staged.empty()) {
    const std::lock_guard alone(live->ending);  // A part of one may just be coming.
    for (const uint64_t number : staged) drop_staged(*live, id, number);
  }
  for (const UploadFileRow& row : rows) receipt.bytes += row.size;
  receipt.files = rows.size();
  return receipt;
}

// --- parts

std::shared_ptr<StagedFile> Uploads::staged_file(Live& live, const std::string& id, uint64_t number) {
  auto staged = live.staged.lock();
  auto& file = (*staged)[number];
  if (!file) {
    make_directory(directory_of(id), 0700);
    file = std::make_shared<StagedFile>(staged_path(id, number));
  }
  return file;
}

void Uploads::drop_staged(Live& live, const std::string& id, uint64_t number) {
  if (number == 0) return;
  live.staged.lock()->erase(number);
  StagedFile::remove(staged_path(id, number));
}

// The number of the staging file of `path`, whose row is made or grows if need be.
uint64_t Uploads::begin_part(Live& live, const UploadRow& upload, const TreePath& path, uint64_t end, bool is_known) {
  const auto row = database_.read([&](Transaction& t) { return find_upload_file(t, upload.id, path.text()); });
  // Touched so often that it does not expire while parts come.
  const int64_t touched_for = std::min(touch_seconds, upload.expire_seconds / 2);
  const bool is_fresh = clock_.now().micros < upload.touched_at.plus_seconds(touched_for).micros;
  if (row && !row->complete && row->size >= end && is_fresh) return row->staged;
  const uint64_t replaced = replaced_bytes(live, upload, path, UploadKind::file);
  return database_.write([&](Transaction& transaction) {
    const UploadRow now = get_open_upload(transaction, upload.project, upload.id);
    UploadFileRow file = find_upload_file(transaction, upload.id, path.text()).value_or(UploadFileRow{});
    if (file.complete)
      throw Error(Errc::conflict, "'{}' is here already, whole: forget it before other bytes of that name come",
                  path.text());
    file.path = path.text();
    file.replaced_bytes = replaced;
    file.size = is_known ? end : std::max(file.size, end);
    if (file.staged == 0)
      file.staged = *transaction.find<uint64_t>("UPDATE upload SET staged = staged + 1 WHERE id = $1 RETURNING staged",
                                                upload.id);
    UploadChange change;
    put_upload_file(transaction, upload.id, file, change);
    change_upload(transaction, now, change, clock_.now());
    return file.staged;
  });
}

UploadReceipt Uploads::receive_part(const Caller& caller, const std::string& id, const std::string& name,
                                    uint64_t offset, std::optional<uint64_t> size, std::string_view bytes) {
  if (offset % staged_part_bytes != 0 || bytes.empty() || bytes.size() > staged_part_bytes ||
      offset > INT64_MAX - staged_part_bytes)
    throw Error(Errc::invalid, "{} bytes at {} are no part of '{}': expected 1 to {} bytes at a multiple of that",
                bytes.size(), offset, printable(name), staged_part_bytes);
  const uint64_t end = offset + bytes.size();
  const uint64_t wanted = size ? std::min(staged_part_bytes, *size - std::min(offset, *size)) : bytes.size();
  if (size && (bytes.size() != wanted || *size > INT64_MAX))
    throw Error(Errc::invalid, "{} bytes at {} are no part of '{}', which has {} bytes: expected {}", bytes.size(),
                offset, printable(name), *size, wanted);
  const UploadRow upload = open_row(caller, id);
  const TreePath path = place_of(upload, name);
  const auto live = live_of(id);
  const std::shared_lock coming(live->ending);
  const uint64_t number = begin_part(*live, upload, path, size.value_or(end), size.has_value());
  staged_file(*live, id, number)->write(offset / staged_part_bytes, bytes);
  fault::point("upload.part_staged");
  return {0, bytes.size()};
}

UploadFile Uploads::complete(const Caller& caller, const std::string& id, const UploadCompletion& request) {
  UploadRow upload = open_row(caller, id);
  const TreePath path = place_of(upload, request.path);
  const auto live = live_of(id);
  const std::lock_guard alone(live->ending);
  auto file = database_.read([&](Transaction& t) { return find_upload_file(t, id, path.text()); });
  if (!file) throw Error(Errc::not_found, "nothing of '{}' has come", path.text());
  if (!file->complete) {
    const auto digest = staged_file(*live, id, file->staged)->finish(request.size);
    if (!digest)
      throw Error(Errc::conflict, "parts of '{}' are missing: expected all of its {} bytes", path.text(), request.size);
    if (request.digest && Digest::parse(*request.digest) != *digest) forget(*live, upload, *file);
    check_digest(path.text(), request.digest, *digest);
    const auto commit = store_.begin_commit();
    commit->take_file(staged_path(id, file->staged), {*digest, request.size});
    commit->publish();
    fault::point("upload.file_durable");
    const uint64_t staged = std::exchange(file->staged, 0);
    file->size = request.size;
    file->digest = digest->hex();
    file->executable = request.executable && !upload.is_in_bucket();
    file->complete = true;
    database_.write([&](Transaction& transaction) {
      UploadChange change;
      put_upload_file(transaction, id, *file, change);
      change_upload(transaction, get_open_upload(transaction, caller.project, id), change, clock_.now());
    });
    fault::point("upload.file_noted");
    drop_staged(*live, id, staged);
  } else {
    check_digest(path.text(), request.digest, Digest::parse(file->digest));
  }
  return {file->path, file->kind, file->size, file->executable, file->digest, "", true, {}};
}

void Uploads::forget(Live& live, const UploadRow& upload, const UploadFileRow& file) {
  database_.write([&](Transaction& transaction) {
    UploadChange change;
    drop_upload_file(transaction, upload.id, file, change);
    change_upload(transaction, get_open_upload(transaction, upload.project, upload.id), change, clock_.now());
  });
  drop_staged(live, upload.id, file.staged);
}

void Uploads::forget(const Caller& caller, const std::string& id, const std::string& name) {
  const UploadRow upload = open_row(caller, id);
  const TreePath path = place_of(upload, name);
  const auto live = live_of(id);
  const std::lock_guard alone(live->ending);
  const auto file = database_.read([&](Transaction& t) { return find_upload_file(t, id, path.text()); });
  if (file) forget(*live, upload, *file);
}

}  // namespace volary
