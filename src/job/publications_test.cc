// job/publications_test.cc: when a running job's output is to be published, from rows alone.
#include "job/publications.h"

#include <gtest/gtest.h>

#include "job/synchronisations.h"
#include "volume/transfer_world_test.h"

namespace volary {
namespace {

constexpr Time begin{1'000'000'000'000};

class what_a_running_job_writes : public TransferWorld {
 protected:
  what_a_running_job_writes() {
    volumes.create(alice, {"out", {}, {}, {}, {}});
    NewJob spec;
    spec.publish_every_seconds = 60;
    spec.publish_marker = "READY";
    spec.attachments = {{.volume = "out", .path = "/out", .access = AttachAccess::rw},
                        {.volume = "out", .path = "/in", .access = AttachAccess::ro}};
    database->write([&](Transaction& t) {
      t.run("INSERT INTO job (id, tenant, project, subject, name, spec, state, reason, ending, stop_requested, "
            "created_at, started_at, lease_owner, lease_until) VALUES ('job-1', $1, $2, 'alice', '', $3, 'RUNNING', "
            "'', '', 0, 0, $4, '', 0)",
            alice.tenant, alice.project, spec, begin);
      for (const NewAttachment& one : spec.attachments)
        t.run("INSERT INTO job_attachment (job, number, volume, path, access, version, lease, result, staging) "
              "SELECT 'job-1', $1, id, $2, $3, 0, '', 0, '' FROM volume WHERE name = 'out'",
              one.access == AttachAccess::ro, one.path, one.access);
    });
    make_directories(places.scratch(0) / "upper", 0700);
  }

  // What waits after a look at that moment.
  std::string look(int64_t seconds) {
    const auto job = *database->read([](Transaction& t) { return find_job(t, "job-1"); });
    want_publications(*database, job, places, begin.plus_seconds(seconds));
    std::string waiting;
    for (const SyncRow& sync : database->read([](Transaction& t) { return syncs_of(t, "job-1"); }))
      if (!is_ended(sync.state)) waiting += fmt::format("{} {};", sync.number, name_of_value(sync.occasion));
    return waiting;
  }
  void end_all() {
    database->write([](Transaction& t) { t.run("UPDATE data_sync SET state = 'DONE'"); });
  }
  void touch_marker() { write_file_durably(places.scratch(0) / "upper" / "READY", ""); }

  const JobPlaces places = places_of(scratch.path / "jobs", "job-1", 1);
};

TEST_F(what_a_running_job_writes, is_published_each_interval_since_it_ran_and_since_the_last_one) {
  EXPECT_EQ(look(0), "");
  EXPECT_EQ(look(59), "");
  EXPECT_EQ(look(75), "0 interval;");
  EXPECT_EQ(look(200), "0 interval;");  // Not a second one beside it.
  end_all();
  EXPECT_EQ(look(134), "");
  EXPECT_EQ(look(135), "0 interval;");
}

TEST_F(what_a_running_job_writes, is_not_published_late_because_the_clock_was_set_back) {
  EXPECT_EQ(look(100'000), "0 interval;");
  end_all();
  EXPECT_EQ(look(50), "0 interval;");
  end_all();
  EXPECT_EQ(look(109), "");
  EXPECT_EQ(look(110), "0 interval;");
}

TEST_F(what_a_running_job_writes, is_published_once_for_each_marker_that_is_made) {
  touch_marker();
  EXPECT_EQ(look(1), "0 marker;");
  end_all();
  EXPECT_EQ(look(2), "");
  write_file_durably(places.scratch(0) / "upper" / "other", "");  // So that the next one is another inode.
  remove_file(places.scratch(0) / "upper" / "READY");
  EXPECT_EQ(look(3), "");
  touch_marker();
  EXPECT_EQ(look(4), "0 marker;");
}

TEST_F(what_a_running_job_writes, is_published_again_for_a_marker_whose_publication_failed) {
  touch_marker();
  EXPECT_EQ(look(1), "0 marker;");
  database->write([](Transaction& t) {
    t.run("UPDATE data_sync SET state = 'FAILED', ended_at = $1", begin.plus_seconds(2));
  });
  EXPECT_EQ(look(11), "");
  EXPECT_EQ(look(12), "0 marker;");
  end_all();
  EXPECT_EQ(look(30), "");
}

TEST_F(what_a_running_job_writes, does_not_wait_for_another_attachment_that_is_still_pushed) {
  database->write([](Transaction& t) {
    t.run("INSERT INTO data_sync (id, job, number, direction, manual, occasion, state, volume, version, transfer, "
          "reason, created_at) SELECT 'sync-1', 'job-1', 7, 'push', 0, 'interval', 'RUNNING', id, 0, '', '', 0 "
          "FROM volume WHERE name = 'out'");
  });
  EXPECT_EQ(look(75), "7 interval;0 interval;");
}

TEST_F(what_a_running_job_writes, is_published_when_a_marker_appeared_during_a_publication) {
  EXPECT_EQ(look(60), "0 interval;");
  touch_marker();
  EXPECT_EQ(look(61), "0 interval;");
  end_all();
  EXPECT_EQ(look(62), "0 marker;");
}

TEST_F(what_a_running_job_writes, has_no_marker_where_a_link_or_directory_stands) {
  make_directory(places.scratch(0) / "upper" / "READY");
  EXPECT_EQ(look(1), "");
  remove_tree(places.scratch(0) / "upper" / "READY");
  std::filesystem::create_symlink("/etc/passwd", (places.scratch(0) / "upper" / "READY").native());
  EXPECT_EQ(look(2), "");
}

}  // namespace
}  // namespace volary
