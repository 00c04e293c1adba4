// record/event.h: what happens in a project, in order, and webhooks, by which others are told of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "record/job.h"
#include "record/transfer.h"

namespace volary {

// A job is in another state.
struct JobMoved {
  std::string id;
  std::string name;
  std::string user;
  JobState state{};
  std::string reason;
  std::optional<int64_t> exit_code;
};
BOOST_DESCRIBE_STRUCT(JobMoved, (), (id, name, user, state, reason, exit_code))

// A transfer is in another state.
struct TransferMoved {
  std::string id;
  TransferKind kind{};
  std::string volume;
  std::string datastore;
  TransferState state{};
  uint64_t version = 0;  // That it read or made; 0: none yet.
  TransferCounts counts;
  std::string error;
};
BOOST_DESCRIBE_STRUCT(TransferMoved, (), (id, kind, volume, datastore, state, version, counts, error))

// A volume has one version more.
struct VersionMade {
  std::string volume;
  uint64_t version = 0;
  uint64_t files = 0;
  uint64_t bytes = 0;
  std::string checksum;
  std::string author;
  std::string message;
};
BOOST_DESCRIBE_STRUCT(VersionMade, (), (volume, version, files, bytes, checksum, author, message))

// A volume was made or deleted.
struct VolumeChanged {
  std::string volume;
  std::string user;
};
BOOST_DESCRIBE_STRUCT(VolumeChanged, (), (volume, user))

// One of them.
struct EventBody {
  std::optional<JobMoved> job = {};
  std::optional<TransferMoved> transfer = {};
  std::optional<VersionMade> version = {};
  std::optional<VolumeChanged> volume = {};
};
BOOST_DESCRIBE_STRUCT(EventBody, (), (job, transfer, version, volume))

struct ProjectEvent {
  uint64_t number = 0;  // Rises over all projects of the server; some are another project's.
  std::string type;     // "job.running", "transfer.done", "version.published": docs/events.md has all.
  std::string subject;  // Id of the job, the transfer or the volume.
  Time date;
  EventBody body;
};
BOOST_DESCRIBE_STRUCT(ProjectEvent, (), (number, type, subject, date, body))

// POST /webhooks
struct NewWebhook {
  std::string name;
  std::string url;                    // http or https.
  std::vector<std::string> types;     // "job.done", "transfer.*"; all unless told.
  std::optional<std::string> secret;  // Whose value 'key' signs; one is made unless told.
};
BOOST_DESCRIBE_STRUCT(NewWebhook, (), (name, url, types, secret))

struct Webhook {
  std::string id;
  std::string project;
  std::string name;
  std::string url;                 // Without what stands behind a '?', which may be secret.
  std::vector<std::string> types;  // Empty: all.
  std::string secret;              // Name of the one that signs; "" if it has a key of its own.
  bool active = false;             // No: its receiver said that it is gone; a ping that is answered well wakes it.
  uint64_t delivered = 0;          // Events that were taken.
  uint64_t dropped = 0;            // That nobody took for webhook_days.
  uint64_t failures = 0;           // In a row, up to now.
  std::string last_error;          // Of the newest failure; "" after a success.
  std::optional<Time> last_delivery_at;
  std::optional<Time> retry_at;    // If failures > 0.
  Time created_at;
  std::string created_by;
};
BOOST_DESCRIBE_STRUCT(Webhook, (), (id, project, name, url, types, secret, active, delivered, dropped, failures,
                                    last_error, last_delivery_at, retry_at, created_at, created_by))

struct CreatedWebhook {
  std::string key;  // "whsec_…": what signatures are made with, shown this once; "" if it is a secret's.
  Webhook webhook;
};
BOOST_DESCRIBE_STRUCT(CreatedWebhook, (), (key, webhook))

// How a receiver answered a ping.
struct WebhookAnswer {
  int64_t status = 0;  // Of HTTP; 0: there was no answer.
  std::string error;   // "" if it was taken.
};
BOOST_DESCRIBE_STRUCT(WebhookAnswer, (), (status, error))

}  // namespace volary
