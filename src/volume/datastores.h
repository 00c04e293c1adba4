// volume/datastores.h: the named object stores of a project, and how to reach them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "access/caller.h"
#include "access/secrets.h"
#include "core/clock.h"
#include "db/database.h"
#include "record/datastore.h"
#include "remote/account.h"
#include "remote/remote.h"

namespace volary {

// "store:prefix/dir" as people write it.
struct DatastoreReference {
  std::string datastore;
  std::string directory;  // "" is all of it.
};

// Any thread may call.
class Datastores {
 public:
  Datastores(Database& database, Secrets& secrets, HttpClient& http, Clock& clock)
      : database_(database), secrets_(secrets), http_(http), clock_(clock) {}

  // Throws `exists`, `invalid` for options that do not belong to the kind, `not_found` for a secret or directory that
  // is not there.
  Datastore create(const Caller& caller, const NewDatastore& request);
  std::vector<Datastore> list(const Caller& caller);
  Datastore get(const Caller& caller, const std::string& name);
  // Throws `conflict` while a transfer uses it. What lies in the store stays.
  void remove(const Caller& caller, const std::string& name);

  // A connection, with retries. Opens the secret; no request is sent yet.
  std::unique_ptr<Remote> open(const Datastore& datastore);
  // Its buckets: of an endpoint, or the one that it is. Throws `invalid` for a kind that has none.
  std::unique_ptr<Account> open_account(const Datastore& datastore);

 private:
  S3Options s3_options(const Datastore& datastore);
  std::unique_ptr<Remote> open_s3(const Datastore& datastore);
  std::unique_ptr<Remote> open_hub(const Datastore& datastore);
  // Its values; none without a secret.
  std::map<std::string, std::string> secret_of(const Datastore& datastore);

  Database& database_;
  Secrets& secrets_;
  HttpClient& http_;
  Clock& clock_;
};

}  // namespace volary
