// record/upload.h: files on their way into a volume by many requests, until they become one version.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"

namespace volary {

//   open ─► finished      its files are a version of the volume
//     └───► aborted, expired: nothing of it is left
enum class UploadState { open, finished, aborted, expired };
BOOST_DESCRIBE_ENUM(UploadState, open, finished, aborted, expired)

enum class UploadKind { file, directory, symlink };
BOOST_DESCRIBE_ENUM(UploadKind, file, directory, symlink)

struct Upload {
  std::string id;
  std::string project;
  std::string volume;
  UploadState state{};
  uint64_t base = 0;      // The version that was the newest when it began, and is until it ends; 0: none.
  uint64_t version = 0;   // Of a finished one: the version made, or the base if nothing changed.
  std::string source;     // What it comes from, as its client says: by this it is found again.
  std::string directory;  // Below which the files go; "" is all of the volume.
  std::string message;
  uint64_t files = 0;     // That are here whole, durably.
  uint64_t bytes = 0;     // Of them.
  uint64_t stored = 0;    // Of a volume kept in a bucket, while it is open: files whose objects are there already.
  uint64_t reserved_bytes = 0;
  uint64_t part_bytes = 0;  // How long each part of a large file is, but its last.
  uint64_t expire_seconds = 0;  // It ends by itself when nothing came for so long.
  Time created_at;
  Time touched_at;        // When something came last, give or take a minute.
  std::optional<Time> ended_at;
  std::string created_by;
};
BOOST_DESCRIBE_STRUCT(Upload, (), (id, project, volume, state, base, version, source, directory, message, files, bytes,
                                   stored, reserved_bytes, part_bytes, expire_seconds, created_at, touched_at, ended_at,
                                   created_by))

// POST /volumes/{name}/uploads
struct NewUpload {
  std::optional<std::string> source;
  std::optional<std::string> directory;
  std::optional<std::string> message;
  std::optional<uint64_t> bytes;           // That will come, if known: too many are refused before one does.
  std::optional<uint64_t> expire_seconds;  // A day.
};
BOOST_DESCRIBE_STRUCT(NewUpload, (), (source, directory, message, bytes, expire_seconds))

struct ReceivedRange {
  uint64_t offset = 0;
  uint64_t size = 0;
};
BOOST_DESCRIBE_STRUCT(ReceivedRange, (), (offset, size))

// One row of GET /uploads/{id}/files.
struct UploadFile {
  std::string path;  // In the volume.
  UploadKind kind{};
  uint64_t size = 0;  // Of one that is not complete: as far as it is known.
  bool executable = false;
  std::string digest;  // Of a complete file's bytes.
  std::string target;  // Of a symlink.
  bool complete = false;
  std::vector<ReceivedRange> received;  // Of a file that is not complete: what need not be sent again.
};
BOOST_DESCRIBE_STRUCT(UploadFile, (), (path, kind, size, executable, digest, target, complete, received))

// The line before a file's bytes in POST /uploads/{id}/files.
struct UploadEntry {
  std::string path;  // Below the upload's directory.
  std::optional<UploadKind> kind;  // file
  std::optional<uint64_t> size;    // Of a file: so many bytes follow the line; none unless told.
  bool executable = false;
  std::optional<std::string> digest;  // The BLAKE3 of the bytes: they are held against it.
  std::optional<std::string> target;  // Of a symlink.
};
BOOST_DESCRIBE_STRUCT(UploadEntry, (), (path, kind, size, executable, digest, target))

// What one request has brought.
struct UploadReceipt {
  uint64_t files = 0;
  uint64_t bytes = 0;
};
BOOST_DESCRIBE_STRUCT(UploadReceipt, (), (files, bytes))

// POST /uploads/{id}/completions: all parts of a file were sent.
struct UploadCompletion {
  std::string path;  // Below the upload's directory.
  uint64_t size = 0;
  bool executable = false;
  std::optional<std::string> digest;  // As of an UploadEntry.
};
BOOST_DESCRIBE_STRUCT(UploadCompletion, (), (path, size, executable, digest))

// POST /uploads/{id}/finish
struct UploadFinish {
  std::optional<uint64_t> files;  // How many the client has sent: another number here is refused.
};
BOOST_DESCRIBE_STRUCT(UploadFinish, (), (files))

}  // namespace volary
