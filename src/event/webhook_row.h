// event/webhook_row.h: the table webhook. For this folder only.
#pragma once

#include <string>
#include <vector>

#include "db/database.h"
#include "record/event.h"

namespace volary {

// A webhook with what people are not shown of it.
struct WebhookRow {
  Webhook webhook;
  std::string sealed;  // Its own key; "" if a secret signs.
  std::string reach;   // The kind of address that its URL led to when it was made.
  uint64_t newest = 0;  // Number of its project's newest event.
  uint64_t sent = 0;   // Number of the last event that is dealt with.
};

std::vector<Webhook> webhooks_of(Transaction& transaction, const std::string& project);  // By name.
Webhook webhook_named(Transaction& transaction, const std::string& project, const std::string& name);
WebhookRow row_of(Transaction& transaction, const Webhook& webhook);
// Those that are not to wait until later, with an event behind the last one that is dealt with, or none.
std::vector<WebhookRow> due_webhooks(Transaction& transaction, Time now);

}  // namespace volary
