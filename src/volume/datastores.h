// volume/datastores.h: the named object stores of a project, and how to reach them.
#pragma once

#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "access/caller.h"
#include "access/secrets.h"
#include "core/clock.h"
#include "core/synced.h"
#include "db/database.h"
#include "record/datastore.h"
#include "remote/account.h"
#include "remote/remote.h"
#include "remote/request_troubles.h"
#include "remote/swift_remote.h"

namespace volary {

// "store:prefix/dir" as people write it.
struct DatastoreReference {
  std::string datastore;
  std::string directory;  // "" is all of it.
};

// Throws `invalid` for a kind that can only be read.
void check_writable(const Datastore& datastore);

enum class CheckWrites { yes, no };

// Any thread may call.
class Datastores {
 public:
  struct Options {
    Path scratch{};  // A directory for what git fetches and for its last listings; "" is the system's for the former.
    Redirects redirects = Redirects::guarded;
    std::vector<Path> open_to_others;  // Only below these may another Asker name directories and files of the server.
  };
  Datastores(Database& database, Secrets& secrets, HttpClient& http, Clock& clock)
      : Datastores(database, secrets, http, clock, Options()) {}
  Datastores(Database& database, Secrets& secrets, HttpClient& http, Clock& clock, Options options);

  // Throws `exists`, `invalid` for options that do not belong to the kind, `not_found` for a secret or directory that
  // is not there, `denied` for a place on the server's machine that is not open to `asker`.
  Datastore create(const Caller& caller, const NewDatastore& request, Asker asker);
  // The one for a URL of a git repository or a file, that is its name; made if it is not there. In no list.
  Datastore of_url(const Caller& caller, NewDatastore request, Asker asker);
  std::vector<Datastore> list(const Caller& caller);
  Datastore get(const Caller& caller, const std::string& name);
  // Throws `conflict` while a transfer or job uses it. What lies in the store stays.
  void remove(const Caller& caller, const std::string& name);

  // Tries what it lets one do. A refusal is an answer, not an error.
  DatastoreCheck check(const Caller& caller, const std::string& name, CheckWrites writes);

  // A connection, with retries. Opens the secret; no request is sent yet.
  std::unique_ptr<Remote> open(const Datastore& datastore);
  // The same, where a requested stop ends what is being waited for at once, `unavailable`, and lets nothing more begin
  // but what takes back what was begun. What failed for the moment is counted in `troubles`, which outlive it.
  std::shared_ptr<Remote> open_until(const Datastore& datastore, std::stop_token stop,
                                     Synced<RequestTroubles>& troubles);
  // Its buckets: of an endpoint, or the one that it is. Throws `invalid` for a kind that has none.
  std::unique_ptr<Account> open_account(const Datastore& datastore);
  // Paid from one budget by all connections of a tenant to the same bucket of the same endpoint.
  RetryOptions retries_of(const Datastore& datastore);

 private:
  Datastore checked_place(const NewDatastore& request, Asker asker);
  void insert(Transaction& transaction, const Caller& caller, const std::string& name, const Datastore& store);
  std::unique_ptr<Remote> open_by(HttpClient& http, const Datastore& datastore, std::stop_token stop);
  std::unique_ptr<Account> open_account_by(HttpClient& http, const Datastore& datastore);
  S3Options s3_options(const Datastore& datastore);
  std::unique_ptr<Remote> open_s3(HttpClient& http, const Datastore& datastore);
  SwiftOptions swift_options(const Datastore& datastore);
  std::unique_ptr<Remote> open_swift(HttpClient& http, const Datastore& datastore);
  std::unique_ptr<Remote> open_hub(HttpClient& http, const Datastore& datastore);
  std::unique_ptr<Remote> open_web(HttpClient& http, const Datastore& datastore);
  std::unique_ptr<Remote> open_git(const Datastore& datastore, std::stop_token stop);
  using Values = std::map<std::string, std::string>;
  Values secret_of(const Datastore& datastore);  // None without a secret.
  std::string reach_of(const Datastore& datastore) const;
  // The client for its proxy and its kind of address.
  HttpClient& http_of(const Datastore& datastore);

  Database& database_;
  Secrets& secrets_;
  HttpClient& http_;
  Clock& clock_;
  const Options options_;
  // Both made when first wanted, and kept to the end.
  Synced<std::map<std::string, std::unique_ptr<HttpClient>>> clients_;
  Synced<std::map<std::string, std::shared_ptr<RetryBudget>>> budgets_;
};

}  // namespace volary
