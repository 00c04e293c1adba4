// event/events_test.cc: events come with their changes or not at all, in order; receivers get each in its turn.
#include "event/events.h"

#include <gtest/gtest.h>

#include "db/scratch_test.h"
#include "event/webhook_row.h"
#include "event/webhooks.h"

namespace volary {
namespace {

class EventsTest : public testing::Test {
 protected:
  void happens(std::string_view type, const std::string& project = "prj-default") {
    database_->write([&](Transaction& transaction) {
      note_event(transaction, project, type, "vol-1", {.volume = VolumeChanged{"v", "ann"}}, clock_.now());
    });
  }
  std::vector<std::string> types(const EventQuery& query = {}) {
    std::vector<std::string> found;
    for (const ProjectEvent& one : events_.list(caller_, query).events) found.push_back(one.type);
    return found;
  }

  const Scratch scratch_;
  const Caller caller_{"sub-1", "ann", "ten-default", "prj-default"};
  FakeClock clock_{Time{1'000'000'000'000'000}};
  std::unique_ptr<Database> database_ = open_database(scratch_.url());
  EventLog events_{*database_, clock_};
  Secrets secrets_{*database_, scratch_.path() / "secrets.key", clock_};
};

using Types = std::vector<std::string>;

TEST_F(EventsTest, AreListedInOrderByPatternAndAfterANumber) {
  for (const char* type : {"volume.created", "job.queued", "job.done", "transfer.done"}) happens(type);
  EXPECT_EQ(types(), (Types{"volume.created", "job.queued", "job.done", "transfer.done"}));
  EXPECT_EQ(types({.after = 2}), (Types{"job.done", "transfer.done"}));
  EXPECT_EQ(types({.types = {"job.*", "transfer.failed"}}), (Types{"job.queued", "job.done"}));
  EXPECT_EQ(types({.limit = 1}), (Types{"volume.created"}));
  EXPECT_EQ(types({.types = {"transfer.done"}, .limit = 1}), (Types{"transfer.done"}));  // Behind three others.
  EXPECT_EQ(events_.newest(), 4u);
}

TEST_F(EventsTest, AreLookedThroughPieceByPiece) {
  for (int i = 0; i < 1500; ++i) happens("volume.created");
  happens("job.done");
  const EventsFound first = events_.list(caller_, {.types = {"job.*"}});
  EXPECT_TRUE(first.events.empty());
  EXPECT_EQ(first.passed, 1000u);
  EXPECT_FALSE(first.is_all);
  const EventsFound second = events_.list(caller_, {.after = first.passed, .types = {"job.*"}});
  EXPECT_EQ(second.events.size(), 1u);
  EXPECT_TRUE(second.is_all);
}

TEST_F(EventsTest, AreNotThereWithoutTheirChange) {
  EXPECT_EQ(error_of([&] {
              database_->write([&](Transaction& transaction) {
                note_event(transaction, "prj-default", "job.done", "job-1", {}, clock_.now());
                throw Error(Errc::conflict, "the change fails");
              });
            }),
            "conflict: the change fails");
  EXPECT_EQ(types(), Types{});
}

TEST_F(EventsTest, AreForgottenAfterThirtyDaysButForTheNewest) {
  happens("job.done");
  happens("job.failed");
  clock_.set(clock_.now().plus_seconds((event_days + 1) * 86400));
  events_.prune();
  EXPECT_EQ(types(), (Types{"job.failed"}));
  happens("job.queued");
  EXPECT_EQ(events_.newest(), 3u) << "a number is given once";
  events_.prune();
  EXPECT_EQ(types(), (Types{"job.queued"}));
}

TEST_F(EventsTest, PatternsThatMatchNothingAreRefused) {
  for (const char* fine : {"*", "job.*", "job.done", "transfer.failed", "version.published", "volume.created"})
    EXPECT_NO_THROW(check_patterns({fine}));
  for (const char* wrong : {"", "job", "job.", "jobs.done", "*.done", "job.*.x", "job.finished", "webhook.*"})
    EXPECT_EQ(error_of([&] { check_patterns({wrong}); }),
              "invalid: '" + std::string(wrong) + "' matches no event: expected one such as job.done, job.*, "
              "transfer.failed, version.published, volume.* or *");
}

// Computed by Python:
// hmac.new(base64.b64decode("MfKQ9r8GKYqTwUPD8ILPZIo2LaLaSw=="), b"msg_p5jXN8.1614265330.{}", "sha256").digest()
TEST(WebhookSignature, IsThatOfTheStandard) {
  EXPECT_EQ(webhook_signature("whsec_MfKQ9r8GKYqTwUPD8ILPZIo2LaLaSw==", "msg_p5jXN8", 1614265330, "{}"),
            "v1,t+auGht+Kc+EznYl3ogGp8SWb9DVYP+zlBshrY7rsvk=");
  EXPECT_EQ(webhook_signature("a word", "msg_p5jXN8", 1614265330, "{}"),
            "v1,2yJ3KhTyCRNjN0blP0NqAo1rfMUdN+OZowbg5IZST08=");
  EXPECT_EQ(error_of([] { webhook_signature("whsec_$", "a", 1, ""); }),
            "invalid: the key of a webhook begins with whsec_, but is no base64 behind that");
}

TEST(CloudEvent, HasTheAttributesOfTheSpecification) {
  const ProjectEvent event{7, "volume.created", "vol-1", Time{1'000'000}, {.volume = VolumeChanged{"v", "ann"}}};
  EXPECT_EQ(cloud_event("prj-1", event),
            R"({"specversion":"1.0","id":"7","source":"urn:volary:prj-1","type":"volary.volume.created",)"
            R"("subject":"vol-1","time":"1970-01-01T00:00:01.000000Z","datacontenttype":"application/json",)"
            R"("data":{"volume":"v","user":"ann"}})");
}

TEST_F(EventsTest, AnEventThatNobodyTakesForThreeDaysIsDropped) {
  Webhooks webhooks(*database_, secrets_, clock_, [](std::string_view) {});
  webhooks.create(caller_, {"hook", "http://127.0.0.1:1/", {"job.*"}, {}}, Asker::own_user);  // Nobody listens.
  happens("job.done");
  happens("volume.created");
  clock_.set(clock_.now().plus_seconds((webhook_days + 1) * 86400));
  happens("job.failed");
  webhooks.start();
  for (;;) {
    const Webhook now = webhooks.get(caller_, "hook");
    if (now.failures == 0 || now.dropped == 0) {
      std::this_thread::yield();
      continue;
    }
    EXPECT_EQ(now.dropped, 1u);
    EXPECT_EQ(now.delivered, 0u);
    EXPECT_TRUE(now.active);
    EXPECT_THAT(now.last_error, testing::HasSubstr("the request to http://127.0.0.1:1/ failed"));
    EXPECT_GT(now.retry_at->micros, clock_.now().micros);
    break;
  }
  webhooks.stop();
  const Webhook last = webhooks.get(caller_, "hook");
  EXPECT_EQ(database_->read([&](Transaction& transaction) { return row_of(transaction, last).sent; }), 1u);
}

TEST_F(EventsTest, AWebhooksUrlLeadsToANetworkAndNotToThisMachine) {
  Webhooks webhooks(*database_, secrets_, clock_, [](std::string_view) {});
  const auto made = [&](const std::string& url, Asker asker = Asker::other) {
    return error_of([&] { webhooks.create(caller_, {"hook", url, {}, {}}, asker); });
  };
  EXPECT_EQ(made("ftp://example.com/"),
            "invalid: 'ftp://example.com/' is no URL of a webhook: expected one that begins with https:// or http://");
  EXPECT_EQ(made("http://127.0.0.1/"), "denied: '127.0.0.1' is an address of this machine: expected one of a network, "
                                       "or the server's own user over its Unix socket");
  EXPECT_EQ(made("http://169.254.169.254/", Asker::own_user),
            "denied: '169.254.169.254' is an address of this machine's own link: expected one of a network");
  EXPECT_EQ(made("http://name.invalid/"),
            "invalid: the webhook's host 'name.invalid' has no address: expected a name that is found now");
  EXPECT_EQ(made("http://192.0.2.1/"), "nothing was thrown");
  EXPECT_EQ(made("http://192.0.2.1/"), "exists: webhook 'hook' exists already in this project");
  EXPECT_EQ(made("http://ann:word@192.0.2.1/"),
            "invalid: the URL of a webhook at '192.0.2.1' has a name or password before '@', which lists would show: "
            "expected none; what is sent is signed");
}

TEST_F(EventsTest, AWebhookSignsWithItsOwnKeyOrWithThatOfASecretWhichStays) {
  Webhooks webhooks(*database_, secrets_, clock_, [](std::string_view) {});
  const auto make = [&](const std::string& name, std::optional<std::string> secret) {
    return webhooks.create(caller_, {name, "http://192.0.2.1/", {}, secret}, Asker::other).key;
  };
  EXPECT_EQ(make("own", {}).substr(0, 6), "whsec_");
  EXPECT_TRUE(secrets_.list(caller_).empty());
  secrets_.create(caller_, {"webhook-ci", {{"key", "a word"}}});
  EXPECT_EQ(make("ci", "webhook-ci"), "");
  EXPECT_EQ(error_of([&] { secrets_.remove(caller_, "webhook-ci"); }),
            "conflict: secret 'webhook-ci' signs what webhook 'ci' sends: expected none");
  webhooks.remove(caller_, "ci");
  EXPECT_EQ(secrets_.list(caller_).size(), 1u);
  secrets_.create(caller_, {"other", {{"word", "a word"}}});
  EXPECT_EQ(error_of([&] { make("ci", "other"); }),
            "invalid: secret 'other' has no value 'key', which a webhook signs with");
  secrets_.create(caller_, {"empty", {{"key", "whsec_"}}});
  EXPECT_EQ(error_of([&] { make("ci", "empty"); }),
            "invalid: the key of a webhook is empty: expected some bytes, which only its receiver knows");
  // What is sealed for one row opens in no other, and with no other key.
  const std::string sealed = secrets_.seal("hook-1", "prj-default", "a word");
  EXPECT_EQ(secrets_.unseal("hook-1", "prj-default", sealed), "a word");
  EXPECT_THAT(error_of([&] { secrets_.unseal("hook-2", "prj-default", sealed); }),
              testing::StartsWith("corrupt: what hook-2 keeps sealed does not open with the key in "));
}

}  // namespace
}  // namespace volary
