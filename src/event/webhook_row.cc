// event/webhook_row.cc: reading the table webhook, for event/webhook_row.h.
#include "event/webhook_row.h"

#include "core/error.h"
#include "core/tree_path.h"

namespace volary {
namespace {

constexpr std::string_view select_webhook =
    "SELECT id, project, name, url, types, secret, active, delivered, dropped, failures, last_error, last_delivery_at, "
    "retry_at, created_at, created_by FROM webhook ";

struct Inside {
  std::string sealed;
  std::string reach;
  uint64_t newest = 0;
  uint64_t sent = 0;
};
BOOST_DESCRIBE_STRUCT(Inside, (), (sealed, reach, newest, sent))

}  // namespace

std::vector<Webhook> webhooks_of(Transaction& transaction, const std::string& project) {
  return transaction.all<Webhook>(std::string(select_webhook) + "WHERE project = $1 ORDER BY name", project);
}

Webhook webhook_named(Transaction& transaction, const std::string& project, const std::string& name) {
  auto webhook =
      transaction.find<Webhook>(std::string(select_webhook) + "WHERE project = $1 AND name = $2", project, name);
  if (!webhook) throw Error(Errc::not_found, "there is no webhook '{}' in this project", printable(name));
  return *std::move(webhook);
}

WebhookRow row_of(Transaction& transaction, const Webhook& webhook) {
  const auto inside = transaction.find<Inside>(
      "SELECT sealed, reach, (SELECT COALESCE(MAX(number), 0) FROM event WHERE event.project = webhook.project), sent "
      "FROM webhook WHERE id = $1",
      webhook.id);
  if (!inside) throw Error(Errc::not_found, "there is no webhook '{}' any more", webhook.name);
  return {webhook, inside->sealed, inside->reach, inside->newest, inside->sent};
}

std::vector<WebhookRow> due_webhooks(Transaction& transaction, Time now) {
  const auto webhooks = transaction.all<Webhook>(
      std::string(select_webhook) +
          "WHERE active = 1 AND COALESCE(retry_at, 0) <= $1 AND EXISTS (SELECT 1 FROM event WHERE event.project = "
          "webhook.project AND event.number > webhook.sent) ORDER BY id",
      now);
  std::vector<WebhookRow> rows;
  for (const Webhook& one : webhooks) rows.push_back(row_of(transaction, one));
  return rows;
}

}  // namespace volary
