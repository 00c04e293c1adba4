// event/webhooks.cc: webhooks as people make and see them, and what they send.
#include "event/webhooks.h"

#include <sodium.h>

#include "core/error.h"
#include "core/name.h"
#include "core/tree_path.h"
#include "event/webhook_row.h"
#include "net/address.h"
#include "net/request_words.h"
#include "remote/base64.h"
#include "remote/retry.h"

namespace volary {
namespace {

constexpr std::string_view key_prefix = "whsec_";
const std::string key_value = "key";  // Of a secret: what signs.
constexpr size_t key_bytes = 32;

std::string bytes_of_key(std::string_view text) {
  if (!text.starts_with(key_prefix)) return std::string(text);
  const auto bytes = bytes_of_base64(text.substr(key_prefix.size()));
  if (!bytes) throw Error(Errc::invalid, "the key of a webhook begins with whsec_, but is no base64 behind that");
  return *bytes;
}

void check_key(const std::string& text) {
  if (bytes_of_key(text).empty())
    throw Error(Errc::invalid, "the key of a webhook is empty: expected some bytes, which only its receiver knows");
}

// Where the URL's host leads today; what is sent later goes nowhere that is nearer to the server.
std::string reach_of(const std::string& url, Asker asker) {
  if (!url.starts_with("https://") && !url.starts_with("http://"))
    throw Error(Errc::invalid, "'{}' is no URL of a webhook: expected one that begins with https:// or http://",
                printable(url));
  const std::string host = host_of_url(url);
  const size_t begin = url.find("://") + 3;
  if (url.substr(begin, url.find_first_of("/?#", begin) - begin).find('@') != std::string::npos)
    throw Error(Errc::invalid, "the URL of a webhook at '{}' has a name or password before '@', which lists would "
                "show: expected none; what is sent is signed", printable(host));
  const auto kind = kind_of_name(host);
  if (!kind)
    throw Error(Errc::invalid, "the webhook's host '{}' has no address: expected a name that is found now",
                printable(host));
  if (*kind == AddressKind::link_local || (*kind == AddressKind::this_machine && asker == Asker::other))
    throw Error(Errc::denied, "'{}' is an address of {}: expected one of a network{}", printable(host),
                words_of(*kind),
                *kind == AddressKind::link_local ? "" : ", or the server's own user over its Unix socket");
  return std::string(name_of_value(*kind));
}

const json::value& content_of(const json::value& body) {
  return body.as_object().begin()->value();
}

}  // namespace

std::string cloud_event(const std::string& project, const ProjectEvent& event) {
  json::object document{{"specversion", "1.0"},
                        {"id", std::to_string(event.number)},
                        {"source", "urn:volary:" + project},
                        {"type", "volary." + event.type},
                        {"subject", event.subject},
                        {"time", to_text(event.date)},
                        {"datacontenttype", "application/json"}};
  const json::value body = to_json(event.body);
  if (!body.as_object().empty()) document["data"] = content_of(body);
  return print_json(document);
}

std::string webhook_signature(std::string_view key, std::string_view id, int64_t seconds, std::string_view body) {
  const std::string secret = bytes_of_key(key);
  const std::string signed_text = fmt::format("{}.{}.{}", id, seconds, body);
  const auto bytes_of = [](const std::string& text) { return reinterpret_cast<const unsigned char*>(text.data()); };
  crypto_auth_hmacsha256_state state;
  crypto_auth_hmacsha256_init(&state, bytes_of(secret), secret.size());
  crypto_auth_hmacsha256_update(&state, bytes_of(signed_text), signed_text.size());
  std::string mac(crypto_auth_hmacsha256_BYTES, '\0');
  crypto_auth_hmacsha256_final(&state, reinterpret_cast<unsigned char*>(mac.data()));
  return "v1," + base64_of(mac);
}

CreatedWebhook Webhooks::create(const Caller& caller, const NewWebhook& wanted, Asker asker) {
  const Name name = Name::parse(wanted.name, "webhook");
  check_patterns(wanted.types);
  const std::string reach = reach_of(wanted.url, asker);
  const std::string id = new_id("hook");
  CreatedWebhook made;
  std::string sealed;
  if (!wanted.secret) {
    made.key = std::string(key_prefix) + base64_of(system_random().bytes(key_bytes));
    sealed = secrets_.seal(id, caller.project, made.key);
  } else {
    const auto values = secrets_.open(caller.project, *wanted.secret);
    const auto key = values.find(key_value);
    if (key == values.end())
      throw Error(Errc::invalid, "secret '{}' has no value '{}', which a webhook signs with", *wanted.secret,
                  key_value);
    check_key(key->second);
  }
  made.webhook = database_.write([&](Transaction& transaction) {
    if (wanted.secret && !transaction.find<std::string>("SELECT id FROM secret WHERE project = $1 AND name = $2",
                                                        caller.project, *wanted.secret))
      throw Error(Errc::not_found, "there is no secret '{}' in this project any more", printable(*wanted.secret));
    if (transaction.find<std::string>("SELECT id FROM webhook WHERE project = $1 AND name = $2", caller.project,
                                      name.text()))
      throw Error(Errc::exists, "webhook '{}' exists already in this project", name.text());
    transaction.run(
        "INSERT INTO webhook (id, tenant, project, name, url, types, secret, sealed, reach, active, sent, delivered, "
        "dropped, failures, last_error, created_at, created_by) SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, 1, "
        "COALESCE(MAX(number), 0), 0, 0, 0, '', $10, $11 FROM event",
        id, caller.tenant, caller.project, name.text(), wanted.url, wanted.types, wanted.secret.value_or(""), sealed,
        reach, clock_.now(), caller.name);
    return webhook_named(transaction, caller.project, name.text());
  });
  return made;
}

std::vector<Webhook> Webhooks::list(const Caller& caller) {
  auto all = database_.read([&](Transaction& transaction) { return webhooks_of(transaction, caller.project); });
  for (Webhook& one : all) one.url = speakable(one.url);
  return all;
}

Webhook Webhooks::get(const Caller& caller, const std::string& name) {
  Webhook one =
      database_.read([&](Transaction& transaction) { return webhook_named(transaction, caller.project, name); });
  one.url = speakable(one.url);
  return one;
}

void Webhooks::remove(const Caller& caller, const std::string& name) {
  const Webhook webhook = get(caller, name);
  database_.write([&](Transaction& transaction) {
    transaction.run("DELETE FROM webhook WHERE id = $1", webhook.id);
  });
  shared_.lock()->passed.erase(webhook.id);
}

std::string Webhooks::key_of(const WebhookRow& row) {
  if (!row.sealed.empty()) return secrets_.unseal(row.webhook.id, row.webhook.project, row.sealed);
  const auto values = secrets_.open(row.webhook.project, row.webhook.secret);
  const auto key = values.find(key_value);
  if (key == values.end()) throw Error(Errc::invalid, "secret '{}' has no value '{}'", row.webhook.secret, key_value);
  return key->second;
}

WebhookAnswer Webhooks::ping(const Caller& caller, const std::string& name) {
  const WebhookRow row = database_.read([&](Transaction& transaction) {
    return row_of(transaction, webhook_named(transaction, caller.project, name));
  });
  const WebhookAnswer answer = post(row, {0, "webhook.ping", row.webhook.id, clock_.now(), {}}, {});
  if (!answer.error.empty()) return answer;
  database_.write([&](Transaction& transaction) {
    transaction.run("UPDATE webhook SET active = 1, failures = 0, last_error = '', retry_at = NULL WHERE id = $1",
                    row.webhook.id);
    transaction.announce(events_announcement);
  });
  return answer;
}

}  // namespace volary
