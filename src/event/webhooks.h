// event/webhooks.h: receivers elsewhere that are told of events, by HTTP, signed, until they have taken them.
//
// Each event is one POST of a CloudEvents 1.0 document (structured mode, application/cloudevents+json), signed as the
// Standard Webhooks specification says: webhook-id, webhook-timestamp, and
//
//   webhook-signature = "v1," base64( HMAC-SHA256( key, id "." timestamp "." body ) )
//   key               = "whsec_" base64( bytes ), or the bytes of the secret's value themselves without that prefix
//
// A webhook gets its project's events in their order, at least once: after a crash some come again, with the same id.
// 2xx is taken; 410 ends the webhook; all else is tried again, after 5 s, 10 s, … up to an hour, for webhook_days.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "access/caller.h"
#include "access/secrets.h"
#include "core/clock.h"
#include "core/synced.h"
#include "db/database.h"
#include "event/events.h"
#include "net/http_client.h"

namespace volary {

constexpr int64_t webhook_days = 3;  // An event that nobody took for so long is dropped.

// The document of an event.
std::string cloud_event(const std::string& project, const ProjectEvent& event);
// The value of webhook-signature. Throws `invalid` if the key is none.
std::string webhook_signature(std::string_view key, std::string_view id, int64_t seconds, std::string_view body);

struct WebhookRow;

// Any thread may call.
class Webhooks {
 public:
  using Log = std::function<void(std::string_view line)>;
  Webhooks(Database& database, Secrets& secrets, Clock& clock, Log log)
      : database_(database), secrets_(secrets), clock_(clock), log_(std::move(log)) {}
  ~Webhooks() { stop(); }

  // It is told of what happens from now on. Throws `invalid`, `exists`, `not_found` for the secret, `denied` for a URL
  // of this machine unless the server's own user asks.
  CreatedWebhook create(const Caller& caller, const NewWebhook& wanted, Asker asker);
  std::vector<Webhook> list(const Caller& caller);
  Webhook get(const Caller& caller, const std::string& name);
  void remove(const Caller& caller, const std::string& name);
  // Sends an event "webhook.ping" now. If it is taken, what waits is delivered at once.
  WebhookAnswer ping(const Caller& caller, const std::string& name);

  // Delivers from now on, on threads of its own.
  void start();
  void stop();

 private:
  struct Shared {
    std::set<std::string> in_hand;           // Ids that a thread delivers for.
    std::map<std::string, uint64_t> passed;  // By id: up to where there is nothing that it wants.
    uint64_t wakeups = 0;
    bool stopping = false;
  };

  void work(const std::stop_token& stop);
  std::optional<WebhookRow> take_due();
  Time next_retry();
  void deliver(const WebhookRow& row, const std::stop_token& stop);
  std::string key_of(const WebhookRow& row);
  WebhookAnswer post(const WebhookRow& row, const ProjectEvent& event, const std::stop_token& stop);
  HttpClient& http_of(const std::string& reach);
  void wake();

  Database& database_;
  Secrets& secrets_;
  Clock& clock_;
  const Log log_;
  Synced<std::map<std::string, std::unique_ptr<HttpClient>>> clients_;  // By reach.
  Synced<Shared> shared_;
  std::condition_variable changed_;
  Watch watch_;
  std::vector<std::jthread> threads_;
};

}  // namespace volary
