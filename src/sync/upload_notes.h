// sync/upload_notes.h: the uploads in parts of an export, in the table transfer_upload.
//
// A row is there before the datastore is asked for the upload and goes after it was completed or abandoned: whatever
// dies, somebody knows what lies there half done and costs.
#pragma once

#include <string>

#include "db/database.h"
#include "remote/parted.h"

namespace volary {

// Of one object of one transfer.
class DatabaseUploadNotes final : public UploadNotes {
 public:
  DatabaseUploadNotes(Database& database, const std::string& transfer_id)
      : database_(database), transfer_id_(transfer_id) {}
  std::optional<UploadNote> find(const std::string& key) override;
  void begun(const std::string& key, const UploadNote& note) override;
  void ended(const std::string& key) override;

 private:
  Database& database_;
  const std::string& transfer_id_;
};

// Ends all uploads in parts of the transfer that are still noted. Throws what the datastore says; those that could not
// be ended stay noted.
void abandon_uploads(Remote& remote, Database& database, const std::string& transfer_id);

}  // namespace volary
