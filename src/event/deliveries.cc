// event/deliveries.cc: sending events to the receivers of webhooks, again and again until they are taken.
//
// A few threads take one webhook each and send what waits for it, in order; a slow receiver holds up its own webhook
// only, as long as there are not as many of them as threads. How far a webhook is stands in its row and is written when
// a batch has been taken: what a crash forgets is sent once more, with the id that it had.
#include <algorithm>
#include <chrono>

#include "core/error.h"
#include "core/fault.h"
#include "core/random.h"
#include "event/webhook_row.h"
#include "event/webhooks.h"
#include "remote/retry.h"

namespace volary {
namespace {

constexpr size_t threads_max = 4;
constexpr uint64_t batch_events = 20;  // Of which what was taken is written down together.
constexpr uint64_t answer_bytes_max = 64 << 10;
constexpr uint64_t answer_seconds_max = 15;
constexpr int64_t first_retry_seconds = 5;
constexpr int64_t retry_seconds_max = 3600;
constexpr int64_t day_micros = 86'400'000'000;
constexpr std::chrono::seconds idle_pause{60};
constexpr int64_t gone = 410;

// What a receiver says is not wanted, and not much of it is taken.
class Unread final : public Sink {
 public:
  void write(std::string_view bytes) override {
    bytes_ += bytes.size();
    if (bytes_ > answer_bytes_max) throw Error(Errc::exhausted, "its answer is longer than {} bytes", answer_bytes_max);
  }

 private:
  uint64_t bytes_ = 0;
};

// 5 s, 10 s, 20 s, … up to an hour, less up to a quarter so that many do not come at once.
Time retry_after(Time now, uint64_t failures) {
  const int64_t doublings = std::min<int64_t>(static_cast<int64_t>(failures) - 1, 20);
  const int64_t micros = std::min(first_retry_seconds << doublings, retry_seconds_max) * 1'000'000;
  const auto chance = static_cast<unsigned char>(system_random().bytes(1).front());
  return {now.micros + micros - micros / 4 * chance / 255};
}

}  // namespace

WebhookAnswer Webhooks::post(const WebhookRow& row, const ProjectEvent& event, const std::stop_token& stop) {
  WebhookAnswer answer;
  const auto error = error_of([&] {
    HttpRequest request;
    request.method = "POST";
    request.url = row.webhook.url;
    request.body = cloud_event(row.webhook.project, event);
    request.stall_seconds = answer_seconds_max;
    request.seconds_max = answer_seconds_max;
    request.stop = stop;
    const std::string id = event.number ? fmt::format("evt-{}", event.number) : new_id("ping");
    const int64_t seconds = clock_.now().micros / 1'000'000;
    request.headers = {{"content-type", "application/cloudevents+json; charset=utf-8"},
                       {"user-agent", "volary"},
                       {"webhook-id", id},
                       {"webhook-timestamp", std::to_string(seconds)},
                       {"webhook-signature", webhook_signature(key_of(row), id, seconds, request.body)}};
    Unread unread;
    answer.status = http_of(row.reach).send(request, &unread).status;
  });
  if (error) answer.error = error->what();
  else if (answer.status < 200 || answer.status >= 300)
    answer.error = fmt::format("its receiver answers with {}: expected 2xx", answer.status);
  return answer;
}

HttpClient& Webhooks::http_of(const std::string& reach) {
  auto clients = clients_.lock();
  auto& client = (*clients)[reach];
  if (!client) client = make_http_client({.made_for = value_named<AddressKind>(reach, "kind of address")});
  return *client;
}

// What is sent is in its row; that there is nothing wanted up to some event only the memory knows, which is looked
// through again after a start.
void Webhooks::deliver(const WebhookRow& row, const std::stop_token& stop) {
  const Webhook& webhook = row.webhook;
  auto shared = shared_.lock();
  const uint64_t after = std::max(row.sent, shared->passed[webhook.id]);
  shared.unlock();
  const EventsFound found = database_.read([&](Transaction& transaction) {
    return events_of(transaction, webhook.project, {after, webhook.types, batch_events});
  });
  uint64_t taken = 0;
  uint64_t dropped = 0;
  uint64_t sent = row.sent;
  uint64_t passed = found.passed;
  WebhookAnswer answer;
  for (const ProjectEvent& event : found.events) {
    if (answer.error.empty()) answer = post(row, event, stop);  // Else it takes nothing now.
    fault::point("webhook.posted");
    const bool is_cut_off = stop.stop_requested() && !answer.error.empty();
    const bool is_old = event.date.micros < clock_.now().micros - webhook_days * day_micros;
    if (is_cut_off) answer = {};
    if (is_cut_off || (!answer.error.empty() && !is_old)) {
      passed = std::max(sent, after);
      break;
    }
    ++(answer.error.empty() ? taken : dropped);
    sent = event.number;
    if (!stop.stop_requested()) continue;
    passed = sent;
    break;
  }
  shared_.lock()->passed[webhook.id] = passed;
  if (taken + dropped == 0 && answer.error.empty()) return;
  const Time now = clock_.now();
  const uint64_t failures = answer.error.empty() ? 0 : webhook.failures + 1;
  const bool may_drop_more = dropped == batch_events;
  std::optional<Time> retry_at;
  if (failures) retry_at = may_drop_more ? now : retry_after(now, failures);
  database_.write([&](Transaction& transaction) {
    transaction.run(
        "UPDATE webhook SET sent = $2, delivered = delivered + $3, dropped = dropped + $4, failures = $5, "
        "last_error = $6, retry_at = $7, active = $8, last_delivery_at = CASE WHEN $9 > 0 THEN $10 ELSE "
        "last_delivery_at END WHERE id = $1",
        webhook.id, sent, taken, dropped, failures, answer.error, retry_at, answer.status != gone, taken, now);
  });
  if (answer.status == gone)
    log_(fmt::format("webhook {} ('{}') has ended: its receiver answers that it is gone", webhook.id, webhook.name));
}

std::optional<WebhookRow> Webhooks::take_due() {
  const auto look = [&] {
    return database_.read([&](Transaction& transaction) { return due_webhooks(transaction, clock_.now()); });
  };
  for (const WebhookRow& seen : look()) {
    const std::string& id = seen.webhook.id;
    auto shared = shared_.lock();
    if (shared->passed[id] >= seen.newest || !shared->in_hand.insert(id).second) continue;
    shared.unlock();
    changed_.notify_one();  // Another may be due.
    // Whoever had it until now may have changed it since it was seen.
    std::vector<WebhookRow> now;
    const auto error = error_of([&] { now = look(); });
    const auto found = std::find_if(now.begin(), now.end(), [&](const auto& one) { return one.webhook.id == id; });
    if (found != now.end()) return std::move(*found);
    shared_.lock()->in_hand.erase(id);
    if (error) throw Error(*error);
  }
  return std::nullopt;
}

// When the first of those that wait may be tried again; never, if none does.
Time Webhooks::next_retry() {
  return database_.read([&](Transaction& transaction) {
    return transaction.find<Time>("SELECT COALESCE(MIN(retry_at), $1) FROM webhook WHERE active = 1 AND retry_at > $2",
                                  Time{INT64_MAX}, clock_.now()).value_or(Time{INT64_MAX});
  });
}

// A step of background work: its errors end here, for the operator, and it is tried again.
void Webhooks::work(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const uint64_t seen = shared_.lock()->wakeups;  // Before looking: what comes from now on ends the pause.
    std::chrono::milliseconds pause = idle_pause;
    const auto error = error_of([&] {
      for (auto row = take_due(); row; row = stop.stop_requested() ? std::nullopt : take_due()) {
        const auto failed = error_of([&] { deliver(*row, stop); });
        shared_.lock()->in_hand.erase(row->webhook.id);
        if (failed) throw *failed;
      }
      const int64_t wait = next_retry().micros - clock_.now().micros;
      pause = std::min(pause, std::chrono::milliseconds(std::max<int64_t>(wait / 1000, 1)));
    });
    if (error) log_(fmt::format("webhooks: {}", error->what()));
    auto shared = shared_.lock();
    shared.wait_for(changed_, pause, [&] { return shared->stopping || shared->wakeups != seen; });
    if (shared->stopping) return;
  }
}

void Webhooks::wake() {
  ++shared_.lock()->wakeups;
  changed_.notify_one();
}

void Webhooks::start() {
  watch_ = database_.watch(events_announcement, [this] { wake(); });
  for (size_t i = 0; i < threads_max; ++i)
    threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
}

void Webhooks::stop() {
  watch_.reset();
  shared_.lock()->stopping = true;
  for (auto& thread : threads_) thread.request_stop();
  changed_.notify_all();
  threads_.clear();
}

}  // namespace volary
