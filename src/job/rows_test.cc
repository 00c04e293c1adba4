// job/rows_test.cc: what becomes of a queued job whose volume is brought from a bucket, when that goes away meanwhile.
#include "job/rows.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "volume/transfer_world_test.h"

namespace volary {
namespace {

class a_job_whose_volume_is_staged : public TransferWorld {
 protected:
  a_job_whose_volume_is_staged() {
    put("wiki/a", "1");
    NewVolume wiki{"wiki", {}, StorageType::obs, 1 << 20, {}};
    wiki.datastore = "bucket";
    wiki.directory = "wiki";
    volumes.create(alice, wiki);
    staged = ended(transfers.stage(alice, "wiki"));
    database->write([&](Transaction& t) {
      t.run("INSERT INTO job (id, tenant, project, subject, name, spec, state, reason, ending, stop_requested, "
            "created_at, lease_owner, lease_until) VALUES ('job-1', $1, $2, 'alice', '', $3, 'QUEUED', '', '', 0, 0, "
            "'', 0)",
            alice.tenant, alice.project, NewJob{});
      t.run("INSERT INTO job_attachment (job, number, volume, path, access, version, lease, result, staging) "
            "SELECT 'job-1', 0, id, '/data', 'ro', 0, '', 0, $1 FROM volume WHERE name = 'wiki'", staged.id);
    });
  }
  JobFacts waited() {
    const auto job = *database->read([](Transaction& t) { return find_job(t, "job-1"); });
    JobFacts facts = facts_of(job);
    end_wait(*database, job, system_clock().now(), facts);
    return facts;
  }

  Transfer staged;
};

TEST_F(a_job_whose_volume_is_staged, keeps_it_from_being_removed_before_it_has_it_and_while) {
  ASSERT_EQ(staged.version, 1u);
  const auto refusal = [&] {
    try {
      volumes.remove(alice, "wiki");
    } catch (const Error& error) {
      return error.message();
    }
    return std::string();
  };
  EXPECT_EQ(refusal(), "volume 'wiki' is waited for by job job-1, until it is staged from its bucket: expected nobody "
                       "to wait for it");
  EXPECT_EQ(waited().wait, Wait::none);
  EXPECT_EQ(refusal(), "volume 'wiki' is in use by job job-1: expected nobody to hold it");
}

TEST_F(a_job_whose_volume_is_staged, does_not_begin_with_a_version_that_was_deleted) {
  database->write([](Transaction& t) { t.run("DELETE FROM version WHERE number = 1"); });
  const JobFacts facts = waited();
  EXPECT_EQ(facts.wait, Wait::given_up);
  EXPECT_EQ(facts.wait_reason, "version 1 of volume 'wiki', which transfer " + staged.id +
                                   " staged from its bucket, has been deleted since");
}

}  // namespace
}  // namespace volary
