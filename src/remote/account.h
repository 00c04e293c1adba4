// remote/account.h: the buckets of one endpoint: made, listed, removed, opened.
//
// Implementations know protocols, nothing of volumes. account_test.cc runs against all of them. Every function may be
// called from any thread, many at once.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "remote/remote.h"

namespace volary {

struct Bucket {
  std::string name;
  std::optional<Time> created_at{};  // Nothing where the store does not know.
};

struct ObjectPlace {
  std::string bucket;
  std::string key;
};

class Account {
 public:
  virtual ~Account() = default;

  // All that there are, by name in byte order.
  virtual std::vector<Bucket> list_buckets() = 0;
  // Throws `exists` if there is one of that name, `invalid` for a name that the store does not take.
  virtual void create_bucket(const std::string& name) = 0;
  // Throws `not_found`; `conflict` if it holds anything.
  virtual void remove_bucket(const std::string& name) = 0;
  // With retries inside. A bucket that is not there is `not_found`, now or at the first request.
  virtual std::unique_ptr<Remote> open(const std::string& bucket) = 0;
  // Whether what open() gives puts in parts: Remote::parted().
  virtual bool has_parts() const { return false; }
  // As Remote::copy(), from one bucket to another or the same.
  virtual RemoteObject copy(const ObjectPlace& from, const ObjectPlace& to) = 0;

  // "s3 at https://…": for messages.
  virtual std::string description() const = 0;
};

// `options` without a bucket.
std::unique_ptr<Account> open_s3_account(const S3Options& options, HttpClient& http, Clock& clock,
                                         const RetryOptions& retries = {});
// The directories in `root` are the buckets, what lies below each are its objects, as of open_directory_remote().
std::unique_ptr<Account> open_directory_account(const Path& root);
// An account of this one bucket: others cannot be made (`invalid`), nor this one removed.
std::unique_ptr<Account> open_one_bucket_account(std::unique_ptr<Remote> bucket, const std::string& name);

// All objects of all buckets as one Remote, whose keys are "bucket/key".
std::unique_ptr<Remote> open_account_remote(std::unique_ptr<Account> account);

// Throws `invalid` for a name that cannot be one: empty, "." or "..", or with a slash or NUL in it.
void check_bucket_name(const std::string& name);

}  // namespace volary
