// db/durability_test.cc: what is left of a database whose process dies, whose disk fails or is full: all that was
// acknowledged, nothing by half.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <functional>
#include <sstream>

#include "db/database.h"
#include "db/scratch_test.h"

namespace {
std::atomic<int> syncs = 0;
std::atomic<bool> syncs_fail = false;
}  // namespace

// Stands before the C library's for SQLite too.
extern "C" int fdatasync(int fd) {
  ++syncs;
  if (!syncs_fail) return ::fsync(fd);
  errno = EIO;
  return -1;
}

namespace volary {
namespace {

// A child of this program in which one disabled test runs, with an environment of its own.
class Child {
 public:
  Child(const std::string& test, const std::string& url, const std::string& fault, const Path& fault_log) {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    process_ = ::fork();
    if (process_ == 0) {
      ::dup2(ends[1], 3);
      ::setenv("VOLARY_TEST_URL", url.c_str(), 1);
      ::setenv("VOLARY_FAULT", fault.c_str(), 1);
      ::setenv("VOLARY_FAULT_LOG", fault_log.c_str(), 1);
      const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
      ::dup2(nowhere, 1);
      const std::string filter = "--gtest_filter=" + test;
      ::execl("/proc/self/exe", "db_test", filter.c_str(), "--gtest_also_run_disabled_tests", nullptr);
      ::_exit(127);
    }
    ::close(ends[1]);
    said_ = Fd(ends[0]);
  }
  ~Child() { wait(); }

  // The next byte it says, or -1 when it says no more.
  int next() {
    char byte;
    return ::read(said_.get(), &byte, 1) == 1 ? byte : -1;
  }
  void kill() { ::kill(process_, SIGKILL); }
  int wait() {
    int status = 0;
    if (process_ > 0) ::waitpid(std::exchange(process_, -1), &status, 0);
    return status;
  }

 private:
  pid_t process_;
  Fd said_;
};

// Writes pairs of rows, each in its transaction, and says so after each. Never ends by itself.
TEST(Writing, DISABLED_InAChild) {
  const auto database = open_database(std::getenv("VOLARY_TEST_URL"));
  for (int64_t n = 1;; ++n) {
    database->write([&](Transaction& t) {
      t.run("INSERT INTO tenant VALUES ($1, $1)", fmt::format("a{:06}", n));
      t.run("INSERT INTO tenant VALUES ($1, $1)", fmt::format("b{:06}", n));
    });
    if (::write(3, "+", 1) != 1) ::_exit(1);
  }
}

TEST(Opening, DISABLED_InAChild) { open_database(std::getenv("VOLARY_TEST_URL")); }

// How many whole transactions of the child are there; fails if there is one by half or one is missing in between.
int64_t whole_transactions(const std::string& url) {
  const auto database = open_database(url);
  return database->read([](Transaction& t) {
    const auto a = t.all<std::string>("SELECT substr(id, 2) FROM tenant WHERE id LIKE 'a%' ORDER BY id");
    const auto b = t.all<std::string>("SELECT substr(id, 2) FROM tenant WHERE id LIKE 'b%' ORDER BY id");
    EXPECT_EQ(a, b);
    for (size_t i = 0; i < a.size(); ++i) EXPECT_EQ(a[i], fmt::format("{:06}", i + 1));
    EXPECT_EQ(t.find<std::string>("PRAGMA integrity_check"), "ok");
    return static_cast<int64_t>(a.size());
  });
}

TEST(ADyingProcess, LosesNothingItHadAcknowledged) {
  for (const int wanted : {1, 2, 7, 50, 333, 1500}) {  // 1500: beyond the first checkpoint.
    const Scratch scratch;
    int64_t acknowledged = 0;
    {
      Child child("Writing.DISABLED_InAChild", scratch.url(), "", scratch.path() / "log");
      while (acknowledged < wanted && child.next() == '+') ++acknowledged;
      child.kill();
      while (child.next() == '+') ++acknowledged;
      child.wait();
    }
    ASSERT_GE(acknowledged, wanted);
    const int64_t kept = whole_transactions(scratch.url());
    EXPECT_GE(kept, acknowledged);
    EXPECT_LE(kept, acknowledged + 1);
  }
}

#ifdef VOLARY_FAULTS

struct Death {
  std::string fault;
  int64_t acknowledged;
  int64_t kept;
};

TEST(ADyingProcess, LeavesAllOrNothingOfATransactionAtEachFailPoint) {
  for (const Death& death : {Death{"db.begin=kill@5", 4, 4}, Death{"db.commit.before=kill@5", 4, 4},
                             Death{"db.commit.after=kill@5", 4, 5}}) {
    const Scratch scratch;
    const Path log = scratch.path() / "log";
    Child child("Writing.DISABLED_InAChild", scratch.url(), death.fault, log);
    int64_t acknowledged = 0;
    while (child.next() == '+') ++acknowledged;
    EXPECT_EQ(WTERMSIG(child.wait()), SIGKILL);
    EXPECT_NE(try_read_file(log), std::nullopt) << death.fault << " did not happen";
    EXPECT_EQ(acknowledged, death.acknowledged) << death.fault;
    EXPECT_EQ(whole_transactions(scratch.url()), death.kept) << death.fault;
  }
}

TEST(ADyingProcess, LeavesAWholeSchemaOrNone) {
  for (const std::string fault : {"db.migrate.before=kill", "db.migrate.after=kill"}) {
    const Scratch scratch;
    Child child("Opening.DISABLED_InAChild", scratch.url(), fault, scratch.path() / "log");
    EXPECT_EQ(WTERMSIG(child.wait()), SIGKILL);
    EXPECT_EQ(whole_transactions(scratch.url()), 0);
  }
}

#endif

TEST(ACommit, IsSyncedBeforeItReturns) {
  const Scratch scratch;
  const auto database = open_database(scratch.url());
  for (int i = 0; i < 5; ++i) {
    const int before = syncs;
    database->write([&](Transaction& t) { t.run("INSERT INTO tenant VALUES ($1, $1)", std::to_string(i)); });
    EXPECT_GT(syncs, before);
  }
}

TEST(ADisk, ThatFailsToSyncIsNotTrustedUntilTheDatabaseIsOpenedAnew) {
  const Scratch scratch;
  auto database = open_database(scratch.url());
  const auto add = [&](const std::string& name) {
    return error_of([&] {
      database->write([&](Transaction& t) { t.run("INSERT INTO tenant VALUES ($1, $1)", name); });
    });
  };
  EXPECT_EQ(add("kept"), "nothing was thrown");
  syncs_fail = true;
  const std::string failed = add("lost");
  syncs_fail = false;
  EXPECT_EQ(failed, "unavailable: " + scratch.file() + ": the database's disk fails: disk I/O error (SQLite 1034)");
  EXPECT_EQ(add("late"), "unavailable: the database " + scratch.file() +
                             " takes no more changes since its disk failed to sync: look at the disk, then restart");
  const auto names = [&] {
    return database->read([](Transaction& t) { return t.all<std::string>("SELECT name FROM tenant ORDER BY name"); });
  };
  EXPECT_EQ(names(), (std::vector<std::string>{"default", "kept"}));
  database.reset();
  database = open_database(scratch.url());
  EXPECT_EQ(names(), (std::vector<std::string>{"default", "kept"}));
  EXPECT_EQ(add("late"), "nothing was thrown");
}

TEST(ADisk, ThatIsFullIsNamedAndUsedAgainOnceThereIsRoom) {
  const Scratch scratch;
  const Path small = scratch.path() / "small";
  make_directory(small);
  if (::mount("tmpfs", small.c_str(), "tmpfs", 0, "size=4m") != 0) GTEST_SKIP() << "needs root to mount a small disk";
  std::string seen;
  {
    const std::string file = (small / "volary.db").native();
    const auto database = open_database("sqlite://" + file);
    const auto add = [&](const std::string& name) {
      return error_of([&] {
        database->write([&](Transaction& t) {
          t.run("INSERT INTO tenant VALUES ($1, $2)", name, name + std::string(50'000, 'x'));
        });
      });
    };
    int64_t added = 0;
    {
      const Fd filler = create_file(small / "filler");
      EXPECT_EQ(::fallocate(filler.get(), 0, 0, 1 << 20), 0);
    }
    while (seen = add(std::to_string(added)), seen == "nothing was thrown") ++added;
    EXPECT_GT(added, 3);
    EXPECT_EQ(seen, "exhausted: " + file +
                        ": the disk that holds the database is full: database or disk is full (SQLite 13)");
    database->read([&](Transaction& t) {
      EXPECT_EQ(t.find<int64_t>("SELECT count(*) FROM tenant"), added + 1);
      EXPECT_EQ(t.find<std::string>("PRAGMA integrity_check"), "ok");
    });
    remove_file(small / "filler");
    EXPECT_EQ(add("again"), "nothing was thrown");
  }
  EXPECT_EQ(::umount(small.c_str()), 0);
}

}  // namespace
}  // namespace volary
