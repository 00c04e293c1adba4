// db/database_test.cc: The contract of db/database.h, for a file and for a database in memory.
#include "db/database.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <atomic>
#include <functional>
#include <latch>
#include <map>
#include <thread>

#include <sys/stat.h>

#include "db/scratch_test.h"

namespace volary {
namespace {

enum class Colour { red, green };
BOOST_DESCRIBE_ENUM(Colour, red, green)

struct Part {
  std::string name;
  int64_t size = 0;
};
BOOST_DESCRIBE_STRUCT(Part, (), (name, size))

struct Thing {
  std::string id;
  int64_t count = 0;
  double weight = 0;
  bool heavy = false;
  Colour colour{};
  Time made;
  std::optional<Time> gone;
  std::optional<std::string> note;
  Digest digest;
  std::vector<std::string> tags;
  std::map<std::string, std::string> labels;
  Part part;
};
BOOST_DESCRIBE_STRUCT(Thing, (), (id, count, weight, heavy, colour, made, gone, note, digest, tags, labels, part))

constexpr auto create_thing =
    "CREATE TABLE thing (id TEXT PRIMARY KEY, count BIGINT, weight DOUBLE PRECISION, heavy BIGINT, colour TEXT,"
    " made BIGINT, gone BIGINT, note TEXT, digest TEXT, tags TEXT, labels TEXT, part TEXT)";
constexpr auto insert_thing = "INSERT INTO thing VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";

enum class Place { file, memory };

class DatabaseContract : public testing::TestWithParam<Place> {
 protected:
  void SetUp() override {
    database_ = open_database(GetParam() == Place::memory ? "sqlite::memory:" : scratch_.url());
    database_->write([](Transaction& t) {
      t.run("CREATE TABLE pair (a TEXT PRIMARY KEY, b TEXT)");
      t.run(create_thing);
    });
  }
  int64_t count() {
    return *database_->read([](Transaction& t) { return t.find<int64_t>("SELECT count(*) FROM pair"); });
  }
  std::string error_writing(const std::function<void(Transaction&)>& work) {
    return error_of([&] { database_->write(work); });
  }

  Scratch scratch_;
  std::unique_ptr<Database> database_;
};

TEST_P(DatabaseContract, GivesBackDescribedStructsAsTheyWere) {
  const Thing thing{"t1",   -7,    0.25, true, Colour::green, Time{1'700'000'000'000'001}, std::nullopt, "a 'note'",
                    Digest::of("x"), {"a", "b"}, {{"k", "v"}}, {"wheel", 4}};
  database_->write([&](Transaction& t) {
    t.run(insert_thing, thing.id, thing.count, thing.weight, thing.heavy, thing.colour, thing.made, thing.gone,
          thing.note, thing.digest, thing.tags, thing.labels, thing.part);
  });
  const auto found = database_->read([](Transaction& t) { return t.find<Thing>("SELECT * FROM thing"); });
  ASSERT_TRUE(found);
  EXPECT_EQ(print_json(to_json(*found)), print_json(to_json(thing)));
  EXPECT_FALSE(found->gone);
  EXPECT_EQ(found->made.micros, 1'700'000'000'000'001);
}

TEST_P(DatabaseContract, TellsThePathOfAJsonValueThatIsWrong) {
  database_->write([&](Transaction& t) { t.run("INSERT INTO pair VALUES ('a', $1)", std::string("{\"name\":3}")); });
  EXPECT_EQ(error_of([&] {
              database_->read([](Transaction& t) { return t.find<std::vector<Part>>("SELECT b FROM pair"); });
            }),
            "invalid: 'column' is an object: expected a list");
}

TEST_P(DatabaseContract, KeepsTextsWithNulBytesAndEmptyTextsAndNullsApart) {
  const std::string text("a\0b\0", 4);
  database_->write([&](Transaction& t) {
    t.run("INSERT INTO pair VALUES ($1, $2)", text, std::string_view());
    t.run("INSERT INTO pair VALUES ($1, $2)", "n", std::optional<std::string>());
  });
  database_->read([&](Transaction& t) {
    EXPECT_EQ(t.find<std::string>("SELECT a FROM pair WHERE b = ''"), text);
    EXPECT_EQ(t.find<std::string>("SELECT a FROM pair WHERE b IS NULL"), "n");
    EXPECT_EQ(t.find<std::string>("SELECT b FROM pair WHERE a = $1", text), "");
  });
}

TEST_P(DatabaseContract, AnswersWithNothingWhenThereIsNoRow) {
  database_->read([](Transaction& t) {
    EXPECT_FALSE(t.find<std::string>("SELECT a FROM pair"));
    EXPECT_TRUE(t.all<std::string>("SELECT a FROM pair").empty());
  });
}

TEST_P(DatabaseContract, CountsTheRowsAStatementChangedAndNoneForOneThatReads) {
  database_->write([](Transaction& t) {
    EXPECT_EQ(t.run("INSERT INTO pair VALUES ('1', 'x'), ('2', 'x'), ('3', 'y')"), 3);
    EXPECT_EQ(t.run("UPDATE pair SET b = 'z' WHERE b = 'x'"), 2);
    EXPECT_EQ(t.run("SELECT * FROM pair"), 0);
    EXPECT_EQ(t.run("DELETE FROM pair WHERE a = 'none'"), 0);
  });
}

TEST_P(DatabaseContract, FinishesAnInsertThatReturnsThoughOnlyTheFirstRowIsWanted) {
  const auto found = database_->write([](Transaction& t) {
    return t.find<std::string>("INSERT INTO pair VALUES ($1, $2), ('c', 'd') RETURNING a", "a", "b");
  });
  EXPECT_EQ(found, "a");
  EXPECT_EQ(count(), 2);
}

TEST_P(DatabaseContract, LetsOneParameterStandTwiceAndInAnyOrder) {
  database_->write([](Transaction& t) { t.run("INSERT INTO pair VALUES ($2, $1 || $1)", "b", "a"); });
  database_->read([](Transaction& t) { EXPECT_EQ(t.find<std::string>("SELECT b FROM pair WHERE a = 'a'"), "bb"); });
}

TEST_P(DatabaseContract, RunsTheSameStatementInsideItsOwnVisit) {
  database_->write([](Transaction& t) {
    t.run("INSERT INTO pair VALUES ('1', 'x'), ('2', 'x')");
    int seen = 0;
    t.each("SELECT a FROM pair WHERE b = $1", [&](const Row&) {
      t.each("SELECT a FROM pair WHERE b = $1", [&](const Row&) { ++seen; }, "x");
    }, "x");
    EXPECT_EQ(seen, 4);
  });
}

TEST_P(DatabaseContract, RollsBackEverythingWhenTheWorkThrows) {
  EXPECT_EQ(error_writing([](Transaction& t) {
              t.run("INSERT INTO pair VALUES ('a', 'b')");
              throw Error(Errc::exhausted, "no more");
            }),
            "exhausted: no more");
  EXPECT_EQ(count(), 0);
  database_->write([](Transaction& t) { t.run("INSERT INTO pair VALUES ('a', 'b')"); });
  EXPECT_EQ(count(), 1);
}

TEST_P(DatabaseContract, RollsBackWhenAVisitThrows) {
  EXPECT_EQ(error_writing([](Transaction& t) {
              t.run("INSERT INTO pair VALUES ('a', 'b')");
              t.each("SELECT a FROM pair", [](const Row&) { throw Error(Errc::invalid, "enough"); });
            }),
            "invalid: enough");
  EXPECT_EQ(count(), 0);
}

TEST_P(DatabaseContract, NamesWhatACallerCanDoAboutABrokenConstraint) {
  database_->write([](Transaction& t) { t.run("INSERT INTO pair VALUES ('a', 'b')"); });
  EXPECT_EQ(error_writing([](Transaction& t) { t.run("INSERT INTO pair VALUES ($1, 'secret')", "a"); }),
            "exists: there is such a row already: UNIQUE constraint failed: pair.a (SQLite 1555): "
            "INSERT INTO pair VALUES ($1, 'secret')");
  EXPECT_TRUE(error_writing([](Transaction& t) {
                t.run("INSERT INTO project (id, tenant, name, quota_fs_bytes, quota_obs_bytes) "
                                                   "VALUES ('p', 'no-such-tenant', 'n', 0, 0)");
              }).starts_with("conflict: a row refers to one that is not there: FOREIGN KEY constraint failed"));
  EXPECT_TRUE(error_writing([](Transaction& t) { t.run("DELETE FROM tenant"); }).starts_with("conflict: "));
  EXPECT_TRUE(error_writing([](Transaction& t) {
                t.run("INSERT INTO tenant (id, name) VALUES ('t', $1)", std::optional<std::string>());
              }).starts_with("internal: the database refuses a statement: NOT NULL constraint failed: tenant.name"));
}

TEST_P(DatabaseContract, CallsABugABug) {
  EXPECT_EQ(error_writing([](Transaction& t) { t.run("SELECT $1", 1, 2); }),
            "internal: 2 values are given for the 1 parameters of: SELECT $1");
  EXPECT_EQ(error_writing([](Transaction& t) { t.run("SELECT $2", 1); }),
            "internal: there is no parameter $1 in: SELECT $2");
  EXPECT_EQ(error_writing([](Transaction& t) { t.run("SELECT 1; SELECT 2"); }),
            "internal: expected one statement: SELECT 1; SELECT 2");
  EXPECT_TRUE(error_writing([](Transaction& t) { t.run("SELEC"); }).starts_with("internal: "));
  EXPECT_EQ(error_of([&] { database_->read([](Transaction& t) { t.run("DELETE FROM pair"); }); }),
            "internal: a reading transaction wants to write: DELETE FROM pair");
}

TEST_P(DatabaseContract, RefusesATransactionInsideAnotherInsteadOfWaitingForever) {
  const std::string refused = "internal: a transaction was begun inside another one of the same thread";
  EXPECT_EQ(error_writing([&](Transaction&) { database_->write([](Transaction&) {}); }), refused);
  EXPECT_EQ(error_writing([&](Transaction&) { database_->read([](Transaction&) {}); }), refused);
  EXPECT_EQ(error_of([&] { database_->read([&](Transaction&) { database_->write([](Transaction&) {}); }); }), refused);
  database_->write([](Transaction& t) { t.run("INSERT INTO pair VALUES ('a', 'b')"); });  // Nothing is left behind.
}

TEST_P(DatabaseContract, LetsManyThreadsWriteWithoutLosingAnUpdate) {
  database_->write([](Transaction& t) { t.run("INSERT INTO pair VALUES ('n', '0')"); });
  constexpr int threads = 4, rounds = 50;
  {
    std::vector<std::jthread> crowd;
    for (int i = 0; i < threads; ++i)
      crowd.emplace_back([&] {
        for (int k = 0; k < rounds; ++k)
          database_->write([](Transaction& t) {
            const auto n = t.find<int64_t>("SELECT CAST(b AS BIGINT) FROM pair WHERE a = 'n'");
            t.run("UPDATE pair SET b = $1 WHERE a = 'n'", std::to_string(*n + 1));
          });
      });
  }
  database_->read([](Transaction& t) { EXPECT_EQ(t.find<std::string>("SELECT b FROM pair"), "200"); });
}

TEST_P(DatabaseContract, NeverShowsAReaderHalfOfATransaction) {
  database_->write([](Transaction& t) { t.run("INSERT INTO pair VALUES ('x', '0'), ('y', '0')"); });
  std::atomic<bool> over = false;
  std::atomic<int> looks = 0;
  std::jthread reader([&] {
    while (!over || looks == 0) {
      database_->read([](Transaction& t) {
        const auto x = t.find<std::string>("SELECT b FROM pair WHERE a = 'x'");
        std::this_thread::yield();
        EXPECT_EQ(x, t.find<std::string>("SELECT b FROM pair WHERE a = 'y'"));
      });
      ++looks;
    }
  });
  for (int i = 1; i <= 200; ++i)
    database_->write([&](Transaction& t) {
      t.run("UPDATE pair SET b = $1 WHERE a = 'x'", std::to_string(i));
      t.run("UPDATE pair SET b = $1 WHERE a = 'y'", std::to_string(i));
    });
  over = true;
}

INSTANTIATE_TEST_SUITE_P(Places, DatabaseContract, testing::Values(Place::file, Place::memory),
                         [](const auto& place) { return place.param == Place::file ? "InAFile" : "InMemory"; });

TEST(DatabaseInAFile, LetsAReaderKeepItsSnapshotWhileAWriterCommits) {
  const Scratch scratch;
  const auto database = open_database(scratch.url());
  std::latch looked(1), written(1);
  std::jthread reader([&] {
    database->read([&](Transaction& t) {
      EXPECT_EQ(t.find<int64_t>("SELECT count(*) FROM tenant"), 1);
      looked.count_down();
      written.wait();  // The writer is done while this transaction still reads: neither waits for the other.
      EXPECT_EQ(t.find<int64_t>("SELECT count(*) FROM tenant"), 1);
    });
    database->read([](Transaction& t) { EXPECT_EQ(t.find<int64_t>("SELECT count(*) FROM tenant"), 2); });
  });
  looked.wait();
  database->write([](Transaction& t) { t.run("INSERT INTO tenant VALUES ('ten-2', 'two')"); });
  written.count_down();
}

TEST(DatabaseInAFile, LetsMoreThreadsReadAtOnceThanItKeepsConnections) {
  const Scratch scratch;
  const auto database = open_database(scratch.url());
  constexpr int threads = 40;
  std::latch all_inside(threads);
  std::vector<std::jthread> crowd;
  for (int i = 0; i < threads; ++i)
    crowd.emplace_back([&] {
      database->read([&](Transaction& t) {
        EXPECT_EQ(t.find<int64_t>("SELECT count(*) FROM tenant"), 1);
        all_inside.arrive_and_wait();
      });
    });
}

TEST(DatabaseInAFile, IsForItsOwnerOnlyAndSoAreItsLogAndIndex) {
  const Scratch scratch;
  const mode_t before = ::umask(0);
  {
    const auto database = open_database(scratch.url());
    database->read([](Transaction& t) { t.run("SELECT 1"); });
    for (const char* end : {"", "-wal", "-shm", ".lock"})
      EXPECT_EQ(stat_of(Path(scratch.file() + end))->st_mode & 07777, 0600u) << end;
  }
  ::umask(before);
  change_mode(scratch.file(), 0644);
  open_database(scratch.url());
  EXPECT_EQ(stat_of(Path(scratch.file()))->st_mode & 07777, 0600u);
}

TEST(DatabaseInAFile, IsOpenOnceAtATime) {
  const Scratch scratch;
  auto first = open_database(scratch.url());
  EXPECT_EQ(error_of([&] { open_database(scratch.url()); }),
            "conflict: the database " + scratch.file() + " is in use: another Volary has opened it");
  first.reset();
  open_database(scratch.url());
}

TEST(OpenDatabase, TellsWhatThisBuildCanOpenAndNothingOfAPassword) {
  EXPECT_EQ(error_of([] { open_database("postgresql://me:pa55@db/volary"); }),
            "invalid: this build cannot open PostgreSQL databases: "
            "expected sqlite:///absolute/path or sqlite::memory:");
  EXPECT_EQ(error_of([] { open_database("mysql://me:pa55@db/volary"); }),
            "invalid: this build cannot open 'mysql' databases: expected sqlite:///absolute/path or sqlite::memory:");
  EXPECT_EQ(error_of([] { open_database("sqlite://volary.db"); }),
            "invalid: 'sqlite://volary.db' names no file for a database: "
            "expected sqlite:///absolute/path or sqlite::memory:");
  EXPECT_EQ(error_of([] { open_database("sqlite:///dev/null"); }).substr(0, 43),
            "invalid: /dev/null is no regular file: it c");
}

TEST(OpenDatabase, RefusesAFileThatIsNoDatabase) {
  const Scratch scratch;
  write_file_durably(scratch.file(), std::string(8192, 'x'));
  EXPECT_EQ(error_of([&] { open_database(scratch.url()); }),
            "corrupt: " + scratch.file() + ": the database is damaged: file is not a database (SQLite 26)");
}

TEST(OpenDatabase, RefusesAFileWithADamagedPage) {
  const Scratch scratch;
  open_database(scratch.url());
  std::string bytes = read_file(scratch.file());
  std::fill(bytes.begin() + 4096, bytes.end(), '\xff');  // All pages but the first.
  write_file_durably(scratch.file(), bytes);
  EXPECT_TRUE(error_of([&] {
                const auto database = open_database(scratch.url());
                database->read([](Transaction& t) { t.all<std::string>("SELECT name FROM tenant"); });
              }).starts_with("corrupt: " + scratch.file() + ": a page of the database hashes to something else"));
}

RC_GTEST_PROP(DatabaseProperty, AnyValueComesBackAsItWas, (const std::string& text, int64_t integer, double number)) {
  static const auto database = open_database("sqlite::memory:");
  database->read([&](Transaction& t) {
    RC_ASSERT(t.find<std::string>("SELECT $1", text) == text);
    RC_ASSERT(t.find<int64_t>("SELECT $1", integer) == integer);
    RC_ASSERT(t.find<double>("SELECT $1", number) == number);
  });
}

RC_GTEST_PROP(DatabaseProperty, BehavesLikeAMapOfWhichThrownWorkIsForgotten,
              (const std::vector<std::tuple<uint8_t, std::string, bool>>& steps)) {
  static const auto database = open_database("sqlite::memory:");
  std::map<int64_t, std::string> model;
  database->write([](Transaction& t) {
    t.run("CREATE TABLE IF NOT EXISTS model (k BIGINT PRIMARY KEY, v TEXT NOT NULL)");
    t.run("DELETE FROM model");
  });
  for (const auto& [key, value, commits] : steps) {
    const std::string seen = error_of([&, k = key, v = value, c = commits] {
      database->write([&](Transaction& t) {
        t.run("INSERT INTO model VALUES ($1, $2) ON CONFLICT (k) DO UPDATE SET v = excluded.v", k, v);
        if (!c) throw Error(Errc::conflict, "no");
      });
    });
    RC_ASSERT(seen == (commits ? "nothing was thrown" : "conflict: no"));
    if (commits) model[key] = value;
  }
  std::map<int64_t, std::string> found;
  database->read([&](Transaction& t) {
    t.each("SELECT k, v FROM model", [&](const Row& row) { found.emplace(row.integer(0), row.text(1)); });
  });
  RC_ASSERT(found == model);
}

}  // namespace
}  // namespace volary
