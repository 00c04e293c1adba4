// sync/upload_notes.cc: the statements of sync/upload_notes.h.
#include "sync/upload_notes.h"

#include <boost/describe/class.hpp>

#include "core/fault.h"

namespace volary {
namespace {

struct NoteRow {
  std::string key;
  std::string upload;
  std::string mark;
};
BOOST_DESCRIBE_STRUCT(NoteRow, (), (key, upload, mark))

}  // namespace

std::optional<UploadNote> DatabaseUploadNotes::find(const std::string& key) {
  const auto row = database_.read([&](Transaction& transaction) {
    return transaction.find<NoteRow>(
        "SELECT key, upload, mark FROM transfer_upload WHERE transfer = $1 AND key = $2", transfer_id_, key);
  });
  if (!row) return std::nullopt;
  return UploadNote{row->upload, row->mark};
}

void DatabaseUploadNotes::begun(const std::string& key, const UploadNote& note) {
  database_.write([&](Transaction& transaction) {
    transaction.run(
        "INSERT INTO transfer_upload (transfer, key, upload, mark) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (transfer, key) DO UPDATE SET upload = excluded.upload, mark = excluded.mark",
        transfer_id_, key, note.id, note.mark);
  });
  fault::point("send.upload_noted");
}

void DatabaseUploadNotes::ended(const std::string& key) {
  database_.write([&](Transaction& transaction) {
    transaction.run("DELETE FROM transfer_upload WHERE transfer = $1 AND key = $2", transfer_id_, key);
  });
}

void abandon_uploads(Remote& remote, Database& database, const std::string& transfer_id) {
  const auto rows = database.read([&](Transaction& transaction) {
    return transaction.all<NoteRow>("SELECT key, upload, mark FROM transfer_upload WHERE transfer = $1", transfer_id);
  });
  DatabaseUploadNotes notes(database, transfer_id);
  for (const NoteRow& row : rows) {
    if (PartedRemote* parted = remote.parted()) parted->abandon(row.key, {row.upload, row.mark});
    notes.ended(row.key);
  }
}

}  // namespace volary
