// volume/uploads.cc: uploads from their beginning to their end, for volume/uploads.h; what comes in is in
// upload_receive.cc, the version made of it in upload_finish.cc.
#include "volume/uploads.h"

#include "core/error.h"
#include "core/fault.h"
#include "core/quantity.h"
#include "core/random.h"
#include "core/tree_path.h"
#include "volume/ledger.h"
#include "volume/upload_rows.h"

namespace volary {
namespace {

constexpr uint64_t expire_seconds_default = 86400;
constexpr uint64_t expire_seconds_max = 28 * 86400;
constexpr size_t text_bytes_max = 4096;

const std::string select_upload =
    "SELECT upload.id, upload.project, volume.name, upload.state, upload.base, upload.version, upload.source, "
    "upload.directory, upload.message, upload.files, upload.bytes, "
    "(SELECT COUNT(*) FROM upload_file WHERE upload_file.upload = upload.id AND upload_file.stored = 1), "
    "upload.reserved_bytes, " +
    std::to_string(staged_part_bytes) +
    ", upload.expire_seconds, upload.created_at, upload.touched_at, upload.ended_at, upload.created_by "
    "FROM upload JOIN volume ON volume.id = upload.volume ";

constexpr std::string_view select_upload_row =
    "SELECT upload.id, upload.project, upload.volume, volume.name, upload.state, upload.base, "
    "COALESCE(version.tree, ''), upload.directory, upload.message, upload.growth, upload.reserved_bytes, "
    "upload.touched_at, upload.expire_seconds, upload.created_by, volume.storage_type, volume.datastore, "
    "volume.directory, COALESCE((SELECT kind FROM datastore WHERE datastore.project = upload.project AND "
    "datastore.name = volume.datastore), '') FROM upload JOIN volume ON volume.id = upload.volume "
    "LEFT JOIN version ON version.volume = upload.volume AND version.number = upload.base ";

void check_text(const std::string& text, std::string_view what) {
  if (text.size() > text_bytes_max || !is_utf8(text))
    throw Error(Errc::invalid, "'{}' is no {}: expected at most {} bytes of UTF-8", printable(text.substr(0, 200)),
                what, text_bytes_max);
}

uint64_t checked_expiry(const NewUpload& request) {
  const uint64_t seconds = request.expire_seconds.value_or(expire_seconds_default);
  if (seconds < 1 || seconds > expire_seconds_max)
    throw Error(Errc::invalid, "an upload cannot wait {} seconds for more: expected 1 to {} (28 days)", seconds,
                expire_seconds_max);
  return seconds;
}

}  // namespace

UploadRow get_upload_row(Transaction& transaction, const std::string& project, const std::string& id) {
  auto row = transaction.find<UploadRow>(
      std::string(select_upload_row) + "WHERE upload.id = $1 AND upload.project = $2", id, project);
  if (!row) throw Error(Errc::not_found, "there is no upload '{}' in this project", printable(id));
  return *std::move(row);
}

UploadRow get_open_upload(Transaction& transaction, const std::string& project, const std::string& id) {
  UploadRow row = get_upload_row(transaction, project, id);
  if (row.state != UploadState::open)
    throw Error(Errc::conflict, "upload {} into volume '{}' is {} already: expected an open one", id, row.volume,
                name_of_value(row.state));
  return row;
}

void Uploads::start() {
  const Path directory = store_.root() / "uploads";
  make_directory(directory, 0700);
  const auto open = database_.read([](Transaction& transaction) {
    return transaction.all<std::string>("SELECT id FROM upload WHERE state = 'open'");
  });
  for (const DirectoryEntry& entry : list_directory(directory))
    if (std::find(open.begin(), open.end(), entry.name) == open.end() || fault::planted("upload.drops_parts"))
      remove_tree(directory / entry.name);
}

std::shared_ptr<Uploads::Live> Uploads::live_of(const std::string& id) {
  auto live = live_.lock();
  auto& one = (*live)[id];
  if (!one) one = std::make_shared<Live>();
  return one;
}

Upload Uploads::create(const Caller& caller, const std::string& volume_name, const NewUpload& request) {
  const TreePath directory = TreePath::parse_directory(request.directory.value_or(""));
  check_text(request.source.value_or(""), "source");
  check_text(request.message.value_or(""), "message");
  const uint64_t expire_seconds = checked_expiry(request);
  const uint64_t bytes = request.bytes.value_or(0);
  if (bytes > INT64_MAX)
    throw Error(Errc::invalid, "{} bytes cannot be uploaded: expected at most {}", bytes, INT64_MAX);
  const std::string id = new_id("upl");
  database_.write([&](Transaction& transaction) {
    const Time now = clock_.now();
    const Volume volume = get_volume(transaction, caller, volume_name);
    take_writer(transaction, volume.id, volume.name, volume.head, {"upload", id}, now);
    // The volume grows at least by what comes and can replace nothing.
    const uint64_t reserved = bytes > volume.used_bytes ? bytes - volume.used_bytes : 0;
    reserve_bytes(transaction, volume.id, reserved);
    transaction.run(
        "INSERT INTO upload (id, tenant, project, volume, state, base, version, source, directory, message, files, "
        "bytes, growth, reserved_bytes, staged, expire_seconds, created_at, touched_at, created_by) "
        "VALUES ($1, $2, $3, $4, 'open', $5, 0, $6, $7, $8, 0, 0, 0, $9, 0, $10, $11, $12, $13)",
        id, caller.tenant, caller.project, volume.id, volume.head, request.source.value_or(""), directory.text(),
        request.message.value_or(request.source ? "upload from " + *request.source : "upload"), reserved,
        expire_seconds, now, now, caller.name);
  });
  fault::point("upload.created");
  return get(caller, id);
}

std::vector<Upload> Uploads::list(const Caller& caller, const std::string& volume) {
  return database_.read([&](Transaction& transaction) {
    if (!volume.empty()) get_volume(transaction, caller, volume);
    return transaction.all<Upload>(select_upload +
                                       "WHERE upload.project = $1 AND upload.state = 'open' AND ($2 = '' OR "
                                       "volume.name = $3) ORDER BY upload.created_at DESC, upload.id",
                                   caller.project, volume, volume);
  });
}

Upload Uploads::get(const Caller& caller, const std::string& id) {
  return database_.read([&](Transaction& transaction) {
    auto upload = transaction.find<Upload>(select_upload + "WHERE upload.id = $1 AND upload.project = $2", id,
                                           caller.project);
    if (!upload) throw Error(Errc::not_found, "there is no upload '{}' in this project", printable(id));
    return *upload;
  });
}

std::vector<ReceivedRange> Uploads::received_of(const std::string& id, uint64_t number) {
  std::vector<ReceivedRange> ranges;
  if (number == 0 || !is_present(staged_path(id, number))) return ranges;
  for (const StagedRange& one : StagedFile(staged_path(id, number)).received())
    ranges.push_back({one.offset, one.size});
  return ranges;
}

std::vector<UploadFile> Uploads::files(const Caller& caller, const std::string& id, const std::string& after,
                                       size_t limit) {
  const auto rows = database_.read([&](Transaction& transaction) {
    get_upload_row(transaction, caller.project, id);
    return transaction.all<UploadFileRow>(
        std::string(select_upload_file) + "WHERE upload = $1 AND path > $2 ORDER BY path LIMIT $3", id, after,
        static_cast<int64_t>(std::min<size_t>(limit, INT32_MAX)));
  });
  std::vector<UploadFile> files;
  for (const UploadFileRow& row : rows) {
    UploadFile file{row.path, row.kind, row.size, row.executable, row.digest, row.target, row.complete, {}};
    if (!row.complete) file.received = received_of(id, row.staged);
    files.push_back(std::move(file));
  }
  return files;
}

// --- ending

void Uploads::end(Live& live, const UploadRow& upload, UploadState state) {
  database_.write([&](Transaction& transaction) {
    const UploadRow row = get_open_upload(transaction, upload.project, upload.id);
    release_bytes(transaction, row.volume_id, row.reserved_bytes);
    transaction.run("UPDATE upload SET state = $2, reserved_bytes = 0, ended_at = $3 WHERE id = $1", row.id, state,
                    clock_.now());
    transaction.run("DELETE FROM upload_file WHERE upload = $1", row.id);
    release_leases(transaction, {"upload", row.id});
  });
  fault::point("upload.ended");
  live.staged.lock()->clear();
  remove_tree(directory_of(upload.id));
  live_.lock()->erase(upload.id);
}

Upload Uploads::abort(const Caller& caller, const std::string& id) {
  get(caller, id);
  const auto live = live_of(id);
  {
    const std::lock_guard alone(live->ending);
    const UploadRow row =
        database_.read([&](Transaction& transaction) { return get_upload_row(transaction, caller.project, id); });
    if (row.state == UploadState::finished)
      throw Error(Errc::conflict, "upload {} into volume '{}' is finished already: expected an open one", id,
                  row.volume);
    if (row.state == UploadState::open) end(*live, row, UploadState::aborted);
  }
  return get(caller, id);
}

std::vector<std::string> Uploads::expire() {
  const auto idle = database_.read([&](Transaction& transaction) {
    return transaction.all<UploadRow>(std::string(select_upload_row) + "WHERE upload.state = 'open' AND "
                                          "upload.touched_at + upload.expire_seconds * 1000000 <= $1",
                                      clock_.now());
  });
  std::vector<std::string> told;
  for (const UploadRow& one : idle) {
    const auto live = live_of(one.id);
    const std::unique_lock alone(live->ending, std::try_to_lock);
    if (!alone) continue;  // Something is just coming.
    const UploadRow row =
        database_.read([&](Transaction& transaction) { return get_upload_row(transaction, one.project, one.id); });
    if (row.state != UploadState::open) continue;
    end(*live, row, UploadState::expired);
    told.push_back(fmt::format("upload {} into volume '{}' by {}: nothing has come since {}, so it has ended", row.id,
                               row.volume, row.created_by, to_text(row.touched_at)));
  }
  return told;
}

}  // namespace volary
