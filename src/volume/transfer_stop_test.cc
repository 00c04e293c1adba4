// volume/transfer_stop_test.cc: transfers that are asked to end while a store is silent: they do not wait for it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "core/error.h"
#include "net/scripted_server.h"
#include "volume/transfer_world_test.h"

namespace volary {
namespace {

// An S3 without a word, unless it is told one.
class a_silent_store : public TransferWorld {
 protected:
  a_silent_store() {
    NewDatastore store;
    store.name = "silent";
    store.kind = DatastoreKind::s3;
    store.endpoint = server.url();
    store.bucket = "b";
    datastores.create(alice, store, Asker::own_user);
    put("d/a", "1");
    import("d");
  }
  void serve(Peer& peer) {
    while (auto request = peer.read_request()) {
      const std::string line = request->substr(0, request->find(" HTTP"));
      requests.lock()->push_back(line);
      const std::string answer = answer_to(line);
      if (answer.empty()) return peer.stay_silent();
      peer.send(answer);
    }
  }
  static std::string ok(const std::string& body, const std::string& headers = "") {
    return "HTTP/1.1 200 OK\r\n" + headers + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  size_t asked(const std::string& beginning) {
    auto held = requests.lock();
    return static_cast<size_t>(std::count_if(held->begin(), held->end(), [&](const std::string& line) {
      return line.starts_with(beginning);
    }));
  }
  void wait_for(const std::string& beginning) {
    while (asked(beginning) == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  NewTransfer to(const std::string& directory) {
    NewTransfer asked;
    asked.datastore = "silent";
    asked.destination_directory = directory;
    return asked;
  }

  std::function<std::string(const std::string& line)> answer_to = [](const std::string&) { return ""; };
  Synced<std::vector<std::string>> requests;
  ScriptedServer server{[this](Peer& peer, size_t) { serve(peer); }};
};

TEST_F(a_silent_store, lets_an_export_be_cancelled) {
  const Transfer begun = transfers.create(alice, TransferKind::export_, "digits", to("out"));
  wait_for("GET /b?");
  transfers.cancel(alice, begun.id);
  EXPECT_EQ(ended(begun).state, TransferState::cancelled);
  EXPECT_EQ(asked("GET /b?"), 1u);  // It was not waited for until it was asked again.
}

TEST_F(a_silent_store, lets_the_server_end) {
  const Transfer begun = transfers.create(alice, TransferKind::export_, "digits", to("out"));
  wait_for("GET /b?");
  transfers.stop();
  EXPECT_EQ(transfers.get(alice, begun.id).state, TransferState::planning);
  EXPECT_EQ(asked("GET /b?"), 1u);
}

TEST_F(a_silent_store, lets_the_server_end_that_abandons_an_upload) {
  transfers.stop();
  const Transfer cancelled = transfers.create(alice, TransferKind::export_, "digits", to("out"));
  transfers.cancel(alice, cancelled.id);
  database->write([&](Transaction& t) {
    t.run("INSERT INTO transfer_upload (transfer, key, upload, mark) VALUES ($1, 'out/a', 'u1', 'm')", cancelled.id);
  });
  transfers.start();
  wait_for("DELETE /b/out/a?uploadId=u1");
  transfers.stop();
  EXPECT_EQ(asked("DELETE /b/out/a?uploadId=u1"), 1u);
}

TEST_F(a_silent_store, is_not_told_to_forget_the_upload_of_an_export_that_was_resumed_meanwhile) {
  transfers.stop();
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i) {
    ids.push_back(transfers.create(alice, TransferKind::export_, "digits", to("out")).id);
    transfers.cancel(alice, ids.back());
  }
  std::sort(ids.begin(), ids.end());
  database->write([&](Transaction& t) {
    for (size_t i = 0; i < ids.size(); ++i)
      t.run("INSERT INTO transfer_upload (transfer, key, upload, mark) VALUES ($1, 'out/a', $2, 'm')", ids[i],
            "u" + std::to_string(i));
  });
  answer_to = [&](const std::string& line) -> std::string {
    if (!line.starts_with("DELETE ")) return "";  // The resumed one does not come further than its listing.
    if (line.ends_with("=u0")) transfers.resume(alice, ids[1]);
    return "HTTP/1.1 204 No Content\r\n\r\n";
  };
  transfers.start();
  const auto is_noted = [&](const std::string& id) {
    return database->read([&](Transaction& t) {
      return t.find<std::string>("SELECT upload FROM transfer_upload WHERE transfer = $1", id).has_value();
    });
  };
  while (is_noted(ids[2])) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(asked("DELETE /b/out/a?uploadId=u0"), 1u);
  EXPECT_EQ(asked("DELETE /b/out/a?uploadId=u1"), 0u);
  EXPECT_TRUE(is_noted(ids[1]));
  transfers.stop();
}

TEST_F(a_silent_store, is_told_to_forget_what_a_stopped_copy_began) {
  std::stop_source stop;
  answer_to = [&](const std::string& line) -> std::string {
    if (line.starts_with("HEAD ")) return "HTTP/1.1 200 OK\r\nETag: \"e\"\r\nContent-Length: 6000000000\r\n\r\n";
    if (line.starts_with("POST /b/to?uploads"))
      return ok("<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>");
    if (line.starts_with("DELETE ")) return "HTTP/1.1 204 No Content\r\n\r\n";
    stop.request_stop();
    return "";
  };
  Synced<RequestTroubles> troubles;
  const auto remote = datastores.open_until(datastores.get(alice, "silent"), stop.get_token(), troubles);
  EXPECT_THROW(remote->copy("from", "to"), Error);
  EXPECT_EQ(asked("DELETE /b/to?uploadId=u1"), 1u);
  EXPECT_EQ(troubles.lock()->count, 0u);  // A stop is none.
}

}  // namespace
}  // namespace volary
