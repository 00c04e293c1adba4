// remote/s3_multipart.h: one upload in parts, from its beginning, or from where another process left it, to its end.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "remote/parted.h"
#include "remote/retry.h"
#include "remote/s3_connection.h"

namespace volary {

// The text of the first element `name` of an answer; "" if there is none.
std::string element_of(const std::string& document, std::string_view name);
// Whether the answer is an <Error>, whatever its status.
bool is_refusal(const std::string& document);

// A part that is there.
struct S3Part {
  std::string etag;      // Bare.
  std::string checksum;  // CRC-32C as the store named it; "" if it did not.
  uint64_t size = 0;
};

// begin(), adopt() and complete() belong to one thread; send() to many at once, for different parts.
class S3Multipart {
 public:
  S3Multipart(S3Connection& connection, Retries& retries, std::string key, uint64_t size, uint64_t part_bytes);

  size_t parts() const { return parts_.size(); }
  Range range_of(size_t part) const;
  const UploadNote& note() const { return note_; }

  // Asks the store for a new one. Not repeated: nothing was read yet, so the caller can.
  enum class Checksums { no, crc32c };
  void begin(Checksums checksums = Checksums::no);
  // Goes on with one that was begun; what it has of parts. Nothing if the store does not know it.
  std::optional<std::map<size_t, S3Part>> adopt(const UploadNote& note);
  // Sends the part, with its body or content in `call`; what it is by the store's answer.
  S3Part send(size_t part, S3Call& call);
  // Takes a part of adopt() as it is.
  void keep(size_t part, const S3Part& as) { parts_[part] = as; }
  // The checksum of the whole that the store named, if it did.
  struct Completed {
    RemoteObject object;
    std::string checksum;
  };
  Completed complete();
  // The object of an upload that was completed without its answer having been seen; nothing if it is another's.
  std::optional<RemoteObject> find_completed(const UploadNote& note);

 private:
  HttpResponse ask(S3Call& call);
  Completed complete_object(const std::optional<Error>& error);

  S3Connection& connection_;
  Retries& retries_;
  const std::string key_;
  const uint64_t size_;
  const uint64_t part_bytes_;
  UploadNote note_;
  std::vector<S3Part> parts_;  // Each written by the thread that sends the part.
};

// Ends the upload and forgets its parts; of one without an id, those of this key that have no part yet. Absent is
// success.
void abandon_upload(S3Connection& connection, Retries& retries, const std::string& key, const UploadNote& note);

}  // namespace volary
