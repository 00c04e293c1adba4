// job/receipts_test.cc: what a receipt says that a job read and made, from rows alone.
#include "job/receipts.h"

#include <gtest/gtest.h>

#include "volume/transfer_world_test.h"

namespace volary {
namespace {

class a_receipt : public TransferWorld {
 protected:
  a_receipt() {
    volumes.create(alice, {"out", {}, {}, {}, {}});
    NewJob spec;
    spec.command = {"true"};
    database->write([&](Transaction& t) {
      t.run("INSERT INTO job (id, tenant, project, subject, name, spec, state, reason, ending, stop_requested, "
            "created_at, ended_at, lease_owner, lease_until) VALUES ('job-1', $1, $2, 'alice', '', $3, 'DONE', '', "
            "'DONE', 0, 0, 9, '', 0)",
            alice.tenant, alice.project, spec);
      t.run("INSERT INTO job_attachment (job, number, volume, path, access, version, lease, result) "
            "SELECT 'job-1', 0, id, '/out', 'rw', 1, '', 0 FROM volume WHERE name = 'out'");
    });
    add_version(1, "import", "tr-1");
  }

  void add_version(uint64_t number, const std::string& origin, const std::string& origin_id) {
    database->write([&](Transaction& t) {
      t.run("INSERT INTO version (volume, number, tree, checksum, files, bytes, author, created_at, message, origin, "
            "origin_id) SELECT id, $1, '', '', 0, 0, 'alice', 0, '', $2, $3 FROM volume WHERE name = 'out'",
            number, origin, origin_id);
    });
  }
  void publish(uint64_t number, uint64_t past_run = 0) {
    const std::string sync = fmt::format("sync-{}", number);
    database->write([&](Transaction& t) {
      t.run("INSERT INTO data_sync (id, job, number, direction, manual, occasion, state, volume, version, transfer, "
            "reason, created_at, past_run) SELECT $1, 'job-1', 0, 'push', 0, 'interval', 'DONE', id, $2, '', '', 0, $3 "
            "FROM volume WHERE name = 'out'",
            sync, number, past_run);
    });
    add_version(number, "job", sync);
  }
  // What it says that the job wrote, when that ended with `result`: "out@2 out@3 ".
  std::string written(uint64_t result) {
    database->write([&](Transaction& t) {
      t.run("UPDATE job_attachment SET result = $1", result);
      keep_receipt(t, "job-1");
    });
    const auto text = database->read([](Transaction& t) { return *t.find<std::string>("SELECT receipt FROM job"); });
    const auto kept = from_json<Receipt>(parse_json(text, "a receipt"), "receipt");
    EXPECT_EQ(kept.read.size(), 1u);
    std::string names;
    for (const ReceiptVersion& one : kept.written) names += fmt::format("{}@{} ", one.volume, one.version);
    return names;
  }
};

TEST_F(a_receipt, names_what_the_run_published_and_made_at_its_end_each_once) {
  EXPECT_EQ(written(0), "");
  publish(2, 1);  // By the run before.
  publish(3);
  add_version(4, "import", "tr-2");
  publish(5);
  EXPECT_EQ(written(0), "out@3 out@5 ");
  EXPECT_EQ(written(5), "out@3 out@5 ");
  add_version(6, "job", "job-1");
  EXPECT_EQ(written(6), "out@3 out@5 out@6 ");
}

}  // namespace
}  // namespace volary
